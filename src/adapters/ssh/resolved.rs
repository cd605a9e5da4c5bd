//! What ssh itself would make of a destination, with aliases of the user's configuration replaced; nothing is contacted.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::adapters::process::Process;

use super::Destination;

/// How long reading the configuration may take; a `Match exec` there may run anything.
const PATIENCE: Duration = Duration::from_secs(3);
const LARGEST: u64 = 256 * 1024;

/// The place behind a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name or address that is dialled.
    pub host: String,
    pub port: u16,
    /// Whether the user's configuration leads there by a proxy or another host.
    pub proxied: bool,
}

impl Destination {
    /// Asks ssh for the place; where it does not say, the destination is taken as it stands.
    pub async fn resolved(&self) -> Resolved {
        let mut argv = vec!["ssh".to_owned(), "-G".to_owned()];
        argv.extend(self.arguments());
        let text = match Process::here(&argv) {
            Ok(process) => {
                let mut text = Vec::new();
                let mut bounded = process.stdout.take(LARGEST);
                // What was read so far is as good as nothing; both leave the destination as it is.
                let _ = timeout(PATIENCE, bounded.read_to_end(&mut text)).await;
                text
            }
            Err(_) => Vec::new(),
        };
        self.read(&String::from_utf8_lossy(&text))
    }

    fn read(&self, text: &str) -> Resolved {
        let value = |wanted: &str| {
            let pairs = text.lines().filter_map(|line| line.split_once(' '));
            let mut values = pairs.filter(|(key, _)| *key == wanted);
            values.next().map(|(_, value)| value.trim())
        };
        let set = |key: &str| value(key).is_some_and(|value| !value.is_empty() && value != "none");
        Resolved {
            host: value("hostname").unwrap_or(&self.host).to_owned(),
            port: value("port")
                .and_then(|port| port.parse().ok())
                .or(self.port)
                .unwrap_or(22),
            proxied: set("proxycommand") || set("proxyjump"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_ports_and_proxies_are_read() {
        let destination = Destination {
            user: None,
            host: "pi".to_owned(),
            port: None,
            config_file: None,
        };
        let read = |text| destination.read(text);
        let plain = read("user me\nhostname 100.64.0.2\nport 2222\nproxycommand none\n");
        assert_eq!(plain.host, "100.64.0.2");
        assert_eq!((plain.port, plain.proxied), (2222, false));
        assert!(read("hostname x\nproxyjump bastion\n").proxied);
        let nothing = read("");
        assert_eq!((nothing.host.as_str(), nothing.port), ("pi", 22));
    }
}
