//! Docker's `config.json`, as far as it tells credentials.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use super::{Credential, CredentialKind, HUB_KEY, Lookup, of_parts};
use crate::adapters::secret::Secret;
use crate::core::image::DOCKER_HUB;
use crate::core::names::RegistryHost;

/// Docker's own file is a few kilobytes.
const LARGEST: u64 = 1 << 20;
const SOURCE: &str = "docker's config";

/// The parts of the file that matter here.
// Not `Debug`: the entries hold passwords.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DockerConfig {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// Reads the file; one that is not there is no error.
pub(super) async fn read(path: &Path) -> Result<Option<DockerConfig>, String> {
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let mut text = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut text)
        .await
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    // The parser's own words could quote a value, so only the place is told.
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        format!(
            "{} is not docker's config, line {} column {}",
            path.display(),
            error.line(),
            error.column()
        )
    })
}

impl DockerConfig {
    /// Returns the helper that docker would ask for the registry.
    pub(super) fn helper_for(&self, registry: &RegistryHost) -> Option<&str> {
        self.cred_helpers
            .iter()
            .find(|(key, _)| same_registry(key, registry))
            .map(|(_, helper)| helper.as_str())
            .or(self.creds_store.as_deref())
            .filter(|helper| !helper.is_empty())
    }

    /// Returns the credential that the file itself holds for the registry.
    pub(super) fn entry_for(&self, registry: &RegistryHost) -> Lookup {
        // The exact spelling wins over one with scheme or path.
        let exact = match registry.as_str() {
            DOCKER_HUB => HUB_KEY,
            other => other,
        };
        let entry = self.auths.get(exact).or_else(|| {
            self.auths
                .iter()
                .find(|(key, _)| same_registry(key, registry))
                .map(|(_, entry)| entry)
        });
        match entry {
            Some(entry) => entry.credential(registry),
            None => Lookup::None,
        }
    }
}

impl Entry {
    fn credential(&self, registry: &RegistryHost) -> Lookup {
        if let Some(token) = self
            .identitytoken
            .as_ref()
            .filter(|token| !token.is_empty())
        {
            return Lookup::Found(Credential {
                name: format!("identity token from {SOURCE}"),
                kind: CredentialKind::Identity(Secret::new(token.as_str())),
            });
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            return match decode(auth) {
                Some((user, password)) => Lookup::Found(of_parts(user, password, SOURCE)),
                None => Lookup::Failed(format!(
                    "{SOURCE} holds an entry for {registry} that is not base64 of user:password"
                )),
            };
        }
        match (&self.username, &self.password) {
            (Some(user), Some(password)) if !user.is_empty() => Lookup::Found(of_parts(
                user.clone(),
                Secret::new(password.as_str()),
                SOURCE,
            )),
            _ => Lookup::None,
        }
    }
}

fn decode(auth: &str) -> Option<(String, Secret)> {
    let auth = auth.trim();
    let bytes = STANDARD
        .decode(auth)
        .or_else(|_| STANDARD_NO_PAD.decode(auth))
        .or_else(|_| URL_SAFE.decode(auth))
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty()).then(|| (user.to_owned(), Secret::new(password.trim_matches('\0'))))
}

/// Tells whether a key of the file, spelled in one of the ways of the years, means the registry.
fn same_registry(key: &str, registry: &RegistryHost) -> bool {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let host = bare.split('/').next().unwrap_or(bare);
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        other => other,
    };
    host.eq_ignore_ascii_case(registry.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn entry(config: &str, registry: &str) -> Lookup {
        let config: DockerConfig = serde_json::from_str(config).unwrap();
        config.entry_for(&registry.into())
    }

    fn found(lookup: Lookup) -> Credential {
        match lookup {
            Lookup::Found(credential) => credential,
            other => panic!("no credential: {other:?}"),
        }
    }

    #[test]
    fn an_entry_is_found_under_each_spelling() {
        let auth = STANDARD.encode("deploy:pa:ss");
        for (key, registry) in [
            ("ghcr.io", "ghcr.io"),
            ("https://ghcr.io", "ghcr.io"),
            ("https://r.lan:5000/v2/", "r.lan:5000"),
            (HUB_KEY, "docker.io"),
            ("registry-1.docker.io", "docker.io"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#);
            let credential = found(entry(&config, registry));
            assert_eq!(credential.name, "deploy from docker's config", "{key}");
            assert_eq!(
                credential.kind,
                CredentialKind::Password {
                    user: "deploy".to_owned(),
                    password: Secret::new("pa:ss"),
                }
            );
            assert_eq!(entry(&config, "other.lan"), Lookup::None);
        }
    }

    #[test]
    fn identity_tokens_are_told_apart_from_passwords() {
        let auth = STANDARD.encode("<token>:");
        let config =
            format!(r#"{{"auths":{{"r.lan":{{"auth":"{auth}","identitytoken":"very-secret"}}}}}}"#);
        let credential = found(entry(&config, "r.lan"));
        assert_eq!(credential.name, "identity token from docker's config");
        assert!(!format!("{credential:?}").contains("very-secret"));
    }

    #[test]
    fn an_unreadable_entry_is_said_without_its_value() {
        let config = r#"{"auths":{"r.lan":{"auth":"%%secret%%"}}}"#;
        let Lookup::Failed(why) = entry(config, "r.lan") else {
            panic!("it was read");
        };
        assert!(why.contains("r.lan") && !why.contains("secret"), "{why}");
    }

    #[test]
    fn the_registry_s_own_helper_wins_over_the_common_one() {
        let config: DockerConfig = serde_json::from_str(
            r#"{"credsStore":"desktop","credHelpers":{"ghcr.io":"pass","https://index.docker.io/v1/":"x"}}"#,
        )
        .unwrap();
        assert_eq!(config.helper_for(&"ghcr.io".into()), Some("pass"));
        assert_eq!(config.helper_for(&"docker.io".into()), Some("x"));
        assert_eq!(config.helper_for(&"r.lan".into()), Some("desktop"));
    }
}
