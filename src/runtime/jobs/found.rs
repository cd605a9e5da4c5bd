//! Jobs that nobody of this session began: found on a host, ended unwatched, or never begun.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::adapters::jobs::past::JobState;
use crate::adapters::journal::Journal;
use crate::app::msg::Msg;
use crate::core::history::Event;
use crate::core::names::HostName;
use crate::core::rollout::Outcome;
use crate::core::rollout::plan::TargetPlan;

use super::{Jobs, lock, note, note_end};

/// How long the start of a job can take until it is on its host; after that it never will be.
const STARTING: SignedDuration = SignedDuration::from_secs(60);
/// How long after its start it is still worth telling that a job was never begun.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(48);

impl Jobs {
    /// Finds the jobs of a host that have not ended and follows them.
    pub async fn find(&self, host: &HostName) {
        // A host without a shell has no jobs of ours; one that cannot be asked now is asked when it is back.
        let Ok(found) = self.actor.jobs(host).await else {
            return;
        };
        let now = Timestamp::now();
        let mut plans = Vec::new();
        let there: BTreeSet<String> = found.iter().map(|job| job.id.clone()).collect();
        let (own, name) = (self.clone(), host.clone());
        tokio::spawn(async move { own.never_begun(&name, there).await });
        for job in found {
            let Ok(mut plan) = serde_json::from_str::<TargetPlan>(&job.plan) else {
                continue;
            };
            // Whoever began it may call the host by another name.
            plan.target.host = host.clone();
            if plan.job != job.id || lock(&self.followed).contains(&plan.job) {
                continue;
            }
            match job.state(now) {
                JobState::Running => plans.push(plan),
                JobState::Done => {
                    let outcome = job.ended.as_deref().and_then(Outcome::from_word);
                    let why = "it ended while nobody watched".to_owned();
                    self.unwatched(plan, outcome.unwrap_or(Outcome::Halted), why, false)
                        .await;
                }
                JobState::Lost => {
                    let mut why = "the job is gone without an end: its host restarted, or it was killed; look at what runs".to_owned();
                    if plan.hands_over() {
                        why.push_str(&format!(
                            "; where {} is still there, the next update or recreate of {} first brings it to its end",
                            plan.former_name(),
                            plan.target
                        ));
                    }
                    self.unwatched(plan, Outcome::Halted, why, true).await;
                }
            }
        }
        if plans.is_empty() {
            return;
        }
        let told = plans.clone();
        let _ = self.queue.send(Msg::JobsFound { plans: told });
        for plan in plans {
            if !lock(&self.followed).insert(plan.job.clone()) {
                continue;
            }
            let own = self.clone();
            tokio::spawn(async move {
                own.follow(plan, false).await;
            });
        }
    }

    /// Says once of jobs that were written down and then never came to their host, as their console was killed before.
    async fn never_begun(&self, host: &HostName, mut there: BTreeSet<String>) {
        let open = |events: &[Event], there: &BTreeSet<String>| -> Vec<Event> {
            let mut last: BTreeMap<&str, &Event> = BTreeMap::new();
            for event in events {
                if let Some(job) = event.job.as_deref() {
                    last.insert(job, event);
                }
            }
            let now = Timestamp::now();
            let recent = |event: &Event| now.duration_since(event.at) < FORGOTTEN;
            let of_host = format!("{host}/");
            last.into_iter()
                .filter(|(job, event)| {
                    event.outcome.is_none()
                        && event.target.starts_with(&of_host)
                        && recent(event)
                        && !there.contains(*job)
                })
                .map(|(_, event)| event.clone())
                .collect()
        };
        if open(&self.actor.own_journal().await, &there).is_empty() {
            return;
        }
        // Another console may be about to begin it: only after that time it never will be.
        tokio::time::sleep(STARTING.unsigned_abs()).await;
        let Ok(found) = self.actor.jobs(host).await else {
            return;
        };
        there.extend(found.into_iter().map(|job| job.id));
        there.extend(lock(&self.followed).iter().cloned());
        let Ok(of_host) = self.actor.journal(host).await else {
            return;
        };
        there.extend(of_host.into_iter().filter_map(|event| event.job));
        for event in open(&self.actor.own_journal().await, &there) {
            let now = Timestamp::now();
            if now.duration_since(event.at) < STARTING {
                continue;
            }
            let text = format!(
                "{} {} was not begun: the console ended before its job was on {host}; nothing was touched",
                event.action, event.target
            );
            let line = Event {
                at: now,
                outcome: Some(Outcome::Refused.word().to_owned()),
                why: Some("not begun: the console ended before its job was on the host".to_owned()),
                ..event
            };
            if let Some(state) = self.state.clone() {
                let written =
                    tokio::task::spawn_blocking(move || Journal::in_folder(&state).append(&line));
                // It is said all the same.
                let _ = written.await;
            }
            let _ = self.queue.send(Msg::Trouble(text));
        }
    }

    /// Says once how a job ended that nobody watched: one of the operator's own, or one that was lost.
    async fn unwatched(&self, plan: TargetPlan, outcome: Outcome, why: String, lost: bool) {
        let Some(state) = self.state.clone() else {
            return;
        };
        let (noted, words) = (plan.clone(), why.clone());
        let open = tokio::task::spawn_blocking(move || {
            note_end(&state, &noted, outcome, &words).and_then(|open| {
                let journal = Journal::in_folder(&state);
                let known = |event: &Event| event.job.as_deref() == Some(noted.job.as_str());
                let new = lost && !open && !journal.read().iter().any(known);
                if new {
                    note(&state, &noted, Some(outcome), Some(&words))?;
                }
                Ok(open || new)
            })
        });
        if matches!(open.await, Ok(Ok(true))) {
            let plans = vec![plan.clone()];
            let _ = self.queue.send(Msg::JobsFound { plans });
            self.ended(&plan, outcome, why);
        }
    }
}
