//! The forms that texts of the configuration have, each with its check and with words for what would be right.

use std::time::Duration;

use crate::core::host::Address;
use crate::core::image::ImageRef;

/// What a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Free,
    /// The operator's name for a host.
    HostName,
    /// The name of a host that is configured.
    KnownHost,
    Address,
    /// A registry's host and port, as references spell it.
    Registry,
    /// `HOST/PROJECT/SERVICE` with `*`.
    Pattern,
    /// A file of this machine.
    LocalPath,
    /// An absolute path on a host.
    HostPath,
    Url,
    /// `OWNER/NAME` at GitHub.
    Repository,
    Image,
    Fingerprint,
    /// The name of an environment variable.
    Variable,
}

impl Form {
    /// Returns what is wanted, fit for "expected …".
    pub fn wanted(self) -> &'static str {
        match self {
            Self::Free => "a text without control characters",
            Self::HostName => "a name of letters, digits, `.`, `_` and `-`",
            Self::KnownHost => "the name of a host under `hosts`",
            Self::Address => Address::FORMS,
            Self::Registry => "a registry as image references spell it, such as registry.lan:5000",
            Self::Pattern => "HOST/PROJECT/SERVICE, where * stands for anything within a part",
            Self::LocalPath => "a path on this machine; ~ is your home folder",
            Self::HostPath => "an absolute path on that host",
            Self::Url => "a URL that begins with https:// or http://",
            Self::Repository => "OWNER/NAME, such as me/homelab",
            Self::Image => "an image such as ghcr.io/me/blog",
            Self::Fingerprint => "the certificate's SHA-256: 64 hex digits, colons allowed",
            Self::Variable => "the name of an environment variable, such as GITHUB_TOKEN",
        }
    }

    /// Returns the right spelling of what was probably meant.
    pub fn meant(self, text: &str) -> Option<String> {
        let guess = match self {
            Self::Address if !text.contains("://") && !text.starts_with('/') => {
                format!("ssh://{text}")
            }
            Self::Address if text.starts_with('/') => format!("unix://{text}"),
            Self::Registry => {
                let (_, rest) = text.split_once("://")?;
                rest.trim_end_matches('/').to_owned()
            }
            Self::Repository => text.strip_prefix("https://github.com/")?.to_owned(),
            _ => return None,
        };
        self.fits(&guess).then_some(guess)
    }

    /// Returns a word for the type column of the reference.
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "text",
            Self::HostName => "name",
            Self::KnownHost => "host name",
            Self::Address => "address",
            Self::Registry => "host[:port]",
            Self::Pattern => "pattern",
            Self::LocalPath | Self::HostPath => "path",
            Self::Url => "URL",
            Self::Repository => "owner/name",
            Self::Image => "image",
            Self::Fingerprint => "SHA-256",
            Self::Variable => "variable",
        }
    }

    /// Returns a regular expression for editors, where one says more than "text".
    pub fn expression(self) -> Option<&'static str> {
        match self {
            Self::Free | Self::LocalPath | Self::Image | Self::Pattern => None,
            Self::HostName | Self::KnownHost => Some(r"^[\p{L}\p{N}_][\p{L}\p{N}._-]*$"),
            Self::Address => Some(r"^(local|unix:///.+|tcp://.+:[0-9]+|ssh://.+)$"),
            Self::Registry => Some(r"^[A-Za-z0-9.\[\]_-]+(:[0-9]+)?$"),
            Self::HostPath => Some(r"^/"),
            Self::Url => Some(r"^https?://"),
            Self::Repository => Some(r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$"),
            Self::Fingerprint => Some(r"^(sha256:|SHA256:)?([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$"),
            Self::Variable => Some(r"^[A-Za-z_][A-Za-z0-9_]*$"),
        }
    }

    /// Tells whether a text has this form; whether a known host exists is found out later.
    pub fn fits(self, text: &str) -> bool {
        if text.is_empty() || text.chars().any(char::is_control) {
            return false;
        }
        match self {
            Self::Free | Self::LocalPath => true,
            Self::HostName | Self::KnownHost => is_host_name(text),
            Self::Address => text.parse::<Address>().is_ok(),
            Self::Registry => is_registry(text),
            Self::Pattern => is_pattern(text),
            Self::HostPath => text.starts_with('/'),
            Self::Url => ["https://", "http://"].iter().any(|scheme| {
                text.strip_prefix(scheme)
                    .is_some_and(|rest| !rest.is_empty())
            }),
            Self::Repository => text
                .split_once('/')
                .is_some_and(|(owner, name)| is_plain(owner) && is_plain(name)),
            Self::Image => text.parse::<ImageRef>().is_ok(),
            Self::Fingerprint => fingerprint(text).is_some(),
            Self::Variable => {
                !text.starts_with(|c: char| c.is_ascii_digit())
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            }
        }
    }
}

/// Tells whether a text can name a host, in targets and in messages.
pub fn is_host_name(text: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.chars().count() <= 63
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && text.chars().all(inner)
}

/// Returns the fingerprint as 64 lower-case hex digits.
pub fn fingerprint(text: &str) -> Option<String> {
    let text = text
        .strip_prefix("sha256:")
        .or_else(|| text.strip_prefix("SHA256:"))
        .unwrap_or(text);
    let hex: String = text.chars().filter(|c| *c != ':').collect();
    let whole = hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit());
    whole.then(|| hex.to_ascii_lowercase())
}

/// Parses a length of time: `500ms`, `10s`, `30m`, `2h`, `1d`, or several as in `1h30m`.
pub fn length(text: &str) -> Option<Duration> {
    /// Longer than this is no interval but a mistake, and would overflow clocks.
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let unit = match &after[..end] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(number)?)?;
        rest = &after[end..];
    }
    (!total.is_zero() && total <= LONGEST).then_some(total)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let bracketed = bare.len() != host.len();
    !bare.is_empty()
        && bare.chars().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || bracketed && c == ':'
        })
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn is_pattern(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let within = |c: char| !c.is_whitespace() && !matches!(c, '?' | '[' | ']' | '{' | '}' | '\\');
    parts.len() <= 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && !part.contains("**") && part.chars().all(within))
}

fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_need_a_unit() {
        for (text, seconds) in [
            ("10s", 10),
            ("30m", 1800),
            ("2h", 7200),
            ("1d", 86_400),
            ("1h30m", 5400),
        ] {
            assert_eq!(length(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(length("500ms"), Some(Duration::from_millis(500)));
        for text in [
            "",
            "10",
            "s",
            "0s",
            "10 s",
            "-1s",
            "1.5h",
            "10x",
            "99999999999s",
            "400d",
            "4294967295d",
        ] {
            assert_eq!(length(text), None, "{text}");
        }
    }

    #[test]
    fn texts_fit_their_form_or_do_not() {
        for (form, good, bad) in [
            (
                Form::HostName,
                &["vps", "pi4", "küche", "_a.b-c", "1"][..],
                &["", "-x", "a/b", "a b", "a=b", ".x", "a\u{1b}"][..],
            ),
            (
                Form::Registry,
                &[
                    "ghcr.io",
                    "localhost:5000",
                    "registry.lan:5000",
                    "[::1]:5000",
                    "docker.io",
                ],
                &[
                    "https://ghcr.io",
                    "ghcr.io/me",
                    "x:0",
                    "x:99999",
                    "x:",
                    ":5000",
                    "a b",
                    "",
                ],
            ),
            (
                Form::Pattern,
                &["*/staging-*/*", "vps", "vps/*", "*/-/*"],
                &["", "a//b", "a/b/c/d", "[ab]/*", "a?/b", "**/x"],
            ),
            (
                Form::Repository,
                &["me/homelab", "a-b/c.d"],
                &["me", "me/", "/x", "a/b/c", "https://github.com/me/x"],
            ),
            (
                Form::Image,
                &["ghcr.io/me/blog", "registry.lan:5000/api", "redis"],
                &["UPPER", "a b", "x:"],
            ),
            (
                Form::Url,
                &["https://x", "http://127.0.0.1:8080"],
                &["https://", "ftp://x", "x"],
            ),
            (
                Form::Variable,
                &["GITHUB_TOKEN", "_x1"],
                &["1x", "A-B", "", "$X"],
            ),
            (
                Form::HostPath,
                &["/run/docker.sock"],
                &["run/docker.sock", ""],
            ),
        ] {
            for text in good {
                assert!(form.fits(text), "{form:?} {text}");
            }
            for text in bad {
                assert!(!form.fits(text), "{form:?} {text}");
            }
        }
    }

    #[test]
    fn fingerprints_have_one_spelling_inside() {
        let plain = "0a".repeat(32);
        let colons = vec!["0A"; 32].join(":");
        assert_eq!(fingerprint(&plain), Some(plain.clone()));
        assert_eq!(fingerprint(&colons), Some(plain.clone()));
        assert_eq!(fingerprint(&format!("SHA256:{plain}")), Some(plain.clone()));
        assert_eq!(fingerprint(&plain[1..]), None);
    }
}
