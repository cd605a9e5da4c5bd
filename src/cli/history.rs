//! `history`: what was done to services and what was seen to happen to them.

use jiff::Timestamp;
use serde::Serialize;

use super::exit::Exit;
use super::output::{Failed, Output};
use super::table::Table;
use crate::app::explain::happened;
use crate::app::model::Model;
use crate::core::history::Entry;
use crate::core::names::Target;
use crate::core::rollout::plan::ImageState;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    events: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    at: Timestamp,
    by: &'a str,
    action: &'a str,
    target: &'a str,
    from: Option<&'a ImageState>,
    to: Option<&'a ImageState>,
    outcome: Option<&'a str>,
    reason: Option<&'a str>,
    job: Option<&'a str>,
    why: Option<&'a str>,
    began: Timestamp,
    /// How often the same was seen one after another.
    times: usize,
    pinned: Option<&'a str>,
}

/// Prints the history of what a target covers, or of everything.
pub fn report(
    model: &Model,
    target: Option<&Target>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    for (host, source) in &model.history.hosts {
        if let Some(error) = &source.error {
            output.say(format!("the journal of {host} could not be read: {error}"));
        }
    }
    let entries: Vec<&Entry> = model
        .history
        .entries
        .iter()
        .filter(|entry| target.is_none_or(|target| target.covers_text(&entry.event.target)))
        .collect();
    if json {
        output.json(&Document {
            schema: 1,
            events: entries.into_iter().map(row).collect(),
        })?;
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        output.say("nothing is on record yet");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["AT", "BY", "ACTION", "TARGET", "IMAGES", "OUTCOME", "WHY"]);
    for entry in entries {
        let event = &entry.event;
        let mut why = event.reason.clone().or_else(|| event.why.clone());
        if entry.times > 1 {
            why = Some(format!("{} times since {}", entry.times, entry.began));
        }
        table.row([
            event.at.to_string(),
            event.by.clone(),
            event.action.clone(),
            event.target.clone(),
            happened::images(event),
            event.outcome.clone().unwrap_or_else(|| "-".to_owned()),
            why.unwrap_or_default(),
        ]);
    }
    output.text(&table.render())?;
    Ok(Exit::Done)
}

fn row(entry: &Entry) -> Row<'_> {
    let event = &entry.event;
    Row {
        at: event.at,
        by: &event.by,
        action: &event.action,
        target: &event.target,
        from: event.from.as_ref(),
        to: event.to.as_ref(),
        outcome: event.outcome.as_deref(),
        reason: event.reason.as_deref(),
        job: event.job.as_deref(),
        why: event.why.as_deref(),
        began: entry.began,
        times: entry.times,
        pinned: event.pin.as_deref(),
    }
}
