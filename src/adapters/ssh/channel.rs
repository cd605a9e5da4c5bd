//! Channels of a host's connection: each runs one command there.
//!
//! Their number is bounded here, below what sshd allows; where a host allows fewer, the bound follows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openssh::{Child, Error, Session, Stdio};
use tokio::sync::OwnedSemaphorePermit;

use crate::adapters::process::Process;

use super::Master;

/// How long a command waits for a free channel.
const QUEUE: Duration = Duration::from_secs(30);
const NO_ROOM: &str = "the host allows too few sessions on one connection; MaxSessions in its sshd_config should be 10";

impl Master {
    /// Runs a command line, which the login shell of the host splits and which must therefore be quoted.
    pub async fn open(&self, command_line: &str) -> io::Result<Process> {
        loop {
            if let Some(failure) = self.end() {
                return Err(io::Error::new(io::ErrorKind::NotConnected, failure));
            }
            let slot = match tokio::time::timeout(QUEUE, self.slots.clone().acquire_owned()).await {
                Ok(Ok(slot)) => slot,
                Ok(Err(closed)) => return Err(io::Error::other(closed)),
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, NO_ROOM)),
            };
            match self.spawn(command_line).await {
                Ok(child) => return process(child, slot),
                Err(error) if is_refusal(&error) => {
                    // The host allows fewer channels than we do: the bound shrinks to what it let through.
                    if self.bound.fetch_sub(1, Ordering::Relaxed) <= 1 {
                        self.bound.store(1, Ordering::Relaxed);
                        return Err(io::Error::other(NO_ROOM));
                    }
                    slot.forget();
                }
                Err(error) => return Err(self.explain(error)),
            }
        }
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
