//! GitHub's API: requests with ETags, the rate limit, logs that lie elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;

use crate::adapters::github_token;
use crate::adapters::registry::system_tls;
use crate::adapters::secret::Secret;
use crate::core::builds::SourceFailure;
use crate::core::text::clean_within;

use super::answers::Answers;

/// The largest answer that is taken in.
const LARGEST: usize = 8 << 20;
/// How many bytes of answers are kept to be asked for by their ETags.
const KEPT: usize = 16 << 20;
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come before an exchange is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a limit is waited for that does not say until when.
const UNTOLD: u64 = 60;

/// The API of one address.
pub(super) struct Api {
    base: String,
    token: Option<Secret>,
    token_env: Option<String>,
    client: Option<Client>,
    known: Answers,
    /// The limit is used up until then.
    limited: Option<Timestamp>,
}

/// What came of asking for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    Read,
    NotYet,
    Gone,
}

impl Api {
    /// Prepares to ask; the token is read from the environment.
    pub(super) fn new(base: Option<&str>, token_env: Option<&str>) -> Self {
        let token = token_env.and_then(|name| std::env::var(name).ok());
        Self {
            base: base
                .unwrap_or(github_token::API)
                .trim_end_matches('/')
                .to_owned(),
            token: token
                .filter(|token| !token.trim().is_empty())
                .map(|token| Secret::new(token.trim())),
            token_env: token_env.map(str::to_owned),
            client: None,
            known: Answers::new(KEPT),
            limited: None,
        }
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks for a document; what did not change is not sent again.
    pub(super) async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
    ) -> Result<T, SourceFailure> {
        let url = self.url(path)?;
        let known = self.known.get(path).map(|answer| answer.tag.clone());
        let response = self.send(&url, known.as_deref()).await?;
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some(answer) = self.known.get(path)
        {
            return read(path, &answer.body);
        }
        let tag = header(response.headers(), "etag").map(str::to_owned);
        let response = self.judged(path, response).await?;
        let body = collect(path, response).await?;
        if let Some(tag) = tag {
            self.known.keep(path, tag, &body);
        }
        read(path, &body)
    }

    /// Reads a log as a stream, from wherever the API says that it lies.
    pub(super) async fn log(
        &mut self,
        path: &str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Log, SourceFailure> {
        let url = self.url(path)?;
        let mut response = self.send(&url, None).await?;
        if response.status().is_redirection() {
            let place =
                header(response.headers(), "location").and_then(|place| url.join(place).ok());
            let place = place.ok_or_else(|| {
                SourceFailure::new(
                    format!("{path}: a redirection leads nowhere"),
                    "tried again by itself",
                )
            })?;
            // The token is the API's; where logs are kept the address itself is the key.
            let request = self.client().await?.get(place);
            let sent = tokio::time::timeout(SILENCE, request.send()).await;
            response = sent
                .map_err(|_| silent(path))?
                .map_err(|error| lost(path, &error))?;
        }
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(Log::NotYet),
            StatusCode::GONE => return Ok(Log::Gone),
            _ => {}
        }
        let mut response = self.judged(path, response).await?;
        loop {
            let piece = tokio::time::timeout(SILENCE, response.chunk()).await;
            let piece = piece.map_err(|_| silent(path))?;
            match piece.map_err(|error| lost(path, &error))? {
                Some(piece) => take(&piece),
                None => return Ok(Log::Read),
            }
        }
    }

    async fn send(&mut self, url: &Url, etag: Option<&str>) -> Result<Response, SourceFailure> {
        if let Some(until) = self.limited {
            let left = until.duration_since(Timestamp::now()).as_secs();
            if left > 0 {
                return Err(self.used_up(left.unsigned_abs()));
            }
            self.limited = None;
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            "accept",
            HeaderValue::from_static("application/vnd.github+json"),
        );
        headers.insert(
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static("2022-11-28"),
        );
        if let Some(token) = &self.token {
            if !is_private(url) {
                return Err(SourceFailure::new(
                    format!("{} would be told the token in clear text", self.base),
                    "give `api` as https://",
                ));
            }
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| {
                SourceFailure::new(
                    "the token holds characters that cannot be sent",
                    "set it anew",
                )
            })?;
            value.set_sensitive(true);
            headers.insert("authorization", value);
        }
        if let Some(value) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.insert("if-none-match", value);
        }
        let request = self.client().await?.get(url.clone()).headers(headers);
        let sent = tokio::time::timeout(SILENCE, request.send()).await;
        let response = sent
            .map_err(|_| silent(url.path()))?
            .map_err(|error| lost(url.path(), &error))?;
        self.note_limit(&response);
        Ok(response)
    }

    /// Takes note of a limit that is used up with this answer, so that the next request waits.
    fn note_limit(&mut self, response: &Response) {
        let number =
            |name| header(response.headers(), name).and_then(|text| text.parse::<i64>().ok());
        if number("x-ratelimit-remaining") == Some(0)
            && let Some(reset) =
                number("x-ratelimit-reset").and_then(|at| Timestamp::from_second(at).ok())
        {
            self.limited = Some(reset);
        }
    }

    /// Passes on a good answer and explains a bad one.
    async fn judged(&mut self, path: &str, response: Response) -> Result<Response, SourceFailure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after =
            header(response.headers(), "retry-after").and_then(|text| text.parse::<u64>().ok());
        let until = self
            .limited
            .map(|until| until.duration_since(Timestamp::now()).as_secs());
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN && (after.is_some() || until.is_some()));
        if limited {
            let wait = after.or(until.map(|left| left.max(1).unsigned_abs()));
            return Err(self.used_up(wait.unwrap_or(UNTOLD)));
        }
        let said = message(response).await;
        let variable = self.token_env.as_deref().unwrap_or("token_env");
        Err(match status {
            StatusCode::UNAUTHORIZED => SourceFailure::new(
                format!(
                    "{} takes the token of {variable} no more: {said}",
                    self.base
                ),
                format!("put a valid token into {variable}"),
            ),
            StatusCode::FORBIDDEN => SourceFailure::new(
                format!("{path}: {said} (403)"),
                format!("the token of {variable} needs the right to read actions"),
            ),
            StatusCode::NOT_FOUND if self.token.is_none() => SourceFailure::new(
                format!("{path}: {said} (404)"),
                format!("check repository and workflow; a private one needs a token in {variable}"),
            ),
            StatusCode::NOT_FOUND => SourceFailure::new(
                format!("{path}: {said} (404)"),
                "check repository and workflow, and whether the token may see them",
            ),
            status => SourceFailure::new(
                format!("{path}: {said} ({status})"),
                "tried again by itself",
            ),
        })
    }

    fn used_up(&self, seconds: u64) -> SourceFailure {
        let remedy = match &self.token {
            Some(_) => "it goes on by itself".to_owned(),
            None => "it goes on by itself; a token in token_env allows more".to_owned(),
        };
        let what = format!(
            "the rate limit of {} is used up for {} min",
            self.base,
            seconds.div_ceil(60)
        );
        let mut failure = SourceFailure::new(what, remedy);
        failure.retry_after = Some(seconds);
        failure
    }

    fn url(&self, path: &str) -> Result<Url, SourceFailure> {
        Url::parse(&format!("{}{path}", self.base)).map_err(|error| {
            SourceFailure::new(
                format!("{}: {error}", self.base),
                "check `api` of this source",
            )
        })
    }

    async fn client(&mut self) -> Result<&Client, SourceFailure> {
        if self.client.is_none() {
            let broken =
                |why: String| SourceFailure::new(format!("cannot prepare to ask: {why}"), "");
            let tls = tokio::task::spawn_blocking(system_tls)
                .await
                .map_err(|error| broken(error.to_string()))?
                .map_err(broken)?;
            let mut builder = Client::builder()
                .tls_backend_preconfigured(tls)
                .redirect(redirect::Policy::none())
                .referer(false)
                .connect_timeout(CONNECT)
                .user_agent(concat!("homelab-tui/", env!("CARGO_PKG_VERSION")));
            let host = Url::parse(&self.base).ok();
            let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
            if host == "localhost" || host.starts_with("127.") || host == "[::1]" {
                builder = builder.no_proxy();
            }
            let client = builder.build().map_err(|error| broken(error.to_string()))?;
            return Ok(self.client.insert(client));
        }
        self.client
            .as_ref()
            .ok_or_else(|| SourceFailure::new("cannot prepare to ask", ""))
    }
}

/// Tells whether nobody on the way can read what is sent.
fn is_private(url: &Url) -> bool {
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    url.scheme() == "https" || loopback
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn read<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, SourceFailure> {
    serde_json::from_slice(body).map_err(|error| {
        SourceFailure::new(
            format!("{path}: the answer cannot be read: {error}"),
            "is `api` really GitHub's?",
        )
    })
}

async fn collect(path: &str, mut response: Response) -> Result<Vec<u8>, SourceFailure> {
    let mut body = Vec::new();
    loop {
        let piece = tokio::time::timeout(SILENCE, response.chunk()).await;
        match piece
            .map_err(|_| silent(path))?
            .map_err(|error| lost(path, &error))?
        {
            None => return Ok(body),
            Some(piece) if body.len() + piece.len() > LARGEST => {
                return Err(SourceFailure::new(
                    format!("{path}: the answer is larger than 8 MB"),
                    "",
                ));
            }
            Some(piece) => body.extend_from_slice(&piece),
        }
    }
}

/// Returns what the API says about a refusal.
async fn message(response: Response) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    let body = collect("", response).await.unwrap_or_default();
    let said: Option<Said> = serde_json::from_slice(&body).ok();
    said.map_or_else(
        || "no reason given".to_owned(),
        |said| clean_within(&said.message, 200),
    )
}

fn lost(path: &str, error: &reqwest::Error) -> SourceFailure {
    // The address may hold the key to a log.
    let mut words = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        words = error.to_string();
        cause = error.source();
    }
    let what = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        words
    };
    SourceFailure::new(
        format!("asking for {path}: {what}"),
        "tried again by itself",
    )
}

fn silent(path: &str) -> SourceFailure {
    SourceFailure::new(
        format!(
            "asking for {path}: nothing came for {} s",
            SILENCE.as_secs()
        ),
        "tried again by itself",
    )
}
