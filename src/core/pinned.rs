//! Pins as they stand on a host: who set them, what they hold, and whether they still do.
//!
//! Two witnesses are heard: our files in the project's folder, and the host's journal. Where they differ, somebody
//! else took a pin back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::Event;
use super::rollout::pin::{self, How};

/// One pinned service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub by: Option<String>,
    pub since: Option<Timestamp>,
    pub reason: Option<String>,
    /// The reference that it is held at.
    pub to: String,
    /// The reference that it followed when it was pinned, by which it is judged.
    pub follows: Option<String>,
    pub how: How,
    /// How it was undone behind our back, if it was.
    pub undone: Option<String>,
}

impl Pinned {
    /// Says it in words, without the reason why it is undone.
    pub fn words(&self) -> String {
        let mut words = format!("to {}", self.to);
        if let Some(by) = &self.by {
            words.push_str(&format!(" by {by}"));
        }
        if let Some(since) = self.since {
            words.push_str(&format!(" since {}", since.strftime("%Y-%m-%d %H:%M")));
        }
        if let Some(reason) = &self.reason {
            words.push_str(&format!(": \"{reason}\""));
        }
        words
    }

    /// Tells whether it holds, as far as is known.
    pub fn holds(&self) -> bool {
        self.undone.is_none()
    }
}

/// What was found of pins in a project's folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found<'a> {
    /// The text of our override file.
    pub own_override: &'a str,
    /// The text of our pin file.
    pub own_pin_file: &'a str,
    /// Whether `.env` has our block.
    pub has_block: bool,
}

/// Joins files and journal to the pins of a project, by service.
pub fn pins(found: Found<'_>, journal: &[Event]) -> BTreeMap<String, Pinned> {
    let mut pins = BTreeMap::new();
    let block_gone = || (!found.has_block).then(|| "its block in .env is gone".to_owned());
    for (text, how, undone) in [
        (found.own_pin_file, How::Env, block_gone()),
        (found.own_override, How::Override, None),
    ] {
        for entry in pin::entries(text) {
            let note = entry.note;
            let pinned = Pinned {
                by: note.as_ref().map(|note| note.by.clone()),
                since: note.as_ref().map(|note| note.since),
                reason: note.as_ref().and_then(|note| note.reason.clone()),
                follows: note.map(|note| note.follows),
                to: entry.image,
                how,
                undone: undone.clone(),
            };
            pins.insert(entry.service, pinned);
        }
    }
    for (service, event) in last_words(journal) {
        let how = match (event.action.as_str(), event.pin.as_deref()) {
            ("pin" | "rollback", Some("env")) => How::Env,
            ("pin" | "rollback", Some(_)) => How::Override,
            _ => continue,
        };
        let to = event.to.as_ref().map(|to| to.reference.clone());
        let pinned = pins.entry(service).or_insert_with(|| Pinned {
            by: None,
            since: None,
            reason: None,
            to: to.unwrap_or_default(),
            follows: None,
            how,
            undone: Some("its file is gone: it was removed, but not by unpin".to_owned()),
        });
        pinned.by.get_or_insert_with(|| event.by.clone());
        pinned.since.get_or_insert(event.at);
        pinned.reason = pinned.reason.take().or_else(|| event.reason.clone());
    }
    pins
}

/// Returns the last successful action on each service, which tells whether it ought to be pinned.
fn last_words(journal: &[Event]) -> BTreeMap<String, &Event> {
    let mut last: BTreeMap<String, &Event> = BTreeMap::new();
    for event in journal {
        let service = event.target.splitn(3, '/').nth(2);
        let (Some(service), Some("succeeded")) = (service, event.outcome.as_deref()) else {
            continue;
        };
        if event.action == "pull" || event.action == "recreate" {
            continue;
        }
        let newer = last.get(service).is_none_or(|other| other.at <= event.at);
        if newer {
            last.insert(service.to_owned(), event);
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rollout::pin::{Entry, Folder, Note, set};

    fn event(second: i64, action: &str, pin: Option<&str>) -> Event {
        Event {
            at: Timestamp::from_second(second).unwrap_or_default(),
            by: "ann@attic".to_owned(),
            action: action.to_owned(),
            target: "vps/blog/web".to_owned(),
            from: None,
            to: None,
            outcome: Some("succeeded".to_owned()),
            why: None,
            reason: Some("login broken".to_owned()),
            job: Some("j".to_owned()),
            pin: pin.map(str::to_owned),
            argv: Vec::new(),
            proof: None,
        }
    }

    fn text() -> String {
        let folder = Folder {
            config_files: vec!["compose.yaml".to_owned()],
            ..Folder::default()
        };
        let entry = Entry {
            service: "web".to_owned(),
            image: "me/web@sha256:1".to_owned(),
            builds: false,
            note: Some(Note {
                by: "op@laptop".to_owned(),
                since: Timestamp::UNIX_EPOCH,
                follows: "me/web:latest".to_owned(),
                reason: Some("a\nb: \"c\"".to_owned()),
            }),
        };
        let plan = set(&folder, entry);
        match plan.map(|plan| plan.changes) {
            Ok(changes) => match &changes[0] {
                pin::FileChange::Own { after, .. } => after.clone().unwrap_or_default(),
                other => format!("{other:?}"),
            },
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_was_written_down_at_pinning_comes_back() {
        let text = text();
        let found = Found {
            own_override: &text,
            ..Found::default()
        };
        let pins = pins(found, &[event(5, "rollback", Some("override"))]);
        let pin = &pins["web"];
        assert_eq!(pin.by.as_deref(), Some("op@laptop"), "{text}");
        assert_eq!(pin.follows.as_deref(), Some("me/web:latest"));
        assert_eq!(pin.reason.as_deref(), Some("a^Jb: \"c\""));
        assert!(pin.holds());
    }

    #[test]
    fn a_pin_that_only_the_journal_knows_was_undone() {
        let history = [
            event(5, "rollback", Some("override")),
            event(3, "unpin", Some("override")),
        ];
        let gone = pins(Found::default(), &history);
        assert!(!gone["web"].holds());
        assert_eq!(gone["web"].by.as_deref(), Some("ann@attic"));
        let lifted = [
            event(5, "rollback", Some("override")),
            event(7, "unpin", Some("override")),
        ];
        assert!(pins(Found::default(), &lifted).is_empty());
    }

    #[test]
    fn a_block_that_was_taken_out_of_env_undoes_the_pin() {
        let text = text();
        let mut found = Found {
            own_pin_file: &text,
            ..Found::default()
        };
        assert!(!pins(found, &[])["web"].holds());
        found.has_block = true;
        assert!(pins(found, &[])["web"].holds());
    }
}
