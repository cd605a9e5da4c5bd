//! The answer of `tailscale status --json` and of the local API's `status`, which are the same text.
//!
//! Every field may be null or absent; what it means is told in `core::tailnet`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use crate::core::tailnet::{Own, Peer, PeerId, PeerPath, Standing, Tailnet};
use crate::core::text::clean_within;

/// The longest text that is taken over.
const LONGEST: usize = 300;
/// The most texts of a list that are taken over.
const MOST: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Status {
    #[serde(rename = "TUN")]
    tun: Option<bool>,
    backend_state: Option<String>,
    have_node_key: Option<bool>,
    #[serde(rename = "AuthURL")]
    auth_url: Option<String>,
    #[serde(rename = "MagicDNSSuffix")]
    suffix: Option<String>,
    current_tailnet: Option<CurrentTailnet>,
    #[serde(rename = "Self")]
    own: Option<Node>,
    peer: Option<BTreeMap<String, Node>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CurrentTailnet {
    #[serde(rename = "MagicDNSSuffix")]
    suffix: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    #[serde(rename = "ID")]
    id: Option<String>,
    public_key: Option<String>,
    #[serde(rename = "DNSName")]
    dns_name: Option<String>,
    #[serde(rename = "OS")]
    os: Option<String>,
    #[serde(rename = "TailscaleIPs")]
    addresses: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    cur_addr: Option<String>,
    relay: Option<String>,
    peer_relay: Option<String>,
    online: Option<bool>,
    active: Option<bool>,
    last_seen: Option<String>,
    expired: Option<bool>,
    key_expiry: Option<String>,
    in_network_map: Option<bool>,
    #[serde(rename = "sshHostKeys")]
    ssh_host_keys: Option<Vec<String>>,
}

/// Reads one answer.
///
/// # Errors
/// If it is no JSON object of this kind.
pub fn parse(text: &[u8]) -> Result<Tailnet, serde_json::Error> {
    let status: Status = serde_json::from_slice(text)?;
    let suffix = status
        .current_tailnet
        .as_ref()
        .and_then(|tailnet| filled(&tailnet.suffix))
        .or_else(|| filled(&status.suffix))
        .unwrap_or_default();
    let own = own(&status);
    Ok(Tailnet {
        own,
        // A version that does not tell is one that has the kernel's device.
        routed: status.tun.unwrap_or(true),
        suffix: suffix.trim_matches('.').to_owned(),
        key_expiry: status.own.as_ref().and_then(|own| time(&own.key_expiry)),
        peers: status
            .peer
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(key, node)| peer(&key, node))
            .collect(),
    })
}

fn own(status: &Status) -> Own {
    let expired = status
        .own
        .as_ref()
        .is_some_and(|own| own.expired == Some(true));
    match status.backend_state.as_deref().unwrap_or_default() {
        "Running" => Own::Running,
        "Stopped" => Own::Stopped,
        "NeedsLogin" => match filled(&status.auth_url) {
            Some(url) => Own::NeedsLogin(url),
            None if expired => Own::KeyExpired,
            None if status.have_node_key != Some(true) => Own::LoggedOut,
            None => Own::Other("NeedsLogin".to_owned()),
        },
        other => Own::Other(clean_within(other, LONGEST)),
    }
}

fn peer(key: &str, node: Node) -> Option<Peer> {
    if node.in_network_map == Some(false) {
        return None;
    }
    let name = filled(&node.dns_name).unwrap_or_default();
    let addresses: Vec<IpAddr> = node
        .addresses
        .iter()
        .flatten()
        .take(MOST)
        .filter_map(|address| address.parse().ok())
        .collect();
    if name.is_empty() && addresses.is_empty() {
        return None;
    }
    let id = filled(&node.id)
        .or_else(|| filled(&node.public_key))
        .unwrap_or_else(|| clean_within(key, LONGEST));
    Some(Peer {
        id: PeerId(id),
        name: name.trim_end_matches('.').to_owned(),
        addresses,
        os: filled(&node.os).unwrap_or_default(),
        tags: texts(&node.tags),
        standing: standing(&node),
        last_seen: time(&node.last_seen),
        key_expiry: time(&node.key_expiry),
        ssh_host_keys: node
            .ssh_host_keys
            .iter()
            .flatten()
            .take(MOST)
            .filter(|key| is_host_key(key))
            .cloned()
            .collect(),
    })
}

fn standing(node: &Node) -> Standing {
    if node.expired == Some(true) {
        return Standing::KeyExpired;
    }
    if node.online != Some(true) {
        return Standing::Offline;
    }
    if filled(&node.cur_addr).is_some() {
        return Standing::Online(PeerPath::Direct);
    }
    if let Some(relay) = filled(&node.peer_relay) {
        return Standing::Online(PeerPath::PeerRelay(relay));
    }
    match filled(&node.relay) {
        Some(relay) if node.active == Some(true) => Standing::Online(PeerPath::Relay(relay)),
        _ => Standing::Online(PeerPath::Unknown),
    }
}

/// Tells whether a text can stand in a file of known hosts as it is: `type base64`.
fn is_host_key(text: &str) -> bool {
    let word = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-@.+/=".contains(c);
        !text.is_empty() && text.chars().all(plain)
    };
    text.len() < 4000
        && text
            .split_once(' ')
            .is_some_and(|(kind, key)| word(kind) && word(key))
}

fn filled(text: &Option<String>) -> Option<String> {
    text.as_deref()
        .filter(|text| !text.is_empty())
        .map(|text| clean_within(text, LONGEST))
}

fn texts(list: &Option<Vec<String>>) -> Vec<String> {
    let list = list.iter().flatten().take(MOST);
    list.map(|text| clean_within(text, LONGEST)).collect()
}

/// Reads a time; one before computers means that there is none.
fn time(text: &Option<String>) -> Option<Timestamp> {
    let time: Timestamp = text.as_deref()?.parse().ok()?;
    (time.as_second() > 0).then_some(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn read(file: &str) -> Tailnet {
        let path = format!("{}/tests/data/tailscale/{file}", env!("CARGO_MANIFEST_DIR"));
        parse(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Own state, then each peer as `name: how it stands`, by name.
    fn summary(tailnet: &Tailnet) -> (String, Vec<String>) {
        let mut peers: Vec<String> = tailnet
            .peers
            .iter()
            .map(|peer| format!("{}: {}", peer.name, peer.words()))
            .collect();
        peers.sort();
        let own = match &tailnet.own {
            Own::NeedsLogin(url) => format!("NeedsLogin {}", &url[..4]),
            own => format!("{own:?}"),
        };
        (own, peers)
    }

    const IDLE: &[&str] = &[
        "nas.lab.test: online, path unknown",
        "pi4.lab.test: online, path unknown",
    ];

    #[test]
    fn every_answer_of_the_corpus_means_what_it_means() {
        #[rustfmt::skip]
        let table: &[(&str, &str, &[&str])] = &[
            ("all-up-idle.json", "Running", IDLE),
            ("all-up-active-direct.json", "Running", &["nas.lab.test: direct", "pi4.lab.test: direct"]),
            ("peer-relayed.json", "Running", &["nas.lab.test: relayed by lab", "pi4.lab.test: ?"]),
            ("peer-killed-5s.json", "Running", &["nas.lab.test: relayed by lab", "pi4.lab.test: ?"]),
            ("peer-offline.json", "Running", &["nas.lab.test: offline", "pi4.lab.test: ?"]),
            ("peer-offline-last-seen.json", "Running", &["nas.lab.test: ?", "pi4.lab.test: offline"]),
            ("peer-key-expired.json", "Running", &["nas.lab.test: key expired", "pi4.lab.test: ?"]),
            ("peer-key-expiry-future.json", "Running", &["nas.lab.test: ?", "pi4.lab.test: ?"]),
            ("peer-renamed.json", "Running", &["pi4.lab.test: ?", "storage.lab.test: ?"]),
            ("peer-two-tags.json", "Running", &["nas.lab.test: ?", "pi4.lab.test: ?"]),
            ("peer-ephemeral.json", "Running", &["ci-runner.lab.test: ?", "nas.lab.test: ?", "pi4.lab.test: ?"]),
            ("peers-ssh-hostkeys.json", "Running", &["nas.lab.test: ?", "pi4.lab.test: ?"]),
            ("self-key-expiry-future.json", "Running", &["laptop.lab.test: ?", "pi4.lab.test: ?"]),
            ("self-key-expired.json", "KeyExpired", &["nas.lab.test: ?", "pi4.lab.test: ?"]),
            ("self-needs-login-url.json", "NeedsLogin http", &["nas.lab.test: ?", "pi4.lab.test: ?"]),
            ("self-logged-out.json", "LoggedOut", &[]),
            ("self-never-logged-in.json", "LoggedOut", &[]),
            ("self-stopped.json", "Stopped", &["nas.lab.test: ?", "pi4.lab.test: ?"]),
        ];
        let mut files: Vec<String> = std::fs::read_dir(format!(
            "{}/tests/data/tailscale",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
        files.sort();
        let mut named: Vec<&str> = table.iter().map(|row| row.0).collect();
        named.sort_unstable();
        assert_eq!(files, named);
        for (file, own, peers) in table {
            let (is_own, is_peers) = summary(&read(file));
            assert_eq!(is_own, *own, "{file}");
            assert_eq!(is_peers.len(), peers.len(), "{file}: {is_peers:?}");
            for (is, wanted) in is_peers.iter().zip(*peers) {
                let (name, how) = wanted.split_once(": ").unwrap();
                let rest = is
                    .strip_prefix(name)
                    .unwrap_or_else(|| panic!("{file}: {is}"));
                assert!(how == "?" || rest == format!(": {how}"), "{file}: {is}");
            }
        }
    }

    #[test]
    fn d13_times_that_are_not_known_are_none() {
        let find = |tailnet: &Tailnet, name: &str| tailnet.peer(name).unwrap().clone();
        assert_eq!(find(&read("peer-offline.json"), "nas").last_seen, None);
        assert!(
            find(&read("peer-offline-last-seen.json"), "pi4")
                .last_seen
                .is_some()
        );
        assert!(
            find(&read("peer-key-expiry-future.json"), "nas")
                .key_expiry
                .is_some()
        );
        assert_eq!(find(&read("all-up-idle.json"), "nas").key_expiry, None);
        assert!(read("self-key-expiry-future.json").key_expiry.is_some());
    }

    #[test]
    fn names_tags_keys_and_identity_are_taken_over() {
        let renamed = read("peer-renamed.json");
        let before = read("all-up-idle.json");
        let nas = before.peer("nas").unwrap();
        let storage = renamed.peer("storage.lab.test").unwrap();
        assert_eq!((&nas.id, &nas.addresses), (&storage.id, &storage.addresses));
        assert!(renamed.peer("nas").is_none(), "HostName is no name");
        let tagged = read("peer-two-tags.json");
        assert_eq!(tagged.peer("nas").unwrap().tags.len(), 2);
        let keys = read("peers-ssh-hostkeys.json");
        for name in ["nas", "pi4"] {
            assert_eq!(keys.peer(name).unwrap().ssh_host_keys.len(), 3, "{name}");
        }
        assert!(nas.ssh_host_keys.is_empty());
        assert!(!before.routed);
        assert_eq!(before.suffix, "lab.test");
    }

    #[test]
    fn every_status_inside_of_the_pushed_messages_is_read_too() {
        for file in [
            "bus-peer-goes.jsonl",
            "bus-peer-key-expires.jsonl",
            "bus-peer-renamed.jsonl",
            "bus-peer-returns.jsonl",
            "bus-self-key-expires.jsonl",
        ] {
            let path = format!("{}/tests/data/tailscale/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            let first: serde_json::Value =
                serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let status = first["notify"]["InitialStatus"].to_string();
            let tailnet = parse(status.as_bytes()).unwrap();
            assert_eq!(tailnet.own, Own::Running, "{file}");
            assert!(!tailnet.peers.is_empty(), "{file}");
        }
    }

    #[test]
    fn strange_answers_do_no_harm() {
        assert!(parse(b"").is_err() && parse(b"[1]x").is_err());
        let empty = parse(b"{}").unwrap();
        assert_eq!(empty.own, Own::Other(String::new()));
        let odd = parse(
            br#"{"BackendState":"Starting","Self":null,"Peer":{"k":{"DNSName":"a\u001b[31m.","Online":true,
                "sshHostKeys":["ssh-ed25519 AAAA","ssh-rsa AAAA\nevil","x"],"TailscaleIPs":["1.2.3.4","no"]}}}"#,
        )
        .unwrap();
        assert_eq!(odd.peers[0].name, "a^[[31m");
        assert_eq!(odd.peers[0].ssh_host_keys, ["ssh-ed25519 AAAA"]);
        assert_eq!(odd.peers[0].addresses.len(), 1);
    }
}
