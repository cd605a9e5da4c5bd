//! The detail beside the list: what one wants to know of the selected row without asking.

use jiff::Timestamp;

use crate::core::age;
use crate::core::builds::trend;
use crate::core::files::ConfigState;
use crate::core::tailnet::{Peer, Standing};
use crate::core::trust::Trust;
use crate::core::verdict::Verdict;

use super::super::builds::{join, view};
use super::super::judge::ServiceView;
use super::super::model::{HostModel, Model};
use super::super::preview::trust;
use super::super::rows;
use super::super::screen::RowId;
use super::{Explanation, Tone, ago, host_tone, host_word, joined, verdict_words};

/// Tells the most important facts of a row.
pub fn brief(model: &Model, id: &RowId) -> Explanation {
    match id {
        RowId::Service(key) => model
            .service(key)
            .map(|service| service_brief(model, service))
            .unwrap_or_default(),
        RowId::Host(name) => model
            .host_index(name)
            .map(|index| host_brief(model, &model.hosts[index]))
            .unwrap_or_default(),
        RowId::Project(host, project) => {
            let mut out = Explanation::new(&format!("{host} / {project}"));
            counts(model, id, &mut out);
            let keys = rows::services_below(model, id);
            let compose = keys
                .iter()
                .filter_map(|key| model.service(key)?.compose.as_ref())
                .next();
            if let Some(compose) = compose {
                out.add("folder", &compose.recipe.working_dir);
                for (place, file) in compose.recipe.config_files.iter().enumerate() {
                    out.add(if place == 0 { "files" } else { "" }, file);
                }
                out.add("compose", &compose.version);
            }
            out
        }
        RowId::Group(label) => {
            let mut out = Explanation::new(label);
            counts(model, id, &mut out);
            out
        }
    }
}

fn service_brief(model: &Model, service: &ServiceView) -> Explanation {
    let now = model.now.wall;
    let key = &service.key;
    let mut out = Explanation::new(&format!("{} / {} / {}", key.host, key.project, key.service));
    let mut verdict = verdict_words(service);
    if let Some((last, at)) = service.last {
        verdict = format!("{verdict} ({}, {})", last.word(), age::age(now, at));
    }
    out.toned("", verdict, Tone::of(service.verdict));
    out.add("", &service.why);
    if let Some(note) = &service.note {
        out.toned("", note, Tone::Accent);
    }
    out.gap();
    out.add("image", &service.reference);
    running(model, service, &mut out);
    tag(model, service, &mut out);
    if let Some(bytes) = service.fetch_bytes
        && !service.verdict.is_settled()
    {
        out.add("pull", age::bytes(bytes));
    }
    if let Some(pin) = &service.pinned {
        out.toned("pinned", pin.words(), Tone::Accent);
        if let Some(why) = &pin.undone {
            out.toned("", format!("undone: {why}"), Tone::Danger);
        }
    }
    config(model, service, &mut out);
    if let Some(build) = join::build_of(model, service) {
        let tone = match trend::is_low(build) || build.build.error.is_some() {
            true => Tone::Attention,
            false => Tone::Plain,
        };
        out.toned("build", view::line(build), tone);
    }
    environment(service, &mut out);
    let ports: Vec<String> = service
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().cloned())
        .collect();
    if !ports.is_empty() {
        out.add("ports", ports.join(" "));
    }
    out.toned("seen", ago(now, service.observed_at), Tone::Quiet);
    out
}

/// Tells what runs, and how it fares.
fn running(model: &Model, service: &ServiceView, out: &mut Explanation) {
    let now = model.now.wall;
    let running = &service.running;
    out.add("running", running.short());
    out.add(
        "",
        image_facts(
            now,
            running.created,
            running.revision.as_deref(),
            running.version.as_deref(),
        ),
    );
    marks(trust::of_running(model, service), out);
    let life_tone = if service.is_unhealthy() {
        Tone::Danger
    } else {
        Tone::Plain
    };
    out.toned(
        "life",
        joined([
            Some(service.life()),
            service
                .started()
                .map(|at| format!("up {}", age::age(now, at))),
            Some(age::count(
                usize::try_from(service.restarts()).unwrap_or(usize::MAX),
                "restart",
            )),
        ]),
        life_tone,
    );
}

/// Tells what the tag names.
fn tag(model: &Model, service: &ServiceView, out: &mut Explanation) {
    let now = model.now.wall;
    let registry = &service.registry;
    match &registry.digest {
        Some(digest) => {
            out.add("tag", digest.short());
            out.add(
                "",
                image_facts(
                    now,
                    registry.created,
                    registry.revision.as_deref(),
                    registry.version.as_deref(),
                ),
            );
            if !service.running.digests.contains(digest) {
                marks(trust::of_top(model, service, Some(digest)), out);
            }
        }
        None if registry.asking => out.toned("tag", "being asked", Tone::Quiet),
        None => out.toned("tag", "not known", Tone::Quiet),
    }
    if let Some(at) = registry.checked_at {
        out.add("asked", ago(now, at));
    }
}

/// Tells whether the container is what its files ask for.
fn config(model: &Model, service: &ServiceView, out: &mut Explanation) {
    match service.config {
        ConfigState::Same => out.add("config", "same as the files"),
        state => {
            let lists = || format!("{} lists the keys", model.keymap.named("config"));
            let keys = (state == ConfigState::Changed).then(lists);
            let text = joined([
                Some(state.word().to_owned()),
                service.config_why.clone(),
                keys,
            ]);
            let tone = match state {
                ConfigState::Unknown | ConfigState::Same => Tone::Quiet,
                ConfigState::Changed | ConfigState::Unreadable => Tone::Attention,
            };
            out.toned("config", text, tone);
        }
    }
}

fn environment(service: &ServiceView, out: &mut Explanation) {
    if let Some(environment) = &service.environment {
        let from = service.environment_from.map(|from| from.word());
        let told = from.map(|from| format!("told by the {from}"));
        let protect = service.protect.then(|| "protected".to_owned());
        out.add("env", joined([Some(environment.clone()), told, protect]));
        if let Some(text) = service.follows_in_production() {
            out.toned("", text, Tone::Quiet);
        }
    }
}

/// Tells what stands beside an image, if somebody looked; nothing of it is verified.
fn marks(trust: Option<&Trust>, out: &mut Explanation) {
    let Some(trust) = trust else {
        return;
    };
    out.toned("", trust.words(), Tone::Quiet);
    for contradiction in &trust.contradictions {
        out.toned("", contradiction, Tone::Attention);
    }
}

fn image_facts(
    now: Timestamp,
    created: Option<Timestamp>,
    revision: Option<&str>,
    version: Option<&str>,
) -> String {
    let facts = joined([
        created.map(|at| format!("built {}", ago(now, at))),
        revision.map(|revision| revision.chars().take(12).collect()),
        version.map(|version| format!("version {version}")),
    ]);
    if facts.is_empty() {
        "nothing known of its build".to_owned()
    } else {
        facts
    }
}

fn host_brief(model: &Model, host: &HostModel) -> Explanation {
    let now = model.now.wall;
    let mut out = Explanation::new(host.spec.name.as_str());
    let since = host.since.map(|at| format!("since {}", ago(now, at)));
    out.toned(
        "",
        joined([Some(host_word(host).to_owned()), since]),
        host_tone(host),
    );
    if let Some(failure) = host.failure() {
        out.toned("", &failure.what, Tone::Danger);
        if !failure.remedy.is_empty() {
            out.toned("try", &failure.remedy, Tone::Accent);
        }
    }
    out.gap();
    out.add("address", host.spec.address.to_string());
    if let Some(rtt) = host.rtt_ms {
        out.add("answers", format!("in {rtt} ms"));
    }
    if let Some(peer) = &host.tailnet.peer {
        tailnet(now, peer, &mut out);
    }
    if let Some(seen) = &host.observation {
        let engine = &seen.engine;
        out.add("engine", format!("{} · API {}", engine.version, engine.api));
        out.add(
            "images",
            format!("{} ({})", engine.store.word(), engine.driver),
        );
        out.add("platform", engine.platform.to_string());
        out.add("seen", ago(now, seen.at));
    }
    if let Some(environment) = &host.spec.environment {
        out.add("env", environment);
    }
    let may = match (host.spec.read_only, host.spec.protect) {
        (true, _) => Some("only look: read_only is set"),
        (false, true) => Some("protected: changes are confirmed by name"),
        (false, false) => None,
    };
    if let Some(may) = may {
        out.add("may", may);
    } else if host.could_change == Some(false) {
        out.add("may", "only look");
    }
    out.gap();
    counts(model, &RowId::Host(host.spec.name.clone()), &mut out);
    out
}

fn tailnet(now: Timestamp, peer: &Peer, out: &mut Explanation) {
    let tone = match peer.standing {
        Standing::Online(_) => Tone::Plain,
        Standing::Offline | Standing::KeyExpired => Tone::Danger,
    };
    out.add("tailnet", &peer.name);
    let last_seen = peer
        .last_seen
        .filter(|_| peer.standing == Standing::Offline)
        .map(|at| format!("seen {}", ago(now, at)));
    out.toned("", joined([Some(peer.words()), last_seen]), tone);
    if let Some(expiry) = peer.key_expiry.filter(|expiry| *expiry > now) {
        out.add("", format!("key expires in {}", age::age(expiry, now)));
    }
    let addresses: Vec<String> = peer.addresses.iter().map(ToString::to_string).collect();
    out.add("", addresses.join(" "));
    out.add(
        "",
        joined([Some(peer.os.clone()), Some(peer.tags.join(" "))]),
    );
}

fn counts(model: &Model, id: &RowId, out: &mut Explanation) {
    let keys = rows::services_below(model, id);
    let services: Vec<&ServiceView> = keys.iter().filter_map(|key| model.service(key)).collect();
    out.add("services", services.len().to_string());
    let sick = services
        .iter()
        .filter(|service| service.is_unhealthy())
        .count();
    if sick > 0 {
        out.toned("", format!("{sick} unhealthy"), Tone::Danger);
    }
    for verdict in Verdict::ALL.into_iter().rev() {
        let count = services
            .iter()
            .filter(|service| service.verdict == verdict)
            .count();
        if count > 0 {
            out.toned("", format!("{count} {}", verdict.word()), Tone::of(verdict));
        }
    }
}
