//! Everything known of a row.

use crate::core::age;
use crate::core::engine::ContainerFacts;

use super::super::judge::{ContainerView, ServiceView};
use super::super::model::{HostModel, Model};
use super::super::rows;
use super::super::screen::RowId;
use super::{Explanation, Tone, ago, brief, joined};

/// How many labels and tags are listed; images from strangers may have thousands.
const MOST: usize = 60;

/// Tells everything known of a row.
pub fn describe(model: &Model, id: &RowId) -> Explanation {
    let mut out = brief(model, id);
    match id {
        RowId::Service(key) => {
            if let Some(service) = model.service(key) {
                service_more(model, service, &mut out);
            }
        }
        RowId::Host(name) => {
            if let Some(index) = model.host_index(name) {
                host_more(&model.hosts[index], &mut out);
            }
        }
        RowId::Project(..) | RowId::Group(_) => {
            out.gap();
            for key in rows::services_below(model, id).iter().take(MOST) {
                if let Some(service) = model.service(key) {
                    let text = joined([
                        Some(key.to_string()),
                        Some(service.verdict.word().to_owned()),
                        Some(service.reference.clone()),
                    ]);
                    out.toned("service", text, Tone::of(service.verdict));
                }
            }
        }
    }
    out
}

fn service_more(model: &Model, service: &ServiceView, out: &mut Explanation) {
    out.gap();
    image(service, out);
    out.gap();
    files(service, out);
    let host = model
        .host_index(&service.key.host)
        .map(|index| &model.hosts[index]);
    let facts = |container: &ContainerView| {
        host?
            .observation
            .as_ref()?
            .containers
            .iter()
            .find(|facts| facts.id == container.id)
    };
    for container in &service.containers {
        out.gap();
        container_more(model, container, facts(container), out);
    }
    if service.left_overs > 0 {
        out.toned(
            "left over",
            format!(
                "{} of an interrupted recreate",
                age::count(service.left_overs, "container")
            ),
            Tone::Attention,
        );
    }
}

fn image(service: &ServiceView, out: &mut Explanation) {
    let running = &service.running;
    out.add("image Id", running.image_id.to_string());
    if let Some(manifest) = &running.manifest {
        out.add("manifest", manifest.to_string());
    }
    for (place, digest) in running.digests.iter().take(MOST).enumerate() {
        out.add(if place == 0 { "digests" } else { "" }, digest.to_string());
    }
    for (place, tag) in running.tags.iter().take(MOST).enumerate() {
        out.add(if place == 0 { "tags" } else { "" }, tag.familiar());
    }
    if running.tags.is_empty() {
        out.toned("tags", "none on this host", Tone::Quiet);
    }
    if let Some(size) = running.size {
        out.add("size", age::bytes(size));
    }
    for (label, text) in [("revision", &running.revision), ("source", &running.source)] {
        if let Some(text) = text {
            out.add(label, text);
        }
    }
    let registry = &service.registry;
    if let Some(digest) = &registry.digest {
        out.add("tag names", digest.to_string());
    }
    if let Some(manifest) = &registry.manifest {
        out.add("", format!("for this platform {manifest}"));
    }
    if let Some(error) = &registry.error {
        out.toned("registry", error, Tone::Danger);
    }
}

fn files(service: &ServiceView, out: &mut Explanation) {
    out.add("kind", service.kind.word());
    let Some(compose) = &service.compose else {
        return;
    };
    let version = match compose.is_v1() {
        true => format!("{} (v1: only observed)", compose.version),
        false => compose.version.clone(),
    };
    out.add("compose", version);
    out.add("folder", &compose.recipe.working_dir);
    for (place, file) in compose.recipe.config_files.iter().take(MOST).enumerate() {
        out.add(if place == 0 { "files" } else { "" }, file);
    }
    for file in compose.recipe.environment_files.iter().take(MOST) {
        out.add("env file", file);
    }
    if !compose.depends_on.is_empty() {
        let names: Vec<&str> = compose
            .depends_on
            .iter()
            .map(|name| name.as_str())
            .collect();
        out.add("needs", names.join(" "));
    }
    if let Some(hash) = &compose.config_hash {
        out.add("config of", hash);
    }
    if let Some(pin) = &service.pinned {
        out.toned("pinned", pin.words(), Tone::Accent);
        if let Some(follows) = &pin.follows {
            out.add("", format!("judged against {follows}, which it followed"));
        }
        if let Some(why) = &pin.undone {
            out.toned("", format!("undone: {why}"), Tone::Danger);
        }
    }
}

fn container_more(
    model: &Model,
    container: &ContainerView,
    facts: Option<&ContainerFacts>,
    out: &mut Explanation,
) {
    let now = model.now.wall;
    out.toned("container", &container.name, Tone::Accent);
    let id: String = container.id.as_str().chars().take(12).collect();
    out.add("", format!("{id} · image {}", container.image_id.short()));
    out.add(
        "",
        joined([
            Some(container.state.word().to_owned()),
            container.health.word().map(str::to_owned),
            container
                .exit_code
                .filter(|_| container.state != crate::core::engine::ContainerState::Running)
                .map(|code| format!("exit code {code}")),
            container
                .started
                .map(|at| format!("started {}", ago(now, at))),
            Some(age::count(
                usize::try_from(container.restarts).unwrap_or(usize::MAX),
                "restart",
            )),
            Some(container.verdict.word().to_owned()),
        ]),
    );
    if !container.ports.is_empty() {
        out.add("ports", container.ports.join(" "));
    }
    let Some(facts) = facts else {
        return;
    };
    out.add("network", &facts.network_mode);
    if let Some(at) = facts.created {
        out.add("created", ago(now, at));
    }
    for (place, (name, value)) in facts.labels.iter().take(MOST).enumerate() {
        let label = if place == 0 { "labels" } else { "" };
        out.toned(label, format!("{name}={value}"), Tone::Quiet);
    }
    if facts.labels.iter().len() > MOST {
        out.toned(
            "",
            format!("and {} more", facts.labels.iter().len() - MOST),
            Tone::Quiet,
        );
    }
}

fn host_more(host: &HostModel, out: &mut Explanation) {
    out.gap();
    out.add("docker", host.spec.docker_command.join(" "));
    if let Some(socket) = &host.spec.socket {
        out.add("socket", socket);
    }
    if let Some(seen) = &host.observation {
        if let Some(root) = &seen.engine.data_root {
            out.add("data", root);
        }
        out.add(
            "holds",
            joined([
                Some(age::count(seen.containers.len(), "container")),
                Some(age::count(seen.images.len(), "image")),
            ]),
        );
    }
    if let Some(could) = host.could_change {
        out.add(
            "way",
            if could {
                "would let changes through"
            } else {
                "lets nothing be changed"
            },
        );
    }
}
