//! Theme files: YAML with one look for each role.

use std::collections::BTreeMap;

/// Reads the text of a theme file into pairs of role and look.
///
/// # Errors
/// Says where the text is not such a file.
pub fn parse(name: &str, text: &str) -> Result<BTreeMap<String, String>, BadThemeFile> {
    serde_yaml::from_str(text).map_err(|error| BadThemeFile {
        theme: name.to_owned(),
        // The first line says what and where; the rest quotes the file.
        why: error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Why a text is no theme file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "theme {theme}: {why}; expected lines of a role and its look, as in `danger: \"#ff8a80 bold\"`"
)]
pub struct BadThemeFile {
    theme: String,
    why: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn roles_are_read_and_mistakes_are_placed() {
        let roles = parse("x", "# mine\ntext: \"#ffffff on black\"\nquiet: gray\n").unwrap();
        assert_eq!(roles["text"], "#ffffff on black");
        for bad in ["text: [", "- a", "text: {a: b}", "text: a\ntext: b\n"] {
            let error = parse("x", bad).unwrap_err().to_string();
            assert!(error.starts_with("theme x: "), "{error}");
            assert!(error.contains("line"), "{error}");
        }
    }
}
