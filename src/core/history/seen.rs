//! What a service was last seen to run, and what became of it since.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CHANGED, Event, NOT_BY_US};
use crate::core::digest::ImageId;
use crate::core::names::{ContainerId, ServiceKey};
use crate::core::pinned::Pinned;
use crate::core::rollout::plan::ImageState;

/// What a service was seen to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub at: Timestamp,
    pub image: ImageState,
    pub images: BTreeSet<ImageId>,
    pub containers: BTreeSet<ContainerId>,
    /// Whether a pin of it was seen to hold, where one was seen.
    #[serde(default)]
    pub pin_holds: Option<bool>,
}

/// How long after a pin was set it may still be under way; nothing is said of it meanwhile.
const PINNING: SignedDuration = SignedDuration::from_mins(10);

/// Tells once that a pin was undone behind our back: the line for the journal, where it is new.
pub fn pin_undone(
    before: Option<bool>,
    pin: &Pinned,
    key: &ServiceKey,
    runs: &ImageState,
    now: Timestamp,
) -> Option<Event> {
    let why = pin.undone.as_ref()?;
    let settled = |since: Timestamp| now.duration_since(since) > PINNING;
    if before == Some(false) || !pin.since.is_none_or(settled) {
        return None;
    }
    Some(Event {
        at: now,
        by: NOT_BY_US.to_owned(),
        action: CHANGED.to_owned(),
        target: key.to_string(),
        from: Some(ImageState::named_only(&pin.to)),
        to: Some(runs.clone()),
        outcome: None,
        why: Some(format!("pin undone: {why}")),
        reason: None,
        job: None,
        pin: None,
        argv: Vec::new(),
        proof: None,
    })
}

impl Seen {
    /// Tells what happened between two looks: another image, or new containers with the same one.
    ///
    /// `made` is when the newest container was made.
    pub fn became(&self, now: &Self, key: &ServiceKey, made: Option<Timestamp>) -> Option<Event> {
        if now.containers.is_empty() || self.containers.is_empty() {
            return None;
        }
        let changed = self.images != now.images;
        let recreated = self.containers.is_disjoint(&now.containers);
        if !changed && !recreated {
            return None;
        }
        Some(Event {
            at: made.filter(|made| *made > self.at).unwrap_or(now.at),
            by: NOT_BY_US.to_owned(),
            action: CHANGED.to_owned(),
            target: key.to_string(),
            from: Some(self.image.clone()),
            to: Some(now.image.clone()),
            outcome: None,
            why: None,
            reason: None,
            job: None,
            pin: None,
            argv: Vec::new(),
            proof: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::join::tests::image;
    use super::*;
    use crate::core::rollout::pin::How;
    use crate::core::samples::digest;

    fn seen(second: i64, containers: &[&str], byte: u8) -> Seen {
        Seen {
            at: Timestamp::from_second(second).unwrap_or_default(),
            image: image(byte),
            images: BTreeSet::from([ImageId(digest(byte))]),
            containers: containers.iter().map(|id| ContainerId::from(*id)).collect(),
            pin_holds: None,
        }
    }

    #[test]
    fn another_image_or_all_containers_anew_is_told_and_scaling_is_not() {
        let key = ServiceKey {
            host: "vps".into(),
            project: "blog".into(),
            service: "web".into(),
        };
        let before = seen(100, &["a"], 1);
        let told = |now: &Seen, made| before.became(now, &key, made);
        assert_eq!(told(&seen(200, &["a"], 1), None), None);
        assert_eq!(told(&seen(200, &["a", "b"], 1), None), None);
        let made = Timestamp::from_second(150).ok();
        let changed = told(&seen(200, &["b"], 2), made);
        assert_eq!(
            changed.map(|event| (event.at.as_second(), event.is_recreation())),
            Some((150, false))
        );
        let again = told(&seen(200, &["b"], 1), None);
        assert_eq!(
            again.map(|event| (event.at.as_second(), event.is_recreation())),
            Some((200, true))
        );
    }

    #[test]
    fn a_pin_that_was_undone_is_told_once_and_not_while_it_is_being_set() {
        let key = ServiceKey {
            host: "vps".into(),
            project: "blog".into(),
            service: "web".into(),
        };
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let pin = |undone: Option<&str>| Pinned {
            by: None,
            since: Some(at(1_000)),
            reason: None,
            to: "me/web@sha256:1".to_owned(),
            follows: None,
            how: How::Override,
            undone: undone.map(str::to_owned),
        };
        let told = |before, pin: &Pinned, now| {
            let event = pin_undone(before, pin, &key, &image(2), at(now));
            event.and_then(|event| event.why)
        };
        let gone = pin(Some("its file is gone"));
        assert_eq!(told(Some(true), &pin(None), 9_000), None);
        assert_eq!(told(Some(true), &gone, 1_200), None, "it is being set");
        let why = told(Some(true), &gone, 9_000).unwrap_or_default();
        assert!(why.starts_with("pin undone: its file"), "{why}");
        assert!(
            told(None, &gone, 9_000).is_some(),
            "seen for the first time"
        );
        assert_eq!(told(Some(false), &gone, 9_000), None, "told before");
    }
}
