//! The reasons behind what is shown, as labelled lines: why a verdict, everything known, the short detail.
//!
//! Lines are values without width or colour; screens wrap them, the command line prints them.

mod brief;
mod describe;
pub mod happened;
mod history;
pub mod plan;
mod why;

use crate::core::age;
use crate::core::host::HostState;
use crate::core::text;
use crate::core::verdict::{Standing, Verdict};

use jiff::Timestamp;

use super::judge::ServiceView;
use super::model::{HostModel, Link};

pub use brief::brief;
pub use describe::describe;
pub use history::entry;
pub use why::why;

/// What a line's text is like, for the colour that repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Quiet,
    Good,
    Attention,
    Danger,
    Accent,
}

impl Tone {
    /// Returns the tone of a verdict.
    pub fn of(verdict: Verdict) -> Self {
        match verdict.standing() {
            Standing::Good => Self::Good,
            Standing::Aside => Self::Quiet,
            Standing::Waits | Standing::Untold => Self::Attention,
            Standing::Broken => Self::Danger,
        }
    }
}

/// A titled list of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    pub title: String,
    pub lines: Vec<Line>,
}

/// One line: a label, empty where the line before goes on, and its text, fit for a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub label: &'static str,
    pub text: String,
    pub tone: Tone,
}

impl Explanation {
    fn new(title: &str) -> Self {
        Self {
            title: text::clean_within(title, LONGEST_TEXT),
            lines: Vec::new(),
        }
    }

    fn add(&mut self, label: &'static str, text: impl AsRef<str>) {
        self.toned(label, text, Tone::Plain);
    }

    fn toned(&mut self, label: &'static str, text: impl AsRef<str>, tone: Tone) {
        let text = text::clean_within(text.as_ref(), LONGEST_TEXT);
        self.lines.push(Line { label, text, tone });
    }

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.text.is_empty()) {
            self.toned("", "", Tone::Plain);
        }
    }
}

/// The longest text of one line; what a stranger wrote has no end otherwise.
const LONGEST_TEXT: usize = 600;

/// Says how long ago something was: `just now`, `3 h ago`.
fn ago(now: Timestamp, then: Timestamp) -> String {
    match age::age(now, then).as_str() {
        "now" => "just now".to_owned(),
        word => format!("{word} ago"),
    }
}

/// Says in words how a host stands, shorter than its failure does.
pub fn host_word(host: &HostModel) -> &'static str {
    match &host.link {
        Link::Idle | Link::Dialling(None) => "connecting",
        Link::Up if !host.fresh => "reading",
        Link::Up | Link::Dialling(Some(_)) | Link::Failed(_) => host.state().word(),
    }
}

/// Returns the tone of a host's state.
pub fn host_tone(host: &HostModel) -> Tone {
    match &host.link {
        Link::Idle | Link::Dialling(None) => Tone::Quiet,
        Link::Up => Tone::Good,
        Link::Dialling(Some(_)) | Link::Failed(_) => match host.state() {
            HostState::Offline => Tone::Attention,
            HostState::Up | HostState::Denied | HostState::Down => Tone::Danger,
        },
    }
}

/// Says the verdict as a row does: `behind 2`, `unknown`.
pub fn verdict_words(service: &ServiceView) -> String {
    match (service.verdict, service.builds_behind) {
        (Verdict::Behind, Some(builds)) => format!("behind {builds}"),
        (verdict, _) => verdict.word().to_owned(),
    }
}

/// Joins parts that are there with a separator.
fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" · ")
}
