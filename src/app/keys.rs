//! Keys as values: what was pressed, and how keys are spelled in the configuration and on the screen.

use std::fmt;
use std::str::FromStr;

/// What was pressed, apart from modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Function(u8),
}

/// A key with its modifiers; shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
}

impl Key {
    /// Describes a key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// Describes a character.
    pub const fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// Describes a character pressed with the control key.
    pub const fn ctrl(c: char) -> Self {
        Self {
            code: Code::Char(c),
            ctrl: true,
            alt: false,
        }
    }

    /// Returns the character if the key types one into a text field.
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt && !c.is_control() => Some(c),
            _ => None,
        }
    }
}

const NAMES: [(&str, Code); 16] = [
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("backtab", Code::BackTab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("pgup", Code::PageUp),
    ("pgdn", Code::PageDown),
    ("home", Code::Home),
    ("end", Code::End),
    ("space", Code::Char(' ')),
    ("minus", Code::Char('-')),
];

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no key: expected one character, ctrl-x, alt-x, f1 to f12, or one of enter, esc, tab, space, up, down, left, right, pgup, pgdn, home, end, backspace, delete"
            )
        };
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|after| !after.is_empty()) {
                (ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|after| !after.is_empty())
            {
                (alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => Code::Char(c),
            (Some('f'), Some(_)) if rest[1..].parse().is_ok_and(|n: u8| (1..=12).contains(&n)) => {
                Code::Function(rest[1..].parse().map_err(|_| wrong())?)
            }
            _ => {
                let lower = rest.to_ascii_lowercase();
                let named = NAMES.iter().find(|(name, _)| *name == lower);
                named.map(|(_, code)| *code).ok_or_else(wrong)?
            }
        };
        Ok(Self { code, ctrl, alt })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        let named = NAMES.iter().find(|(_, code)| *code == self.code);
        match (named, self.code) {
            (Some(("esc", _)), _) => f.write_str("Esc"),
            (Some(("enter", _)), _) => f.write_str("Enter"),
            (Some(("tab", _)), _) => f.write_str("Tab"),
            (Some(("space", _)), _) => f.write_str("Space"),
            (Some((name, _)), _) if *name != "minus" => f.write_str(name),
            (_, Code::Char(c)) => write!(f, "{c}"),
            (_, Code::Function(n)) => write!(f, "f{n}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_shown() {
        for text in [
            "q", "ctrl-c", "P", "pgup", "Esc", "Space", "-", "alt-x", "f5", "/", "?",
        ] {
            assert_eq!(
                text.parse::<Key>().map(|key| key.to_string()),
                Ok(text.to_owned())
            );
        }
        for bad in ["", "ctrl-", "qq", "f13", "hyper-x", "\u{1b}"] {
            assert!(bad.parse::<Key>().is_err(), "{bad:?}");
        }
    }
}
