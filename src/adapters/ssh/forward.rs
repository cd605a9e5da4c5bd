//! Plain tcp from a host: connections that leave from there, over the connection that is open anyway.
//!
//! Each target has one socket in the control folder, made on first use and served by the master itself, so that a
//! dial costs no process.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use openssh::{ForwardType, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use crate::core::text::clean_within;

use super::Master;
use super::master::Said;

/// The sockets that lead to targets, by target.
pub(super) type Forwards = HashMap<(String, u16), PathBuf>;

/// The most targets that one host is asked to lead to.
const MOST_TARGETS: usize = 16;

impl Master {
    /// Opens a tcp connection from the host to the target, which the host's own name service resolves.
    pub async fn dial(self: &Arc<Self>, host: &str, port: u16) -> io::Result<Dialled> {
        let socket = self.forward(host, port).await?;
        let stream = UnixStream::connect(&socket).await?;
        Ok(Dialled {
            stream,
            said: self.said.clone(),
            heard: false,
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
    heard: bool,
    /// The connection below lives at least as long.
    _master: Arc<Master>,
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        match polled {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.heard = true,
            // The master accepts first and dials then: a refusal is an end before the first byte.
            Poll::Ready(Ok(())) if !self.heard && buffer.remaining() > 0 => {
                if let Some(reason) = refusal(&self.said.lines()) {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::ConnectionRefused,
                        reason,
                    )));
                }
            }
            _ => {}
        }
        polled
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Finds why the host did not open the last connection, as in `channel 2: open failed: connect failed: …`.
fn refusal(lines: &[String]) -> Option<String> {
    lines.iter().rev().find_map(|line| {
        let (_, reason) = line.split_once("open failed: ")?;
        let reason = reason.strip_prefix("connect failed: ").unwrap_or(reason);
        let reason = clean_within(reason.trim(), 200);
        Some(if reason.starts_with("administratively prohibited") {
            "the host's sshd does not forward tcp (AllowTcpForwarding, or the tailnet's policy)"
                .to_owned()
        } else {
            format!("from the host: {reason}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refused_dial_is_found() {
        let said = |line: &str| refusal(&["Authenticated to x".to_owned(), line.to_owned()]);
        assert_eq!(
            said("channel 3: open failed: connect failed: Connection refused").as_deref(),
            Some("from the host: Connection refused")
        );
        assert!(
            said("channel 2: open failed: administratively prohibited: open failed")
                .is_some_and(|reason| reason.contains("AllowTcpForwarding"))
        );
        assert_eq!(said("nothing of that kind"), None);
    }
}
