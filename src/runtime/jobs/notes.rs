//! What the operator's own journal is told of jobs, and the names of who acts and of what is done.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::adapters::journal::Journal;
use crate::core::history::Event;
use crate::core::names::ServiceKey;
use crate::core::rollout::Outcome;
use crate::core::rollout::plan::TargetPlan;

/// Appends what is intended, or how it ended, to the operator's journal.
///
/// # Errors
/// If it could not be written.
pub fn note(
    state: &Path,
    plan: &TargetPlan,
    outcome: Option<Outcome>,
    why: Option<&str>,
) -> io::Result<()> {
    note_proven(state, plan, outcome, why, None)
}

/// Appends how it ended with what ran then to the operator's journal.
///
/// # Errors
/// If it could not be written.
pub fn note_proven(
    state: &Path,
    plan: &TargetPlan,
    outcome: Option<Outcome>,
    why: Option<&str>,
    proof: Option<String>,
) -> io::Result<()> {
    Journal::in_folder(state).append(&Event {
        at: Timestamp::now(),
        by: plan.by.clone(),
        action: plan.action.word().to_owned(),
        target: plan.target.to_string(),
        from: Some(plan.from.clone()),
        to: Some(plan.to.clone()),
        outcome: outcome.map(|outcome| outcome.word().to_owned()),
        why: why.map(str::to_owned),
        reason: plan.reason.clone(),
        job: Some(plan.job.clone()),
        pin: plan.pin.as_ref().map(|pin| pin.how.word().to_owned()),
        argv: plan.argv.clone(),
        proof,
    })
}

/// Appends how a job ended where the operator's journal knows only that it began; tells whether it did not.
///
/// # Errors
/// If it could not be written.
pub fn note_end(state: &Path, plan: &TargetPlan, outcome: Outcome, why: &str) -> io::Result<bool> {
    let events = Journal::in_folder(state).read();
    let mut own = events
        .iter()
        .filter(|event| event.job.as_deref() == Some(plan.job.as_str()))
        .peekable();
    let open = own.peek().is_some() && own.all(|event| event.outcome.is_none());
    if open {
        note(state, plan, Some(outcome), Some(why))?;
    }
    Ok(open)
}

/// Says who acts, as the journal and the lock show it.
pub fn operator() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname");
    format!(
        "{}@{}",
        user.unwrap_or_else(|_| "operator".to_owned()),
        machine.as_deref().map_or("here", str::trim)
    )
}

/// Makes an identity that no other plan has: of the moment, the process and what is meant.
pub fn identity(by: &str, keys: &[ServiceKey]) -> String {
    let mut hash = Sha256::new();
    let now = Timestamp::now();
    hash.update(format!(
        "{} {} {by} {keys:?}",
        now.as_nanosecond(),
        std::process::id()
    ));
    let bytes = hash.finalize();
    let seconds = now.strftime("%Y%m%d-%H%M%S");
    format!("{seconds}-{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2])
}
