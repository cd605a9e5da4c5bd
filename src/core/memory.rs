//! What one start leaves to the next: the last good facts, each with its own age.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::{ImageId, TopDigest};
use super::engine::Observation;
use super::files::{Recipe, Rendered};
use super::history::Seen;
use super::image::Repository;
use super::names::{HostName, ProjectName, ServiceKey};
use super::remote::{QuestionKey, Remote, Route};

/// The last good facts of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    pub hosts: Vec<RememberedHost>,
    pub remotes: Vec<(QuestionKey, Remote)>,
    pub files: Vec<(HostName, ProjectName, Recipe, Rendered)>,
    /// What each service was last seen to run.
    #[serde(default)]
    pub seen: Vec<(ServiceKey, Seen)>,
    /// How many builds lie between two images of a repository, where that was counted.
    #[serde(default)]
    pub counted: Vec<Counted>,
}

/// How many builds lie between what ran and what a tag named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub route: Route,
    pub repository: Repository,
    pub running: ImageId,
    pub named: TopDigest,
    pub builds: u64,
}

/// How many counts are kept.
const COUNTS: usize = 500;

/// What a host looked like when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedHost {
    pub name: HostName,
    /// The address it was seen at; a host of the same name elsewhere inherits nothing.
    pub address: String,
    pub observation: Observation,
}

impl Memory {
    /// Takes over what an older memory knows of hosts and references that this one does not have.
    ///
    /// A session may look at a part of the fleet, or at another fleet; it must not forget the rest. What was seen before
    /// `since` is let go.
    pub fn absorb(&mut self, older: Self, since: Timestamp) {
        let known: BTreeSet<HostName> = self.hosts.iter().map(|host| host.name.clone()).collect();
        let kept: Vec<RememberedHost> = older
            .hosts
            .into_iter()
            .filter(|host| !known.contains(&host.name) && host.observation.at >= since)
            .collect();
        let names: BTreeSet<HostName> = kept.iter().map(|host| host.name.clone()).collect();
        self.hosts.extend(kept);
        self.files.extend(
            older
                .files
                .into_iter()
                .filter(|(host, ..)| names.contains(host)),
        );
        let seen: BTreeSet<ServiceKey> = self.seen.iter().map(|(key, _)| key.clone()).collect();
        let unseen = |(key, own): &(ServiceKey, Seen)| !seen.contains(key) && own.at >= since;
        self.seen.extend(older.seen.into_iter().filter(unseen));
        let fresh = |own: &Counted| !self.counted.contains(own);
        let older_counts: Vec<Counted> = older.counted.into_iter().filter(fresh).collect();
        let room = COUNTS.saturating_sub(self.counted.len());
        self.counted.extend(older_counts.into_iter().take(room));
        let asked: BTreeSet<QuestionKey> =
            self.remotes.iter().map(|(key, _)| key.clone()).collect();
        let young = |remote: &Remote| {
            let answer = remote.answer.as_ref();
            answer.is_some_and(|answer| answer.at >= since)
        };
        self.remotes.extend(
            older
                .remotes
                .into_iter()
                .filter(|(key, remote)| !asked.contains(key) && young(remote)),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::engine::ImageStore;
    use crate::core::samples::{day, observation};

    fn host(name: &str, address: &str, seen: i64) -> RememberedHost {
        let mut observation = observation(ImageStore::Graph, Vec::new(), Vec::new());
        observation.at = day(seen);
        RememberedHost {
            name: name.into(),
            address: address.to_owned(),
            observation,
        }
    }

    #[test]
    fn a_look_at_a_part_of_the_fleet_forgets_nothing_of_the_rest() {
        let mut memory = Memory {
            hosts: vec![host("vps", "ssh://vps", 9)],
            ..Memory::default()
        };
        let older = Memory {
            hosts: vec![
                host("vps", "ssh://elsewhere", 8),
                host("nas", "ssh://nas", 7),
                host("gone", "ssh://gone", 1),
            ],
            ..Memory::default()
        };
        memory.absorb(older, day(5));
        let found: Vec<_> = memory
            .hosts
            .iter()
            .map(|host| (host.name.as_str(), host.address.as_str()))
            .collect();
        assert_eq!(found, [("vps", "ssh://vps"), ("nas", "ssh://nas")]);
    }
}
