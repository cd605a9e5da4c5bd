//! The client of registries: which image a tag names, what that image is, what else there is.
//!
//! HEAD comes first, and whatever has a digest is fetched once in a lifetime, so that asking again
//! costs no quota while nothing changes. Digests are verified, bodies and pages bounded, redirects and
//! links held to where they may lead. It does not judge, and it knows neither services nor screens.
//!
//! | file | subject |
//! |---|---|
//! | `resolve` | a question to its answer: tag, index, platform, config |
//! | `attest` | attestations, signatures and referrers of an image |
//! | `listing` | tags of a repository, repositories of a registry |
//! | `errand` | one request with challenges, credentials, tokens |
//! | `endpoint` | one registry: address, redirects, single requests |
//! | `auth`, `challenge` | what is known about identifying oneself |
//! | `limits` | requests in flight, `Retry-After`, quota |
//! | `outcome` | what refusals mean, in words |
//! | `manifest` | bytes to facts |
//! | `transport`, `direct`, `through`, `tls` | one HTTP exchange, from here or through a host |

mod attest;
mod auth;
mod cache;
mod challenge;
mod direct;
mod endpoint;
mod errand;
mod limits;
mod listing;
mod manifest;
mod outcome;
mod resolve;
mod through;
mod tls;
mod trail;
mod transport;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

pub use self::attest::Attested;
use self::auth::Auth;
use self::direct::Direct;
use self::endpoint::Endpoint;
use self::limits::Limits;
pub use self::listing::Listing;
use self::outcome::Asked;
use self::through::Through;
use self::transport::{Broken, Transport};
pub use self::transport::{Dialer, Patience, Stream};
use super::blobs::BlobStore;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::credentials::{Credential, CredentialKind, Credentials};
use super::secret::Secret;
use crate::core::digest::TopDigest;
use crate::core::failure::RegistryFailure;
use crate::core::image::ImageRef;
use crate::core::names::{HostName, RegistryHost};
use crate::core::platform::Platform;
use crate::core::remote::Route;
use crate::core::settings::RegistrySpec;

const USER_AGENT: &str = concat!("homelab-tui/", env!("CARGO_PKG_VERSION"));
/// A host's connection has few channels, and the engine needs some of them.
const IN_FLIGHT_THROUGH_HOST: usize = 3;

/// Asks a host's engine about a reference, where the host lets no other connection through.
pub trait EngineAsk: Send + Sync {
    /// Returns what the engine's registry client finds out.
    fn distribution<'a>(
        &'a self,
        host: &'a HostName,
        reference: &'a ImageRef,
        auth: Option<&'a EngineAuth>,
    ) -> BoxFuture<'a, Result<EngineAnswer, RegistryFailure>>;
}

/// A credential as engines take it along with a question.
#[derive(Debug, Clone)]
pub struct EngineAuth {
    /// Whose it is, as it may be shown.
    pub name: String,
    /// The value of the header `X-Registry-Auth`.
    pub header: Secret,
}

impl EngineAuth {
    /// Spells a credential for an engine.
    pub fn new(credential: &Credential, registry: &RegistryHost) -> Self {
        let server = registry.as_str();
        let text = match &credential.kind {
            CredentialKind::Password { user, password } => serde_json::json!({
                "username": user, "password": password.expose(), "serveraddress": server,
            }),
            CredentialKind::Identity(token) => serde_json::json!({
                "identitytoken": token.expose(), "serveraddress": server,
            }),
        };
        Self {
            name: credential.name.clone(),
            header: Secret::new(URL_SAFE.encode(text.to_string())),
        }
    }
}

/// All that an engine tells of a reference: the digest behind it and its platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAnswer {
    pub top: TopDigest,
    pub platforms: Vec<Platform>,
}

/// What the client of registries is made of.
pub struct RegistryOptions {
    pub specs: Vec<RegistrySpec>,
    pub credentials: Credentials,
    pub blobs: BlobStore,
    /// Opens connections from hosts; without it only this machine asks.
    pub dialer: Option<Arc<dyn Dialer>>,
    pub engines: Option<Arc<dyn EngineAsk>>,
    /// Requests at once to one registry.
    pub in_flight: usize,
    pub patience: Patience,
}

impl RegistryOptions {
    /// Asks from this machine with the usual bounds.
    pub fn new(specs: Vec<RegistrySpec>, credentials: Credentials, blobs: BlobStore) -> Self {
        Self {
            specs,
            credentials,
            blobs,
            dialer: None,
            engines: None,
            in_flight: 8,
            patience: Patience::default(),
        }
    }
}

/// The client of all registries; it can be shared and cloned.
#[derive(Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

struct Inner {
    options: RegistryOptions,
    endpoints: Mutex<HashMap<(Route, RegistryHost), Arc<Endpoint>>>,
}

impl Registries {
    /// Makes the client; nothing is opened before the first question.
    pub fn new(options: RegistryOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                options,
                endpoints: Mutex::default(),
            }),
        }
    }

    /// Returns the endpoint that everybody shares who asks this registry on this way.
    fn endpoint(
        &self,
        route: &Route,
        registry: &RegistryHost,
        purpose: &str,
    ) -> Result<Arc<Endpoint>, RegistryFailure> {
        let mut endpoints = self
            .inner
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = (route.clone(), registry.clone());
        if let Some(endpoint) = endpoints.get(&key) {
            return Ok(endpoint.clone());
        }
        let options = &self.inner.options;
        let spec = self.spec(route, registry).cloned();
        let plain_http = spec.as_ref().is_some_and(|spec| spec.plain_http);
        let patience = options.patience;
        let transport: Box<dyn Transport> = match route {
            Route::Here => {
                let proxied = !registry.is_loopback();
                Box::new(Direct::new(spec, patience, proxied))
            }
            Route::Via(host) => {
                let asked = Asked {
                    registry,
                    route,
                    purpose,
                };
                let dialer = options.dialer.clone().ok_or_else(|| {
                    let why = "there is no way to ask through a host here".to_owned();
                    asked.broken("", &Broken::NoRoute(why))
                })?;
                Box::new(Through::new(host.clone(), dialer, spec, patience))
            }
        };
        let in_flight = match route {
            Route::Here => options.in_flight,
            Route::Via(_) => options.in_flight.min(IN_FLIGHT_THROUGH_HOST),
        };
        let endpoint = Arc::new(Endpoint::new(
            registry.clone(),
            route.clone(),
            plain_http,
            transport,
            Limits::new(in_flight),
            Auth::new(registry.clone(), options.credentials.clone()),
        ));
        endpoints.insert(key, endpoint.clone());
        Ok(endpoint)
    }

    /// Finds what the configuration says: what is said for the very way first.
    fn spec(&self, route: &Route, registry: &RegistryHost) -> Option<&RegistrySpec> {
        let specs = &self.inner.options.specs;
        let of_registry = || specs.iter().filter(|spec| spec.host == *registry);
        let via = match route {
            Route::Here => None,
            Route::Via(host) => Some(host),
        };
        of_registry()
            .find(|spec| spec.via.as_ref() == via)
            .or_else(|| of_registry().find(|spec| spec.via.is_none()))
    }
}

/// Makes a TLS set-up that trusts what the system trusts; reading its roots takes some milliseconds, once.
///
/// # Errors
/// If the set-up cannot be made.
pub fn system_tls() -> Result<rustls::ClientConfig, String> {
    tls::Trust::of(None).map(|trust| rustls::ClientConfig::clone(&trust.config))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn an_engine_is_given_the_credential_as_it_wants_it_and_nothing_shows_it() {
        let credential = Credential {
            name: "lab from docker's config".to_owned(),
            kind: CredentialKind::Password {
                user: "lab".to_owned(),
                password: Secret::new("geheim?>~"),
            },
        };
        let auth = EngineAuth::new(&credential, &"r.lan:5000".into());
        let bytes = URL_SAFE.decode(auth.header.expose()).unwrap();
        let text: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(text["username"], "lab");
        assert_eq!(text["password"], "geheim?>~");
        assert_eq!(text["serveraddress"], "r.lan:5000");
        assert!(!format!("{auth:?}").contains(auth.header.expose()));
    }
}
