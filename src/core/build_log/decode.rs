//! From bytes to text: UTF-16, byte order marks, terminal sequences, other code pages.
//!
//! Each line is judged for itself, so that a file in which two programs wrote two encodings is read throughout, and
//! a reader that begins in the middle needs no state.

/// Tells whether the bytes before a line feed are UTF-16.
///
/// A line feed in UTF-16 has a zero byte beside it, so a line begins with zero, or its second byte is zero, or it
/// begins with a byte order mark; none of this happens in other encodings of a log.
pub(super) fn is_utf16(line: &[u8]) -> bool {
    match line {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] => true,
        // One zero alone is what an ended UTF-16 file left before a line of another encoding.
        [0, rest @ ..] => rest.is_empty() || memchr::memchr(0, rest).is_some(),
        _ => false,
    }
}

/// The byte order of the last mark seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

/// Turns one line of UTF-16 into UTF-8 and returns the byte order that it showed.
pub(super) fn utf16(line: &[u8], order: Order, out: &mut Vec<u8>) -> Order {
    out.clear();
    let (order, body) = match line {
        [0xff, 0xfe, body @ ..] => (Order::Little, body),
        [0xfe, 0xff, body @ ..] => (Order::Big, body),
        // The half of the last line feed that was left over.
        [0, body @ ..] if order == Order::Little => (order, body),
        body => (order, body),
    };
    let units = body.chunks_exact(2).map(|pair| match order {
        Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
        Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
    });
    for unit in char::decode_utf16(units) {
        let mut buffer = [0; 4];
        let letter = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
    }
    order
}

/// Writes the line without terminal sequences.
pub(super) fn without_escapes(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        out.extend_from_slice(&rest[..at]);
        rest = after_escape(&rest[at + 1..]);
    }
    out.extend_from_slice(rest);
}

/// Returns what follows a terminal sequence whose escape byte was just read.
fn after_escape(rest: &[u8]) -> &[u8] {
    match rest.first() {
        Some(b'[') => {
            // Parameters and intermediates, then one final byte; a sequence cut short takes nothing else with it.
            let len = rest[1..]
                .iter()
                .take_while(|byte| (0x20..=0x3f).contains(*byte))
                .count();
            match rest.get(1 + len) {
                Some(0x40..=0x7e) => &rest[2 + len..],
                _ => &rest[1 + len..],
            }
        }
        // Strings: window titles, application commands. They end with BEL or ESC backslash.
        Some(b']' | b'_' | b'P' | b'^' | b'X') => match memchr::memchr2(0x07, 0x1b, rest) {
            Some(end) if rest[end] == 0x07 => &rest[end + 1..],
            Some(end) if rest.get(end + 1) == Some(&b'\\') => &rest[end + 2..],
            _ => &rest[1..],
        },
        Some(b'(' | b')' | b'#' | b' ') => rest.get(2..).unwrap_or_default(),
        Some(0x30..=0x7e) => &rest[1..],
        _ => rest,
    }
}

/// Tells whether two short texts are the same.
///
/// Empty ones are told without looking at them: comparing through the dangling pointer of an empty buffer costs a
/// suppressed page fault on some processors, a hundred times the comparison itself.
#[inline]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// Returns the line after a byte order mark of UTF-8.
pub(super) fn without_mark(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf") {
        line = rest;
    }
    line
}

/// Returns bytes as text of at most so many bytes, with replacement characters for what is no UTF-8.
pub(super) fn text(bytes: &[u8], limit: usize) -> String {
    let mut end = bytes.len().min(limit);
    while end < bytes.len() && end > 0 && (bytes[end] & 0xc0) == 0x80 {
        end -= 1;
    }
    let bytes = &bytes[..end];
    if let Ok(text) = std::str::from_utf8(bytes)
        && bytes
            .iter()
            .all(|byte| *byte >= 0x20 && *byte != 0x7f && *byte != 0xc2)
    {
        return text.to_string();
    }
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(line: &str) -> String {
        let mut out = Vec::new();
        without_escapes(line.as_bytes(), &mut out);
        text(&out, 1000)
    }

    #[test]
    fn terminal_sequences_go_and_text_stays() {
        assert_eq!(
            stripped("\u{1b}[36m#1 [internal]\u{1b}[0m x"),
            "#1 [internal] x"
        );
        assert_eq!(
            stripped("\u{1b}[1A\u{1b}[0G\u{1b}[?25l[+] Building"),
            "[+] Building"
        );
        assert_eq!(stripped("\u{1b}_bk;t=1690000000000\u{7}#1 DONE"), "#1 DONE");
        assert_eq!(stripped("\u{1b}]0;title\u{1b}\\#1 DONE"), "#1 DONE");
        assert_eq!(stripped("a\u{1b}(Bb\u{1b}7c\u{1b}"), "abc");
        assert_eq!(stripped("\u{1b}[31"), "");
        assert_eq!(stripped("\u{1b}]never ends"), "never ends");
    }

    #[test]
    fn f7_utf16_is_told_line_by_line() {
        let mut out = Vec::new();
        let little: Vec<u8> = "#1 ü".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(is_utf16(&little));
        utf16(&little, Order::Little, &mut out);
        assert_eq!(out, "#1 ü".as_bytes());
        let next: Vec<u8> = [0].into_iter().chain(little).collect();
        utf16(&next, Order::Little, &mut out);
        assert_eq!(out, "#1 ü".as_bytes());
        let big: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain("#1 ü\n".encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        let line = &big[..big.len() - 1];
        assert_eq!(utf16(line, Order::Little, &mut out), Order::Big);
        assert_eq!(out, "#1 ü".as_bytes());
        assert!(!is_utf16(b"#1 DONE") && !is_utf16(b"") && is_utf16(b"\0"));
    }

    #[test]
    fn other_code_pages_are_read_as_far_as_they_go() {
        assert_eq!(text(b"caf\xe9 \x9c", 100), "caf\u{fffd} \u{fffd}");
        assert_eq!(text("ääää".as_bytes(), 3), "ä");
        assert_eq!(text(b"a\tb\x07", 100), "a b ");
    }
}
