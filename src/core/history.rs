//! What was done to services and what was seen to happen to them: the lines of journals, joined to one history.
//!
//! A job leaves two lines in two journals, and several consoles see the same change: joined, each is told once.

mod join;
mod runs;
mod seen;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::{ImageId, TopDigest};
use super::image::ImageRef;
use super::names::HostName;
use super::rollout::plan::ImageState;
use super::rollout::{Action, Outcome};
use super::text::clean_within;

pub use join::join;
pub use runs::{former_runs, previous};
pub use seen::{Seen, pin_undone};

/// The word of what was seen and not done by us.
pub const CHANGED: &str = "changed";
/// Who did what was seen.
pub const NOT_BY_US: &str = "not by us";

/// The longest text that is kept of a journal's field.
const LONGEST: usize = 300;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub at: Timestamp,
    pub by: String,
    pub action: String,
    pub target: String,
    pub from: Option<ImageState>,
    pub to: Option<ImageState>,
    /// Absent while it is only intended, and for what was only seen.
    pub outcome: Option<String>,
    pub why: Option<String>,
    pub reason: Option<String>,
    pub job: Option<String>,
    /// How it was pinned, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// The commands of the job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<Vec<String>>,
    /// What ran at its end: image Id, state, health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// One thing that happened, told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The last line about it; its time is that of the end, or of the beginning while there is no end.
    pub event: Event,
    pub began: Timestamp,
    /// How often the same was seen one after another; the first time is `began`.
    pub times: usize,
}

impl Event {
    /// Tells whether it was only seen.
    pub fn is_seen(&self) -> bool {
        self.action == CHANGED
    }

    /// Tells the image that came from a registry by it, and onto which host.
    pub fn pulled(&self) -> Option<(HostName, ImageId)> {
        let fetches = [Action::Pull, Action::Update];
        let pulled = fetches.iter().any(|action| action.word() == self.action)
            && self.outcome.as_deref() == Some(Outcome::Succeeded.word());
        let (host, _) = self.target.split_once('/').filter(|_| pulled)?;
        Some((host.into(), image_id(&self.to)?.clone()))
    }

    /// Tells whether it was seen to leave the service with the image that it had.
    pub fn is_recreation(&self) -> bool {
        self.is_seen() && image_id(&self.from) == image_id(&self.to)
    }

    /// Reads a line of a host's journal; the host is called as it is called here.
    pub fn of_host(host: &HostName, line: &str) -> Option<Self> {
        let line: HostLine = serde_json::from_str(line).ok()?;
        let (_, place) = line.target.split_once('/')?;
        let kept = |text: &str| clean_within(text, LONGEST);
        let some = |text: String| Some(kept(&text)).filter(|text| !text.is_empty());
        Some(Self {
            at: line.at,
            by: kept(&line.by),
            action: kept(&line.action),
            target: kept(&format!("{host}/{place}")),
            from: state(&line.from, &line.from_id),
            to: state(&line.to, &line.to_id),
            outcome: line.outcome.map(|text| kept(&text)),
            why: some(line.why),
            reason: some(line.reason),
            job: some(line.job),
            pin: some(line.pin),
            argv: Vec::new(),
            proof: None,
        })
    }
}

/// A line as a job's script writes it.
#[derive(Deserialize)]
struct HostLine {
    at: Timestamp,
    #[serde(default)]
    by: String,
    action: String,
    target: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    from_id: String,
    #[serde(default)]
    to_id: String,
    outcome: Option<String>,
    #[serde(default)]
    why: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    job: String,
    #[serde(default)]
    pin: String,
}

fn state(name: &str, id: &str) -> Option<ImageState> {
    if name.is_empty() && id.is_empty() {
        return None;
    }
    let digest = name.split_once('@').map(|(_, digest)| digest);
    Some(ImageState {
        reference: clean_within(name, LONGEST),
        digest: digest.and_then(|digest| digest.parse::<TopDigest>().ok()),
        manifest: None,
        image_id: id.parse().ok(),
        created: None,
        revision: None,
    })
}

fn image_id(state: &Option<ImageState>) -> Option<&ImageId> {
    state.as_ref().and_then(|state| state.image_id.as_ref())
}

fn reference(state: &ImageState) -> Option<ImageRef> {
    state.reference.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_host_s_line_is_read_under_the_host_s_name_here() {
        let id = format!("sha256:{}", "a".repeat(64));
        let line = format!(
            "{{\"at\":\"2026-01-01T00:00:00Z\",\"by\":\"ann@attic\\u001b[31m\",\"action\":\"rollback\",\"target\":\"other/blog/web\",\"from\":\"x@{id}\",\"to\":\"x:1\",\"from_id\":\"{id}\",\"to_id\":\"\",\"outcome\":\"succeeded\",\"why\":\"\",\"reason\":\"login\",\"job\":\"j\",\"pin\":\"override\"}}"
        );
        let event = Event::of_host(&"vps".into(), &line).unwrap();
        assert_eq!(event.target, "vps/blog/web");
        assert!(event.by.starts_with("ann@attic^["), "{}", event.by);
        let from = event.from.unwrap();
        assert!(from.digest.is_some() && from.image_id.is_some());
        assert_eq!(event.pin.as_deref(), Some("override"));
        assert_eq!(Event::of_host(&"vps".into(), "{\"at\":3}"), None);
    }
}
