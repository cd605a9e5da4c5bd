//! The transport through a host: HTTP over streams that the host's own connection carries.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tls::Trust;
use super::transport::{
    Broken, Call, Collected, Dialer, Patience, Reply, Stream, Transport, diagnose,
};
use crate::core::names::HostName;
use crate::core::settings::RegistrySpec;

/// Connections that are kept open; each is a channel of the host's one connection.
const KEPT: usize = 3;

/// Asks through a host.
pub(super) struct Through {
    host: HostName,
    dialer: Arc<dyn Dialer>,
    spec: Option<RegistrySpec>,
    patience: Patience,
    tls: OnceCell<Trust>,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    origin: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Through {
    /// Prepares to ask through the host; nothing is opened before the first request.
    pub(super) fn new(
        host: HostName,
        dialer: Arc<dyn Dialer>,
        spec: Option<RegistrySpec>,
        patience: Patience,
    ) -> Self {
        Self {
            host,
            dialer,
            spec,
            patience,
            tls: OnceCell::new(),
            idle: Mutex::default(),
        }
    }

    async fn exchange(&self, call: Call) -> Result<Reply, Broken> {
        let origin = call.url.origin().ascii_serialization();
        if let Some(mut kept) = self.take(&origin) {
            // A kept connection may have been closed meanwhile; only then is a second one tried.
            match self.over(&mut kept, &call).await {
                Err(Broken::Lost(_)) => {}
                Ok(reply) => {
                    self.keep(kept);
                    return Ok(reply);
                }
                Err(broken) => return Err(broken),
            }
        }
        let mut fresh = Connection {
            sender: timeout(self.patience.connect, self.connect(&call.url))
                .await
                .unwrap_or(Err(Broken::TimedOut(self.patience.connect)))?,
            origin,
        };
        let reply = self.over(&mut fresh, &call).await?;
        self.keep(fresh);
        Ok(reply)
    }

    fn take(&self, origin: &str) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.sender.is_closed());
        let at = idle
            .iter()
            .position(|connection| connection.origin == origin)?;
        Some(idle.swap_remove(at))
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= KEPT {
            idle.remove(0);
        }
        idle.push(connection);
    }

    async fn connect(&self, url: &Url) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let name = url.host_str().unwrap_or_default();
        let target = name.trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(443);
        let stream = self
            .dialer
            .dial(&self.host, target, port)
            .await
            .map_err(|error| self.not_dialled(&error))?;
        if url.scheme() == "http" {
            return handshake(stream).await;
        }
        let trust = self.trust().await?;
        let mut config = ClientConfig::clone(&trust.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server = ServerName::try_from(target.to_owned())
            .map_err(|error| Broken::Lost(error.to_string()))?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(server, stream)
            .await
            .map_err(|error| lost(&error, trust.seen(target)))?;
        handshake(stream).await
    }

    async fn trust(&self) -> Result<&Trust, Broken> {
        self.tls
            .get_or_try_init(|| async {
                let spec = self.spec.clone();
                tokio::task::spawn_blocking(move || Trust::of(spec.as_ref()))
                    .await
                    .map_err(|error| Broken::Lost(error.to_string()))?
                    .map_err(|why| Broken::Certificate { why, seen: None })
            })
            .await
    }

    fn not_dialled(&self, error: &io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::NotConnected => Broken::NoRoute(error.to_string()),
            io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported => {
                Broken::Closed(error.to_string())
            }
            io::ErrorKind::ConnectionRefused => Broken::Refused,
            io::ErrorKind::TimedOut => Broken::TimedOut(self.patience.connect),
            io::ErrorKind::NotFound => Broken::NoSuchName,
            _ => Broken::Lost(error.to_string()),
        }
    }

    async fn over(&self, connection: &mut Connection, call: &Call) -> Result<Reply, Broken> {
        let lost = |error: hyper::Error| lost(&error, None);
        let sender = &mut connection.sender;
        sender.ready().await.map_err(lost)?;
        let response = sender.send_request(request(call)?).await.map_err(lost)?;
        let (head, mut body) = response.into_parts();
        let mut collected = Collected::of(head.status, &head.headers, call.limit)?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(lost)?;
            if let Some(piece) = frame.data_ref()
                && !collected.add(piece)?
            {
                break;
            }
        }
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: collected.done(),
        })
    }
}

impl Transport for Through {
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Broken>> {
        Box::pin(async move {
            timeout(self.patience.total, self.exchange(call))
                .await
                .unwrap_or(Err(Broken::TimedOut(self.patience.total)))
        })
    }
}

/// Finds why an exchange failed; a host that lets nothing through says so only once something was sent.
fn lost(error: &(dyn Error + 'static), seen: Option<String>) -> Broken {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::PermissionDenied
        {
            return Broken::Closed(io.to_string());
        }
        cause = error.source();
    }
    diagnose(error, seen)
}

async fn handshake(stream: impl Stream + 'static) -> Result<SendRequest<Full<Bytes>>, Broken> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| diagnose(&error, None))?;
    // Ends by itself once the sender is dropped or the other side closes.
    tokio::spawn(connection);
    Ok(sender)
}

fn request(call: &Call) -> Result<http::Request<Full<Bytes>>, Broken> {
    let target = match call.url.query() {
        Some(query) => format!("{}?{query}", call.url.path()),
        None => call.url.path().to_owned(),
    };
    let host = match call.url.port() {
        Some(port) => format!("{}:{port}", call.url.host_str().unwrap_or_default()),
        None => call.url.host_str().unwrap_or_default().to_owned(),
    };
    let mut request = http::Request::builder()
        .method(call.method.clone())
        .uri(target)
        .header(http::header::HOST, host)
        .header(http::header::USER_AGENT, super::USER_AGENT)
        .body(Full::new(call.body.clone().unwrap_or_default()))
        .map_err(|error| Broken::Lost(error.to_string()))?;
    request.headers_mut().extend(call.headers.clone());
    Ok(request)
}
