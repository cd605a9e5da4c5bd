//! From the bytes of one log to records: what ended, and how what is under way stands.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::build_log::{Build, BuildLog, Refused, Status};
use crate::core::builds::{BuildRecord, RefusedLog, name_of};
use crate::core::settings::BuildSource;

/// One log that is read.
pub(super) struct Collector {
    log: BuildLog,
    /// Where the log is, as people call it.
    place: String,
    /// What its builds are called by, before their line.
    id: String,
    /// Builds under way as they were last told.
    open: BTreeMap<u64, Build>,
    /// When builds under way were first seen.
    seen: BTreeMap<u64, Timestamp>,
    refused: usize,
    /// The log holds one build, which has the log's id.
    single: bool,
}

impl Collector {
    /// Begins a log.
    pub(super) fn new(place: &str, id: &str) -> Self {
        Self {
            log: BuildLog::new(),
            place: place.to_owned(),
            id: id.to_owned(),
            open: BTreeMap::new(),
            seen: BTreeMap::new(),
            refused: 0,
            single: false,
        }
    }

    /// Begins a log that holds one build.
    pub(super) fn of_one(place: &str, id: &str) -> Self {
        Self {
            single: true,
            ..Self::new(place, id)
        }
    }

    /// Reads on.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.log.feed(bytes);
    }

    /// Returns the builds that are new or stand otherwise than when they were last told.
    ///
    /// `heard` is when the last bytes were written; `live` tells that they were written while somebody listened.
    pub(super) fn news(
        &mut self,
        source: &BuildSource,
        heard: Timestamp,
        live: bool,
    ) -> Vec<BuildRecord> {
        let ended = self.log.take();
        self.told(source, ended, heard, live)
    }

    /// Reads what is left, at the end of the log, and returns what is new.
    pub(super) fn finish(&mut self, source: &BuildSource, heard: Timestamp) -> Vec<BuildRecord> {
        let ended = self.log.finish(None);
        self.told(source, ended, heard, true)
    }

    /// Returns what is refused in the log and was not told yet.
    pub(super) fn refused(&mut self) -> Vec<RefusedLog> {
        let all = &self.log.reading().refused;
        let new = all.get(self.refused..).unwrap_or_default();
        let told = new.iter().map(|refused| refusal(&self.place, *refused));
        let told = told.collect();
        self.refused = all.len();
        told
    }

    fn told(
        &mut self,
        source: &BuildSource,
        ended: Vec<Build>,
        heard: Timestamp,
        live: bool,
    ) -> Vec<BuildRecord> {
        let mut news: Vec<BuildRecord> = Vec::new();
        for build in ended {
            let seen = self.seen.remove(&build.line);
            let before = self.open.remove(&build.line);
            if before.as_ref() != Some(&build) {
                news.push(self.record(source, build, seen, heard));
            }
        }
        for build in self.log.open() {
            let before = self.open.get(&build.line);
            if before == Some(&build) {
                continue;
            }
            let is_new = before.is_none();
            if is_new && live && build.status == Status::Running {
                self.seen.insert(build.line, heard);
            }
            self.open.insert(build.line, build.clone());
            let seen = self.seen.get(&build.line).copied();
            news.push(self.record(source, build, seen, heard));
        }
        news
    }

    fn record(
        &self,
        source: &BuildSource,
        build: Build,
        seen: Option<Timestamp>,
        heard: Timestamp,
    ) -> BuildRecord {
        let id = match self.single {
            true => self.id.clone(),
            false => format!("{}:{}", self.id, build.line),
        };
        BuildRecord {
            seen,
            ..record(source, &self.place, id, build, heard)
        }
    }
}

/// Makes the record of a build; `heard` is when the log was written last, for one that tells no time.
pub(super) fn record(
    source: &BuildSource,
    place: &str,
    id: String,
    build: Build,
    heard: Timestamp,
) -> BuildRecord {
    let ended = build
        .started
        .zip(build.seconds)
        .and_then(|(started, seconds)| {
            let millis = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
            started.checked_add(millis).ok()
        });
    BuildRecord {
        source: source.name.as_str().into(),
        id: id.into(),
        name: name_of(&build, &source.name, source.image.as_deref()),
        place: place.to_owned(),
        run: None,
        arguments: Vec::new(),
        seen: None,
        heard: Some(ended.unwrap_or(heard)),
        order: build.line,
        build,
    }
}

/// Says that a log is of a form that is not counted.
pub(super) fn refusal(place: &str, refused: Refused) -> RefusedLog {
    RefusedLog {
        source: place.to_owned(),
        why: refused.why().to_owned(),
        remedy: refused.remedy().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::BuildOrigin;

    fn source() -> BuildSource {
        BuildSource {
            name: "api".to_owned(),
            image: None,
            from: BuildOrigin::Command {
                argv: Vec::new(),
                host: None,
            },
            deploys: Vec::new(),
        }
    }

    #[test]
    fn only_what_changed_is_told_and_a_build_keeps_its_id() {
        let at = Timestamp::UNIX_EPOCH;
        let mut collector = Collector::new("x.log", "x.log");
        collector.feed(b"#1 [internal] load build definition\n#1 DONE 0.0s\n\n#2 [1/2] FROM a\n#2 DONE 0.1s\n#3 [2/2] RUN b\n");
        let first = collector.news(&source(), at, true);
        assert_eq!((first.len(), first[0].build.status), (1, Status::Running));
        assert_eq!(first[0].seen, Some(at));
        assert!(collector.news(&source(), at, true).is_empty());
        collector.feed(b"#3 DONE 2.0s\n#4 exporting to image\n#4 DONE 0.1s\n");
        let then = collector.news(&source(), at, true);
        assert_eq!((then.len(), then[0].build.steps.executed), (1, 1));
        assert_eq!(then[0].id, first[0].id);
        let last = collector.finish(&source(), at);
        assert!(last.len() <= 1 && last.iter().all(|record| record.id == first[0].id));
    }
}
