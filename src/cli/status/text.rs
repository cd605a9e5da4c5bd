//! `status` for people: hosts, services, and one line that counts.

use jiff::Timestamp;

use super::select::Selection;
use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::cli::table::Table;
use crate::core::age::{age, count};
use crate::core::files::ConfigState;
use crate::core::host::HostState;
use crate::core::pinned::Pinned;
use crate::core::remote::Route;
use crate::core::text::clean;
use crate::core::verdict::Verdict;

/// Returns the whole report.
pub fn report(model: &Model, selection: &Selection<'_>, now: Timestamp) -> String {
    let mut out = String::new();
    for away in model.registries_away() {
        let from = match &away.route {
            Route::Here => String::new(),
            Route::Via(host) => format!(" from {host}"),
        };
        let line = format!(
            "{}{from} does not answer: {}; {} unknown because of it",
            away.registry,
            away.why,
            count(away.services, "service")
        );
        out.push_str(&clean(&line));
        out.push('\n');
    }
    let mut hosts = Table::new(["HOST", "STATE", "WHAT"]);
    for selected in &selection.hosts {
        let host = selected.host;
        hosts.row([
            host.spec.name.to_string(),
            host.state().word().to_owned(),
            about_host(host, now),
        ]);
    }
    out.push_str(&hosts.render());
    let mut services = Table::new([
        "SERVICE", "IMAGE", "STATE", "RUNNING", "REGISTRY", "VERDICT", "WHY",
    ]);
    for service in selection.services() {
        services.row([
            service.key.to_string(),
            short_reference(&service.reference),
            life(selection, service),
            service.running.short().to_owned(),
            service
                .registry
                .digest
                .as_ref()
                .map_or("-", |digest| digest.short())
                .to_owned(),
            verdict(service, now),
            why(service),
        ]);
    }
    if selection.services().next().is_some() {
        out.push('\n');
        out.push_str(&services.render());
    }
    out.push('\n');
    out.push_str(&summary(selection));
    out.push('\n');
    out
}

fn about_host(host: &HostModel, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if let Some(milliseconds) = host.rtt_ms.filter(|_| host.state() == HostState::Up) {
        parts.push(format!("{milliseconds} ms"));
    }
    if let Some(observation) = &host.observation {
        let engine = &observation.engine;
        parts.push(format!("docker {}", engine.version));
        parts.push(engine.store.word().to_owned());
        parts.push(engine.platform.to_string());
        if host.away().is_some() {
            let seen = format!("seen {} ago", age(now, observation.at));
            parts.push(seen.replace("now ago", "just now"));
        }
    }
    if let Some(failure) = host.failure() {
        parts.push(failure.to_string());
    } else if host.state() != HostState::Up {
        parts.push("it has not answered".to_owned());
    }
    parts.join(", ")
}

/// Returns the reference with its digest, where it has one, in the short form.
fn short_reference(reference: &str) -> String {
    match reference.split_once("@sha256:") {
        Some((name, hex)) => format!("{name}@{}", hex.get(..12).unwrap_or(hex)),
        None => reference.to_owned(),
    }
}

/// Says how the service lives, or lived when its host was last seen.
fn life(selection: &Selection<'_>, service: &ServiceView) -> String {
    let mut hosts = selection.hosts.iter();
    let host = hosts.find(|host| host.host.spec.name == service.key.host);
    if host.is_some_and(|host| host.host.away().is_some()) {
        format!("was {}", service.life())
    } else {
        service.life()
    }
}

fn verdict(service: &ServiceView, now: Timestamp) -> String {
    let mut text = service.verdict.word().to_owned();
    if let Some((last, at)) = service.last {
        text.push_str(&format!(" ({}, {})", last.word(), age(now, at)));
    }
    if service.pinned.as_deref().is_some_and(Pinned::holds) {
        text.push_str(", pinned");
    }
    if service.mixed {
        text.push_str(", mixed");
    }
    text
}

fn why(service: &ServiceView) -> String {
    let mut parts: Vec<&str> = Vec::new();
    if !service.verdict.is_settled() {
        parts.push(&service.why);
    }
    parts.extend(service.note.as_deref());
    let config = match service.config {
        ConfigState::Changed => "config changed",
        ConfigState::Unreadable => "config unreadable",
        ConfigState::Same | ConfigState::Unknown => return parts.join("; "),
    };
    let new = |why: &&str| {
        let note = service.note.as_deref();
        note.is_none_or(|note| !note.contains(*why))
    };
    let config = match service.config_why.as_deref().filter(new) {
        Some(why) => format!("{config}: {why}"),
        None => config.to_owned(),
    };
    parts.push(&config);
    parts.join("; ")
}

/// Counts the verdicts, bad ones first.
fn summary(selection: &Selection<'_>) -> String {
    let all = selection.services().count();
    let up = selection
        .hosts
        .iter()
        .filter(|host| host.host.state() == HostState::Up)
        .count();
    let mut text = format!(
        "{up} of {} up, {}",
        count(selection.hosts.len(), "host"),
        count(all, "service")
    );
    let mut parts: Vec<String> = Vec::new();
    for verdict in Verdict::ALL.iter().rev() {
        let number = selection
            .services()
            .filter(|service| service.verdict == *verdict)
            .count();
        if number > 0 {
            parts.push(format!("{number} {}", verdict.word()));
        }
    }
    let unhealthy = selection
        .services()
        .filter(|service| service.is_unhealthy())
        .count();
    if unhealthy > 0 {
        parts.push(format!("{unhealthy} unhealthy"));
    }
    if !parts.is_empty() {
        text.push_str(": ");
        text.push_str(&parts.join(", "));
    }
    text
}
