//! Builds of one lineage in a row: the last ones, what is usual, and what the cache saves.

use std::collections::BTreeMap;

use super::super::build_log::Status;
use super::{BuildRecord, Lineage};

/// How many builds a trend shows.
pub const SHOWN: usize = 20;

/// Below this share of hits a build is flagged.
pub const LOW: f64 = 0.7;

/// The builds of one lineage.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend<'a> {
    pub lineage: Lineage,
    /// From the oldest to the newest, as many as are shown.
    pub builds: Vec<&'a BuildRecord>,
}

impl<'a> Trend<'a> {
    /// Returns the newest build.
    pub fn last(&self) -> &'a BuildRecord {
        self.builds[self.builds.len() - 1]
    }

    /// Returns the newest build that ended and had steps: the one that figures are told of.
    pub fn judged(&self) -> Option<&'a BuildRecord> {
        let ended =
            |record: &&&BuildRecord| !record.is_running() && record.build.hit_rate().is_some();
        self.builds.iter().rev().find(ended).copied()
    }

    /// Tells whether the last finished build hit the cache too rarely.
    pub fn is_low(&self) -> bool {
        self.judged().is_some_and(is_low)
    }

    /// Returns the last cold build before another one of this trend, to hold times against.
    pub fn cold_before(&self, record: &BuildRecord) -> Option<&'a BuildRecord> {
        let place = self.builds.iter().position(|own| own.id == record.id)?;
        let cold = |own: &&&BuildRecord| is_cold(own) && own.build.status == Status::Succeeded;
        self.builds[..place].iter().rev().find(cold).copied()
    }

    /// Returns the hit rates of the builds that ended, oldest first; nothing where there were no steps.
    pub fn rates(&self) -> Vec<Option<f64>> {
        let ended = self.builds.iter().filter(|record| !record.is_running());
        ended.map(|record| record.build.hit_rate()).collect()
    }
}

/// Tells a build that ended with fewer hits than it should have.
pub fn is_low(record: &BuildRecord) -> bool {
    !record.is_running() && record.build.hit_rate().is_some_and(|rate| rate < LOW)
}

/// Tells a build that ended and found nothing in any cache.
pub fn is_cold(record: &BuildRecord) -> bool {
    !record.is_running() && record.build.is_cold()
}

/// Puts builds into rows that may be compared; the row with the newest build comes first, running ones before all.
pub fn trends<'a>(records: impl IntoIterator<Item = &'a BuildRecord>) -> Vec<Trend<'a>> {
    let mut rows: BTreeMap<Lineage, Vec<&BuildRecord>> = BTreeMap::new();
    for record in records {
        rows.entry(record.lineage()).or_default().push(record);
    }
    adopt(&mut rows);
    let mut trends: Vec<Trend<'_>> = rows
        .into_iter()
        .map(|(lineage, mut builds)| {
            builds.sort_by(|a, b| (a.when(), a.order, &a.id).cmp(&(b.when(), b.order, &b.id)));
            let over = builds.len().saturating_sub(SHOWN);
            builds.drain(..over);
            Trend { lineage, builds }
        })
        .collect();
    trends.sort_by(|a, b| {
        let key = |trend: &Trend<'_>| (trend.last().is_running(), trend.last().when());
        key(b).cmp(&key(a)).then_with(|| a.lineage.cmp(&b.lineage))
    });
    trends
}

/// Lets builds that have not come to their caches or their image yet stand with those of the same road, if there is
/// one such row.
///
/// A running build, or one that failed, has not said all; a row of its own would part it from what it will be compared
/// with.
fn adopt(rows: &mut BTreeMap<Lineage, Vec<&BuildRecord>>) {
    let silent: Vec<Lineage> = rows
        .keys()
        .filter(|lineage| lineage.scope.is_empty() || lineage.made.is_empty())
        .cloned()
        .collect();
    for lineage in silent {
        let fits = |other: &&Lineage| {
            let same = Lineage {
                scope: if lineage.scope.is_empty() {
                    String::new()
                } else {
                    other.scope.clone()
                },
                made: if lineage.made.is_empty() {
                    String::new()
                } else {
                    other.made.clone()
                },
                ..(*other).clone()
            };
            **other != lineage && same == lineage
        };
        let mut others = rows.keys().filter(fits).cloned();
        let (Some(only), None) = (others.next(), others.next()) else {
            continue;
        };
        let mine = rows.remove(&lineage).unwrap_or_default();
        // A whole build that asked no cache is of another kind than those that ask one.
        let (early, whole): (Vec<_>, Vec<_>) = mine.into_iter().partition(|record| {
            record.build.status != Status::Succeeded
                || record.build.steps.total == 0
                || lineage.scope == only.scope
        });
        rows.entry(only).or_default().extend(early);
        if !whole.is_empty() {
            rows.insert(lineage, whole);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::samples::{build, record};
    use super::*;
    use crate::core::build_log::CacheSource;

    fn at(second: i64, hits: usize) -> BuildRecord {
        let steps: Vec<(&str, bool, f64)> = (0..4).map(|n| ("RUN a", n < hits, 2.0)).collect();
        record(second, build("alpine", &steps))
    }

    #[test]
    fn a_trend_is_the_last_builds_in_order() {
        let records: Vec<BuildRecord> = (0..30).rev().map(|n| at(n, 4)).collect();
        let trends = trends(&records);
        assert_eq!(trends.len(), 1);
        assert_eq!(trends[0].builds.len(), SHOWN);
        assert_eq!(&*trends[0].last().id, "29");
        assert!(!trends[0].is_low());
    }

    #[test]
    fn a_rate_below_70_percent_is_low_and_no_hit_at_all_is_cold() {
        for (hits, low, cold) in [
            (4, false, false),
            (3, false, false),
            (2, true, false),
            (0, true, true),
        ] {
            let record = at(1, hits);
            assert_eq!((is_low(&record), is_cold(&record)), (low, cold), "{hits}");
        }
        let mut running = at(1, 0);
        running.build.status = Status::Running;
        assert!(!is_low(&running) && !is_cold(&running));
    }

    #[test]
    fn the_last_cold_build_before_is_the_measure() {
        let records = [at(1, 0), at(2, 0), at(3, 4), at(4, 0)];
        let trends = trends(&records);
        assert_eq!(&*trends[0].cold_before(&records[2]).unwrap().id, "2");
        assert_eq!(trends[0].cold_before(&records[0]), None);
    }

    #[test]
    fn a_running_build_that_has_not_told_its_caches_stands_with_its_like() {
        let mut with_cache = at(1, 4);
        with_cache.build.cache_sources = vec![CacheSource {
            reference: "reg/a:cache".to_owned(),
            error: None,
        }];
        let mut running = at(2, 0);
        running.build.status = Status::Running;
        let whole = at(3, 4);
        let records = [with_cache, running, whole];
        let trends = trends(&records);
        let counts: Vec<(usize, &str)> = trends
            .iter()
            .map(|trend| (trend.builds.len(), trend.lineage.scope.as_str()))
            .collect();
        assert_eq!(counts, [(2, "reg/a:cache"), (1, "")]);
    }
}
