//! A host as the operator describes it: its name, its address, and what may be done there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::HostName;

/// How a host's engine is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// The engine of this machine, at its usual socket.
    Local,
    /// The engine behind a socket of this machine.
    Unix(String),
    /// An engine, or a read-only proxy of one, over plain TCP.
    Tcp { host: String, port: u16 },
    /// An engine behind OpenSSH; the destination may be an alias of the user's ssh config.
    Ssh {
        user: Option<String>,
        destination: String,
        port: Option<u16>,
    },
}

/// The reason why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address: {why}; expected {forms}", forms = Address::FORMS)]
pub struct BadAddress {
    why: String,
}

impl Address {
    /// All forms of an address, fit for "expected …".
    pub const FORMS: &'static str =
        "local, unix:///path, tcp://host:port or ssh://[user@]host[:port]";

    /// Makes the address of an engine behind a name or an IP address that ssh knows.
    pub fn ssh(destination: &str) -> Self {
        Self::Ssh {
            user: None,
            destination: destination.to_owned(),
            port: None,
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why: &str| BadAddress {
            why: format!("{text:?} {why}"),
        };
        if text == "local" {
            return Ok(Self::Local);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("has no scheme"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Err(bad("names nothing"));
        }
        if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad("holds spaces or control characters"));
        }
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.to_owned())),
            "unix" => Err(bad("is not an absolute path")),
            "tcp" => {
                let (host, port) = split_port(rest).map_err(|()| bad("has a bad port"))?;
                let port = port.ok_or_else(|| bad("has no port"))?;
                Ok(Self::Tcp { host, port })
            }
            "ssh" => {
                let (user, place) = match rest.rsplit_once('@') {
                    Some((user, place)) => (Some(user.to_owned()), place),
                    None => (None, rest),
                };
                let (destination, port) = split_port(place).map_err(|()| bad("has a bad port"))?;
                let dashed = |part: &str| part.is_empty() || part.starts_with('-');
                if dashed(&destination) || user.as_deref().is_some_and(dashed) {
                    return Err(bad("has an empty or dashed name"));
                }
                if destination.contains('/') {
                    return Err(bad("has a path"));
                }
                Ok(Self::Ssh {
                    user,
                    destination,
                    port,
                })
            }
            _ => Err(bad("has an unknown scheme")),
        }
    }
}

/// Splits `host:port`, `[v6]:port` or a bare host.
fn split_port(text: &str) -> Result<(String, Option<u16>), ()> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(())?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host.to_owned(), Some(parse_port(port)?))),
            None if after.is_empty() => Ok((host.to_owned(), None)),
            None => Err(()),
        };
    }
    match text.split_once(':') {
        // More than one colon is a bare IPv6 address.
        Some((_, port)) if port.contains(':') => Ok((text.to_owned(), None)),
        Some((host, port)) => Ok((host.to_owned(), Some(parse_port(port)?))),
        None => Ok((text.to_owned(), None)),
    }
}

fn parse_port(text: &str) -> Result<u16, ()> {
    text.parse().ok().filter(|port| *port != 0).ok_or(())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = |host: &str| {
            if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_owned()
            }
        };
        match self {
            Self::Local => f.write_str("local"),
            Self::Unix(path) => write!(f, "unix://{path}"),
            Self::Tcp { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Ssh {
                user,
                destination,
                port,
            } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&bracketed(destination))?;
                match port {
                    Some(port) => write!(f, ":{port}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A host with all that the operator said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    pub name: HostName,
    pub address: Address,
    pub environment: Option<String>,
    pub protect: bool,
    pub read_only: bool,
    /// The docker command on that host, as argv.
    pub docker_command: Vec<String>,
    /// The engine's socket on that host where it is not the usual one.
    pub socket: Option<String>,
}

impl HostSpec {
    /// Describes a host by name and address alone.
    pub fn new(name: HostName, address: Address) -> Self {
        Self {
            name,
            address,
            environment: None,
            protect: false,
            read_only: false,
            docker_command: vec!["docker".to_owned()],
            socket: None,
        }
    }
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// The engine answers.
    Up,
    /// The tailnet says that the host is offline.
    Offline,
    /// Reached, but something there stops us.
    Denied,
    /// No connection, or no engine.
    Down,
}

impl HostState {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Offline => "offline",
            Self::Denied => "denied",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn addresses_survive_the_round_trip() {
        for text in [
            "local",
            "unix:///run/docker.sock",
            "tcp://127.0.0.1:2375",
            "tcp://[::1]:2375",
            "ssh://pi",
            "ssh://deploy@vps.example:2222",
            "ssh://op@[fd7a::1]:22",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(
            "ssh://pi/".parse::<Address>().unwrap().to_string(),
            "ssh://pi"
        );
    }

    #[test]
    fn every_form_that_is_named_is_read() {
        let forms = Address::FORMS.replace(" or ", ", ");
        let forms: Vec<&str> = forms.split(", ").collect();
        assert_eq!(forms.len(), 4);
        for form in forms {
            let text = form.replace("[user@]host[:port]", "ops@nas:22");
            let text = text.replace("host:port", "nas:2375");
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_addresses_say_what_would_be_right() {
        for text in [
            "",
            "vps",
            "http://x",
            "tcp://x",
            "tcp://x:0",
            "tcp://x:99999",
            "unix://run",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://@x",
            "ssh://x/y",
            "ssh://a b",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("expected local"), "{text}: {error}");
        }
    }
}
