//! The beginning of a stream from a host's shell, where a profile may have written before our command did.
//!
//! Everything up to our mark is dropped. Behind a gate (a forced command) there is no mark, and the engine's answer
//! comes as the first byte.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::adapters::process::Output;
use crate::adapters::shell::find;

/// The line that our own command writes before it hands the stream over.
pub const MARK: &str = "homelab-tui-engine";
/// How much noise is taken before the stream is given up.
const MOST_NOISE: usize = 64 * 1024;

/// A reader that begins after the mark, or with an answer where there is no mark.
pub struct Preamble {
    inner: Output,
    /// What was read but not handed on; empty once the stream goes straight through.
    kept: Vec<u8>,
    searching: bool,
    marked: Arc<AtomicBool>,
    noise: Noise,
}

/// What stood where an answer should be, for the words of a failure.
pub type Noise = Arc<Mutex<String>>;

impl Preamble {
    /// Wraps the output of our command; `marked` tells later whether our mark was met.
    pub fn new(inner: Output, marked: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            kept: Vec::new(),
            searching: true,
            marked,
            noise: Noise::default(),
        }
    }

    /// Returns where the noise is kept once the stream has ended without an answer.
    pub fn noise(&self) -> Noise {
        self.noise.clone()
    }

    /// Looks whether the answer's beginning is known by now.
    fn settle(&mut self) -> io::Result<()> {
        if self.kept.starts_with(b"HTTP/1.") {
            self.searching = false;
            return Ok(());
        }
        let mark = format!("{MARK}\n");
        if let Some(at) = find(&self.kept, mark.as_bytes()) {
            self.kept.drain(..at + mark.len());
            self.marked.store(true, Ordering::Relaxed);
            self.searching = false;
            return Ok(());
        }
        if self.kept.len() > MOST_NOISE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the login shell writes without end",
            ));
        }
        Ok(())
    }
}

impl AsyncRead for Preamble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.searching {
            let mut piece = [0; 2048];
            let mut read = ReadBuf::new(&mut piece);
            ready!(this.inner.as_mut().poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                // The end came before any answer; what was read is noise.
                let noise = String::from_utf8_lossy(&this.kept).into_owned();
                *this.noise.lock().unwrap_or_else(PoisonError::into_inner) = noise;
                return Poll::Ready(Ok(()));
            }
            this.kept.extend_from_slice(read.filled());
            this.settle()?;
        }
        if this.kept.is_empty() {
            return this.inner.as_mut().poll_read(context, buffer);
        }
        let count = this.kept.len().min(buffer.remaining());
        buffer.put_slice(&this.kept[..count]);
        this.kept.drain(..count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn through(pieces: &[&str]) -> (String, bool) {
        let (mut far, near) = tokio::io::duplex(16);
        let marked = Arc::new(AtomicBool::new(false));
        let mut reader = Preamble::new(Box::pin(near), marked.clone());
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        tokio::spawn(async move {
            for piece in pieces {
                far.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut out = String::new();
        reader.read_to_string(&mut out).await.unwrap();
        (out, marked.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn d11_noise_before_the_mark_is_dropped() {
        let (out, marked) = through(&[
            "Welcome to HTTP/1.1 land\n",
            "homelab-tui",
            "-engine\nHTTP/1.1 200 OK\r\n",
            "\r\nbody",
        ])
        .await;
        assert_eq!(
            (out.as_str(), marked),
            ("HTTP/1.1 200 OK\r\n\r\nbody", true)
        );
        let (out, marked) = through(&["homelab-tui-engine\nHTTP/1.1 200 OK"]).await;
        assert_eq!((out.as_str(), marked), ("HTTP/1.1 200 OK", true));
    }

    #[tokio::test]
    async fn behind_a_gate_the_answer_comes_first() {
        let (out, marked) = through(&["HTTP/1.1 200 OK\r\n", "\r\nhomelab-tui-engine\n"]).await;
        assert_eq!(out, "HTTP/1.1 200 OK\r\n\r\nhomelab-tui-engine\n");
        assert!(!marked);
    }

    #[tokio::test]
    async fn noise_alone_is_no_answer() {
        assert_eq!(through(&["nothing but talk\n"]).await.0, "");
    }
}
