//! What may be asked of an engine without changing anything there.
//!
//! The link below could send any request; it is private, so this type is all that a read-only session has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::core::digest::ImageId;
use crate::core::engine::{ContainerFacts, EngineFacts, Observation, Whole};
use crate::core::failure::HostFailure;
use crate::core::image::ImageRef;
use crate::core::names::ContainerId;
use crate::core::watch::Scope;

use super::convert::{self, ImageDetails};
use super::link::Link;
use super::{wire, words};

/// How many inspections are wanted at once; the pool below bounds those on the wire.
const AT_ONCE: usize = 8;

/// How long the engine may take to tell what its build cache holds.
const BUILD_CACHE_PATIENCE: Duration = Duration::from_secs(4);

/// A handle that can look at an engine and nothing else.
#[derive(Debug, Clone)]
pub struct Observer {
    pub(super) link: Link,
    known: Arc<Mutex<Known>>,
}

/// What earlier looks learned and need not ask again.
#[derive(Debug, Default)]
struct Known {
    engine: Option<EngineFacts>,
    containers: HashMap<String, KnownContainer>,
    images: HashMap<ImageId, ImageDetails>,
    /// What bears on downloads, once somebody asked for it.
    whole: Option<Whole>,
}

#[derive(Debug, Clone)]
struct KnownContainer {
    class: String,
    facts: ContainerFacts,
}

impl Observer {
    /// Wraps a link.
    pub fn new(link: Link) -> Self {
        Self {
            link,
            known: Arc::default(),
        }
    }

    /// Returns the round trip measured when the link was made.
    pub fn rtt(&self) -> Duration {
        self.link.rtt()
    }

    /// Measures a round trip.
    pub async fn ping(&self) -> Result<Duration, HostFailure> {
        self.link.ping().await
    }

    /// Tells whether the way to the engine would let changes through.
    pub async fn could_change(&self) -> bool {
        self.link.could_change().await
    }

    /// Lets go of connections that nobody uses now.
    pub fn clear(&self) {
        self.link.clear();
    }

    /// Reads the engine's own facts.
    pub async fn engine(&self) -> Result<EngineFacts, HostFailure> {
        let (version, info) = tokio::try_join!(
            self.link.get::<wire::Version>("/version"),
            self.link.get::<wire::Info>("/info"),
        )?;
        Ok(convert::engine(self.link.api(), version, info))
    }

    /// Looks at all containers and images.
    pub async fn observe(&self, scope: &Scope, at: Timestamp) -> Result<Observation, HostFailure> {
        let mut known = self.known.lock().await;
        let engine = async {
            match &known.engine {
                Some(engine) => Ok(engine.clone()),
                None => self.engine().await,
            }
        };
        let (engine, listed, images) = tokio::try_join!(
            engine,
            self.link
                .get::<Option<Vec<wire::ListedContainer>>>("/containers/json?all=1"),
            self.link
                .get::<Option<Vec<wire::ListedImage>>>("/images/json?digests=1"),
        )?;
        known.engine = Some(engine.clone());
        let listed = listed.unwrap_or_default();
        let images = by_id(images.unwrap_or_default());

        known.containers = self.containers(&listed, &known.containers, scope).await?;
        let containers: Vec<ContainerFacts> = listed
            .iter()
            .filter_map(|entry| known.containers.get(&entry.id))
            .map(|known| known.facts.clone())
            .collect();

        let mut wanted = wanted_images(&containers, &images);
        if *scope == Scope::Whole {
            let builds = self.builds(&images).await;
            known.whole = Some(Whole { builds });
        }
        if known.whole.is_some() {
            wanted.extend(images.keys().cloned());
        }
        let details = self.image_details(&wanted, &known.images).await?;
        known.images.extend(details.clone());
        // What the engine does not hold any more is forgotten, so that the memory stays bounded.
        known.images.retain(|id, details| {
            details.complete && (images.contains_key(id) || wanted.contains(id))
        });

        let known_of = |id: &ImageId| details.get(id).or_else(|| known.images.get(id));
        let mut facts: BTreeMap<_, _> = images
            .iter()
            .map(|(id, listed)| {
                let facts = convert::image(id.clone(), Some(listed), known_of(id));
                (id.clone(), facts)
            })
            .collect();
        for id in wanted.iter().filter(|id| !images.contains_key(id)) {
            // An image that only a container still holds has no names, but it can be known.
            if let Some(details) = known_of(id) {
                facts.insert(id.clone(), convert::image(id.clone(), None, Some(details)));
            }
        }
        Ok(Observation {
            at,
            engine,
            containers,
            images: facts,
            whole: known.whole,
        })
    }

    /// Inspects the containers whose details are not known or may have changed.
    async fn containers(
        &self,
        listed: &[wire::ListedContainer],
        known: &HashMap<String, KnownContainer>,
        scope: &Scope,
    ) -> Result<HashMap<String, KnownContainer>, HostFailure> {
        let anew = |entry: &wire::ListedContainer| match scope {
            Scope::All | Scope::Whole => true,
            Scope::Containers(ids) => ids.contains(&ContainerId::from(entry.id.as_str())),
        };
        let one = async |entry: &wire::ListedContainer| {
            let class = convert::state_class(entry);
            if let Some(known) = known.get(&entry.id).filter(|known| known.class == class)
                && !anew(entry)
            {
                return Ok(Some((entry.id.clone(), known.clone())));
            }
            let path = format!("/containers/{}/json", entry.id);
            // A container that went away since the list was read is no failure.
            let Some(found) = self.link.find::<wire::Container>(&path).await? else {
                return Ok(None);
            };
            let facts = convert::container(found, entry)
                .ok_or_else(|| words::bad_answer(&path, "the container has no image Id"))?;
            Ok(Some((entry.id.clone(), KnownContainer { class, facts })))
        };
        // The futures are made first: a closure within the stream would tie it to one lifetime and to one thread.
        let details: Vec<_> = listed.iter().map(one).collect();
        stream::iter(details)
            .buffer_unordered(AT_ONCE)
            .try_filter_map(async |found| Ok(found))
            .try_collect()
            .await
    }

    /// Tells whether the host seems to build images.
    async fn builds(&self, images: &BTreeMap<ImageId, wire::ListedImage>) -> bool {
        // Old engines measure every folder for this answer, which may take minutes: they get little time.
        let asked = self
            .link
            .find::<wire::DiskUsage>("/system/df?type=build-cache");
        match tokio::time::timeout(BUILD_CACHE_PATIENCE, asked).await {
            Ok(Ok(Some(usage))) => usage.build_cache.is_some_and(|cache| !cache.is_empty()),
            // An image that was never pulled was most likely built.
            _ => images.values().any(|image| {
                let digests = image.repo_digests.as_deref().unwrap_or_default();
                digests.is_empty() && !convert::tags(image.repo_tags.as_deref()).is_empty()
            }),
        }
    }

    /// Inspects the images that are wanted and not known.
    async fn image_details(
        &self,
        wanted: &BTreeSet<ImageId>,
        known: &HashMap<ImageId, ImageDetails>,
    ) -> Result<HashMap<ImageId, ImageDetails>, HostFailure> {
        let one = async |id: &ImageId| {
            let path = format!("/images/{id}/json");
            let found = self.link.find::<wire::Image>(&path).await?;
            Ok(found.map(|image| (id.clone(), convert::image_details(image))))
        };
        let missing = wanted.iter().filter(|id| !known.contains_key(*id));
        let details: Vec<_> = missing.map(one).collect();
        stream::iter(details)
            .buffer_unordered(AT_ONCE)
            .try_filter_map(async |found| Ok(found))
            .try_collect()
            .await
    }
}

fn by_id(images: Vec<wire::ListedImage>) -> BTreeMap<ImageId, wire::ListedImage> {
    images
        .into_iter()
        .filter_map(|image| Some((convert::parse_image_id(&image.id)?, image)))
        .collect()
}

/// Returns the images that containers run, and those that their references name now.
fn wanted_images(
    containers: &[ContainerFacts],
    images: &BTreeMap<ImageId, wire::ListedImage>,
) -> BTreeSet<ImageId> {
    let references: BTreeSet<ImageRef> = containers
        .iter()
        .filter_map(|container| container.reference.parse().ok())
        .collect();
    let named = images.iter().filter(|(_, image)| {
        convert::tags(image.repo_tags.as_deref())
            .iter()
            .any(|tag| references.contains(tag))
    });
    containers
        .iter()
        .map(|container| container.image_id.clone())
        .chain(named.map(|(id, _)| id.clone()))
        .collect()
}
