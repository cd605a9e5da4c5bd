//! Builds of a scenario: their logs are written as a builder would, and read by the real parser.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::app::msg::Msg;
use crate::core::build_log::{Build, BuildLog};
use crate::core::builds::cache::CacheFacts;
use crate::core::builds::deploy::{DeployRun, DeployState};
use crate::core::builds::{BuildNews, BuildRecord, Run, name_of};
use crate::core::image::ImageRef;
use crate::core::settings::{BuildOrigin, BuildSource, DeploySource};

use super::Demo;
use super::units::{Moment, Span};

/// How long a source takes to be read.
const READING: Duration = Duration::from_millis(420);
/// How often something that happens again and again happens.
const TIMES: u32 = 40;

/// A source of builds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildsEntry {
    pub name: String,
    pub image: Option<String>,
    /// The host whose builder it is; else it is a workflow.
    pub host: Option<String>,
    #[serde(default = "usual_repository")]
    pub repository: String,
    #[serde(default = "usual_workflow")]
    pub workflow: String,
    #[serde(default = "usual_branch")]
    pub branch: String,
    #[serde(default = "usual_event")]
    pub event: String,
    pub base: String,
    pub cache: Option<String>,
    /// The steps after FROM, with what each takes when it misses.
    pub steps: Vec<(String, Span)>,
    #[serde(default)]
    pub past: Vec<PastEntry>,
    pub running: Option<RunningEntry>,
    #[serde(default)]
    pub deploys: Vec<DeployEntry>,
}

/// A build that ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastEntry {
    pub number: u64,
    pub at: Moment,
    /// How many steps hit, from the first.
    pub hits: usize,
    pub revision: Option<String>,
    /// What the cache said instead of letting itself be imported.
    pub refused: Option<String>,
    /// Another base than usual.
    pub base: Option<String>,
    /// The first step that misses reads otherwise than usual.
    pub step: Option<String>,
    /// The words with which the first step that misses failed.
    pub fails: Option<String>,
}

/// A build that begins while one looks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunningEntry {
    pub number: u64,
    pub at: Span,
    pub every: Option<Span>,
    pub hits: usize,
    pub revision: Option<String>,
}

/// A run that deploys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployEntry {
    pub workflow: String,
    pub number: u64,
    pub at: Moment,
    /// `running`, `succeeded`, or how it ended otherwise.
    pub state: String,
}

fn usual_repository() -> String {
    "me/homelab".to_owned()
}

fn usual_workflow() -> String {
    "build.yml".to_owned()
}

fn usual_branch() -> String {
    "main".to_owned()
}

fn usual_event() -> String {
    "push".to_owned()
}

impl BuildsEntry {
    /// Returns the source as a configuration would name it.
    pub fn source(&self) -> BuildSource {
        let mut deploys: Vec<DeploySource> = Vec::new();
        for deploy in &self.deploys {
            if !deploys
                .iter()
                .any(|known| known.workflow == deploy.workflow)
            {
                deploys.push(DeploySource {
                    repository: None,
                    workflow: deploy.workflow.clone(),
                });
            }
        }
        BuildSource {
            name: self.name.clone(),
            image: self.image.clone(),
            from: match &self.host {
                Some(host) => BuildOrigin::Buildx {
                    host: host.as_str().into(),
                },
                None => BuildOrigin::GitHub {
                    repository: self.repository.clone(),
                    workflow: Some(self.workflow.clone()),
                    api: None,
                    token_env: None,
                },
            },
            deploys,
        }
    }

    fn run(&self, number: u64, revision: Option<&String>) -> Option<Run> {
        if self.host.is_some() {
            return None;
        }
        Some(Run {
            repository: self.repository.clone(),
            workflow: self.workflow.clone(),
            number,
            attempt: 1,
            event: self.event.clone(),
            branch: Some(self.branch.clone()),
            revision: revision.cloned(),
            url: Some(format!(
                "https://github.com/{}/actions/runs/{number}",
                self.repository
            )),
            doing: None,
        })
    }

    fn record(&self, number: u64, run: Option<Run>, build: Build, heard: Timestamp) -> BuildRecord {
        let place = match &self.host {
            Some(host) => format!("history of {host}"),
            None => format!("{} run {number}", self.repository),
        };
        BuildRecord {
            source: self.name.as_str().into(),
            id: number.to_string().into(),
            name: name_of(&build, &self.name, self.image.as_deref()),
            place,
            arguments: Vec::new(),
            seen: build.started,
            heard: Some(heard),
            order: number,
            run,
            build,
        }
    }

    fn past(&self, past: &PastEntry, started_at: Timestamp) -> Option<BuildRecord> {
        let began = past.at.on_the_clock(started_at);
        let mut log = Log::begin(began);
        log.import(self.cache.as_deref(), past.refused.as_deref());
        log.base(past.base.as_ref().unwrap_or(&self.base), self.steps.len());
        for (place, (text, takes)) in self.steps.iter().enumerate() {
            let text = past
                .step
                .as_ref()
                .filter(|_| place == past.hits)
                .unwrap_or(text);
            if place == past.hits
                && let Some(why) = &past.fails
            {
                log.failed(text, takes.0, why, (place, self.steps.len()));
                break;
            }
            let takes = (place >= past.hits).then_some(takes.0);
            log.step(text, takes, (place, self.steps.len()));
        }
        if past.fails.is_none() {
            log.export(self.image.as_deref());
        }
        let heard = log.now;
        let run = self.run(past.number, past.revision.as_ref());
        let mut build = log.read()?;
        if run.is_none() {
            build.revision.clone_from(&past.revision);
        }
        Some(self.record(past.number, run, build, heard))
    }

    /// Returns how a running build stands at each of its moments, with the time since its beginning.
    fn running(
        &self,
        running: &RunningEntry,
        turn: u32,
        began: Timestamp,
    ) -> Vec<(Duration, BuildRecord)> {
        let number = running.number + u64::from(turn);
        let run = self.run(number, running.revision.as_ref());
        let mut told = Vec::new();
        let mut tell = |log: &Log, is_over: bool| {
            let build = if is_over {
                log.clone().read()
            } else {
                log.stands()
            };
            if let Some(build) = build {
                let after = Duration::try_from(log.now.duration_since(began)).unwrap_or_default();
                told.push((after, self.record(number, run.clone(), build, log.now)));
            }
        };
        let mut log = Log::begin(began);
        log.import(self.cache.as_deref(), None);
        log.base(&self.base, self.steps.len());
        tell(&log, false);
        for (place, (text, takes)) in self.steps.iter().enumerate() {
            let place = (place, self.steps.len());
            if place.0 < running.hits {
                log.step(text, None, place);
                continue;
            }
            log.header(text, place);
            tell(&log, false);
            log.wait(takes.0);
            log.done(takes.0);
            tell(&log, false);
        }
        log.export(self.image.as_deref());
        tell(&log, true);
        told
    }
}

/// A log that is being written.
#[derive(Debug, Clone)]
struct Log {
    text: String,
    now: Timestamp,
    number: usize,
}

impl Log {
    fn begin(began: Timestamp) -> Self {
        let mut log = Self {
            text: String::new(),
            now: began,
            number: 0,
        };
        log.vertex("[internal] load build definition from Dockerfile");
        log.line("DONE 0.0s");
        log
    }

    /// Opens the next vertex.
    fn vertex(&mut self, name: &str) {
        self.number += 1;
        self.line(name);
    }

    fn line(&mut self, text: &str) {
        let time = self.now.strftime("%Y-%m-%dT%H:%M:%S.0000000Z");
        self.text
            .push_str(&format!("{time} #{} {text}\n", self.number));
    }

    fn wait(&mut self, span: Duration) {
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::ZERO);
        self.now = self.now.checked_add(span).unwrap_or(self.now);
    }

    fn done(&mut self, took: Duration) {
        self.line(&format!("DONE {:.1}s", took.as_secs_f64()));
    }

    fn import(&mut self, cache: Option<&str>, refused: Option<&str>) {
        let Some(cache) = cache else {
            return;
        };
        self.vertex(&format!("importing cache manifest from {cache}"));
        match refused {
            Some(why) => self.line(&format!("ERROR: {why}")),
            None => self.line("DONE 0.3s"),
        }
    }

    fn base(&mut self, base: &str, steps: usize) {
        self.vertex(&format!("[1/{}] FROM {base}", steps + 1));
        self.line("DONE 0.0s");
    }

    fn header(&mut self, text: &str, (place, steps): (usize, usize)) {
        self.vertex(&format!("[{}/{}] {text}", place + 2, steps + 1));
    }

    fn step(&mut self, text: &str, takes: Option<Duration>, place: (usize, usize)) {
        self.header(text, place);
        match takes {
            None => self.line("CACHED"),
            Some(takes) => {
                self.wait(takes);
                self.done(takes);
            }
        }
    }

    fn failed(&mut self, text: &str, takes: Duration, why: &str, place: (usize, usize)) {
        self.header(text, place);
        self.wait(takes);
        self.line(&format!("ERROR: {why}"));
        let time = self.now.strftime("%Y-%m-%dT%H:%M:%S.0000000Z");
        self.text
            .push_str(&format!("{time} ERROR: failed to solve: {why}\n"));
    }

    fn export(&mut self, image: Option<&str>) {
        self.vertex("exporting to image");
        if let Some(image) = image {
            self.line(&format!("naming to {image}:latest done"));
        }
        self.wait(Duration::from_secs(1));
        self.line("DONE 1.0s");
    }

    /// Reads the log to its end.
    fn read(self) -> Option<Build> {
        let mut reader = BuildLog::new();
        reader.feed(self.text.as_bytes());
        reader.finish(None).pop()
    }

    /// Reads how the build stands.
    fn stands(&self) -> Option<Build> {
        let mut reader = BuildLog::new();
        reader.feed(self.text.as_bytes());
        reader.open().pop()
    }
}

impl Demo {
    /// Reads a source: what it has, then what will happen there.
    pub(super) fn builds(&self, name: &str) -> Vec<(Duration, Msg)> {
        let Some(entry) = self.builds.iter().find(|entry| entry.name == *name) else {
            return Vec::new();
        };
        let tell = |after: Duration, news: BuildNews| {
            let source = entry.name.as_str().into();
            (after, Msg::Builds { source, news })
        };
        let past = entry
            .past
            .iter()
            .filter_map(|past| entry.past(past, self.started_at));
        let mut told = vec![tell(READING, BuildNews::Found(past.collect()))];
        if !entry.deploys.is_empty() {
            let runs = entry
                .deploys
                .iter()
                .map(|deploy| self.deploy(entry, deploy));
            told.push(tell(READING, BuildNews::Deploys(runs.collect())));
        }
        told.push(tell(READING, BuildNews::CaughtUp));
        if let Some(running) = &entry.running {
            let turns = if running.every.is_some() { TIMES } else { 1 };
            for turn in 0..turns {
                let pause = running.every.map_or(Duration::ZERO, |every| every.0 * turn);
                let begins = running.at.0 + pause;
                let began = Moment::after(begins).on_the_clock(self.started_at);
                let moments = entry.running(running, turn, began);
                for (place, (after, record)) in (0..).zip(moments) {
                    // What happens in one second still happens one after the other.
                    let after = begins.max(READING) + after + Duration::from_millis(place);
                    told.push(tell(after, BuildNews::Found(vec![record])));
                }
            }
        }
        told
    }

    /// Tells of a cache in a registry: it is as old as the last build that could write to it.
    pub(super) fn build_cache(&self, reference: &ImageRef) -> (Duration, Msg) {
        const OLD: SignedDuration = SignedDuration::from_hours(14 * 24);
        let facts = CacheFacts {
            created: self.started_at.checked_sub(OLD).ok(),
            bytes: 184_000_000,
            layers: 11,
        };
        let msg = Msg::BuildCache {
            reference: reference.clone(),
            result: Ok(facts),
        };
        (self.registries.delay(&reference.repository.registry), msg)
    }

    fn deploy(&self, entry: &BuildsEntry, deploy: &DeployEntry) -> DeployRun {
        DeployRun {
            source: entry.name.as_str().into(),
            repository: entry.repository.clone(),
            workflow: deploy.workflow.clone(),
            number: deploy.number,
            state: match deploy.state.as_str() {
                "running" => DeployState::Running,
                "succeeded" => DeployState::Succeeded,
                how => DeployState::Failed(how.to_owned()),
            },
            same_repository: true,
            revision: None,
            created: deploy.at.on_the_clock(self.started_at),
            ended: None,
            url: None,
        }
    }
}
