//! How many builds lie between what runs and what the tag names.

use std::collections::BTreeMap;

use super::Candidate;
use crate::core::tag_family::{Family, Line, families};

/// Counts the distinct images that are newer than the running one, up to the one that the tag names.
///
/// Absent where it cannot be counted: no line of tags names every build, or of one in between it is not known what
/// it is or how old.
pub fn behind_by(list: &[Candidate], followed: &str) -> Option<u64> {
    let running = list.iter().find(|candidate| candidate.running)?;
    let names = |candidate: &&Candidate| candidate.tags.iter().any(|tag| **tag == *followed);
    let target = list.iter().find(names)?;
    if std::ptr::eq(running, target) {
        return Some(0);
    }
    let told = families(
        list.iter()
            .flat_map(|candidate| &candidate.tags)
            .map(|tag| &**tag),
    );
    // A line counts builds only if each of its tags is given once, and if it knows the newest one.
    let lines: Vec<Line> = target
        .tags
        .iter()
        .filter_map(|tag| told.get(&**tag))
        .filter(|family| family.is_immutable_looking())
        .filter_map(Family::line)
        .collect();
    let by_name = lines
        .iter()
        .find_map(|line| by_rank(list, (running, target), line, &told));
    by_name.or_else(|| by_age(list, (running, target), lines.first()?, &told))
}

/// Counts by what the names of the line's tags tell: those in between need not be read.
fn by_rank(
    list: &[Candidate],
    (running, target): (&Candidate, &Candidate),
    line: &Line,
    told: &BTreeMap<&str, Family>,
) -> Option<u64> {
    let rank = |candidate: &Candidate| {
        let families = candidate.tags.iter().filter_map(|tag| told.get(&**tag));
        families
            .filter(|family| family.is_immutable_looking() && family.line().as_ref() == Some(line))
            .filter_map(Family::rank)
            .max()
    };
    let (from, to) = (rank(running)?, rank(target)?);
    if from >= to {
        return None;
    }
    let mut count = 0;
    for candidate in list {
        if rank(candidate).is_some_and(|rank| rank > from && rank <= to) {
            // Two tags of which nobody knows what they name may name one image.
            candidate.digest.as_ref()?;
            count += 1;
        }
    }
    Some(count)
}

fn by_age(
    list: &[Candidate],
    (running, target): (&Candidate, &Candidate),
    line: &Line,
    told: &BTreeMap<&str, Family>,
) -> Option<u64> {
    let (from, to) = (running.created?, target.created?);
    if from >= to {
        return None;
    }
    let in_line = |candidate: &&Candidate| is_in(candidate, line, told);
    let mut count = 0;
    for candidate in list.iter().filter(in_line) {
        let created = candidate.created?;
        if !candidate.running && created > from && created <= to {
            count += 1;
        }
    }
    Some(count)
}

fn is_in(candidate: &Candidate, line: &Line, told: &BTreeMap<&str, Family>) -> bool {
    let of = |tag: &str| told.get(tag).and_then(Family::line);
    candidate
        .tags
        .iter()
        .any(|tag| of(tag).as_ref() == Some(line))
}
