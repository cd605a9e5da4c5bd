//! Times and sizes as a scenario file spells them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de};

/// A length of time: `12ms`, `40s`, `3m`, `19h`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

/// A moment told from the start of the scenario: `2d ago`, `start`, or `epoch` for a build without a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the start if negative.
    FromStart(SignedDuration),
    Epoch,
}

/// A number of bytes: `18.4MB`, `640kB`, `512B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size(pub u64);

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let milliseconds: u64 = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(
            number.checked_mul(milliseconds)?,
        )))
    }
}

impl Moment {
    /// Returns the moment that lies this long after the start.
    pub fn after(start: Duration) -> Self {
        Self::FromStart(SignedDuration::try_from(start).unwrap_or(SignedDuration::MAX))
    }

    /// Returns the moment on the clock, for a scenario that began then.
    pub fn on_the_clock(self, started_at: Timestamp) -> Timestamp {
        match self {
            Self::Epoch => Timestamp::UNIX_EPOCH,
            Self::FromStart(offset) => started_at
                .checked_add(offset)
                .unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "epoch" => Some(Self::Epoch),
            "start" => Some(Self::FromStart(SignedDuration::ZERO)),
            _ => {
                let Span(ago) = Span::parse(text.strip_suffix(" ago")?)?;
                Some(Self::FromStart(-SignedDuration::try_from(ago).ok()?))
            }
        }
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self::FromStart(SignedDuration::ZERO)
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = text[..digits].parse().ok()?;
        let unit = match &text[digits..] {
            "B" => 1.0,
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            _ => return None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the text has no sign, and a file never says more than some terabytes"
        )]
        Some(Self((number * unit).round() as u64))
    }
}

macro_rules! from_text {
    ($($name:ident: $expected:literal;)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    de::Error::custom(format!("{text:?} is not {}", $expected))
                })
            }
        }
    )*};
}

from_text! {
    Span: "a length of time such as 12ms, 40s, 3m, 19h or 2d";
    Moment: "a moment such as \"2d ago\", start or epoch";
    Size: "a size such as 18.4MB, 640kB or 512B";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_and_nonsense_is_not() {
        assert_eq!(Span::parse("12ms"), Some(Span(Duration::from_millis(12))));
        assert_eq!(Span::parse("2d"), Some(Span(Duration::from_secs(172_800))));
        assert_eq!(
            Moment::parse("3h ago"),
            Some(Moment::FromStart(SignedDuration::from_hours(-3)))
        );
        assert_eq!(Size::parse("18.4MB"), Some(Size(18_400_000)));
        for bad in ["", "12", "ms", "-3s", "3 s", "3w"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
        assert_eq!(Moment::parse("3h"), None);
        assert_eq!(Size::parse("18.4.1MB"), None);
    }
}
