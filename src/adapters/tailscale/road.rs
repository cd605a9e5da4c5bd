//! How ssh gets to a host over the tailnet: through tailscaled where the kernel does not route, and with the host
//! keys that the tailnet publishes.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::adapters::shell::join;
use crate::adapters::ssh::Resolved;
use crate::core::tailnet::{Peer, Tailnet};

use super::Tailscale;

/// The port that Tailscale SSH takes over.
const SSH_PORT: u16 = 22;

/// The tailnet as it was last seen, for whoever dials.
#[derive(Debug, Clone)]
pub struct Road {
    tailscale: Tailscale,
    seen: Arc<Mutex<Option<Tailnet>>>,
    again: Arc<Notify>,
}

impl Road {
    /// Begins without any knowledge.
    pub fn new(tailscale: Tailscale) -> Self {
        Self {
            tailscale,
            seen: Arc::default(),
            again: Arc::default(),
        }
    }

    /// Keeps up with the tailnet and tells each change, first the present state, for as long as it is polled.
    pub async fn follow(&self, tell: impl Fn(Tailnet)) {
        self.tailscale
            .follow(&self.again, |tailnet| {
                self.learn(tailnet.clone());
                tell(tailnet);
            })
            .await;
    }

    /// Lets the tailnet be read soon, as something may have changed that it does not tell.
    pub fn look_again(&self) {
        self.again.notify_one();
    }

    fn learn(&self, tailnet: Tailnet) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(tailnet);
    }

    /// Returns the options with which ssh reaches the place; none where it is not of the tailnet.
    ///
    /// `known_hosts` is a path for a file that only this connection uses.
    ///
    /// # Errors
    /// If that file cannot be written.
    pub fn options(&self, resolved: &Resolved, known_hosts: &Path) -> io::Result<Vec<String>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tailnet) = seen.as_ref().filter(|_| !resolved.proxied) else {
            // The operator's own proxy knows the way better.
            return Ok(Vec::new());
        };
        let Some(peer) = tailnet.peer(&resolved.host) else {
            return Ok(Vec::new());
        };
        let mut options = Vec::new();
        if !tailnet.routed
            && let Some(argv) = self.tailscale.connector()
        {
            options.push(proxy(&argv));
        }
        if !peer.ssh_host_keys.is_empty() && resolved.port == SSH_PORT {
            write_known_hosts(known_hosts, peer)?;
            options.extend(trust(known_hosts, peer));
        }
        Ok(options)
    }
}

/// Makes the proxy option; `%` would be read by ssh.
fn proxy(argv: &[String]) -> String {
    format!("ProxyCommand={} %h %p", join(argv).replace('%', "%%"))
}

fn trust(known_hosts: &Path, peer: &Peer) -> Vec<String> {
    vec![
        format!("UserKnownHostsFile={}", known_hosts.display()),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        format!("HostKeyAlias={}", alias(peer)),
        "StrictHostKeyChecking=yes".to_owned(),
        "CheckHostIP=no".to_owned(),
        "UpdateHostKeys=no".to_owned(),
    ]
}

fn write_known_hosts(path: &Path, peer: &Peer) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    for key in &peer.ssh_host_keys {
        writeln!(file, "{} {key}", alias(peer))?;
    }
    Ok(())
}

/// Returns the name under which the keys are listed, in letters that mean nothing to ssh.
fn alias(peer: &Peer) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let name: String = peer.name.chars().filter(|c| plain(*c)).collect();
    format!("tailnet-{name}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::adapters::tailscale::wire;

    fn road(file: &str) -> Road {
        let path = format!("{}/tests/data/tailscale/{file}", env!("CARGO_MANIFEST_DIR"));
        let road = Road::new(Tailscale {
            socket: Some("/run/my tail%scaled.sock".into()),
            named: true,
            command: Some("/usr/bin/tailscale".into()),
        });
        road.learn(wire::parse(&std::fs::read(path).unwrap()).unwrap());
        road
    }

    fn place(host: &str, port: u16, proxied: bool) -> Resolved {
        Resolved {
            host: host.to_owned(),
            port,
            proxied,
        }
    }

    #[test]
    fn a_tailnet_without_the_kernel_is_reached_through_tailscaled() {
        let road = road("all-up-idle.json");
        let none = Path::new("/nowhere/k");
        let options = road.options(&place("nas", 2222, false), none).unwrap();
        assert_eq!(
            options,
            ["ProxyCommand=/usr/bin/tailscale '--socket=/run/my tail%%scaled.sock' nc %h %p"]
        );
        for other in [place("vps.example", 22, false), place("nas", 22, true)] {
            assert!(road.options(&other, none).unwrap().is_empty());
        }
    }

    #[test]
    fn published_host_keys_are_the_only_ones_that_are_trusted() {
        let scratch = Scratch::create();
        let file = scratch.path().join("k");
        let road = road("peers-ssh-hostkeys.json");
        let options = road
            .options(&place("100.64.0.1", 22, false), &file)
            .unwrap();
        assert!(options.contains(&"StrictHostKeyChecking=yes".to_owned()));
        assert!(options.contains(&"HostKeyAlias=tailnet-nas.lab.test".to_owned()));
        let known = std::fs::read_to_string(&file).unwrap();
        assert_eq!(known.lines().count(), 3);
        assert!(
            known
                .lines()
                .all(|line| line.starts_with("tailnet-nas.lab.test "))
        );
        // On another port plain sshd answers, with keys of its own.
        let plain = road.options(&place("nas", 2222, false), &file).unwrap();
        assert_eq!(plain.len(), 1);
    }
}
