//! From what a person types (`--to`) to one candidate.

use std::collections::BTreeMap;
use std::fmt;

use super::Candidate;
use crate::core::digest::Digest;
use crate::core::tag_family::{
    Family, Found, families, find_revision, split_revision, tags_of_day,
};

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
    let told = told(text, list);
    match of_day(text, list, &told).as_slice() {
        [] => {}
        [index] => return chosen(*index, ChosenBy::Tag),
        several => return Err(NoChoice::Several(names(several, list))),
    }
    // What stands before a revision in tags, `sha-` or `main-`, may be typed along.
    let (word, begin) = split_revision(text, &told);
    let carries = |candidate: &&Candidate| match word {
        "" => true,
        word => candidate.tags.iter().any(|tag| tag.starts_with(word)),
    };
    let all = list
        .iter()
        .enumerate()
        .filter(|(_, candidate)| carries(candidate));
    let revisions = all.flat_map(|(index, candidate)| {
        let tags = candidate.tags.iter();
        let of_tags = tags.filter_map(|tag| told.get(&**tag)?.revision());
        let label = candidate.revision.as_deref();
        let mut own: Vec<&str> = label.into_iter().chain(of_tags).collect();
        // Where label and tag agree they are one revision; where not, either may be meant.
        own.dedup_by(|later, first| first.starts_with(*later));
        own.into_iter().map(move |revision| (index, revision))
    });
    match find_revision(begin, revisions) {
        Found::One {
            revision,
            mut items,
        } => {
            items.dedup();
            match items.as_slice() {
                [index] => chosen(*index, ChosenBy::Revision),
                several => Err(NoChoice::SeveralImages {
                    revision: revision.into(),
                    images: names(several, list),
                }),
            }
        }
        Found::Several(list) => Err(NoChoice::Several(
            list.into_iter().map(Into::into).collect(),
        )),
        Found::Nothing => Err(NoChoice::Nothing),
    }
}

/// Tells the families of all tags, and what the text would be among them.
fn told<'a>(text: &'a str, list: &'a [Candidate]) -> BTreeMap<&'a str, Family> {
    let tags = list.iter().flat_map(|candidate| &candidate.tags);
    families(tags.map(|tag| &**tag).chain([text]))
}

/// Finds the images whose tags tell a time of the day that the text names.
fn of_day(text: &str, list: &[Candidate], told: &BTreeMap<&str, Family>) -> Vec<usize> {
    let tags = tags_of_day(text, told);
    let of_it = |candidate: &Candidate| candidate.tags.iter().any(|tag| tags.contains(&&**tag));
    let all = list.iter().enumerate();
    all.filter(|(_, candidate)| of_it(candidate))
        .map(|(index, _)| index)
        .collect()
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
