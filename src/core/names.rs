//! The names of things: host, project, service, container.
//!
//! A name is kept as it came from the wire, hostile or not; `text::clean` makes it fit for a screen.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name as it came.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// Returns the name as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }
    )*};
}

names! {
    /// The operator's own name for a machine.
    HostName;
    /// A compose project, a swarm stack, or `-` for containers of neither.
    ProjectName;
    /// A service of a project; for plain containers the container's name.
    ServiceName;
    /// The engine's Id of a container.
    ContainerId;
    /// A registry's host and port, as references spell it.
    RegistryHost;
}

impl RegistryHost {
    /// Returns the name or address alone, without brackets and port.
    pub fn bare(&self) -> &str {
        let text = self.as_str();
        match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => text.split(':').next().unwrap_or(text),
        }
    }

    /// Tells whether the registry lies on the machine that asks: such a name is each host's own.
    pub fn is_loopback(&self) -> bool {
        let host = self.bare();
        host.eq_ignore_ascii_case("localhost")
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl ProjectName {
    /// Returns the project that holds containers of no project.
    pub fn none() -> Self {
        Self::new("-")
    }

    /// Tells whether this is the project of plain containers.
    pub fn is_none(&self) -> bool {
        self.as_str() == "-"
    }
}

/// The place of a service in the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceKey {
    pub host: HostName,
    pub project: ProjectName,
    pub service: ServiceName,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.project, self.service)
    }
}

/// A target as typed: `HOST[/PROJECT[/SERVICE]]`, meaning all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    project: Option<String>,
    service: Option<String>,
}

impl Target {
    /// Parses a target; the service may itself contain slashes (a container's name cannot, a stack's may).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_end_matches('/').splitn(3, '/');
        let host = parts.next().filter(|host| !host.is_empty())?.to_owned();
        let project = parts.next().map(str::to_owned);
        let service = parts.next().map(str::to_owned);
        Some(Self {
            host,
            project,
            service,
        })
    }

    /// Tells whether what a text names lies at or below this target.
    pub fn covers_text(&self, text: &str) -> bool {
        let mut parts = text.splitn(3, '/');
        let key = (parts.next(), parts.next(), parts.next());
        let (Some(host), Some(project), Some(service)) = key else {
            return false;
        };
        self.covers(&ServiceKey {
            host: host.into(),
            project: project.into(),
            service: service.into(),
        })
    }

    /// Tells whether the service lies at or below this target.
    pub fn covers(&self, key: &ServiceKey) -> bool {
        self.host == key.host.as_str()
            && self
                .project
                .as_deref()
                .is_none_or(|project| project == key.project.as_str())
            && self
                .service
                .as_deref()
                .is_none_or(|service| service == key.service.as_str())
    }

    /// Tells whether the target lies on the host, whatever it names there.
    pub fn on_host(&self, host: &HostName) -> bool {
        self.host == host.as_str()
    }

    /// Tells whether the target names a host alone.
    pub fn is_host(&self) -> bool {
        self.project.is_none()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        for part in [&self.project, &self.service].into_iter().flatten() {
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_shorter_target_covers_all_below_it() {
        let key = ServiceKey {
            host: "vps".into(),
            project: "blog".into(),
            service: "web".into(),
        };
        for (text, covers) in [
            ("vps", true),
            ("vps/", true),
            ("vps/blog", true),
            ("vps/blog/web", true),
            ("vps/blog/we", false),
            ("vp", false),
            ("nas/blog/web", false),
        ] {
            assert_eq!(Target::parse(text).unwrap().covers(&key), covers, "{text}");
        }
        assert_eq!(Target::parse("/blog"), None);
    }
}
