//! What an action tells, one JSON object a line.

use serde::Serialize;

use crate::core::rollout::plan::{ImageState, TargetPlan};
use crate::core::rollout::steps::{self, AtNeed};
use crate::runtime::follow;

/// One line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    Plan(PlanLine),
    Step {
        id: String,
        target: String,
        step: &'static str,
        state: &'static str,
        detail: Option<String>,
    },
    Progress {
        id: String,
        target: String,
        layer: String,
        current: u64,
        total: Option<u64>,
    },
    Started {
        id: String,
        targets: Vec<StartedTarget>,
    },
    Done {
        id: String,
        outcome: &'static str,
        targets: Vec<DoneTarget>,
    },
}

/// The plan, as it would run.
#[derive(Debug, Clone, Serialize)]
pub struct PlanLine {
    pub id: String,
    pub action: &'static str,
    /// By which rule several projects are ordered.
    pub order: Option<String>,
    pub targets: Vec<PlanTarget>,
}

/// The plan of one target.
#[derive(Debug, Clone, Serialize)]
pub struct PlanTarget {
    pub target: String,
    pub job: String,
    pub from: ImageState,
    pub to: ImageState,
    pub fetch_bytes: Option<u64>,
    /// By what the host fetched before; null where it never fetched for long enough to tell.
    pub fetch_seconds: Option<u64>,
    pub free_bytes: Option<u64>,
    pub differences: Vec<String>,
    pub argv: Vec<Vec<String>>,
    /// Commands that are run only where they are needed.
    pub at_need: Vec<AtNeed>,
    pub folder: String,
    pub dependents: Vec<String>,
    pub pinned: Option<&'static str>,
    pub taken_over: Vec<String>,
    pub warnings: Vec<String>,
    pub undo: String,
    pub blocked: Option<String>,
}

/// A target whose job runs.
#[derive(Debug, Clone, Serialize)]
pub struct StartedTarget {
    pub target: String,
    pub job: String,
}

/// How a target ended.
#[derive(Debug, Clone, Serialize)]
pub struct DoneTarget {
    pub target: String,
    pub job: Option<String>,
    pub outcome: &'static str,
    pub why: String,
    pub proof: Option<Proof>,
}

/// What runs at the end.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    pub image_id: String,
    pub manifest: Option<String>,
    pub state: String,
    pub health: Option<String>,
}

impl Proof {
    /// Shows what a job proved; the manifest is known where the image is the one that the plan led to.
    pub fn of(plan: &TargetPlan, proof: &follow::Proof) -> Self {
        let planned = plan.to.image_id.as_ref().map(ToString::to_string);
        let manifest = plan.to.manifest.as_ref().map(ToString::to_string);
        Self {
            manifest: manifest.filter(|_| planned.as_deref() == Some(&proof.image_id)),
            image_id: proof.image_id.clone(),
            state: proof.state.clone(),
            health: Some(proof.health.clone()).filter(|health| health != "none"),
        }
    }
}

impl PlanTarget {
    /// Shows a plan; what would undo it is among the warnings.
    pub fn of(plan: &TargetPlan) -> Self {
        use crate::core::rollout::pin::How;
        let mut warnings = plan.warnings.clone();
        warnings.extend(plan.undone_by.iter().map(|by| format!("undone by: {by}")));
        Self {
            target: plan.target.to_string(),
            job: plan.job.clone(),
            from: plan.from.clone(),
            to: plan.to.clone(),
            fetch_bytes: plan.fetch_bytes,
            fetch_seconds: None,
            free_bytes: plan.free_bytes,
            differences: plan.differences.clone(),
            argv: plan.argv.clone(),
            at_need: steps::at_need(plan),
            folder: plan.folder.clone(),
            dependents: plan.dependents.clone(),
            pinned: plan.pin.as_ref().map(|pin| match pin.how {
                How::Override => "override",
                How::Env => "env",
            }),
            taken_over: plan.taken_over.clone(),
            warnings,
            undo: plan.undo.clone(),
            blocked: plan.blocked_with_way_out(),
        }
    }
}
