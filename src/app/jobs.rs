//! Plans that are shown and jobs that run, as the console knows them.
//!
//! It holds no values of variables and no way to a host: what it knows may be drawn and written down.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::names::ServiceKey;
use crate::core::rollout::job::{Progress, StepState};
use crate::core::rollout::plan::{ImageState, Plan, TargetPlan, confirmation};
use crate::core::rollout::{Action, Outcome, Step};

use super::judge::ServiceView;
use super::model::Model;

/// How many layers of one job are counted; what a host says has no end otherwise.
const LAYERS: usize = 512;

/// What an operator wants to see the plan of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanWish {
    /// Tells the answer to this wish from the answer to an earlier one.
    pub number: u64,
    /// One service, or several that are acted on one after another.
    pub targets: Vec<ServiceKey>,
    /// Services that were meant too and that nothing can be done to, and why.
    pub hindered: Vec<(ServiceKey, String)>,
    pub action: Action,
    /// Where to, for a rollback: a tag or a digest; else the former image.
    pub to: Option<String>,
    /// Whether variables are taken over from the running container.
    pub take_environment: bool,
    /// Whether a pin is lifted where there is one.
    pub toggle_pin: bool,
    /// Whether only what would change beside the image is to be seen; such a plan is never started.
    pub only_config: bool,
}

impl PlanWish {
    /// Returns all services that were meant, whether something can be done to them or not.
    pub fn meant(&self) -> Vec<ServiceKey> {
        let hindered = self.hindered.iter().map(|(key, _)| key);
        self.targets.iter().chain(hindered).cloned().collect()
    }
}

/// A plan that is shown, and what was typed at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    pub wish: PlanWish,
    pub stage: Stage,
    /// Services whose names have to be typed.
    pub protected: Vec<ServiceKey>,
    pub typed: String,
    /// Whether the job's script is shown in place of the plan.
    pub script: bool,
    pub scroll: usize,
}

/// How far the plan is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The host is being asked.
    Looking,
    /// There is no plan, and why.
    Failed(String),
    /// This is what would run; perhaps it says why it may not.
    Ready(Box<Plan>),
}

impl Dialog {
    /// Opens without a plan.
    pub fn new(wish: PlanWish) -> Self {
        Self {
            wish,
            stage: Stage::Looking,
            protected: Vec::new(),
            typed: String::new(),
            script: false,
            scroll: 0,
        }
    }

    /// Returns the plan, whether it may run or not.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stage {
            Stage::Ready(plan) => Some(plan),
            Stage::Looking | Stage::Failed(_) => None,
        }
    }

    /// Returns the plan if it may run.
    pub fn startable(&self) -> Option<&Plan> {
        self.plan()
            .filter(|plan| plan.may_run() && !self.wish.only_config)
    }

    /// Returns what has to be typed, if something has to be: the protected services' names, in the order of the plan.
    pub fn name_wanted(&self) -> Option<String> {
        let plan = self.startable()?;
        let targets = plan.targets.iter().map(|plan| &plan.target);
        let wanted = confirmation(targets.filter(|key| self.protected.contains(key)));
        (!wanted.is_empty()).then_some(wanted)
    }

    /// Tells whether variables could be taken over to make the plan possible.
    pub fn offers_variables(&self) -> bool {
        let could = |plan: &TargetPlan| plan.blocked.is_some() && !plan.could_take.is_empty();
        !self.wish.take_environment
            && !self.wish.only_config
            && self
                .plan()
                .is_some_and(|plan| plan.targets.iter().any(could))
    }

    /// Tells whether the rest could run without what is in the way.
    pub fn offers_leaving_out(&self) -> bool {
        let free = |plan: &TargetPlan| plan.blocked.is_none();
        !self.wish.only_config
            && self
                .plan()
                .is_some_and(|plan| plan.in_the_way() > 0 && plan.targets.iter().any(free))
    }

    /// Returns the action that the plan has, which may be another than the one asked for.
    pub fn action(&self) -> Action {
        let only = self.plan().and_then(Plan::only);
        only.map_or(self.wish.action, |plan| plan.action)
    }
}

/// A job on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    pub target: ServiceKey,
    pub action: Action,
    /// Who asked for it.
    pub by: String,
    /// What is to be fetched in all, where that is known.
    pub fetch_bytes: Option<u64>,
    pub began: Timestamp,
    /// Whether it waits in this console for the one before it.
    pub queued: bool,
    /// The step it was last heard to be at.
    pub step: Option<(Step, StepState)>,
    pub detail: String,
    /// By layer, what was fetched.
    layers: BTreeMap<String, u64>,
    /// Whether it was asked to stop.
    pub cancelled: bool,
    pub ended: Option<(Outcome, String)>,
}

impl Job {
    /// Takes up a job that was started, or found.
    pub fn of(plan: &TargetPlan, began: Timestamp) -> Self {
        Self {
            id: plan.job.clone(),
            target: plan.target.clone(),
            action: plan.action,
            by: plan.by.clone(),
            fetch_bytes: plan.fetch_bytes.filter(|bytes| *bytes > 0),
            began,
            queued: false,
            step: None,
            detail: String::new(),
            layers: BTreeMap::new(),
            cancelled: false,
            ended: None,
        }
    }

    /// Tells whether it goes on, as far as is known.
    pub fn runs(&self) -> bool {
        self.ended.is_none()
    }

    /// Counts what was fetched.
    pub fn count(&mut self, progress: Progress) {
        let known = self.layers.contains_key(&progress.layer);
        if known || self.layers.len() < LAYERS {
            let bytes = self.layers.entry(progress.layer).or_default();
            *bytes = progress.current.max(*bytes);
        }
    }

    /// Returns what was fetched so far.
    pub fn fetched(&self) -> u64 {
        self.layers
            .values()
            .fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Says what it does now, in one or two words.
    pub fn word(&self) -> &'static str {
        match (&self.ended, self.step) {
            (Some((outcome, _)), _) => outcome.word(),
            (None, None) if self.queued => "queued",
            (None, None) => "starting",
            (None, Some((Step::Keep, _))) => "keeping",
            (None, Some((Step::Pull, _))) => "pulling",
            (None, Some((Step::Recreate, _))) => "recreating",
            (None, Some((Step::Wait, _))) => "waiting",
            (None, Some((Step::Prove, _))) => "proving",
            (None, Some((Step::PutBack, _))) => "putting back",
        }
    }

    /// Says what it is: the action and its target.
    pub fn title(&self) -> String {
        format!("{} {}", self.action.word(), self.target)
    }
}

/// Says how to hear of the jobs that go on after the console is left, and what is not begun by then.
pub fn farewell(model: &Model) -> Vec<String> {
    let running = model.jobs.iter().filter(|job| job.runs());
    running
        .map(|job| {
            if job.queued {
                return format!(
                    "{} was not begun: the console was left before its turn",
                    job.title()
                );
            }
            format!(
                "{} goes on on {}: homelab-tui jobs follow {}",
                job.title(),
                job.target.host,
                job.id
            )
        })
        .collect()
}

/// Returns the running job that is about a service, else the only one there is.
pub fn running<'a>(model: &'a Model, service: Option<&ServiceKey>) -> Option<&'a Job> {
    let mut all = model.jobs.iter().filter(|job| job.runs());
    let own = all.clone().find(|job| Some(&job.target) == service);
    own.or_else(|| all.next().filter(|_| all.next().is_none()))
}

/// Returns what a service runs, as plans name it.
pub fn running_image(service: &ServiceView) -> ImageState {
    ImageState {
        reference: service.reference.clone(),
        digest: service.running.digests.first().cloned(),
        manifest: service.running.manifest.clone().or_else(|| {
            let same = service.registry.digest.as_ref();
            let named = same.is_some_and(|top| service.running.digests.contains(top));
            service.registry.manifest.clone().filter(|_| named)
        }),
        image_id: Some(service.running.image_id.clone()),
        created: service.running.created,
        revision: service.running.revision.clone(),
    }
}
