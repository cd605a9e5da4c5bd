//! The grammar of image references, as engines read them.
//!
//! It says which parts a text has and what is wrong with one that is none; short and long spellings are made equal
//! elsewhere. A property test holds that it agrees with the crate whose types the registry's answers have: that one
//! compiles a pattern of some megabytes before the first answer, which is too much on a small machine.

/// The parts of a reference as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub registry: Option<&'a str>,
    pub path: &'a str,
    pub tag: Option<&'a str>,
    pub digest: Option<&'a str>,
}

/// The longest path of a repository.
const LONGEST_PATH: usize = 255;

const LONGEST_TAG: usize = 128;

/// Algorithms with the number of their hex digits.
const ALGORITHMS: [(&str, usize); 2] = [("sha256", 64), ("sha512", 128)];

/// Reads a reference.
///
/// # Errors
/// What is wrong with it, as a fragment.
pub(super) fn read(text: &str) -> Result<Parts<'_>, &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if !digest.is_none_or(is_digest) {
        return Err(
            "its digest is not sha256: with 64 or sha512: with 128 hex digits in lower case",
        );
    }
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if !tag.is_none_or(is_tag) {
        return Err(
            "its tag is not up to 128 letters, digits, `_`, `.` and `-`, the first one no sign",
        );
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if names_a_host(first) => (Some(first), path),
        _ => (None, name),
    };
    if !registry.is_none_or(is_host) {
        return Err("its registry is not a host name with or without a port");
    }
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("the repository's name must be in lower case");
    }
    if !path.split('/').all(is_component) {
        return Err(
            "the repository's name is not words of letters and digits with single separators",
        );
    }
    if path.len() > LONGEST_PATH {
        return Err("the repository's name is longer than 255 letters");
    }
    Ok(Parts {
        registry,
        path,
        tag,
        digest,
    })
}

/// Tells whether the first part of a path is a registry: docker's rule.
pub(super) fn names_a_host(first: &str) -> bool {
    // No part of a repository's name has capitals.
    let capitals = first.bytes().any(|byte| byte.is_ascii_uppercase());
    first.contains(['.', ':']) || first == "localhost" || capitals
}

fn is_digest(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        ALGORITHMS.contains(&(algorithm, hex.len())) && hex.bytes().all(lower)
    })
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inner = |byte: u8| word(byte) || byte == b'.' || byte == b'-';
    text.len() <= LONGEST_TAG && text.bytes().next().is_some_and(word) && text.bytes().all(inner)
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        // The colons of an address in brackets are its own.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inner)
    };
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let named = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(label),
    };
    named && port.is_none_or(digits)
}

/// Lower-case words with a dot, one or two underscores, or any number of dashes between them.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let length = rest.iter().take_while(|byte| word(**byte)).count();
        rest = rest.get(length..).unwrap_or_default();
        if length == 0 || rest.is_empty() {
            return length > 0;
        }
        let separator = match rest {
            [b'.', ..] => 1,
            [b'_', b'_', ..] => 2,
            [b'_', ..] => 1,
            _ => rest.iter().take_while(|byte| **byte == b'-').count(),
        };
        if separator == 0 {
            return false;
        }
        rest = rest.get(separator..).unwrap_or_default();
    }
}
