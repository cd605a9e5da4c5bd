//! What the tailnet says of this machine and of its peers, and what follows for dialling a host.
//!
//! "Offline" and "expired" are believed; "online" is only the tailnet's word, which a dial has to prove. Nothing here
//! knows how the tailnet was asked.

use std::net::IpAddr;

use jiff::Timestamp;

use super::failure::{HostFailure, HostTrouble};
use super::text::clean_within;

/// The longest piece of foreign text that is shown.
const SHOWN: usize = 200;

/// One answer of the tailnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tailnet {
    pub own: Own,
    /// Whether the kernel routes the tailnet; otherwise connections go through `tailscale nc`.
    pub routed: bool,
    /// The ending of the tailnet's names, without dots around it; empty where it is not known.
    pub suffix: String,
    /// When this machine's own key will expire.
    pub key_expiry: Option<Timestamp>,
    pub peers: Vec<Peer>,
}

/// How this machine stands in its tailnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    Running,
    /// Switched off by the operator.
    Stopped,
    LoggedOut,
    KeyExpired,
    /// A login was begun and waits for a person at this address.
    NeedsLogin(String),
    /// tailscaled does not answer.
    NotRunning,
    /// Any other state, in tailscaled's own word.
    Other(String),
}

/// Another machine of the tailnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub id: PeerId,
    /// The name in the tailnet without the last dot, as `nas.example.ts.net`.
    pub name: String,
    pub addresses: Vec<IpAddr>,
    pub os: String,
    pub tags: Vec<String>,
    pub standing: Standing,
    pub last_seen: Option<Timestamp>,
    pub key_expiry: Option<Timestamp>,
    /// The host keys of its Tailscale SSH, each as `type base64`; empty where that is off.
    pub ssh_host_keys: Vec<String>,
}

/// What stays the same of a peer when its name or key changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerId(pub String);

/// How a peer stands, judged in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It cannot be reached, whatever else is said of it.
    KeyExpired,
    Offline,
    /// Online by the tailnet's word.
    Online(PeerPath),
}

/// How packets reach a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerPath {
    Direct,
    /// Through the relay of this name.
    Relay(String),
    /// Through another machine of the tailnet.
    PeerRelay(String),
    /// Nobody talks to it at present, so no path is chosen.
    Unknown,
}

impl PeerPath {
    /// Returns the word of the contract.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay(_) | Self::PeerRelay(_) => "relay",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the name of the relay, where there is one.
    pub fn relay(&self) -> Option<&str> {
        match self {
            Self::Relay(name) | Self::PeerRelay(name) => Some(name),
            Self::Direct | Self::Unknown => None,
        }
    }
}

impl Peer {
    /// Tells whether the tailnet believes that the peer is there.
    pub fn is_online(&self) -> bool {
        matches!(self.standing, Standing::Online(_))
    }

    /// Returns how packets reach it.
    pub fn path(&self) -> &PeerPath {
        match &self.standing {
            Standing::Online(path) => path,
            Standing::KeyExpired | Standing::Offline => &PeerPath::Unknown,
        }
    }

    /// Says how it stands in a few words.
    pub fn words(&self) -> String {
        match &self.standing {
            Standing::KeyExpired => "key expired".to_owned(),
            Standing::Offline => "offline".to_owned(),
            Standing::Online(PeerPath::Direct) => "direct".to_owned(),
            Standing::Online(PeerPath::Relay(name)) => format!("relayed by {name}"),
            Standing::Online(PeerPath::PeerRelay(name)) => format!("relayed by peer {name}"),
            Standing::Online(PeerPath::Unknown) => "online, path unknown".to_owned(),
        }
    }

    fn is_called(&self, destination: &str, suffix: &str) -> bool {
        if let Ok(address) = destination.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        if self.name.is_empty() {
            return false;
        }
        let short = self
            .name
            .strip_suffix(suffix)
            .and_then(|rest| rest.strip_suffix('.'))
            .filter(|_| !suffix.is_empty());
        self.name.eq_ignore_ascii_case(destination)
            || short.is_some_and(|short| short.eq_ignore_ascii_case(destination))
    }
}

impl Tailnet {
    /// Makes the answer of a tailscaled that gives none.
    pub fn silent() -> Self {
        Self {
            own: Own::NotRunning,
            routed: true,
            suffix: String::new(),
            key_expiry: None,
            peers: Vec::new(),
        }
    }

    /// Finds the peer that a destination names: by its name in the tailnet, its short name or an address.
    pub fn peer(&self, destination: &str) -> Option<&Peer> {
        let destination = destination.strip_suffix('.').unwrap_or(destination);
        self.peers
            .iter()
            .find(|peer| peer.is_called(destination, &self.suffix))
    }

    /// Finds a peer by what never changes of it.
    pub fn peer_by_id(&self, id: &PeerId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.id == *id)
    }

    /// Tells whether the peers are shown as they are now, rather than as they were last known.
    pub fn is_current(&self) -> bool {
        self.own == Own::Running
    }

    /// Returns why dialling the destination is pointless now, if the tailnet knows.
    ///
    /// `suffix` is the tailnet's ending as it was last known: a tailnet that is logged out does not tell it.
    pub fn obstacle(&self, destination: &str, suffix: &str) -> Option<HostFailure> {
        let peer = self.peer(destination);
        let Some(own) = self.own_trouble() else {
            return peer.and_then(peer_trouble);
        };
        let only_here = is_only_in_tailnet(destination, suffix);
        // Without the kernel a peer's short name is known to tailscaled alone.
        let unrouted = peer.is_some() && !self.routed;
        (only_here || unrouted).then_some(own)
    }

    /// Says what keeps this machine out of its tailnet.
    pub fn own_trouble(&self) -> Option<HostFailure> {
        let (what, remedy) = match &self.own {
            Own::Running => return None,
            Own::Stopped => (
                "the tailnet of this machine is stopped".to_owned(),
                "run `tailscale up`".to_owned(),
            ),
            Own::LoggedOut => (
                "this machine is logged out of its tailnet".to_owned(),
                "run `tailscale up`".to_owned(),
            ),
            Own::KeyExpired => (
                "this machine's own key expired on the tailnet".to_owned(),
                "run `tailscale up` to log in again".to_owned(),
            ),
            Own::NeedsLogin(url) => (
                "the tailnet waits for the login of this machine".to_owned(),
                format!("open {}", clean_within(url, SHOWN)),
            ),
            Own::NotRunning => (
                "tailscaled not running on this machine".to_owned(),
                "start it, as with `sudo systemctl start tailscaled`".to_owned(),
            ),
            Own::Other(state) => (
                format!(
                    "the tailnet of this machine is in the state {}",
                    clean_within(state, SHOWN)
                ),
                "see `tailscale status`".to_owned(),
            ),
        };
        Some(HostFailure::new(HostTrouble::Offline, what, remedy))
    }

    /// Says why a dial that failed may have failed: the way of a peer by this name is closed at this end.
    pub fn closed_here(&self, destination: &str) -> Option<HostFailure> {
        self.peer(destination)?;
        self.own_trouble()
    }

    /// Says what a destination is that the tailnet should know and does not, given the peer that it used to mean.
    pub fn stranger(&self, destination: &str, former: Option<&PeerId>) -> Option<HostFailure> {
        if !self.is_current() || self.peer(destination).is_some() {
            return None;
        }
        let destination = clean_within(destination, SHOWN);
        if let Some(peer) = former.and_then(|id| self.peer_by_id(id)) {
            let name = clean_within(&peer.name, SHOWN);
            return Some(HostFailure::new(
                HostTrouble::NoSuchName,
                format!("{destination} is now called {name} in the tailnet"),
                "change the host's address",
            ));
        }
        is_only_in_tailnet(&destination, &self.suffix).then(|| {
            HostFailure::new(
                HostTrouble::NoSuchName,
                format!("{destination} is not in this tailnet"),
                "see `tailscale status`: was it renamed, removed, or is this another tailnet?",
            )
        })
    }
}

fn peer_trouble(peer: &Peer) -> Option<HostFailure> {
    match peer.standing {
        Standing::KeyExpired => Some(HostFailure::new(
            HostTrouble::Offline,
            "key expired on the tailnet",
            "run `tailscale up` on the host, or switch its key expiry off",
        )),
        Standing::Offline => Some(HostFailure::new(
            HostTrouble::Offline,
            "offline on the tailnet",
            "dialled as soon as it is back",
        )),
        Standing::Online(_) => None,
    }
}

/// Tells whether a destination means something inside of a tailnet only.
fn is_only_in_tailnet(destination: &str, suffix: &str) -> bool {
    let destination = destination.strip_suffix('.').unwrap_or(destination);
    match destination.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            first == 100 && second & 0xc0 == 64
        }
        Ok(IpAddr::V6(address)) => address.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0],
        Err(_) => {
            let name = destination.to_ascii_lowercase();
            let suffix = suffix.to_ascii_lowercase();
            let below = |suffix: &str| {
                name.strip_suffix(suffix)
                    .is_some_and(|rest| rest.ends_with('.'))
            };
            below("ts.net") || !suffix.is_empty() && below(&suffix)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn tailnet(own: Own, standing: Standing) -> Tailnet {
        Tailnet {
            own,
            routed: true,
            suffix: "lab.test".to_owned(),
            key_expiry: None,
            peers: vec![Peer {
                id: PeerId("1".to_owned()),
                name: "nas.lab.test".to_owned(),
                addresses: vec![
                    "100.64.0.1".parse().unwrap(),
                    "fd7a:115c:a1e0::1".parse().unwrap(),
                ],
                os: "linux".to_owned(),
                tags: Vec::new(),
                standing,
                last_seen: None,
                key_expiry: None,
                ssh_host_keys: Vec::new(),
            }],
        }
    }

    fn what(tailnet: &Tailnet, destination: &str) -> Option<String> {
        tailnet
            .obstacle(destination, "lab.test")
            .map(|failure| failure.what)
    }

    #[test]
    fn a_destination_is_a_peer_by_name_short_name_or_address() {
        let tailnet = tailnet(Own::Running, Standing::Offline);
        for destination in [
            "nas.lab.test",
            "nas.lab.test.",
            "NAS",
            "100.64.0.1",
            "fd7a:115c:a1e0:0::1",
        ] {
            assert!(tailnet.peer(destination).is_some(), "{destination}");
        }
        for destination in ["nas.lab", "as", "", "nas.lab.test.example", "100.64.0.10"] {
            assert!(tailnet.peer(destination).is_none(), "{destination}");
        }
    }

    #[test]
    fn d7_what_the_tailnet_knows_is_said_before_a_dial() {
        let away = tailnet(Own::Running, Standing::Offline);
        assert_eq!(what(&away, "nas").unwrap(), "offline on the tailnet");
        let expired = tailnet(Own::Running, Standing::KeyExpired);
        assert_eq!(what(&expired, "nas").unwrap(), "key expired on the tailnet");
        let there = tailnet(Own::Running, Standing::Online(PeerPath::Unknown));
        assert_eq!(what(&there, "nas"), None);
        assert_eq!(what(&away, "vps.example"), None);
    }

    #[test]
    fn d13_without_the_tailnet_only_what_needs_it_is_held_back() {
        for (own, word) in [
            (Own::Stopped, "stopped"),
            (Own::LoggedOut, "logged out"),
            (Own::KeyExpired, "key expired"),
            (Own::NotRunning, "tailscaled not running"),
        ] {
            // Peers are as they were last known, which says nothing.
            let tailnet = tailnet(own, Standing::Online(PeerPath::Direct));
            for destination in ["100.64.0.1", "nas.lab.test", "x.tail1.ts.net"] {
                assert!(what(&tailnet, destination).unwrap().contains(word));
            }
            assert_eq!(what(&tailnet, "nas"), None, "may be of the local network");
            assert_eq!(what(&tailnet, "100.128.0.1"), None);
            let unrouted = Tailnet {
                routed: false,
                ..tailnet
            };
            assert!(what(&unrouted, "nas").unwrap().contains(word));
        }
    }

    #[test]
    fn a_name_that_the_tailnet_does_not_know_is_explained() {
        let mut tailnet = tailnet(Own::Running, Standing::Online(PeerPath::Direct));
        let gone = tailnet.stranger("pi.lab.test", None).unwrap();
        assert!(gone.what.contains("not in this tailnet"));
        assert_eq!(tailnet.stranger("vps.example", None), None);
        let id = PeerId("1".to_owned());
        tailnet.peers[0].name = "storage.lab.test".to_owned();
        let renamed = tailnet.stranger("nas", Some(&id)).unwrap();
        assert!(renamed.what.contains("now called storage.lab.test"));
        tailnet.own = Own::Stopped;
        assert_eq!(tailnet.stranger("nas", Some(&id)), None);
    }
}
