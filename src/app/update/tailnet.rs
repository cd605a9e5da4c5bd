//! What the tailnet said, and what that means for dials.
//!
//! A living connection counts for more than any word of the tailnet; everything else waits for it.

use std::time::Duration;

use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::names::HostName;
use crate::core::tailnet::Tailnet;

use super::super::effect::{Effect, Look};
use super::super::mode::Mode;
use super::super::model::{HostModel, Link, Model};
use super::super::tailnet::Watch;
use super::fleet::touch;

/// How long the first dials wait for the tailnet's first word.
const PATIENCE: Duration = Duration::from_secs(2);

/// Begins to ask, once.
pub fn begin<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    if model.tailnet.watch == Watch::Wanted {
        model.tailnet.watch = Watch::Asked(model.now.since_start + PATIENCE);
        effects.push(Effect::Look(Look::WatchTailnet));
    }
}

/// Tells until when a first dial waits for the tailnet.
pub fn waits_until(model: &Model, host: &HostModel) -> Option<Duration> {
    match model.tailnet.watch {
        Watch::Asked(until) if host.tailnet.destination.is_some() => Some(until),
        _ => None,
    }
}

/// Holds a dial back where the tailnet knows that it is pointless.
pub fn held_back(model: &mut Model, index: usize) -> bool {
    let host = &model.hosts[index];
    let now = model.now.since_start;
    if host.link == Link::Idle && waits_until(model, host).is_some_and(|until| now < until) {
        return true;
    }
    match model.obstacle(host) {
        Some(obstacle) => {
            fail(model, index, obstacle);
            true
        }
        None => false,
    }
}

/// A host's address leads to this name, or somewhere that the tailnet does not know.
pub fn destination(model: &mut Model, name: &HostName, destination: Option<String>) {
    if let Some(index) = model.host_index(name) {
        model.hosts[index].tailnet.destination = destination;
    }
}

/// The tailnet told how it stands.
pub fn told(model: &mut Model, tailnet: Tailnet) {
    if !tailnet.suffix.is_empty() {
        model.tailnet.suffix.clone_from(&tailnet.suffix);
    }
    let before: Vec<bool> = model
        .hosts
        .iter()
        .map(|host| model.obstacle(host).is_some())
        .collect();
    model.tailnet.watch = Watch::Known;
    model.tailnet.seen = Some(tailnet);
    for (index, was_held) in before.into_iter().enumerate() {
        place(model, index);
        let obstacle = model.obstacle(&model.hosts[index]);
        let now = model.now.since_start;
        let host = &mut model.hosts[index];
        match (&host.link, obstacle) {
            (Link::Idle | Link::Failed(_), Some(obstacle)) => fail(model, index, obstacle),
            (Link::Dialling(_), Some(obstacle)) => {
                // The dial under way may prove the tailnet wrong; meanwhile its word stands.
                host.link = Link::Dialling(Some(obstacle));
                touch(model, index);
            }
            (Link::Dialling(Some(failure)), None) if failure.trouble == HostTrouble::Offline => {
                host.link = Link::Dialling(None);
                touch(model, index);
            }
            (Link::Failed(failure), None)
                if was_held || failure.trouble == HostTrouble::Offline =>
            {
                host.attempts = 0;
                host.redial_due = Some(now);
            }
            _ => {}
        }
    }
    model.dirty = true;
}

/// Returns the words for a failed dial, where the tailnet has better ones.
pub fn explained(model: &Model, host: &HostModel, failure: HostFailure) -> HostFailure {
    if let Some(obstacle) = model.obstacle(host) {
        return obstacle;
    }
    let unreached = matches!(
        failure.trouble,
        HostTrouble::NoSuchName | HostTrouble::NoConnection
    );
    let seen = model.tailnet.seen.as_ref().filter(|_| unreached);
    let destination = host.tailnet.destination.as_deref();
    seen.zip(destination)
        .and_then(|(seen, name)| {
            // A short name might have meant something elsewhere, so it was tried.
            let closed = seen.closed_here(name);
            closed.or_else(|| seen.stranger(name, host.tailnet.former.as_ref()))
        })
        .unwrap_or(failure)
}

/// Finds the peer that a host is.
fn place(model: &mut Model, index: usize) {
    let seen = model.tailnet.seen.as_ref();
    let place = &mut model.hosts[index].tailnet;
    let destination = place.destination.as_deref();
    // Peers of a tailnet that is off are as they were last known.
    let seen = seen.filter(|seen| seen.is_current());
    place.peer = seen
        .zip(destination)
        .and_then(|(seen, destination)| seen.peer(destination))
        .cloned();
    if let Some(peer) = &place.peer {
        place.former = Some(peer.id.clone());
    }
}

fn fail(model: &mut Model, index: usize, failure: HostFailure) {
    let now = model.now;
    let host = &mut model.hosts[index];
    host.redial_due = None;
    if host.failure() == Some(&failure) && matches!(host.link, Link::Failed(_)) {
        return;
    }
    host.since = Some(now.wall);
    host.link = Link::Failed(failure);
    touch(model, index);
}
