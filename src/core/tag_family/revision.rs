//! Finding an image by a git revision that a person gives, whole or by its beginning.

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
