//! Glyph profiles: what a terminal's font can be trusted to have.

use crate::core::settings;
use crate::core::verdict::Verdict;

/// The glyphs that the views use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    pub kind: Kind,
    pub cursor: char,
    /// Before what is marked, and before what some of is.
    pub marked: char,
    pub partly_marked: char,
    pub open: char,
    pub closed: char,
    pub more: &'static str,
    pub bullet: char,
    pub horizontal: char,
    pub vertical: char,
    pub corners: [char; 4],
    pub alarm: char,
    pub field: char,
    /// A bar of what has to be fetched, and of what is there.
    pub bar: char,
    pub faint_bar: char,
}

/// The profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any font of a graphical terminal; no emoji, no braille.
    Unicode,
    /// What the kernel's font and Debian's console font both have.
    Console,
    /// ASCII alone.
    Ascii,
}

impl Glyphs {
    pub const UNICODE: Self = Self {
        kind: Kind::Unicode,
        cursor: '>',
        marked: '●',
        partly_marked: '○',
        open: '▾',
        closed: '▸',
        more: "…",
        bullet: '·',
        horizontal: '─',
        vertical: '│',
        corners: ['┌', '┐', '└', '┘'],
        alarm: '!',
        field: '▏',
        bar: '█',
        faint_bar: '░',
    };
    pub const CONSOLE: Self = Self {
        kind: Kind::Console,
        marked: '█',
        partly_marked: '▒',
        open: '▼',
        closed: '▶',
        more: "...",
        field: '█',
        faint_bar: '·',
        ..Self::UNICODE
    };
    pub const ASCII: Self = Self {
        kind: Kind::Ascii,
        marked: '*',
        partly_marked: '+',
        open: 'v',
        closed: '>',
        more: "...",
        bullet: '-',
        horizontal: '-',
        vertical: '|',
        corners: ['+'; 4],
        field: '_',
        bar: '#',
        faint_bar: '.',
        ..Self::UNICODE
    };

    /// Chooses the profile: what was asked for, else what the terminal and its locale can show.
    pub fn choose(asked: settings::Glyphs, term: Option<&str>, locale: Option<&str>) -> Self {
        match asked {
            settings::Glyphs::Unicode => Self::UNICODE,
            settings::Glyphs::Console => Self::CONSOLE,
            settings::Glyphs::Ascii => Self::ASCII,
            settings::Glyphs::Auto => {
                let unicode = locale.is_none_or(|locale| {
                    let locale = locale.to_ascii_lowercase();
                    locale.is_empty() || locale.contains("utf-8") || locale.contains("utf8")
                });
                match term {
                    Some("linux") => Self::CONSOLE,
                    Some("dumb") => Self::ASCII,
                    _ if !unicode => Self::ASCII,
                    _ => Self::UNICODE,
                }
            }
        }
    }

    /// Returns the mark that stands before a verdict's word.
    pub fn verdict(self, verdict: Verdict) -> char {
        let [unicode, console, ascii] = verdict.entry().marks;
        match self.kind {
            Kind::Unicode => unicode,
            Kind::Console => console,
            Kind::Ascii => ascii,
        }
    }

    /// Returns the character as this profile can show it.
    pub fn shown(self, c: char) -> char {
        if c.is_ascii() {
            return c;
        }
        match self.kind {
            // Skin tones join with what stands before them, so their width is anyone's guess.
            Kind::Unicode if matches!(c, '\u{1f3fb}'..='\u{1f3ff}') => '?',
            Kind::Unicode => c,
            Kind::Console if CONSOLE_SAFE.contains(c) => c,
            Kind::Console | Kind::Ascii => plain(c),
        }
    }
}

/// What both console fonts have beyond ASCII.
const CONSOLE_SAFE: &str = "─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╦╩╬↑↓→←▶◀▲▼•·█▒░≤≥≈±÷°µ∞«»§¶¬½²éüßñ";

/// Returns an ASCII character for one that cannot be shown.
fn plain(c: char) -> char {
    match c {
        '–' | '—' | '‐' | '─' | '·' | '•' => '-',
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        '│' => '|',
        '→' | '▶' | '▸' => '>',
        '←' | '◀' => '<',
        '↑' | '▲' => '^',
        '↓' | '▼' | '▾' => 'v',
        '█' => '#',
        '×' => 'x',
        '\u{a0}' => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_glyph_is_one_cell_and_none_is_replaced_in_its_own_profile() {
        use unicode_width::UnicodeWidthChar;
        for glyphs in [Glyphs::UNICODE, Glyphs::CONSOLE, Glyphs::ASCII] {
            let Glyphs {
                kind,
                cursor,
                marked,
                partly_marked,
                open,
                closed,
                more,
                bullet,
                horizontal,
                vertical,
                corners,
                alarm,
                field,
                bar,
                faint_bar,
            } = glyphs;
            let own = [
                cursor,
                marked,
                partly_marked,
                open,
                closed,
                bullet,
                horizontal,
                vertical,
                alarm,
                field,
                bar,
                faint_bar,
            ];
            let verdicts = Verdict::ALL.map(|verdict| glyphs.verdict(verdict));
            for c in own
                .into_iter()
                .chain(corners)
                .chain(more.chars())
                .chain(verdicts)
            {
                assert_eq!(glyphs.shown(c), c, "{kind:?} {c}");
                assert_eq!(c.width(), Some(1), "{kind:?} {c}");
            }
        }
    }

    #[test]
    fn verdicts_are_told_apart_by_their_marks() {
        for glyphs in [Glyphs::UNICODE, Glyphs::CONSOLE, Glyphs::ASCII] {
            let mut marks = Verdict::ALL.map(|verdict| glyphs.verdict(verdict)).to_vec();
            marks.sort_unstable();
            marks.dedup();
            assert_eq!(marks.len(), Verdict::ALL.len());
        }
    }

    #[test]
    fn e3_the_linux_console_chooses_its_profile() {
        use settings::Glyphs::{Ascii, Auto};
        let choose = |asked, term, locale| Glyphs::choose(asked, term, locale).kind;
        assert_eq!(
            choose(Auto, Some("linux"), Some("de_DE.UTF-8")),
            Kind::Console
        );
        assert_eq!(choose(Ascii, Some("linux"), None), Kind::Ascii);
        assert_eq!(choose(Auto, Some("xterm"), Some("C")), Kind::Ascii);
        assert_eq!(
            choose(Auto, Some("xterm-256color"), Some("C.UTF-8")),
            Kind::Unicode
        );
    }
}
