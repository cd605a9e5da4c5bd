//! Jumps of the wall clock: a small machine starts without knowing the time and learns it minutes later.
//!
//! What is due goes by the time since the start and does not notice. What was seen at a time that never was is looked
//! at again.

use jiff::SignedDuration;

use crate::core::watch::Scope;

use super::super::model::{Link, Model};
use super::super::msg::Now;
use super::super::wall::is_set;

/// A difference below this is no jump.
const JUMP: SignedDuration = SignedDuration::from_mins(5);

/// Compares the clocks and does what a jump asks for.
pub fn watch(model: &mut Model, before: Now, now: Now) {
    let passed = now.since_start.saturating_sub(before.since_start);
    let passed = SignedDuration::try_from(passed).unwrap_or_default();
    let jump = now.wall.duration_since(before.wall) - passed;
    if jump.abs() < JUMP {
        return;
    }
    model.dirty = true;
    let was_set = is_set(before.wall);
    for host in &mut model.hosts {
        if host.link == Link::Up {
            host.wanted = Some((now.since_start, Scope::All));
        }
        // Of a time before the clock was set only the distance to now is true.
        if let Some(since) = host.since.filter(|since| !was_set && !is_set(*since)) {
            host.since = since.checked_add(jump).ok();
        }
    }
    for remote in model.remotes.values_mut() {
        // Certificates may have looked not yet valid, or no longer.
        let waits = remote
            .remote
            .failure
            .as_ref()
            .and_then(|(_, failure)| failure.retry_after);
        if waits.is_none() && remote.due != std::time::Duration::MAX {
            remote.due = now.since_start;
        }
    }
    if let Some(changed) = model
        .changed_at
        .filter(|changed| !was_set && !is_set(*changed))
    {
        model.changed_at = changed.checked_add(jump).ok();
    }
}
