//! `builds`: the builds of the configured sources, as one document or as a table.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::to_json;
use crate::app::builds::view::{self, BuildsView, Row, percent, seconds};
use crate::app::builds::{join, key};
use crate::app::model::Model;
use crate::cli::exit::Exit;
use crate::cli::output::{Failed, Output};
use crate::cli::table::Table;
use crate::core::age::age;
use crate::core::builds::trend::{self, Trend};
use crate::core::builds::{BuildRecord, cause};
use crate::core::text::{clean, clean_within};

/// Reports what the sources have: all, or what is called so.
pub fn report(
    model: &Model,
    name: Option<&str>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let is_wanted = |record: &BuildRecord| {
        name.is_none_or(|name| record.name == name || &*record.source == name)
    };
    let known = name.is_none_or(|name| model.builds.source(name).is_some())
        || model.builds.records.values().any(is_wanted);
    if !known {
        let mut names: Vec<&str> = model
            .builds
            .records
            .values()
            .map(|record| record.name.as_str())
            .collect();
        names.extend(model.builds.sources.iter().map(|source| &*source.name));
        names.sort_unstable();
        names.dedup();
        output.say(format!(
            "no build is called {:?}; there are: {}",
            name.unwrap_or_default(),
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        ));
        return Ok(Exit::Usage);
    }
    if json {
        output.json(&document(model, name, is_wanted))?;
    } else {
        text(model, name, output)?;
    }
    Ok(Exit::Done)
}

fn document(model: &Model, name: Option<&str>, is_wanted: impl Fn(&BuildRecord) -> bool) -> Value {
    let trends = trend::trends(model.builds.records.values());
    let mut records: Vec<&BuildRecord> = model
        .builds
        .records
        .values()
        .filter(|record| is_wanted(record))
        .collect();
    // The newest first.
    records.sort_by(|a, b| (b.when(), b.order, &b.id).cmp(&(a.when(), a.order, &a.id)));
    let builds: Vec<Value> = records
        .iter()
        .map(|record| entry(model, &trends, record))
        .collect();
    json!({"schema": 1, "builds": builds, "refused": refused(&view::view(model), name)})
}

/// Returns what is not counted: logs that were refused, and sources that could not be read.
fn refused(view: &BuildsView, name: Option<&str>) -> Vec<Value> {
    let failures = view
        .failures
        .iter()
        .filter(|(source, _)| name.is_none_or(|name| &**source == name))
        .map(|(source, failure)| json!({"source": source, "why": failure.what, "remedy": failure.remedy}));
    let reading = view
        .reading
        .iter()
        .filter(|source| name.is_none_or(|name| &***source == name))
        .map(|source| json!({"source": source, "why": "it was not read to its end in time", "remedy": "try again"}));
    let logs = view
        .refused
        .iter()
        .map(|log| json!({"source": log.source, "why": log.why, "remedy": log.remedy}));
    failures.chain(reading).chain(logs).collect()
}

fn entry(model: &Model, trends: &[Trend<'_>], record: &BuildRecord) -> Value {
    let own = trends
        .iter()
        .find(|trend| trend.builds.iter().any(|own| key(own) == key(record)));
    let cause = own.and_then(|trend| cause::cause(record, trend));
    let since = own.and_then(|trend| cause::since(record, trend));
    let lineage = own.map_or_else(|| record.lineage(), |trend| trend.lineage.clone());
    let places = join::places(model, record);
    let of = |wanted: join::Standing| -> Vec<String> {
        let places = places.iter().filter(|(_, standing)| *standing == wanted);
        places.map(|(service, _)| service.to_string()).collect()
    };
    let mut value = to_json(&record.build, &record.name, &record.source, &record.id);
    for source in value["cache_sources"].as_array_mut().into_iter().flatten() {
        let facts = source["ref"]
            .as_str()
            .and_then(|name| model.builds.cache(name))
            .copied();
        source["created"] = json!(
            facts
                .and_then(|facts| facts.created)
                .map(|at| at.to_string())
        );
        source["bytes"] = json!(facts.map(|facts| facts.bytes));
    }
    value["revision"] = json!(record.revision());
    if value["started"].is_null() {
        let started = record.run.as_ref().and(record.seen);
        value["started"] = json!(started.map(|at| at.to_string()));
    }
    value["place"] = json!(record.place);
    value["heard"] = json!(record.heard.map(|at| at.to_string()));
    value["run"] = record.run.as_ref().map_or(Value::Null, |run| {
        json!({"repository": run.repository, "workflow": run.workflow, "number": run.number, "attempt": run.attempt,
            "event": run.event, "branch": run.branch, "url": run.url, "doing": run.doing})
    });
    value["compared_with"] =
        json!({"workflow": lineage.workflow, "road": lineage.road, "caches": lineage.scope});
    value["low"] = json!(trend::is_low(record));
    value["cold"] = json!(trend::is_cold(record));
    value["cause"] = json!(cause.map(|cause| cause.words));
    value["changed"] = since.map_or(
        Value::Null,
        |since| json!({"since": since.hit.id, "what": since.changes}),
    );
    value["cold_seconds"] = json!(
        own.and_then(|trend| trend.cold_before(record))
            .and_then(|cold| cold.build.seconds)
    );
    value["runs_on"] = json!(of(join::Standing::Runs));
    value["pending_on"] = json!(of(join::Standing::Pending));
    value
}

fn text(model: &Model, name: Option<&str>, output: &mut Output<'_>) -> Result<(), Failed> {
    let view = view::view(model);
    let now = model.now.wall;
    let mut table = Table::new([
        "BUILDS", "LAST", "HIT", "TIME", "MISSED", "TREND", "CACHE", "RUNS ON",
    ]);
    let wanted: Vec<&Row> = view
        .rows
        .iter()
        .filter(|row| name.is_none_or(|name| row.name == name || &*row.lineage.source == name))
        .collect();
    for row in &wanted {
        table.row(cells(row, now));
    }
    output.text(&table.render())?;
    for row in &wanted {
        if let Some(cause) = row.last.as_ref().and_then(|last| last.cause.as_ref()) {
            output.line(format_args!(
                "{}: {}",
                clean(&row.name),
                clean(&cause.words)
            ))?;
        }
    }
    for value in refused(&view, name) {
        let part = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        output.line(format_args!(
            "{}: {}\n  try: {}",
            clean(&part("source")),
            clean(&part("why")),
            clean(&part("remedy"))
        ))?;
    }
    Ok(())
}

fn cells(row: &Row, now: Timestamp) -> [String; 8] {
    let name = match row.apart.as_str() {
        "" => row.name.clone(),
        apart => format!("{} ({apart})", row.name),
    };
    let last = row.last.as_ref();
    let when = match (&row.running, last) {
        (Some(running), _) => format!("running {}/{}", running.done, running.total),
        (None, _) if row.error.is_some() => "failed".to_owned(),
        (None, Some(last)) => last.when.map_or_else(|| "-".to_owned(), |at| age(now, at)),
        (None, None) => "-".to_owned(),
    };
    let hit = last.map_or_else(
        || "-".to_owned(),
        |last| {
            let rate = last.hit_rate.map_or_else(|| "-".to_owned(), percent);
            match (last.cold, last.low) {
                (true, _) => format!("{rate} cold"),
                (false, true) => format!("{rate} low"),
                (false, false) => rate,
            }
        },
    );
    let time = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), seconds);
    [
        name,
        when,
        hit,
        time(last.and_then(|last| last.seconds)),
        time(last.and_then(|last| last.missed_seconds)),
        // A digit is the tenth of hits: 9 is 90 percent and more.
        row.rates
            .iter()
            .map(|rate| match rate {
                Some(rate) => char::from_digit((rate * 9.99) as u32, 10).unwrap_or('9'),
                None => '-',
            })
            .collect(),
        clean_within(&row.cache.text, 40),
        row.runs_on.clone(),
    ]
}
