//! One kept stream to an engine on which many requests are sent at once and answered in turn.
//!
//! Over ssh a stream is a docker process on the host, and each question a round trip: one stream and a batch of
//! questions keep both few.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::core::failure::HostFailure;

use super::dial::{Stream, Told, Way};
use super::reply::{Replies, Reply};

/// How many requests are on the way at once; their bytes fit into what lies between.
const BATCH: usize = 32;
/// How long the stream is kept without work.
const KEPT: Duration = Duration::from_secs(120);

/// A question without a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Head(String),
    Get(String),
}

/// The stream to an engine, opened when it is needed.
#[derive(Debug, Clone)]
pub struct Line(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    way: Way,
    open: Mutex<Option<Open>>,
    /// Whether somebody looks after the stream while nobody uses it.
    letting_go: AtomicBool,
}

struct Open {
    read: ReadHalf<Stream>,
    write: WriteHalf<Stream>,
    replies: Replies,
    told: Option<Told>,
    used: Instant,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("used", &self.used).finish()
    }
}

/// What came of a batch that was not answered whole.
struct Broken {
    error: io::Error,
    told: Option<Told>,
    /// Whether the stream had served before, so that its end may be old news.
    was_kept: bool,
}

impl Line {
    /// Prepares a stream on the way; none is opened yet.
    pub fn new(way: Way) -> Self {
        Self(Arc::new(Inner {
            way,
            open: Mutex::default(),
            letting_go: AtomicBool::new(false),
        }))
    }

    /// Asks all and returns the answers in the same order; each batch must be answered within the limit.
    pub async fn ask(&self, asks: &[Ask], limit: Duration) -> Result<Vec<Reply>, HostFailure> {
        let mut open = self.0.open.lock().await;
        let mut replies = Vec::with_capacity(asks.len());
        // Taken out while it is used: a question given up half-way leaves no stream that is out of step.
        let mut line = open.take();
        while replies.len() < asks.len() {
            let rest = &asks[replies.len()..];
            let batch = &rest[..rest.len().min(BATCH)];
            let before = replies.len();
            let work = self.batch(line.take(), batch, &mut replies);
            match timeout(limit, work).await {
                Ok(Ok(next)) => line = next,
                // An engine that was restarted, or a proxy that closes: what is left is asked on a new stream.
                Ok(Err(broken)) if broken.was_kept || replies.len() > before => {}
                Ok(Err(broken)) => {
                    return Err(self.0.way.explain(&broken.error, broken.told).await);
                }
                Err(_) => {
                    let asked = asks.get(replies.len()).map_or("", Ask::path);
                    return Err(self.0.way.slow(asked, limit));
                }
            }
        }
        if !self.0.way.is_crowded() {
            *open = line;
            if open.is_some() && !self.0.letting_go.swap(true, Ordering::Relaxed) {
                tokio::spawn(self.clone().let_go());
            }
        }
        Ok(replies)
    }

    /// Lets go of the stream, if nobody uses it.
    pub fn clear(&self) {
        if let Ok(mut open) = self.0.open.try_lock() {
            *open = None;
        }
    }

    /// Sends a batch on the stream given, or on a new one; returns the stream if it can serve on.
    async fn batch(
        &self,
        line: Option<Open>,
        asks: &[Ask],
        replies: &mut Vec<Reply>,
    ) -> Result<Option<Open>, Broken> {
        let was_kept = line.is_some();
        let mut line = match line {
            Some(line) => line,
            None => self.dial().await?,
        };
        let text: String = asks.iter().map(Ask::text).collect();
        let Open {
            read,
            write,
            replies: reader,
            ..
        } = &mut line;
        let send = async {
            // A far side that ended shows in what is read.
            let _ = write.write_all(text.as_bytes()).await;
            let _ = write.flush().await;
        };
        let receive = async {
            for ask in asks {
                let reply = reader.next(read, matches!(ask, Ask::Head(_))).await?;
                let reply = reply.ok_or(io::ErrorKind::UnexpectedEof)?;
                let goes_on = reply.goes_on;
                replies.push(reply);
                if !goes_on {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let ((), received) = tokio::join!(send, receive);
        match received {
            Ok(goes_on) => {
                line.used = Instant::now();
                Ok(goes_on.then_some(line))
            }
            Err(error) => Err(Broken {
                error,
                told: line.told.take(),
                was_kept,
            }),
        }
    }

    async fn dial(&self) -> Result<Open, Broken> {
        let stream = self.0.way.dial().await.map_err(|error| Broken {
            error,
            told: None,
            was_kept: false,
        })?;
        let told = stream.told.clone();
        let (read, write) = split(stream);
        Ok(Open {
            read,
            write,
            replies: Replies::default(),
            told,
            used: Instant::now(),
        })
    }

    /// Lets go of the stream once nobody used it for a while, or when others of the host need its channel.
    async fn let_go(self) {
        let weak = Arc::downgrade(&self.0);
        // Nothing that is held here may keep the connection below alive.
        let pressure = self.0.way.pressure().unwrap_or_default();
        drop(self);
        loop {
            let pressed = tokio::select! {
                () = tokio::time::sleep(KEPT / 4) => false,
                () = pressure.notified() => true,
            };
            let Some(inner) = weak.upgrade() else {
                return;
            };
            let mut open = inner.open.lock().await;
            if pressed || open.as_ref().is_none_or(|line| line.used.elapsed() > KEPT) {
                *open = None;
                // Under the lock, so that no stream is laid down unseen.
                inner.letting_go.store(false, Ordering::Relaxed);
                return;
            }
        }
    }
}

impl Ask {
    /// Returns the path without its query.
    pub fn path(&self) -> &str {
        let (Self::Head(path) | Self::Get(path)) = self;
        path.split_once('?').map_or(path, |(path, _)| path)
    }

    fn text(&self) -> String {
        let (method, path) = match self {
            Self::Head(path) => ("HEAD", path),
            Self::Get(path) => ("GET", path),
        };
        format!("{method} {path} HTTP/1.1\r\nHost: docker\r\n\r\n")
    }
}
