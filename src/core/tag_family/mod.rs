//! What a tag's name says: a revision, a version, a date, a branch, or a helper that nobody runs.
//!
//! A name alone is often ambiguous (`20240628` and `1` are hex too), so families are told from the whole list.
//! This module knows names only; which image a tag names is another's.

mod parse;
mod revision;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use revision::{Found, find_revision, split_revision, tags_of_day};

/// What kind of name a tag has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A git revision, bare or between other words: `9c1e2d4`, `sha-9c1e2d4`, `main-9c1e2d4`, `1.0.0-99-g7b36814`.
    Revision {
        prefix: Box<str>,
        revision: Box<str>,
        suffix: Box<str>,
    },
    /// A version; floating if more precise tags of the same version follow it.
    Version(Version),
    /// A day, perhaps with the time, as digits: `20240628143022`.
    Date {
        prefix: Box<str>,
        stamp: Box<str>,
        suffix: Box<str>,
    },
    /// A number that counts something, such as builds.
    Number { prefix: Box<str>, number: u64 },
    /// A pull request.
    PullRequest(u64),
    /// A branch.
    Branch,
    /// A name that is meant to move: `latest`, `dev`, `stable`.
    Moving,
    /// Anything else.
    Named,
    /// A build cache.
    Cache,
    /// A helper of an image with a digest: a signature, an attestation, a bill of materials, a list of referrers.
    Helper(Helper),
    /// A way back that this console keeps on a host.
    Keep,
}

/// A version as its numbers, with what stands around them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub prefix: Box<str>,
    pub numbers: Vec<u64>,
    /// What follows the numbers, with its separator: `-alpine`, `-rc.1`.
    pub suffix: Box<str>,
    pub floating: bool,
}

/// What a helper tag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Helper {
    Signature,
    Attestation,
    Sbom,
    Referrers,
    Other,
}

/// Tags that stand in one order: the same words around what changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line(&'static str, Box<str>, Box<str>);

/// What orders tags of one line, where their names tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Numbers(Vec<u64>),
    Stamp(Box<str>),
}

impl Family {
    /// Returns the family's name for people and for the JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Revision { .. } => "revision",
            Self::Version(version) if version.floating => "floating version",
            Self::Version(_) => "version",
            Self::Date { .. } => "date",
            Self::Number { .. } => "number",
            Self::PullRequest(_) => "pull request",
            Self::Branch => "branch",
            Self::Moving => "moving",
            Self::Named => "name",
            Self::Cache => "cache",
            Self::Helper(Helper::Signature) => "signature",
            Self::Helper(Helper::Attestation) => "attestation",
            Self::Helper(Helper::Sbom) => "sbom",
            Self::Helper(Helper::Referrers) => "referrers",
            Self::Helper(Helper::Other) => "helper",
            Self::Keep => "kept",
        }
    }

    /// Tells whether the tag may name an image that somebody would run.
    pub fn is_offerable(&self) -> bool {
        !matches!(self, Self::Cache | Self::Helper(_))
    }

    /// Tells whether the name is of a kind that is given once and not moved afterwards.
    pub fn is_immutable_looking(&self) -> bool {
        match self {
            Self::Revision { .. } | Self::Number { .. } | Self::Keep => true,
            Self::Version(version) => !version.floating && version.numbers.len() >= 3,
            // A day's tag is moved by the second build of that day.
            Self::Date { stamp, .. } => stamp.len() > 8,
            _ => false,
        }
    }

    /// Returns the git revision that the name tells, as far as it tells it.
    pub fn revision(&self) -> Option<&str> {
        match self {
            Self::Revision { revision, .. } => Some(revision),
            _ => None,
        }
    }

    /// Returns the line of tags among which this one has an order.
    pub fn line(&self) -> Option<Line> {
        let line =
            |word, prefix: &str, suffix: &str| Some(Line(word, prefix.into(), suffix.into()));
        match self {
            Self::Revision { prefix, suffix, .. } => {
                // `1.0.0-99-` changes with every build: what is described by a version is one line.
                let digits = prefix.contains(|c: char| c.is_ascii_digit());
                line("revision", if digits { "0" } else { prefix }, suffix)
            }
            Self::Version(version) => line("version", &version.prefix, &version.suffix),
            Self::Date { prefix, suffix, .. } => line("date", prefix, suffix),
            Self::Number { prefix, .. } => line("number", prefix, ""),
            _ => None,
        }
    }

    /// Returns what orders the tag in its line, where its name tells.
    pub fn rank(&self) -> Option<Rank> {
        match self {
            Self::Version(version) if !version.floating => {
                Some(Rank::Numbers(version.numbers.clone()))
            }
            Self::Number { number, .. } => Some(Rank::Numbers(vec![*number])),
            Self::Date { stamp, .. } => Some(Rank::Stamp(stamp.clone())),
            _ => None,
        }
    }
}

/// Tells the family of each tag from the whole list.
pub fn families<'a>(tags: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, Family> {
    let mut told: BTreeMap<&str, Family> = BTreeMap::new();
    let mut weak: Vec<(&str, parse::Shape)> = Vec::new();
    let mut shapes: BTreeSet<parse::Shape> = BTreeSet::new();
    for tag in tags {
        let parsed = parse::parse(tag);
        if let Some(shape) = parsed.strong {
            shapes.insert(shape);
        }
        if let Some(shape) = parsed.weak {
            weak.push((tag, shape));
        }
        told.insert(tag, parsed.family);
    }
    // A name of digits alone, or of letters alone, is a revision only in the company of undoubted ones like it.
    for (tag, shape) in weak {
        if shapes.contains(&shape) {
            told.insert(tag, shape.revision(tag));
        }
    }
    mark_floating(&mut told);
    mark_branches(&mut told);
    told
}

/// Tells whether a tag, by its name alone, is one that moves: `latest`, a branch, a major version.
pub fn moves(tag: &str) -> bool {
    match families([tag]).get(tag) {
        Some(Family::Moving | Family::Branch) => true,
        Some(Family::Version(version)) => version.floating,
        _ => false,
    }
}

/// Marks versions that have more precise ones below them.
fn mark_floating(told: &mut BTreeMap<&str, Family>) {
    let mut stems: BTreeSet<(Box<str>, Box<str>, Vec<u64>)> = BTreeSet::new();
    for family in told.values() {
        if let Family::Version(version) = family {
            for length in 1..version.numbers.len() {
                let stem = version.numbers.iter().take(length).copied().collect();
                stems.insert((version.prefix.clone(), version.suffix.clone(), stem));
            }
        }
    }
    for family in told.values_mut() {
        if let Family::Version(version) = family {
            let own = (
                version.prefix.clone(),
                version.suffix.clone(),
                version.numbers.clone(),
            );
            // One number alone is a major version, which moves wherever it is used.
            version.floating = version.numbers.len() == 1 || stems.contains(&own);
        }
    }
}

/// Names as branches what other tags carry before a revision, a date or a number.
fn mark_branches(told: &mut BTreeMap<&str, Family>) {
    let prefixes: BTreeSet<Box<str>> = told
        .values()
        .filter_map(|family| match family {
            Family::Revision { prefix, .. }
            | Family::Date { prefix, .. }
            | Family::Number { prefix, .. } => Some(prefix),
            _ => None,
        })
        .map(|prefix| prefix.trim_end_matches(['-', '_', '.']).into())
        .collect();
    for (tag, family) in told {
        if *family == Family::Named && prefixes.contains(*tag) {
            *family = Family::Branch;
        }
    }
}
