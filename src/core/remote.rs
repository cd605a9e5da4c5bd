//! What a registry said: which image a tag names, and the facts of that image for one platform.
//!
//! Questions and answers are values; asking is the registry adapter's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::{ConfigDigest, DiffId, LayerDigest, ManifestDigest, TopDigest};
use super::failure::RegistryFailure;
use super::image::ImageRef;
use super::names::HostName;
use super::platform::Platform;

/// From where a registry is asked: a LAN name may be another registry on another host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Route {
    /// From the console's own machine.
    Here,
    /// Through the host, which alone can reach it.
    Via(HostName),
}

/// What is asked about once, however many services wait for the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QuestionKey {
    pub route: Route,
    pub reference: ImageRef,
    pub platform: Platform,
}

/// A question to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub key: QuestionKey,
    /// Top digests that all who use the reference run: if the tag names one of them no manifest needs to be read.
    pub running: Vec<TopDigest>,
    /// Top digests of running images whose platform manifest or presence in the registry decides.
    pub examine: Vec<TopDigest>,
}

/// One request that was made, for the chain of reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    /// The path without host, query and secrets.
    pub path: String,
    pub status: Option<u16>,
    pub milliseconds: u64,
}

/// How much a registry lets one ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub remaining: u64,
    pub limit: Option<u64>,
    pub window_seconds: Option<u64>,
}

/// One layer as a manifest lists it, with what the config says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteLayer {
    pub digest: LayerDigest,
    pub size: u64,
    pub media_type: String,
    pub diff_id: Option<DiffId>,
    /// The Dockerfile instruction that made it, from the config's history.
    pub created_by: Option<String>,
}

/// An attestation that an index holds for the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Attestation {
    Provenance,
    Sbom,
    Other,
}

/// The image that a top digest names for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteImage {
    pub top: TopDigest,
    /// Whether an index stands above the platform manifest.
    pub indexed: bool,
    pub manifest: ManifestDigest,
    pub platform: Option<Platform>,
    pub config: ConfigDigest,
    pub config_size: u64,
    pub created: Option<Timestamp>,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub source: Option<String>,
    pub layers: Vec<RemoteLayer>,
    /// Digests of attestation manifests that stand beside this platform in the index.
    pub attestations: Vec<ManifestDigest>,
}

/// Whether the registry holds an image that was asked about by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Examined {
    /// The registry holds it; this is what it is for the platform.
    Held(Box<RemoteImage>),
    /// The registry says that it does not hold it.
    NotHeld,
    /// It could not be told.
    Unknown(RegistryFailure),
}

/// A registry's answer about one reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub at: Timestamp,
    pub top: TopDigest,
    /// The image behind it; absent where it is the running one and nothing had to be read.
    pub image: Option<RemoteImage>,
    pub examined: Vec<(TopDigest, Examined)>,
    pub requests: Vec<Request>,
    /// Whose credentials were used, by name; absent where none were needed.
    pub credential: Option<String>,
    pub quota: Option<Quota>,
    /// Something a person should know, such as a bad token that was left aside.
    pub remark: Option<String>,
}

impl Answer {
    /// Returns what was found out about a digest that had to be examined.
    pub fn examined(&self, top: &TopDigest) -> Option<&Examined> {
        self.examined
            .iter()
            .find(|(own, _)| own == top)
            .map(|(_, examined)| examined)
    }
}

/// What is known about a reference: the last good answer and the failure since then, if any.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remote {
    pub answer: Option<Answer>,
    pub failure: Option<(Timestamp, RegistryFailure)>,
}

impl Remote {
    /// Takes in an answer or a failure; a failure never overwrites a good answer.
    pub fn learn(&mut self, at: Timestamp, result: Result<Answer, RegistryFailure>) {
        match result {
            Ok(answer) => {
                self.answer = Some(answer);
                self.failure = None;
            }
            Err(failure) => self.failure = Some((at, failure)),
        }
    }
}
