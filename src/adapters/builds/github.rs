//! GitHub Actions: runs and jobs through the API, each job's log as soon as GitHub gives it, runs that deploy.
//!
//! What did not change is asked for with its ETag, which costs nothing of the rate limit; a limit that is used up is
//! waited for. A log is read as a stream. The token goes to the API alone, never to where logs are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::core::build_log::{Build, BuildLog, Status};
use crate::core::builds::deploy::{DeployRun, DeployState};
use crate::core::builds::{BuildNews, BuildRecord, RefusedLog, Run, SourceFailure};
use crate::core::settings::{BuildOrigin, BuildSource, DeploySource};
use crate::core::text::clean_within;

use super::Site;
use super::collect::{record, refusal};
use super::github_api::{Api, Log};
use super::kept::{Attempt, JobLog, KeptRuns};

/// How many of the last runs are read: as many as a trend shows.
const RUNS: usize = 20;
/// The same without a token, which gives only 60 requests an hour.
const RUNS_WITHOUT_TOKEN: usize = 6;
/// How often runs are asked for while somebody looks: while one goes on, else, and without a token.
const GOES_ON: Duration = Duration::from_secs(3);
const QUIET: Duration = Duration::from_secs(15);
const WITHOUT_TOKEN: Duration = Duration::from_secs(90);

/// A repository's runs.
pub(super) struct GitHub {
    api: Api,
    repository: String,
    workflow: Option<String>,
    deploys: Vec<DeploySource>,
    /// Attempts of runs of which all was told.
    read: BTreeSet<Attempt>,
    /// What ended runs told, now or at an earlier start.
    kept: KeptRuns,
    /// What the jobs of a run told so far, until all of it is read.
    logs: BTreeMap<Attempt, Vec<JobLog>>,
    /// Jobs whose logs were read.
    jobs: BTreeSet<u64>,
    /// Jobs that are shown though their logs are not given yet.
    waiting: BTreeMap<u64, Box<str>>,
}

#[derive(Debug, Deserialize)]
struct Runs {
    workflow_runs: Vec<RunEntry>,
}

#[derive(Debug, Clone, Deserialize)]
struct RunEntry {
    id: u64,
    #[serde(default)]
    run_number: u64,
    #[serde(default = "one")]
    run_attempt: u64,
    #[serde(default)]
    event: String,
    status: Option<String>,
    conclusion: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    html_url: Option<String>,
    /// The workflow's file.
    path: Option<String>,
    name: Option<String>,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Jobs {
    jobs: Vec<JobEntry>,
}

#[derive(Debug, Deserialize)]
struct JobEntry {
    id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    #[serde(default)]
    steps: Vec<StepEntry>,
}

#[derive(Debug, Deserialize)]
struct StepEntry {
    name: String,
    status: String,
}

fn one() -> u64 {
    1
}

impl GitHub {
    pub(super) fn new(source: &BuildSource, cache: Option<&Path>) -> Self {
        let (repository, workflow, api, token_env) = match &source.from {
            BuildOrigin::GitHub {
                repository,
                workflow,
                api,
                token_env,
            } => (
                repository.clone(),
                workflow.clone(),
                api.as_deref(),
                token_env.as_deref(),
            ),
            _ => (String::new(), None, None, None),
        };
        Self {
            kept: KeptRuns::open(cache, api.unwrap_or_default(), &repository),
            logs: BTreeMap::new(),
            api: Api::new(api, token_env),
            repository,
            workflow,
            deploys: source.deploys.clone(),
            read: BTreeSet::new(),
            jobs: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    pub(super) async fn follow(&mut self, source: &BuildSource, site: &Site) -> SourceFailure {
        let mut site = site.clone();
        loop {
            let goes_on = match self.look(source, &site).await {
                Ok(goes_on) => goes_on,
                Err(failure) => return failure,
            };
            site.tell(BuildNews::CaughtUp);
            if *site.closely.borrow() {
                let pause = match (self.api.has_token(), goes_on) {
                    (false, _) => WITHOUT_TOKEN,
                    (true, true) => GOES_ON,
                    (true, false) => QUIET,
                };
                let mut closely = site.closely.clone();
                let gone = closely.wait_for(|closely| !*closely);
                let _ = tokio::time::timeout(pause, gone).await;
            } else {
                site.rest().await;
            }
        }
    }

    /// Looks at all runs once; tells whether one goes on.
    async fn look(&mut self, source: &BuildSource, site: &Site) -> Result<bool, SourceFailure> {
        let count = if self.api.has_token() {
            RUNS
        } else {
            RUNS_WITHOUT_TOKEN
        };
        let path = runs_path(&self.repository, self.workflow.as_deref(), count);
        let runs: Runs = self.api.get(&path).await?;
        // Deploys first: they are few, and what waits for them is on the screen already.
        let mut goes_on = self.look_at_deploys(source, site).await?;
        let newest = runs.workflow_runs.into_iter().take(count);
        let mut newest: Vec<RunEntry> = newest.collect();
        newest.reverse();
        for run in newest {
            let ended = run.status.as_deref() == Some("completed");
            goes_on |= !ended;
            let attempt = (run.id, run.run_attempt);
            if self.read.contains(&attempt) {
                continue;
            }
            if let Some(logs) = self.kept.run(attempt).filter(|_| ended) {
                for log in logs {
                    self.tell(&run, log, source, site);
                }
                self.read.insert(attempt);
                continue;
            }
            let whole = self.look_at(&run, source, site).await?;
            // A log that is not given yet is waited for like a run.
            goes_on |= whole.is_none();
            if let Some(jobs) = whole.filter(|_| ended) {
                self.read.insert(attempt);
                let logs = self.logs.remove(&attempt).unwrap_or_default();
                // A log that was not given at all is asked for at the next start: then a token may be there that may.
                if logs.len() == jobs {
                    self.kept.keep(attempt, logs);
                }
            }
        }
        Ok(goes_on)
    }

    /// Looks at one run; tells how many jobs it has once all that they will ever tell was read.
    async fn look_at(
        &mut self,
        run: &RunEntry,
        source: &BuildSource,
        site: &Site,
    ) -> Result<Option<usize>, SourceFailure> {
        let path = format!(
            "/repos/{}/actions/runs/{}/jobs?per_page=100",
            self.repository, run.id
        );
        let jobs: Jobs = self.api.get(&path).await?;
        let mut whole = true;
        for job in &jobs.jobs {
            if self.jobs.contains(&job.id) {
                // A job that a new attempt did not run again belongs to that attempt too.
                let attempt = (run.id, run.run_attempt);
                if let Some(log) = self.kept.job(attempt, job.id) {
                    let logs = self.logs.entry(attempt).or_default();
                    if logs.iter().all(|other| other.job != job.id) {
                        logs.push(log.clone());
                    }
                }
                continue;
            }
            if job.conclusion.as_deref() == Some("skipped") {
                self.jobs.insert(job.id);
                continue;
            }
            if job.status == "completed" && self.read_log(run, job, source, site).await? {
                self.jobs.insert(job.id);
                if let Some(id) = self.waiting.remove(&job.id) {
                    site.tell(BuildNews::Gone(vec![id]));
                }
                continue;
            }
            whole = false;
            if looks_like_a_build(job) {
                let record = self.waiting_record(run, job, source);
                self.waiting.insert(job.id, record.id.clone());
                site.tell(BuildNews::Found(vec![record]));
            }
        }
        let skipped = |job: &&JobEntry| job.conclusion.as_deref() == Some("skipped");
        let all = jobs.jobs.len() - jobs.jobs.iter().filter(skipped).count();
        Ok(whole.then_some(all))
    }

    /// Reads a job's log and tells its builds; false where it is not given yet.
    async fn read_log(
        &mut self,
        run: &RunEntry,
        job: &JobEntry,
        source: &BuildSource,
        site: &Site,
    ) -> Result<bool, SourceFailure> {
        let path = format!("/repos/{}/actions/jobs/{}/logs", self.repository, job.id);
        let heard = job.completed_at.unwrap_or(run.created_at);
        let mut read = BuildLog::new();
        let gone = match self.api.log(&path, |bytes| read.feed(bytes)).await? {
            Log::Read => false,
            Log::NotYet => {
                // One that ended long ago and is not there will not come.
                let age = Timestamp::now().duration_since(heard);
                return Ok(age.as_secs() > 3600);
            }
            Log::Gone => true,
        };
        let log = JobLog {
            job: job.id,
            name: job.name.clone(),
            conclusion: job.conclusion.clone(),
            heard,
            builds: read.finish(None),
            refused: read.reading().refused.clone(),
            gone,
        };
        self.tell(run, &log, source, site);
        self.logs
            .entry((run.id, run.run_attempt))
            .or_default()
            .push(log);
        Ok(true)
    }

    /// Tells what the log of a job holds.
    fn tell(&self, run: &RunEntry, log: &JobLog, source: &BuildSource, site: &Site) {
        let place = format!("{} run {} {}", self.repository, run.run_number, log.name);
        if log.gone {
            site.tell(BuildNews::Refused(RefusedLog {
                source: place.clone(),
                why: "GitHub keeps the log no longer".to_owned(),
                remedy:
                    "runs of the last 90 days have one, unless the repository keeps them shorter"
                        .to_owned(),
            }));
        }
        for refused in &log.refused {
            site.tell(BuildNews::Refused(refusal(&place, *refused)));
        }
        let mut found = Vec::new();
        for build in &log.builds {
            let id = format!("{}:{}", id(run, log.job), build.line);
            let mut record = record(source, &place, id, build.clone(), log.heard);
            record.run = Some(self.run_of(run, None));
            let build = &mut record.build;
            build.job = Some(log.name.clone());
            // The job is over, whatever its log says last.
            if build.status == Status::Running {
                build.status = match log.conclusion.as_deref() {
                    Some("cancelled") => Status::Cancelled,
                    Some("success") => Status::Succeeded,
                    _ => Status::Failed,
                };
            }
            found.push(record);
        }
        if !found.is_empty() {
            site.tell(BuildNews::Found(found));
        }
    }

    async fn look_at_deploys(
        &mut self,
        source: &BuildSource,
        site: &Site,
    ) -> Result<bool, SourceFailure> {
        const LAST: usize = 10;
        let mut all = Vec::new();
        for deploy in self.deploys.clone() {
            let repository = deploy
                .repository
                .as_deref()
                .unwrap_or(&self.repository)
                .to_owned();
            let path = runs_path(&repository, Some(&deploy.workflow), LAST);
            let runs: Runs = self.api.get(&path).await?;
            let same_repository = repository == self.repository;
            all.extend(runs.workflow_runs.into_iter().map(|run| {
                DeployRun {
                    source: source.name.as_str().into(),
                    repository: repository.clone(),
                    workflow: deploy.workflow.clone(),
                    number: run.run_number,
                    state: deploy_state(&run),
                    same_repository,
                    revision: run.head_sha.clone(),
                    created: run.created_at,
                    ended: run
                        .updated_at
                        .filter(|_| run.status.as_deref() == Some("completed")),
                    url: run.html_url.clone(),
                }
            }));
        }
        let goes_on = all
            .iter()
            .any(|run| matches!(run.state, DeployState::Waiting | DeployState::Running));
        if !self.deploys.is_empty() {
            site.tell(BuildNews::Deploys(all));
        }
        Ok(goes_on)
    }

    fn run_of(&self, run: &RunEntry, doing: Option<String>) -> Run {
        let file = run.path.as_deref().map(|path| {
            let path = path.split('@').next().unwrap_or(path);
            path.rsplit('/').next().unwrap_or(path).to_owned()
        });
        Run {
            repository: self.repository.clone(),
            workflow: file
                .or_else(|| self.workflow.clone())
                .or_else(|| run.name.clone())
                .unwrap_or_default(),
            number: run.run_number,
            attempt: run.run_attempt,
            event: run.event.clone(),
            branch: run.head_branch.clone(),
            revision: run.head_sha.clone(),
            url: run.html_url.clone(),
            doing,
        }
    }

    /// Returns what can be told of a job whose log is not given yet.
    fn waiting_record(&self, run: &RunEntry, job: &JobEntry, source: &BuildSource) -> BuildRecord {
        let step = job.steps.iter().find(|step| step.status == "in_progress");
        let doing = match (step, job.status.as_str()) {
            (Some(step), _) => clean_within(&step.name, 120),
            (None, "completed") => "its log is not given yet".to_owned(),
            (None, status) => status.replace('_', " "),
        };
        let mut build = Build::begun(job.started_at);
        build.job = Some(job.name.clone());
        BuildRecord {
            source: source.name.as_str().into(),
            id: id(run, job.id).into(),
            name: source.name.clone(),
            place: format!("{} run {} {}", self.repository, run.run_number, job.name),
            run: Some(self.run_of(run, Some(doing))),
            arguments: Vec::new(),
            seen: job.started_at,
            heard: job.started_at,
            order: run.run_number,
            build,
        }
    }
}

fn runs_path(repository: &str, workflow: Option<&str>, count: usize) -> String {
    match workflow {
        Some(workflow) => {
            format!("/repos/{repository}/actions/workflows/{workflow}/runs?per_page={count}")
        }
        None => format!("/repos/{repository}/actions/runs?per_page={count}"),
    }
}

fn id(run: &RunEntry, job: u64) -> String {
    format!("{}.{}/{job}", run.id, run.run_attempt)
}

/// Tells whether a job that runs is worth a row before its log is there.
fn looks_like_a_build(job: &JobEntry) -> bool {
    let mut names = job.steps.iter().map(|step| &step.name).chain([&job.name]);
    names.any(|name| {
        let name = name.to_lowercase();
        ["build", "docker", "bake", "image"]
            .iter()
            .any(|word| name.contains(word))
    })
}

fn deploy_state(run: &RunEntry) -> DeployState {
    match (run.status.as_deref(), run.conclusion.as_deref()) {
        (Some("completed"), Some("success")) => DeployState::Succeeded,
        (Some("completed"), how) => DeployState::Failed(how.unwrap_or("unknown").replace('_', " ")),
        (Some("in_progress"), _) => DeployState::Running,
        _ => DeployState::Waiting,
    }
}
