//! From what a person types (`--to`) to one candidate.

use std::fmt;

use super::Candidate;
use crate::core::digest::Digest;
use crate::core::tag_family::{Found, find_revision};

/// What was chosen and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The place in the list of candidates.
    pub index: usize,
    pub by: ChosenBy,
}

/// What the text turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    Tag,
    Digest,
    Revision,
    Previous,
}

/// Why nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoChoice {
    Nothing,
    /// The beginning of several digests or revisions.
    Several(Vec<String>),
    /// One revision, several images that were built from it.
    SeveralImages {
        revision: String,
        images: Vec<String>,
    },
    NoPrevious,
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no tag, digest or revision of it"),
            Self::Several(list) => write!(f, "the beginning of several: {}", list.join(", ")),
            Self::SeveralImages { revision, images } => {
                write!(
                    f,
                    "{revision} was built several times: {}",
                    images.join(", ")
                )
            }
            Self::NoPrevious => f.write_str("no other image is known to have run before"),
        }
    }
}

/// Finds the candidate that a text names: `previous`, a tag, a digest or its beginning, a git revision.
pub fn choose(text: &str, list: &[Candidate]) -> Result<Choice, NoChoice> {
    let chosen = |index, by| Ok(Choice { index, by });
    // A tag is taken by its whole name before anything else: 20240628 is a date though it is hex too.
    let tagged = |candidate: &Candidate| candidate.tags.iter().any(|tag| **tag == *text);
    if let Some(index) = list.iter().position(tagged) {
        return chosen(index, ChosenBy::Tag);
    }
    if text == "previous" {
        return match previous(list) {
            Some(index) => chosen(index, ChosenBy::Previous),
            None => Err(NoChoice::NoPrevious),
        };
    }
    let (stated, hex) = match text.strip_prefix("sha256:") {
        Some(hex) => (true, hex),
        None => (false, text),
    };
    if stated || hex.len() >= 12 {
        let digests = by_digest(hex, list);
        match digests.as_slice() {
            [] => {}
            [index] => return chosen(*index, ChosenBy::Digest),
            several => return Err(NoChoice::Several(names(several, list))),
        }
    }
    if stated {
        return Err(NoChoice::Nothing);
    }
    let revisions = list.iter().enumerate().flat_map(|(index, candidate)| {
        let label = candidate.revision.as_deref();
        label.map(|revision| (index, revision))
    });
    match find_revision(text, revisions) {
        Found::One { revision, items } => match items.as_slice() {
            [index] => chosen(*index, ChosenBy::Revision),
            several => Err(NoChoice::SeveralImages {
                revision: revision.into(),
                images: names(several, list),
            }),
        },
        Found::Several(list) => Err(NoChoice::Several(
            list.into_iter().map(Into::into).collect(),
        )),
        Found::Nothing => Err(NoChoice::Nothing),
    }
}

/// Returns the image that ran last before the running one and was not given up.
pub fn previous(list: &[Candidate]) -> Option<usize> {
    let ran = list.iter().enumerate().filter(|(_, candidate)| {
        !candidate.running && !candidate.put_back && candidate.last_ran.is_some()
    });
    ran.max_by_key(|(_, candidate)| candidate.last_ran)
        .map(|(index, _)| index)
}

fn by_digest(hex: &str, list: &[Candidate]) -> Vec<usize> {
    let begins = |digest: &Digest| digest.hex().starts_with(hex);
    let fits = |candidate: &Candidate| {
        candidate
            .digest
            .as_ref()
            .is_some_and(|top| begins(top.digest()))
            || candidate
                .manifest
                .as_ref()
                .is_some_and(|own| begins(own.digest()))
    };
    if hex.is_empty() {
        return Vec::new();
    }
    let all = list.iter().enumerate();
    all.filter(|(_, candidate)| fits(candidate))
        .map(|(index, _)| index)
        .collect()
}

fn names(indexes: &[usize], list: &[Candidate]) -> Vec<String> {
    let name = |candidate: &Candidate| {
        let tag = candidate.tags.first().map(|tag| tag.to_string());
        let digest = || Some(candidate.digest.as_ref()?.short().to_owned());
        tag.or_else(digest)
    };
    let candidates = indexes.iter().filter_map(|index| list.get(*index));
    candidates.filter_map(name).collect()
}
