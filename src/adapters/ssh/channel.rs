//! Channels of a host's connection: each runs one command there.
//!
//! Their number is bounded here, below what sshd allows; where a host allows fewer, the bound follows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openssh::{Child, Error, Session, Stdio};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{sleep, timeout};

use crate::adapters::process::Process;

use super::Master;

/// How long a command waits for a free channel.
const QUEUE: Duration = Duration::from_secs(30);
/// The fewest channels that are tried for: one for events, one for everything else.
const FEWEST: usize = 2;
/// How long a refused command waits before it is tried again.
const REFUSED: Duration = Duration::from_millis(100);
const NO_ROOM: &str = "the host allows too few sessions on one connection; MaxSessions in its sshd_config should be 10";

impl Master {
    /// Runs a command line, which the login shell of the host splits and which must therefore be quoted.
    pub async fn open(&self, command_line: &str) -> io::Result<Process> {
        let opened = timeout(QUEUE, self.open_in_turn(command_line)).await;
        opened.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, NO_ROOM)))
    }

    async fn open_in_turn(&self, command_line: &str) -> io::Result<Process> {
        loop {
            if let Some(failure) = self.end() {
                return Err(io::Error::new(io::ErrorKind::NotConnected, failure));
            }
            let slot = timeout(REFUSED, self.slots.clone().acquire_owned()).await;
            let Ok(slot) = slot else {
                // Who holds a channel only for later gives it back.
                self.pressure.notify_waiters();
                continue;
            };
            let slot = slot.map_err(io::Error::other)?;
            match self.spawn(command_line).await {
                Ok(child) => return process(child, slot),
                Err(error) if is_refusal(&error) => {
                    // The host allows fewer channels than we do: the bound shrinks to what it let through. Below the
                    // least that works, a channel that just ended may not be gone yet on the other side.
                    if self.bound.fetch_sub(1, Ordering::Relaxed) > FEWEST {
                        slot.forget();
                    } else {
                        self.bound.store(FEWEST, Ordering::Relaxed);
                        self.pressure.notify_waiters();
                        sleep(REFUSED).await;
                    }
                }
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    /// Returns what rings while somebody waits for a channel.
    pub fn pressure(&self) -> Arc<Notify> {
        self.pressure.clone()
    }

    /// Tells whether somebody may be waiting for a channel.
    pub fn is_crowded(&self) -> bool {
        self.slots.available_permits() == 0
    }

    async fn spawn(&self, command_line: &str) -> Result<Child<Arc<Session>>, Error> {
        Session::to_raw_command(self.session.clone(), command_line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
    }

    /// Prefers the reason of a lost connection over the words of whoever noticed it.
    fn explain(&self, error: Error) -> io::Error {
        match self.end() {
            Some(failure) => io::Error::new(io::ErrorKind::NotConnected, failure),
            None => io::Error::other(error),
        }
    }
}

/// Tells whether the host refused one more session on a connection that is otherwise well.
fn is_refusal(error: &Error) -> bool {
    // The multiplexer's own error type is not exported by the crate that wraps it.
    format!("{error:?}").contains("RequestFailure")
}

fn process(mut child: Child<Arc<Session>>, slot: OwnedSemaphorePermit) -> io::Result<Process> {
    let missing = || io::Error::other("a stream of the channel is missing");
    let stdin = child.stdin().take().ok_or_else(missing)?;
    let stdout = child.stdout().take().ok_or_else(missing)?;
    let stderr = child.stderr().take().ok_or_else(missing)?;
    let wait = async move {
        let _slot = slot;
        match child.wait().await {
            Ok(status) => status.code(),
            // The crate tells 127 in this way.
            Err(Error::Remote(error)) if error.kind() == io::ErrorKind::NotFound => Some(127),
            Err(_) => None,
        }
    };
    Ok(Process::new(
        Box::pin(stdin),
        Box::pin(stdout),
        Box::pin(stderr),
        wait,
    ))
}
