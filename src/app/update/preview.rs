//! Looking ahead: which images, tags and details are still wanted, and what came of asking.
//!
//! Needs are worked out for a host only when something that bears on it changed, so that a key press costs nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::core::candidates::{Candidate, next_heads, unexamined};
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

/// How many tags of one repository are asked about at once.
const HEADS_AT_ONCE: usize = 8;

/// How many tags are asked about before somebody moves on in the list or looks anew.
const MOST_HEADS: usize = 200;

/// How many images of one list are read for their dates; Docker Hub counts each against a small quota.
const MOST_DETAILS: usize = 60;
const MOST_DETAILS_ON_HUB: usize = 10;

/// The same where nobody looks and builds are only counted: Docker Hub counts no questions about tags.
const SPARING_HEADS: usize = 24;
const SPARING_DETAILS: usize = 12;

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
                want_tags(model, index, &service, effects);
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

/// Asks for the list of tags, what the nearest of them name, and how old those images are.
fn want_tags<M: Mode>(
    model: &mut Model,
    index: usize,
    key: &ServiceKey,
    effects: &mut Vec<Effect<M>>,
) {
    let Some(service) = model.service(key).cloned() else {
        return;
    };
    let Some(place) = tags::repository_key(&service) else {
        return;
    };
    let repository = model.preview.repositories.entry(place.clone()).or_default();
    if !repository.fresh && !repository.listing && repository.failure.is_none() {
        repository.listing = true;
        let (route, name) = place.clone();
        effects.push(Effect::Look(Look::Tags {
            route,
            repository: name,
        }));
    }
    // Looking through thousands of candidates after each answer would cost more than the answers.
    let through = queued_anew(repository, key)
        || repository.queue.is_empty()
        || repository.answers >= HEADS_AT_ONCE;
    if !through {
        run_queue(model, &place, effects);
        return;
    }
    repository.answers = 0;
    let sparing = model.preview.sparing;
    if !sparing {
        marks::want_caches(model, &place, effects);
    }
    let repository = model.preview.repositories.entry(place.clone()).or_default();
    let repository = repository.clone();
    let Some(list) = tags::joined(model, &service, &repository) else {
        return;
    };
    if let (Some(tags), true) = (&repository.list, queued_anew(&repository, key)) {
        let anchor = tags::anchor(&service, &list);
        let most_heads = if sparing { SPARING_HEADS } else { MOST_HEADS };
        let known = known_tags(&repository, &list);
        let mut queue = next_heads(&tags.tags, &known, anchor, most_heads);
        queue.reverse();
        if let Some(repository) = model.preview.repositories.get_mut(&place) {
            repository.queue = queue;
            repository.queued = Some((key.clone(), tags.at));
        }
    }
    run_queue(model, &place, effects);
    if repository.fresh && !sparing {
        examine(model, index, &place, &list, effects);
    }
    let most = match (place.1.on_docker_hub(), sparing) {
        (true, true) => 0,
        (true, false) => MOST_DETAILS_ON_HUB,
        (false, true) => SPARING_DETAILS,
        (false, false) => MOST_DETAILS,
    };
    let platform = service.question.map(|question| question.platform);
    for top in nearest_unread(&list, most) {
        if let Some(platform) = platform.clone() {
            want_image(
                model,
                Some(index),
                (top, platform),
                vec![place.clone()],
                effects,
            );
        }
    }
    let images: Vec<RemoteImage> = list
        .iter()
        .filter(|candidate| !candidate.on_host)
        .filter_map(|candidate| {
            let key = (candidate.digest.clone()?, platform.clone()?);
            model.preview.manifests.get(&key).cloned()
        })
        .take(if sparing { 0 } else { most })
        .collect();
    for image in images {
        want_neighbours(model, index, &image, effects);
    }
    model.preview.shown = tags::view(model, key);
    model.dirty = true;
    keep_count(model, index, key);
}

/// Keeps how many builds the service is behind, for its row.
fn keep_count(model: &mut Model, index: usize, key: &ServiceKey) {
    let builds = model
        .preview
        .shown
        .as_ref()
        .and_then(|own| own.builds_behind);
    let counted = model.service(key).and_then(tags::count_key);
    let (Some(builds), Some(counted)) = (builds, counted) else {
        return;
    };
    if model.preview.counted.insert(counted, builds) != Some(builds) {
        fleet::touch(model, index);
    }
}

/// Tells whether the order of questions has to be worked out.
fn queued_anew(repository: &RepositoryModel, key: &ServiceKey) -> bool {
    let listed = repository.list.as_ref().map(|list| (key, list.at));
    let queued = repository
        .queued
        .as_ref()
        .map(|(service, at)| (service, *at));
    listed != queued
}

/// Asks about the next tags, as many as there is room for.
fn run_queue<M: Mode>(model: &mut Model, place: &RepositoryKey, effects: &mut Vec<Effect<M>>) {
    loop {
        let Some(repository) = model.preview.repositories.get_mut(place) else {
            return;
        };
        // While the registry does not answer the list there is no use in asking it about every tag.
        if repository.in_flight.len() >= HEADS_AT_ONCE || repository.failure.is_some() {
            return;
        }
        let Some(tag) = repository.queue.pop() else {
            return;
        };
        if repository.heads.contains_key(&tag) {
            continue;
        }
        let reference = tagged(&place.1, tag);
        want_head(model, place, place.0.clone(), reference, effects);
    }
}

/// Returns the tags that need not be asked about.
fn known_tags(repository: &RepositoryModel, list: &[Candidate]) -> BTreeSet<Box<str>> {
    let named = list.iter().filter(|candidate| candidate.digest.is_some());
    let named = named.flat_map(|candidate| candidate.tags.iter());
    repository
        .heads
        .keys()
        .chain(&repository.in_flight)
        .chain(repository.failed.keys())
        .chain(named)
        .cloned()
        .collect()
}

/// Asks whether the registry still holds what ran or lies on the host.
fn examine<M: Mode>(
    model: &mut Model,
    index: usize,
    place: &RepositoryKey,
    list: &[Candidate],
    effects: &mut Vec<Effect<M>>,
) {
    let Some(repository) = model.preview.repositories.get(place) else {
        return;
    };
    let open: Vec<(Repository, TopDigest)> = unexamined(&place.1, list)
        .into_iter()
        .filter(|(_, top)| !repository.examined.contains_key(top))
        .take(HEADS_AT_ONCE.saturating_sub(repository.in_flight.len()))
        .collect();
    for (name, digest) in open {
        let route = model.route(&name.registry, &model.hosts[index].spec);
        let reference = ImageRef {
            repository: name,
            pointer: Pointer::Digest { digest, tag: None },
        };
        want_head(model, place, route, reference, effects);
    }
}

/// Returns digests of candidates whose image was not read yet, those nearest the running one first.
fn nearest_unread(list: &[Candidate], most: usize) -> Vec<TopDigest> {
    let here = list.iter().position(|candidate| candidate.running);
    let mut open: Vec<(usize, &Candidate)> = list
        .iter()
        .enumerate()
        .map(|(place, candidate)| (here.map_or(place, |here| here.abs_diff(place)), candidate))
        .filter(|(_, candidate)| candidate.in_registry == Some(true))
        .collect();
    open.sort_by_key(|(distance, _)| *distance);
    open.into_iter()
        .take(most)
        .filter_map(|(_, candidate)| candidate.digest.clone())
        .collect()
}

pub(super) fn tagged(repository: &Repository, tag: Box<str>) -> ImageRef {
    ImageRef {
        repository: repository.clone(),
        pointer: Pointer::Tag(tag.into()),
    }
}
