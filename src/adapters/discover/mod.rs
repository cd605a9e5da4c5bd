//! Hosts that this machine knows of already: by ssh's configuration, docker's contexts and the tailnet.
//!
//! Files are read and the own tailscaled is asked; no host is contacted.

mod ssh_config;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::core::host::Address;
use crate::core::offer::{Offer, OfferSource};
use crate::core::settings::Settings;
use crate::core::tailnet::{Peer, Tailnet};
use crate::core::text::clean;

use super::tailscale::Tailscale;

const LARGEST: u64 = 64 * 1024;
const MOST_CONTEXTS: usize = 500;
/// Systems of telephones and televisions, where no engine runs.
const HAND_HELD: [&str; 4] = ["ios", "android", "tvos", "ipados"];

/// Where to look.
#[derive(Debug, Clone)]
pub struct Places {
    pub home: PathBuf,
    pub ssh_config: PathBuf,
    pub docker: PathBuf,
}

impl Places {
    /// Finds the files of the present user; nothing without a home.
    pub fn of_user(settings: &Settings) -> Option<Self> {
        let home = directories::BaseDirs::new()?.home_dir().to_owned();
        let docker = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty());
        let named = settings.ssh.config_file.as_ref().map(PathBuf::from);
        Some(Self {
            ssh_config: named.unwrap_or_else(|| home.join(".ssh/config")),
            docker: docker.map_or_else(|| home.join(".docker"), PathBuf::from),
            home,
        })
    }
}

/// Gathers all offers, each address once; hosts of the settings are none.
pub async fn offers(places: Option<&Places>, settings: &Settings) -> Vec<Offer> {
    let tailnet = match Tailscale::find(&settings.tailscale) {
        // A tailscaled that does not answer offers nothing.
        Some(tailscale) => tailscale.read().await.ok(),
        None => None,
    };
    let tailnet = tailnet.filter(Tailnet::is_current);
    let mut all = Vec::new();
    if let Some(places) = places {
        all.extend(by_ssh(places, tailnet.as_ref()));
        all.extend(by_context(&places.docker, tailnet.as_ref()));
    }
    all.extend(
        tailnet
            .iter()
            .flat_map(|tailnet| &tailnet.peers)
            .filter_map(by_tailnet),
    );
    let known = settings.hosts.iter().map(|host| host.address.clone());
    let mut seen: Vec<Address> = known.collect();
    all.retain(|offer| {
        let is_new = !seen.contains(&offer.address);
        seen.push(offer.address.clone());
        is_new
    });
    all
}

fn by_ssh(places: &Places, tailnet: Option<&Tailnet>) -> Vec<Offer> {
    let named = ssh_config::hosts(&places.ssh_config, &places.home);
    let offer = |named: ssh_config::Named| {
        let address = offered(&Address::ssh(&named.alias).to_string())?;
        let destination = named.host_name.as_deref().unwrap_or(&named.alias);
        Some(Offer {
            name: name_of(&named.alias)?,
            address,
            source: OfferSource::Ssh,
            online: online(tailnet, destination),
        })
    };
    named.into_iter().filter_map(offer).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Context {
    name: String,
    endpoints: Endpoints,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Endpoint {
    host: Option<String>,
}

fn by_context(docker: &Path, tailnet: Option<&Tailnet>) -> Vec<Offer> {
    let contexts = docker.join("contexts");
    let Ok(entries) = contexts.join("meta").read_dir() else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let offer = |folder: &PathBuf| {
        let context = read_context(&folder.join("meta.json"))?;
        let address = offered(&context.endpoints.docker.host?)?;
        let destination = match &address {
            // An engine behind TLS is not among the addresses that there are.
            Address::Tcp { .. } if contexts.join("tls").join(folder.file_name()?).exists() => {
                return None;
            }
            Address::Tcp { host, .. } => Some(host),
            Address::Ssh { destination, .. } => Some(destination),
            Address::Local | Address::Unix(_) => None,
        };
        Some(Offer {
            name: name_of(&context.name)?,
            source: OfferSource::Context,
            online: destination.and_then(|destination| online(tailnet, destination)),
            address,
        })
    };
    let mut offers: Vec<Offer> = folders
        .iter()
        .take(MOST_CONTEXTS)
        .filter_map(offer)
        .collect();
    // The folders are named by hashes, which order nothing.
    offers.sort_by(|a, b| a.name.cmp(&b.name));
    offers
}

fn read_context(file: &Path) -> Option<Context> {
    let mut bytes = Vec::new();
    let file = File::open(file).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn by_tailnet(peer: &Peer) -> Option<Offer> {
    if HAND_HELD.contains(&peer.os.to_ascii_lowercase().as_str()) {
        return None;
    }
    let destination = if peer.name.is_empty() {
        peer.addresses.first()?.to_string()
    } else {
        peer.name.clone()
    };
    let short = peer.name.split('.').next().unwrap_or_default();
    Some(Offer {
        name: name_of(short).or_else(|| name_of(&destination))?,
        address: offered(&Address::ssh(&destination).to_string())?,
        source: OfferSource::Tailnet,
        online: Some(peer.is_online()),
    })
}

fn online(tailnet: Option<&Tailnet>, destination: &str) -> Option<bool> {
    Some(tailnet?.peer(destination)?.is_online())
}

/// Returns an address as it would be read from the configuration, if it is one.
fn offered(text: &str) -> Option<Address> {
    let address: Address = text.parse().ok()?;
    let text = address.to_string();
    // What could deceive an eye is not offered for copying.
    (clean(&text) == text).then_some(address)
}

/// Makes a name that the configuration takes.
fn name_of(text: &str) -> Option<String> {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = text
        .chars()
        .map(|c| if inner(c) { c } else { '-' })
        .take(63)
        .collect();
    let name = name.trim_matches(['-', '.']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::core::host::HostSpec;
    use crate::core::settings::TailscaleSettings;

    fn settings() -> Settings {
        Settings {
            tailscale: TailscaleSettings {
                socket: None,
                command: String::new(),
            },
            ..Settings::default()
        }
    }

    fn context(places: &Places, folder: &str, text: &str) {
        let folder = places.docker.join("contexts/meta").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("meta.json"), text).unwrap();
    }

    #[tokio::test]
    async fn files_offer_hosts_that_the_settings_do_not_have() {
        let scratch = Scratch::create();
        let places = Places {
            home: scratch.path().to_owned(),
            ssh_config: scratch.path().join("c"),
            docker: scratch.path().join("d"),
        };
        std::fs::write(&places.ssh_config, "Host vps nas -oX\n").unwrap();
        for (folder, name, host) in [
            ("1", "z box", "ssh://ops@box.example:2222"),
            ("2", "here", "unix:///run/user/1000/docker.sock"),
            ("3", "tls", "tcp://1.2.3.4:2376"),
            ("4", "win", "npipe:////./pipe/docker"),
            ("5", "same", "ssh://nas"),
        ] {
            let text =
                format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#);
            context(&places, folder, &text);
        }
        context(&places, "6", "no json");
        std::fs::create_dir_all(places.docker.join("contexts/tls/3")).unwrap();
        let mut settings = settings();
        let vps = HostSpec::new("web".into(), "ssh://vps".parse().unwrap());
        settings.hosts.push(vps);
        let offers = offers(Some(&places), &settings).await;
        let told: Vec<String> = offers
            .iter()
            .map(|offer| format!("{} {} {}", offer.name, offer.address, offer.source.word()))
            .collect();
        assert_eq!(
            told,
            [
                "nas ssh://nas ssh",
                "here unix:///run/user/1000/docker.sock context",
                "z-box ssh://ops@box.example:2222 context",
            ]
        );
    }
}
