//! Credentials for registries, as docker on this machine has them: its config file and its helpers.
//!
//! A credential has a name that may be shown and a value that may not. This module does not know how
//! registries ask for credentials, and never asks a person.

mod docker_config;
mod helper;

use std::path::PathBuf;
use std::time::Duration;

use crate::core::image::DOCKER_HUB;
use crate::core::names::RegistryHost;

use super::secret::Secret;

/// The key under which docker keeps Docker Hub's credentials.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Where credentials are looked up.
#[derive(Debug, Clone)]
pub struct Credentials {
    folder: Option<PathBuf>,
    helper_timeout: Duration,
    /// Where helpers lie, before the places where programs lie.
    helper_folder: Option<PathBuf>,
}

/// A credential with a name that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is and where it came from, such as `deploy from docker's config`.
    pub name: String,
    pub kind: CredentialKind,
}

/// The two kinds that docker knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialKind {
    /// A user with a password or an access token.
    Password { user: String, password: Secret },
    /// A token that buys access tokens.
    Identity(Secret),
}

/// What looking up a credential came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// There is none for this registry.
    None,
    /// There is one.
    Found(Credential),
    /// There should be one, but it could not be read; the words say why and never the value.
    Failed(String),
}

impl Credentials {
    /// Reads docker's own folder: `DOCKER_CONFIG`, else `.docker` in the home folder.
    pub fn of_user() -> Self {
        let folder = std::env::var_os("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".docker")));
        Self {
            folder,
            helper_timeout: Duration::from_secs(10),
            helper_folder: None,
        }
    }

    /// Reads the given folder's `config.json`.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: Some(folder.into()),
            helper_timeout: Duration::from_secs(10),
            helper_folder: None,
        }
    }

    /// Knows no credential at all.
    pub fn none() -> Self {
        Self {
            folder: None,
            helper_timeout: Duration::ZERO,
            helper_folder: None,
        }
    }

    /// Waits that long for a credential helper.
    pub fn with_helper_timeout(mut self, timeout: Duration) -> Self {
        self.helper_timeout = timeout;
        self
    }

    /// Looks for helpers in this folder first.
    pub fn with_helper_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.helper_folder = Some(folder.into());
        self
    }

    /// Looks up the credential for a registry: its own helper, else the common helper, else the file.
    pub async fn lookup(&self, registry: &RegistryHost) -> Lookup {
        let Some(folder) = &self.folder else {
            return Lookup::None;
        };
        let path = folder.join("config.json");
        let config = match docker_config::read(&path).await {
            Ok(Some(config)) => config,
            Ok(None) => return Lookup::None,
            Err(why) => return Lookup::Failed(why),
        };
        match config.helper_for(registry) {
            Some(name) => {
                let folder = self.helper_folder.as_deref();
                helper::get(name, folder, server_key(registry), self.helper_timeout).await
            }
            None => config.entry_for(registry),
        }
    }
}

/// Returns the text by which helpers know a registry.
fn server_key(registry: &RegistryHost) -> &str {
    match registry.as_str() {
        DOCKER_HUB => HUB_KEY,
        other => other,
    }
}

/// Makes a credential of a user and a secret; the user `<token>` says that the secret is an identity token.
fn of_parts(user: String, secret: Secret, source: &str) -> Credential {
    if user == "<token>" {
        Credential {
            name: format!("identity token from {source}"),
            kind: CredentialKind::Identity(secret),
        }
    } else {
        Credential {
            name: format!(
                "{} from {source}",
                crate::core::text::clean_within(&user, 64)
            ),
            kind: CredentialKind::Password {
                user,
                password: secret,
            },
        }
    }
}
