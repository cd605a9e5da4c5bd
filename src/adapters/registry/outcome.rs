//! What a registry's refusal or silence means, in words that say what was tried and what to try.
//!
//! All words of failures are made here. No function here sees a secret.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;

use super::limits::retry_after;
use super::transport::{Broken, Reply};
use crate::core::failure::{RegistryFailure, RegistryTrouble as Trouble};
use crate::core::image::DOCKER_HUB;
use crate::core::names::RegistryHost;
use crate::core::remote::Route;
use crate::core::text::clean_within;

/// How a request was identified when the registry answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The registry asked for nothing.
    Open,
    /// With credentials of that name.
    Named(String),
    /// With a token that everybody gets.
    Anonymous,
}

/// Whom was asked for what; the beginning of every sentence.
#[derive(Debug, Clone)]
pub(super) struct Asked<'a> {
    pub registry: &'a RegistryHost,
    pub route: &'a Route,
    /// Such as `the digest of ghcr.io/me/app:1`.
    pub purpose: &'a str,
}

impl Asked<'_> {
    /// Names the registry, and the host through which it is asked.
    pub(super) fn place(&self) -> String {
        match self.route {
            Route::Here => self.registry.to_string(),
            Route::Via(host) => format!("{} (through {host})", self.registry),
        }
    }

    fn failure(&self, trouble: Trouble, how: &str, remedy: impl Into<String>) -> RegistryFailure {
        let what = format!("asked {} for {}: {how}", self.place(), self.purpose);
        RegistryFailure::new(trouble, what, remedy)
    }

    /// Says that what came back contradicts itself.
    pub(super) fn lied(&self, how: &str) -> RegistryFailure {
        self.failure(
            Trouble::Lied,
            how,
            "look at the registry, or at a proxy before it",
        )
    }

    /// Says that the registry pointed to another place.
    pub(super) fn elsewhere(&self, how: &str) -> RegistryFailure {
        self.failure(
            Trouble::Elsewhere,
            how,
            "not followed; look at the registry's external address",
        )
    }

    /// Says that the tag has no image for the platform.
    pub(super) fn no_platform(&self, wanted: &str, offered: &str) -> RegistryFailure {
        self.failure(
            Trouble::NoPlatform,
            &format!("no image for {wanted}; there are {offered}"),
            "build it for this platform, or name another tag",
        )
    }

    /// Says that the reference leads to nothing that can be asked.
    pub(super) fn bad_reference(&self, how: &str) -> RegistryFailure {
        self.failure(Trouble::BadReference, how, "correct the reference")
    }

    /// Says that the registry wants to be left alone for a while.
    pub(super) fn rate_limited(&self, wait: Duration, words: &str) -> RegistryFailure {
        let mut how = "too many requests (429)".to_owned();
        if !words.is_empty() {
            how.push_str(&format!(", it says: {words}"));
        }
        let remedy = if self.registry.as_str() == DOCKER_HUB {
            "waits by itself; docker login raises the limit"
        } else {
            "waits by itself"
        };
        let mut failure = self.failure(Trouble::RateLimited, &how, remedy);
        failure.status = Some(429);
        failure.retry_after = Some(signed(wait));
        failure
    }

    /// Says that nothing is asked before the registry's pause ends.
    pub(super) fn paused(&self, left: Duration, words: &str) -> RegistryFailure {
        let mut failure = self.rate_limited(left, words);
        failure.what = format!(
            "{} not asked for {}: it wants to be left alone for another {} s{}",
            self.place(),
            self.purpose,
            left.as_secs() + 1,
            if words.is_empty() {
                String::new()
            } else {
                format!(", it said: {words}")
            }
        );
        failure
    }

    /// Says why there was no answer at all.
    pub(super) fn broken(&self, server: &str, broken: &Broken) -> RegistryFailure {
        let host = self.registry;
        match broken {
            Broken::NoSuchName => self.failure(
                Trouble::Away,
                &format!("the name {server} does not resolve"),
                "check the name, or ask through the host that knows it with via:",
            ),
            Broken::Refused => self.failure(
                Trouble::Away,
                &format!("{server} refuses the connection"),
                "is the registry running?",
            ),
            Broken::TimedOut(after) => self.failure(
                Trouble::TimedOut,
                &format!("no answer from {server} within {} s", after.as_secs_f32()),
                "is the registry reachable from here? see via: in the configuration",
            ),
            Broken::Certificate { why, seen } => {
                let mut remedy = format!(
                    "add ca_file: or fingerprint: to {{host: \"{host}\"}} under registries"
                );
                if let Some(seen) = seen {
                    remedy.push_str(&format!(" (it shows sha256 {seen})"));
                }
                self.failure(Trouble::Certificate, why, remedy)
            }
            Broken::PlainHttp => self.failure(
                Trouble::PlainHttp,
                &format!("{server} answers in plain http where https was asked"),
                format!("add {{host: \"{host}\", plain_http: true}} under registries"),
            ),
            Broken::TooLarge(limit) => self.failure(
                Trouble::TooLarge,
                &format!("the answer is larger than {} KiB", limit >> 10),
                "no real image needs that; look at what the registry serves",
            ),
            Broken::NoRoute(why) => self.failure(
                Trouble::NoRoute,
                &clean_within(why, 200),
                "it is asked again once the host is connected",
            ),
            Broken::Closed(why) => self.failure(
                Trouble::NoRoute,
                &format!(
                    "the host lets no connection through ({})",
                    clean_within(why, 200)
                ),
                "allow tcp forwarding for this login in the host's sshd_config",
            ),
            Broken::Lost(why) => self.failure(
                Trouble::Away,
                &format!(
                    "the connection to {server} broke ({})",
                    clean_within(why, 200)
                ),
                "is that a registry, and running?",
            ),
        }
    }

    /// Says what a 401 means.
    pub(super) fn unauthorized(&self, standing: &Standing, hint: Option<&str>) -> RegistryFailure {
        let (how, remedy) = match standing {
            Standing::Named(name) => (
                format!("it refuses the credentials {name} (401)"),
                format!("run docker login {}", self.login()),
            ),
            Standing::Anonymous | Standing::Open => (
                match hint {
                    Some(hint) => format!("it wants credentials (401); {hint}"),
                    None => "it wants credentials (401) and docker's config has none for it; \
                             missing and private may look alike"
                        .to_owned(),
                },
                format!("run docker login {}", self.login()),
            ),
        };
        with_status(self.failure(Trouble::Unauthorized, &how, remedy), 401)
    }

    /// Says what a 403, or a token that does not reach, means.
    pub(super) fn denied(&self, standing: &Standing, status: u16, body: &[u8]) -> RegistryFailure {
        let who = match standing {
            Standing::Named(name) => format!("to {name} "),
            Standing::Anonymous => "without credentials ".to_owned(),
            Standing::Open => String::new(),
        };
        let said = said(body);
        let how = format!("access {who}is denied ({status}){said}; missing and private look alike");
        let remedy = match standing {
            Standing::Named(_) => "check the name, and what this login may read".to_owned(),
            _ => format!("check the name, or run docker login {}", self.login()),
        };
        with_status(self.failure(Trouble::Denied, &how, remedy), status)
    }

    /// Says what a 404 means, which depends on who asked and what the body says.
    pub(super) fn not_found(&self, standing: &Standing, body: &[u8]) -> RegistryFailure {
        let code = error_code(body);
        let believed = match (code.as_deref(), standing) {
            // Whoever may read a repository's manifests is told the truth about them.
            (Some("MANIFEST_UNKNOWN"), _) => true,
            // A private repository may be hidden behind this word from those without a login.
            (Some("NAME_UNKNOWN"), Standing::Anonymous) => false,
            (Some("NAME_UNKNOWN"), _) => true,
            _ => false,
        };
        let said = said(body);
        let failure = if believed {
            let who = match standing {
                Standing::Named(name) => format!(" to {name}"),
                _ => String::new(),
            };
            self.failure(
                Trouble::Gone,
                &format!("the registry says{who} that it does not exist (404){said}"),
                "name another tag, or push it again",
            )
        } else if code.is_some() {
            self.failure(
                Trouble::NotFound,
                &format!("not found (404){said}; missing and private may look alike"),
                format!("check the name, or run docker login {}", self.login()),
            )
        } else {
            self.failure(
                Trouble::NotFound,
                "not found (404), without a registry's own error",
                "is that a registry? look at the address, or at a proxy before it",
            )
        };
        with_status(failure, 404)
    }

    /// Says what any other status means.
    pub(super) fn unexpected(&self, reply: &Reply) -> RegistryFailure {
        let status = reply.status;
        let body = String::from_utf8_lossy(&reply.body);
        let failure = if body.contains("HTTP request to an HTTPS server") {
            self.failure(
                Trouble::Away,
                "it speaks https where plain http was asked",
                format!(
                    "take plain_http from {{host: \"{}\"}} under registries",
                    self.registry
                ),
            )
        } else if status.is_server_error() {
            let mut failure = self.failure(
                Trouble::ServerError,
                &format!("the registry failed ({status}){}", said(&reply.body)),
                "look at the registry's log",
            );
            failure.retry_after = retry_after(&reply.headers, SystemTime::now()).map(signed);
            failure
        } else {
            self.failure(
                Trouble::Lied,
                &format!(
                    "an answer that no registry gives ({status}){}",
                    said(&reply.body)
                ),
                "is that a registry? look at the address, or at a proxy before it",
            )
        };
        with_status(failure, status.as_u16())
    }

    fn login(&self) -> &str {
        match self.registry.as_str() {
            DOCKER_HUB => "",
            other => other,
        }
    }
}

/// Tells whether a body is the registry's own error about too many requests.
pub(super) fn is_rate_limit(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_client_error() && error_code(body).as_deref() == Some("TOOMANYREQUESTS"))
}

/// Returns the registry's own words, cleaned and cut.
pub(super) fn message(body: &[u8]) -> String {
    let told = errors(body);
    let words = told
        .first()
        .map(|error| match error.message.is_empty() {
            true => error.code.clone(),
            false => error.message.clone(),
        })
        .unwrap_or_default();
    clean_within(&words, 200)
}

fn said(body: &[u8]) -> String {
    match message(body) {
        words if words.is_empty() => String::new(),
        words => format!(", it says: {words}"),
    }
}

fn error_code(body: &[u8]) -> Option<String> {
    errors(body).into_iter().next().map(|error| error.code)
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

fn errors(body: &[u8]) -> Vec<ErrorEntry> {
    serde_json::from_slice::<ErrorBody>(body)
        .map(|body| body.errors)
        .unwrap_or_default()
}

fn with_status(mut failure: RegistryFailure, status: u16) -> RegistryFailure {
    failure.status = Some(status);
    failure
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(standing: &Standing, body: &str) -> Trouble {
        let registry = RegistryHost::from("r.lan");
        let asked = Asked {
            registry: &registry,
            route: &Route::Here,
            purpose: "x:1",
        };
        asked.not_found(standing, body.as_bytes()).trouble
    }

    #[test]
    fn a9_only_a_registry_that_would_know_says_gone() {
        let named = Standing::Named("me".to_owned());
        let manifest = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        let name = r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#;
        for (standing, body, expected) in [
            (&Standing::Open, manifest, Trouble::Gone),
            (&Standing::Open, name, Trouble::Gone),
            (&named, manifest, Trouble::Gone),
            (&named, name, Trouble::Gone),
            (&Standing::Anonymous, manifest, Trouble::Gone),
            (&Standing::Anonymous, name, Trouble::NotFound),
            (&Standing::Open, "", Trouble::NotFound),
            (&Standing::Open, "<html>404</html>", Trouble::NotFound),
            (
                &named,
                r#"{"errors":[{"code":"NOT_FOUND"}]}"#,
                Trouble::NotFound,
            ),
        ] {
            assert_eq!(trouble(standing, body), expected, "{standing:?} {body}");
        }
    }

    #[test]
    fn e1_a_registry_s_words_cannot_steer_a_terminal() {
        let body = br#"{"errors":[{"code":"X","message":"\u001b]0;owned\u0007 \u202e"}]}"#;
        assert_eq!(message(body), "^[]0;owned^G ?");
    }
}
