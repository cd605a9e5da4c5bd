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

use crate::adapters::secret::Secret;
use crate::core::failure::{HostFailure, HostTrouble};

use super::dial::Way;
use super::line::{Ask, Line};
use super::pool::Pool;
use super::reply::{MOST_BODY, Reply};
use super::words;

/// The newest API that this program was tried with.
const OURS: (usize, usize) = (1, 51);
/// The oldest API that has what is asked for.
const OLDEST: (usize, usize) = (1, 40);
const TIMEOUT: Duration = Duration::from_secs(20);
/// Lists of engines with thousands of images take their time on small machines.
const BATCH_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to an engine that answered.
#[derive(Debug, Clone)]
pub struct Link {
    line: Line,
    /// For streams without end, for what takes long, and for changes.
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
        let line = Line::new(way.clone());
        let answer = ping(&line).await?;
        let theirs = answer.api_version.as_deref().and_then(version);
        let theirs =
            theirs.ok_or_else(|| words::bad_answer("/_ping", "it names no API version"))?;
        if theirs < OLDEST {
            return Err(HostFailure::new(
                HostTrouble::EngineVersion,
                format!("the engine is too old: API {}.{}", theirs.0, theirs.1),
                "engines from 19.03 (API 1.40) on are supported",
            ));
        }
        let clock = answer.date.as_deref().and_then(|text| {
            let time = jiff::fmt::rfc2822::parse(text).ok()?;
            Some(time.timestamp().as_second())
        });
        // The first answer's time holds the making of the connection; the second one's is the round trip.
        let started = Instant::now();
        ping(&line).await?;
        let rtt = started.elapsed();
        let api = theirs.min(OURS);
        let pool = Pool::new(way.clone());
        let docker = docker(pool.clone(), api)?;
        Ok(Self {
            line,
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
        ping(&self.line).await?;
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

    /// Asks for several documents at once; the answers come in the same order.
    pub(super) async fn ask(&self, paths: &[String]) -> Result<Vec<Answer>, HostFailure> {
        let asks: Vec<Ask> = paths
            .iter()
            .map(|path| Ask::Get(format!("/v{}{path}", self.api())))
            .collect();
        let replies = self.line.ask(&asks, BATCH_TIMEOUT).await?;
        let answers = replies.into_iter().zip(paths).map(|(reply, path)| Answer {
            asked: bare(path).to_owned(),
            status: reply.status,
            body: reply.body,
        });
        Ok(answers.collect())
    }

    /// Asks for a document that may take long, without holding up the others.
    pub(super) async fn ask_apart(
        &self,
        path: &str,
        auth: Option<&Secret>,
    ) -> Result<Answer, HostFailure> {
        let asked = bare(path);
        let work = async {
            let mut request = request(Method::GET, &format!("/v{}{path}", self.api()));
            if let Some(mut value) =
                auth.and_then(|auth| header::HeaderValue::from_str(auth.expose()).ok())
            {
                value.set_sensitive(true);
                request.headers_mut().insert("x-registry-auth", value);
            }
            let answer = self.pool.send(request).await?;
            Ok(Answer {
                asked: asked.to_owned(),
                status: answer.status().as_u16(),
                body: body(answer, asked).await?,
            })
        };
        within(asked, BATCH_TIMEOUT, work).await
    }

    /// Lets go of idle connections.
    pub fn clear(&self) {
        self.line.clear();
        self.pool.clear();
    }
}

/// What an engine answered to one question.
#[derive(Debug)]
pub(super) struct Answer {
    asked: String,
    pub status: u16,
    body: Bytes,
}

impl Answer {
    /// Reads the document; nothing where the engine answered 404.
    pub fn found<T: DeserializeOwned>(&self) -> Result<Option<T>, HostFailure> {
        match self.status {
            200..=299 => serde_json::from_slice(&self.body)
                .map(Some)
                .map_err(|error| words::bad_answer(&self.asked, &error.to_string())),
            404 => Ok(None),
            status => Err(words::status_failure(status, &self.words(), &self.asked)),
        }
    }

    /// Reads a document that every engine has.
    pub fn document<T: DeserializeOwned>(&self) -> Result<T, HostFailure> {
        self.found()?
            .ok_or_else(|| words::status_failure(404, &self.words(), &self.asked))
    }

    /// Returns the engine's own words of a refusal.
    pub fn words(&self) -> String {
        message(&self.body)
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
    let timeout = BATCH_TIMEOUT.as_secs();
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

async fn ping(line: &Line) -> Result<Reply, HostFailure> {
    // HEAD is unknown to some proxies.
    for ask in [
        Ask::Head("/_ping".to_owned()),
        Ask::Get("/_ping".to_owned()),
    ] {
        let replies = line.ask(std::slice::from_ref(&ask), TIMEOUT).await?;
        match replies.into_iter().next() {
            Some(reply) if (200..300).contains(&reply.status) => return Ok(reply),
            Some(reply) if matches!(ask, Ask::Get(_)) => {
                let message = message(&reply.body);
                return Err(words::status_failure(reply.status, &message, "/_ping"));
            }
            _ => {}
        }
    }
    Err(words::bad_answer("/_ping", "there is none"))
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
    let limited = Limited::new(answer.into_body(), MOST_BODY);
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
