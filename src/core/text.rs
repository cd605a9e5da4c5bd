//! Remote text made fit for a screen: no control sequence, no bidi trick, no invisible character survives.

use std::borrow::Cow;

/// Returns the text with everything that could steer a terminal or deceive an eye replaced.
///
/// Control characters are shown as `^X`, other deceivers as `?`; ordinary text is borrowed unchanged.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{0}'..='\u{1f}' => {
                out.push('^');
                out.push(char::from(c as u8 + 0x40));
            }
            '\u{7f}' => out.push_str("^?"),
            c if is_plain(c) => out.push(c),
            _ => out.push('?'),
        }
    }
    Cow::Owned(out)
}

/// Returns the text cleaned and cut to a number of characters, for values without bounds of their own.
pub fn clean_within(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => clean(text).into_owned(),
        Some((end, _)) => {
            let mut cut = clean(&text[..end]).into_owned();
            cut.push_str("...");
            cut
        }
    }
}

fn is_plain(c: char) -> bool {
    !matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, joiners, marks and overrides of direction, separators, interlinear marks.
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
        // Combining marks would move the columns of everything after them.
        | '\u{300}'..='\u{33f}' | '\u{340}'..='\u{34e}' | '\u{350}'..='\u{36f}'
        | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_nothing_that_steers_a_terminal_survives() {
        assert_eq!(clean("plain läuft 漢字"), "plain läuft 漢字");
        assert_eq!(clean("a\u{1b}[31mb\r\n\u{7}"), "a^[[31mb^M^J^G");
        assert_eq!(clean("x\u{202e}gpj.exe\u{200b}"), "x?gpj.exe?");
        assert_eq!(clean("\u{9b}31m"), "?31m");
        assert_eq!(clean("Z\u{301}\u{302}"), "Z??");
        assert_eq!(clean_within("ääää", 2), "ää...");
    }
}
