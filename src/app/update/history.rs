//! Journals: which are still to be read, what they told, and what was seen to happen meanwhile.

use std::collections::BTreeSet;

use crate::core::engine::ImageStore;
use crate::core::history::{Event, Seen, pin_undone};
use crate::core::names::{HostName, ServiceKey};
use crate::core::pinned::Pinned;

use super::super::effect::{Console, Effect, Look};
use super::super::history::{Source, wanted};
use super::super::jobs::running_image;
use super::super::mode::Mode;
use super::super::model::{Link, Model};
use super::{fleet, preview};

/// The most lines of the operator's journal that are held.
const MOST: usize = 20_000;

/// Emits what the open view still wants of journals, and writes down what was seen.
pub fn run_due<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    if !model.history.unrecorded.is_empty() {
        let events = std::mem::take(&mut model.history.unrecorded);
        if model.history.own.asked {
            let own = &mut model.history.own.events;
            own.extend(events.iter().cloned());
            let over = own.len().saturating_sub(MOST);
            own.drain(..over);
            joined(model);
        }
        effects.push(Effect::Console(Console::Record(events)));
    }
    if model.history.for_verdicts && begin(&mut model.history.own) {
        effects.push(Effect::Look(Look::Journal { host: None }));
    }
    if !std::mem::take(&mut model.history.due) {
        return;
    }
    let hosts = wanted(model);
    if hosts.is_empty() {
        return;
    }
    if begin(&mut model.history.own) {
        effects.push(Effect::Look(Look::Journal { host: None }));
    }
    for host in hosts {
        let up = model
            .host_index(&host)
            .is_some_and(|index| model.hosts[index].link == Link::Up);
        let source = model.history.hosts.entry(host.clone()).or_default();
        if up && begin(source) {
            effects.push(Effect::Look(Look::Journal { host: Some(host) }));
        }
    }
}

fn begin(source: &mut Source) -> bool {
    let wants = !source.asked && !source.in_flight;
    source.in_flight |= wants;
    wants
}

/// A journal was read, or could not be.
pub fn told(model: &mut Model, host: Option<HostName>, result: Result<Vec<Event>, String>) {
    let source = match host {
        Some(host) => model.history.hosts.entry(host).or_default(),
        None => &mut model.history.own,
    };
    source.in_flight = false;
    source.asked = true;
    match result {
        Ok(mut events) => {
            let over = events.len().saturating_sub(MOST);
            events.drain(..over);
            source.events = events;
            source.error = None;
        }
        Err(why) => source.error = Some(why),
    }
    joined(model);
    if model.history.for_verdicts {
        (0..model.hosts.len()).for_each(|index| fleet::rejudge(model, index));
    }
}

/// Has the operator's journal read where a running image has no digest: only there a verdict hangs on it.
pub fn for_verdicts(model: &mut Model, index: usize) {
    let Some(observation) = &model.hosts[index].observation else {
        return;
    };
    model.history.for_verdicts |= observation.engine.store == ImageStore::Graph
        && observation.containers.iter().any(|container| {
            let image = observation.images.get(&container.image_id);
            image.is_some_and(|image| image.digests.is_empty())
        });
}

fn joined(model: &mut Model) {
    model.history.rejoin();
    model.preview.runs = model.history.runs();
    preview::mark_view(model);
    model.dirty = true;
}

/// Has the journals of a host, and the operator's own, read again where they are in sight.
pub fn again(model: &mut Model, host: &HostName) {
    model.history.own.asked = false;
    if let Some(source) = model.history.hosts.get_mut(host) {
        source.asked = false;
    }
    model.history.due = true;
}

/// Compares what a host runs now with what it was last seen to run.
pub fn compare(model: &mut Model, index: usize) {
    let now = model.now.wall;
    let mut news = Vec::new();
    let mut all = Vec::new();
    for service in model.judged[index].services() {
        let mut seen = seen(service, now);
        if seen.containers.is_empty() {
            continue;
        }
        let key = &service.key;
        let ours = is_ours(model, key);
        let before = model.history.seen.get(key);
        // Of pins the files tell; they are looked at apart.
        seen.pin_holds = before.and_then(|before| before.pin_holds);
        if let Some(before) = before
            && !ours
        {
            let observation = model.hosts[index].observation.as_ref();
            let made = observation.and_then(|observation| {
                let own = observation.containers.iter();
                own.filter(|container| seen.containers.contains(&container.id))
                    .filter_map(|container| container.created)
                    .max()
            });
            news.extend(before.became(&seen, key, made));
        }
        all.push((key.clone(), seen));
    }
    model.history.unrecorded.extend(news);
    model.history.seen.extend(all);
}

/// Tells whether a job of ours is at work on the service's project.
fn is_ours(model: &Model, key: &ServiceKey) -> bool {
    model
        .jobs
        .iter()
        .any(|job| job.runs() && job.target.host == key.host && job.target.project == key.project)
}

/// Compares the pins of a host with what was seen of them: one that was undone behind our back is written down once.
pub fn compare_pins(model: &mut Model, index: usize) {
    let now = model.now.wall;
    let host = &model.hosts[index];
    // What is remembered from the last start says nothing of now.
    if !host.fresh {
        return;
    }
    let mut news = Vec::new();
    let mut all = Vec::new();
    for service in model.judged[index].services() {
        let (Some(pin), Some(seen)) = (&service.pinned, model.history.seen.get(&service.key))
        else {
            continue;
        };
        if is_ours(model, &service.key) {
            continue;
        }
        let image = running_image(service);
        let event = pin_undone(seen.pin_holds, pin, &service.key, &image, now);
        if pin.holds() || event.is_some() {
            all.push((service.key.clone(), pin.holds()));
        }
        news.extend(event);
    }
    model.history.unrecorded.extend(news);
    for (key, holds) in all {
        if let Some(seen) = model.history.seen.get_mut(&key) {
            seen.pin_holds = Some(holds);
        }
    }
}

/// Takes what the last start saw as what was seen last.
pub fn restore(model: &mut Model) {
    for index in 0..model.hosts.len() {
        let Some(at) = model.hosts[index].observation.as_ref().map(|own| own.at) else {
            continue;
        };
        for service in model.judged[index].services() {
            let seen = seen(service, at);
            model
                .history
                .seen
                .entry(service.key.clone())
                .or_insert(seen);
        }
    }
}

fn seen(service: &super::super::judge::ServiceView, at: jiff::Timestamp) -> Seen {
    let containers = &service.containers;
    Seen {
        at,
        image: running_image(service),
        images: containers
            .iter()
            .map(|container| container.image_id.clone())
            .collect::<BTreeSet<_>>(),
        containers: containers
            .iter()
            .map(|container| container.id.clone())
            .collect(),
        pin_holds: service.pinned.as_deref().map(Pinned::holds),
    }
}
