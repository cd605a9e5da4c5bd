//! The settings as the rest of the program uses them, whatever file they were written in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::host::HostSpec;
use super::names::{HostName, RegistryHost};

/// All that the configuration file and the command line say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub hosts: Vec<HostSpec>,
    pub registries: Vec<RegistrySpec>,
    pub environments: Vec<EnvironmentRule>,
    /// The order of projects where dependency does not say it.
    pub order: Vec<String>,
    pub builds: Vec<BuildSource>,
    pub ssh: SshSettings,
    pub tailscale: TailscaleSettings,
    pub refresh: Refresh,
    pub rollback: RollbackSettings,
    pub theme: String,
    pub glyphs: Glyphs,
    pub mouse: bool,
    /// Keys by command, as written.
    pub keys: BTreeMap<String, Vec<String>>,
    pub read_only: bool,
    /// Whether the console begins with the wall and returns to it by itself.
    pub wall: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            registries: Vec::new(),
            environments: Vec::new(),
            order: Vec::new(),
            builds: Vec::new(),
            ssh: SshSettings::default(),
            tailscale: TailscaleSettings::default(),
            refresh: Refresh::default(),
            rollback: RollbackSettings::default(),
            theme: "dusk".to_owned(),
            glyphs: Glyphs::Auto,
            mouse: false,
            keys: BTreeMap::new(),
            read_only: false,
            wall: false,
        }
    }
}

impl Settings {
    /// Returns what is said of a registry, where anything is.
    pub fn registry(&self, host: &RegistryHost) -> Option<&RegistrySpec> {
        self.registries
            .iter()
            .find(|registry| registry.host == *host)
    }

    /// Returns a host's description.
    pub fn host(&self, name: &HostName) -> Option<&HostSpec> {
        self.hosts.iter().find(|host| host.name == *name)
    }
}

/// How a registry is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySpec {
    pub host: RegistryHost,
    pub plain_http: bool,
    pub ca_file: Option<String>,
    /// The SHA-256 of the certificate, where it is pinned.
    pub fingerprint: Option<String>,
    /// The host through which the registry is asked.
    pub via: Option<HostName>,
}

/// A rule that names the environment of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentRule {
    pub pattern: String,
    pub name: String,
    pub protect: Option<bool>,
}

/// Where build logs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSource {
    pub name: String,
    pub image: Option<String>,
    pub from: BuildOrigin,
    /// Workflows that deploy what was built.
    pub deploys: Vec<DeploySource>,
}

/// A workflow that deploys, perhaps of another repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploySource {
    pub repository: Option<String>,
    pub workflow: String,
}

/// The kinds of sources of build logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildOrigin {
    GitHub {
        repository: String,
        workflow: Option<String>,
        api: Option<String>,
        token_env: Option<String>,
    },
    File {
        pattern: String,
        host: Option<HostName>,
    },
    Command {
        argv: Vec<String>,
        host: Option<HostName>,
    },
    Buildx {
        host: HostName,
    },
}

impl BuildOrigin {
    /// Returns the host on which it is read; absent where that is this machine.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::File { host, .. } | Self::Command { host, .. } => host.as_ref(),
            Self::Buildx { host } => Some(host),
            Self::GitHub { .. } => None,
        }
    }
}

/// How ssh is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    pub config_file: Option<String>,
    pub connect_timeout: Duration,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self {
            config_file: None,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// How the tailnet is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailscaleSettings {
    pub socket: Option<String>,
    pub command: String,
}

impl Default for TailscaleSettings {
    fn default() -> Self {
        Self {
            socket: None,
            command: "tailscale".to_owned(),
        }
    }
}

/// How often things are looked at again without cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    pub hosts: Duration,
    pub registry: Duration,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            hosts: Duration::from_secs(30 * 60),
            registry: Duration::from_secs(10 * 60),
        }
    }
}

/// How ways back are kept and waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollbackSettings {
    pub keep: usize,
    pub settle: Duration,
    pub timeout: Duration,
}

impl Default for RollbackSettings {
    fn default() -> Self {
        Self {
            keep: 5,
            settle: Duration::from_secs(10),
            timeout: Duration::from_secs(120),
        }
    }
}

/// Which glyphs the screen may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    Auto,
    Unicode,
    Console,
    Ascii,
}
