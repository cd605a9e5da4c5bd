//! Logs whose lines are JSON strings in a list, or one string with all of them: what Ansible and its like print of a command.

use super::prefix::begins_a_build;

/// Whether the last line was a string of such a list.
#[derive(Debug, Default)]
pub(super) struct Strings {
    within: bool,
}

impl Strings {
    /// Returns what the string holds, from the first line of a build to the end of the list.
    pub(super) fn take(&mut self, line: &[u8]) -> Option<String> {
        let text = string(line);
        self.within = match &text {
            Some(text) => self.within || text.lines().any(|line| begins_a_build(line.as_bytes())),
            None => false,
        };
        text.filter(|_| self.within)
    }
}

/// Reads a line such as `    "#1 DONE 0.0s",` or `    "stdout": "#1 …\n#1 DONE 0.0s"`.
fn string(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    if line.first() != Some(&b'"') {
        return None;
    }
    let line = line.strip_suffix(b",").unwrap_or(line);
    let value = match memchr::memmem::find(line, b"\": \"") {
        // What stands before it is a name, not the beginning of a string that quotes one.
        Some(at) if is_name(line.get(1..at).unwrap_or_default()) => &line[at + 3..],
        _ => line,
    };
    serde_json::from_slice(value).ok()
}

fn is_name(text: &[u8]) -> bool {
    let of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !text.is_empty() && text.iter().all(of_a_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_taken_from_the_first_line_of_a_build_on() {
        let mut strings = Strings::default();
        let mut take = |line: &str| strings.take(line.as_bytes());
        assert_eq!(take(r#"    "Sending build context","#), None);
        let first = r##"        "#1 [internal] load build definition from Dockerfile","##;
        assert_eq!(
            take(first).as_deref(),
            Some("#1 [internal] load build definition from Dockerfile")
        );
        assert_eq!(take(r#"        "","#).as_deref(), Some(""));
        assert_eq!(
            take(r##"        "#5 0.1 say \"a\": \"b\"""##).as_deref(),
            Some(r##"#5 0.1 say "a": "b""##)
        );
        assert_eq!(take("    ]"), None);
        for half in ["\": \"x\",", "    \": \"", "\"", "\",", ""] {
            assert_eq!(take(half), None, "{half}");
        }
        assert_eq!(take(r#"    "x","#), None);
        let whole = r##"  "build.stdout": "Step 1/2 : FROM a\n ---> Using cache","##;
        assert_eq!(
            take(whole).as_deref(),
            Some("Step 1/2 : FROM a\n ---> Using cache")
        );
    }
}
