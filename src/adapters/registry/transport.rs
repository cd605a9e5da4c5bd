//! One HTTP exchange, however its bytes travel: what goes in, what comes out, and how it can break.
//!
//! A transport knows nothing of registries, credentials or digests. It follows no redirects, and no body
//! that it returns is larger than asked for.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::core::names::HostName;

/// Error bodies are read up to here and then cut.
pub(super) const ERROR_LIMIT: usize = 64 << 10;

/// A request that is ready to be sent.
#[derive(Clone)]
pub(super) struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// The largest body that a good answer may have.
    pub limit: usize,
}

/// An answer, whole.
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// Returns a header as text; one that is no text is as good as absent.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The ways in which an exchange comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The name does not resolve.
    NoSuchName,
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut(Duration),
    /// The certificate is not trusted.
    Certificate {
        why: String,
        /// The SHA-256 of the certificate that was shown.
        seen: Option<String>,
    },
    /// The other side does not speak TLS.
    PlainHttp,
    /// The body is larger than the bound.
    TooLarge(usize),
    /// The host through which to ask is not connected.
    NoRoute(String),
    /// The host through which to ask lets no connection through.
    Closed(String),
    /// The connection was lost, or what came is not HTTP.
    Lost(String),
}

/// A way to exchange one request for one answer.
pub(super) trait Transport: Send + Sync {
    /// Sends the request and waits for the whole answer.
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Broken>>;
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For a whole exchange.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(6),
            total: Duration::from_secs(20),
        }
    }
}

/// A stream of bytes to some port, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections from a host, for registries that only that host can reach.
///
/// `NotConnected` says that there is no way to the host now; `PermissionDenied` or `Unsupported` that
/// the host lets no connection through; other errors are those of the connection itself.
pub trait Dialer: Send + Sync {
    /// Connects from the host to a port of another machine, as the host itself would.
    fn dial<'a>(
        &'a self,
        host: &'a HostName,
        target: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

/// Collects a body in bounds.
pub(super) struct Collected {
    bytes: BytesMut,
    limit: usize,
    /// Whether what is above the limit is left out instead of refused.
    cut: bool,
}

impl Collected {
    /// Prepares for the body of an answer with that status.
    pub(super) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        limit: usize,
    ) -> Result<Self, Broken> {
        let cut = !status.is_success();
        let limit = if cut { ERROR_LIMIT } else { limit };
        let announced = headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if !cut && announced.is_some_and(|length| length > limit as u64) {
            return Err(Broken::TooLarge(limit));
        }
        Ok(Self {
            bytes: BytesMut::new(),
            limit,
            cut,
        })
    }

    /// Takes in a piece; `false` says that no more is wanted.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<bool, Broken> {
        let room = self.limit - self.bytes.len();
        match piece.get(..room) {
            Some(fitting) if piece.len() > room => {
                if !self.cut {
                    return Err(Broken::TooLarge(self.limit));
                }
                self.bytes.extend_from_slice(fitting);
                Ok(false)
            }
            _ => {
                self.bytes.extend_from_slice(piece);
                Ok(true)
            }
        }
    }

    /// Returns what was collected.
    pub(super) fn done(self) -> Bytes {
        self.bytes.freeze()
    }
}

/// Finds the cause of a failed exchange in a chain of errors.
pub(super) fn diagnose(error: &(dyn Error + 'static), seen: Option<String>) -> Broken {
    let mut cause = Some(error);
    let mut words = error.to_string();
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return diagnose_tls(tls, seen);
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if io.kind() == io::ErrorKind::ConnectionRefused {
                return Broken::Refused;
            }
            // What an io error wraps is not its source, and it may wrap another io error.
            if let Some(inner) = io.get_ref() {
                words = error.to_string();
                cause = Some(inner);
                continue;
            }
        }
        words = error.to_string();
        // The resolver's errors have no type of their own.
        let lower = words.to_lowercase();
        if lower.contains("failed to lookup address") || lower.contains("dns error") {
            return Broken::NoSuchName;
        }
        cause = error.source();
    }
    Broken::Lost(words)
}

fn diagnose_tls(error: &rustls::Error, seen: Option<String>) -> Broken {
    match error {
        rustls::Error::InvalidMessage(_) => Broken::PlainHttp,
        rustls::Error::InvalidCertificate(why) => Broken::Certificate {
            why: certificate_words(why),
            seen,
        },
        rustls::Error::General(why) => Broken::Certificate {
            why: why.clone(),
            seen,
        },
        other => Broken::Lost(other.to_string()),
    }
}

fn certificate_words(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "the certificate is not valid yet (is a clock wrong?)".to_owned()
        }
        E::UnknownIssuer => "the certificate's issuer is not trusted".to_owned(),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "the certificate is for another name".to_owned()
        }
        E::Revoked => "the certificate was revoked".to_owned(),
        E::ApplicationVerificationFailure => "the certificate is not the pinned one".to_owned(),
        // A self-signed end certificate without the mark of an authority comes here.
        other => format!("the certificate is not trusted: {other}"),
    }
}
