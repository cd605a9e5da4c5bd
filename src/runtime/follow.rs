//! A job followed on its host to its end: what it writes is told while it works, and how it ended with its proof.
//!
//! Who listens decides what is done with it: the console puts it into its queue, a command prints it.

use std::time::Duration;

use tokio::time::Instant;

use crate::adapters::jobs::run::Position;
use crate::core::rollout::job::{self, Mark, Progress, StepState};
use crate::core::rollout::plan::TargetPlan;
use crate::core::rollout::{Outcome, Step};

use super::acting::Actor;

/// How often a job's files are looked at.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a host that cannot be asked is left alone.
const AWAY: Duration = Duration::from_secs(2);
/// How long a host may be out of reach before a command stops following; the job goes on.
const OUT_OF_REACH: Duration = Duration::from_secs(300);
/// How often a job may be seen dead and without an end before it is called lost; its last words may be on their way.
const LAST_WORDS: u32 = 5;

/// What is heard of a job before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// How far layers are, at least one.
    Layers(Vec<Progress>),
    Step {
        step: Step,
        state: StepState,
        detail: String,
    },
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub outcome: Outcome,
    pub why: String,
    pub proof: Option<Proof>,
}

/// What ran at the end, as the job saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub image_id: String,
    pub state: String,
    pub health: String,
}

impl Proof {
    /// Returns the words of the journal.
    pub fn words(&self) -> String {
        format!("{} {} {}", self.image_id, self.state, self.health)
    }
}

/// Who opens the way to a host that is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redial {
    /// The session does so by itself, for as long as it lives.
    BySession,
    /// Nobody else does; a host that stays away is given up.
    Here,
}

/// Follows a job to its end; a host out of reach is waited for, as the job goes on there.
pub async fn follow(
    actor: &Actor,
    plan: &TargetPlan,
    redial: Redial,
    tell: &(dyn Fn(Heard) + Sync),
) -> End {
    let mut position = Position::default();
    let mut proof = None;
    let mut reached = Instant::now();
    let mut gone = 0;
    loop {
        let news = match actor.news(&plan.target, &plan.job, position).await {
            Ok(news) => news,
            Err(error) => {
                if redial == Redial::Here && reached.elapsed() > OUT_OF_REACH {
                    let why = format!(
                        "out of reach since a while ({error}); the job goes on: homelab-tui jobs"
                    );
                    return End {
                        outcome: Outcome::Halted,
                        why,
                        proof,
                    };
                }
                tokio::time::sleep(AWAY).await;
                if redial == Redial::Here {
                    // Whether it worked is seen with the next look.
                    let _ = actor.reopen(&plan.target.host).await;
                }
                continue;
            }
        };
        reached = Instant::now();
        position = news.position;
        let layers: Vec<Progress> = news.err.iter().filter_map(|l| job::progress(l)).collect();
        if !layers.is_empty() {
            tell(Heard::Layers(layers));
        }
        for mark in news.out.iter().filter_map(|line| job::mark(line)) {
            match mark {
                Mark::Step {
                    step,
                    state,
                    detail,
                    ..
                } => tell(Heard::Step {
                    step,
                    state,
                    detail,
                }),
                Mark::Proof {
                    image_id,
                    state,
                    health,
                } => {
                    proof = Some(Proof {
                        image_id,
                        state,
                        health,
                    });
                }
                Mark::End { outcome, why, .. } => {
                    return End {
                        outcome,
                        why,
                        proof,
                    };
                }
                Mark::Begin { .. } | Mark::Note(_) => {}
            }
        }
        if news.ended.is_none() && !news.alive {
            gone += 1;
            if gone > LAST_WORDS {
                return End {
                    outcome: Outcome::Halted,
                    why: "the job is gone without an end; look at what runs".to_owned(),
                    proof,
                };
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
