//! Builds as they are known from their sources: what ran where, what it may be compared with, and how it went.
//!
//! The figures of one build are `build_log`'s. Here builds of one kind are put in a row ([`trend`]), the cause of a
//! miss is said in words ([`cause`]), and runs that deploy are told apart ([`deploy`]). Does not know where logs lie
//! or how they are fetched, nor which services run the result.

pub mod cache;
pub mod cause;
pub mod deploy;
pub mod trend;

use jiff::Timestamp;

use super::build_log::{Build, Status};
use deploy::DeployRun;

/// One build of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildRecord {
    /// The name of the source in the configuration.
    pub source: Box<str>,
    /// What tells it from all other builds of the source, for as long as the source has it.
    pub id: Box<str>,
    /// What is built: the name on screen.
    pub name: String,
    /// Where it was read: a file, a run, a builder's record.
    pub place: String,
    pub run: Option<Run>,
    pub build: Build,
    /// The build arguments that the builder tells, each with a mark of its value, which is not kept.
    pub arguments: Vec<(String, u64)>,
    /// When it began to be seen, where the log itself tells no time.
    pub seen: Option<Timestamp>,
    /// When it was last heard of: its end, or the last news of it.
    pub heard: Option<Timestamp>,
    /// Its place among the builds of the source, where times do not tell.
    pub order: u64,
}

/// The run of a workflow that a build belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    pub repository: String,
    pub workflow: String,
    pub number: u64,
    pub attempt: u64,
    pub event: String,
    pub branch: Option<String>,
    pub revision: Option<String>,
    pub url: Option<String>,
    /// What the run does now, where its log is not given yet.
    pub doing: Option<String>,
}

/// What builds may be compared with each other: the same thing, built on the same road, from the same caches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lineage {
    pub source: Box<str>,
    pub name: String,
    pub workflow: Option<String>,
    /// The branch of a push, else the event that began the run.
    pub road: Option<String>,
    /// The image that was made, or the targets; empty where the log has not come to it.
    pub made: String,
    /// The caches that were asked, whatever they answered.
    pub scope: String,
}

/// What a source has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildNews {
    /// Builds that are new, or stand otherwise than before.
    Found(Vec<BuildRecord>),
    /// Builds that are told under other ids now.
    Gone(Vec<Box<str>>),
    /// Runs that deploy, all that are known.
    Deploys(Vec<DeployRun>),
    /// A log that is not counted.
    Refused(RefusedLog),
    /// All that is there was read; from now on there is only news.
    CaughtUp,
    /// The source cannot be read, or is not read any longer.
    Failed(SourceFailure),
}

/// A log that is not counted, and what would give one that is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedLog {
    pub source: String,
    pub why: String,
    pub remedy: String,
}

/// Why a source cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFailure {
    pub what: String,
    pub remedy: String,
    /// Seconds that the other side asked to be left alone.
    pub retry_after: Option<u64>,
}

impl SourceFailure {
    /// Says what failed and what to try.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            retry_after: None,
        }
    }
}

impl BuildRecord {
    /// Returns what it may be compared with.
    pub fn lineage(&self) -> Lineage {
        let run = self.run.as_ref();
        Lineage {
            source: self.source.clone(),
            name: self.name.clone(),
            workflow: run.map(|run| run.workflow.clone()),
            road: run.map(|run| match (&run.branch, run.event.as_str()) {
                (Some(branch), "push" | "schedule" | "workflow_dispatch" | "") => branch.clone(),
                (_, event) => event.to_owned(),
            }),
            made: match self.build.image() {
                Some(image) => repository(image).to_owned(),
                None => self.build.targets.join("+"),
            },
            scope: scope(&self.build),
        }
    }

    /// Returns the word by which people call it: `#482`, else its id.
    pub fn short(&self) -> String {
        match &self.run {
            Some(run) if run.attempt > 1 => format!("#{}.{}", run.number, run.attempt),
            Some(run) => format!("#{}", run.number),
            None => {
                let id = self.id.rsplit('/').next().unwrap_or(&self.id);
                id.to_owned()
            }
        }
    }

    /// Returns the revision that was built.
    pub fn revision(&self) -> Option<&str> {
        let run = self.run.as_ref().and_then(|run| run.revision.as_deref());
        self.build.revision.as_deref().or(run)
    }

    /// Tells whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.build.status == Status::Running
    }

    /// Returns when it began, or the nearest that is known.
    pub fn when(&self) -> Option<Timestamp> {
        self.build.started.or(self.seen).or(self.heard)
    }
}

/// Returns the name of what a build makes: the source's where it says what it is for, else the image's own.
pub fn name_of(build: &Build, source: &str, source_image: Option<&str>) -> String {
    if source_image.is_some() {
        return source.to_owned();
    }
    if let Some(image) = build.image() {
        return repository(image).to_owned();
    }
    if !build.targets.is_empty() {
        return build.targets.join("+");
    }
    source.to_owned()
}

/// Returns a reference without tag, digest and the names that docker adds by itself.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let name_at = image.rfind('/').map_or(0, |at| at + 1);
    let image = image[name_at..]
        .find(':')
        .map_or(image, |at| &image[..name_at + at]);
    let short = image.strip_prefix("docker.io/").unwrap_or(image);
    short.strip_prefix("library/").unwrap_or(short)
}

/// Returns the caches that a build asked, without what differs from run to run.
fn scope(build: &Build) -> String {
    let mut sources: Vec<&str> = build
        .cache_sources
        .iter()
        .map(|source| match source.reference.split_once(':') {
            // GitHub's own cache is named by a number that is new in each run.
            Some(("gha", _)) => "gha",
            _ => source.reference.as_str(),
        })
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources.join(" ")
}

#[cfg(test)]
pub(crate) mod samples {
    //! Builds for tests, made from logs so that their figures are the parser's own.

    use super::super::build_log::BuildLog;
    use super::*;

    /// Returns the build of a log whose steps are told as `(name, cached, seconds)`.
    pub fn build(base: &str, steps: &[(&str, bool, f64)]) -> Build {
        let mut log = format!(
            "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n#2 [1/9] FROM {base}\n#2 DONE 0.0s\n\n"
        );
        for (place, (name, cached, seconds)) in steps.iter().enumerate() {
            let number = place + 3;
            let end = if *cached {
                "CACHED".to_owned()
            } else {
                format!("DONE {seconds:.1}s")
            };
            log.push_str(&format!(
                "#{number} [{}/9] {name}\n#{number} {end}\n\n",
                place + 2
            ));
        }
        let number = steps.len() + 3;
        log.push_str(&format!(
            "#{number} exporting to image\n#{number} DONE 0.1s\n"
        ));
        let mut reader = BuildLog::new();
        reader.feed(log.as_bytes());
        let mut found = reader.finish(None);
        assert_eq!(found.len(), 1, "{log}");
        found.remove(0)
    }

    /// Returns the record of a build that began so many seconds after the epoch.
    pub fn record(at: i64, build: Build) -> BuildRecord {
        let mut build = build;
        build.started = Timestamp::from_second(at).ok();
        BuildRecord {
            source: "blog".into(),
            id: at.to_string().into(),
            name: "blog".to_owned(),
            place: "x".to_owned(),
            run: None,
            arguments: Vec::new(),
            seen: None,
            heard: build.started,
            order: 0,
            build,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{build, record};
    use super::*;
    use crate::core::build_log::CacheSource;

    #[test]
    fn branches_events_and_cache_scopes_are_never_mixed() {
        let base = record(1, build("alpine", &[("RUN a", true, 0.0)]));
        let of = |event: &str, branch: &str| {
            let mut record = base.clone();
            record.run = Some(Run {
                workflow: "build.yml".to_owned(),
                event: event.to_owned(),
                branch: Some(branch.to_owned()),
                ..Run::default()
            });
            record.lineage()
        };
        assert_eq!(of("push", "main"), of("workflow_dispatch", "main"));
        assert_ne!(of("push", "main"), of("push", "dev"));
        assert_ne!(of("push", "main"), of("pull_request", "main"));
        assert_eq!(of("pull_request", "a"), of("pull_request", "b"));
        let mut cached = base.clone();
        let source = |reference: &str| CacheSource {
            reference: reference.to_owned(),
            error: None,
        };
        cached.build.cache_sources = vec![source("gha:123")];
        assert_ne!(cached.lineage(), base.lineage());
        let mut other = base.clone();
        other.build.cache_sources = vec![source("gha:456")];
        assert_eq!(cached.lineage(), other.lineage());
    }

    #[test]
    fn a_build_is_called_by_its_image_unless_its_source_is_for_that() {
        let mut build = build("alpine", &[("RUN a", true, 0.0)]);
        assert_eq!(name_of(&build, "builder", None), "builder");
        build.images = vec!["docker.io/library/app:1".to_owned()];
        assert_eq!(name_of(&build, "builder", None), "app");
        assert_eq!(name_of(&build, "blog", Some("app:2")), "blog");
        assert_eq!(
            repository("registry.lan:5000/api:1@sha256:00"),
            "registry.lan:5000/api"
        );
    }
}
