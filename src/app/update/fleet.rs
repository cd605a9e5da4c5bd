//! What hosts, files and registries said.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::core::engine::Observation;
use crate::core::failure::{HostFailure, HostTrouble, RegistryFailure};
use crate::core::files::{FilesState, Recipe};
use crate::core::memory::Memory;
use crate::core::names::{HostName, ProjectName};
use crate::core::remote::{Answer, QuestionKey};
use crate::core::watch::{EngineEvent, Scope};

use super::super::effect::{Effect, Look};
use super::super::judge;
use super::super::mode::Mode;
use super::super::model::{FilesKey, FilesModel, Link, Model, RemoteModel};
use super::{history, preview, schedule, tailnet};

/// How long events are gathered before a host is read again.
const GATHER: Duration = Duration::from_millis(120);

/// How long what is new may wait before it is written down.
const SAVE_AFTER: Duration = Duration::from_secs(60);
/// How long it waits at least after the last time, as a service that comes and goes changes something each minute.
const SAVE_APART: Duration = Duration::from_secs(30 * 60);
/// How long it may wait where only times are new: a card in a small machine is worn by each write.
const SAVE_TIMES_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How many services fill about half a megabyte; a larger fleet's times are written less often than daily.
const DAILY: usize = 100;

/// Takes over what the last start knew; whatever was learned since then is kept.
pub fn restore(model: &mut Model, memory: Memory) {
    for remembered in memory.hosts {
        if let Some(index) = model.host_index(&remembered.name) {
            let host = &mut model.hosts[index];
            let same_place = host.spec.address.to_string() == remembered.address;
            if same_place && host.observation.is_none() {
                host.observation = Some(remembered.observation);
            }
        }
    }
    model.preview.recall(memory.counted);
    for (key, remote) in memory.remotes {
        model
            .remotes
            .entry(key)
            .or_insert_with(|| RemoteModel::new(remote));
    }
    for (host, project, recipe, rendered) in memory.files {
        let key = FilesKey {
            host,
            project,
            recipe,
        };
        model.files.entry(key).or_insert(FilesModel {
            state: Some(FilesState::Rendered(rendered)),
            failed: None,
            in_flight: false,
            due: Duration::ZERO,
        });
    }
    for index in 0..model.hosts.len() {
        rejudge(model, index);
    }
    model.history.seen.extend(memory.seen);
    history::restore(model);
}

/// The way to a host is open: everything there is read.
pub fn connected(model: &mut Model, name: &HostName, rtt_ms: u64, could_change: bool) {
    let Some(index) = model.host_index(name) else {
        return;
    };
    let now = model.now;
    let host = &mut model.hosts[index];
    host.link = Link::Up;
    host.since = Some(now.wall);
    host.rtt_ms = Some(rtt_ms);
    host.could_change = Some(could_change && !host.spec.read_only);
    host.attempts = 0;
    host.redial_due = None;
    host.fresh = false;
    host.in_flight = false;
    host.generation += 1;
    host.wanted = Some((now.since_start, Scope::All));
    // Files may have been edited and registries may be reachable again through this host.
    let name = name.clone();
    for (key, files) in &mut model.files {
        if key.host == name {
            files.due = now.since_start;
            files.in_flight = false;
        }
    }
    schedule::route_is_back(model, &name);
    history::again(model, &name);
    touch(model, index);
}

/// The machine slept: what failed before is dialled at once, and every open way has to prove itself.
pub fn woke<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    let now = model.now.since_start;
    for host in &mut model.hosts {
        host.attempts = 0;
        match host.link {
            Link::Failed(_) => host.redial_due = Some(now),
            Link::Up => {
                let host = host.spec.name.clone();
                effects.push(Effect::Look(Look::Recheck { host }));
            }
            Link::Idle | Link::Dialling(_) => {}
        }
    }
}

/// A dial waits for a person; the row says for what.
pub fn waiting(model: &mut Model, name: &HostName, failure: HostFailure) {
    let Some(index) = model.host_index(name) else {
        return;
    };
    let host = &mut model.hosts[index];
    if !matches!(host.link, Link::Up) {
        host.link = Link::Dialling(Some(failure));
        touch(model, index);
    }
}

/// A dial failed or an open way was lost; what was seen last stays, aged.
pub fn disconnected(model: &mut Model, name: &HostName, failure: HostFailure) {
    let Some(index) = model.host_index(name) else {
        return;
    };
    let now = model.now;
    let failure = tailnet::explained(model, &model.hosts[index], failure);
    let host = &mut model.hosts[index];
    let delay = schedule::redial_delay(host.attempts, &failure, name);
    host.attempts = host.attempts.saturating_add(1);
    // A dial that the tailnet makes pointless is held back when it is due, and due again with the tailnet's next word.
    host.redial_due = Some(now.since_start + delay);
    let same = host.failure().is_some_and(|old| *old == failure);
    if !same {
        host.since = Some(now.wall);
    }
    host.link = Link::Failed(failure);
    host.fresh = false;
    host.in_flight = false;
    host.wanted = None;
    host.generation += 1;
    for (key, files) in &mut model.files {
        if key.host == *name {
            files.in_flight = false;
        }
    }
    schedule::route_is_gone(model, name);
    touch(model, index);
}

/// Something changed on a host: it is read again as soon as the burst is over.
pub fn event(model: &mut Model, name: &HostName, event: EngineEvent) {
    let Some(index) = model.host_index(name) else {
        return;
    };
    let scope = match event {
        EngineEvent::Container { id, .. } => Scope::Containers(BTreeSet::from([id])),
        EngineEvent::Image { .. } => Scope::Containers(BTreeSet::new()),
    };
    want(model, index, GATHER, scope);
}

/// Asks for a reading of a host after a delay; an earlier wish is not put off.
pub fn want(model: &mut Model, index: usize, after: Duration, scope: Scope) {
    let due = model.now.since_start + after;
    let host = &mut model.hosts[index];
    host.wanted = Some(match host.wanted.take() {
        Some((earlier, other)) => (earlier.min(due), other.and(scope)),
        None => (due, scope),
    });
}

/// A reading of a host ended.
pub fn observed(
    model: &mut Model,
    name: &HostName,
    generation: u64,
    result: Result<Box<Observation>, HostFailure>,
) {
    let Some(index) = model.host_index(name) else {
        return;
    };
    if model.hosts[index].generation != generation {
        // An answer of a connection that is gone says nothing about now.
        return;
    }
    let now = model.now;
    let refresh = model.settings.refresh.hosts;
    match result {
        Ok(observation) => {
            let host = &mut model.hosts[index];
            host.in_flight = false;
            host.fresh = true;
            host.full_due = now.since_start + refresh;
            let changed = host.observation.as_ref().is_none_or(|old| {
                // More detail of the same images is no change of the host.
                let same_depth = old.whole.is_some() == observation.whole.is_some();
                old.containers != observation.containers
                    || same_depth && old.images != observation.images
            });
            let mut observation = *observation;
            observation.remember(host.observation.as_ref());
            host.observation = Some(observation);
            if changed {
                model.changed_at = Some(now.wall);
                remember_within(model, SAVE_AFTER);
            }
            schedule::files_of(model, index, changed);
            history::for_verdicts(model, index);
            touch(model, index);
            history::compare(model, index);
            history::compare_pins(model, index);
        }
        Err(failure) if failure.trouble == HostTrouble::BadAnswer => {
            // The way is open but one answer was no good: look again rather than dial again.
            model.hosts[index].in_flight = false;
            model.hosts[index].fresh = false;
            let wait = schedule::redial_delay(model.hosts[index].attempts, &failure, name);
            model.hosts[index].attempts = model.hosts[index].attempts.saturating_add(1);
            want(model, index, wait, Scope::All);
            touch(model, index);
        }
        Err(failure) => disconnected(model, name, failure),
    }
}

/// The host rendered a project's files, or could not.
pub fn rendered(
    model: &mut Model,
    host: HostName,
    project: ProjectName,
    recipe: Recipe,
    state: FilesState,
) {
    let refresh = model.settings.refresh.hosts;
    let due = model.now.since_start + refresh;
    let Some(index) = model.host_index(&host) else {
        return;
    };
    let key = FilesKey {
        host,
        project,
        recipe,
    };
    if let Some(files) = model.files.get_mut(&key) {
        files.in_flight = false;
        files.due = due;
        // What could not be looked at leaves what was seen before, and says so.
        files.failed = match (&files.state, &state) {
            (Some(FilesState::Rendered(_)), FilesState::Unknown(why)) => Some(why.clone()),
            _ => None,
        };
        if files.failed.is_none() && files.state.as_ref() != Some(&state) {
            let same = files.state.as_ref().is_some_and(|old| old.says_as(&state));
            files.state = Some(state);
            if same {
                remember_times(model);
            } else {
                remember_within(model, SAVE_AFTER);
            }
        }
        touch(model, index);
        history::compare_pins(model, index);
    }
}

/// A registry answered, or did not.
pub fn resolved(
    model: &mut Model,
    key: &QuestionKey,
    result: Result<Box<Answer>, RegistryFailure>,
) {
    let now = model.now;
    let refresh = model.settings.refresh.registry;
    let Some(remote) = model.remotes.get_mut(key) else {
        return;
    };
    remote.in_flight = false;
    match &result {
        Ok(_) => remote.failures = 0,
        Err(_) => remote.failures = remote.failures.saturating_add(1),
    }
    let wait = schedule::ask_again_after(key, &result, remote.failures, refresh);
    remote.due = now.since_start + wait;
    if let Ok(answer) = &result {
        preview::learn(model, key, answer);
    }
    let Some(remote) = model.remotes.get_mut(key) else {
        return;
    };
    let before = remote.remote.clone();
    remote.remote.learn(now.wall, result.map(|answer| *answer));
    let after = &remote.remote;
    let top = |remote: &crate::core::remote::Remote| remote.answer.as_ref().map(|a| a.top.clone());
    let named_anew = top(&before) != top(after);
    if named_anew || before.failure.is_some() != after.failure.is_some() {
        model.changed_at = Some(now.wall);
    }
    if named_anew {
        remember_within(model, SAVE_AFTER);
    } else {
        // That a registry is away or back is asked anew at the next start, and is not worth a write.
        remember_times(model);
    }
    let users: Vec<usize> = model
        .users
        .get(key)
        .into_iter()
        .flatten()
        .copied()
        .collect();
    for index in users {
        touch(model, index);
    }
}

/// Judges a host again and has the screen drawn.
pub fn touch(model: &mut Model, index: usize) {
    rejudge(model, index);
    model.dirty = true;
}

pub fn rejudge(model: &mut Model, index: usize) {
    let view = judge::judge_host(model, &model.hosts[index]);
    model.judged[index] = view;
    model.judged_count += 1;
    schedule::questions_of(model, index);
    preview::mark(model, index);
    model.dirty = true;
}

/// Has it written down that all is as it was, in a while.
fn remember_times(model: &mut Model) {
    let days = u32::try_from(model.services().count() / DAILY).unwrap_or(u32::MAX);
    let limit = SAVE_TIMES_AFTER.saturating_mul(days.saturating_add(1));
    remember_within(model, limit);
}

/// Has it written down later what could not be written down now.
pub fn remember_later(model: &mut Model) {
    model.unsaved = true;
    model.save_due = Some(model.now.since_start + SAVE_APART);
}

fn remember_within(model: &mut Model, limit: Duration) {
    model.unsaved = true;
    let next = model.saved_at.map_or(Duration::ZERO, |at| at + SAVE_APART);
    let due = (model.now.since_start + limit).max(next);
    model.save_due = Some(model.save_due.map_or(due, |earlier| earlier.min(due)));
}
