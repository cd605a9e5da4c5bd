//! The tailnet as the model holds it: whether it is asked at all, and what it said last.

use std::time::Duration;

use crate::core::failure::HostFailure;
use crate::core::host::Address;
use crate::core::tailnet::{Peer, PeerId, Tailnet};

use super::model::{HostModel, Model};

/// What is known of this machine's tailnet.
#[derive(Debug, Clone, Default)]
pub struct TailnetModel {
    pub watch: Watch,
    pub seen: Option<Tailnet>,
    /// The ending of its names as last known.
    pub suffix: String,
}

/// How far the asking has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watch {
    /// This machine has no tailnet, or no host could be on it.
    #[default]
    Absent,
    /// To be asked with the next message.
    Wanted,
    /// Asked; hosts that could be on it wait until then at most.
    Asked(Duration),
    /// It answers, and tells changes.
    Known,
}

/// A host as the tailnet knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TailnetPlace {
    /// What is dialled; nothing where another way than the network leads there.
    pub destination: Option<String>,
    /// The peer that it means now.
    pub peer: Option<Peer>,
    /// The peer that it meant last.
    pub former: Option<PeerId>,
}

impl TailnetPlace {
    /// Starts with what the address says by itself.
    pub fn of(address: &Address) -> Self {
        let destination = match address {
            Address::Ssh { destination, .. } => Some(destination),
            Address::Tcp { host, .. } => Some(host),
            Address::Local | Address::Unix(_) => None,
        };
        Self {
            destination: destination.cloned(),
            ..Self::default()
        }
    }
}

impl Model {
    /// Lets the tailnet be asked, where a host could be on it.
    pub fn watch_tailnet(&mut self) {
        let reachable = |host: &HostModel| host.tailnet.destination.is_some();
        if self.tailnet.watch == Watch::Absent && self.hosts.iter().any(reachable) {
            self.tailnet.watch = Watch::Wanted;
        }
    }

    /// Returns why the tailnet makes dialling a host pointless, if it does.
    pub fn obstacle(&self, host: &HostModel) -> Option<HostFailure> {
        let seen = self.tailnet.seen.as_ref()?;
        seen.obstacle(host.tailnet.destination.as_deref()?, &self.tailnet.suffix)
    }
}
