//! What an engine tells by itself, and how much of a host is looked at again after it.
//!
//! Nothing here knows how the events travel.

use std::collections::BTreeSet;

use super::names::ContainerId;

/// How much of a host an observation reads anew.
///
/// The lists of containers and images are always read; the details come from the last look where nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything, as after a reconnect.
    All,
    /// Everything, and from now on every image in detail, not only those in use.
    Whole,
    /// The details of these containers, and of those whose state in the list is another.
    Containers(BTreeSet<ContainerId>),
}

impl Scope {
    /// Joins two wishes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Containers(mut mine), Self::Containers(theirs)) => {
                mine.extend(theirs);
                Self::Containers(mine)
            }
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
            _ => Self::All,
        }
    }
}

/// One event of an engine that may change what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineEvent {
    /// Something happened to a container.
    Container {
        id: ContainerId,
        /// The engine's word, as `start`, `die` or `health_status: healthy`.
        action: String,
        /// The exit code that a `die` carries.
        exit_code: Option<i64>,
    },
    /// Something happened to an image.
    Image {
        /// An Id or a reference, whichever the engine gives.
        name: String,
        /// The engine's word, as `pull`, `tag`, `untag` or `delete`.
        action: String,
    },
}
