//! Looking ahead: which images, tags and details are still wanted, and what came of asking.
//!
//! Needs are worked out for a host only when something that bears on it changed, so that a key press costs nothing.

mod tag_list;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::core::digest::TopDigest;
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::{ImageRef, Pointer, Repository};
use crate::core::layers::needed;
use crate::core::names::ServiceKey;
use crate::core::remote::{Answer, Examined, QuestionKey, RemoteImage, Route};
use crate::core::shelf::{Shelf, TagList};
use crate::core::tag_family::{Family, families};
use crate::core::verdict::{Fetch, Verdict};
use crate::core::watch::Scope;

use super::super::effect::{Effect, Look};
use super::super::mode::Mode;
use super::super::model::{Link, Model};
use super::super::preview::{ImageKey, Lookup, RepositoryKey, RepositoryModel, layers, tags};
use super::super::screen::View;
use super::{fleet, marks};

/// How many images are asked for at once.
const IMAGES_AT_ONCE: usize = 8;

/// Has a host's needs worked out again.
pub fn mark(model: &mut Model, index: usize) {
    let name = model.hosts[index].spec.name.clone();
    model.preview.due.insert(name);
}

/// Has the needs of the open view worked out again.
pub fn mark_view(model: &mut Model) {
    model.preview.registry_due |= matches!(model.screen.view, View::Registry { .. });
    if let Some(service) = model.screen.view.service() {
        let host = service.host.clone();
        model.preview.due.insert(host);
    }
}

/// Takes over what an answer about a tag told of images.
pub fn learn(model: &mut Model, question: &QuestionKey, answer: &Answer) {
    let QuestionKey {
        route,
        reference,
        platform,
    } = question;
    let place = (route.clone(), reference.repository.registry.clone());
    let stays = |lookup: &Lookup| match lookup {
        Lookup::Failed { again, .. } => !again.contains(&place),
        Lookup::InFlight { .. } => true,
    };
    model.preview.lookups.retain(|_, lookup| stays(lookup));
    let examined = answer
        .examined
        .iter()
        .filter_map(|(_, examined)| match examined {
            Examined::Held(image) => Some(&**image),
            Examined::NotHeld | Examined::Unknown(_) => None,
        });
    for image in answer.image.iter().chain(examined) {
        let key = (image.top.clone(), platform.clone());
        model.preview.lookups.remove(&key);
        model.preview.manifests.insert(key, image.clone());
    }
}

/// An image was read, or could not be.
pub fn imaged(model: &mut Model, key: ImageKey, result: Result<Box<RemoteImage>, RegistryFailure>) {
    let preview = &mut model.preview;
    let (hosts, registries) = match preview.lookups.remove(&key) {
        Some(Lookup::InFlight { hosts, registries }) => (hosts, registries),
        Some(Lookup::Failed { .. }) | None => Default::default(),
    };
    match result {
        Ok(image) => {
            preview.manifests.insert(key, *image);
        }
        Err(failure) => {
            let again = match failure.trouble {
                RegistryTrouble::Gone
                | RegistryTrouble::NotFound
                | RegistryTrouble::NoPlatform
                | RegistryTrouble::Lied
                | RegistryTrouble::TooLarge
                | RegistryTrouble::BadReference => BTreeSet::new(),
                _ => registries,
            };
            preview
                .lookups
                .insert(key, Lookup::Failed { failure, again });
        }
    }
    let blocked = std::mem::take(&mut preview.blocked);
    preview.due.extend(blocked);
    preview.registry_due |= matches!(model.screen.view, View::Registry { .. });
    for name in hosts {
        if let Some(index) = model.host_index(&name) {
            fleet::touch(model, index);
        }
    }
}

/// What an earlier session knew of a repository.
pub fn shelved(model: &mut Model, key: &RepositoryKey, shelf: Shelf) {
    let repository = model.preview.repositories.entry(key.clone()).or_default();
    if repository.list.is_none() {
        repository.list = shelf.list;
    }
    for (tag, top) in shelf.heads {
        repository.heads.entry(tag).or_insert(top);
    }
    model.dirty = true;
    mark_view(model);
}

/// The tags of a repository were listed, or could not be.
pub fn listed(model: &mut Model, key: &RepositoryKey, result: Result<TagList, RegistryFailure>) {
    let wall = model.now.wall;
    let repository = model.preview.repositories.entry(key.clone()).or_default();
    repository.listing = false;
    match result {
        Ok(list) => {
            repository.list = Some(list);
            repository.fresh = true;
            repository.failure = None;
        }
        Err(failure) => repository.failure = Some((wall, failure)),
    }
    model.dirty = true;
    mark_view(model);
}

/// A tag's or a digest's question was answered, or was not.
pub fn headed(
    model: &mut Model,
    asker: &RepositoryKey,
    reference: &ImageRef,
    result: Result<TopDigest, RegistryFailure>,
) {
    let repository = model.preview.repositories.entry(asker.clone()).or_default();
    let asked: Box<str> = reference.manifest_key().into();
    repository.in_flight.remove(&asked);
    repository.answers += 1;
    match (result, reference.digest()) {
        (Ok(_), Some(digest)) => {
            repository.examined.insert(digest.clone(), true);
        }
        (Ok(top), None) => {
            repository.heads.insert(asked, top);
        }
        (Err(failure), Some(digest)) if failure.trouble == RegistryTrouble::Gone => {
            repository.examined.insert(digest.clone(), false);
        }
        (Err(failure), _) => {
            repository.failed.insert(asked, failure);
        }
    }
    model.dirty = true;
    mark_view(model);
}

/// Emits the effects of all needs that have to be worked out again.
pub fn run_due<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    for name in std::mem::take(&mut model.preview.due) {
        let Some(index) = model.host_index(&name) else {
            continue;
        };
        for (service, to) in goals(model, index) {
            want_prediction(model, index, &service, to.as_ref(), effects);
        }
        if model.preview.sparing {
            want_running(model, index, effects);
        }
        let looked_at = model.screen.view.service().cloned();
        if let Some(service) = looked_at.filter(|service| service.host == name) {
            if matches!(model.screen.view, View::Tags { .. }) {
                tag_list::want(model, index, &service, effects);
            }
            if !model.preview.sparing {
                marks::want(model, index, &service, effects);
                marks::want_pace(model, index, effects);
            }
        }
    }
}

/// Asks for the manifests of what runs, for a report; Docker Hub counts such questions, so it is not asked.
fn want_running<M: Mode>(model: &mut Model, index: usize, effects: &mut Vec<Effect<M>>) {
    let open: Vec<(ImageKey, RepositoryKey)> = model.judged[index]
        .services()
        .filter(|service| service.running.manifest.is_none() && service.verdict == Verdict::Current)
        .filter_map(|service| {
            let place = tags::repository_key(service)?;
            let platform = service.question.as_ref()?.platform.clone();
            let top = service.registry.digest.clone()?;
            let asked = !place.1.on_docker_hub() && service.registry.error.is_none();
            asked.then_some(((top, platform), place))
        })
        .collect();
    for (key, place) in open {
        want_image(model, Some(index), key, vec![place], effects);
    }
}

/// Returns the downloads that are worth knowing: those that wait, and the one that is looked at.
fn goals(model: &Model, index: usize) -> Vec<(ServiceKey, Option<ImageRef>)> {
    let waits = |verdict: Verdict| verdict.entry().fetch == Fetch::Image;
    let mut goals: Vec<(ServiceKey, Option<ImageRef>)> = model.judged[index]
        .services()
        .filter(|service| waits(service.verdict))
        .map(|service| (service.key.clone(), None))
        .collect();
    if let View::Layers { service, to, .. } = &model.screen.view
        && service.host == model.hosts[index].spec.name
    {
        goals.push((service.clone(), to.clone()));
    }
    goals
}

fn want_prediction<M: Mode>(
    model: &mut Model,
    index: usize,
    service: &ServiceKey,
    to: Option<&ImageRef>,
    effects: &mut Vec<Effect<M>>,
) {
    let Some(view) = model.service(service) else {
        return;
    };
    let Some(goal) = layers::goal(model, view, to) else {
        return;
    };
    let Some(top) = goal.top else {
        // The tag that is followed is asked for by its own question.
        if to.is_some() && goal.failure.is_none() {
            let asker = (goal.route.clone(), goal.reference.repository.clone());
            let reference = goal.reference;
            want_head(model, &asker, goal.route, reference, effects);
        }
        return;
    };
    let place = (goal.route, goal.reference.repository);
    let Some(image) = goal.image.cloned() else {
        want_image(
            model,
            Some(index),
            (top, goal.platform),
            vec![place],
            effects,
        );
        return;
    };
    want_neighbours(model, index, &image, effects);
}

/// Asks for what makes a prediction exact: the host's images in detail, and the manifests that bear on the download.
fn want_neighbours<M: Mode>(
    model: &mut Model,
    index: usize,
    image: &RemoteImage,
    effects: &mut Vec<Effect<M>>,
) {
    let Some(observation) = &model.hosts[index].observation else {
        return;
    };
    if observation.whole.is_none() {
        want_whole(model, index);
        return;
    }
    let spec = &model.hosts[index].spec;
    let wanted: Vec<(ImageKey, Vec<RepositoryKey>)> = needed(observation, image)
        .into_iter()
        .map(|needed| {
            let places = needed.repositories.into_iter();
            let places =
                places.map(|repository| (model.route(&repository.registry, spec), repository));
            ((needed.top, needed.platform), places.collect())
        })
        .collect();
    for (key, places) in wanted {
        want_image(model, Some(index), key, places, effects);
    }
}

fn want_whole(model: &mut Model, index: usize) {
    let host = &model.hosts[index];
    if host.link != Link::Up || !host.fresh {
        return;
    }
    let (name, connection) = (host.spec.name.clone(), host.generation);
    if model.preview.whole_asked.insert(name, connection) != Some(connection) {
        fleet::want(model, index, Duration::ZERO, Scope::Whole);
    }
}

/// Asks for an image on behalf of a host, or of the view of a registry.
pub(super) fn want_image<M: Mode>(
    model: &mut Model,
    index: Option<usize>,
    key: ImageKey,
    places: Vec<RepositoryKey>,
    effects: &mut Vec<Effect<M>>,
) {
    let host = index.map(|index| model.hosts[index].spec.name.clone());
    let preview = &mut model.preview;
    if places.is_empty() || preview.manifests.contains_key(&key) {
        return;
    }
    match preview.lookups.get_mut(&key) {
        Some(Lookup::InFlight { hosts, .. }) => {
            hosts.extend(host);
            return;
        }
        Some(Lookup::Failed { .. }) => return,
        None => {}
    }
    let looks = preview.lookups.values();
    if looks.filter(|lookup| lookup.is_in_flight()).count() >= IMAGES_AT_ONCE {
        preview.blocked.extend(host);
        return;
    }
    let registry =
        |(route, repository): &RepositoryKey| (route.clone(), repository.registry.clone());
    let lookup = Lookup::InFlight {
        hosts: host.into_iter().collect(),
        registries: places.iter().map(registry).collect(),
    };
    preview.lookups.insert(key.clone(), lookup);
    effects.push(Effect::Look(Look::Image { key, places }));
}

pub(super) fn want_head<M: Mode>(
    model: &mut Model,
    asker: &RepositoryKey,
    route: Route,
    reference: ImageRef,
    effects: &mut Vec<Effect<M>>,
) {
    let repository = model.preview.repositories.entry(asker.clone()).or_default();
    let asked: Box<str> = reference.manifest_key().into();
    if repository.failed.contains_key(&asked) || !repository.in_flight.insert(asked) {
        return;
    }
    let keep = is_unmoving(repository, &reference);
    effects.push(Effect::Look(Look::Head {
        asker: asker.clone(),
        route,
        reference,
        keep,
    }));
}

/// Tells whether the tag is of a kind that is given once.
fn is_unmoving(repository: &RepositoryModel, reference: &ImageRef) -> bool {
    let (Pointer::Tag(tag), Some(list)) = (&reference.pointer, &repository.list) else {
        return false;
    };
    let company = list.tags.iter().map(|tag| &**tag);
    // A version is told from its company alone; for the rest the name is enough.
    match families([&**tag]).remove(&**tag) {
        Some(Family::Version(_)) => families(company)
            .get(&**tag)
            .is_some_and(Family::is_immutable_looking),
        Some(family) => family.is_immutable_looking(),
        None => false,
    }
}

pub(super) fn tagged(repository: &Repository, tag: Box<str>) -> ImageRef {
    ImageRef {
        repository: repository.clone(),
        pointer: Pointer::Tag(tag.into()),
    }
}
