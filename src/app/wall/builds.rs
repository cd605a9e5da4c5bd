//! Builds and deploys that failed, for the wall: the newest of each kind, as long as it is news.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::explain::Tone;
use super::super::model::Model;
use super::Item;
use crate::core::build_log::Status;
use crate::core::builds::deploy::{DeployRun, DeployState};
use crate::core::builds::{BuildRecord, trend};

/// What failed longer ago waits for nobody any more.
const NEWS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Says which builds and deploys ended badly last.
pub fn items(model: &Model) -> Vec<Item> {
    let mut items = failed_builds(model);
    items.extend(failed_deploys(model));
    items
}

fn is_news(model: &Model, at: Option<Timestamp>) -> bool {
    at.is_some_and(|at| model.now.wall.duration_since(at) < NEWS)
}

fn failed_builds(model: &Model) -> Vec<Item> {
    let trends = trend::trends(model.builds.records.values());
    let newest = trends.iter().filter_map(|trend| {
        let ended = |record: &&&BuildRecord| !record.is_running();
        trend.builds.iter().rev().find(ended).copied()
    });
    let failed = newest.filter(|record| {
        let at = record.heard.or(record.when());
        record.build.status == Status::Failed && is_news(model, at)
    });
    failed
        .map(|record| {
            let road = record.run.as_ref().and_then(|run| run.branch.clone());
            let error = record.build.error.as_ref();
            Item::new(
                format!(
                    "build {} of {} failed{}",
                    record.short(),
                    record.name,
                    error.map_or_else(String::new, |error| format!(": {error}"))
                ),
                road.unwrap_or_default(),
                record.heard.or(record.when()),
                Tone::Danger,
            )
        })
        .collect()
}

fn failed_deploys(model: &Model) -> Vec<Item> {
    let mut newest: BTreeMap<(&str, &str), &DeployRun> = BTreeMap::new();
    let ended = model.builds.deploys.iter();
    let ended =
        ended.filter(|run| matches!(run.state, DeployState::Succeeded | DeployState::Failed(_)));
    for run in ended {
        let own = newest.entry((&run.source, &run.workflow)).or_insert(run);
        if run.created > own.created {
            *own = run;
        }
    }
    newest
        .into_values()
        .filter_map(|run| {
            let DeployState::Failed(word) = &run.state else {
                return None;
            };
            let at = run.ended.unwrap_or(run.created);
            is_news(model, Some(at)).then(|| {
                Item::new(
                    format!(
                        "deploy {} #{} of {}: {word}",
                        run.workflow, run.number, run.source
                    ),
                    String::new(),
                    Some(at),
                    Tone::Danger,
                )
            })
        })
        .collect()
}
