//! Builds by what they make: one row for each lineage.

use crate::core::age;
use crate::core::build_log::{Build, Status};
use crate::core::builds::cause::{self, Cause};
use crate::core::builds::trend::{self, Trend};
use crate::core::builds::{BuildRecord, Lineage, RefusedLog, SourceFailure};

use super::super::model::Model;
use super::{BuildKey, join, key};

/// All rows and what could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildsView {
    pub rows: Vec<Row>,
    pub reading: Vec<Box<str>>,
    pub failures: Vec<(Box<str>, SourceFailure)>,
    pub refused: Vec<RefusedLog>,
}

/// One lineage, with the figures of its last finished build.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub lineage: Lineage,
    pub name: String,
    /// What parts it from other rows of the name: workflow, branch or event, caches.
    pub apart: String,
    /// The newest build, which is opened.
    pub newest: BuildKey,
    pub running: Option<Progress>,
    pub last: Option<Judged>,
    /// Hit rates from the oldest to the newest.
    pub rates: Vec<Option<f64>>,
    pub cache: CacheWords,
    pub runs_on: String,
    pub error: Option<String>,
}

/// How far a running build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
    /// What it does now.
    pub step: Option<String>,
}

/// The figures of a build that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub key: BuildKey,
    pub status: Status,
    pub when: Option<jiff::Timestamp>,
    pub hit_rate: Option<f64>,
    pub low: bool,
    pub cold: bool,
    pub seconds: Option<f64>,
    pub missed_seconds: Option<f64>,
    pub cause: Option<Cause>,
    /// What the last cold build before it took.
    pub cold_seconds: Option<f64>,
}

/// How the caches fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheWords {
    pub text: String,
    pub failed: bool,
}

/// Makes the view.
pub fn view(model: &Model) -> BuildsView {
    let builds = &model.builds;
    let trends = trend::trends(builds.records.values());
    let rows = trends
        .iter()
        .map(|trend| row(model, &trends, trend))
        .collect();
    let waits = |name: &&crate::core::names::HostName| {
        model
            .host_index(name)
            .is_some_and(|index| model.hosts[index].failure().is_none())
    };
    BuildsView {
        rows,
        reading: builds
            .sources
            .iter()
            .filter(|source| !source.caught_up && source.failure.is_none())
            .filter(|source| source.host.is_none() || source.host.as_ref().filter(waits).is_some())
            .map(|source| source.name.clone())
            .collect(),
        failures: builds
            .sources
            .iter()
            .filter_map(|source| {
                if let Some((_, failure)) = &source.failure {
                    return Some((source.name.clone(), failure.clone()));
                }
                let host = source.host.as_ref()?;
                let Some(index) = model.host_index(host) else {
                    let failure = SourceFailure::new(
                        format!("there is no host {host}"),
                        "add it under `hosts`, or with -H",
                    );
                    return Some((source.name.clone(), failure));
                };
                let away = model.hosts[index].failure()?;
                let failure = SourceFailure::new(away.what.clone(), away.remedy.clone());
                Some((source.name.clone(), failure))
            })
            .collect(),
        refused: builds
            .sources
            .iter()
            .flat_map(|source| source.refused.iter().cloned())
            .collect(),
    }
}

fn row(model: &Model, all: &[Trend<'_>], trend: &Trend<'_>) -> Row {
    let last = trend.last();
    let judged = trend.judged();
    let lineage = &trend.lineage;
    let mut apart: Vec<String> = Vec::new();
    apart.extend(lineage.road.clone());
    let same_name = |other: &&Trend<'_>| other.lineage.name == lineage.name;
    let others: Vec<&Trend<'_>> = all.iter().filter(same_name).collect();
    if others
        .iter()
        .any(|other| other.lineage.workflow != lineage.workflow)
    {
        apart.extend(lineage.workflow.clone());
    }
    if others
        .iter()
        .any(|other| other.lineage.made != lineage.made)
    {
        apart.push(lineage.made.clone());
    }
    if others
        .iter()
        .any(|other| other.lineage.scope != lineage.scope)
    {
        apart.push(if lineage.scope.is_empty() {
            "no cache".to_owned()
        } else {
            lineage.scope.clone()
        });
    }
    if others
        .iter()
        .any(|other| other.lineage.source != lineage.source)
    {
        apart.push(lineage.source.to_string());
    }
    Row {
        lineage: lineage.clone(),
        name: lineage.name.clone(),
        apart: apart.join(" "),
        newest: key(last),
        running: last.is_running().then(|| progress(last)),
        last: judged.map(|record| figures(record, trend)),
        rates: trend.rates(),
        cache: cache_words(model, &judged.unwrap_or(last).build),
        runs_on: runs_on(model, trend),
        error: last.build.error.clone(),
    }
}

/// Says where the newest build runs that runs anywhere, and where a newer one is pending.
fn runs_on(model: &Model, trend: &Trend<'_>) -> String {
    let mut places = Vec::new();
    for record in trend.builds.iter().rev() {
        for place in join::places(model, record) {
            if !places.iter().any(|(own, _)| *own == place.0) {
                places.push(place);
            }
        }
    }
    join::place_words(&places)
}

/// Tells how far a running build is.
pub fn progress(record: &BuildRecord) -> Progress {
    use crate::core::build_log::StepState;
    let steps = &record.build.step_list;
    let open = steps
        .iter()
        .rev()
        .find(|step| step.state == StepState::Open);
    let doing = record.run.as_ref().and_then(|run| run.doing.clone());
    Progress {
        done: steps
            .iter()
            .filter(|step| step.state != StepState::Open)
            .count(),
        total: most_steps(steps.iter().map(|step| step.name.as_str())).max(steps.len()),
        step: open.map(|step| step.name.clone()).or(doing),
    }
}

/// Returns how many steps the names promise: the sum of the totals of the stages, without their FROM.
fn most_steps<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    let mut stages: Vec<(String, usize)> = Vec::new();
    for name in names {
        let Some(inner) = name
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        else {
            continue;
        };
        let Some((head, total)) = inner.rsplit_once('/') else {
            continue;
        };
        let stage = head
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .trim()
            .to_owned();
        if let Ok(total) = total.parse::<usize>()
            && total <= 10_000
            && !stages.iter().any(|(own, _)| *own == stage)
        {
            stages.push((stage, total.saturating_sub(1)));
        }
    }
    stages.iter().map(|(_, total)| total).sum()
}

fn figures(record: &BuildRecord, trend: &Trend<'_>) -> Judged {
    let build = &record.build;
    Judged {
        key: key(record),
        status: build.status,
        when: record.heard.or(record.when()),
        hit_rate: build.hit_rate(),
        low: trend::is_low(record),
        cold: trend::is_cold(record),
        seconds: build.seconds,
        missed_seconds: build.missed_seconds,
        cause: cause::cause(record, trend),
        cold_seconds: trend
            .cold_before(record)
            .and_then(|cold| cold.build.seconds),
    }
}

/// Says the most of a build in one line: `#482 · hit 91 % · 1 m 12 s`.
pub fn line(record: &BuildRecord) -> String {
    let build = &record.build;
    let mut parts = vec![record.short()];
    if record.is_running() {
        let progress = progress(record);
        parts.push(format!(
            "running, step {} of {}",
            progress.done, progress.total
        ));
    } else {
        if build.status != Status::Succeeded {
            parts.push(build.status.word().to_owned());
        }
        parts.extend(
            build
                .hit_rate()
                .map(|rate| format!("hit {}", percent(rate))),
        );
        parts.extend(build.seconds.map(seconds));
    }
    parts.join(" · ")
}

/// Says how the caches fared: `gha imported`, `ghcr.io/me/blog:cache not imported: 403`.
pub fn cache_words(model: &Model, build: &Build) -> CacheWords {
    let failed = build
        .cache_sources
        .iter()
        .find(|source| source.error.is_some());
    let short = |reference: &str| match reference.split_once(':') {
        Some(("gha", _)) => "gha".to_owned(),
        _ => reference.to_owned(),
    };
    let text = match (failed, build.cache_sources.first()) {
        (Some(source), _) => {
            let error = source.error.as_deref().unwrap_or_default();
            let age = cache_age(model, &source.reference);
            format!("{} not imported{age}: {error}", short(&source.reference))
        }
        (None, Some(source)) => match build.cache_sources.len() {
            1 => format!(
                "{} imported{}",
                short(&source.reference),
                cache_age(model, &source.reference)
            ),
            more => format!("{more} imported"),
        },
        (None, None) => "-".to_owned(),
    };
    CacheWords {
        text,
        failed: failed.is_some(),
    }
}

/// Says how old a cache in a registry is, where that is known.
fn cache_age(model: &Model, source: &str) -> String {
    let created = model.builds.cache(source).and_then(|cache| cache.created);
    created.map_or_else(String::new, |at| {
        format!(" ({} old)", age::age(model.now.wall, at))
    })
}

/// Returns seconds as people say them: `31 s`, `1 m 12 s`, `2 h 03 m`.
pub fn seconds(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded below and saturating"
    )]
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 if seconds > 0.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole / 60 % 60),
    }
}

/// Returns a rate in percent.
pub fn percent(rate: f64) -> String {
    // Nothing is rounded up to all.
    let percent = (rate * 100.0).floor();
    format!("{percent:.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_rates_are_short() {
        assert_eq!(
            [0.0, 3.21, 31.0, 72.4, 7380.0].map(seconds),
            ["0 s", "3.2 s", "31 s", "1 m 12 s", "2 h 03 m"]
        );
        assert_eq!(
            [1.0, 0.999, 0.7, 0.0].map(percent),
            ["100 %", "99 %", "70 %", "0 %"]
        );
    }

    #[test]
    fn the_names_promise_how_many_steps_come() {
        let names = [
            "[build 2/6] COPY a",
            "[build 3/6] RUN b",
            "[stage-1  2/10] RUN c",
            "no bracket",
        ];
        assert_eq!(most_steps(names.into_iter()), 14);
    }
}
