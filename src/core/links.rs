//! Links for people: what changed between two images, as their labels tell source and revision.
//!
//! Labels are a stranger's text: what is no plain web address is no link.

/// Returns the page that says most of what is new: a comparison, a release, a commit, else the source itself.
pub fn changes(
    source: &str,
    from: Option<&str>,
    to: Option<&str>,
    version: Option<&str>,
) -> Option<String> {
    let source = address(source)?;
    let Some((base, dialect)) = forge(&source) else {
        return Some(source);
    };
    let revision = |text: &&str| {
        (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let (from, to) = (from.filter(revision), to.filter(revision));
    let (compare, commit, release) = dialect;
    Some(match (from, to, version.filter(|text| is_version(text))) {
        (Some(from), Some(to), _) if from != to => format!("{base}/{compare}/{from}...{to}"),
        (_, _, Some(version)) => format!("{base}/{release}/{version}"),
        (_, Some(to), None) => format!("{base}/{commit}/{to}"),
        (_, None, None) => source,
    })
}

/// Returns the text if it is a plain web address that a program may be given.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/?#=&%+:,".contains(&byte);
    let good = text.len() <= 500 && !rest.is_empty() && rest.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// How a forge names its pages of comparisons, commits and releases.
type Dialect = (&'static str, &'static str, &'static str);

fn forge(source: &str) -> Option<(String, Dialect)> {
    let (scheme, rest) = source.split_once("://")?;
    let mut parts = rest.trim_end_matches('/').splitn(4, '/');
    let (host, owner, name) = (parts.next()?, parts.next()?, parts.next()?);
    let name = name.split(['?', '#']).next()?.trim_end_matches(".git");
    let dialect: Dialect = match host {
        "github.com" => ("compare", "commit", "releases/tag"),
        "codeberg.org" => ("compare", "commit", "releases/tag"),
        "gitlab.com" => ("-/compare", "-/commit", "-/releases"),
        _ => return None,
    };
    (!owner.is_empty() && !name.is_empty())
        .then(|| (format!("{scheme}://{host}/{owner}/{name}"), dialect))
}

/// Tells a version that a release may be named by from `latest` and from a date of a build.
fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix('v').unwrap_or(text);
    digits.contains('.')
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn the_page_that_says_most_is_chosen() {
        let app = "https://github.com/me/app.git";
        let link = |from, to, version| changes(app, from, to, version).unwrap();
        let (old, new) = (Some("9c1e2d4"), Some("b81f0aa"));
        assert_eq!(
            link(old, new, Some("1.2.0")),
            "https://github.com/me/app/compare/9c1e2d4...b81f0aa"
        );
        assert_eq!(
            link(None, new, Some("v1.2.0")),
            "https://github.com/me/app/releases/tag/v1.2.0"
        );
        assert_eq!(
            link(new, new, None),
            "https://github.com/me/app/commit/b81f0aa"
        );
        assert_eq!(link(old, Some("main"), None), app);
        assert_eq!(
            changes("https://git.example/me/app", old, new, None).unwrap(),
            "https://git.example/me/app"
        );
    }

    #[test]
    fn what_is_no_web_address_is_no_link() {
        for text in [
            "",
            "git@github.com:me/app",
            "file:///etc/passwd",
            "https://",
            "https://x.example/\u{1b}]0;x",
            "https://x.example/a b",
            "https://x.example/$(id)",
            "-flag",
        ] {
            assert_eq!(changes(text, None, None, None), None, "{text:?}");
        }
    }
}
