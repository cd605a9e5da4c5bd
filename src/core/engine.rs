//! What an engine told: its own facts, its containers and its images, at one moment.
//!
//! Adapters fill these types from the wire; nothing here knows how an engine is reached. They are kept on disk as well:
//! a new field is optional or has a default, else the number of the form in `adapters::memory` has to grow.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::{DiffId, ImageId, ManifestDigest, TopDigest};
use super::image::{ImageRef, Repository};
use super::labels::Labels;
use super::names::ContainerId;
use super::platform::Platform;

/// The two kinds of image store, which give an image's Id different meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageStore {
    /// A graph driver (overlay2 and kin): the Id is the config's digest.
    Graph,
    /// The containerd image store: the Id is the digest that the tag pointed to.
    Containerd,
}

impl ImageStore {
    /// Returns the word of the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Containerd => "containerd",
        }
    }
}

/// Facts of the engine itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFacts {
    pub version: String,
    pub api: String,
    pub store: ImageStore,
    pub driver: String,
    pub platform: Platform,
    /// The engine's data folder, where layers are unpacked.
    pub data_root: Option<String>,
}

/// The life of a container in the engine's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    /// A word that this program does not know.
    Unknown,
}

impl ContainerState {
    /// Returns the engine's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the engine's word.
    pub fn from_word(word: &str) -> Self {
        match word {
            "created" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Unknown,
        }
    }
}

/// What the container's own health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The image and the service define no check.
    None,
    Starting,
    Healthy,
    Unhealthy,
}

impl Health {
    /// Returns the engine's word, or nothing where no check is defined.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Starting => Some("starting"),
            Self::Healthy => Some("healthy"),
            Self::Unhealthy => Some("unhealthy"),
        }
    }
}

/// What is wrong with a container by itself; what a job waits for on the host is told by `rollout/script/health.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    Restarting,
    Dead,
    /// It ended with this code.
    Exited(i64),
    Unhealthy,
}

impl Ailment {
    /// Finds what is wrong; nothing is, by itself, with one that was never started, is paused or ended well.
    ///
    /// What its check said last is no word on one that does not run now.
    pub fn of(state: ContainerState, health: Health, exit_code: Option<i64>) -> Option<Self> {
        match (state, health, exit_code) {
            (ContainerState::Restarting, ..) => Some(Self::Restarting),
            (ContainerState::Dead, ..) => Some(Self::Dead),
            (ContainerState::Exited, _, Some(code)) if code != 0 => Some(Self::Exited(code)),
            (ContainerState::Running, Health::Unhealthy, _) => Some(Self::Unhealthy),
            _ => None,
        }
    }
}

/// One container as inspect shows it, without the values of its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFacts {
    pub id: ContainerId,
    pub name: String,
    pub image_id: ImageId,
    /// The reference that the container was created with, as written then.
    pub reference: String,
    /// The platform manifest, where the engine tells it (containerd store, API 1.48 and later).
    pub manifest: Option<ManifestDigest>,
    pub labels: Labels,
    pub state: ContainerState,
    pub health: Health,
    pub exit_code: Option<i64>,
    pub created: Option<Timestamp>,
    pub started: Option<Timestamp>,
    pub restarts: u64,
    /// Published ports as `8080->80/tcp`.
    pub ports: Vec<String>,
    pub network_mode: String,
}

/// One image as the engine's store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    pub id: ImageId,
    pub tags: Vec<ImageRef>,
    pub digests: Vec<(Repository, TopDigest)>,
    pub created: Option<Timestamp>,
    pub platform: Option<Platform>,
    pub size: Option<u64>,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub source: Option<String>,
    pub diff_ids: Vec<DiffId>,
    /// False where the store holds the image in part only, so that empty fields mean nothing.
    pub complete: bool,
    /// True where the store holds it no more, and only a container still stands on its layers.
    #[serde(default)]
    pub removed: bool,
}

impl ImageFacts {
    /// Returns the digests that the image has in the repository.
    pub fn digests_in<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> impl Iterator<Item = &'a TopDigest> {
        self.digests
            .iter()
            .filter(move |(own, _)| own == repository)
            .map(|(_, digest)| digest)
    }
}

/// One whole look at a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub at: Timestamp,
    pub engine: EngineFacts,
    pub containers: Vec<ContainerFacts>,
    #[serde(with = "as_list")]
    pub images: BTreeMap<ImageId, ImageFacts>,
    /// What bears on downloads; absent while only the images in use were read in detail.
    #[serde(default)]
    pub whole: Option<Whole>,
    /// Digests that images ever had here: a graph store knows their layers for ever, and tells nobody.
    #[serde(default)]
    pub pulled: BTreeSet<TopDigest>,
}

/// Every image was read in detail, and this beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// Whether the host builds images: its build cache may hold layers that no image shows.
    pub builds: bool,
}

/// How many digests of images that are gone are remembered.
const MOST_PULLED: usize = 4_000;

impl Observation {
    /// Takes over what earlier looks saw and no engine tells again.
    pub fn remember(&mut self, earlier: Option<&Self>) {
        if self.engine.store != ImageStore::Graph {
            return;
        }
        let digests = self.images.values().flat_map(|image| &image.digests);
        self.pulled = digests.map(|(_, top)| top.clone()).collect();
        let room = MOST_PULLED.saturating_sub(self.pulled.len());
        let earlier = earlier.iter().flat_map(|earlier| &earlier.pulled);
        self.pulled.extend(earlier.take(room).cloned());
    }

    /// Returns the held image that a reference names as an engine reads it: an Id, a digest or a tag.
    pub fn image_named(&self, reference: &str) -> Option<&ImageFacts> {
        let held = |image: &&ImageFacts| !image.removed;
        if let Ok(id) = reference.parse::<ImageId>() {
            return self.images.get(&id).filter(held);
        }
        let reference = reference.parse::<ImageRef>().ok()?;
        let Some(wanted) = reference.digest() else {
            return self.image_of_tag(&reference);
        };
        let has = |image: &&ImageFacts| {
            image.id.digest() == wanted.digest()
                || image
                    .digests_in(&reference.repository)
                    .any(|own| own == wanted)
        };
        self.images.values().filter(held).find(has)
    }

    /// Returns the platform whose image a container follows: that for which its own image was chosen.
    pub fn platform_of(&self, container: &ContainerFacts) -> &Platform {
        let image = self.images.get(&container.image_id);
        image.map_or(&self.engine.platform, |image| self.platform_of_image(image))
    }

    /// Returns the platform under which an image was chosen from an index: the host's, unless it is one that no engine
    /// there takes by itself, as only a `platform:` of the service brings it.
    ///
    /// Configs often leave out the variant that the index tells: what fits the host was chosen for the host.
    pub fn platform_of_image<'a>(&'a self, image: &'a ImageFacts) -> &'a Platform {
        let host = &self.engine.platform;
        let own = image.platform.as_ref();
        own.filter(|own| !host.accepted().contains(own))
            .unwrap_or(host)
    }

    /// Returns the image that the tag names on this host now.
    pub fn image_of_tag(&self, reference: &ImageRef) -> Option<&ImageFacts> {
        self.images
            .values()
            .find(|image| image.tags.contains(reference))
    }
}

/// Writes the images as a list, since each holds its own key.
mod as_list {
    use super::{BTreeMap, ImageFacts, ImageId};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        images: &BTreeMap<ImageId, ImageFacts>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(images.values())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ImageId, ImageFacts>, D::Error> {
        let list = Vec::<ImageFacts>::deserialize(deserializer)?;
        Ok(list
            .into_iter()
            .map(|image| (image.id.clone(), image))
            .collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::{Ailment, ContainerState, Health, ImageStore};
    use crate::core::platform::Platform;
    use crate::core::samples;

    #[test]
    fn what_a_check_said_last_is_nothing_of_a_container_that_does_not_run() {
        let of = |state, exit_code| Ailment::of(state, Health::Unhealthy, exit_code);
        assert_eq!(of(ContainerState::Running, None), Some(Ailment::Unhealthy));
        assert_eq!(of(ContainerState::Exited, Some(0)), None);
        assert_eq!(
            of(ContainerState::Exited, Some(1)),
            Some(Ailment::Exited(1))
        );
        assert_eq!(of(ContainerState::Paused, None), None);
    }

    #[test]
    fn a_reference_names_a_held_image_by_tag_digest_or_id() {
        let held = samples::image(1, &["app:1"], &[("app", 7)], None);
        let mut gone = samples::image(2, &[], &[("app", 8)], None);
        gone.removed = true;
        let images = vec![held.clone(), gone.clone()];
        let observation = samples::observation(ImageStore::Graph, images, Vec::new());
        let named = |reference: &str| {
            let found = observation.image_named(reference);
            found.map(|image| image.id.clone())
        };
        let by_digest = |repository: &str, image: usize| {
            let (_, digest) = &observation.images.values().nth(image).unwrap().digests[0];
            format!("{repository}@{digest}")
        };
        let own = Some(held.id.clone());
        assert_eq!(named("app:1"), own);
        assert_eq!(named(&by_digest("app", 0)), own);
        assert_eq!(named(&held.id.to_string()), own);
        // Another tag, the digest in another repository, and what only a container still stands on.
        assert_eq!(named("app:2"), None);
        assert_eq!(named(&by_digest("other", 0)), None);
        assert_eq!(named(&by_digest("app", 1)), None);
        assert_eq!(named(&gone.id.to_string()), None);
    }

    #[test]
    fn an_emulated_image_is_followed_for_its_own_platform() {
        let follows = |arch: &str| {
            let mut image = samples::image(1, &["app:1"], &[], None);
            image.platform = Some(Platform::new("linux", arch, None));
            let mut one = samples::container("app", "app:1");
            one.image_id = image.id.clone();
            let seen = samples::observation(ImageStore::Graph, vec![image], vec![one]);
            seen.platform_of(&seen.containers[0]).to_string()
        };
        assert_eq!(follows("amd64"), "linux/amd64");
        assert_eq!(follows("arm64"), "linux/arm64");
        // What the engine takes in the place of its own says nothing of a wish.
        assert_eq!(follows("386"), "linux/amd64");
    }
}
