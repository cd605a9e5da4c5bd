//! What stands beside the images that are looked at: asked for only while somebody looks, a few at a time.

use crate::core::digest::TopDigest;
use crate::core::names::{HostName, ServiceKey};
use crate::core::pace::Pull;
use crate::core::trust::{Beside, Trust};

use super::super::builds::CacheModel;
use super::super::commands;
use super::super::effect::{Effect, Look};
use super::super::mode::Mode;
use super::super::model::{Link, Model};
use super::super::preview::trust::Marks;
use super::super::preview::{ImageKey, RepositoryKey, layers, tags};
use super::super::screen::View;
use super::preview::{mark_view, want_image};

/// How many images are looked into at once.
const AT_ONCE: usize = 2;

/// What was found beside an image.
pub fn trusted(model: &mut Model, key: ImageKey, trust: Box<Trust>) {
    model.preview.marks.insert(key, Marks::Known(trust));
    model.dirty = true;
    mark_view(model);
}

/// Asks once how old the caches among a repository's tags are.
pub(super) fn want_caches<M: Mode>(
    model: &mut Model,
    place: &RepositoryKey,
    effects: &mut Vec<Effect<M>>,
) {
    let Some(repository) = model.preview.repositories.get(place) else {
        return;
    };
    if !repository.fresh {
        return;
    }
    for reference in tags::cache_references(place, repository) {
        if model.builds.caches.contains_key(&reference) {
            continue;
        }
        let asked = CacheModel {
            asked: model.now.wall,
            answer: None,
        };
        model.builds.caches.insert(reference.clone(), asked);
        let route = place.0.clone();
        effects.push(Effect::Look(Look::BuildCache { route, reference }));
    }
}

/// A host told what it fetched before.
pub fn paced(model: &mut Model, host: HostName, pulls: Vec<Pull>) {
    model.preview.paces.insert(host, Some(pulls));
    model.dirty = true;
}

/// Asks a host once how fast it fetches: by a job that ended it is asked again.
pub(super) fn want_pace<M: Mode>(model: &mut Model, index: usize, effects: &mut Vec<Effect<M>>) {
    let host = &model.hosts[index];
    let name = host.spec.name.clone();
    if host.link != Link::Up || model.preview.paces.contains_key(&name) {
        return;
    }
    model.preview.paces.insert(name.clone(), None);
    effects.push(Effect::Look(Look::Pace { host: name }));
}

/// Asks for the marks of what a service runs, of what its tag names, and of what is selected among its ways back.
pub(super) fn want<M: Mode>(
    model: &mut Model,
    index: usize,
    key: &ServiceKey,
    effects: &mut Vec<Effect<M>>,
) {
    let Some((place, keys)) = wanted(model, key) else {
        return;
    };
    for key in keys {
        let asked = model.preview.marks.get(&key);
        let anew = matches!(asked, Some(Marks::Stale));
        if asked.is_some() && !anew {
            continue;
        }
        let Some(image) = model.preview.manifests.get(&key).cloned() else {
            want_image(model, Some(index), key, vec![place.clone()], effects);
            continue;
        };
        let marks = model.preview.marks.values();
        let busy = marks.filter(|marks| matches!(marks, Marks::InFlight));
        if busy.count() >= AT_ONCE {
            return;
        }
        model.preview.marks.insert(key.clone(), Marks::InFlight);
        effects.push(Effect::Look(Look::Trust {
            beside: beside(model, &place, &key.0),
            key,
            place: place.clone(),
            image: Box::new(image),
            anew,
        }));
    }
}

fn wanted(model: &Model, key: &ServiceKey) -> Option<(RepositoryKey, Vec<ImageKey>)> {
    let service = model.service(key)?;
    let to = match &model.screen.view {
        View::Layers { to, .. } => to.as_ref(),
        _ => None,
    };
    let goal = layers::goal(model, service, to)?;
    let selected = commands::selected_candidate(model)
        .filter(|candidate| candidate.in_registry == Some(true))
        .and_then(|candidate| candidate.digest.clone());
    let place = (goal.route, goal.reference.repository);
    let tops: Vec<TopDigest> = service
        .running
        .digests
        .first()
        .cloned()
        .into_iter()
        .chain(goal.top)
        .chain(selected)
        .collect();
    let keys = tops
        .into_iter()
        .map(|top| (top, goal.platform.clone()))
        .collect();
    Some((place, keys))
}

/// Looks for helper tags where the whole list is known, so that none has to be asked for.
fn beside(model: &Model, place: &RepositoryKey, top: &TopDigest) -> Option<Beside> {
    let repository = model.preview.repositories.get(place)?;
    let list = repository.list.as_ref();
    let list = list.filter(|list| list.complete && repository.fresh)?;
    Some(Beside::of(top.digest(), list.tags.iter().map(|tag| &**tag)))
}

/// Gives up what only the view that was left wanted to know.
pub(super) fn cease<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    if !std::mem::take(&mut model.preview.left) {
        return;
    }
    let preview = &mut model.preview;
    let mut any = false;
    for repository in preview.repositories.values_mut() {
        any |= repository.listing || !repository.in_flight.is_empty();
        repository.listing = false;
        // What had no answer yet is asked about again by whoever comes back.
        let asked = std::mem::take(&mut repository.in_flight);
        let tags = asked.into_iter().filter(|asked| !asked.contains(':'));
        repository.queue.extend(tags);
    }
    let before = preview.marks.len();
    preview
        .marks
        .retain(|_, marks| !matches!(marks, Marks::InFlight));
    any |= preview.marks.len() < before;
    for catalog in preview.catalogs.values_mut() {
        any |= std::mem::take(&mut catalog.listing);
    }
    if any {
        effects.push(Effect::Look(Look::Cease));
    }
}
