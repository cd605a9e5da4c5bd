//! The console's plans and jobs in the real world: prepared, recorded, started, followed, found again.
//!
//! Values of variables stay here, beside the plan that needs them; the model never has them.

mod found;
mod notes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::adapters::jobs::run::NotStarted;
use crate::app::jobs::PlanWish;
use crate::app::keymap::Keymap;
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::core::mode::Operating;
use crate::core::names::{HostName, ServiceKey};
use crate::core::rollout::Outcome;
use crate::core::rollout::plan::{Plan, TargetPlan, not_begun};

use super::acting::{Actor, Order, Prepared};
use super::follow::{End, Heard, Proof, Redial, follow};
use super::world::Queue;

pub use notes::{identity, note, note_end, note_proven, operator};

/// What the console knows of its plans and jobs beyond the model.
#[derive(Clone)]
pub struct Jobs {
    actor: Actor,
    queue: Queue,
    state: Option<PathBuf>,
    by: Arc<str>,
    /// Plans that were shown and may be started, by job; only the newest ones.
    prepared: Arc<Mutex<BTreeMap<String, Prepared>>>,
    /// Jobs that are followed, so that none is followed twice.
    followed: Arc<Mutex<BTreeSet<String>>>,
    /// Jobs that wait here for the one before them, by name.
    queued: Arc<Mutex<BTreeMap<String, TargetPlan>>>,
}

impl Jobs {
    /// Begins without any plan.
    pub fn new(actor: Actor, queue: Queue, state: Option<PathBuf>) -> Self {
        Self {
            actor,
            queue,
            state,
            by: operator().into(),
            prepared: Arc::default(),
            followed: Arc::default(),
            queued: Arc::default(),
        }
    }

    /// Makes a plan in the background.
    pub fn plan(&self, wish: PlanWish, model: &Model) {
        let (own, model) = (self.clone(), about(model, &wish.targets));
        tokio::spawn(async move {
            let order = Order {
                to: wish.to.clone(),
                take_environment: wish.take_environment,
                toggle_pin: wish.toggle_pin,
                by: own.by.to_string(),
                ..Order::default()
            };
            let id = identity(&own.by, &wish.targets);
            let many = own
                .actor
                .prepare_all(&model, &wish.targets, wish.action, &order, &id)
                .await;
            let result = match (many.prepared.is_empty(), many.unplanned.as_slice()) {
                (true, [(_, why)]) => Err(why.clone()),
                _ => Ok(Box::new(many.plan())),
            };
            if result.is_ok() {
                let mut kept = lock(&own.prepared);
                // A plan that was left for another one is never started.
                kept.clear();
                for one in many.prepared {
                    kept.insert(one.plan.job.clone(), one);
                }
            }
            let number = wish.number;
            let _ = own.queue.send(Msg::Planned { number, result });
        });
    }

    /// Runs the jobs of a plan one after another up to the first that fails, in the background.
    pub fn start(&self, operating: Arc<Operating>, plan: Plan) {
        let own = self.clone();
        let mut lane = Vec::new();
        for one in plan.targets {
            let prepared = lock(&self.prepared).remove(&one.job);
            let prepared = prepared.filter(|prepared| prepared.plan == one);
            lane.push((one, prepared));
        }
        // The first begins at once; the others can be taken back until their turn comes.
        for (one, _) in lane.iter().skip(1) {
            lock(&self.queued).insert(one.job.clone(), one.clone());
        }
        tokio::spawn(async move {
            let mut stopped: Option<String> = None;
            for (place, (one, prepared)) in lane.into_iter().enumerate() {
                let waited = lock(&own.queued).remove(&one.job).is_some();
                if place > 0 && !waited {
                    continue;
                }
                if let Some(why) = &stopped {
                    own.refused(&one, why.clone()).await;
                    continue;
                }
                let job = one.job.clone();
                let _ = own.queue.send(Msg::JobBegun { job });
                match own.run(&operating, &one, prepared).await {
                    Ok(outcome) if outcome <= Outcome::Succeeded => {}
                    Ok(outcome) => {
                        let how = format!("ended {}", outcome.word());
                        stopped = Some(not_begun(&one.target, &how));
                    }
                    Err(()) => stopped = Some(not_begun(&one.target, "could not be begun")),
                }
            }
        });
    }

    /// Records a plan, puts its job on the host and follows it; tells nothing more where it could not be begun.
    async fn run(
        &self,
        operating: &Operating,
        plan: &TargetPlan,
        prepared: Option<Prepared>,
    ) -> Result<Outcome, ()> {
        let Some(prepared) = prepared else {
            let why = "the plan is no longer at hand; ask for it again".to_owned();
            self.ended(plan, Outcome::Refused, why);
            return Err(());
        };
        // The way back is in the journal before the first change.
        self.note(plan, None, None).await;
        let begun = match self.actor.start(operating, &prepared).await {
            Ok(()) => Ok(()),
            Err(NotStarted::Refused(why)) => Err(why),
            Err(NotStarted::Unheard(why)) => {
                let text = format!(
                    "whether job {} began is not known yet ({why}): it is looked for once {} is back",
                    plan.job, plan.target.host
                );
                let _ = self.queue.send(Msg::Trouble(text));
                self.actor.began(plan, false).await
            }
        };
        if let Err(why) = begun {
            self.refused(plan, why).await;
            return Err(());
        }
        Ok(self.follow(plan.clone(), true).await)
    }

    /// Writes down and says that nothing of a plan was begun.
    async fn refused(&self, plan: &TargetPlan, why: String) {
        self.note(plan, Some(Outcome::Refused), Some(why.clone()))
            .await;
        self.ended(plan, Outcome::Refused, why);
    }

    /// Writes down what the console is left before: jobs whose turn did not come.
    pub fn leave(&self) {
        let queued = std::mem::take(&mut *lock(&self.queued));
        let Some(state) = &self.state else {
            return;
        };
        for plan in queued.into_values() {
            let why = "not begun: the console was left before its turn";
            // There is nobody left to tell where this fails.
            let _ = note(state, &plan, Some(Outcome::Refused), Some(why));
        }
    }

    /// Asks a job to stop, in the background.
    pub fn cancel(&self, operating: Arc<Operating>, target: ServiceKey, job: String) {
        let own = self.clone();
        let queued = lock(&self.queued).remove(&job);
        tokio::spawn(async move {
            if let Some(plan) = queued {
                let why = "taken back before its turn".to_owned();
                return own.refused(&plan, why).await;
            }
            if let Err(error) = own.actor.cancel(&operating, &target, &job).await {
                let text = format!("job {job} could not be asked to stop: {error}");
                let _ = own.queue.send(Msg::Trouble(text));
            }
        });
    }

    /// Follows a job to its end; a host out of reach is waited for, as the job goes on there.
    async fn follow(&self, plan: TargetPlan, ours: bool) -> Outcome {
        lock(&self.followed).insert(plan.job.clone());
        let end = self.heard(&plan).await;
        if ours {
            let proof = end.proof.as_ref().map(Proof::words);
            self.write(&plan, Some(end.outcome), Some(end.why.clone()), proof)
                .await;
        }
        lock(&self.followed).remove(&plan.job);
        self.ended(&plan, end.outcome, end.why);
        end.outcome
    }

    async fn heard(&self, plan: &TargetPlan) -> End {
        let tell = |heard| {
            let job = plan.job.clone();
            let _ = self.queue.send(match heard {
                Heard::Layers(layers) => Msg::JobProgress { job, layers },
                Heard::Step {
                    step,
                    state,
                    detail,
                } => Msg::JobStep {
                    job,
                    step,
                    state,
                    detail,
                },
            });
        };
        follow(&self.actor, plan, Redial::BySession, &tell).await
    }

    fn ended(&self, plan: &TargetPlan, outcome: Outcome, why: String) {
        let job = plan.job.clone();
        let _ = self.queue.send(Msg::JobEnded { job, outcome, why });
    }

    async fn note(&self, plan: &TargetPlan, outcome: Option<Outcome>, why: Option<String>) {
        self.write(plan, outcome, why, None).await;
    }

    async fn write(
        &self,
        plan: &TargetPlan,
        outcome: Option<Outcome>,
        why: Option<String>,
        proof: Option<String>,
    ) {
        let Some(state) = self.state.clone() else {
            return;
        };
        let plan = plan.clone();
        let write = move || note_proven(&state, &plan, outcome, why.as_deref(), proof);
        let written = tokio::task::spawn_blocking(write).await;
        let error = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let text = format!("the journal could not be written: {error}");
        let _ = self.queue.send(Msg::Trouble(text));
    }
}

/// Returns what is known of these services' hosts and references, without the rest of the fleet.
fn about(model: &Model, targets: &[ServiceKey]) -> Model {
    let wanted: BTreeSet<&HostName> = targets.iter().map(|key| &key.host).collect();
    let mut settings = model.settings.clone();
    settings.hosts.retain(|host| wanted.contains(&host.name));
    let mut part = Model::new(settings, Keymap::default(), model.now);
    let hosts = model.hosts.iter().zip(&model.judged);
    (part.hosts, part.judged) = hosts
        .filter(|(host, _)| wanted.contains(&host.spec.name))
        .map(|(host, judged)| (host.clone(), judged.clone()))
        .unzip();
    for target in targets {
        let question = model.service(target).and_then(|own| own.question.clone());
        if let Some(question) = question
            && let Some(known) = model.remotes.get(&question)
        {
            part.remotes.insert(question, known.clone());
        }
    }
    part
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
