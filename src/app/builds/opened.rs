//! One build opened: its figures, its steps with what each cost, and what changed since the last build that hit.

use crate::core::age;
use crate::core::build_log::{Build, Status, Step, StepState};
use crate::core::builds::{BuildRecord, cause, trend};

use super::super::explain::Tone;
use super::super::model::Model;
use super::view::{cache_words, percent, progress, seconds};
use super::{BuildKey, join};

/// A build, line by line.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    pub title: String,
    /// Label, text, tone.
    pub facts: Vec<(&'static str, String, Tone)>,
    pub steps: Vec<StepRow>,
    /// What changed, under its own heading.
    pub changes: Option<(String, Vec<String>)>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    pub word: &'static str,
    pub tone: Tone,
    pub seconds: Option<f64>,
    /// Its part of the longest step, for a bar.
    pub part: f64,
    pub fetched: u64,
    pub name: String,
    pub first_miss: bool,
}

/// Makes the view of a build; nothing where it is known no longer.
pub fn opened(model: &Model, key: &BuildKey) -> Option<Opened> {
    let record = model.builds.get(key)?;
    let build = &record.build;
    let trends = trend::trends(
        model
            .builds
            .records
            .values()
            .filter(|own| own.name == record.name),
    );
    let own = trends
        .iter()
        .find(|trend| trend.builds.iter().any(|own| own.id == record.id));
    let mut facts = facts(model, record);
    let mut changes = None;
    if let Some(trend) = own {
        if let Some(cause) = cause::cause(record, trend) {
            facts.push(("why", cause.words, Tone::Attention));
        }
        // What runs has not taken its time yet.
        if !record.is_running()
            && let Some(cold) = trend.cold_before(record)
            && let (Some(cold_seconds), Some(own)) = (cold.build.seconds, build.seconds)
        {
            let text = format!(
                "{} against {} when cold ({})",
                seconds(own),
                seconds(cold_seconds),
                cold.short()
            );
            facts.push(("beside", text, Tone::Plain));
        }
        changes = cause::since(record, trend).map(|since| {
            let when = since.hit.when().map_or_else(String::new, |at| {
                format!(", {}", age::age(model.now.wall, at))
            });
            (
                format!(
                    "since {}{when}, the last build that hit there",
                    since.hit.short()
                ),
                since.changes,
            )
        });
    }
    let longest = build
        .step_list
        .iter()
        .filter_map(|step| step.seconds)
        .fold(0.0, f64::max);
    let first = build.first_missed_step().map(|step| step.number);
    Some(Opened {
        title: format!("{} {}", record.name, record.short()),
        facts,
        steps: build
            .step_list
            .iter()
            .map(|step| step_row(step, longest, first))
            .collect(),
        changes,
    })
}

fn step_row(step: &Step, longest: f64, first: Option<u32>) -> StepRow {
    let (word, tone) = match step.state {
        StepState::Cached => ("hit", Tone::Good),
        StepState::Executed => ("miss", Tone::Plain),
        StepState::Failed => ("failed", Tone::Danger),
        StepState::Cancelled => ("cancelled", Tone::Attention),
        StepState::Open => ("runs", Tone::Accent),
    };
    StepRow {
        word,
        tone,
        seconds: step.seconds.filter(|_| step.state != StepState::Cached),
        part: match step.seconds {
            Some(seconds) if longest > 0.0 && step.state != StepState::Cached => seconds / longest,
            _ => 0.0,
        },
        fetched: step.fetched,
        name: step.name.clone(),
        first_miss: first == Some(step.number),
    }
}

/// A label, what is said, and in which tone.
type Fact = (&'static str, String, Tone);

fn facts(model: &Model, record: &BuildRecord) -> Vec<Fact> {
    let mut facts = Vec::new();
    outcome(model, record, &mut facts);
    time(&record.build, &mut facts);
    cache(model, &record.build, &mut facts);
    let moved = bytes(&record.build);
    if !moved.is_empty() {
        facts.push(("bytes", moved, Tone::Plain));
    }
    origin(model, record, &mut facts);
    facts
}

/// Tells how it ended or how far it is, and how much was taken from the cache.
fn outcome(model: &Model, record: &BuildRecord, facts: &mut Vec<Fact>) {
    let build = &record.build;
    let mut add = |label, text: String, tone| facts.push((label, text, tone));
    let tone = match build.status {
        Status::Succeeded => Tone::Good,
        Status::Failed => Tone::Danger,
        Status::Cancelled => Tone::Attention,
        Status::Running => Tone::Accent,
    };
    let mut status = build.status.word().to_owned();
    if record.is_running() {
        let progress = progress(record);
        status.push_str(&format!(", step {} of {}", progress.done, progress.total));
        if let Some(step) = progress.step {
            status.push_str(&format!(": {step}"));
        }
    }
    if let Some(at) = record.when() {
        status.push_str(&format!(", {}", age::age(model.now.wall, at)));
    }
    add("", status, tone);
    if let Some(error) = &build.error {
        add("error", error.clone(), Tone::Danger);
    }
    add(
        "hit",
        hit_words(record),
        if trend::is_low(record) {
            Tone::Attention
        } else {
            Tone::Plain
        },
    );
}

fn time(build: &Build, facts: &mut Vec<Fact>) {
    let mut add = |label, text: String, tone| facts.push((label, text, tone));
    if let Some(time) = build.seconds {
        let missed = build.missed_seconds.map_or_else(String::new, |missed| {
            format!(", {} in steps that missed", seconds(missed))
        });
        add("time", format!("{}{missed}", seconds(time)), Tone::Plain);
    } else if let Some(missed) = build.missed_seconds {
        add(
            "time",
            format!(
                "{} in steps that missed; the log tells no times of day",
                seconds(missed)
            ),
            Tone::Plain,
        );
    }
}

/// Tells where its cache comes from, and what that holds.
fn cache(model: &Model, build: &Build, facts: &mut Vec<Fact>) {
    let mut add = |label, text: String, tone| facts.push((label, text, tone));
    let cache = cache_words(model, build);
    if cache.text != "-" {
        let mut text = cache.text;
        if !cache.failed && build.steps.cached == 0 && build.steps.total > 0 {
            text.push_str(", and nothing in it was of use");
        }
        add(
            "cache",
            text,
            if cache.failed {
                Tone::Attention
            } else {
                Tone::Plain
            },
        );
    }
    for source in &build.cache_sources {
        if let Some(facts) = model.builds.cache(&source.reference) {
            let layers = age::count(facts.layers, "layer");
            add(
                "",
                format!(
                    "{} holds {layers}, {}",
                    source.reference,
                    age::bytes(facts.bytes)
                ),
                Tone::Quiet,
            );
        }
    }
}

/// Tells where it ran, what it was made from, and where its image runs.
fn origin(model: &Model, record: &BuildRecord, facts: &mut Vec<Fact>) {
    let build = &record.build;
    let mut add = |label, text: String, tone| facts.push((label, text, tone));
    if let Some(run) = &record.run {
        let road = run.branch.as_deref().unwrap_or(&run.event);
        add(
            "run",
            format!(
                "{} #{} on {road} by {}",
                run.workflow, run.number, run.event
            ),
            Tone::Plain,
        );
    }
    if let Some(revision) = record.revision() {
        add(
            "revision",
            revision.get(..12).unwrap_or(revision).to_owned(),
            Tone::Plain,
        );
    }
    if let Some(image) = build.image() {
        add("image", image.to_owned(), Tone::Plain);
    }
    if let Some(digest) = &build.digest {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        add(
            "digest",
            digest.get(..12).unwrap_or(digest).to_owned(),
            Tone::Plain,
        );
    }
    let places = join::places(model, record);
    if !places.is_empty() {
        add("runs on", join::place_words(&places), Tone::Plain);
    }
    add("from", record.place.clone(), Tone::Quiet);
}

/// Says both figures: that of Dockerfile steps, and buildx's own.
fn hit_words(record: &BuildRecord) -> String {
    let build = &record.build;
    let mut text = match build.hit_rate() {
        Some(rate) => format!(
            "{} ({} of {} steps)",
            percent(rate),
            build.steps.cached,
            build.steps.total
        ),
        None => "no steps".to_owned(),
    };
    if trend::is_cold(record) {
        text.push_str(", cold");
    } else if trend::is_low(record) {
        text.push_str(", low");
    }
    if let Some(all) = build.vertices {
        text.push_str(&format!(" · {} of {} vertices", all.cached, all.total));
    }
    text
}

fn bytes(build: &Build) -> String {
    let mut parts = Vec::new();
    if build.fetched_base > 0 {
        parts.push(format!("base {}", age::bytes(build.fetched_base)));
    }
    if build.fetched_cache > 0 {
        parts.push(format!("cache {}", age::bytes(build.fetched_cache)));
    }
    if let Some(pushed) = build.pushed.filter(|pushed| *pushed > 0) {
        parts.push(format!("pushed {}", age::bytes(pushed)));
    }
    parts.join(", ")
}

impl Opened {
    /// Returns how many lines it is about: what there is to scroll through.
    pub fn lines(&self) -> usize {
        let changes = self.changes.as_ref().map_or(0, |(_, list)| list.len() + 2);
        self.facts.len() + self.steps.len() + changes + 1
    }
}
