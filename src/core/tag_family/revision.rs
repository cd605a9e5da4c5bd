//! Finding an image by a git revision that a person gives, whole or by its beginning.

use std::collections::BTreeMap;

use super::Family;

/// What was found for a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// One revision fits; these carry it.
    One {
        revision: Box<str>,
        items: Vec<T>,
    },
    /// Several revisions begin so.
    Several(Vec<Box<str>>),
    Nothing,
}

/// The fewest characters that are taken for a revision; shorter ones would hit by chance.
const SHORTEST: usize = 4;

/// Finds what carries the revision, each item with the revisions that its tags and labels tell.
///
/// A tag tells a revision in part, a label mostly the whole: texts of which one begins the other are one revision.
pub fn find_revision<'a, T>(
    wanted: &str,
    items: impl IntoIterator<Item = (T, &'a str)>,
) -> Found<T> {
    let wanted = wanted.to_ascii_lowercase();
    let hex = wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex || wanted.len() < SHORTEST {
        return Found::Nothing;
    }
    let mut found: Vec<(Box<str>, Vec<T>)> = Vec::new();
    for (item, revision) in items {
        let revision = revision.to_ascii_lowercase();
        // A revision shorter than a git abbreviation proves nothing when the wanted one is longer.
        let fits =
            revision.starts_with(&wanted) || revision.len() >= 7 && wanted.starts_with(&revision);
        if !fits {
            continue;
        }
        let same = |(other, _): &&mut (Box<str>, Vec<T>)| {
            other.starts_with(&revision) || revision.starts_with(&**other)
        };
        match found.iter_mut().find(same) {
            Some((other, items)) => {
                if revision.len() > other.len() {
                    *other = revision.into();
                }
                items.push(item);
            }
            None => found.push((revision.into(), vec![item])),
        }
    }
    match (found.len(), found.pop()) {
        (1, Some((revision, items))) => Found::One { revision, items },
        (0, _) | (_, None) => Found::Nothing,
        (_, Some(last)) => {
            let mut list: Vec<Box<str>> = found.into_iter().map(|(revision, _)| revision).collect();
            list.push(last.0);
            list.sort();
            Found::Several(list)
        }
    }
}

/// Splits what tags of revisions begin with, `sha-` or `main-`, from the revision that a person typed after it.
pub fn split_revision<'a>(text: &'a str, told: &BTreeMap<&str, Family>) -> (&'a str, &'a str) {
    let words = told.values().filter_map(|family| match family {
        Family::Revision { prefix, .. } if !prefix.is_empty() => Some(&**prefix),
        _ => None,
    });
    let longest = words
        .filter(|word| text.starts_with(*word))
        .map(str::len)
        .max();
    text.split_at(longest.unwrap_or(0))
}

/// Returns the tags that tell a time of the day that the text names; none where it names no day.
pub fn tags_of_day<'a>(text: &str, told: &BTreeMap<&'a str, Family>) -> Vec<&'a str> {
    let alone = super::families([text]);
    let Some(Family::Date { prefix, stamp, .. }) = alone.get(text) else {
        return Vec::new();
    };
    let of_it = |tag: &&str, family: &Family| match family {
        Family::Date {
            prefix: own,
            stamp: time,
            ..
        } => *tag != text && own == prefix && time.starts_with(&**stamp),
        _ => false,
    };
    let all = told.iter().filter(|(tag, family)| of_it(tag, family));
    all.map(|(tag, _)| *tag).collect()
}
