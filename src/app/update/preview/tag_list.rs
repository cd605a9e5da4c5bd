//! The list of a service's tags: asked for, its nearest tags asked about, their images read.

use std::collections::BTreeSet;

use crate::core::candidates::{Candidate, next_heads, unexamined};
use crate::core::digest::TopDigest;
use crate::core::image::{ImageRef, Pointer, Repository};
use crate::core::names::ServiceKey;
use crate::core::platform::Platform;
use crate::core::remote::RemoteImage;

use crate::app::effect::{Effect, Look};
use crate::app::mode::Mode;
use crate::app::model::Model;
use crate::app::preview::{RepositoryKey, RepositoryModel, tags};
use crate::app::update::{fleet, marks};

use super::{tagged, want_head, want_image, want_neighbours};

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

/// Asks for the list of tags, what the nearest of them name, and how old those images are.
pub(super) fn want<M: Mode>(
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
    let platform = service.question.map(|question| question.platform);
    if let Some(platform) = platform {
        want_details(model, index, &place, &platform, &list, effects);
    }
    model.preview.shown = tags::view(model, key);
    model.dirty = true;
    keep_count(model, index, key);
}

/// Asks for the images that the nearest candidates are, and for what their download would meet.
fn want_details<M: Mode>(
    model: &mut Model,
    index: usize,
    place: &RepositoryKey,
    platform: &Platform,
    list: &[Candidate],
    effects: &mut Vec<Effect<M>>,
) {
    let sparing = model.preview.sparing;
    let most = match (place.1.on_docker_hub(), sparing) {
        (true, true) => 0,
        (true, false) => MOST_DETAILS_ON_HUB,
        (false, true) => SPARING_DETAILS,
        (false, false) => MOST_DETAILS,
    };
    for top in nearest_unread(list, most) {
        want_image(
            model,
            Some(index),
            (top, platform.clone()),
            vec![place.clone()],
            effects,
        );
    }
    let images: Vec<RemoteImage> = list
        .iter()
        .filter(|candidate| !candidate.on_host)
        .filter_map(|candidate| {
            let key = (candidate.digest.clone()?, platform.clone());
            model.preview.manifests.get(&key).cloned()
        })
        .take(if sparing { 0 } else { most })
        .collect();
    for image in images {
        want_neighbours(model, index, &image, effects);
    }
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
