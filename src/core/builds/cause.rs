//! Why a build missed, in words, and what changed since the last build that hit there.

use super::super::build_log::{Build, Status, Step, StepState};
use super::BuildRecord;
use super::trend::Trend;

/// What kind of cause it is; the words go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing was built on this road before.
    First,
    /// A cache could not be read for want of rights.
    Refused,
    /// The cache's tag is not there.
    CacheGone,
    /// A cache could not be read for another reason.
    ImportFailed,
    /// The base image is another one.
    BaseMoved,
    /// The Dockerfile says something else there.
    StepChanged,
    /// A step was copied from files that changed.
    FilesChanged,
    /// The step reads the same: an argument, a mount, or what the cache kept.
    ArgumentChanged,
}

/// A cause in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub kind: Kind,
    pub words: String,
}

/// What a build is held against: the newest earlier one of its trend in which the step hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Since<'a> {
    pub hit: &'a BuildRecord,
    /// What differs, each in words.
    pub changes: Vec<String>,
}

/// Says why the build missed; nothing where all hit, or where it cannot be told.
pub fn cause(record: &BuildRecord, trend: &Trend<'_>) -> Option<Cause> {
    let build = &record.build;
    let missed = build.first_missed_step()?;
    if let Some(cause) = import(build) {
        return Some(cause);
    }
    let since = since(record, trend);
    let Some(since) = since else {
        let first = trend
            .builds
            .first()
            .is_some_and(|first| first.id == record.id);
        if first && build.steps.cached == 0 {
            return Some(Cause {
                kind: Kind::First,
                words: "first build: nothing earlier of its kind is known".to_owned(),
            });
        }
        let words = build.why_missed.clone()?;
        return Some(Cause {
            kind: Kind::ArgumentChanged,
            words,
        });
    };
    let moved = moved_bases(&since.hit.build, build);
    if let Some((old, new)) = moved.first() {
        return Some(Cause {
            kind: Kind::BaseMoved,
            words: format!("base moved: {}", from_to(old, new)),
        });
    }
    let instruction = missed.parts().instruction.to_owned();
    let before = same_place(&since.hit.build, missed);
    let Some(before) = before.filter(|before| before.parts().instruction == instruction) else {
        let old = before.map_or("nothing", |before| before.parts().instruction);
        return Some(Cause {
            kind: Kind::StepChanged,
            words: format!("step changed: {}", from_to(old, &instruction)),
        });
    };
    let verb = before
        .parts()
        .instruction
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    Some(if verb == "COPY" || verb == "ADD" {
        Cause {
            kind: Kind::FilesChanged,
            words: format!("files changed: {instruction}"),
        }
    } else {
        let changed = changed_arguments(since.hit, record);
        let words = match changed.is_empty() {
            true => format!("argument changed, or the cache let go of it: {instruction}"),
            false => format!("argument changed: {}", changed.join(", ")),
        };
        Cause {
            kind: Kind::ArgumentChanged,
            words,
        }
    })
}

/// Finds the last build of the trend in which the first missed step hit, and tells what differs.
pub fn since<'a>(record: &BuildRecord, trend: &Trend<'a>) -> Option<Since<'a>> {
    let missed = record.build.first_missed_step()?;
    let place = trend.builds.iter().position(|own| own.id == record.id)?;
    let hit_there = |own: &&&BuildRecord| {
        own.build.status == Status::Succeeded
            && same_place(&own.build, missed).is_some_and(|step| step.state == StepState::Cached)
    };
    let hit = trend.builds[..place]
        .iter()
        .rev()
        .find(hit_there)
        .copied()?;
    Some(Since {
        changes: changes(hit, record),
        hit,
    })
}

/// Tells what differs between two builds of one trend.
pub fn changes(old: &BuildRecord, new: &BuildRecord) -> Vec<String> {
    const MOST: usize = 12;
    let mut out = Vec::new();
    if let (Some(from), Some(to)) = (old.revision(), new.revision())
        && from != to
    {
        out.push(format!("revision {} → {}", short(from), short(to)));
    }
    for (from, to) in moved_bases(&old.build, &new.build) {
        out.push(format!("base {}", from_to(&from, &to)));
    }
    for name in changed_arguments(old, new) {
        out.push(format!("argument {name} has another value"));
    }
    let mut steps = 0;
    for step in &new.build.step_list {
        let instruction = step.parts().instruction;
        match same_place(&old.build, step) {
            None => out.push(format!("new step {}", quoted(instruction))),
            Some(before) if before.parts().instruction != instruction => {
                out.push(format!(
                    "step {}",
                    from_to(before.parts().instruction, instruction)
                ));
            }
            Some(before)
                if before.state == StepState::Cached && step.state != StepState::Cached =>
            {
                steps += 1;
            }
            Some(_) => {}
        }
    }
    let gone = old
        .build
        .step_list
        .iter()
        .filter(|step| same_place(&new.build, step).is_none());
    // A build that ended early has not come to its last steps.
    if new.build.status == Status::Succeeded {
        out.extend(gone.map(|step| format!("step gone: {}", quoted(step.parts().instruction))));
    }
    for source in &new.build.cache_sources {
        let before = old
            .build
            .cache_sources
            .iter()
            .find(|own| own.reference == source.reference);
        match (&source.error, before.map(|before| &before.error)) {
            (Some(error), Some(None)) => {
                out.push(format!(
                    "cache {} was imported then, now: {error}",
                    source.reference
                ));
            }
            (None, Some(Some(_))) => {
                out.push(format!("cache {} is imported again", source.reference))
            }
            _ => {}
        }
    }
    if out.len() > MOST {
        let more = out.len() - MOST;
        out.truncate(MOST);
        out.push(format!("and {more} more"));
    }
    if out.is_empty() && steps > 0 {
        out.push("the log shows no other text: copied files, or an argument".to_owned());
    }
    out
}

/// Returns the names of arguments whose values differ, where both builds tell theirs.
fn changed_arguments(old: &BuildRecord, new: &BuildRecord) -> Vec<String> {
    if old.arguments.is_empty() && new.arguments.is_empty() {
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::new();
    for (one, other) in [(old, new), (new, old)] {
        let differs = one
            .arguments
            .iter()
            .filter(|argument| !other.arguments.contains(argument));
        names.extend(differs.map(|(name, _)| name.clone()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Reads the failure of a cache import as the cause that it is.
fn import(build: &Build) -> Option<Cause> {
    // Caches that were read in part may still have given what they had.
    let failed = build
        .cache_sources
        .iter()
        .find_map(|source| Some((source, source.error.as_ref()?)))?;
    let all = build
        .cache_sources
        .iter()
        .all(|source| source.error.is_some());
    if !all && build.steps.cached > 0 {
        return None;
    }
    let (source, error) = failed;
    let lower = error.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let (kind, words) = if has(&[
        "401",
        "403",
        "unauthorized",
        "forbidden",
        "denied",
        "authorization failed",
    ]) {
        (Kind::Refused, "import refused")
    } else if has(&["not found", "404", "no such", "does not exist"]) {
        (Kind::CacheGone, "cache tag gone")
    } else {
        (Kind::ImportFailed, "import failed")
    };
    Some(Cause {
        kind,
        words: format!("{words}: {}: {error}", source.reference),
    })
}

/// Returns the step that stands in the same place of another build: same target, stage and number, else same text.
fn same_place<'a>(build: &'a Build, step: &Step) -> Option<&'a Step> {
    let place = place(step);
    let by_place = build
        .step_list
        .iter()
        .find(|own| place.is_some() && self::place(own) == place);
    let by_text = || {
        let parts = step.parts();
        build
            .step_list
            .iter()
            .find(|own| own.parts().instruction == parts.instruction)
    };
    by_place.or_else(by_text)
}

/// Returns the bracket of a name without its padding: `build 3/6`.
fn place(step: &Step) -> Option<String> {
    let inner = step.name.strip_prefix('[')?.split(']').next()?;
    // The total differs once a step was added, the place of those before it does not.
    let inner = inner.rsplit_once('/').map_or(inner, |(place, _)| place);
    Some(inner.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Returns the base images that are of one name and differ in what they are.
fn moved_bases(old: &Build, new: &Build) -> Vec<(String, String)> {
    let name = |reference: &str| super::repository(reference).to_owned();
    let mut moved = Vec::new();
    for (place, base) in new.bases.iter().enumerate() {
        if old.bases.iter().any(|own| own.reference == base.reference) {
            continue;
        }
        let same = old
            .bases
            .iter()
            .find(|own| name(&own.reference) == name(&base.reference));
        let before = same.or_else(|| {
            old.bases
                .get(place)
                .filter(|_| old.bases.len() == new.bases.len())
        });
        if let Some(before) = before {
            moved.push((base_words(&before.reference), base_words(&base.reference)));
        }
    }
    moved
}

/// Shortens the digest of a base.
fn base_words(reference: &str) -> String {
    match reference.split_once("@sha256:") {
        Some((name, hex)) => format!("{name}@{}", hex.get(..12).unwrap_or(hex)),
        None => reference.to_owned(),
    }
}

fn from_to(old: &str, new: &str) -> String {
    format!("{} → {}", quoted(old), quoted(new))
}

fn quoted(text: &str) -> String {
    const MOST: usize = 90;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST).collect();
    format!("{head}…")
}

fn short(revision: &str) -> &str {
    revision.get(..7).unwrap_or(revision)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::samples::{build, record};
    use super::super::trend::trends;
    use super::*;
    use crate::core::build_log::CacheSource;

    const BASE: &str = "docker.io/library/alpine:3@sha256:0000000000000000000000000000000000000000000000000000000000000001";

    fn told(old: &[(&str, bool, f64)], new: &[(&str, bool, f64)], base: &str) -> Cause {
        let records = [record(1, build(BASE, old)), record(2, build(base, new))];
        let trends = trends(&records);
        cause(&records[1], &trends[0]).unwrap()
    }

    #[test]
    fn the_cause_is_said_in_words() {
        let hit = [("COPY a .", true, 0.0), ("RUN make", true, 0.0)];
        let miss = [("COPY a .", false, 1.0), ("RUN make", false, 9.0)];
        let files = told(&hit, &miss, BASE);
        assert_eq!(
            (files.kind, files.words.as_str()),
            (Kind::FilesChanged, "files changed: COPY a .")
        );
        let moved = told(&hit, &miss, &BASE.replace("0001", "0002"));
        assert_eq!(moved.kind, Kind::BaseMoved);
        let step = told(
            &hit,
            &[("COPY a .", true, 0.0), ("RUN make all", false, 9.0)],
            BASE,
        );
        assert_eq!(
            (step.kind, step.words.as_str()),
            (Kind::StepChanged, "step changed: RUN make → RUN make all")
        );
        let argument = told(
            &hit,
            &[("COPY a .", true, 0.0), ("RUN make", false, 9.0)],
            BASE,
        );
        assert_eq!(argument.kind, Kind::ArgumentChanged);
    }

    #[test]
    fn the_first_build_is_no_one_s_fault() {
        let records = [record(1, build(BASE, &[("RUN a", false, 1.0)]))];
        let trends = trends(&records);
        assert_eq!(cause(&records[0], &trends[0]).unwrap().kind, Kind::First);
        assert_eq!(since(&records[0], &trends[0]), None);
    }

    #[test]
    fn f4_a_cache_that_was_not_imported_is_the_cause() {
        for (error, kind) in [
            ("unexpected status: 403 Forbidden", Kind::Refused),
            ("registry/x:cache: not found", Kind::CacheGone),
            ("connection reset", Kind::ImportFailed),
        ] {
            let mut failed = build(BASE, &[("RUN a", false, 1.0)]);
            failed.cache_sources = vec![CacheSource {
                reference: "x:cache".to_owned(),
                error: Some(error.to_owned()),
            }];
            let records = [record(1, failed)];
            let trends = trends(&records);
            assert_eq!(cause(&records[0], &trends[0]).unwrap().kind, kind);
        }
    }

    #[test]
    fn what_changed_is_listed_against_the_last_build_that_hit_there() {
        let records = [
            record(
                1,
                build(BASE, &[("COPY a .", true, 0.0), ("RUN b", true, 0.0)]),
            ),
            record(
                2,
                build(BASE, &[("COPY a .", true, 0.0), ("RUN b", false, 3.0)]),
            ),
            record(
                3,
                build(
                    BASE,
                    &[
                        ("COPY a .", true, 0.0),
                        ("RUN c", false, 3.0),
                        ("RUN d", false, 1.0),
                    ],
                ),
            ),
        ];
        let trends = trends(&records);
        let since = since(&records[2], &trends[0]).unwrap();
        assert_eq!(&*since.hit.id, "1");
        assert_eq!(since.changes, ["step RUN b → RUN c", "new step RUN d"]);
    }
}
