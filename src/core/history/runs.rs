//! Which images a service ran, and when, as its history tells it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Entry, image_id, reference};
use crate::core::digest::ImageId;
use crate::core::former_run::FormerRun;
use crate::core::rollout::plan::ImageState;

/// Returns what a service ran, oldest first.
pub fn former_runs<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    target: &str,
) -> Vec<FormerRun> {
    let mut own: Vec<&Entry> = entries
        .into_iter()
        .filter(|entry| entry.event.target == target)
        .collect();
    own.sort_by_key(|entry| entry.event.at);
    let mut runs: BTreeMap<ImageId, FormerRun> = BTreeMap::new();
    for entry in own {
        let event = &entry.event;
        let outcome = event.outcome.as_deref();
        let changed = event.is_seen()
            || matches!(
                event.action.as_str(),
                "recreate" | "update" | "rollback" | "pin"
            );
        // What was there when a job began had run, whatever became of the job.
        let from_until = if changed && outcome == Some("succeeded") || event.is_seen() {
            entry.began
        } else {
            event.at
        };
        saw(&mut runs, event.from.as_ref(), from_until, false);
        let moved = image_id(&event.from) != image_id(&event.to);
        match outcome {
            _ if event.is_seen() => saw(&mut runs, event.to.as_ref(), event.at, false),
            Some("succeeded") if changed => saw(&mut runs, event.to.as_ref(), event.at, false),
            Some("put-back") if moved => saw(&mut runs, event.to.as_ref(), event.at, true),
            _ => {}
        }
    }
    let mut list: Vec<FormerRun> = runs.into_values().collect();
    list.sort_by_key(|run| run.last_seen);
    list
}

fn saw(
    runs: &mut BTreeMap<ImageId, FormerRun>,
    state: Option<&ImageState>,
    at: Timestamp,
    put_back: bool,
) {
    let Some(state) = state else {
        return;
    };
    let (Some(id), Some(reference)) = (state.image_id.clone(), reference(state)) else {
        return;
    };
    let run = runs.entry(id.clone()).or_insert_with(|| FormerRun {
        reference,
        top: None,
        manifest: None,
        image_id: id,
        config: None,
        created: None,
        revision: None,
        first_seen: at,
        last_seen: at,
        put_back,
    });
    run.first_seen = run.first_seen.min(at);
    run.last_seen = run.last_seen.max(at);
    // An image that once did well is no failure because of a later one.
    run.put_back &= put_back;
    run.top = run.top.take().or_else(|| state.digest.clone());
    run.manifest = run.manifest.take().or_else(|| state.manifest.clone());
    run.created = run.created.or(state.created);
    run.revision = run.revision.take().or_else(|| state.revision.clone());
}

/// Returns the last image other than the running one that a service ran and that was not put back.
pub fn previous<'a>(runs: &'a [FormerRun], running: &ImageId) -> Option<&'a FormerRun> {
    runs.iter()
        .filter(|run| run.image_id != *running && !run.put_back)
        .max_by_key(|run| run.last_seen)
}

#[cfg(test)]
mod tests {
    use super::super::join::join;
    use super::super::join::tests::{event, image, job};
    use super::*;

    #[test]
    fn the_former_image_is_the_last_other_one_that_did_well() {
        let own = [
            event(10, "changed", 1, 2),
            job(20, "update", 2, 3, "a", Some("succeeded")),
            job(30, "update", 3, 4, "b", Some("put-back")),
            job(40, "pull", 3, 5, "c", Some("succeeded")),
            job(50, "update", 3, 6, "d", Some("refused")),
        ];
        let runs = former_runs(&join(&own, &[]), "vps/blog/web");
        let id = |byte| image(byte).image_id;
        let ran: Vec<_> = runs.iter().map(|run| Some(run.image_id.clone())).collect();
        for byte in [1, 2, 3, 4] {
            assert!(ran.contains(&id(byte)), "{byte}");
        }
        assert!(!ran.contains(&id(5)) && !ran.contains(&id(6)));
        let running = id(3);
        let before = running
            .as_ref()
            .and_then(|running| previous(&runs, running));
        assert_eq!(before.map(|run| run.image_id.clone()), id(2));
        assert_eq!(former_runs(&join(&own, &[]), "vps/blog/other"), []);
    }

    #[test]
    fn one_that_was_put_back_is_marked_unless_it_did_well_before() {
        let own = [job(30, "update", 3, 4, "b", Some("put-back"))];
        let runs = former_runs(&join(&own, &[]), "vps/blog/web");
        let marked: Vec<bool> = runs.iter().map(|run| run.put_back).collect();
        assert_eq!(marked.iter().filter(|mark| **mark).count(), 1);
    }
}
