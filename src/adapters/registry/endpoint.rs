//! One registry, asked from one place: where it is, how it is spoken to, and how hard.
//!
//! Sends single requests and follows redirects as far as they may be followed. Who asks is `errand`'s subject.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderValue, StatusCode};
use reqwest::Url;

use super::auth::Auth;
use super::limits::Limits;
use super::outcome::{self, Asked};
use super::trail::Trail;
use super::transport::{Broken, Call, Reply, Transport};
use crate::core::digest::Digest;
use crate::core::failure::RegistryFailure;
use crate::core::image::DOCKER_HUB;
use crate::core::names::RegistryHost;
use crate::core::remote::Route;
use crate::core::text::clean_within;

const HOPS: usize = 5;

/// How far a redirect may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// To another path of the same server.
    SameOrigin,
    /// To any server: the digest proves the bytes. Nothing that identifies us goes along.
    Anywhere,
}

/// A registry and the way to it.
pub(super) struct Endpoint {
    pub registry: RegistryHost,
    pub route: Route,
    pub limits: Limits,
    pub auth: Auth,
    /// Host and port as they are connected to.
    authority: String,
    /// Docker itself takes registries of the loopback without TLS.
    loopback: bool,
    scheme: Mutex<&'static str>,
    /// Whether it answered over TLS once; from then on nothing is sent to it in clear text.
    speaks_tls: AtomicBool,
    transport: Box<dyn Transport>,
    /// Whether the host through which it is asked lets no connection through.
    closed: AtomicBool,
    /// For registries that tell no digest: the last answer's mark, by what was asked for.
    etags: Mutex<HashMap<String, (HeaderValue, Digest)>>,
}

impl Endpoint {
    /// Puts the parts together.
    pub(super) fn new(
        registry: RegistryHost,
        route: Route,
        plain_http: bool,
        transport: Box<dyn Transport>,
        limits: Limits,
        auth: Auth,
    ) -> Self {
        let authority = match registry.as_str() {
            DOCKER_HUB => "registry-1.docker.io".to_owned(),
            other => other.to_owned(),
        };
        Self {
            loopback: registry.is_loopback(),
            scheme: Mutex::new(if plain_http { "http" } else { "https" }),
            speaks_tls: AtomicBool::new(false),
            registry,
            route,
            limits,
            auth,
            authority,
            transport,
            closed: AtomicBool::new(false),
            etags: Mutex::default(),
        }
    }

    /// Tells whether the last request found that the host lets no connection through.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Returns the mark and the digest of the last answer to a path.
    pub(super) fn etag(&self, origin: &str, path: &str) -> Option<(HeaderValue, Digest)> {
        let etags = self.etags.lock().unwrap_or_else(PoisonError::into_inner);
        etags.get(&format!("{origin} {path}")).cloned()
    }

    /// Remembers the mark of an answer.
    pub(super) fn keep_etag(&self, origin: &str, path: &str, etag: HeaderValue, digest: Digest) {
        let mut etags = self.etags.lock().unwrap_or_else(PoisonError::into_inner);
        if etags.len() >= 1000 {
            etags.clear();
        }
        etags.insert(format!("{origin} {path}"), (etag, digest));
    }

    /// Returns the address of a path of this registry, as it is spoken to now.
    pub(super) fn url(&self, path_and_query: &str) -> Option<Url> {
        let scheme = self.scheme();
        format!("{scheme}://{}{path_and_query}", self.authority)
            .parse()
            .ok()
    }

    /// Tells whether passwords and tokens may be sent to the address: never in clear text by a
    /// registry that is itself asked over TLS.
    pub(super) fn may_identify_at(&self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && self.scheme() == "http")
    }

    /// Begins the sentences about a failure.
    pub(super) fn asked<'a>(&'a self, purpose: &'a str) -> Asked<'a> {
        Asked {
            registry: &self.registry,
            route: &self.route,
            purpose,
        }
    }

    /// Sends a request and returns what came back, unless the registry is away or wants to be left alone.
    ///
    /// `since` is when the caller began to wait: a registry that went away meanwhile is not asked again.
    pub(super) async fn transmit(
        &self,
        trail: &Trail,
        call: Call,
        follow: Follow,
        purpose: &str,
        since: Instant,
    ) -> Result<Reply, RegistryFailure> {
        let _slot = self.limits.slot().await;
        let asked = self.asked(purpose);
        if let Some(pause) = self.limits.pause() {
            let left = pause.until.saturating_duration_since(Instant::now());
            return Err(asked.paused(left, &pause.words));
        }
        if let Some(failure) = self.limits.away_since(since) {
            return Err(failure);
        }
        let mut call = call;
        let start = call.url.origin();
        for _ in 0..=HOPS {
            let server = call.url.host_str().unwrap_or_default().to_owned();
            let reply = match self.exchange(trail, &mut call).await {
                Ok(reply) => reply,
                Err(broken) => {
                    let closed = matches!(broken, Broken::Closed(_));
                    self.closed.store(closed, Ordering::Relaxed);
                    let failure = asked.broken(&server, &broken);
                    // A store of blobs elsewhere that is away says nothing of the registry.
                    if failure.is_registry_away() && call.url.origin() == start {
                        self.limits.is_away(&failure);
                    }
                    return Err(failure);
                }
            };
            if outcome::is_rate_limit(reply.status, &reply.body) {
                let words = outcome::message(&reply.body);
                let wait = self.limits.refused(&reply.headers, &words);
                return Err(asked.rate_limited(wait, &words));
            }
            self.limits.answered(&reply.headers);
            self.closed.store(false, Ordering::Relaxed);
            let Some(target) = redirect(&call.url, &reply) else {
                return Ok(reply);
            };
            let target = target.map_err(|how| asked.elsewhere(&how))?;
            if target.origin() != call.url.origin() {
                if follow == Follow::SameOrigin {
                    return Err(asked.elsewhere(&format!(
                        "it redirects to {}",
                        clean_within(&target.origin().ascii_serialization(), 100)
                    )));
                }
                call.headers.remove(AUTHORIZATION);
            }
            call.url = target;
        }
        Err(asked.elsewhere("it redirects without end"))
    }

    /// Sends once, and once more in plain http to a registry of the loopback that does not speak TLS.
    async fn exchange(&self, trail: &Trail, call: &mut Call) -> Result<Reply, Broken> {
        let result = self.timed(trail, call).await;
        let own = call.url.scheme() == "https"
            && self
                .url("/")
                .is_some_and(|own| own.origin() == call.url.origin());
        if own && result.is_ok() {
            self.speaks_tls.store(true, Ordering::Relaxed);
        }
        let may_be_plain = own && self.loopback && !self.speaks_tls.load(Ordering::Relaxed);
        match result {
            Err(Broken::PlainHttp | Broken::Lost(_)) if may_be_plain => {
                // The setter refuses only schemes of another kind.
                if call.url.set_scheme("http").is_err() {
                    return Err(Broken::PlainHttp);
                }
                // A port that was left out is that of the scheme, which changed with it.
                let reply = self.timed(trail, call).await?;
                *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = "http";
                Ok(reply)
            }
            other => other,
        }
    }

    async fn timed(&self, trail: &Trail, call: &Call) -> Result<Reply, Broken> {
        let started = Instant::now();
        let result = self.transport.send(call.clone()).await;
        let status = result.as_ref().ok().map(|reply| reply.status);
        trail.request(&call.method, &call.url, status, started.elapsed());
        result
    }

    fn scheme(&self) -> &'static str {
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns where a redirect leads, or why it leads nowhere.
fn redirect(from: &Url, reply: &Reply) -> Option<Result<Url, String>> {
    let moved = matches!(
        reply.status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = reply.header(LOCATION.as_str()).filter(|_| moved)?;
    let target = match from.join(location) {
        Ok(target) => target,
        Err(_) => return Some(Err("it redirects to no address".to_owned())),
    };
    if matches!(target.scheme(), "http" | "https") && target.host_str().is_some() {
        Some(Ok(target))
    } else {
        let scheme = clean_within(target.scheme(), 20);
        Some(Err(format!("it redirects to a {scheme}: address")))
    }
}
