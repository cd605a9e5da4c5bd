//! tailscaled's local API over its unix socket: one status, and the stream that tells when to read it again.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest status that is read: some thousand peers.
pub const LARGEST: usize = 16 * 1024 * 1024;
/// What is pushed: own state, peers, the first status, small changes of peers.
const MASK: u32 = 2 | 4096 | 16384 | 32768;

/// Reads the status once.
pub async fn status(socket: &Path) -> io::Result<Bytes> {
    timeout(PATIENCE, async {
        // The connection has to outlive the body, or what is still on its way is lost.
        let Answer { body, _connection } = get(socket, "/localapi/v0/status").await?;
        let body = Limited::new(body, LARGEST).collect().await;
        Ok(body.map_err(io::Error::other)?.to_bytes())
    })
    .await?
}

/// Opens the stream of changes.
pub async fn changes(socket: &Path) -> io::Result<Changes> {
    let path = format!("/localapi/v0/watch-ipn-bus?mask={MASK}");
    Ok(Changes {
        answer: timeout(PATIENCE, get(socket, &path)).await??,
    })
}

/// Tells that something changed; what it was is read from the status.
pub struct Changes {
    answer: Answer,
}

impl Changes {
    /// Waits for the next change; nothing when tailscaled has gone away.
    pub async fn next(&mut self) -> Option<()> {
        self.answer.body.frame().await?.ok().map(|_| ())
    }

    /// Takes in all changes that are already there.
    pub async fn skip(&mut self) -> Option<()> {
        while let Ok(next) = timeout(Duration::ZERO, self.next()).await {
            next?;
        }
        Some(())
    }
}

/// An answer with the connection that carries it.
struct Answer {
    body: Incoming,
    _connection: Connection,
}

struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn get(socket: &Path, path: &str) -> io::Result<Answer> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = Connection(tokio::spawn(async move {
        // How it ended is told by the answer.
        let _ = connection.await;
    }));
    let request = Request::get(path)
        .header(http::header::HOST, "local-tailscaled.sock")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    if !answer.status().is_success() {
        return Err(io::Error::other(format!(
            "tailscaled answered {}",
            answer.status()
        )));
    }
    Ok(Answer {
        body: answer.into_body(),
        _connection: connection,
    })
}
