//! `layers` and `tags` for people.

use jiff::Timestamp;

use crate::app::preview::layers::{Elsewhere, LayersState, LayersView};
use crate::app::preview::tags::TagsView;
use crate::cli::table::Table;
use crate::core::age::{age, ago, bytes, change, count, duration};
use crate::core::builds::cache::CacheFacts;
use crate::core::candidates::{Candidate, LARGE, difference, trend};
use crate::core::layers::{PartState, Prediction};
use crate::core::text::{clean, clean_within};

/// The longest instruction in a line.
const INSTRUCTION: usize = 100;

/// Tells a download layer by layer, the last one on top as in a Dockerfile's order of cost.
pub fn layers(view: &LayersView) -> String {
    let digest = view.digest.as_ref().map_or("-", |top| top.short());
    let mut out = format!(
        "{} to {} {digest}, {}\n",
        view.service,
        view.named().familiar(),
        view.platform
    );
    match &view.state {
        LayersState::Waiting(what) => out.push_str(&format!("not known yet: {what}\n")),
        LayersState::Failed(why) => out.push_str(&format!("not known: {why}\n")),
        LayersState::Ready(prediction) => ready(&mut out, view, prediction),
    }
    // Lines stay lines; everything else that could steer a terminal is shown.
    out.lines()
        .map(|line| format!("{}\n", clean(line)))
        .collect()
}

fn ready(out: &mut String, view: &LayersView, prediction: &Prediction) {
    let mut table = Table::new(["#", "STATE", "SIZE", "LAYER", "MADE BY"]);
    for (index, layer) in prediction.layers.iter().enumerate().rev() {
        let made = layer.created_by.as_deref().unwrap_or("-");
        let first = prediction.first_change == Some(index) && index > 0;
        let change = if first { "  (the first change)" } else { "" };
        table.row([
            (index + 1).to_string(),
            state(layer.state).to_owned(),
            bytes(layer.size),
            layer.digest.short().to_owned(),
            format!("{}{change}", clean_within(made, INSTRUCTION)),
        ]);
    }
    out.push_str(&table.render());
    out.push_str(&format!(
        "fetch {} of {}, {}: {}; {} of {} here\n",
        bytes(prediction.fetch_bytes),
        bytes(prediction.total_bytes),
        prediction.estimate.word(),
        prediction.why,
        prediction.layers_here(),
        count(prediction.layers.len(), "layer"),
    ));
    if let Some(seconds) = view.fetch_seconds.filter(|seconds| *seconds > 0) {
        let took = duration(seconds);
        out.push_str(&format!("about {took} here, by what it fetched before\n"));
    }
    for warning in &prediction.warnings {
        out.push_str(&format!("warning: {warning}\n"));
    }
    for (what, trust) in [("", &view.trust), ("running now: ", &view.running_trust)] {
        let Some(trust) = trust else { continue };
        out.push_str(&format!("{what}{}\n", trust.words()));
        for contradiction in &trust.contradictions {
            out.push_str(&format!("warning: {contradiction}\n"));
        }
    }
    if !view.elsewhere.is_empty() {
        let list: Vec<String> = view.elsewhere.iter().map(elsewhere).collect();
        out.push_str(&format!("elsewhere: {}\n", list.join(", ")));
    }
}

fn elsewhere(other: &Elsewhere) -> String {
    match other.bytes {
        Some(count) => format!("{} {}", other.host, bytes(count)),
        None => format!("{} not known", other.host),
    }
}

fn state(state: PartState) -> &'static str {
    match state {
        PartState::Present => "here",
        PartState::Fetch => "fetch",
    }
}

/// Tells what a service could go to, newest first.
pub fn tags(view: &TagsView, now: Timestamp) -> String {
    let mut table = Table::new([
        "", "TAG", "NAMES", "BUILT", "REVISION", "RAN HERE", "WHERE", "FETCH",
    ]);
    for candidate in &view.candidates {
        table.row(row(candidate, now));
    }
    let tally = &view.tally;
    let mut parts = vec![count(tally.all, "tag")];
    for (number, what) in [
        (tally.moving, "moving"),
        (tally.revisions, "by revision"),
        (tally.versions, "by version"),
        (tally.helpers, "helper (left out)"),
        (tally.open, "not asked about"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    let listed = match view.listed_at {
        Some(at) if view.failure.is_some() => format!(", listed {}", ago(now, at)),
        _ => String::new(),
    };
    let head = format!(
        "{}: {}{listed}\n",
        view.repository.familiar(),
        parts.join(", ")
    );
    let mut out = clean(head.trim_end()).into_owned();
    out.push('\n');
    out.push_str(&table.render());
    for (tag, facts) in &view.caches {
        out.push_str(&format!(
            "cache {}: {}\n",
            clean(tag),
            cache(facts.as_ref(), now)
        ));
    }
    if let Some(trend) = trend(&view.candidates) {
        let grown = difference(trend.oldest, trend.newest);
        out.push_str(&format!(
            "{} over {}, {} to {}\n",
            change(grown),
            count(trend.builds, "build"),
            bytes(trend.oldest),
            bytes(trend.newest)
        ));
    }
    let large = |own: &&Candidate| own.total_bytes.is_some_and(|size| size > LARGE);
    for own in view.candidates.iter().filter(large) {
        let name = own.tags.first().map_or("(no tag)", |tag| tag);
        let size = own.total_bytes.map(bytes).unwrap_or_default();
        out.push_str(&format!("warning: {} is large: {size}\n", clean(name)));
    }
    if let Some(builds) = view.builds_behind.filter(|builds| *builds > 0) {
        let builds = usize::try_from(builds).unwrap_or(usize::MAX);
        out.push_str(&format!("behind by {}\n", count(builds, "build")));
    }
    out
}

/// Says how old a cache of builds is and how much it fills.
fn cache(facts: Option<&CacheFacts>, now: Timestamp) -> String {
    let Some(facts) = facts else {
        return "not known".to_owned();
    };
    let size = bytes(facts.bytes);
    match facts.created.map(|at| age(now, at)) {
        Some(old) => format!("{size}, newest layer {old} old"),
        None => format!("{size}, of unknown age"),
    }
}

fn row(candidate: &Candidate, now: Timestamp) -> [String; 8] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut places: Vec<&str> = Vec::new();
    for place in candidate.whereabouts() {
        places.push(place.word());
    }
    if candidate.kept {
        places.push("kept");
    }
    if candidate.may_go {
        places.push("may go");
    }
    let place = match (candidate.obtainable(), places.is_empty()) {
        (Some(false), _) => "gone everywhere".to_owned(),
        (_, true) => "not known".to_owned(),
        (_, false) => places.join(", "),
    };
    [
        if candidate.running { "*" } else { "" }.to_owned(),
        match candidate.tags.as_slice() {
            [] => "(no tag)".to_owned(),
            tags => tags.join(" "),
        },
        or_dash(candidate.digest.as_ref().map(|top| top.short().to_owned())),
        or_dash(candidate.created.map(|at| age(now, at))),
        or_dash(
            candidate
                .revision
                .as_deref()
                .map(|text| clean_within(text, 12)),
        ),
        match (candidate.running, candidate.last_ran) {
            (true, _) => "runs now".to_owned(),
            (false, Some(at)) => format!("until {}", ago(now, at)),
            (false, None) => "never".to_owned(),
        },
        place,
        or_dash(candidate.fetch_bytes.map(bytes)),
    ]
}
