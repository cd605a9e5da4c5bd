//! The whole chain of one verdict: what runs, what the tag names, what was asked and how it ended.

use crate::core::age;
use crate::core::digest::Digest;
use crate::core::files::ConfigState;
use crate::core::remote::{Answer, Examined, Remote, RemoteImage, Request, Route};
use crate::core::verdict::Verdict;

use super::super::judge::ServiceView;
use super::super::model::{HostModel, Model};
use super::super::rows;
use super::super::screen::RowId;
use super::{Explanation, Tone, ago, host_tone, host_word, joined, verdict_words};

/// Explains the verdict of a service, or the state of what lies above services.
pub fn why(model: &Model, id: &RowId) -> Explanation {
    match id {
        RowId::Service(key) => match model.service(key) {
            Some(service) => service_why(model, service),
            None => Explanation::new("this service is no longer there"),
        },
        RowId::Host(name) => match model.host_index(name) {
            Some(index) => host_why(model, &model.hosts[index]),
            None => Explanation::new("this host is no longer there"),
        },
        RowId::Project(host, project) => group_why(model, id, &format!("{host} / {project}")),
        RowId::Group(label) => group_why(model, id, label),
    }
}

fn service_why(model: &Model, service: &ServiceView) -> Explanation {
    let key = &service.key;
    let mut out = Explanation::new(&format!(
        "why is {} / {} / {} {}?",
        key.host,
        key.project,
        key.service,
        service.verdict.word()
    ));
    let host = model.host_index(&key.host).map(|index| &model.hosts[index]);
    verdict(model, service, &mut out);
    out.gap();
    runs(model, service, host, &mut out);
    config(model, service, &mut out);
    out.gap();
    let remote = service
        .question
        .as_ref()
        .and_then(|question| model.remotes.get(question));
    out.add("tag", &service.reference);
    let known = remote.map(|known| &known.remote);
    if let Some(answer) = known.and_then(|remote| remote.answer.as_ref()) {
        named(model, service, answer, &mut out);
        asked(model, service, answer, &mut out);
    }
    if remote.is_some_and(|remote| remote.in_flight) {
        out.toned("asking", "the registry is being asked now", Tone::Quiet);
    }
    if let Some(remote) = known {
        failed(model, remote, &mut out);
    }
    out.gap();
    let refresh = model.keymap.named("refresh");
    out.toned("", format!("{refresh} looks again now"), Tone::Quiet);
    out
}

/// Says how it ends, first: the chain below it is for who doubts.
fn verdict(model: &Model, service: &ServiceView, out: &mut Explanation) {
    out.toned("so", verdict_words(service), Tone::of(service.verdict));
    out.add("", &service.why);
    if let Some(note) = &service.note {
        out.add("note", note);
    }
    if let Some((verdict, at)) = service.last {
        out.add(
            "last",
            format!("{}, told {}", verdict.word(), ago(model.now.wall, at)),
        );
    }
    if service.mixed {
        let each: Vec<String> = service
            .containers
            .iter()
            .map(|container| format!("{} {}", container.name, container.verdict.word()))
            .collect();
        out.toned("mixed", each.join(" · "), Tone::Attention);
    }
}

fn runs(model: &Model, service: &ServiceView, host: Option<&HostModel>, out: &mut Explanation) {
    let now = model.now.wall;
    let running = &service.running;
    let built = built(model, running.created, running.revision.as_deref());
    out.add(
        "runs",
        joined([
            Some(running.short().to_owned()),
            Some(if running.digests.is_empty() {
                "image Id, no digest of the registry".to_owned()
            } else {
                "digest in the registry".to_owned()
            }),
            Some(built),
        ]),
    );
    for digest in running.digests.iter().skip(1) {
        out.add("", format!("{} · also its digest", digest.short()));
    }
    out.add(
        "",
        joined([
            running
                .manifest
                .as_ref()
                .map(|manifest| format!("manifest {}", manifest.short())),
            Some(format!("image Id {}", running.image_id.short())),
            running
                .version
                .as_ref()
                .map(|version| format!("version {version}")),
        ]),
    );
    out.add(
        "",
        joined([
            Some(service.life()),
            service
                .started()
                .map(|at| format!("started {}", ago(now, at))),
            Some(age::count(
                usize::try_from(service.restarts()).unwrap_or(usize::MAX),
                "restart",
            )),
        ]),
    );
    let engine = host
        .and_then(|host| host.observation.as_ref())
        .map(|seen| &seen.engine);
    out.add(
        "seen",
        joined([
            Some(format!(
                "on {} {}",
                service.key.host,
                ago(now, service.observed_at)
            )),
            engine.map(|engine| {
                format!(
                    "engine {} for {}, {} store",
                    engine.version,
                    engine.platform,
                    engine.store.word()
                )
            }),
        ]),
    );
    if let Some(failure) = host.and_then(HostModel::failure) {
        out.toned("host", &failure.what, Tone::Danger);
        if !failure.remedy.is_empty() {
            out.toned("try", &failure.remedy, Tone::Accent);
        }
    }
}

/// Says what the tag names.
fn named(model: &Model, service: &ServiceView, answer: &Answer, out: &mut Explanation) {
    let top = answer.top.short();
    let Some(image) = &answer.image else {
        let what = if service.running.digests.contains(&answer.top) {
            "what runs, so its manifest was not read"
        } else {
            "its manifest was not read"
        };
        out.add("", format!("{top} · {what}"));
        return;
    };
    let built = built(model, image.created, image.revision.as_deref());
    if image.indexed {
        out.add(
            "",
            format!(
                "{top} · index; for {} it names {}",
                platform(image),
                image.manifest.short()
            ),
        );
        out.add("", joined([Some(built), version(image)]));
    } else {
        let what = format!("{top} · manifest for {}", platform(image));
        out.add("", joined([Some(what), Some(built), version(image)]));
    }
    if !image.attestations.is_empty() {
        out.add("", age::count(image.attestations.len(), "attestation"));
    }
}

fn platform(image: &RemoteImage) -> String {
    image
        .platform
        .as_ref()
        .map_or_else(|| "any platform".to_owned(), ToString::to_string)
}

fn version(image: &RemoteImage) -> Option<String> {
    let version = image.version.as_ref()?;
    Some(format!("version {version}"))
}

fn built(model: &Model, created: Option<jiff::Timestamp>, revision: Option<&str>) -> String {
    let from = revision
        .map(|revision| format!(" from {}", revision.chars().take(12).collect::<String>()))
        .unwrap_or_default();
    match created {
        Some(at) => format!("built {}{from}", ago(model.now.wall, at)),
        None => format!("built at an unknown time{from}"),
    }
}

/// Lists what was asked and how each ended; returns the label that is left for what follows.
fn requests(list: &[Request], out: &mut Explanation) -> &'static str {
    let mut label = "asked";
    for request in list {
        let ended = match request.status {
            Some(status) => format!("{status} in {} ms", request.milliseconds),
            None => format!("no answer in {} ms", request.milliseconds),
        };
        out.add(
            label,
            format!(
                "{} {}   {ended}",
                request.method,
                short_digests(&request.path)
            ),
        );
        label = "";
    }
    label
}

/// Says what was asked, how it ended, whose credentials were used and how much may still be asked.
fn asked(model: &Model, service: &ServiceView, answer: &Answer, out: &mut Explanation) {
    let label = requests(&answer.requests, out);
    let from = match service.question.as_ref().map(|question| &question.route) {
        Some(Route::Via(host)) => format!("through {host}"),
        Some(Route::Here) | None => "from this machine".to_owned(),
    };
    let credential = match &answer.credential {
        Some(name) => format!("as {name}"),
        None => "without credentials".to_owned(),
    };
    out.add(
        label,
        joined([
            Some(ago(model.now.wall, answer.at)),
            Some(from),
            Some(credential),
        ]),
    );
    for (top, examined) in &answer.examined {
        let found = match examined {
            Examined::Held(image) => format!(
                "the registry holds it; for {} it is {}",
                platform(image),
                image.manifest.short()
            ),
            Examined::NotHeld => "the registry does not hold it".to_owned(),
            Examined::Unknown(failure) => format!("could not be told: {failure}"),
        };
        out.add("looked up", format!("{} · {found}", top.short()));
    }
    if let Some(quota) = answer.quota {
        let of = quota
            .limit
            .map(|limit| format!(" of {limit}"))
            .unwrap_or_default();
        let window = quota
            .window_seconds
            .map(|seconds| {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                format!(
                    " in {}",
                    age::span(jiff::SignedDuration::from_secs(seconds))
                )
            })
            .unwrap_or_default();
        out.add(
            "quota",
            format!("{}{of} pulls left{window}", quota.remaining),
        );
    }
    if let Some(remark) = &answer.remark {
        out.toned("remark", remark, Tone::Attention);
    }
}

/// Shows digests within a path as people read them.
fn short_digests(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| match part.parse::<Digest>() {
            Ok(_) => part.get(.."sha256:".len() + 12).unwrap_or(part),
            Err(_) => part,
        })
        .collect();
    parts.join("/")
}

fn failed(model: &Model, remote: &Remote, out: &mut Explanation) {
    let Some((at, failure)) = &remote.failure else {
        return;
    };
    out.toned(
        "failed",
        format!("{} · {}", failure.what, ago(model.now.wall, *at)),
        Tone::Danger,
    );
    if let Some(asked) = &failure.asked {
        let label = requests(&asked.requests, out);
        let credential = match &asked.credential {
            Some(name) => format!("as {name}"),
            None => "without credentials".to_owned(),
        };
        out.add(label, credential);
    }
    if let Some(wait) = failure.retry_after {
        out.add(
            "",
            format!("the registry asks to be left alone for {}", age::span(wait)),
        );
    }
    if !failure.remedy.is_empty() {
        out.toned("try", &failure.remedy, Tone::Accent);
    }
}

fn config(model: &Model, service: &ServiceView, out: &mut Explanation) {
    let tone = match service.config {
        ConfigState::Same => Tone::Plain,
        ConfigState::Changed | ConfigState::Unreadable => Tone::Attention,
        ConfigState::Unknown => Tone::Quiet,
    };
    let why = service.config_why.as_ref();
    let text = match service.config {
        ConfigState::Same => "same as the files".to_owned(),
        state => joined([Some(state.word().to_owned()), why.cloned()]),
    };
    let changed = service.config == ConfigState::Changed;
    out.toned("config", text, tone);
    if changed {
        let config = model.keymap.named("config");
        out.toned(
            "",
            format!("{config} lists the keys that differ"),
            Tone::Quiet,
        );
    }
}

fn host_why(model: &Model, host: &HostModel) -> Explanation {
    let now = model.now.wall;
    let mut out = Explanation::new(&format!("why is {} {}?", host.spec.name, host_word(host)));
    out.add("address", host.spec.address.to_string());
    let since = host
        .since
        .map(|at| format!("since {}", ago(now, at)))
        .unwrap_or_default();
    out.toned(
        "state",
        format!("{} {since}", host_word(host)),
        host_tone(host),
    );
    if let Some(failure) = host.failure() {
        out.toned("because", &failure.what, Tone::Danger);
        if !failure.remedy.is_empty() {
            out.toned("try", &failure.remedy, Tone::Accent);
        }
        if let Some(due) = host.redial_due {
            let wait = due.saturating_sub(model.now.since_start).as_secs();
            out.add(
                "again",
                format!("dialled again by itself in {wait} s or less"),
            );
        }
    }
    if let Some(rtt) = host.rtt_ms {
        out.add("answers", format!("in {rtt} ms"));
    }
    if let Some(could) = host.could_change {
        out.add(
            "may",
            if could {
                "look and change"
            } else {
                "only look"
            },
        );
    }
    if let Some(seen) = &host.observation {
        out.add("seen", ago(now, seen.at));
    }
    out.gap();
    tallies(model, &RowId::Host(host.spec.name.clone()), &mut out);
    let refresh = model.keymap.named("refresh");
    out.toned("", format!("{refresh} looks again now"), Tone::Quiet);
    out
}

fn group_why(model: &Model, id: &RowId, name: &str) -> Explanation {
    let mut out = Explanation::new(&format!("how does {name} stand?"));
    tallies(model, id, &mut out);
    out
}

/// Lists the services below by verdict, worst first, each with its reason.
fn tallies(model: &Model, id: &RowId, out: &mut Explanation) {
    let keys = rows::services_below(model, id);
    let services: Vec<&ServiceView> = keys.iter().filter_map(|key| model.service(key)).collect();
    for verdict in Verdict::ALL.into_iter().rev() {
        let of: Vec<&&ServiceView> = services
            .iter()
            .filter(|service| service.verdict == verdict)
            .collect();
        if of.is_empty() {
            continue;
        }
        let title = age::count(of.len(), "service");
        out.toned(verdict.word(), title, Tone::of(verdict));
        if verdict.is_settled() {
            continue;
        }
        for service in of.iter().take(30) {
            let name = format!("{}/{}", service.key.project, service.key.service);
            out.add("", format!("{name}: {}", service.why));
        }
        if of.len() > 30 {
            out.add("", format!("and {} more", of.len() - 30));
        }
    }
    let sick: Vec<String> = services
        .iter()
        .filter(|service| service.is_unhealthy())
        .map(|service| {
            format!(
                "{}/{} {}",
                service.key.project,
                service.key.service,
                service.life()
            )
        })
        .collect();
    if !sick.is_empty() {
        out.toned("unhealthy", sick.join(" · "), Tone::Danger);
    }
    out.gap();
}
