//! The short way to read an image reference: the spellings that nearly all references have.
//!
//! It answers for a plain part of the grammar only and leaves everything else, errors too, to the crate that holds the
//! whole grammar. A property test holds that both agree wherever this one answers.

/// The parts of a reference as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub registry: Option<&'a str>,
    pub path: &'a str,
    pub tag: Option<&'a str>,
    pub digest: Option<&'a str>,
}

/// Longer texts are left to the whole grammar, which knows the limits.
const LONGEST: usize = 200;

/// Reads a reference of a plain spelling; nothing where the whole grammar has to be asked.
pub(super) fn read(text: &str) -> Option<Parts<'_>> {
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if !digest.is_none_or(is_digest) {
        return None;
    }
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if !tag.is_none_or(is_tag) {
        return None;
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first), path)
        }
        _ => (None, name),
    };
    let good = registry.is_none_or(is_host) && path.split('/').all(is_component);
    good.then_some(Parts {
        registry,
        path,
        tag,
        digest,
    })
}

fn is_digest(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(lower))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inner = |byte: u8| word(byte) || byte == b'.' || byte == b'-';
    text.len() <= 128 && text.bytes().next().is_some_and(word) && text.bytes().all(inner)
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inner)
    };
    port.is_none_or(digits) && name.split('.').all(label)
}

/// Lower-case words with single separators between them.
fn is_component(text: &str) -> bool {
    let mut after_word = false;
    for byte in text.bytes() {
        let word = byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(word || after_word && matches!(byte, b'.' | b'_' | b'-')) {
            return false;
        }
        after_word = word;
    }
    after_word
}
