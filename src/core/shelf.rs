//! What was once learned of a repository's tags and is worth keeping for the next start.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::TopDigest;

/// The tags of a repository as they were last listed, and what its unmoving tags name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shelf {
    pub list: Option<TagList>,
    /// Tags whose kind is given once: what they name need not be asked for again.
    pub heads: BTreeMap<Box<str>, TopDigest>,
}

/// A repository's tags in the registry's own order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagList {
    pub at: Timestamp,
    pub tags: Vec<Box<str>>,
    /// False where the registry has more than are read.
    pub complete: bool,
}
