//! Plain tcp from a host: connections that leave from there, over the connection that is open anyway.
//!
//! Each target has one socket in the control folder, made on first use and served by the master itself, so that a
//! dial costs no process.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use openssh::{ForwardType, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Sleep, sleep};

use crate::core::text::clean_within;

use super::Master;
use super::master::Said;

/// The sockets that lead to targets, by target.
pub(super) type Forwards = HashMap<(String, u16), PathBuf>;

/// The most targets that one host is asked to lead to.
const MOST_TARGETS: usize = 16;
/// How long the reason of a refusal may take to come.
const PATIENCE: Duration = Duration::from_millis(100);

impl Master {
    /// Opens a tcp connection from the host to the target, which the host's own name service resolves.
    pub async fn dial(self: &Arc<Self>, host: &str, port: u16) -> io::Result<Dialled> {
        let socket = self.forward(host, port).await?;
        let before = self.said.count();
        let stream = UnixStream::connect(&socket).await?;
        Ok(Dialled {
            stream,
            said: self.said.clone(),
            before,
            heard: false,
            ended: None,
            _master: self.clone(),
        })
    }

    async fn forward(&self, host: &str, port: u16) -> io::Result<PathBuf> {
        let mut forwards = self.forwards.lock().await;
        let key = (host.to_owned(), port);
        if let Some(socket) = forwards.get(&key) {
            return Ok(socket.clone());
        }
        if forwards.len() >= MOST_TARGETS {
            return Err(io::Error::other("too many targets behind one host"));
        }
        let socket = self.folder.socket();
        self.session
            .request_port_forward(
                ForwardType::Local,
                Socket::UnixSocket {
                    path: socket.clone().into(),
                },
                Socket::new(host, port),
            )
            .await
            .map_err(io::Error::other)?;
        forwards.insert(key, socket.clone());
        Ok(socket)
    }
}

/// A tcp connection that leaves from a host.
#[derive(Debug)]
pub struct Dialled {
    stream: UnixStream,
    said: Said,
    /// How much ssh had said before this dial.
    before: usize,
    heard: bool,
    /// Set at an end before the first byte, until which the reason is waited for.
    ended: Option<Pin<Box<Sleep>>>,
    /// The connection below lives at least as long.
    _master: Arc<Master>,
}

impl Dialled {
    /// Waits a moment for the reason of an end that came before the first byte.
    fn reason(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Error>> {
        if let Some((kind, reason)) = refusal(&self.said.lines_since(self.before)) {
            return Poll::Ready(Some(io::Error::new(kind, reason)));
        }
        // The reason comes on another pipe and may be a moment behind.
        let patience = self.ended.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(patience.as_mut().poll(context));
        let found = refusal(&self.said.lines_since(self.before));
        Poll::Ready(found.map(|(kind, reason)| io::Error::new(kind, reason)))
    }
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.heard |= buffer.filled().len() > before;
        // The master accepts first and dials then: a refusal is an end before the first byte.
        if self.heard || buffer.remaining() == 0 {
            return Poll::Ready(result);
        }
        Poll::Ready(ready!(self.reason(context)).map_or(result, Err))
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        if self.heard || result.is_ok() {
            return Poll::Ready(result);
        }
        Poll::Ready(ready!(self.reason(context)).map_or(result, Err))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Finds why the host did not open the last connection, as in `channel 2: open failed: connect failed: …`.
fn refusal(lines: &[String]) -> Option<(io::ErrorKind, String)> {
    lines.iter().rev().find_map(|line| {
        let (_, reason) = line.split_once("open failed: ")?;
        if reason.starts_with("administratively prohibited") {
            let why =
                "the host's sshd forwards no tcp (AllowTcpForwarding, or the tailnet's policy)";
            return Some((io::ErrorKind::PermissionDenied, why.to_owned()));
        }
        let reason = reason.strip_prefix("connect failed: ").unwrap_or(reason);
        let kind = if reason.contains("timed out") {
            io::ErrorKind::TimedOut
        } else {
            io::ErrorKind::ConnectionRefused
        };
        let reason = clean_within(reason.trim(), 200);
        Some((kind, format!("from the host: {reason}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refused_dial_is_found() {
        let said = |line: &str| refusal(&["Authenticated to x".to_owned(), line.to_owned()]);
        assert_eq!(
            said("channel 3: open failed: connect failed: Connection refused"),
            Some((
                io::ErrorKind::ConnectionRefused,
                "from the host: Connection refused".to_owned()
            ))
        );
        let kind = |line: &str| said(line).map(|(kind, _)| kind);
        assert_eq!(
            kind("channel 2: open failed: administratively prohibited: open failed"),
            Some(io::ErrorKind::PermissionDenied)
        );
        assert_eq!(
            kind("channel 2: open failed: connect failed: Connection timed out"),
            Some(io::ErrorKind::TimedOut)
        );
        assert_eq!(kind("nothing of that kind"), None);
    }
}
