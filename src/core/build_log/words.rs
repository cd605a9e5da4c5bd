//! What one line of a vertex says: `#12 CACHED`, `#12 DONE 1.3s`, `#12 0.174 output`, `#12 [build 2/4] RUN make`.

use super::open::Open;

/// What follows the number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word<'a> {
    /// Nothing: the rest was folded onto the next line, or there is none.
    Empty,
    /// Another vertex is shown next.
    Pause,
    Output,
    Done(Option<f64>),
    Cached,
    Cancelled,
    Error(&'a [u8]),
    Warn(&'a [u8]),
    /// A name or a piece of progress; only the build knows which.
    Text(&'a [u8]),
}

/// Splits `#12 rest` into number and rest.
pub(super) fn number(line: &[u8]) -> Option<(u32, &[u8])> {
    let after = line.strip_prefix(b"#")?;
    let mut number = 0_u32;
    let mut len = 0;
    while let Some(digit @ b'0'..=b'9') = after.get(len) {
        if len == 7 {
            return None;
        }
        number = number * 10 + u32::from(digit - b'0');
        len += 1;
    }
    if len == 0 {
        return None;
    }
    match after.get(len) {
        None => Some((number, b"")),
        Some(b' ') => Some((number, &after[len + 1..])),
        Some(_) => None,
    }
}

/// Splits `#*** rest`, a number that a job hides or half hides, from what follows.
pub(super) fn masked(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let after = line.strip_prefix(b"#")?;
    let len = after
        .iter()
        .take(16)
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'*')
        .count();
    let rest = after.get(len..)?.strip_prefix(b" ")?;
    memchr::memmem::find(&after[..len], b"***")?;
    Some((&after[..len], rest))
}

/// Reads what follows the number.
pub(super) fn word(rest: &[u8]) -> Word<'_> {
    let text = rest.trim_ascii_end();
    match text.first() {
        None => Word::Empty,
        Some(b'0'..=b'9') if is_output(rest) => Word::Output,
        Some(b'.') if text == b"..." => Word::Pause,
        Some(b'D') if text == b"DONE" => Word::Done(None),
        Some(b'D') => match text.strip_prefix(b"DONE ").and_then(seconds) {
            Some(seconds) => Word::Done(Some(seconds)),
            None if is_masked_done(text) => Word::Done(None),
            None => Word::Text(rest),
        },
        Some(b'C') if text == b"CACHED" => Word::Cached,
        Some(b'C') if text == b"CANCELED" => Word::Cancelled,
        Some(b'E') if text == b"ERROR" => Word::Error(b""),
        Some(b'E') => text
            .strip_prefix(b"ERROR: ")
            .map_or(Word::Text(rest), Word::Error),
        Some(b'W') => text
            .strip_prefix(b"WARN: ")
            .map_or(Word::Text(rest), Word::Warn),
        Some(b' ') => old_word(text),
        Some(_) => Word::Text(rest),
    }
}

/// The first BuildKit clients wrote `#5     duration: 1.2s` in place of `#5 DONE 1.2s`.
fn old_word(text: &[u8]) -> Word<'_> {
    let text = text.trim_ascii_start();
    if let Some(duration) = text.strip_prefix(b"duration: ") {
        Word::Done(go_duration(duration))
    } else if text == b"cached: true" {
        Word::Cached
    } else if let Some(error) = text.strip_prefix(b"error: ") {
        if error.ends_with(b"context canceled\"") {
            Word::Cancelled
        } else {
            Word::Error(error)
        }
    } else {
        Word::Pause
    }
}

/// Tells `DONE ***.5s`, a time that a job half hides.
fn is_masked_done(text: &[u8]) -> bool {
    let time = text
        .strip_prefix(b"DONE ")
        .and_then(|time| time.strip_suffix(b"s"));
    time.is_some_and(|time| {
        time.contains(&b'*')
            && time
                .iter()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'*'))
    })
}

fn is_output(rest: &[u8]) -> bool {
    let digits = rest
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let Some(after) = rest
        .get(digits..)
        .and_then(|after| after.strip_prefix(b"."))
    else {
        return false;
    };
    let fraction = after
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    fraction > 0 && matches!(after.get(fraction), Some(b' ') | None)
}

fn seconds(text: &[u8]) -> Option<f64> {
    let number = text.strip_suffix(b"s")?;
    if number.is_empty()
        || number.len() > 12
        || !number
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        return None;
    }
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Reads `1m2.5s`, `138.3ms`, `0s`.
fn go_duration(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text.get(..text.len().min(40))?).ok()?;
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let len = unit
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(unit.len());
        total += number
            * match &unit[..len] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &unit[len..];
    }
    Some(total)
}

/// Tells a text that can only be the name of a vertex.
pub(super) fn is_header(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"importing cache manifest from",
        b"exporting to ",
        b"exporting cache",
        b"importing to docker",
        b"resolve image config for ",
        b"resolving provenance for ",
        b"docker-image://",
        b"local://",
        b"git://",
        b"generating sbom",
    ];
    match text.first() {
        Some(b'[') => text
            .get(1)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'*')),
        Some(b'p') if text.ends_with(b" with docker") => text.starts_with(b"pushing "),
        _ => NAMES.iter().any(|name| text.starts_with(name)),
    }
}

/// Tells a text that a build can begin with, even where its beginning is lost.
pub(super) fn is_certain_header(text: &[u8]) -> bool {
    let Some(after) = text.strip_prefix(b"[") else {
        return text.starts_with(b"importing cache manifest from ")
            || text.starts_with(b"exporting to image");
    };
    let window = &after[..after.len().min(160)];
    let Some(end) = memchr::memchr(b']', window) else {
        // Folded by a console inside the bracket.
        return text.len() >= 8 && !text.contains(&b'=');
    };
    let last = window[..end]
        .rsplit(|byte| *byte == b' ')
        .next()
        .unwrap_or_default();
    let is_place = last.split(|byte| *byte == b'/').count() == 2
        && last
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'/' | b'*'));
    is_place || last == b"internal" || last == b"auth" || window.starts_with(b"context ")
}

/// Reads a piece of progress of a vertex.
pub(super) fn status(open: &mut Open, number: u32, text: &[u8]) {
    match text.first() {
        Some(b's') => {
            if let Some((key, bytes)) = layer_progress(text) {
                open.pull(number, key, bytes, false);
            }
        }
        Some(b'r') => open.by_compose |= text.starts_with(b"reading from stdin "),
        Some(b'n') => {
            // An image without a name is put down under this one by newer builders.
            let nameless = |image: &&[u8]| image.starts_with(b"moby-dangling@");
            let image = first_word_after(text, b"naming to ");
            if let Some(image) = image.filter(|image| !nameless(image)) {
                open.image(image);
            }
        }
        Some(b'p') => {
            if let Some(image) = first_word_after(text, b"pushing manifest for ") {
                let at = image
                    .iter()
                    .rposition(|byte| *byte == b'@')
                    .unwrap_or(image.len());
                open.image(&image[..at]);
                if let Some(digest) = image
                    .get(at + 1..)
                    .filter(|digest| digest.starts_with(b"sha256:"))
                {
                    open.result(4, digest);
                }
            } else if let Some((key, bytes)) =
                text.strip_prefix(b"pushing layer ").and_then(progress)
            {
                open.pull(number, key, bytes, true);
            }
        }
        Some(b'e') => {
            if let Some(digest) = first_word_after(text, b"extracting ") {
                open.arrived(
                    number,
                    fingerprint(digest.strip_prefix(b"sha256:").unwrap_or(digest)),
                );
                return;
            }
            for (rank, name) in [
                (3, &b"exporting manifest list "[..]),
                (2, b"exporting manifest "),
                (1, b"exporting config "),
            ] {
                if let Some(digest) =
                    first_word_after(text, name).filter(|digest| digest.starts_with(b"sha256:"))
                {
                    open.result(rank, digest);
                    break;
                }
            }
        }
        Some(b'w') => {
            if let Some(digest) = first_word_after(text, b"writing image ") {
                open.result(1, digest);
            }
        }
        _ => {}
    }
}

/// Reads `sha256:HEX 1.05MB / 4.01MB 1.1s`: which layer, and how much of it is here.
fn layer_progress(text: &[u8]) -> Option<(u64, (u64, u64))> {
    let hex = text.strip_prefix(b"sha256:")?.get(..64)?;
    hex.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    progress(&text[7..])
}

fn progress(text: &[u8]) -> Option<(u64, (u64, u64))> {
    let space = memchr::memchr(b' ', text)?;
    let (key, rest) = (&text[..space], &text[space + 1..]);
    let mut words = rest.split(|byte| *byte == b' ');
    let current = size(words.next()?)?;
    (words.next()? == b"/").then_some(())?;
    let total = size(words.next()?)?;
    Some((fingerprint(key), (current, total)))
}

/// Returns a number that stands for a layer's digest.
pub(super) fn fingerprint(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Reads `4.01MB`, in the decimal units of BuildKit.
fn size(text: &[u8]) -> Option<u64> {
    let digits = text
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    let number: f64 = std::str::from_utf8(text.get(..digits)?)
        .ok()?
        .parse()
        .ok()?;
    let unit = match &text[digits..] {
        b"B" => 1.0,
        b"kB" | b"KB" => 1e3,
        b"MB" => 1e6,
        b"GB" => 1e9,
        b"TB" => 1e12,
        _ => return None,
    };
    Some((number * unit).round() as u64)
}

fn first_word_after<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = text.strip_prefix(name)?;
    rest.split(|byte| *byte == b' ')
        .next()
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_vertex_are_told_apart() {
        let table: [(&str, Word<'_>); 22] = [
            ("CACHED", Word::Cached),
            ("CACHED  ", Word::Cached),
            ("CACHED layers", Word::Text(b"CACHED layers")),
            ("DONE 1.3s", Word::Done(Some(1.3))),
            ("DONE", Word::Done(None)),
            ("DONE soon", Word::Text(b"DONE soon")),
            ("CANCELED", Word::Cancelled),
            ("ERROR: no", Word::Error(b"no")),
            ("ERROR", Word::Error(b"")),
            ("WARN: Rule: text", Word::Warn(b"Rule: text")),
            ("...", Word::Pause),
            ("", Word::Empty),
            ("0.174 #9 CACHED", Word::Output),
            ("12.3", Word::Output),
            ("1.5GB of things", Word::Text(b"1.5GB of things")),
            ("[1/2] RUN x", Word::Text(b"[1/2] RUN x")),
            ("    duration: 1m0.5s", Word::Done(Some(60.5))),
            ("    duration: 138.5ms", Word::Done(Some(0.1385))),
            ("      cached: true", Word::Cached),
            ("       error: \"exit 1\"", Word::Error(b"\"exit 1\"")),
            ("     started: 2018-11-08 10:00:00 UTC", Word::Pause),
            ("resolve x done", Word::Text(b"resolve x done")),
        ];
        for (rest, wanted) in table {
            assert_eq!(word(rest.as_bytes()), wanted, "{rest}");
        }
        assert_eq!(number(b"#101 x"), Some((101, &b"x"[..])));
        assert_eq!(number(b"#7"), Some((7, &b""[..])));
        for no in ["#", "# 1", "#1:", "#12345678 x", "1 x", "#a"] {
            assert_eq!(number(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn bytes_of_layers_are_summed_by_digest() {
        let mut open = Open::default();
        let layer = format!("sha256:{}", "a".repeat(64));
        for status_text in [
            format!("{layer} 1.05MB / 4.01MB 0.9s"),
            format!("{layer} 4.01MB / 4.01MB 2.9s done"),
            layer,
        ] {
            status(&mut open, 5, status_text.as_bytes());
        }
        assert_eq!(open.pulls.len(), 1);
        assert_eq!(open.pulls[0].bytes, 4_010_000);
        assert_eq!(size(b"12kB"), Some(12_000));
        assert_eq!(size(b"12XB"), None);
        assert_eq!(size(b"B"), None);
    }
}
