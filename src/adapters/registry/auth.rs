//! How one registry wants to know who asks: what it offered, our credential for it, and the tokens it gave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use reqwest::Url;
use serde::Deserialize;

use super::challenge::Challenge;
use crate::adapters::credentials::{Credential, CredentialKind, Credentials, Lookup};
use crate::adapters::secret::Secret;
use crate::core::names::RegistryHost;

/// A token without a stated life lives this long, says the specification.
const USUAL_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(3600);
/// A credential is looked up again after this time, or as soon as it is refused.
const CREDENTIAL_LIFE: Duration = Duration::from_secs(60);
/// A refused credential is not sent again for this time, unless it changed.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// The way in which a registry wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// It answers everybody.
    Open,
    /// User and password with each request.
    Basic,
    /// A token of a token server with each request.
    Bearer { realm: Url, service: Option<String> },
}

impl Way {
    /// Chooses among the offers; a token is better than a password with each request.
    pub(super) fn choose(offers: &[Challenge]) -> Option<Self> {
        let bearer = offers.iter().find_map(|offer| {
            let realm = offer
                .param("realm")
                .filter(|_| offer.scheme == "bearer")?
                .parse()
                .ok()?;
            let service = offer.param("service").map(str::to_owned);
            Some(Self::Bearer { realm, service })
        });
        bearer.or_else(|| {
            offers
                .iter()
                .any(|offer| offer.scheme == "basic")
                .then_some(Self::Basic)
        })
    }
}

/// What a token is for; two requests with the same key share one token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub realm: Url,
    pub service: Option<String>,
    pub scope: String,
    pub credential: Option<String>,
}

/// A token with the moment from which it is not used any more.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub secret: Secret,
    until: Instant,
}

/// The place of one token; whoever holds the lock fetches it, the others wait.
pub(super) type TokenPlace = Arc<tokio::sync::Mutex<Option<Token>>>;

/// What is known about identifying oneself at one registry.
pub(super) struct Auth {
    registry: RegistryHost,
    credentials: Credentials,
    credential: tokio::sync::Mutex<Option<(Instant, Lookup)>>,
    state: Mutex<State>,
    /// Held by the first request, from which the others learn the way.
    pub discovery: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    way: Option<Way>,
    refused: Option<(Instant, Credential)>,
    tokens: HashMap<TokenKey, TokenPlace>,
}

impl Auth {
    /// Knows nothing yet.
    pub(super) fn new(registry: RegistryHost, credentials: Credentials) -> Self {
        Self {
            registry,
            credentials,
            credential: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            discovery: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the way that the registry wants, once it was learned.
    pub(super) fn way(&self) -> Option<Way> {
        self.state().way.clone()
    }

    /// Remembers the way.
    pub(super) fn learn(&self, way: Way) {
        self.state().way = Some(way);
    }

    /// Looks up the credential, at most once in a while.
    pub(super) async fn credential(&self) -> Lookup {
        let mut kept = self.credential.lock().await;
        // One that is refused is read again each time, so that a new login counts at once.
        let refused =
            |lookup: &Lookup| matches!(lookup, Lookup::Found(own) if self.is_refused(own));
        if let Some((at, lookup)) = kept.as_ref()
            && at.elapsed() < CREDENTIAL_LIFE
            && !refused(lookup)
        {
            return lookup.clone();
        }
        let lookup = self.credentials.lookup(&self.registry).await;
        *kept = Some((Instant::now(), lookup.clone()));
        lookup
    }

    /// Remembers that the registry does not accept the credential.
    pub(super) async fn refuse(&self, credential: &Credential) {
        *self.credential.lock().await = None;
        self.state().refused = Some((Instant::now(), credential.clone()));
    }

    /// Tells whether this very credential was refused a short while ago.
    pub(super) fn is_refused(&self, credential: &Credential) -> bool {
        let state = self.state();
        state
            .refused
            .as_ref()
            .is_some_and(|(at, refused)| at.elapsed() < REFUSED_FOR && refused == credential)
    }

    /// Returns the place of a token.
    pub(super) fn place(&self, key: &TokenKey) -> TokenPlace {
        let mut state = self.state();
        if state.tokens.len() >= 500 {
            // A place that somebody holds stays shared by those who hold it.
            state.tokens.clear();
        }
        state.tokens.entry(key.clone()).or_default().clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    /// Tells whether the token can still be sent.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }

    /// Reads a token server's answer, received now.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<f64>,
        }
        let wire: Wire = serde_json::from_slice(body).ok()?;
        let text = wire
            .token
            .filter(|text| !text.is_empty())
            .or(wire.access_token)
            .filter(|text| !text.is_empty())?;
        let life = wire
            .expires_in
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|life| !life.is_zero())
            .unwrap_or(USUAL_LIFE)
            .min(LONGEST_LIFE);
        Some(Self {
            secret: Secret::new(text),
            // A tenth is left for clocks and for the request's own way.
            until: Instant::now() + life - life / 10,
        })
    }
}

/// Makes the header for user and password.
pub(super) fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    let both = Secret::new(format!("{user}:{}", password.expose()));
    sensitive(format!("Basic {}", STANDARD.encode(both.expose())))
}

/// Makes the header for a token.
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(format!("Bearer {}", token.expose()))
}

/// Makes the header that a credential sends by itself; an identity token is no password.
pub(super) fn header_of(credential: &Credential) -> Option<HeaderValue> {
    match &credential.kind {
        CredentialKind::Password { user, password } => basic(user, password),
        CredentialKind::Identity(_) => None,
    }
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn b2_either_field_holds_the_token() {
        let token = Token::read(br#"{"access_token":"a","expires_in":300}"#).unwrap();
        assert_eq!(token.secret.expose(), "a");
        let left = token.until - Instant::now();
        assert!(left > Duration::from_secs(260) && left <= Duration::from_secs(270));
        let token = Token::read(br#"{"token":"t","access_token":"a"}"#).unwrap();
        assert_eq!(token.secret.expose(), "t");
        assert!(token.until - Instant::now() <= USUAL_LIFE);
        assert!(token.is_fresh());
        for bad in ["", "{}", r#"{"token":""}"#, r#"{"token":7}"#, "[]"] {
            assert!(Token::read(bad.as_bytes()).is_none(), "{bad}");
        }
        for odd in ["-5", "1e300", "0"] {
            let body = format!(r#"{{"token":"t","expires_in":{odd}}}"#);
            assert!(Token::read(body.as_bytes()).unwrap().until <= Instant::now() + LONGEST_LIFE);
        }
    }

    #[test]
    fn no_header_of_ours_can_print() {
        let header = basic("u", &Secret::new("p")).unwrap();
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(bearer(&Secret::new("a\nb")).is_none());
    }
}
