//! The tailnet of this machine: read through tailscaled's socket, else by its command, and followed.

mod local_api;
pub mod road;
mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::core::settings::TailscaleSettings;
use crate::core::tailnet::{Own, Tailnet};

use super::process::Process;

/// Where tailscaled listens by itself.
const SOCKETS: [&str; 2] = [
    "/var/run/tailscale/tailscaled.sock",
    "/var/run/tailscaled.socket",
];
/// The shortest time between two readings.
const GATHER: Duration = Duration::from_millis(500);
/// How often the status is read without cause: changes of path are not pushed.
const POLL: Duration = Duration::from_secs(10);
/// The same where each reading is a process.
const POLL_COMMAND: Duration = Duration::from_secs(15);
/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pauses between two tries of a tailscaled that does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The way to tailscaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tailscale {
    socket: Option<PathBuf>,
    /// Whether the socket is another than the command would take by itself.
    named: bool,
    command: Option<PathBuf>,
}

impl Tailscale {
    /// Finds the tailnet of this machine: a socket, or the command; most machines have none.
    pub fn find(settings: &TailscaleSettings) -> Option<Self> {
        let named = settings.socket.as_ref().map(PathBuf::from);
        let usual = || SOCKETS.iter().map(PathBuf::from).find(|path| path.exists());
        let found = Self {
            named: named.is_some(),
            socket: named.or_else(usual),
            command: find_command(&settings.command),
        };
        (found.socket.is_some() || found.command.is_some()).then_some(found)
    }

    /// Reads the status once.
    ///
    /// # Errors
    /// If tailscaled does not answer, or not in words that can be read.
    pub async fn read(&self) -> io::Result<Tailnet> {
        let text = match &self.socket {
            Some(socket) => match local_api::status(socket).await {
                Ok(text) => text.to_vec(),
                // Nobody listens: the command would find the same, after seconds of trying.
                Err(error) if is_deserted(&error) => return Err(error),
                // A socket that this user may not use is no obstacle to the command.
                Err(error) => match &self.command {
                    Some(command) => self.ask_command(command).await?,
                    None => return Err(error),
                },
            },
            None => match &self.command {
                Some(command) => self.ask_command(command).await?,
                None => return Err(io::ErrorKind::NotFound.into()),
            },
        };
        wire::parse(&text).map_err(io::Error::other)
    }

    /// Tells each change, first the present state, for as long as it is polled; `again` asks for a reading.
    pub async fn follow(&self, again: &Notify, tell: impl Fn(Tailnet)) {
        let mut last: Option<Tailnet> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            // The stream is opened before the first reading, so that nothing falls between the two.
            let mut changes = match &self.socket {
                Some(socket) => local_api::changes(socket).await.ok(),
                None => None,
            };
            let poll = if changes.is_some() {
                POLL
            } else {
                POLL_COMMAND
            };
            loop {
                let at = Instant::now();
                let seen = self.read().await;
                let failed = seen.is_err();
                let seen = seen.unwrap_or_else(|_| silenced(last.as_ref()));
                if last.as_ref() != Some(&seen) {
                    last = Some(seen.clone());
                    tell(seen);
                }
                if failed {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    break;
                }
                pause = FIRST_PAUSE;
                let Some(stream) = &mut changes else {
                    let _ = timeout(poll, again.notified()).await;
                    sleep_until(at + GATHER).await;
                    break;
                };
                // No change within the time is a reason to look as well.
                let is_open = tokio::select! {
                    change = stream.next() => change.is_some(),
                    () = again.notified() => true,
                    () = sleep(poll) => true,
                };
                sleep_until(at + GATHER).await;
                if !is_open {
                    break;
                }
                if stream.skip().await.is_none() {
                    break;
                }
            }
        }
    }

    /// Returns the command that connects standard input and output to a port of a peer, as argv without the peer.
    pub fn connector(&self) -> Option<Vec<String>> {
        let command = self.command.as_ref()?;
        let mut argv = self.command_line(command);
        argv.push("nc".to_owned());
        Some(argv)
    }

    async fn ask_command(&self, command: &Path) -> io::Result<Vec<u8>> {
        let mut argv = self.command_line(command);
        argv.extend(["status".to_owned(), "--json".to_owned()]);
        let process = Process::here(&argv)?;
        let mut text = Vec::new();
        let mut bounded = process.stdout.take(local_api::LARGEST as u64);
        timeout(PATIENCE, bounded.read_to_end(&mut text)).await??;
        Ok(text)
    }

    fn command_line(&self, command: &Path) -> Vec<String> {
        let mut argv = vec![command.to_string_lossy().into_owned()];
        if let Some(socket) = self.socket.as_ref().filter(|_| self.named) {
            argv.push(format!("--socket={}", socket.display()));
        }
        argv
    }
}

/// Makes what is known once tailscaled does not answer any more.
fn silenced(last: Option<&Tailnet>) -> Tailnet {
    last.map_or_else(Tailnet::silent, |last| Tailnet {
        own: Own::NotRunning,
        ..last.clone()
    })
}

fn is_deserted(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
    )
}

fn find_command(name: &str) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        let path = PathBuf::from(name);
        return path.is_file().then_some(path);
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::adapters::paths::scratch::Scratch;

    async fn answer(
        stream: UnixStream,
        status: Arc<Mutex<String>>,
        mut push: watch::Receiver<u32>,
    ) {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).await.unwrap(), 0);
        }
        assert!(head.to_lowercase().contains("host: local-tailscaled.sock"));
        if head.starts_with("GET /localapi/v0/watch-ipn-bus?mask=53250 ") {
            let begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(begin.as_bytes()).await.unwrap();
            while push.changed().await.is_ok() {
                stream.write_all(b"3\r\n{}\n\r\n").await.unwrap();
            }
            return;
        }
        assert!(head.starts_with("GET /localapi/v0/status "));
        let body = status.lock().unwrap().clone();
        let whole = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // An answer may come in pieces.
        let (begin, end) = whole.as_bytes().split_at(whole.len() - 9);
        stream.write_all(begin).await.unwrap();
        stream.flush().await.unwrap();
        sleep(Duration::from_millis(20)).await;
        stream.write_all(end).await.unwrap();
    }

    #[tokio::test]
    async fn a_push_is_followed_by_a_reading_and_silence_is_told() {
        let scratch = Scratch::create();
        let socket = scratch.path().join("t.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let state = |word: &str| format!(r#"{{"BackendState":"{word}","HaveNodeKey":true}}"#);
        let status = Arc::new(Mutex::new(state("Running")));
        let (push, pushed) = watch::channel(0);
        let served = status.clone();
        let server = tokio::spawn(async move {
            let mut answers = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                answers.spawn(answer(stream, served.clone(), pushed.clone()));
            }
        });
        let tailscale = Tailscale::find(&TailscaleSettings {
            socket: Some(socket.to_str().unwrap().to_owned()),
            command: String::new(),
        })
        .unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        let again = Notify::new();
        let follow = tailscale.follow(&again, |seen| drop(tell.send(seen.own)));
        let script = async {
            let mut next = async || timeout(Duration::from_secs(5), told.recv()).await.unwrap();
            assert_eq!(next().await, Some(Own::Running));
            *status.lock().unwrap() = state("Stopped");
            let begun = Instant::now();
            push.send_replace(1);
            assert_eq!(next().await, Some(Own::Stopped));
            assert!(
                begun.elapsed() < Duration::from_secs(2),
                "long before the next poll"
            );
            server.abort();
            std::fs::remove_file(&socket).unwrap();
            assert_eq!(next().await, Some(Own::NotRunning));
        };
        tokio::select! {
            () = follow => unreachable!("it goes on for ever"),
            () = script => {}
        }
    }

    #[test]
    fn a_machine_without_tailscale_has_no_tailnet() {
        assert_eq!(find_command(""), None);
        assert_eq!(find_command("/nowhere/tailscale"), None);
        assert_eq!(find_command("no-such-command-anywhere"), None);
        assert!(find_command("sh").is_some());
    }
}
