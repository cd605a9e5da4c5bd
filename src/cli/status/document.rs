//! The JSON document of `status`, schema 1.

use jiff::Timestamp;
use serde::Serialize;

use super::select::{SelectedHost, Selection};
use crate::app::judge::{ContainerView, ProjectView, RegistryView, RunningView, ServiceView};
use crate::core::digest::Digest;
use crate::core::engine::EngineFacts;
use crate::core::pinned;
use crate::core::platform::Platform;
use crate::core::tailnet::{Peer, Standing};

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: u32,
    at: Timestamp,
    hosts: Vec<Host<'a>>,
}

#[derive(Debug, Serialize)]
struct Host<'a> {
    name: &'a str,
    address: String,
    state: &'static str,
    error: Option<String>,
    since: Option<Timestamp>,
    observed_at: Option<Timestamp>,
    rtt_ms: Option<u64>,
    could_change: Option<bool>,
    engine: Option<Engine<'a>>,
    tailscale: Option<Tailscale<'a>>,
    projects: Vec<Project<'a>>,
}

#[derive(Debug, Serialize)]
struct Engine<'a> {
    version: &'a str,
    api: &'a str,
    image_store: &'static str,
    platform: &'a Platform,
}

#[derive(Debug, Serialize)]
struct Tailscale<'a> {
    name: &'a str,
    online: bool,
    path: &'static str,
    relay: Option<&'a str>,
    expired: bool,
}

#[derive(Debug, Serialize)]
struct Project<'a> {
    name: &'a str,
    kind: &'static str,
    services: Vec<Service<'a>>,
}

#[derive(Debug, Serialize)]
struct Service<'a> {
    name: &'a str,
    image: &'a str,
    working_dir: Option<&'a str>,
    config_files: &'a [String],
    environment: Option<&'a str>,
    environment_from: Option<&'static str>,
    protect: bool,
    containers: Vec<Container<'a>>,
    running: Running<'a>,
    registry: Registry<'a>,
    verdict: &'static str,
    why: &'a str,
    note: Option<String>,
    last: Option<Last>,
    mixed: bool,
    builds_behind: Option<u64>,
    fetch_bytes: Option<u64>,
    config: &'static str,
    pinned: Option<Pinned<'a>>,
}

#[derive(Debug, Serialize)]
struct Container<'a> {
    id: &'a str,
    name: &'a str,
    state: &'static str,
    health: Option<&'static str>,
    image_id: &'a Digest,
    started: Option<Timestamp>,
    restarts: u64,
}

#[derive(Debug, Serialize)]
struct Running<'a> {
    image_id: &'a Digest,
    digests: Vec<&'a Digest>,
    manifest: Option<&'a Digest>,
    tags: Vec<String>,
    created: Option<Timestamp>,
    revision: Option<&'a str>,
    version: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Registry<'a> {
    reference: Option<String>,
    digest: Option<&'a Digest>,
    manifest: Option<&'a Digest>,
    created: Option<Timestamp>,
    revision: Option<&'a str>,
    checked_at: Option<Timestamp>,
    error: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Last {
    verdict: &'static str,
    at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Pinned<'a> {
    by: Option<&'a str>,
    since: Option<Timestamp>,
    reason: Option<&'a str>,
    to: &'a str,
    how: &'static str,
}

impl<'a> Document<'a> {
    /// Makes the document of what is selected.
    pub fn of(selection: &Selection<'a>, at: Timestamp) -> Self {
        Self {
            schema: 1,
            at,
            hosts: selection.hosts.iter().map(host).collect(),
        }
    }
}

fn host<'a>(selected: &SelectedHost<'a>) -> Host<'a> {
    let host = selected.host;
    let observation = host.observation.as_ref();
    Host {
        name: host.spec.name.as_str(),
        address: host.spec.address.to_string(),
        state: host.state().word(),
        error: host.failure().map(ToString::to_string),
        since: host.since,
        observed_at: observation.map(|observation| observation.at),
        rtt_ms: host.rtt_ms,
        could_change: host.could_change,
        engine: observation.map(|observation| engine(&observation.engine)),
        tailscale: host.tailnet.peer.as_ref().map(tailscale),
        projects: selected
            .projects
            .iter()
            .map(|(view, services)| project(view, services))
            .collect(),
    }
}

fn tailscale(peer: &Peer) -> Tailscale<'_> {
    Tailscale {
        name: &peer.name,
        online: peer.is_online(),
        path: peer.path().word(),
        relay: peer.path().relay(),
        expired: peer.standing == Standing::KeyExpired,
    }
}

fn engine(facts: &EngineFacts) -> Engine<'_> {
    Engine {
        version: &facts.version,
        api: &facts.api,
        image_store: facts.store.word(),
        platform: &facts.platform,
    }
}

fn project<'a>(view: &'a ProjectView, services: &[&'a ServiceView]) -> Project<'a> {
    Project {
        name: view.name.as_str(),
        kind: view.kind.word(),
        services: services.iter().map(|view| service(view)).collect(),
    }
}

fn service(view: &ServiceView) -> Service<'_> {
    let recipe = view.compose.as_ref().map(|compose| &compose.recipe);
    Service {
        name: view.key.service.as_str(),
        image: &view.reference,
        working_dir: recipe.map(|recipe| recipe.working_dir.as_str()),
        config_files: recipe.map_or(&[], |recipe| &recipe.config_files),
        environment: view.environment.as_deref(),
        environment_from: view.environment_from.map(|from| from.word()),
        protect: view.protect,
        containers: view.containers.iter().map(container).collect(),
        running: running(&view.running),
        registry: registry(&view.registry),
        verdict: view.verdict.word(),
        why: &view.why,
        note: note(view),
        last: view.last.map(|(verdict, at)| Last {
            verdict: verdict.word(),
            at,
        }),
        mixed: view.mixed,
        builds_behind: view.builds_behind,
        fetch_bytes: view.fetch_bytes,
        config: view.config.word(),
        pinned: view.pinned.as_deref().filter(|pin| pin.holds()).map(pinned),
    }
}

fn note(view: &ServiceView) -> Option<String> {
    let parts: Vec<String> = view
        .note
        .clone()
        .into_iter()
        .chain(view.follows_in_production())
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn pinned(pin: &pinned::Pinned) -> Pinned<'_> {
    Pinned {
        by: pin.by.as_deref(),
        since: pin.since,
        reason: pin.reason.as_deref(),
        to: &pin.to,
        how: pin.how.word(),
    }
}

fn container(view: &ContainerView) -> Container<'_> {
    Container {
        id: view.id.as_str(),
        name: &view.name,
        state: view.state.word(),
        health: view.health.word(),
        image_id: view.image_id.digest(),
        started: view.started,
        restarts: view.restarts,
    }
}

fn running(view: &RunningView) -> Running<'_> {
    Running {
        image_id: view.image_id.digest(),
        digests: view.digests.iter().map(|top| top.digest()).collect(),
        manifest: view.manifest.as_ref().map(|manifest| manifest.digest()),
        tags: view.tags.iter().map(|tag| tag.familiar()).collect(),
        created: view.created,
        revision: view.revision.as_deref(),
        version: view.version.as_deref(),
    }
}

fn registry(view: &RegistryView) -> Registry<'_> {
    Registry {
        reference: view.reference.as_ref().map(ToString::to_string),
        digest: view.digest.as_ref().map(|top| top.digest()),
        manifest: view.manifest.as_ref().map(|manifest| manifest.digest()),
        created: view.created,
        revision: view.revision.as_deref(),
        checked_at: view.checked_at,
        error: view.error.as_deref(),
    }
}
