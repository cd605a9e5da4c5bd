//! What one can go back to: tags, images on the host and former runs, joined by what they really are.
//!
//! One candidate is one image, however many tags, digests and runs it has. This module asks nobody: what is not
//! known yet stays absent, and [`next_heads`] says what is worth asking next.

mod behind;
mod choose;
mod growth;
mod heads;
mod join;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::digest::{ImageId, ManifestDigest, TopDigest};
use super::engine::Observation;
use super::former_run::FormerRun;
use super::image::{ImageRef, Pointer, Repository};
use super::layers::{Holdings, Manifests};
use super::platform::Platform;
use super::tag_family::{Family, families};

pub use behind::behind_by;
pub use choose::{Choice, ChosenBy, NoChoice, choose, previous};
pub use growth::{Growth, LARGE, Trend, difference, growth, trend};
pub use heads::{Anchor, next_heads, unexamined};

/// All that candidates are joined from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub now: Timestamp,
    pub repository: &'a Repository,
    /// The registry's tags in its own order.
    pub tags: &'a [Box<str>],
    /// What tags name, as far as it was asked.
    pub heads: &'a BTreeMap<Box<str>, TopDigest>,
    /// Digests that the registry was asked about: whether it holds them.
    pub examined: &'a BTreeMap<TopDigest, bool>,
    pub manifests: &'a Manifests,
    /// For which the service's images are chosen.
    pub platform: &'a Platform,
    pub observation: &'a Observation,
    pub holdings: &'a Holdings,
    /// The running image, if a container runs.
    pub running: Option<&'a ImageId>,
    pub runs: &'a [FormerRun],
    pub retention: Retention,
}

/// Where a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whereabouts {
    Host,
    Registry,
}

impl Whereabouts {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Registry => "registry",
        }
    }
}

/// One image that one could go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// How to name it, best first: an unmoving tag, another tag, the digest; absent for a nameless local image.
    pub reference: Option<ImageRef>,
    pub digest: Option<TopDigest>,
    pub manifest: Option<ManifestDigest>,
    /// The Id that the host gives it, if it lies there.
    pub image_id: Option<ImageId>,
    /// Its tags, the best one first.
    pub tags: Vec<Box<str>>,
    /// The family of the best tag.
    pub family: Option<Family>,
    pub created: Option<Timestamp>,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub source: Option<String>,
    pub first_ran: Option<Timestamp>,
    pub last_ran: Option<Timestamp>,
    /// Whether it ran here last and was given up for the image before it.
    pub put_back: bool,
    pub on_host: bool,
    /// Absent while nobody asked the registry.
    pub in_registry: Option<bool>,
    /// Whether this console's own tag keeps it on the host.
    pub kept: bool,
    pub fetch_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    pub running: bool,
    /// Whether only the registry holds it, where cleaning rules usually take such images.
    pub may_go: bool,
}

impl Candidate {
    /// Returns a reference that cannot mean another image: by digest, the tag beside it for display.
    pub fn exact_reference(&self) -> Option<ImageRef> {
        let reference = self.reference.as_ref()?;
        let Some(digest) = &self.digest else {
            return Some(reference.clone());
        };
        Some(ImageRef {
            repository: reference.repository.clone(),
            pointer: Pointer::Digest {
                digest: digest.clone(),
                tag: reference.tag().map(Into::into),
            },
        })
    }

    /// Returns where it is for certain.
    pub fn whereabouts(&self) -> Vec<Whereabouts> {
        let host = self.on_host.then_some(Whereabouts::Host);
        let registry = (self.in_registry == Some(true)).then_some(Whereabouts::Registry);
        host.into_iter().chain(registry).collect()
    }

    /// Returns the name that means this image and no other: its digest, else a tag, else the engine's Id.
    pub fn name(&self) -> Option<String> {
        let digest = self.digest.as_ref().map(ToString::to_string);
        let tag = || self.tags.first().map(ToString::to_string);
        let id = || self.image_id.as_ref().map(ToString::to_string);
        digest.or_else(tag).or_else(id)
    }

    /// Tells whether it can still be had, as far as that is known.
    pub fn obtainable(&self) -> Option<bool> {
        if self.on_host {
            Some(true)
        } else {
            self.in_registry
        }
    }
}

/// What cleaning rules of registries usually take; nobody tells the rule of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How many images of one line of tags are kept.
    pub images: usize,
    /// How old an image with a tag of a revision, a pull request or a build may become.
    pub age: SignedDuration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            images: 10,
            age: SignedDuration::from_hours(24 * 90),
        }
    }
}

/// Joins all sources to candidates, newest first; those of unknown age follow in their tags' order.
pub fn candidates(sources: &Sources<'_>) -> Vec<Candidate> {
    let families = families(sources.tags.iter().map(|tag| &**tag));
    let mut list = join::join(sources, &families);
    let places: BTreeMap<&str, usize> = sources
        .tags
        .iter()
        .enumerate()
        .map(|(place, tag)| (&**tag, place))
        .collect();
    list.sort_by(|a, b| {
        let place = |candidate: &Candidate| {
            let tag = candidate.tags.first();
            tag.and_then(|tag| places.get(&**tag).copied())
        };
        let rank = |candidate: &Candidate| {
            let family = candidate.family.as_ref()?;
            Some((family.line()?, family.rank()?))
        };
        let known = b.created.is_some().cmp(&a.created.is_some());
        known
            .then_with(|| b.created.cmp(&a.created))
            .then_with(|| rank(b).cmp(&rank(a)))
            .then_with(|| place(a).cmp(&place(b)))
    });
    mark_may_go(sources, &families, &mut list);
    list
}

/// Marks what only the registry holds and its cleaning will probably take.
fn mark_may_go(sources: &Sources<'_>, families: &BTreeMap<&str, Family>, list: &mut [Candidate]) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    let mut marked = BTreeSet::new();
    // The list is ordered newest first, so counting goes from what stays to what goes.
    for (index, candidate) in list.iter().enumerate() {
        let passing = matches!(
            candidate.family,
            Some(Family::Revision { .. } | Family::PullRequest(_) | Family::Number { .. })
        );
        let line = candidate.family.as_ref().and_then(Family::line);
        let before = seen.entry(line).or_default();
        let beyond = *before >= sources.retention.images;
        *before += 1;
        let aged = candidate
            .created
            .is_some_and(|created| sources.now.duration_since(created) > sources.retention.age);
        let only_there = !candidate.on_host && candidate.in_registry == Some(true);
        // A moving tag beside it keeps the image, whatever else names it.
        let held = candidate.tags.iter().any(|tag| {
            let family = families.get(&**tag);
            matches!(
                family,
                Some(Family::Moving | Family::Branch | Family::Version(_))
            )
        });
        let takes = candidate.tags.is_empty() || passing && (beyond || aged);
        if only_there && takes && !held && !candidate.running {
            marked.insert(index);
        }
    }
    for index in marked {
        list[index].may_go = true;
    }
}
