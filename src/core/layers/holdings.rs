//! What a host holds of layers, chains and manifests, as far as engines tell and manifests are known.

use std::collections::{BTreeMap, BTreeSet};

use super::chains::Chains;
use crate::core::digest::{ConfigDigest, DiffId, ImageId, LayerDigest, ManifestDigest, TopDigest};
use crate::core::engine::{ImageFacts, ImageStore, Observation};
use crate::core::image::{ImageRef, Repository};
use crate::core::platform::Platform;
use crate::core::remote::{RemoteImage, RemoteLayer};

/// Images by what names them and for which platform, as far as they were ever read.
pub type Manifests = BTreeMap<(TopDigest, Platform), RemoteImage>;

/// How many digests of one image are looked up; an image re-published daily would otherwise cost a request a day.
const DIGESTS_AN_IMAGE: usize = 4;

/// A manifest that would make a prediction exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    pub top: TopDigest,
    pub platform: Platform,
    /// Where to ask, best first; empty where only a cache can know it.
    pub repositories: Vec<Repository>,
}

/// What one host holds.
#[derive(Debug, Clone)]
pub struct Holdings {
    pub(super) store: ImageStore,
    pub(super) platform: Platform,
    pub(super) engine_version: String,
    /// Whether the host builds images, so that its build cache may hold layers that no engine lists.
    pub(super) builds: bool,
    pub(super) images: BTreeSet<ImageId>,
    pub(super) chains: Chains,
    /// Known layers; false where it is in doubt which of an image's manifests was really fetched.
    pub(super) known: BTreeMap<LayerDigest, bool>,
    pub(super) manifests: BTreeSet<ManifestDigest>,
    pub(super) configs: BTreeSet<ConfigDigest>,
    /// Chains of pulled images whose manifests are not to be had.
    pub(super) unread_chains: Chains,
    /// Unpacked layers of images whose manifests are not to be had.
    pub(super) unread_layers: BTreeSet<DiffId>,
    /// How many images there are of which neither layers nor manifest are known.
    pub(super) opaque: usize,
}

impl Holdings {
    /// Gathers what the host holds.
    pub fn of(observation: &Observation, manifests: &Manifests, builds: bool) -> Self {
        let mut holdings = Self {
            store: observation.engine.store,
            platform: observation.engine.platform.clone(),
            engine_version: observation.engine.version.clone(),
            builds,
            images: observation.images.keys().cloned().collect(),
            chains: Chains::default(),
            known: BTreeMap::new(),
            manifests: BTreeSet::new(),
            configs: BTreeSet::new(),
            unread_chains: Chains::default(),
            unread_layers: BTreeSet::new(),
            opaque: 0,
        };
        let mut fetched = Fetched::new();
        for image in observation.images.values() {
            if image.removed {
                holdings.chains.add(&image.diff_ids);
                holdings.add_removed(manifests, &image.id, &mut fetched);
            } else {
                holdings.add_image(observation, manifests, image, &mut fetched);
            }
        }
        for container in &observation.containers {
            if observation.images.contains_key(&container.image_id) {
                // The engine itself tells which manifest of the image it unpacked.
                holdings.manifests.extend(container.manifest.clone());
            } else {
                holdings.add_removed(manifests, &container.image_id, &mut fetched);
            }
        }
        for top in &observation.pulled {
            let key = (top.clone(), observation.engine.platform.clone());
            if let Some(remote) = manifests.get(&key) {
                fetched.entry(&remote.config).or_default().push(remote);
            }
        }
        for images in fetched.values() {
            holdings.know(images);
        }
        holdings
    }

    fn add_image<'a>(
        &mut self,
        observation: &Observation,
        manifests: &'a Manifests,
        image: &ImageFacts,
        fetched: &mut Fetched<'a>,
    ) {
        let graph = self.store == ImageStore::Graph;
        let platform = observation.platform_of_image(image);
        let read: Vec<&RemoteImage> = tops(observation, image)
            .filter_map(|top| manifests.get(&(top.clone(), platform.clone())))
            // An index may have been read for another platform than the one that is here.
            .filter(|remote| !graph || remote.config == image.id.as_config())
            .collect();
        for remote in &read {
            self.manifests.insert(remote.manifest.clone());
            self.configs.insert(remote.config.clone());
            if graph {
                fetched.entry(&remote.config).or_default().push(remote);
            }
        }
        if !graph {
            self.know(&read);
        }
        if is_opaque(image) {
            for remote in &read {
                self.chains.add(&diff_ids(&remote.layers));
            }
            self.opaque += usize::from(read.is_empty());
            return;
        }
        self.chains.add(&image.diff_ids);
        // On a graph store an image without any digest never was pulled: its layers count for nothing.
        let pulled = !graph || !image.digests.is_empty();
        if read.is_empty() && pulled {
            self.unread_chains.add(&image.diff_ids);
            self.unread_layers.extend(image.diff_ids.iter().cloned());
        }
    }

    /// Takes in the layers of one image's manifests: which of several was really fetched is not known.
    fn know(&mut self, images: &[&RemoteImage]) {
        for layer in images.iter().flat_map(|image| &image.layers) {
            let holds = |image: &&RemoteImage| {
                let mut layers = image.layers.iter();
                layers.any(|own| own.digest == layer.digest)
            };
            let sure = images.iter().all(holds);
            let known = self.known.entry(layer.digest.clone()).or_insert(sure);
            *known |= sure;
        }
    }

    /// Adds an image that was removed while a container still stands on its unpacked layers.
    fn add_removed<'a>(
        &mut self,
        manifests: &'a Manifests,
        id: &ImageId,
        fetched: &mut Fetched<'a>,
    ) {
        let graph = self.store == ImageStore::Graph;
        self.images.remove(id);
        for ((top, _), remote) in manifests {
            let same = if graph {
                remote.config == id.as_config()
            } else {
                *top == id.as_top() || remote.manifest.as_top() == id.as_top()
            };
            if !same {
                continue;
            }
            self.chains.add(&diff_ids(&remote.layers));
            // A graph store remembers digests of removed images; containerd's content goes with the image.
            if graph {
                fetched.entry(&remote.config).or_default().push(remote);
            }
        }
    }
}

/// Manifests that a graph store fetched or might have, by the image that they are of.
type Fetched<'a> = BTreeMap<&'a ConfigDigest, Vec<&'a RemoteImage>>;

/// Lists the manifests of the host's images that bear on a pull of the target and should be had for an exact answer.
pub fn needed(observation: &Observation, target: &RemoteImage) -> Vec<Needed> {
    let wanted: BTreeSet<DiffId> = diff_ids(&target.layers).into_iter().collect();
    let first = target
        .layers
        .first()
        .and_then(|layer| layer.diff_id.as_ref());
    let graph = observation.engine.store == ImageStore::Graph;
    let is_target = |image: &ImageFacts| !image.removed && image.id.as_config() == target.config;
    if graph && observation.images.values().any(is_target) {
        return Vec::new();
    }
    let mut list: Vec<Needed> = Vec::new();
    for image in observation.images.values() {
        let bears = if image.removed && !image.diff_ids.is_empty() {
            // Its layers are known, and that is all that is left of it.
            false
        } else if is_opaque(image) {
            !graph
        } else if graph {
            image.diff_ids.first() == first
        } else {
            image
                .diff_ids
                .iter()
                .any(|diff_id| wanted.contains(diff_id))
        };
        if !bears {
            continue;
        }
        let platform = observation.platform_of_image(image);
        for top in tops(observation, image).take(DIGESTS_AN_IMAGE) {
            let repositories = repositories(observation, image, &top);
            add_needed(&mut list, &top, platform, repositories);
        }
    }
    for container in &observation.containers {
        if !graph && !observation.images.contains_key(&container.image_id) {
            let repository = container.reference.parse::<ImageRef>().ok();
            let repositories = repository.map(|reference| reference.repository);
            add_needed(
                &mut list,
                &container.image_id.as_top(),
                &observation.engine.platform,
                repositories.into_iter().collect(),
            );
        }
    }
    list
}

fn add_needed(
    list: &mut Vec<Needed>,
    top: &TopDigest,
    platform: &Platform,
    repositories: Vec<Repository>,
) {
    let same = |needed: &&mut Needed| needed.top == *top && needed.platform == *platform;
    match list.iter_mut().find(same) {
        Some(needed) => {
            for repository in repositories {
                if !needed.repositories.contains(&repository) {
                    needed.repositories.push(repository);
                }
            }
        }
        None => list.push(Needed {
            top: top.clone(),
            platform: platform.clone(),
            repositories,
        }),
    }
}

/// Returns the digests under which the image's manifest may be known, without repetition.
fn tops<'a>(
    observation: &Observation,
    image: &'a ImageFacts,
) -> impl Iterator<Item = TopDigest> + use<'a> {
    let own = (observation.engine.store == ImageStore::Containerd).then(|| image.id.as_top());
    let mut seen = BTreeSet::new();
    own.into_iter()
        .chain(image.digests.iter().map(|(_, top)| top.clone()))
        .filter(move |top| seen.insert(top.clone()))
}

fn repositories(observation: &Observation, image: &ImageFacts, top: &TopDigest) -> Vec<Repository> {
    let own = observation.engine.store == ImageStore::Containerd && image.id.as_top() == *top;
    let by_digest = image
        .digests
        .iter()
        .filter(|(_, digest)| digest == top)
        .map(|(repository, _)| repository.clone());
    let mut list: Vec<Repository> = by_digest.collect();
    if own {
        list.extend(image.tags.iter().map(|tag| tag.repository.clone()));
        // A dangling image has lost its names; the containers made from it remember one.
        let users = observation
            .containers
            .iter()
            .filter(|container| container.image_id == image.id)
            .filter_map(|container| container.reference.parse::<ImageRef>().ok());
        list.extend(users.map(|reference| reference.repository));
    }
    let mut seen = BTreeSet::new();
    list.retain(|repository| seen.insert(repository.clone()));
    list
}

/// Tells whether the engine says nothing of the image's layers.
fn is_opaque(image: &ImageFacts) -> bool {
    image.diff_ids.is_empty() && !image.complete
}

/// Returns the unpacked layers as far as the config lists them without a gap.
pub(super) fn diff_ids(layers: &[RemoteLayer]) -> Vec<DiffId> {
    layers
        .iter()
        .map_while(|layer| layer.diff_id.clone())
        .collect()
}
