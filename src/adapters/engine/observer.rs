//! What may be asked of an engine without changing anything there.
//!
//! The link below could send any request; it is private, so this type is all that a read-only session has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::core::digest::ImageId;
use crate::core::engine::{ContainerFacts, EngineFacts, Observation, Whole};
use crate::core::failure::HostFailure;
use crate::core::image::ImageRef;
use crate::core::labels::Texts;
use crate::core::names::ContainerId;
use crate::core::watch::Scope;

use super::convert::{self, ImageDetails};
use super::link::Link;
use super::{wire, words};

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

    /// Looks at all containers and images.
    pub async fn observe(&self, scope: &Scope, at: Timestamp) -> Result<Observation, HostFailure> {
        let mut known = self.known.lock().await;
        let known = &mut *known;
        let mut paths = ["/containers/json?all=1", "/images/json?digests=1"]
            .map(str::to_owned)
            .to_vec();
        if known.engine.is_none() {
            paths.extend(["/version", "/info"].map(str::to_owned));
        }
        let answers = self.link.ask(&paths).await?;
        let listed: Option<Vec<wire::ListedContainer>> = answers[0].document()?;
        let images: Option<Vec<wire::ListedImage>> = answers[1].document()?;
        let engine = match &known.engine {
            Some(engine) => engine.clone(),
            None => {
                let (version, info) = (answers[2].document()?, answers[3].document()?);
                convert::engine(self.link.api(), version, info)
            }
        };
        known.engine = Some(engine.clone());
        let listed = listed.unwrap_or_default();
        let images = by_id(images.unwrap_or_default());

        // Most images can be told from the lists; they are asked for along with the containers.
        let guess = likely_images(&listed, &images);
        let mut details = HashMap::new();
        self.containers(&listed, known, scope, &guess, &mut details)
            .await?;
        let mut containers: Vec<ContainerFacts> = listed
            .iter()
            .filter_map(|entry| known.containers.get(&entry.id))
            .map(|known| known.facts.clone())
            .collect();
        containers.shrink_to_fit();

        let mut wanted = wanted_images(&containers, &images);
        if *scope == Scope::Whole {
            let builds = self.builds(&images).await;
            known.whole = Some(Whole { builds });
        }
        if known.whole.is_some() {
            wanted.extend(images.keys().cloned());
        }
        let missing: Vec<&ImageId> = wanted
            .iter()
            .filter(|id| !known.images.contains_key(*id) && !details.contains_key(*id))
            .collect();
        let paths: Vec<String> = missing.iter().map(|id| image_path(id)).collect();
        for (id, answer) in missing.into_iter().zip(self.link.ask(&paths).await?) {
            if let Some(image) = answer.found()? {
                details.insert(id.clone(), convert::image_details(image));
            }
        }
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
            pulled: BTreeSet::new(),
        })
    }

    /// Inspects the containers whose details are not known or may have changed, and the images given.
    async fn containers(
        &self,
        listed: &[wire::ListedContainer],
        known: &mut Known,
        scope: &Scope,
        images: &BTreeSet<ImageId>,
        details: &mut HashMap<ImageId, ImageDetails>,
    ) -> Result<(), HostFailure> {
        let stale = |entry: &wire::ListedContainer| {
            let anew = match scope {
                Scope::All | Scope::Whole => true,
                Scope::Containers(ids) => ids.contains(&ContainerId::from(entry.id.as_str())),
            };
            let class = convert::state_class(entry);
            anew || known
                .containers
                .get(&entry.id)
                .is_none_or(|known| known.class != class)
        };
        let stale: Vec<&wire::ListedContainer> =
            listed.iter().filter(|entry| stale(entry)).collect();
        let images: Vec<&ImageId> = images
            .iter()
            .filter(|id| !known.images.contains_key(*id))
            .collect();
        let mut paths: Vec<String> = stale
            .iter()
            .map(|entry| format!("/containers/{}/json", entry.id))
            .collect();
        paths.extend(images.iter().map(|id| image_path(id)));
        let answers = self.link.ask(&paths).await?;
        let (of_containers, of_images) = answers.split_at(stale.len());

        let ids: BTreeSet<&str> = listed.iter().map(|entry| entry.id.as_str()).collect();
        known.containers.retain(|id, _| ids.contains(id.as_str()));
        for (entry, answer) in stale.into_iter().zip(of_containers) {
            // A container that went away since the list was read is no failure.
            let Some(found) = answer.found::<wire::Container>()? else {
                known.containers.remove(&entry.id);
                continue;
            };
            let facts = convert::container(found, entry).ok_or_else(|| {
                words::bad_answer("a container's inspection", "it has no image Id")
            })?;
            let class = convert::state_class(entry);
            let id = entry.id.clone();
            known.containers.insert(id, KnownContainer { class, facts });
        }
        let mut texts = Texts::default();
        for container in known.containers.values_mut() {
            container.facts.labels.share(&mut texts);
        }
        for (id, answer) in images.into_iter().zip(of_images) {
            if let Some(image) = answer.found()? {
                details.insert(id.clone(), convert::image_details(image));
            }
        }
        Ok(())
    }

    /// Tells whether the host seems to build images.
    async fn builds(&self, images: &BTreeMap<ImageId, wire::ListedImage>) -> bool {
        // Old engines measure every folder for this answer, which may take minutes: they get little time.
        let asked = async {
            let answer = self
                .link
                .ask_apart("/system/df?type=build-cache", None)
                .await?;
            answer.document::<wire::DiskUsage>()
        };
        match tokio::time::timeout(BUILD_CACHE_PATIENCE, asked).await {
            Ok(Ok(usage)) => usage.build_cache.is_some_and(|cache| !cache.is_empty()),
            // An image that was never pulled was most likely built.
            _ => images.values().any(|image| {
                let digests = image.repo_digests.as_deref().unwrap_or_default();
                digests.is_empty() && !convert::tags(image.repo_tags.as_deref()).is_empty()
            }),
        }
    }
}

fn by_id(images: Vec<wire::ListedImage>) -> BTreeMap<ImageId, wire::ListedImage> {
    images
        .into_iter()
        .filter_map(|image| Some((convert::parse_image_id(&image.id)?, image)))
        .collect()
}

fn image_path(id: &ImageId) -> String {
    format!("/images/{id}/json")
}

/// Returns the images that containers run, and those that their references name now.
fn wanted_images(
    containers: &[ContainerFacts],
    images: &BTreeMap<ImageId, wire::ListedImage>,
) -> BTreeSet<ImageId> {
    let running = containers
        .iter()
        .map(|container| container.image_id.clone());
    let references = containers
        .iter()
        .map(|container| container.reference.as_str());
    running.chain(named(references, images)).collect()
}

/// Returns the same as far as the lists tell; a container whose image lost its name shows an Id in place of it.
fn likely_images(
    containers: &[wire::ListedContainer],
    images: &BTreeMap<ImageId, wire::ListedImage>,
) -> BTreeSet<ImageId> {
    let running = containers
        .iter()
        .filter_map(|container| convert::parse_image_id(container.image_id.as_deref()?));
    let references = containers
        .iter()
        .filter_map(|container| container.image.as_deref());
    running.chain(named(references, images)).collect()
}

/// Returns the images that the references name now.
fn named<'a>(
    references: impl Iterator<Item = &'a str>,
    images: &BTreeMap<ImageId, wire::ListedImage>,
) -> Vec<ImageId> {
    let references: BTreeSet<ImageRef> = references.filter_map(|text| text.parse().ok()).collect();
    let is_named = |image: &wire::ListedImage| {
        let tags = convert::tags(image.repo_tags.as_deref());
        tags.iter().any(|tag| references.contains(tag))
    };
    let named = images.iter().filter(|(_, image)| is_named(image));
    named.map(|(id, _)| id.clone()).collect()
}
