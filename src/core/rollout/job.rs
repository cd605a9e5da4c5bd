//! What a job wrote, read back: marks of the script, and the progress that compose prints.
//!
//! Lines come from a host and are hostile; what is not understood is left out.

use jiff::Timestamp;
use serde_json::Value;

use crate::core::text;

use super::{Outcome, Step};

/// The longest detail that is kept of a line.
const DETAIL: usize = 400;

/// One mark of a job's script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Begin {
        action: String,
        at: Option<Timestamp>,
        target: String,
    },
    Step {
        step: Step,
        state: StepState,
        at: Option<Timestamp>,
        detail: String,
    },
    /// What runs at the end: image Id, then state and health.
    Proof {
        image_id: String,
        state: String,
        health: String,
    },
    Note(String),
    End {
        outcome: Outcome,
        at: Option<Timestamp>,
        why: String,
    },
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Started,
    Done,
    Failed,
}

impl StepState {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Reads one line of a job's `out`.
pub fn mark(line: &str) -> Option<Mark> {
    let rest = line.strip_prefix('@')?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let kept = |text: &str| text::clean_within(text.trim(), DETAIL);
    match word {
        "begin" => {
            let mut parts = rest.splitn(3, ' ');
            Some(Mark::Begin {
                action: kept(parts.next()?),
                at: parts.next()?.parse().ok(),
                target: kept(parts.next().unwrap_or_default()),
            })
        }
        "step" => {
            let mut parts = rest.splitn(4, ' ');
            Some(Mark::Step {
                step: Step::from_word(parts.next()?)?,
                state: match parts.next()? {
                    "started" => StepState::Started,
                    "done" => StepState::Done,
                    "failed" => StepState::Failed,
                    _ => return None,
                },
                at: parts.next()?.parse().ok(),
                detail: kept(parts.next().unwrap_or_default()),
            })
        }
        "proof" => {
            let mut parts = rest.split_whitespace();
            Some(Mark::Proof {
                image_id: kept(parts.next()?),
                state: kept(parts.next()?),
                health: kept(parts.next().unwrap_or("none")),
            })
        }
        "note" => Some(Mark::Note(kept(rest))),
        "end" => {
            let mut parts = rest.splitn(3, ' ');
            Some(Mark::End {
                outcome: Outcome::from_word(parts.next()?)?,
                at: parts.next()?.parse().ok(),
                why: kept(parts.next().unwrap_or_default()),
            })
        }
        _ => None,
    }
}

/// How far one layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub layer: String,
    pub current: u64,
    pub total: Option<u64>,
}

/// Reads one line that compose or docker printed while fetching: JSON of 2.29 and later, else the plain form.
pub fn progress(line: &str) -> Option<Progress> {
    let line = line.trim();
    if line.starts_with('{') {
        let value: Value = serde_json::from_str(line).ok()?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let id = value.get("id")?.as_str()?;
        if !is_layer(id) {
            return None;
        }
        return Some(Progress {
            layer: id.to_owned(),
            current: number("current")?,
            total: number("total").filter(|total| *total > 0),
        });
    }
    let mut words = line.split_whitespace();
    let layer = words.next()?.trim_end_matches(':');
    if !is_layer(layer) || words.next()? != "Downloading" {
        return None;
    }
    let amounts = line.rsplit(']').next()?.trim();
    let (current, total) = amounts.split_once('/')?;
    Some(Progress {
        layer: layer.to_owned(),
        current: amount(current)?,
        total: amount(total),
    })
}

fn is_layer(id: &str) -> bool {
    (6..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads an amount as docker prints it: `65.12kB`, `6.008MB`.
fn amount(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..end].parse().ok()?;
    let factor = match &text[end..] {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    let bytes = number * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a sane size"
    )]
    (bytes.is_finite() && (0.0..1e18).contains(&bytes)).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_s_marks_are_read_back() {
        assert!(matches!(
            mark("@step pull started 2026-11-21T04:00:00Z "),
            Some(Mark::Step {
                step: Step::Pull,
                state: StepState::Started,
                at: Some(_),
                ..
            })
        ));
        assert_eq!(
            mark("@end put-back 2026-11-21T04:00:00Z it exited (3); the former image runs again").map(|m| {
                matches!(m, Mark::End { outcome: Outcome::PutBack, ref why, .. } if why.starts_with("it exited"))
            }),
            Some(true)
        );
        for noise in [
            "",
            "@",
            "@step",
            "@step dance done x",
            "plain",
            "@end maybe x y",
        ] {
            assert_eq!(mark(noise), None, "{noise}");
        }
        let hostile = mark("@note a\u{1b}[31mb");
        assert_eq!(hostile, Some(Mark::Note("a^[[31mb".to_owned())));
    }

    #[test]
    fn progress_of_both_forms_is_read() {
        let json = r#"{"id":"0a1b2c3d4e5f","text":"Downloading","current":65120,"total":6008000}"#;
        let plain = " 0a1b2c3d4e5f Downloading [==>     ]  65.12kB/6.008MB";
        assert_eq!(progress(json), progress(plain));
        assert_eq!(
            progress(plain).map(|progress| progress.total),
            Some(Some(6_008_000))
        );
        assert_eq!(progress(r#"{"id":"blog Pulling","current":1}"#), None);
        assert_eq!(progress(" web Pulling "), None);
    }
}
