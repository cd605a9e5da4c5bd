//! One running command, here or on a host: its streams, its end, and what it said about it.
//!
//! Where the command runs is known only to whoever started it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

const KEPT_ERRORS: usize = 8 * 1024;
/// How long standard error may stay open after the command itself has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The bytes that a command reads.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;
/// The bytes that a command writes.
pub type Output = Pin<Box<dyn AsyncRead + Send>>;

/// A running command, ended when it is dropped.
pub struct Process {
    pub stdin: Input,
    pub stdout: Output,
    pub ending: Ending,
    pub leash: Leash,
}

/// What keeps a command running; once this is dropped it is ended, at once or a moment after its streams.
#[derive(Debug)]
pub struct Leash(#[expect(dead_code, reason = "its drop is its use")] oneshot::Sender<()>);

/// How a command ended and what it said on its standard error.
#[derive(Debug, Clone)]
pub struct Ending {
    errors: Arc<Mutex<Vec<u8>>>,
    code: watch::Receiver<Option<Option<i32>>>,
}

impl Ending {
    /// Waits a moment for the end and returns the exit code, if there is one.
    pub async fn code_within(&self, limit: Duration) -> Option<i32> {
        let mut code = self.code.clone();
        match tokio::time::timeout(limit, code.wait_for(Option::is_some)).await {
            Ok(Ok(code)) => code.flatten(),
            _ => None,
        }
    }

    /// Returns the beginning of what the command said on its standard error so far.
    pub fn errors(&self) -> String {
        let bytes = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Process {
    /// Joins the parts of a command; `wait` ends with its exit code and ends the command when it is dropped.
    ///
    /// The exit code is asked for only after the output was read to its end: an ssh channel whose end was taken
    /// drops what is still on its way.
    pub fn new(
        stdin: Input,
        stdout: Output,
        stderr: Output,
        wait: impl Future<Output = Option<i32>> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ended, code) = watch::channel(None);
        let (read, mut was_read) = oneshot::channel();
        let errors = Arc::new(Mutex::new(Vec::new()));
        let drain = drain(stderr, errors.clone());
        tokio::spawn(async move {
            let end = async {
                let mut drain = std::pin::pin!(drain);
                // An output that was dropped counts as read.
                let drained = tokio::select! {
                    () = &mut drain => true,
                    _ = &mut was_read => false,
                };
                if drained {
                    let _ = was_read.await;
                } else {
                    let _ = tokio::time::timeout(LAST_WORDS, drain).await;
                }
                wait.await
            };
            let mut end = std::pin::pin!(end);
            let code = tokio::select! {
                code = &mut end => code,
                // Its streams are closed by now, which ends most commands; the others are cut off.
                _ = stopped => tokio::time::timeout(LAST_WORDS, end).await.ok().flatten(),
            };
            ended.send_replace(Some(code));
        });
        Self {
            stdin,
            stdout: Box::pin(Tracked {
                inner: stdout,
                read: Some(read),
            }),
            ending: Ending { errors, code },
            leash: Leash(stop),
        }
    }

    /// Starts a command on this machine.
    pub fn here(argv: &[String]) -> io::Result<Self> {
        let (program, arguments) = argv
            .split_first()
            .ok_or_else(|| io::Error::other("an empty command"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Keys typed at the terminal are not for it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a stream of the command is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let group = Group::of(&child);
        let wait = async move {
            let code = child.wait().await.ok().and_then(|status| status.code());
            group.ended();
            code
        };
        Ok(Self::new(
            Box::pin(stdin),
            Box::pin(stdout),
            Box::pin(stderr),
            wait,
        ))
    }
}

/// An output that tells when it was read to its end.
struct Tracked {
    inner: Output,
    read: Option<oneshot::Sender<()>>,
}

impl AsyncRead for Tracked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.inner.as_mut().poll_read(context, buffer);
        let ended = match &polled {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if ended && let Some(read) = self.read.take() {
            let _ = read.send(());
        }
        polled
    }
}

/// The process group of a running command, ended as a whole: a shell's children would outlive it.
#[derive(Debug)]
pub(crate) struct Group(Option<u32>);

impl Group {
    /// Guards the group that the process leads.
    pub(crate) fn of(leader: &Child) -> Self {
        Self(leader.id())
    }

    /// Lets go of a group whose leader has ended by itself, as its number may mean another one soon.
    pub(crate) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader.and_then(Pid::from_raw) {
            // A group that is gone already is no error.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Reads all, keeps the beginning.
async fn drain(mut stderr: Output, kept: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 2048];
    loop {
        match stderr.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEPT_ERRORS.saturating_sub(kept.len());
                kept.extend_from_slice(&piece[..count.min(room)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn sh(script: &str) -> Process {
        Process::here(&["sh".to_owned(), "-c".to_owned(), script.to_owned()]).unwrap()
    }

    #[tokio::test]
    async fn the_end_and_the_last_words_are_kept() {
        let mut process = sh("echo out; echo why >&2; exit 7");
        let mut out = String::new();
        process.stdout.read_to_string(&mut out).await.unwrap();
        let code = process.ending.code_within(Duration::from_secs(5)).await;
        assert_eq!((code, out.as_str()), (Some(7), "out\n"));
        assert_eq!(process.ending.errors(), "why\n");
    }

    #[tokio::test]
    async fn a_dropped_command_ends() {
        let mut process = sh("sleep 1000 & echo $!; wait");
        let mut pid = [0; 16];
        let count = process.stdout.read(&mut pid).await.unwrap();
        let pid = std::str::from_utf8(&pid[..count])
            .unwrap()
            .trim()
            .to_owned();
        let ending = process.ending.clone();
        drop(process);
        assert_eq!(ending.code_within(Duration::from_secs(5)).await, None);
        for _ in 0..500 {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {pid} still runs");
    }
}
