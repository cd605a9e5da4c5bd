//! An engine that answers: the version spoken with it, and requests whose answers are bounded in size and time.
//!
//! The link can send anything; what of it may be sent is decided by [`Observer`](super::Observer) and
//! [`Operator`](super::Operator).

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bollard::{BollardRequest, ClientVersion, Docker};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::core::failure::{HostFailure, HostTrouble};

use super::dial::Way;
use super::pool::Pool;
use super::words;

/// The newest API that this program was tried with.
const OURS: (usize, usize) = (1, 51);
/// The oldest API that has what is asked for.
const OLDEST: (usize, usize) = (1, 40);
const TIMEOUT: Duration = Duration::from_secs(20);
/// Lists of engines with thousands of images take their time on small machines.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A connection to an engine that answered.
#[derive(Debug, Clone)]
pub struct Link {
    pool: Pool,
    way: Way,
    docker: Docker,
    api: (usize, usize),
    rtt: Duration,
    /// The engine's clock when it first answered, in seconds since 1970.
    clock: Option<i64>,
}

impl Link {
    /// Asks the engine for its version and measures a round trip.
    pub async fn connect(way: Way) -> Result<Self, HostFailure> {
        let pool = Pool::new(way.clone());
        let answer = ping(&pool).await?;
        let theirs = answer.headers().get("Api-Version");
        let theirs = theirs
            .and_then(|value| value.to_str().ok())
            .and_then(version)
            .ok_or_else(|| words::bad_answer("/_ping", "it names no API version"))?;
        if theirs < OLDEST {
            return Err(HostFailure::new(
                HostTrouble::EngineVersion,
                format!("the engine is too old: API {}.{}", theirs.0, theirs.1),
                "engines from 19.03 (API 1.40) on are supported",
            ));
        }
        let clock = answer.headers().get(header::DATE);
        let clock = clock
            .and_then(|value| value.to_str().ok())
            .and_then(|text| {
                let time = jiff::fmt::rfc2822::parse(text).ok()?;
                Some(time.timestamp().as_second())
            });
        drop(answer);
        // The first answer's time holds the making of the connection; the second one's is the round trip.
        let started = Instant::now();
        drop(ping(&pool).await?);
        let rtt = started.elapsed();
        let api = theirs.min(OURS);
        let docker = docker(pool.clone(), api)?;
        Ok(Self {
            pool,
            way,
            docker,
            api,
            rtt,
            clock,
        })
    }

    /// Returns the client for typed requests.
    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Returns the API version that is spoken, as `1.41`.
    pub fn api(&self) -> String {
        format!("{}.{}", self.api.0, self.api.1)
    }

    /// Returns the round trip measured at the start.
    pub fn rtt(&self) -> Duration {
        self.rtt
    }

    /// Returns the engine's clock when it first answered.
    pub(super) fn clock(&self) -> Option<i64> {
        self.clock
    }

    /// Measures a round trip.
    pub async fn ping(&self) -> Result<Duration, HostFailure> {
        let started = Instant::now();
        ping(&self.pool).await?;
        Ok(started.elapsed())
    }

    /// Tells whether this way would let changes through, without trying one.
    pub async fn could_change(&self) -> bool {
        match &self.way {
            Way::Unix(_) => true,
            // A gate never shows our mark.
            Way::Command { marked, .. } => marked.load(Ordering::Relaxed),
            Way::Tcp { .. } => {
                // An engine does not know this method here (404 or 405); a read-only proxy refuses it (403).
                let request = request(Method::POST, "/_ping");
                match within("POST /_ping", TIMEOUT, self.pool.send(request)).await {
                    Ok(answer) => !matches!(
                        answer.status(),
                        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED
                    ),
                    Err(_) => false,
                }
            }
        }
    }

    /// Asks for a JSON document; the inner failure is an error status with the engine's words.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Result<T, (u16, String)>, HostFailure> {
        let asked = bare(path);
        let work = async {
            let request = request(Method::GET, &format!("/v{}{path}", self.api()));
            let answer = self.pool.send(request).await?;
            let status = answer.status();
            let body = body(answer, asked).await?;
            if !status.is_success() {
                return Ok(Err((status.as_u16(), message(&body))));
            }
            serde_json::from_slice(&body)
                .map(Ok)
                .map_err(|error| words::bad_answer(asked, &error.to_string()))
        };
        // Lists are long, and a registry that the engine asks may be slow.
        let is_one = path.starts_with("/containers/") && !path.starts_with("/containers/json")
            || path == "/version";
        let limit = if is_one { TIMEOUT } else { LIST_TIMEOUT };
        within(asked, limit, work).await
    }

    /// Asks for a JSON document; nothing where the engine answers 404.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<T>, HostFailure> {
        match self.ask(path).await? {
            Ok(found) => Ok(Some(found)),
            Err((404, _)) => Ok(None),
            Err((status, message)) => Err(words::status_failure(status, &message, bare(path))),
        }
    }

    /// Asks for a JSON document that every engine has.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, HostFailure> {
        let found = self.find(path).await?;
        found.ok_or_else(|| words::status_failure(404, "page not found", bare(path)))
    }

    /// Lets go of idle connections.
    pub fn clear(&self) {
        self.pool.clear();
    }
}

/// Builds a typed client whose requests go through the pool, with the version in their paths.
fn docker(pool: Pool, api: (usize, usize)) -> Result<Docker, HostFailure> {
    let version = ClientVersion {
        major_version: api.0,
        minor_version: api.1,
    };
    let transport = move |mut request: BollardRequest| {
        let pool = pool.clone();
        async move {
            // The crate asks without a version, which means the newest one that the engine knows.
            if let Some(uri) = versioned(request.uri(), api) {
                *request.uri_mut() = uri;
            }
            let host = header::HeaderValue::from_static("docker");
            request.headers_mut().insert(header::HOST, host);
            pool.send(request)
                .await
                .map_err(|failure| bollard::errors::Error::IOError {
                    err: io::Error::other(failure),
                })
        }
    };
    let timeout = LIST_TIMEOUT.as_secs();
    Docker::connect_with_custom_transport(transport, Some("http://docker"), timeout, &version)
        .map_err(|error| words::bad_answer("the set-up", &error.to_string()))
}

/// Puts the version in front of the path and drops scheme and host, which no engine needs.
fn versioned(uri: &Uri, api: (usize, usize)) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    let has_one = path
        .strip_prefix("/v")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if has_one {
        path.parse().ok()
    } else {
        format!("/v{}.{}{path}", api.0, api.1).parse().ok()
    }
}

async fn ping(pool: &Pool) -> Result<Response<Incoming>, HostFailure> {
    let answer = within(
        "/_ping",
        TIMEOUT,
        pool.send(request(Method::HEAD, "/_ping")),
    )
    .await?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    // HEAD is unknown to some proxies.
    let answer = within("/_ping", TIMEOUT, pool.send(request(Method::GET, "/_ping"))).await?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status().as_u16();
    let body = body(answer, "/_ping").await?;
    Err(words::status_failure(status, &message(&body), "/_ping"))
}

fn request(method: Method, path: &str) -> BollardRequest {
    let mut request = Request::new(Either::Left(Full::new(Bytes::new())));
    *request.method_mut() = method;
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let host = header::HeaderValue::from_static("docker");
    request.headers_mut().insert(header::HOST, host);
    request
}

async fn body(answer: Response<Incoming>, asked: &str) -> Result<Bytes, HostFailure> {
    let limited = Limited::new(answer.into_body(), MOST_BYTES);
    match limited.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(words::bad_answer(asked, "it is larger than 64 MB"))
        }
        Err(error) => Err(HostFailure::new(
            HostTrouble::NoConnection,
            format!("the answer to {asked} was cut off: {error}"),
            "dialled again by itself",
        )),
    }
}

async fn within<T>(
    asked: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, HostFailure>>,
) -> Result<T, HostFailure> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(words::slow(asked, limit.as_secs())),
    }
}

/// Returns the engine's own words of a refusal.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned(),
    }
}

fn bare(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

fn version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn every_path_carries_the_version() {
        let uri = |text: &str| {
            let uri: Uri = text.parse().unwrap();
            versioned(&uri, (1, 41)).unwrap().to_string()
        };
        assert_eq!(uri("http://docker/events?a=b"), "/v1.41/events?a=b");
        assert_eq!(uri("http://docker/v1.30/events"), "/v1.30/events");
        assert_eq!(uri("/version"), "/v1.41/version");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("1.9").unwrap() < version("1.41").unwrap());
        assert_eq!(version("x"), None);
        assert_eq!(message(br#"{"message":"no"}"#), "no");
        assert_eq!(message(b"Forbidden"), "Forbidden");
    }
}
