//! The one ssh process of a host: started, waited for, watched, ended.
//!
//! The process lies in a process group of its own, so that keys typed at the terminal do not signal it, and has
//! neither standard input nor a way to ask anything.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openssh::Session;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::settings::SshSettings;

use crate::adapters::process::Group;

use super::{ControlFolder, Destination, words};

/// The most channels that are open on one connection at once; sshd's own bound is 10.
pub const CHANNELS: usize = 8;
/// How long a login may take beyond the connection's own time-out.
const LOGIN: Duration = Duration::from_secs(15);
/// How long a login may wait for a person who was told.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How long a master that was asked to end may take; with channels open it stays, and is killed.
const FAREWELL: Duration = Duration::from_millis(150);
/// How long the last words of an ended ssh may be in the pipe.
const LAST_WORDS: Duration = Duration::from_millis(700);
const LOOK: Duration = Duration::from_millis(10);
const KEPT_LINES: usize = 40;
const LONGEST_LINE: u64 = 2000;

/// An open connection to a host, ended when the last handle goes.
#[derive(Debug)]
pub struct Master {
    pub(super) session: Arc<Session>,
    pub(super) slots: Arc<Semaphore>,
    /// How many channels the slots allow.
    pub(super) bound: AtomicUsize,
    /// Rings while somebody waits for a channel.
    pub(super) pressure: Arc<Notify>,
    socket: PathBuf,
    destination: Destination,
    pub(super) folder: Arc<ControlFolder>,
    pub(super) said: Said,
    pub(super) forwards: tokio::sync::Mutex<super::forward::Forwards>,
    ended: watch::Receiver<Option<HostFailure>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl Master {
    /// Logs in and returns when commands can be run.
    ///
    /// `options` lead there by another way than ssh would take; `tell` hears of logins that wait for a person; the wait goes on until the caller drops the future.
    pub async fn connect(
        folder: Arc<ControlFolder>,
        destination: &Destination,
        settings: &SshSettings,
        options: &[String],
        tell: &(dyn Fn(HostFailure) + Send + Sync),
    ) -> Result<Arc<Self>, HostFailure> {
        let socket = folder.socket();
        let mut child = command(destination, settings, options, &socket)
            .spawn()
            .map_err(|error| {
                HostFailure::new(
                    HostTrouble::NoConnection,
                    format!("cannot start ssh: {error}"),
                    "install the OpenSSH client on this machine",
                )
            })?;
        // A proxy command that ssh started lies in its group and must not outlive it, however this ends.
        let group = Group::of(&child);
        let said = Said::default();
        let reader = child
            .stderr
            .take()
            .map(|stderr| said.clone().follow(stderr));
        let reader = tokio::spawn(async move {
            if let Some(reader) = reader {
                reader.await;
            }
        });
        let session = wait_until_open(
            &mut child,
            &socket,
            destination,
            settings,
            &said,
            reader,
            tell,
        )
        .await?;

        let (stop, stopped) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        tokio::spawn(watch_over(
            child,
            group,
            socket.clone(),
            destination.clone(),
            said.clone(),
            stopped,
            end,
        ));
        Ok(Arc::new(Self {
            session: Arc::new(session),
            slots: Arc::new(Semaphore::new(CHANNELS)),
            bound: AtomicUsize::new(CHANNELS),
            pressure: Arc::default(),
            socket,
            destination: destination.clone(),
            folder,
            said,
            forwards: tokio::sync::Mutex::default(),
            ended,
            stop: Mutex::new(Some(stop)),
        }))
    }

    /// Returns the command that runs a command line on the host with a terminal, to which that line is added.
    pub fn terminal_command(&self) -> Vec<String> {
        let mut argv = vec!["ssh".to_owned(), "-t".to_owned(), "-S".to_owned()];
        argv.push(self.socket.to_string_lossy().into_owned());
        for option in ["ControlMaster=no", "RemoteCommand=none", "LogLevel=ERROR"] {
            argv.extend(["-o".to_owned(), option.to_owned()]);
        }
        argv.extend(self.destination.arguments());
        argv
    }

    /// Waits until the connection ends and returns why.
    pub async fn ended(&self) -> HostFailure {
        let mut ended = self.ended.clone();
        let failure = match ended.wait_for(Option::is_some).await {
            Ok(failure) => failure.clone(),
            Err(_) => None,
        };
        failure.unwrap_or_else(lost)
    }

    /// Returns why the connection ended, if it did.
    pub fn end(&self) -> Option<HostFailure> {
        self.ended.borrow().clone()
    }

    /// Ends the connection and returns when its process is gone.
    pub async fn close(&self) {
        // Dropping the sender asks the watcher to end the process.
        drop(
            self.stop
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let _ = timeout(LAST_WORDS, self.ended()).await;
    }
}

/// What ssh said lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Said(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    /// How many lines there were in all.
    count: usize,
}

impl Said {
    /// Returns the last lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines_since(0)
    }

    /// Returns how many lines there were in all.
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// Returns the last lines, without those that were there when the count was taken.
    pub fn lines_since(&self, count: usize) -> Vec<String> {
        let lines = self.lock();
        let fresh = lines.count.saturating_sub(count);
        let skip = lines.kept.len().saturating_sub(fresh);
        lines.kept.iter().skip(skip).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self, stderr: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A line without end is cut into pieces instead of filling the memory.
            let mut piece = (&mut reader).take(LONGEST_LINE);
            match piece.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if text.is_empty() {
                continue;
            }
            let mut lines = self.lock();
            if lines.kept.len() == KEPT_LINES {
                lines.kept.pop_front();
            }
            lines.kept.push_back(text);
            lines.count += 1;
        }
    }
}

/// Builds the command line of the master.
fn command(
    destination: &Destination,
    settings: &SshSettings,
    options: &[String],
    socket: &Path,
) -> Command {
    let seconds = settings.connect_timeout.as_secs().max(1);
    let connect_timeout = format!("ConnectTimeout={seconds}");
    let mut command = Command::new("ssh");
    command.args(["-M", "-N", "-T", "-S"]).arg(socket);
    for option in [
        "BatchMode=yes",
        "ControlPersist=no",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=2",
        "ConnectionAttempts=1",
        // Partial logins and refusals are told from this level on; a quieter one in the user's file would hide them.
        "LogLevel=VERBOSE",
        // What a user's own sessions do besides must not be done here a second time.
        "ClearAllForwardings=yes",
        "ForkAfterAuthentication=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        "ForwardAgent=no",
        "ForwardX11=no",
        &connect_timeout,
    ] {
        command.args(["-o", option]);
    }
    for option in options {
        command.args(["-o", option]);
    }
    command.args(destination.arguments());
    // BatchMode does not reach the ssh of a ProxyJump: there a program that always fails answers every question.
    command.env("SSH_ASKPASS", "false");
    command.env("SSH_ASKPASS_REQUIRE", "force");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn wait_until_open(
    child: &mut Child,
    socket: &Path,
    destination: &Destination,
    settings: &SshSettings,
    said: &Said,
    reader: tokio::task::JoinHandle<()>,
    tell: &(dyn Fn(HostFailure) + Send + Sync),
) -> Result<Session, HostFailure> {
    let mut deadline = Instant::now() + settings.connect_timeout + LOGIN;
    let mut told = None;
    loop {
        if socket.exists() {
            let session = Session::resume_mux(socket.to_owned().into_boxed_path(), None);
            if session.check().await.is_ok() {
                return Ok(session);
            }
        }
        let ended = timeout(LOOK, child.wait()).await.is_ok();
        if ended {
            // The last words may still be in the pipe.
            let _ = timeout(LAST_WORDS, reader).await;
            return Err(words::failure(&said.lines(), destination, false));
        }
        let waiting = said
            .lines()
            .iter()
            .rev()
            .find_map(|line| words::waiting(line, destination));
        if let Some(waiting) = waiting.filter(|waiting| told.as_ref() != Some(waiting)) {
            tell(waiting.clone());
            told = Some(waiting);
            deadline = Instant::now() + PATIENCE;
        }
        if Instant::now() >= deadline {
            let _ = child.kill().await;
            return Err(told.unwrap_or_else(|| words::failure(&said.lines(), destination, true)));
        }
    }
}

/// Keeps the process until it ends by itself or is to be ended.
async fn watch_over(
    mut child: Child,
    group: Group,
    socket: PathBuf,
    destination: Destination,
    said: Said,
    stopped: oneshot::Receiver<()>,
    end: watch::Sender<Option<HostFailure>>,
) {
    let failure = tokio::select! {
        _ = child.wait() => {
            drop(group);
            // The reader may be a moment behind.
            sleep(LOOK).await;
            words::failure(&said.lines(), &destination, false)
        }
        _ = stopped => {
            let session = Session::resume_mux(socket.clone().into_boxed_path(), None);
            let _ = timeout(FAREWELL, session.close()).await;
            if timeout(FAREWELL, child.wait()).await.is_err() {
                drop(group);
                let _ = child.wait().await;
            } else {
                group.ended();
            }
            HostFailure::new(HostTrouble::NoConnection, "the connection was closed", "")
        }
    };
    // The name is left behind where ssh was killed.
    let _ = std::fs::remove_file(&socket);
    end.send_replace(Some(failure));
}

fn lost() -> HostFailure {
    HostFailure::new(
        HostTrouble::NoConnection,
        "the connection ended",
        "dialled again by itself",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// Runs a script in the place of ssh; returns the failure and what was told on the way.
    async fn instead_of_ssh(script: &str) -> (HostFailure, Vec<HostFailure>) {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let destination = Destination {
            user: None,
            host: "pi".to_owned(),
            port: None,
            config_file: None,
        };
        let said = Said::default();
        let stderr = child.stderr.take().unwrap();
        let reader = tokio::spawn(said.clone().follow(stderr));
        let heard = Mutex::new(Vec::new());
        let tell = |failure| heard.lock().unwrap().push(failure);
        let settings = SshSettings::default();
        let socket = Path::new("/nowhere/socket");
        let opened = wait_until_open(
            &mut child,
            socket,
            &destination,
            &settings,
            &said,
            reader,
            &tell,
        );
        let failure = opened.await.unwrap_err();
        (failure, heard.into_inner().unwrap())
    }

    #[tokio::test]
    async fn d12_a_check_is_told_once_while_the_login_waits() {
        let (failure, told) = instead_of_ssh(
            "printf '# Tailscale SSH requires an additional check.\n# To authenticate, visit: https://login.example/a/1\n' >&2; \
             sleep 0.3; echo 'Connection closed by remote host' >&2; exit 255",
        )
        .await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].trouble, HostTrouble::LoginWaits);
        assert_eq!(told[0].remedy, "open https://login.example/a/1");
        assert_eq!(failure.trouble, HostTrouble::NoConnection);
    }

    #[tokio::test]
    async fn words_without_end_are_bounded() {
        let (failure, told) = instead_of_ssh(
            "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; seq 1 500 >&2; \
             echo 'x: Permission denied (publickey).' >&2; exit 255",
        )
        .await;
        assert_eq!(failure.trouble, HostTrouble::LoginRefused);
        assert!(failure.to_string().len() < 300 && told.is_empty());
    }
}
