//! Browsing a registry: which lists, tags and images are still wanted for the view of it.

use crate::core::digest::TopDigest;
use crate::core::failure::RegistryFailure;
use crate::core::image::Repository;
use crate::core::names::RegistryHost;

use super::super::effect::{Effect, Look};
use super::super::mode::Mode;
use super::super::model::Model;
use super::super::preview::RepositoryKey;
use super::super::preview::registry::{self, CatalogKey, CatalogModel, newest_tags};
use super::super::screen::View;
use super::preview;

/// How many repositories are listed at once.
const LISTS_AT_ONCE: usize = 4;

/// How many tags of one repository are looked into, and how many are asked about at once.
const TAGS_EACH: usize = 12;
const HEADS_AT_ONCE: usize = 8;

/// How many repositories are looked into.
const MOST_REPOSITORIES: usize = 500;

/// A registry told its repositories, or did not.
pub fn cataloged(
    model: &mut Model,
    key: &CatalogKey,
    result: Result<(Vec<Box<str>>, bool), RegistryFailure>,
) {
    let wall = model.now.wall;
    let catalog = model.preview.catalogs.entry(key.clone()).or_default();
    catalog.listing = false;
    match result {
        Ok((names, complete)) => {
            *catalog = CatalogModel {
                names: Some(names),
                complete,
                ..CatalogModel::default()
            };
        }
        Err(failure) => catalog.failure = Some((wall, failure)),
    }
    model.dirty = true;
    model.preview.registry_due = true;
}

/// Emits what the open view of a registry still wants.
pub fn run_due<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    if !std::mem::take(&mut model.preview.registry_due) {
        return;
    }
    let View::Registry {
        registry,
        repository,
        ..
    } = &model.screen.view
    else {
        return;
    };
    let (registry, only) = (registry.clone(), repository.clone());
    let key = registry::catalog_key(model, &registry);
    if only.is_none() && want_catalog(model, &key, effects) {
        return;
    }
    let all = registry::repositories(model, &key, only.as_deref());
    for repository in all.into_iter().take(MOST_REPOSITORIES) {
        let place = (key.0.clone(), repository);
        want_repository(model, &registry, &place, effects);
    }
    model.dirty = true;
}

/// Asks for the list of repositories; false where it is there.
fn want_catalog<M: Mode>(
    model: &mut Model,
    key: &CatalogKey,
    effects: &mut Vec<Effect<M>>,
) -> bool {
    let catalog = model.preview.catalogs.entry(key.clone()).or_default();
    if catalog.names.is_some() {
        return false;
    }
    if !catalog.listing && catalog.failure.is_none() {
        catalog.listing = true;
        let (route, registry) = key.clone();
        effects.push(Effect::Look(Look::Catalog { route, registry }));
    }
    true
}

fn want_repository<M: Mode>(
    model: &mut Model,
    registry: &RegistryHost,
    place: &RepositoryKey,
    effects: &mut Vec<Effect<M>>,
) {
    let all = &model.preview.repositories;
    let of_registry = || all.iter().filter(|((_, own), _)| own.registry == *registry);
    let listing = of_registry().filter(|(_, own)| own.listing).count();
    let in_flight: usize = of_registry().map(|(_, own)| own.in_flight.len()).sum();
    let repository = model.preview.repositories.entry(place.clone()).or_default();
    if !repository.fresh && !repository.listing && repository.failure.is_none() {
        if listing < LISTS_AT_ONCE {
            repository.listing = true;
            let (route, name): (_, Repository) = place.clone();
            effects.push(Effect::Look(Look::Tags {
                route,
                repository: name,
            }));
        }
        return;
    }
    let Some(list) = &repository.list else {
        return;
    };
    let wanted = newest_tags(&list.tags, TAGS_EACH);
    let open: Vec<Box<str>> = wanted
        .iter()
        .filter(|tag| !repository.heads.contains_key(*tag))
        .take(HEADS_AT_ONCE.saturating_sub(in_flight))
        .cloned()
        .collect();
    let tops: Vec<TopDigest> = wanted
        .iter()
        .filter_map(|tag| repository.heads.get(tag).cloned())
        .collect();
    for tag in open {
        let reference = preview::tagged(&place.1, tag);
        preview::want_head(model, place, place.0.clone(), reference, effects);
    }
    let platform = registry::platform(model);
    for top in tops {
        let key = (top, platform.clone());
        preview::want_image(model, None, key, vec![place.clone()], effects);
    }
}
