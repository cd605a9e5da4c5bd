//! The history that a builder keeps, through `docker buildx history` on its host: finished builds and running ones.
//!
//! While somebody looks, the list is compared on the host, so that nothing goes over the wire while nothing is built;
//! a running build is followed by its own events.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;

use crate::adapters::shell::{Limits, Outcome, PREPARE, ScriptError, join, quote};
use crate::core::build_log::Status;
use crate::core::builds::{BuildNews, BuildRecord, RefusedLog, SourceFailure};
use crate::core::settings::BuildSource;
use crate::core::text::clean_within;

use super::collect::Collector;
use super::listing::Listing;
use super::{LAST, Site, unreadable};

/// How many running builds are followed at once: a connection has only so many channels.
const AT_ONCE: usize = 3;
/// The largest events of one build that are replayed.
const LARGEST: usize = 16 << 20;
const REPLAY: Limits = Limits {
    time: Duration::from_secs(60),
    bytes: LARGEST,
};
/// The line between a build's facts and its events.
const NEXT: &str = "homelab-tui-next";
/// How long a builder without a history is left alone.
const NO_HISTORY: u64 = 600;

/// What was read of a builder's history.
#[derive(Default)]
pub(super) struct History {
    /// Finished builds that were told.
    told: BTreeSet<String>,
    running: BTreeMap<String, Follower>,
}

/// A task that follows a running build, ended with its owner.
struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A line of the list.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    created_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

/// What the builder tells of a build beside its events.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Facts {
    status: String,
    #[serde(rename = "VCSRevision")]
    vcs_revision: Option<String>,
    labels: Option<Vec<Pair>>,
    build_args: Option<Vec<Pair>>,
    attachments: Option<Vec<Attachment>>,
    started_at: Option<Timestamp>,
    duration: Option<i64>,
    error: Option<ErrorFacts>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    digest: String,
    #[serde(default)]
    r#type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorFacts {
    message: String,
}

impl Listing for History {
    const WHAT: &'static str = "the builder's history";
    const LARGEST: usize = 4 << 20;

    fn command(&self, site: &Site) -> String {
        format!(
            "{} buildx history ls --no-trunc --format json",
            join(&site.docker)
        )
    }

    fn script(&self, command: &str) -> String {
        format!("{PREPARE}\n{command}")
    }

    fn judge(&self, outcome: &Outcome) -> Result<(), SourceFailure> {
        match outcome.code {
            0 => Ok(()),
            _ => Err(no_history(outcome)),
        }
    }

    /// Follows what runs in a list, and replays what has ended and was not told yet, the newest last.
    async fn take(
        &mut self,
        listing: &str,
        source: &BuildSource,
        site: &Site,
    ) -> Result<(), SourceFailure> {
        let mut listed: Vec<Listed> = listing
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|listed: &Listed| is_reference(&listed.reference))
            .collect();
        listed.sort_by_key(|listed| std::cmp::Reverse(listed.created_at));
        listed.truncate(LAST);
        let there: BTreeSet<&str> = listed.iter().map(|own| own.reference.as_str()).collect();
        // What the builder let go of will not come again.
        self.told
            .retain(|reference| there.contains(reference.as_str()));
        for own in listed.iter().filter(|own| own.is_running()) {
            self.running.retain(|_, follower| !follower.0.is_finished());
            if !self.running.contains_key(&own.reference) && self.running.len() < AT_ONCE {
                let task = tokio::spawn(follow_running(
                    own.log(source, site),
                    own.short().to_owned(),
                    site.clone(),
                    source.clone(),
                ));
                self.running.insert(own.reference.clone(), Follower(task));
            }
        }
        for own in listed.iter().rev().filter(|own| !own.is_running()) {
            if self.told.contains(&own.reference) {
                continue;
            }
            self.running.remove(&own.reference);
            self.replay(own, source, site).await?;
            self.told.insert(own.reference.clone());
        }
        Ok(())
    }
}

impl History {
    /// Reads all of a build that has ended.
    async fn replay(
        &mut self,
        own: &Listed,
        source: &BuildSource,
        site: &Site,
    ) -> Result<(), SourceFailure> {
        let docker = join(&site.docker);
        let reference = quote(own.short());
        // buildx writes events to its standard error.
        let script = format!(
            "{PREPARE}\n{docker} buildx history inspect --format json {reference}; echo; echo {NEXT}\n{docker} buildx history logs --progress rawjson {reference} 2>&1"
        );
        let outcome = match site.place.run(&script, REPLAY).await {
            Ok(outcome) => outcome,
            Err(ScriptError::Large(_)) => {
                site.tell(BuildNews::Refused(RefusedLog {
                    source: format!("{} {}", source.name, own.short()),
                    why: format!("its events are larger than {} MB", LARGEST >> 20),
                    remedy: "read its plain log with `builds parse`".to_owned(),
                }));
                return Ok(());
            }
            Err(error) => return Err(unreadable("replaying a build", &error)),
        };
        let (facts, events) = split(&outcome.stdout);
        let facts: Facts = serde_json::from_slice(facts).unwrap_or_default();
        let mut log = own.log(source, site);
        let heard = own
            .completed_at
            .or(own.created_at)
            .unwrap_or_else(Timestamp::now);
        log.feed(events);
        let found = log.finish(source, heard);
        // A build without any step of a Dockerfile is none, such as a bake file that is only read.
        let records: Vec<BuildRecord> = found
            .into_iter()
            .take(1)
            .map(|record| own.complete(record, &facts))
            .collect();
        if !records.is_empty() {
            site.tell(BuildNews::Found(records));
        }
        Ok(())
    }
}

impl Listed {
    fn is_running(&self) -> bool {
        self.status.eq_ignore_ascii_case("running") || self.completed_at.is_none()
    }

    /// Returns the last part, which is enough for the builder in use.
    fn short(&self) -> &str {
        self.reference.rsplit('/').next().unwrap_or(&self.reference)
    }

    fn log(&self, source: &BuildSource, _: &Site) -> Collector {
        let place = format!("history of {}: {}", source.name, self.name);
        Collector::of_one(place.trim_end_matches(": "), &self.reference)
    }

    /// Adds what the builder knows better than its events.
    fn complete(&self, mut record: BuildRecord, facts: &Facts) -> BuildRecord {
        let build = &mut record.build;
        let status = if facts.status.is_empty() {
            &self.status
        } else {
            &facts.status
        };
        match status.to_ascii_lowercase().as_str() {
            "completed" => build.status = Status::Succeeded,
            "canceled" | "cancelled" => build.status = Status::Cancelled,
            "error" | "failed" => build.status = Status::Failed,
            _ => {}
        }
        if build.status != Status::Succeeded && build.error.is_none() {
            let message = facts.error.as_ref().map(|error| error.message.trim());
            build.error = message
                .filter(|message| !message.is_empty())
                .map(|message| clean_within(message, 600));
        }
        build.started = facts.started_at.or(self.created_at).or(build.started);
        let told = facts.duration.map(|nanos| nanos as f64 / 1e9);
        let between = self.created_at.zip(self.completed_at);
        let between = between.map(|(from, to)| to.duration_since(from).as_secs_f64());
        build.seconds = told.or(between).or(build.seconds);
        let label = |name: &str| {
            let mut labels = facts.labels.iter().flatten();
            labels
                .find(|pair| pair.name == name)
                .map(|pair| pair.value.clone())
        };
        build.revision = label("org.opencontainers.image.revision")
            .or_else(|| facts.vcs_revision.clone())
            .or(build.revision.take());
        let of_type = |kind: &str| {
            let mut all = facts.attachments.iter().flatten();
            all.find(|one| one.r#type.contains(kind))
                .map(|one| one.digest.clone())
        };
        let exported = of_type("image.index")
            .or_else(|| of_type("manifest.list"))
            .or_else(|| of_type("image.manifest"))
            .or_else(|| of_type("distribution.manifest"));
        build.digest = exported.or(build.digest.take());
        record.arguments = facts
            .build_args
            .iter()
            .flatten()
            .map(|pair| {
                // The value may be a secret: only whether it changed is of interest.
                let mut hasher = DefaultHasher::new();
                pair.value.hash(&mut hasher);
                (pair.name.clone(), hasher.finish())
            })
            .collect();
        record.heard = self.completed_at.or(record.heard);
        record
    }
}

/// Follows the events of a build until it ends.
async fn follow_running(mut log: Collector, reference: String, site: Site, source: BuildSource) {
    let script = format!(
        "{PREPARE}; exec {} buildx history logs --progress rawjson {} 2>&1",
        join(&site.docker),
        quote(&reference)
    );
    let argv = ["sh".to_owned(), "-c".to_owned(), script];
    let Ok(mut process) = site.place.start(&argv).await else {
        return;
    };
    let mut portion = vec![0; 64 << 10];
    loop {
        // Its end is told by the list, which knows how it ended.
        let count = match process.stdout.read(&mut portion).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        log.feed(&portion[..count]);
        let mut found = log.news(&source, Timestamp::now(), true);
        found.retain(|record| !record.build.step_list.is_empty() || record.is_running());
        for record in &mut found {
            record.build.status = Status::Running;
        }
        if !found.is_empty() {
            site.tell(BuildNews::Found(found));
        }
    }
}

/// Parts a build's facts from its events.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let next = format!("\n{NEXT}\n");
    match memchr::memmem::find(bytes, next.as_bytes()) {
        Some(at) => (&bytes[..at], &bytes[at + next.len()..]),
        None => (&[], bytes),
    }
}

fn is_reference(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    !text.is_empty() && text.len() < 300 && !text.starts_with('-') && text.chars().all(plain)
}

fn no_history(outcome: &Outcome) -> SourceFailure {
    let said = clean_within(outcome.stderr.trim(), 300);
    let lower = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let mut failure = if has(&["unimplemented", "unknown method"]) {
        SourceFailure::new(
            "the builder keeps no history",
            "engine 26 or later has one; else give its log as a file",
        )
    } else if has(&[
        "unknown flag",
        "unknown command",
        "not a docker command",
        "unknown shorthand",
    ]) {
        SourceFailure::new(
            "buildx on the host has no `history`",
            "install buildx 0.20 or later there",
        )
    } else {
        let what = format!("docker buildx history ended with {}: {said}", outcome.code);
        return SourceFailure::new(what, "tried again by itself");
    };
    failure.retry_after = Some(NO_HISTORY);
    failure
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Mutex};

    use super::super::listing;
    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::adapters::shell::Place;
    use crate::core::settings::BuildOrigin;

    const LIST: &str = r#"{"cached_steps":2,"completed_at":"2026-11-21T07:12:33.8Z","completed_steps":7,"created_at":"2026-11-21T07:12:30.8Z","name":"build","ref":"default/default/abc1","status":"Completed","total_steps":7}"#;
    const FACTS: &str = r#"{"Name":"bt","Status":"completed","StartedAt":"2026-11-21T07:12:30.8Z","Duration":3000000000,"Labels":[{"Name":"org.opencontainers.image.revision","Value":"c6bc9192477235443d6e4f6087a0037fb3636b5f"}],"BuildArgs":[{"Name":"VERSION","Value":"1"}],"Attachments":[{"Digest":"sha256:57707fd409a678d03d42079dd896d95f7555aa16dfed6f2a1c9e1ae79fec7638","Type":"application/vnd.oci.image.index.v1+json"}]}"#;
    const EVENTS: &str = r#"{"vertexes":[{"digest":"sha256:1","name":"[internal] load build definition from Dockerfile","started":"2026-11-21T07:12:30.8Z","completed":"2026-11-21T07:12:30.9Z"},{"digest":"sha256:2","name":"[1/2] FROM a","started":"2026-11-21T07:12:31Z","completed":"2026-11-21T07:12:31Z"},{"digest":"sha256:3","name":"[2/2] RUN b","started":"2026-11-21T07:12:31Z","completed":"2026-11-21T07:12:33Z"}]}"#;

    /// A docker command that answers from files: what buildx said on a real host.
    fn stand_in(folder: &Scratch, script: &str) -> Vec<String> {
        let path = folder.path().join("docker");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        vec![path.display().to_string()]
    }

    async fn told(docker: Vec<String>) -> (Vec<BuildNews>, Option<SourceFailure>) {
        let source = BuildSource {
            name: "builder".to_owned(),
            image: None,
            from: BuildOrigin::Buildx { host: "vps".into() },
            deploys: Vec::new(),
        };
        let news: Arc<Mutex<Vec<BuildNews>>> = Arc::default();
        let kept = news.clone();
        let site = Site {
            place: Place::Here,
            docker,
            closely: tokio::sync::watch::channel(false).1,
            pause: Duration::from_secs(600),
            report: Arc::new(move |one| kept.lock().unwrap().push(one)),
        };
        let mut history = History::default();
        let failed = tokio::time::timeout(
            Duration::from_secs(3),
            listing::follow(&mut history, &source, &site),
        )
        .await;
        let news = std::mem::take(&mut *news.lock().unwrap());
        (news, failed.ok())
    }

    #[tokio::test]
    async fn a_finished_build_is_replayed_with_what_the_builder_knows() {
        let folder = Scratch::create();
        let script = format!(
            "case \"$3\" in ls) cat <<'E'\n{LIST}\nE\n;; inspect) cat <<'E'\n{FACTS}\nE\n;; logs) cat >&2 <<'E'\n{EVENTS}\nE\n;; esac"
        );
        let (news, _) = told(stand_in(&folder, &script)).await;
        let BuildNews::Found(found) = &news[0] else {
            panic!("{news:?}");
        };
        let build = &found[0].build;
        assert_eq!(
            (build.status, build.seconds, build.steps.executed),
            (Status::Succeeded, Some(3.0), 1)
        );
        assert_eq!(
            build.revision.as_deref(),
            Some("c6bc9192477235443d6e4f6087a0037fb3636b5f")
        );
        assert!(build.digest.as_ref().unwrap().starts_with("sha256:57707"));
        assert_eq!(found[0].arguments[0].0, "VERSION");
        assert!(news.contains(&BuildNews::CaughtUp));
    }

    #[tokio::test]
    async fn a_builder_without_history_says_what_is_needed() {
        let folder = Scratch::create();
        let (_, failed) = told(stand_in(&folder, "echo 'ERROR: rpc error: code = Unimplemented desc = unknown method ListenBuildHistory' >&2; exit 1")).await;
        assert_eq!(failed.unwrap().what, "the builder keeps no history");
        let (_, failed) = told(stand_in(
            &folder,
            "echo 'unknown flag: --no-trunc' >&2; exit 125",
        ))
        .await;
        assert!(failed.unwrap().remedy.contains("buildx 0.20"));
    }
}
