//! What one start leaves to the next: the last good facts, each with its own age.

use serde::{Deserialize, Serialize};

use super::engine::Observation;
use super::files::{Recipe, Rendered};
use super::names::{HostName, ProjectName};
use super::remote::{QuestionKey, Remote};

/// The last good facts of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    pub hosts: Vec<RememberedHost>,
    pub remotes: Vec<(QuestionKey, Remote)>,
    pub files: Vec<(HostName, ProjectName, Recipe, Rendered)>,
}

/// What a host looked like when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedHost {
    pub name: HostName,
    /// The address it was seen at; a host of the same name elsewhere inherits nothing.
    pub address: String,
    pub observation: Observation,
}
