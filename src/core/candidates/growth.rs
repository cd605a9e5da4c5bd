//! How the size of an image grew from build to build.

use super::Candidate;

/// From here on an image is called large: a pull of it is felt on any line.
pub const LARGE: u64 = 2_000_000_000;

/// The size of an image against that of the build before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The place of the build before.
    pub since: usize,
    /// Negative where it shrank.
    pub bytes: i64,
}

/// How sizes went over all builds of which they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trend {
    pub builds: usize,
    pub oldest: u64,
    pub newest: u64,
}

/// Compares an image's size with the build before it in the same line of tags; the list is ordered newest first.
pub fn growth(list: &[Candidate], place: usize) -> Option<Growth> {
    let own = list.get(place)?;
    let (size, created) = (own.total_bytes?, own.created?);
    let line = own.family.as_ref().and_then(|family| family.line());
    let (since, before) = list
        .iter()
        .enumerate()
        .skip(place + 1)
        .filter(|(_, other)| other.created.is_some_and(|at| at < created))
        .filter(|(_, other)| {
            let other = other.family.as_ref().and_then(|family| family.line());
            line.is_none() || other.is_none() || line == other
        })
        .find_map(|(at, other)| Some((at, other.total_bytes?)))?;
    Some(Growth {
        since,
        bytes: difference(before, size),
    })
}

/// Returns how sizes went over all builds with a known age; absent for fewer than two.
pub fn trend(list: &[Candidate]) -> Option<Trend> {
    let mut sizes = list
        .iter()
        .filter(|own| own.created.is_some())
        .filter_map(|own| own.total_bytes);
    let newest = sizes.next()?;
    let rest: Vec<u64> = sizes.collect();
    Some(Trend {
        builds: rest.len() + 1,
        oldest: *rest.last()?,
        newest,
    })
}

/// Returns by how much the second is larger.
pub fn difference(before: u64, after: u64) -> i64 {
    let apart = i64::try_from(before.abs_diff(after)).unwrap_or(i64::MAX);
    if after < before { -apart } else { apart }
}
