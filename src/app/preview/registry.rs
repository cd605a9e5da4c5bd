//! A private registry as a whole: its repositories, what is newest in each, and who runs it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::app::model::Model;
use crate::core::digest::Digest;
use crate::core::failure::RegistryFailure;
use crate::core::image::Repository;
use crate::core::names::{RegistryHost, ServiceKey};
use crate::core::platform::Platform;
use crate::core::remote::Route;
use crate::core::tag_family::{Family, Rank, families};

use super::RepositoryModel;

/// A registry and the way to it.
pub type CatalogKey = (Route, RegistryHost);

/// What is known of a registry's repositories.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CatalogModel {
    pub names: Option<Vec<Box<str>>>,
    /// False where the registry has more than are read.
    pub complete: bool,
    pub listing: bool,
    pub failure: Option<(Timestamp, RegistryFailure)>,
}

/// A registry, repository by repository.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryView {
    pub registry: RegistryHost,
    pub repositories: Vec<RepositoryRow>,
    pub complete: bool,
    pub asking: bool,
    pub failure: Option<String>,
}

/// One repository.
#[derive(Debug, Clone, PartialEq)]
pub struct RepositoryRow {
    pub repository: Repository,
    pub tags: Vec<Box<str>>,
    /// The newest image of those that were read, and a tag of it.
    pub newest: Option<(Timestamp, Box<str>)>,
    /// What the images that were read fill together, each blob once.
    pub bytes: Option<u64>,
    pub runs_on: Vec<ServiceKey>,
    pub failure: Option<String>,
}

/// Returns the way to a registry that was named by the operator.
pub fn catalog_key(model: &Model, registry: &RegistryHost) -> CatalogKey {
    let spec = model.settings.registry(registry);
    let via = spec.and_then(|spec| spec.via.clone()).map(Route::Via);
    // A name such as `localhost:5000` means another registry on each host: that of whoever runs its images.
    let of_services = || {
        let mut asked = model.services().filter_map(|own| own.question.as_ref());
        let own = asked.find(|own| own.reference.repository.registry == *registry)?;
        Some(own.route.clone())
    };
    let route = via.or_else(of_services).unwrap_or(Route::Here);
    (route, registry.clone())
}

/// Returns the platform whose images are looked into: that of a host.
pub fn platform(model: &Model) -> Platform {
    let mut observations = model
        .hosts
        .iter()
        .filter_map(|host| host.observation.as_ref());
    observations.next().map_or_else(
        || Platform::new("linux", "amd64", None),
        |observation| observation.engine.platform.clone(),
    )
}

/// Returns the repositories that are looked at: the one that was asked for, or all that are known.
pub fn repositories(model: &Model, key: &CatalogKey, only: Option<&str>) -> Vec<Repository> {
    let of = |path: &str| Repository {
        registry: key.1.clone(),
        path: path.into(),
    };
    if let Some(path) = only {
        return vec![of(path)];
    }
    let catalog = model.preview.catalogs.get(key);
    let names = catalog.and_then(|catalog| catalog.names.as_ref());
    names.map_or_else(Vec::new, |names| {
        names.iter().map(|name| of(name)).collect()
    })
}

/// Returns the tags worth asking about: moving ones, then the newest by their names, then the last of the list.
pub fn newest_tags(tags: &[Box<str>], limit: usize) -> Vec<Box<str>> {
    let told = families(tags.iter().map(|tag| &**tag));
    type Place = (
        u8,
        std::cmp::Reverse<Option<Rank>>,
        std::cmp::Reverse<usize>,
    );
    let mut order: Vec<(Place, &Box<str>)> = tags
        .iter()
        .enumerate()
        .filter_map(|(place, tag)| {
            let family = told.get(&**tag).filter(|family| family.is_offerable())?;
            let kind = match family {
                Family::Moving | Family::Branch => 0,
                Family::PullRequest(_) => 2,
                _ => 1,
            };
            let rank = std::cmp::Reverse(family.rank());
            Some(((kind, rank, std::cmp::Reverse(place)), tag))
        })
        .collect();
    order.sort();
    let first = order.into_iter().take(limit);
    first.map(|(_, tag)| tag.clone()).collect()
}

/// Makes the view.
pub fn view(model: &Model, registry: &RegistryHost, only: Option<&str>) -> RegistryView {
    let key = catalog_key(model, registry);
    let nothing = CatalogModel::default();
    let catalog = model.preview.catalogs.get(&key).unwrap_or(&nothing);
    let platform = platform(model);
    let mut rows: Vec<RepositoryRow> = repositories(model, &key, only)
        .into_iter()
        .map(|repository| row(model, &key, repository, &platform))
        .collect();
    rows.sort_by(|a, b| a.repository.cmp(&b.repository));
    let asking =
        |repository: &RepositoryModel| repository.listing || !repository.in_flight.is_empty();
    let known = model.preview.repositories.iter();
    RegistryView {
        registry: registry.clone(),
        asking: catalog.listing
            || known
                .filter(|((_, own), _)| own.registry == *registry)
                .any(|(_, repository)| asking(repository)),
        repositories: rows,
        complete: only.is_some() || catalog.complete,
        failure: catalog
            .failure
            .as_ref()
            .map(|(_, failure)| failure.to_string()),
    }
}

fn row(
    model: &Model,
    key: &CatalogKey,
    repository: Repository,
    platform: &Platform,
) -> RepositoryRow {
    let nothing = RepositoryModel::default();
    let known = model
        .preview
        .repositories
        .get(&(key.0.clone(), repository.clone()));
    let known = known.unwrap_or(&nothing);
    let mut newest: Option<(Timestamp, Box<str>)> = None;
    let mut blobs: BTreeMap<&Digest, u64> = BTreeMap::new();
    for (tag, top) in &known.heads {
        let Some(image) = model
            .preview
            .manifests
            .get(&(top.clone(), platform.clone()))
        else {
            continue;
        };
        blobs.insert(image.config.digest(), image.config_size);
        let layers = image.layers.iter();
        blobs.extend(layers.map(|layer| (layer.digest.digest(), layer.size)));
        if let Some(created) = image.created
            && newest.as_ref().is_none_or(|(at, _)| created > *at)
        {
            newest = Some((created, tag.clone()));
        }
    }
    let uses = |service: &&crate::app::judge::ServiceView| {
        service.question.as_ref().is_some_and(|question| {
            question.route == key.0 && question.reference.repository == repository
        })
    };
    let runs_on: BTreeSet<ServiceKey> = model
        .services()
        .filter(uses)
        .map(|service| service.key.clone())
        .collect();
    RepositoryRow {
        tags: known
            .list
            .as_ref()
            .map_or_else(Vec::new, |list| list.tags.clone()),
        bytes: (!blobs.is_empty()).then(|| blobs.values().sum()),
        newest,
        runs_on: runs_on.into_iter().collect(),
        failure: known
            .failure
            .as_ref()
            .map(|(_, failure)| failure.to_string()),
        repository,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_tags_are_told_by_kind_and_name() {
        let tags: Vec<Box<str>> = [
            "1.0.0",
            "1.10.0",
            "1.9.0",
            "latest",
            "buildcache",
            "pr-3",
            "sha-9c1e2d4",
        ]
        .map(Into::into)
        .to_vec();
        let newest: Vec<String> = newest_tags(&tags, 5)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            newest,
            ["latest", "1.10.0", "1.9.0", "1.0.0", "sha-9c1e2d4"]
        );
    }
}
