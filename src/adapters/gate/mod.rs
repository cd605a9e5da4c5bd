//! The gate between a client's stream and the engine of this machine: passes on what looks, refuses the rest.
//!
//! It runs as a forced command of sshd, once per stream, and writes nothing but answers. What may pass is decided by
//! [`core::gate`](crate::core::gate); here is the traffic, with a bound on everything: heads, bodies, times, and how
//! many gates of a user run at once.

mod answer;
mod slots;

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::core::gate::{Allowed, Blanker, Body, MOST_HEAD, judge, read_head};

use answer::{Answers, Step};
pub use slots::{Slot, take_slot};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Between two requests.
    pub idle: Duration,
    /// From a request's first byte to the end of its head.
    pub head: Duration,
    /// A whole answer.
    pub answer: Duration,
    /// An answer that goes on by its nature, such as events.
    pub endless: Duration,
    /// One write to a client that does not read.
    pub write: Duration,
    /// What is read and thrown away behind a refused request.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(15 * 60),
            head: Duration::from_secs(30),
            answer: Duration::from_secs(120),
            endless: Duration::from_secs(24 * 60 * 60),
            write: Duration::from_secs(60),
            drain: Duration::from_secs(5),
        }
    }
}

/// The largest answer that is not endless.
const MOST_BODY: u64 = 64 * 1024 * 1024;
/// How much is read and thrown away behind a refused request.
const MOST_DRAINED: usize = 16 * 1024 * 1024;

/// Serves one client until it goes, is refused with something unread behind, or a bound is met.
pub async fn serve<C, W, E>(client: C, out: W, engine: E, patience: Patience) -> io::Result<()>
where
    C: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    let mut gate = Gate {
        client,
        asked: BytesMut::new(),
        client_ended: false,
        out,
        engine: Answers::new(engine),
        patience,
    };
    while gate.next().await? {}
    Ok(())
}

/// Answers that no engine can be asked, whatever comes first.
pub async fn decline<W: AsyncWrite + Unpin>(mut out: W, why: &str) -> io::Result<()> {
    out.write_all(&refusal(503, why, false, true)).await?;
    out.flush().await
}

struct Gate<C, W, E> {
    client: C,
    asked: BytesMut,
    client_ended: bool,
    out: W,
    engine: Answers<E>,
    patience: Patience,
}

impl<C, W, E> Gate<C, W, E>
where
    C: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    /// Answers one request; tells whether another may follow.
    async fn next(&mut self) -> io::Result<bool> {
        let started = Instant::now();
        let mut until = started + self.patience.idle;
        let (head, size) = loop {
            match read_head(&self.asked) {
                Ok(Some(read)) => break read,
                Ok(None) => {}
                Err(bad) => {
                    self.write(&refusal(400, &bad.to_string(), false, true))
                        .await?;
                    return self.leave().await;
                }
            }
            if self.client_ended {
                return Ok(false);
            }
            let began = !self.asked.is_empty();
            match timeout_at(until, self.client.read_buf(&mut self.asked)).await {
                Ok(count) => self.client_ended = count? == 0,
                Err(_) => return Ok(false),
            }
            if !began {
                until = Instant::now() + self.patience.head;
            }
        };
        self.asked.advance(size);
        let to_head = head.method == "HEAD";
        match judge(&head) {
            Ok(allowed) => self.pass(&allowed, head.last).await,
            Err(refused) => {
                let last = head.last || head.body == Body::Something;
                let answer = refusal(403, &refused.to_string(), to_head, last);
                self.write(&answer).await?;
                match last {
                    true => self.leave().await,
                    false => Ok(true),
                }
            }
        }
    }

    /// Asks the engine and hands its answer on.
    async fn pass(&mut self, allowed: &Allowed, last: bool) -> io::Result<bool> {
        let (limit, most) = match allowed.endless {
            true => (self.patience.endless, u64::MAX),
            false => (self.patience.answer, MOST_BODY),
        };
        let until = Instant::now() + limit;
        let request = format!(
            "{} {} HTTP/1.1\r\nHost: docker\r\n\r\n",
            allowed.method, allowed.target
        );
        let to_head = allowed.method == "HEAD";
        let asked = async {
            self.engine.send(request.as_bytes()).await?;
            self.engine.head(to_head).await
        };
        let head = match timeout_at(Instant::now() + self.patience.answer, asked).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) => {
                let why = format!("the engine gave no answer: {error}");
                self.write(&refusal(502, &why, to_head, true)).await?;
                return Ok(false);
            }
            Err(_) => {
                let why = "the engine gave no answer in time";
                self.write(&refusal(504, why, to_head, true)).await?;
                return Ok(false);
            }
        };
        let last = last || !head.goes_on;
        self.write(&head.rewritten(to_head, last)).await?;
        let mut blanker = allowed.blanked.then(Blanker::default);
        let mut passed = 0_u64;
        loop {
            match self.engine.take()? {
                Step::End => break,
                Step::Piece(piece) => {
                    passed += piece.len() as u64;
                    if passed > most {
                        return Err(bad("the engine's answer is larger than 64 MB"));
                    }
                    let piece = match &mut blanker {
                        Some(blanker) => blanker.pass(&piece).map_err(|why| bad(why.0))?.into(),
                        None => piece,
                    };
                    if !piece.is_empty() {
                        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
                        chunk.extend_from_slice(&piece);
                        chunk.extend_from_slice(b"\r\n");
                        self.write(&chunk).await?;
                    }
                }
                Step::Wanting => {
                    if !self.wait(allowed.endless, until).await? {
                        return Ok(false);
                    }
                }
            }
        }
        if head.has_body(to_head) {
            self.write(b"0\r\n\r\n").await?;
        }
        Ok(!last)
    }

    /// Waits for more of the answer while it watches the client; tells whether there is a point in going on.
    async fn wait(&mut self, endless: bool, until: Instant) -> io::Result<bool> {
        // A client may send its next requests early, up to a bound; the rest stays where it is.
        let listens = !self.client_ended && self.asked.len() < MOST_HEAD;
        tokio::select! {
            read = self.engine.fill() => {
                read?;
            }
            count = self.client.read_buf(&mut self.asked), if listens => {
                self.client_ended = count? == 0;
                if self.client_ended && endless {
                    return Ok(false);
                }
            }
            () = tokio::time::sleep_until(until) => return Ok(false),
        }
        Ok(true)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let work = async {
            self.out.write_all(bytes).await?;
            self.out.flush().await
        };
        timeout(self.patience.write, work)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads a bounded part of what stands behind a refused request, so that the client hears the answer first.
    async fn leave(&mut self) -> io::Result<bool> {
        let work = async {
            let mut drained = 0;
            while drained < MOST_DRAINED && !self.client_ended {
                self.asked.clear();
                let count = self.client.read_buf(&mut self.asked).await?;
                self.client_ended = count == 0;
                drained += count;
            }
            io::Result::Ok(())
        };
        match timeout(self.patience.drain, work).await {
            Ok(done) => done.map(|()| false),
            Err(_) => Ok(false),
        }
    }
}

/// An answer of the gate's own, as the engine would word one.
fn refusal(status: u16, why: &str, to_head: bool, last: bool) -> Vec<u8> {
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Gateway Timeout",
    };
    let body = format!("{}\n", serde_json::json!({ "message": why }));
    let close = if last { "Connection: close\r\n" } else { "" };
    let mut answer = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{close}\r\n",
        body.len()
    );
    if !to_head {
        answer.push_str(&body);
    }
    answer.into_bytes()
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests;
