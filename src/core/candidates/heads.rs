//! Which tags and digests are worth a request next: what lies nearest the running image comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::Candidate;
use crate::core::digest::TopDigest;
use crate::core::image::Repository;
use crate::core::tag_family::{Family, Rank, families};

/// Where looking starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anchor<'a> {
    /// The tag that the service follows.
    pub followed: Option<&'a str>,
    /// Tags that name the running image.
    pub running: &'a [Box<str>],
}

/// Returns the tags that should be asked about next, nearest the running image first.
///
/// Tags that are known or on their way are left out; helpers are never asked about.
pub fn next_heads(
    tags: &[Box<str>],
    known: &BTreeSet<Box<str>>,
    anchor: Anchor<'_>,
    limit: usize,
) -> Vec<Box<str>> {
    let families = families(tags.iter().map(|tag| &**tag));
    let places: BTreeMap<&str, usize> = tags
        .iter()
        .enumerate()
        .map(|(place, tag)| (&**tag, place))
        .collect();
    let running: Vec<Near<'_>> = anchor
        .running
        .iter()
        .filter_map(|tag| Near::of(tag, &families, &places))
        .collect();
    let mut wanted: Vec<(Distance, &str)> = tags
        .iter()
        .map(|tag| &**tag)
        .filter(|tag| !known.contains(*tag))
        .filter_map(|tag| {
            let near = Near::of(tag, &families, &places)?;
            if !near.family.is_offerable() {
                return None;
            }
            Some((distance(tag, &near, &running, anchor, tags.len()), tag))
        })
        .collect();
    wanted.sort();
    let nearest = wanted.into_iter().take(limit);
    nearest.map(|(_, tag)| tag.into()).collect()
}

/// Returns digests of former runs and local images of which it is not known whether the registry holds them.
pub fn unexamined(own: &Repository, list: &[Candidate]) -> Vec<(Repository, TopDigest)> {
    list.iter()
        .filter(|candidate| candidate.in_registry.is_none())
        .filter_map(|candidate| {
            let reference = candidate.reference.as_ref();
            let repository = reference.map_or(own, |reference| &reference.repository);
            Some((repository.clone(), candidate.digest.clone()?))
        })
        .collect()
}

/// Smaller is asked earlier: first by what the tag is for, then by how far it lies from what runs.
type Distance = (u8, usize, usize);

struct Near<'a> {
    family: &'a Family,
    place: usize,
}

impl<'a> Near<'a> {
    fn of(
        tag: &str,
        families: &'a BTreeMap<&str, Family>,
        places: &BTreeMap<&str, usize>,
    ) -> Option<Self> {
        Some(Self {
            family: families.get(tag)?,
            place: *places.get(tag)?,
        })
    }
}

fn distance(
    tag: &str,
    near: &Near<'_>,
    running: &[Near<'_>],
    anchor: Anchor<'_>,
    count: usize,
) -> Distance {
    if anchor.followed == Some(tag) {
        return (0, 0, 0);
    }
    let by_place = |other: &Near<'_>| near.place.abs_diff(other.place);
    // Without any tag of the running image the end of the list is as good as its beginning.
    let place = running.iter().map(by_place).min().unwrap_or(near.place);
    let same_line = |other: &&Near<'_>| {
        near.family.line().is_some() && near.family.line() == other.family.line()
    };
    let ranks = running.iter().filter(same_line).map(|other| {
        match (near.family.rank(), other.family.rank()) {
            (Some(own), Some(other)) => apart(&own, &other),
            _ => by_place(other),
        }
    });
    if let Some(apart) = ranks.min() {
        return (2, apart, place);
    }
    match near.family {
        Family::Moving | Family::Branch => (1, place, 0),
        Family::PullRequest(_) => (5, place, 0),
        Family::Version(version) if version.floating => (3, place, 0),
        family if family.is_immutable_looking() => (3, place, 0),
        _ => (4, place.min(count), 0),
    }
}

/// Tells how far two ranks lie apart; the first difference weighs most.
fn apart(a: &Rank, b: &Rank) -> usize {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    match (a, b) {
        (Rank::Numbers(a), Rank::Numbers(b)) => {
            let weights = [1_000_000usize, 10_000, 100, 1];
            let pairs = a.iter().zip(b).zip(weights);
            let first = pairs.map(|((a, b), weight)| number(a.abs_diff(*b)).saturating_mul(weight));
            first.fold(a.len().abs_diff(b.len()), usize::saturating_add)
        }
        (Rank::Stamp(a), Rank::Stamp(b)) => {
            let day = |stamp: &str| stamp.get(..8).and_then(|day| day.parse::<u64>().ok());
            match (day(a), day(b)) {
                (Some(a), Some(b)) => number(a.abs_diff(b)),
                _ => usize::MAX,
            }
        }
        _ => usize::MAX,
    }
}
