//! How a project was started, and what its compose files on the host render to now.
//!
//! Rendering is done by the host's own `docker compose`; this module only compares the outcome with what runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pinned::Pinned;

/// The folder and files that a compose project was started with, as its containers' labels record them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipe {
    pub working_dir: String,
    /// Absolute paths, in the order of `-f`; `-` stands for standard input.
    pub config_files: Vec<String>,
    /// The files given by `--env-file`, in their order.
    #[serde(default)]
    pub environment_files: Vec<String>,
}

/// One service as the files render it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedService {
    pub image: Option<String>,
    /// Whether the files have a `build:` for it.
    pub builds: bool,
    /// What `docker compose config --hash` says, comparable with the label of the same compose version.
    pub hash: Option<String>,
    /// What it says where the service is brought up without those that it depends on, as older composes then leave
    /// them out of what they hash; only where some container needs it to be told.
    #[serde(default)]
    pub hash_alone: Option<String>,
}

impl RenderedService {
    /// Tells whether a container's label has the hash of these very files.
    pub fn has_hash(&self, label: &str) -> bool {
        [&self.hash, &self.hash_alone]
            .into_iter()
            .any(|own| own.as_deref() == Some(label))
    }
}

/// A project as its files render it on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    pub at: Timestamp,
    pub compose_version: String,
    pub services: BTreeMap<String, RenderedService>,
    /// Pins of this program, by service; some of them may be undone.
    #[serde(default)]
    pub pins: BTreeMap<String, Pinned>,
}

/// What could be learned of a project's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilesState {
    Rendered(Rendered),
    /// The files are there but cannot be rendered, or are not there; with the reason.
    Unreadable(String),
    /// The host has no compose that could render them; with what to do.
    NoCompose(String),
    /// It could not be looked at; with the reason.
    Unknown(String),
}

impl FilesState {
    /// Tells whether another look at the files found the same, whenever that was.
    pub fn says_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rendered(own), Self::Rendered(other)) => {
                own.compose_version == other.compose_version
                    && own.services == other.services
                    && own.pins == other.pins
            }
            _ => self == other,
        }
    }
}

/// Tells whether two spellings of a compose version are one release; a package's own suffix says nothing.
pub fn same_release(a: &str, b: &str) -> bool {
    let release = |text: &str| {
        let text = text.trim_start_matches('v');
        text.split(['-', '+', '~'])
            .next()
            .unwrap_or(text)
            .to_owned()
    };
    release(a) == release(b)
}

/// How the files stand to what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigState {
    Same,
    Changed,
    Unreadable,
    Unknown,
}

impl ConfigState {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}
