//! What is due and when: dials, readings, questions to registries, notes for the next start.
//!
//! Delays are pure functions. They spread by name rather than by chance, so that a test sees the same as a user.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::core::digest::TopDigest;
use crate::core::engine::ImageStore;
use crate::core::failure::{HostFailure, HostTrouble, RegistryFailure, RegistryTrouble};
use crate::core::names::HostName;
use crate::core::remote::{Answer, Question, QuestionKey, Remote, Route};
use crate::core::verdict;
use crate::core::watch::Scope;

use super::super::effect::{Console, Effect, Look};
use super::super::judge;
use super::super::mode::Mode;
use super::super::model::{FilesKey, FilesModel, Link, Model, RemoteModel};
use super::{tailnet, tidy, wall};

/// The longest pause between two tries of anything.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// The longest wait before a host is dialled again that only the network keeps away: it may be back any moment.
const LONGEST_REDIAL: Duration = Duration::from_secs(60);

/// How long a failed question waits at first.
const FIRST_QUESTION: Duration = Duration::from_secs(30);

/// Emits the effects of all that is due.
pub fn run_due<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    if model.ending {
        return;
    }
    let now = model.now.since_start;
    tailnet::begin(model, effects);
    for index in 0..model.hosts.len() {
        run_host(model, index, now, effects);
    }
    let connected: BTreeSet<HostName> = model
        .hosts
        .iter()
        .filter(|host| host.link == Link::Up)
        .map(|host| host.spec.name.clone())
        .collect();
    for (key, files) in &mut model.files {
        if files.due <= now && !files.in_flight && connected.contains(&key.host) {
            files.in_flight = true;
            effects.push(Effect::Look(Look::Render {
                host: key.host.clone(),
                project: key.project.clone(),
                recipe: key.recipe.clone(),
            }));
        }
    }
    ask_registries(model, now, &connected, effects);
    if model.save_due.is_some_and(|due| due <= now) {
        model.save_due = None;
        model.saved_at = Some(now);
        model.unsaved = false;
        tidy::run(model);
        effects.push(Effect::Console(Console::Remember));
    }
}

fn run_host<M: Mode>(model: &mut Model, index: usize, now: Duration, effects: &mut Vec<Effect<M>>) {
    let host = &model.hosts[index];
    let to_be_dialled = match host.link {
        Link::Idle => true,
        Link::Failed(_) => host.redial_due.is_some_and(|due| due <= now),
        Link::Up | Link::Dialling(_) => false,
    };
    if to_be_dialled && tailnet::held_back(model, index) {
        return;
    }
    let host = &mut model.hosts[index];
    let name = host.spec.name.clone();
    match host.link {
        Link::Idle => {
            host.link = Link::Dialling(None);
            model.dirty = true;
            effects.push(Effect::Look(Look::Connect { host: name }));
        }
        Link::Failed(_) if host.redial_due.is_some_and(|due| due <= now) => {
            // The row keeps the reason while the next dial is under way.
            let Link::Failed(failure) = host.link.clone() else {
                return;
            };
            host.link = Link::Dialling(Some(failure));
            host.redial_due = None;
            effects.push(Effect::Look(Look::Connect { host: name }));
        }
        Link::Up if !host.in_flight => {
            if host.fresh && host.full_due <= now {
                host.wanted = Some((now, Scope::All));
            }
            if host.wanted.as_ref().is_some_and(|(due, _)| *due <= now)
                && let Some((_, scope)) = host.wanted.take()
            {
                host.in_flight = true;
                effects.push(Effect::Look(Look::Observe {
                    host: name,
                    generation: host.generation,
                    scope,
                }));
            }
        }
        Link::Up | Link::Failed(_) | Link::Dialling(_) => {}
    }
}

fn ask_registries<M: Mode>(
    model: &mut Model,
    now: Duration,
    connected: &BTreeSet<HostName>,
    effects: &mut Vec<Effect<M>>,
) {
    let due: Vec<QuestionKey> = model
        .remotes
        .iter()
        .filter(|(key, remote)| {
            let reachable = match &key.route {
                Route::Here => true,
                Route::Via(host) => connected.contains(host),
            };
            remote.due <= now && !remote.in_flight && reachable
        })
        .map(|(key, _)| key.clone())
        .collect();
    if due.is_empty() {
        return;
    }
    let wanted = wanted(model, &due);
    for key in due {
        let Some((running, examine)) = wanted.get(&key) else {
            // Nothing runs from it any more; it is asked again when something does.
            if let Some(remote) = model.remotes.get_mut(&key) {
                remote.due = Duration::MAX;
            }
            continue;
        };
        let running: Vec<TopDigest> = running.iter().cloned().collect();
        let examine: Vec<TopDigest> = examine.iter().cloned().collect();
        if let Some(remote) = model.remotes.get_mut(&key) {
            remote.in_flight = true;
            remote.asked = Some((running.clone(), examine.clone()));
            model.dirty = true;
        }
        effects.push(Effect::Look(Look::Resolve(Question {
            key,
            running,
            examine,
        })));
    }
}

/// By reference: the digests that all who use it run, and those to be examined.
type Wanted = BTreeMap<QuestionKey, (BTreeSet<TopDigest>, BTreeSet<TopDigest>)>;

/// Gathers what the services that use these references want to know of them.
fn wanted(model: &Model, keys: &[QuestionKey]) -> Wanted {
    let mut wanted = Wanted::new();
    let users = keys.iter().filter_map(|key| model.users.get(key));
    let hosts: BTreeSet<usize> = users.flatten().copied().collect();
    for index in hosts {
        gather_wanted(model, index, &mut wanted);
    }
    wanted
}

fn gather_wanted(model: &Model, index: usize, wanted: &mut Wanted) {
    let host = &model.hosts[index];
    let Some(observation) = &host.observation else {
        return;
    };
    for service in model.judged[index].services() {
        let builds = service.compose.as_ref().and_then(|compose| {
            let key = FilesKey {
                host: service.key.host.clone(),
                project: service.key.project.clone(),
                recipe: compose.recipe.clone(),
            };
            match model.files.get(&key)?.state.as_ref()? {
                crate::core::files::FilesState::Rendered(rendered) => rendered
                    .services
                    .get(service.key.service.as_str())
                    .map(|service| service.builds),
                _ => None,
            }
        });
        for container in &service.containers {
            let Some(facts) = observation.containers.iter().find(|c| c.id == container.id) else {
                continue;
            };
            let pinned = service.pinned.as_deref();
            let gathered = judge::gather(model, host, observation, facts, pinned);
            let Some(key) = gathered.question.clone() else {
                continue;
            };
            let facts = gathered.facts(None, builds);
            let Ok(reference) = facts.reference else {
                continue;
            };
            let tops: BTreeSet<TopDigest> = verdict::running_tops(&facts, reference)
                .into_iter()
                .collect();
            // Where the engine does not tell the running manifest, or where the project builds the image itself,
            // the registry is asked about the running digest too.
            let no_manifest =
                facts.store == ImageStore::Containerd && facts.container.manifest.is_none();
            let examine = no_manifest || builds == Some(true);
            match wanted.entry(key) {
                Entry::Vacant(entry) => {
                    let examined = if examine {
                        tops.clone()
                    } else {
                        BTreeSet::new()
                    };
                    entry.insert((tops, examined));
                }
                Entry::Occupied(mut entry) => {
                    let (running, examined) = entry.get_mut();
                    if examine {
                        examined.extend(tops.iter().cloned());
                    }
                    // One container that runs something else is enough to need the manifest.
                    running.retain(|top| tops.contains(top));
                }
            }
        }
    }
}

/// Makes sure that each reference of a host is asked about, now if its answer does not fit what runs.
pub fn questions_of(model: &mut Model, index: usize) {
    let mut wants = Wanted::new();
    gather_wanted(model, index, &mut wants);
    note_users(model, index, &wants);
    let now = model.now.since_start;
    for (key, (running, examine)) in wants {
        let remote = model
            .remotes
            .entry(key)
            .or_insert_with(|| RemoteModel::new(Remote::default()));
        if remote.due == Duration::MAX {
            remote.due = now;
        }
        let Some((asked_running, asked_examine)) = &remote.asked else {
            continue;
        };
        let new_examine = examine.iter().any(|top| !asked_examine.contains(top));
        // Where the tag named what ran no manifest was read; once something else runs it has to be.
        let unread = remote.remote.answer.as_ref().is_some_and(|answer| {
            answer.image.is_none()
                && !running.contains(&answer.top)
                && asked_running.contains(&answer.top)
        });
        let unanswered = remote.remote.failure.is_some();
        if (new_examine || unread) && !unanswered {
            remote.due = now;
        }
    }
}

/// Keeps the list of who uses which reference.
fn note_users(model: &mut Model, index: usize, wants: &Wanted) {
    let left = |hosts: &BTreeSet<usize>| hosts.contains(&index);
    model.users.retain(|key, hosts| {
        if left(hosts) && !wants.contains_key(key) {
            hosts.remove(&index);
        }
        !hosts.is_empty()
    });
    for key in wants.keys() {
        match model.users.get_mut(key) {
            Some(hosts) => {
                hosts.insert(index);
            }
            None => {
                model.users.insert(key.clone(), BTreeSet::from([index]));
            }
        }
    }
}

/// Makes sure that each compose project of a host has its files looked at.
pub fn files_of(model: &mut Model, index: usize, changed: bool) {
    let now = model.now.since_start;
    let host = model.hosts[index].spec.name.clone();
    let Some(observation) = &model.hosts[index].observation else {
        return;
    };
    let mut keys = BTreeSet::new();
    for project in crate::core::inventory::sort(&observation.containers) {
        for service in project.services {
            if let Some(compose) = service.compose {
                keys.insert(FilesKey {
                    host: host.clone(),
                    project: project.name.clone(),
                    recipe: compose.recipe,
                });
            }
        }
    }
    model
        .files
        .retain(|key, _| key.host != host || keys.contains(key));
    for key in keys {
        let files = model.files.entry(key).or_insert(FilesModel {
            state: None,
            failed: None,
            in_flight: false,
            due: now,
        });
        if changed && !files.in_flight && files.state.is_some() {
            files.due = files.due.min(now);
        }
    }
}

/// Lets all questions through a host be asked now.
pub fn route_is_back(model: &mut Model, host: &HostName) {
    let now = model.now.since_start;
    for (key, remote) in &mut model.remotes {
        if key.route == Route::Via(host.clone()) {
            remote.due = remote.due.min(now);
            remote.in_flight = false;
        }
    }
}

/// Stops waiting for answers that would come through a host; they are asked for again when it is back.
pub fn route_is_gone(model: &mut Model, host: &HostName) {
    for (key, remote) in &mut model.remotes {
        if key.route == Route::Via(host.clone()) {
            remote.in_flight = false;
        }
    }
}

/// Says when the model has something to do by itself.
pub fn next_wake(model: &Model) -> Option<Duration> {
    let now = model.now.since_start;
    let hosts = model.hosts.iter().flat_map(|host| {
        let idle = host.link == Link::Up && !host.in_flight;
        let wanted = host.wanted.as_ref().map(|(due, _)| *due);
        let full = host.fresh.then_some(host.full_due);
        let reading = wanted.into_iter().chain(full).min().filter(|_| idle);
        let waits = tailnet::waits_until(model, host).filter(|_| host.link == Link::Idle);
        [host.redial_due, reading, waits]
    });
    let open = model.hosts.iter().filter(|host| host.link == Link::Up);
    let open: HashSet<&HostName> = open.map(|host| &host.spec.name).collect();
    let up = |host: &HostName| open.contains(host);
    let remotes = model.remotes.iter().filter_map(|(key, remote)| {
        let reachable = match &key.route {
            Route::Here => true,
            Route::Via(host) => up(host),
        };
        (reachable && !remote.in_flight).then_some(remote.due)
    });
    let files = model
        .files
        .iter()
        .filter_map(|(key, files)| (!files.in_flight && up(&key.host)).then_some(files.due));
    // Ages on the screen are looked at again with each minute.
    let seconds = 60 - model.now.wall.as_second().rem_euclid(60);
    let minute = now + Duration::from_secs(seconds.unsigned_abs());
    hosts
        .flatten()
        .chain(remotes)
        .chain(files)
        .chain(super::builds::next_due(model))
        .chain(model.save_due)
        .chain(wall::wake(model))
        .chain([minute])
        .min()
}

/// Returns how long a host is left alone after a failure.
pub fn redial_delay(attempts: u32, failure: &HostFailure, host: &HostName) -> Duration {
    let (first, longest) = match failure.trouble {
        // A person has to do something first; asking often would only fill the host's log.
        HostTrouble::HostKeyUnknown
        | HostTrouble::HostKeyChanged
        | HostTrouble::LoginRefused
        | HostTrouble::NoDocker
        | HostTrouble::NoPermission
        | HostTrouble::EngineVersion => (Duration::from_secs(30), LONGEST),
        HostTrouble::LoginWaits => (Duration::from_secs(60), LONGEST),
        HostTrouble::Offline
        | HostTrouble::NoSuchName
        | HostTrouble::NoConnection
        | HostTrouble::EngineDown
        | HostTrouble::BadAnswer => (Duration::from_secs(1), LONGEST_REDIAL),
    };
    spread(host, doubled(first, attempts).min(longest))
}

/// Returns how long a reference is left alone after an answer or a failure.
pub fn ask_again_after(
    key: &QuestionKey,
    result: &Result<Box<Answer>, RegistryFailure>,
    failures: u32,
    refresh: Duration,
) -> Duration {
    match result {
        Ok(_) => spread(key, refresh),
        Err(failure) => {
            let asked_for = failure
                .retry_after
                .and_then(|wait| Duration::try_from(wait).ok())
                .unwrap_or(Duration::ZERO);
            let own = match failure.trouble {
                // The route's return asks again by itself.
                RegistryTrouble::NoRoute => refresh,
                RegistryTrouble::BadReference => Duration::from_secs(86_400),
                _ => doubled(FIRST_QUESTION, failures.saturating_sub(1))
                    .min(refresh.max(FIRST_QUESTION)),
            };
            spread(key, own.max(asked_for))
        }
    }
}

pub fn doubled(first: Duration, times: u32) -> Duration {
    first
        .saturating_mul(1 << times.min(12))
        .min(LONGEST.max(first))
}

/// Adds up to a tenth, the same for the same name, so that a fleet does not ask in step.
fn spread(name: &impl Hash, wait: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let tenth = wait / 10;
    let part = (hasher.finish() % 1000) as u32;
    wait + tenth * part / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_never_shrink() {
        let host = HostName::from("nas");
        let failure = HostFailure::new(HostTrouble::NoConnection, "gone", "");
        let delays: Vec<Duration> = (0..20).map(|n| redial_delay(n, &failure, &host)).collect();
        assert!(delays.is_sorted(), "{delays:?}");
        assert!(delays[0] < Duration::from_secs(2));
        assert!(delays[19] <= LONGEST_REDIAL + LONGEST_REDIAL / 10);
    }

    #[test]
    fn b6_what_the_registry_asked_for_is_obeyed() {
        let key = QuestionKey {
            route: Route::Here,
            reference: "redis"
                .parse()
                .unwrap_or_else(|_| unreachable!("a good reference")),
            platform: crate::core::platform::Platform::new("linux", "amd64", None),
        };
        let mut failure = RegistryFailure::new(RegistryTrouble::RateLimited, "429", "");
        failure.retry_after = Some(jiff::SignedDuration::from_secs(3600));
        let wait = ask_again_after(&key, &Err(failure), 1, Duration::from_secs(600));
        assert!(wait >= Duration::from_secs(3600));
    }
}
