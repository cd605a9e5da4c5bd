//! A few kept HTTP connections to one engine, over whatever streams lead there.
//!
//! A connection serves one request at a time and is kept for the next one; what lies idle is let go after a while,
//! since behind each may stand a process on the host.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::BollardRequest;
use http::{Method, Response};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::core::failure::HostFailure;

use super::dial::{Told, Way};

/// How long a connection beyond the first is kept without work.
const SPARE: Duration = Duration::from_secs(10);
/// How long the first connection is kept without work.
const LAST: Duration = Duration::from_secs(30);

/// The connections to one engine.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    way: Way,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Tells that a connection was laid down.
    returned: Notify,
    /// Whether somebody looks after what lies idle.
    letting_go: AtomicBool,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// The body that requests carry, as bollard builds it.
type Body = <BollardRequest as BodyOf>::Body;

/// Names the body of a request type.
trait BodyOf {
    type Body;
}

impl<B> BodyOf for http::Request<B> {
    type Body = B;
}

/// One open connection.
#[derive(Debug)]
struct Sender {
    requests: SendRequest<Body>,
    told: Option<Told>,
}

impl Pool {
    /// Prepares connections on the way; none is opened yet.
    pub fn new(way: Way) -> Self {
        // Over ssh each connection is a channel and a docker process on the host.
        let turns = match &way {
            Way::Command { .. } => 2,
            Way::Unix(_) | Way::Tcp { .. } => 8,
        };
        Self(Arc::new(Inner {
            way,
            turns: Arc::new(Semaphore::new(turns)),
            idle: Mutex::default(),
            returned: Notify::new(),
            letting_go: AtomicBool::new(false),
        }))
    }

    /// Sends a request and returns the head of the answer.
    pub async fn send(
        &self,
        mut request: BollardRequest,
    ) -> Result<Response<Incoming>, HostFailure> {
        // A stream without end must not take a turn from those that end.
        let endless = matches!(
            request.uri().path().rsplit('/').next(),
            Some("events" | "logs")
        );
        let turn = if endless {
            None
        } else {
            // The semaphore is never closed; without a turn the request goes all the same.
            self.0.turns.clone().acquire_owned().await.ok()
        };
        let repeatable = matches!(*request.method(), Method::GET | Method::HEAD);
        loop {
            let (mut sender, used) = if endless {
                (self.open().await?, false)
            } else {
                self.take().await?
            };
            let head = repeatable.then(|| head_of(&request));
            match sender.requests.try_send_request(request).await {
                Ok(response) => {
                    if response.body().is_end_stream() {
                        self.keep(sender, turn).await;
                    } else {
                        let pool = self.clone();
                        tokio::spawn(async move { pool.keep(sender, turn).await });
                    }
                    return Ok(response);
                }
                // A kept connection may have ended meanwhile: what was not sent, or may be repeated, goes once more.
                Err(mut error) => match (error.take_message(), head) {
                    (Some(unsent), _) if used => request = unsent,
                    (_, Some(head)) if used => request = head,
                    _ => {
                        let error =
                            io::Error::new(io::ErrorKind::UnexpectedEof, error.into_error());
                        return Err(self.0.way.explain(&error, sender.told).await);
                    }
                },
            }
        }
    }

    /// Closes what is idle; requests under way end by themselves.
    pub fn clear(&self) {
        self.idle().clear();
    }

    async fn open(&self) -> Result<Sender, HostFailure> {
        let stream = match self.0.way.dial().await {
            Ok(stream) => stream,
            Err(error) => return Err(self.0.way.explain(&error, None).await),
        };
        let told = stream.told.clone();
        let shaken = http1::Builder::new()
            .max_buf_size(512 * 1024)
            .handshake(TokioIo::new(stream))
            .await;
        let (requests, connection) = match shaken {
            Ok(parts) => parts,
            Err(error) => return Err(self.0.way.explain(&io::Error::other(error), told).await),
        };
        // The connection's own error reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Sender { requests, told })
    }

    /// Takes a connection that lies idle, else opens one; tells whether it was used before.
    async fn take(&self) -> Result<(Sender, bool), HostFailure> {
        // One whose answer was just read may be a moment from lying here; opening another one costs more.
        for _ in 0..3 {
            if !self.idle().is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
        if let Some(sender) = self.kept().await {
            return Ok((sender, true));
        }
        let mut open = std::pin::pin!(self.open());
        loop {
            let returned = self.0.returned.notified();
            tokio::select! {
                opened = &mut open => return Ok((opened?, false)),
                // Where there is no room for another one, one that became free serves as well.
                () = returned => if self.0.way.is_crowded() && let Some(sender) = self.kept().await {
                    return Ok((sender, true));
                },
            }
        }
    }

    async fn kept(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle().pop()?.sender;
            if sender.requests.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// Keeps the connection for the next request, once the answer under way was read to its end.
    async fn keep(&self, mut sender: Sender, turn: Option<OwnedSemaphorePermit>) {
        let Some(turn) = turn else {
            // An endless stream's connection lives as long as its body is read.
            return;
        };
        if sender.requests.ready().await.is_err() {
            return;
        }
        // Others of this host may wait for the channel, unless one of our own does.
        let ours_wait = self.0.turns.available_permits() == 0;
        if self.0.way.is_crowded() && !ours_wait {
            return;
        }
        self.idle().push(Idle {
            sender,
            since: Instant::now(),
        });
        drop(turn);
        self.0.returned.notify_one();
        if !self.0.letting_go.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().let_go());
        }
    }

    /// Lets go of connections that nobody used for a while, until none is left.
    async fn let_go(self) {
        let weak = Arc::downgrade(&self.0);
        let pressure = self.0.way.pressure().unwrap_or_default();
        drop(self);
        loop {
            let pressed = tokio::select! {
                () = sleep(SPARE) => false,
                () = pressure.notified() => true,
            };
            let Some(inner) = weak.upgrade() else {
                return;
            };
            let mut idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
            // The one used last lies last and is kept longest.
            let count = idle.len();
            let mut index = 0;
            idle.retain(|entry| {
                index += 1;
                let limit = if index == count { LAST } else { SPARE };
                !pressed && entry.since.elapsed() < limit && !entry.sender.requests.is_closed()
            });
            if idle.is_empty() {
                // Under the lock, so that nothing is laid down unseen.
                inner.letting_go.store(false, Ordering::Relaxed);
                return;
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies a request that has no body.
fn head_of(request: &BollardRequest) -> BollardRequest {
    let mut copy =
        http::Request::new(http_body_util::Either::Left(http_body_util::Full::default()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
