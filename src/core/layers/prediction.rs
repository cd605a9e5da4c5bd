//! One image compared with what a host holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::holdings::{Holdings, diff_ids};
use crate::core::digest::{ConfigDigest, DiffId, Digest, ImageId, LayerDigest};
use crate::core::engine::ImageStore;
use crate::core::platform::Platform;
use crate::core::remote::{RemoteImage, RemoteLayer};

/// How sure a prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Estimate {
    /// To the byte.
    Exact,
    /// Something that bears on it could not be read.
    About,
    /// The host may hold more than engines tell.
    AtMost,
}

impl Estimate {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::About => "about",
            Self::AtMost => "at most",
        }
    }
}

/// Whether a part of an image has to come over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartState {
    Present,
    Fetch,
}

impl PartState {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Fetch => "fetch",
        }
    }
}

/// One layer of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPart {
    pub digest: LayerDigest,
    pub size: u64,
    pub diff_id: Option<DiffId>,
    pub state: PartState,
    /// The Dockerfile instruction that made it.
    pub created_by: Option<String>,
}

/// The image's config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPart {
    pub digest: ConfigDigest,
    pub size: u64,
    pub state: PartState,
}

/// Something that a person should know before the pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The engine cannot unpack zstd and says so only after the whole download.
    Zstd { layers: usize, engine: String },
    /// The image is for another platform than the host's.
    OtherPlatform { image: Platform, host: Platform },
    /// The config does not describe the layers: an engine will not run it.
    NotAnImage,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zstd { layers, engine } => {
                let layers = match layers {
                    1 => "1 layer is".to_owned(),
                    many => format!("{many} layers are"),
                };
                write!(
                    f,
                    "{layers} compressed with zstd, which engine {engine} cannot unpack: \
                     the pull would fail after the download; engine 23 or newer is needed"
                )
            }
            Self::OtherPlatform { image, host } => {
                write!(f, "the image is for {image}, the host is {host}")
            }
            Self::NotAnImage => {
                f.write_str("the config does not list the image's layers: engines cannot run it")
            }
        }
    }
}

/// What a pull would fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    pub estimate: Estimate,
    pub why: String,
    /// Layers and config to fetch, each digest once, without manifests.
    pub fetch_bytes: u64,
    /// All layers and the config, each digest once, without manifests.
    pub total_bytes: u64,
    pub config: ConfigPart,
    /// Bottom to top.
    pub layers: Vec<LayerPart>,
    /// The lowest layer that has to be fetched.
    pub first_change: Option<usize>,
    pub warnings: Vec<Warning>,
}

impl Prediction {
    /// Returns the digests of all blobs that a pull would fetch.
    pub fn blobs(&self) -> BTreeSet<&Digest> {
        let layers = self.layers.iter();
        let mut blobs: BTreeSet<&Digest> = layers
            .filter(|layer| layer.state == PartState::Fetch)
            .map(|layer| layer.digest.digest())
            .collect();
        if self.config.state == PartState::Fetch {
            blobs.insert(self.config.digest.digest());
        }
        blobs
    }

    /// Returns the blobs that a pull would fetch with their sizes; some may come twice.
    pub fn sizes(&self) -> impl Iterator<Item = (&Digest, u64)> {
        let layers = self.layers.iter();
        let layers = layers.filter(|layer| layer.state == PartState::Fetch);
        let config = (self.config.state == PartState::Fetch).then_some(&self.config);
        layers
            .map(|layer| (layer.digest.digest(), layer.size))
            .chain(config.map(|config| (config.digest.digest(), config.size)))
    }

    /// Returns how many layers are on the host already.
    pub fn layers_here(&self) -> usize {
        let here = |layer: &&LayerPart| layer.state == PartState::Present;
        self.layers.iter().filter(here).count()
    }
}

/// What the comparison found, before it is put into words.
struct Compared {
    /// How many layers, from the bottom, need nothing.
    prefix: usize,
    states: Vec<PartState>,
    config: PartState,
    doubt: Option<Doubt>,
}

/// Why the figure may be wrong although the host does not build.
enum Doubt {
    /// A manifest of an image that shares layers could not be read.
    Unread,
    /// One image has several manifests, and only one was really fetched.
    Several,
    /// The store holds images of which it tells nothing.
    Opaque,
    /// The config does not list the unpacked layers.
    NoDiffIds,
}

/// Predicts what a pull of the image would fetch on the host.
pub fn predict(holdings: &Holdings, target: &RemoteImage) -> Prediction {
    let compared = match holdings.store {
        ImageStore::Graph => on_graph(holdings, target),
        ImageStore::Containerd => on_containerd(holdings, target),
    };
    let layers: Vec<LayerPart> = target
        .layers
        .iter()
        .zip(&compared.states)
        .map(|(layer, state)| LayerPart {
            digest: layer.digest.clone(),
            size: layer.size,
            diff_id: layer.diff_id.clone(),
            state: *state,
            created_by: layer.created_by.clone(),
        })
        .collect();
    let config = ConfigPart {
        digest: target.config.clone(),
        size: target.config_size,
        state: compared.config,
    };
    let (estimate, why) = estimate(holdings, &compared);
    Prediction {
        estimate,
        why,
        fetch_bytes: bytes(&config, &layers, |state| state == PartState::Fetch),
        total_bytes: bytes(&config, &layers, |_| true),
        first_change: layers
            .iter()
            .position(|layer| layer.state == PartState::Fetch),
        warnings: warnings(holdings, target),
        config,
        layers,
    }
}

/// Nothing is fetched: the image is here.
fn all_here(target: &RemoteImage) -> Compared {
    Compared {
        prefix: target.layers.len(),
        states: vec![PartState::Present; target.layers.len()],
        config: PartState::Present,
        doubt: None,
    }
}

/// A graph store skips from the bottom while digest and chain are known, then fetches everything.
fn on_graph(holdings: &Holdings, target: &RemoteImage) -> Compared {
    let is_here = |id: &ImageId| id.as_config() == target.config;
    if holdings.images.iter().any(is_here) {
        return all_here(target);
    }
    let own = diff_ids(&target.layers);
    let chained = holdings.chains.depth(&own);
    let unread = holdings.unread_chains.depth(&own);
    let mut doubt = None;
    let mut prefix = 0;
    for (index, layer) in target.layers.iter().enumerate().take(chained) {
        match holdings.known.get(&layer.digest) {
            Some(true) => {}
            Some(false) => doubt = Some(Doubt::Several),
            // The image that holds this chain was pulled, with which compression is not known: most often the same.
            None if index < unread => doubt = Some(Doubt::Unread),
            None => break,
        }
        prefix = index + 1;
    }
    // An image that tells nothing could prolong the chain.
    if holdings.opaque > 0 && prefix < target.layers.len() {
        doubt = doubt.or(Some(Doubt::Opaque));
    }
    if own.len() < target.layers.len() && prefix == own.len() {
        doubt = Some(Doubt::NoDiffIds);
    }
    let states = (0..target.layers.len())
        .map(|index| state(index >= prefix))
        .collect();
    Compared {
        prefix,
        states,
        config: PartState::Fetch,
        doubt,
    }
}

/// A containerd store skips leading layers by chain, and later ones whose compressed form it holds.
fn on_containerd(holdings: &Holdings, target: &RemoteImage) -> Compared {
    let named = |id: &ImageId| id.as_top() == target.top || id.as_top() == target.manifest.as_top();
    if holdings.manifests.contains(&target.manifest) || holdings.images.iter().any(named) {
        return all_here(target);
    }
    let own = diff_ids(&target.layers);
    let prefix = holdings.chains.depth(&own);
    let mut doubt = None;
    let mut states = Vec::with_capacity(target.layers.len());
    for (index, layer) in target.layers.iter().enumerate() {
        let known = holdings.known.get(&layer.digest);
        let fetch = index >= prefix && known.is_none();
        if index >= prefix && known == Some(&false) {
            doubt = Some(Doubt::Several);
        }
        if fetch {
            let unread = match &layer.diff_id {
                Some(diff_id) => holdings.unread_layers.contains(diff_id),
                None => !holdings.unread_layers.is_empty(),
            };
            if unread {
                doubt = Some(Doubt::Unread);
            } else if holdings.opaque > 0 {
                doubt = doubt.or(Some(Doubt::Opaque));
            }
        }
        states.push(state(fetch));
    }
    if own.len() < target.layers.len() && prefix == own.len() {
        doubt = Some(Doubt::NoDiffIds);
    }
    Compared {
        prefix,
        states,
        config: state(!holdings.configs.contains(&target.config)),
        doubt,
    }
}

fn state(fetch: bool) -> PartState {
    if fetch {
        PartState::Fetch
    } else {
        PartState::Present
    }
}

fn estimate(holdings: &Holdings, compared: &Compared) -> (Estimate, String) {
    let fetches = compared.states.contains(&PartState::Fetch);
    if !fetches && compared.config == PartState::Present {
        return (Estimate::Exact, "the host holds the image".to_owned());
    }
    if holdings.builds && fetches {
        let why =
            "the host builds images: its build cache may hold layers that its engine does not list";
        return (Estimate::AtMost, why.to_owned());
    }
    let about = match compared.doubt {
        Some(Doubt::Unread) => {
            "the manifest of an image on the host that shares layers could not be read"
        }
        Some(Doubt::Several) => {
            "an image on the host has several manifests, and which one was fetched is not known"
        }
        Some(Doubt::Opaque) => {
            "the host's engine does not tell the layers of an image that it holds"
        }
        Some(Doubt::NoDiffIds) => "the image's config does not list its layers",
        None => {
            let why = match compared.prefix {
                0 if compared
                    .states
                    .iter()
                    .all(|state| *state == PartState::Fetch) =>
                {
                    "the host holds none of its layers"
                }
                _ => "all manifests that bear on it were read",
            };
            return (Estimate::Exact, why.to_owned());
        }
    };
    (Estimate::About, about.to_owned())
}

/// Sums the sizes of the parts that count, each digest once.
fn bytes(config: &ConfigPart, layers: &[LayerPart], counts: impl Fn(PartState) -> bool) -> u64 {
    // A manifest may give one digest two sizes; one of them is taken for all sums, so that no part exceeds the whole.
    let mut sizes: BTreeMap<&Digest, (u64, bool)> = BTreeMap::new();
    sizes.insert(config.digest.digest(), (config.size, counts(config.state)));
    for layer in layers {
        let entry = sizes.entry(layer.digest.digest());
        let (_, counted) = entry.or_insert((layer.size, false));
        *counted |= counts(layer.state);
    }
    let counted = sizes.values().filter(|(_, counted)| *counted);
    counted.fold(0, |sum, (size, _)| sum.saturating_add(*size))
}

fn warnings(holdings: &Holdings, target: &RemoteImage) -> Vec<Warning> {
    let mut list = Vec::new();
    let zstd = |layer: &&RemoteLayer| layer.media_type.ends_with("+zstd");
    let layers = target.layers.iter().filter(zstd).count();
    if layers > 0 && major(&holdings.engine_version).is_some_and(|major| major < 23) {
        list.push(Warning::Zstd {
            layers,
            engine: holdings.engine_version.clone(),
        });
    }
    if let Some(image) = &target.platform
        && !holdings.platform.accepted().contains(image)
    {
        list.push(Warning::OtherPlatform {
            image: image.clone(),
            host: holdings.platform.clone(),
        });
    }
    if target.layers.iter().any(|layer| layer.diff_id.is_none()) {
        list.push(Warning::NotAnImage);
    }
    list
}

/// Returns the first number of a version such as `20.10.24+dfsg1`.
fn major(version: &str) -> Option<u32> {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
