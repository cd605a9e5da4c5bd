//! The images of a scenario: what a tag names, and what registry and engine tell of a build.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::digest::{ImageId, TopDigest};
use crate::core::engine::{ImageFacts, ImageStore};
use crate::core::failure::RegistryFailure;
use crate::core::image::{ImageRef, Pointer, Repository};
use crate::core::names::RegistryHost;
use crate::core::platform::Platform;
use crate::core::remote::{RemoteImage, RemoteLayer};

use super::check;
use super::mint::{self, BuildName};
use super::scenario::{BuildEntry, ImageEntry, LayerEntry, Scenario};

const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// How much larger a layer is unpacked, about; engines tell the unpacked size.
const UNPACKED: u64 = 3;

/// The images by repository.
#[derive(Debug, Clone)]
pub struct Catalog {
    images: BTreeMap<Repository, Image>,
}

/// One repository.
#[derive(Debug, Clone)]
pub struct Image {
    entry: ImageEntry,
    base: Option<(String, Vec<LayerEntry>)>,
    tags: BTreeMap<Box<str>, BuildName>,
}

impl Catalog {
    /// Takes the images of a checked scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let images = scenario.images.iter().filter_map(|(name, entry)| {
            let repository = check::repository(name).ok()?;
            let base = entry.base.as_ref();
            let image = Image {
                base: base
                    .and_then(|base| Some((base.clone(), scenario.bases.get(base).cloned()?))),
                tags: entry
                    .tags
                    .iter()
                    .filter_map(|(tag, names)| Some((tag.as_str().into(), names.parse().ok()?)))
                    .collect(),
                entry: entry.clone(),
            };
            Some((repository, image))
        });
        Self {
            images: images.collect(),
        }
    }

    /// Returns why questions about the repository fail, if they do.
    pub fn failure(&self, repository: &Repository) -> Option<&RegistryFailure> {
        self.images.get(repository)?.entry.fails.as_ref()
    }

    /// Tells whether anything of the repository was ever pushed.
    pub fn is_pushed(&self, repository: &Repository) -> bool {
        let image = self.images.get(repository);
        image.is_some_and(|image| !image.entry.made_here)
    }

    /// Returns the repositories of a registry to which anything was pushed.
    pub fn repositories(&self, registry: &RegistryHost) -> Vec<Box<str>> {
        let all = self.images.iter();
        let pushed = all.filter(|(own, image)| own.registry == *registry && !image.entry.made_here);
        pushed.map(|(own, _)| (&*own.path).into()).collect()
    }

    /// Returns the tags of the repository in the registry.
    pub fn tags(&self, repository: &Repository) -> Vec<Box<str>> {
        let image = self.images.get(repository);
        image.map_or_else(Vec::new, |image| image.tags.keys().cloned().collect())
    }

    /// Returns the build that the tag names in the registry.
    pub fn named(&self, reference: &ImageRef) -> Option<BuildName> {
        let image = self.images.get(&reference.repository)?;
        match &reference.pointer {
            Pointer::Tag(tag) => image.tags.get(&**tag).cloned(),
            Pointer::Digest { digest, .. } => self.of_top(&reference.repository, digest),
        }
    }

    /// Returns the build that the tag named at an earlier moment: the named one, or the newest there was then.
    pub fn named_at(
        &self,
        reference: &ImageRef,
        at: Timestamp,
        started_at: Timestamp,
    ) -> Option<BuildName> {
        let named = self.named(reference)?;
        let image = self.images.get(&reference.repository)?;
        let was_there = |build: &BuildEntry| {
            build
                .built
                .is_none_or(|built| built.on_the_clock(started_at) <= at)
        };
        if image.build(&named.id).is_none_or(was_there) {
            return Some(named);
        }
        let before = image.pushed().take_while(|build| *build.id != *named.id);
        before
            .filter(|build| was_there(build))
            .last()
            .map(|build| BuildName {
                id: build.id.as_str().into(),
                again: 0,
            })
    }

    /// Lets a tag name another build.
    pub fn move_tag(&mut self, reference: &ImageRef, build: BuildName) {
        if let (Some(image), Some(tag)) =
            (self.images.get_mut(&reference.repository), reference.tag())
        {
            image.tags.insert(tag.into(), build);
        }
    }

    /// Finds the build of a top digest that the registry still holds.
    pub fn of_top(&self, repository: &Repository, top: &TopDigest) -> Option<BuildName> {
        let image = self.images.get(repository)?;
        // A scenario publishes an index again once or twice; more than nine times is not looked for.
        (0..10)
            .flat_map(|again| {
                image.pushed().map(move |build| BuildName {
                    id: build.id.as_str().into(),
                    again,
                })
            })
            .find(|build| self.top(repository, build).as_ref() == Some(top))
    }

    /// Returns what a tag of the build names.
    pub fn top(&self, repository: &Repository, build: &BuildName) -> Option<TopDigest> {
        let image = self.images.get(repository)?;
        let single = image.entry.platforms.first();
        let single = single.filter(|_| image.entry.single);
        Some(mint::top(repository, build, single))
    }

    /// Returns what the registry holds of a build for a platform.
    pub fn remote(
        &self,
        repository: &Repository,
        build: &BuildName,
        platform: &Platform,
        started_at: Timestamp,
    ) -> Option<RemoteImage> {
        let image = self.images.get(repository)?;
        let entry = image.build(&build.id)?;
        let platform = image.platform(platform)?;
        Some(RemoteImage {
            top: self.top(repository, build)?,
            indexed: !image.entry.single,
            manifest: mint::manifest(repository, &build.id, &platform),
            config: mint::config(repository, &build.id, &platform),
            config_size: 6_800,
            created: entry.built.map(|built| built.on_the_clock(started_at)),
            revision: Some(entry.revision.clone().unwrap_or_else(|| entry.id.clone())),
            version: entry.version.clone(),
            source: image.entry.source.clone(),
            layers: image.layers(repository, &build.id, &platform),
            attestations: if image.entry.single {
                Vec::new()
            } else {
                vec![mint::attestation(repository, build)]
            },
            platform: Some(platform),
        })
    }

    /// Returns the Id that an engine gives to a build.
    pub fn id(
        &self,
        repository: &Repository,
        build: &BuildName,
        platform: &Platform,
        store: ImageStore,
    ) -> Option<ImageId> {
        let image = self.images.get(repository)?;
        let platform = image.platform(platform)?;
        Some(match store {
            ImageStore::Graph => ImageId(
                mint::config(repository, &build.id, &platform)
                    .digest()
                    .clone(),
            ),
            ImageStore::Containerd => ImageId(self.top(repository, build)?.digest().clone()),
        })
    }

    /// Returns a build as an engine's store holds it, under these of its tags.
    pub fn held(
        &self,
        repository: &Repository,
        build: &BuildName,
        platform: &Platform,
        store: ImageStore,
        tags: Vec<ImageRef>,
        started_at: Timestamp,
    ) -> Option<ImageFacts> {
        let image = self.images.get(repository)?;
        let remote = self.remote(repository, build, platform, started_at)?;
        let made_here = image.is_made_here(&build.id);
        let digests = match store {
            ImageStore::Graph if made_here => Vec::new(),
            ImageStore::Graph => vec![(repository.clone(), remote.top.clone())],
            // This store invents a digest for every name that an image has, and forgets it with the name.
            ImageStore::Containerd if tags.is_empty() => Vec::new(),
            ImageStore::Containerd => vec![(repository.clone(), remote.top.clone())],
        };
        let packed: u64 = remote.layers.iter().map(|layer| layer.size).sum();
        Some(ImageFacts {
            id: self.id(repository, build, platform, store)?,
            tags,
            digests,
            created: remote.created,
            platform: remote.platform,
            size: Some(packed * UNPACKED),
            revision: remote.revision,
            version: remote.version,
            source: remote.source,
            diff_ids: remote
                .layers
                .into_iter()
                .filter_map(|layer| layer.diff_id)
                .collect(),
            complete: true,
            removed: false,
        })
    }
}

impl Image {
    fn build(&self, id: &str) -> Option<&BuildEntry> {
        self.entry.builds.iter().find(|build| build.id == id)
    }

    fn is_made_here(&self, id: &str) -> bool {
        self.entry.made_here || self.build(id).is_some_and(|build| build.made_here)
    }

    /// Returns the builds that the registry holds.
    fn pushed(&self) -> impl Iterator<Item = &BuildEntry> {
        self.entry
            .builds
            .iter()
            .filter(|build| !build.purged && !self.is_made_here(&build.id))
    }

    /// Returns the offered platform that an engine of this platform takes.
    fn platform(&self, platform: &Platform) -> Option<Platform> {
        if self.entry.platforms.is_empty() {
            return Some(platform.clone());
        }
        platform
            .choose(&self.entry.platforms, |offer| Some(offer))
            .cloned()
    }

    /// Returns the layers of a build: those of the base, then its own, each by the build that changed it last.
    fn layers(&self, repository: &Repository, id: &str, platform: &Platform) -> Vec<RemoteLayer> {
        let count = self.entry.layers.len();
        let mut makers = vec![String::new(); count];
        for build in &self.entry.builds {
            let changes = build.changes.unwrap_or(1).min(count);
            let first = makers.iter().position(String::is_empty);
            let from = first.map_or(count - changes, |first| first.min(count - changes));
            for maker in &mut makers[from..] {
                *maker = format!("{repository} {}", build.id);
            }
            if build.id == id {
                break;
            }
        }
        let base = self
            .base
            .iter()
            .flat_map(|(name, layers)| layers.iter().map(move |layer| (name.as_str(), layer)));
        let own = makers.iter().map(String::as_str).zip(&self.entry.layers);
        base.chain(own)
            .enumerate()
            .map(|(number, (maker, layer))| {
                let (digest, diff_id) = mint::layer(maker, number, platform);
                RemoteLayer {
                    digest,
                    size: layer.size.0,
                    media_type: LAYER_TYPE.to_owned(),
                    diff_id: Some(diff_id),
                    created_by: Some(layer.by.clone()),
                }
            })
            .collect()
    }
}
