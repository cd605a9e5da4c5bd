//! The ways to an engine, each of which opens one byte stream to it.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::adapters::process::{Ending, Leash, Process};
use crate::adapters::shell::{PREPARE, Place, join};

use crate::adapters::ssh::Master;
use crate::core::failure::{HostFailure, HostTrouble};

use super::preamble::{MARK, Noise, Preamble};
use super::words;

/// How long a command may take to say why it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How an engine is reached.
#[derive(Debug, Clone)]
pub enum Way {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Plain tcp.
    Tcp { host: String, port: u16 },
    /// The docker command of a place, as a pipe to its engine.
    Command {
        place: Place,
        docker: Vec<String>,
        socket: Option<String>,
        /// Set once our own mark was met, which no gate lets through.
        marked: Arc<AtomicBool>,
    },
}

impl Way {
    /// Opens one stream.
    pub async fn dial(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => {
                let (read, write) = UnixStream::connect(path).await?.into_split();
                Ok(Stream {
                    read: Box::pin(read),
                    write: Box::pin(write),
                    told: None,
                    _leash: None,
                })
            }
            Self::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let (read, write) = stream.into_split();
                Ok(Stream {
                    read: Box::pin(read),
                    write: Box::pin(write),
                    told: None,
                    _leash: None,
                })
            }
            Self::Command {
                place,
                docker,
                socket,
                marked,
            } => {
                let script = script(docker, socket.as_deref());
                let argv = ["sh".to_owned(), "-c".to_owned(), script];
                let process: Process = place.start(&argv).await?;
                let read = Preamble::new(process.stdout, marked.clone());
                Ok(Stream {
                    told: Some(Told {
                        ending: process.ending,
                        noise: read.noise(),
                    }),
                    read: Box::pin(read),
                    write: process.stdin,
                    _leash: Some(process.leash),
                })
            }
        }
    }
}

impl Way {
    /// Says why no stream could be opened, or why one ended, by the words of what it ran through.
    pub async fn explain(&self, error: &io::Error, told: Option<Told>) -> HostFailure {
        if let Some(failure) = self.master().and_then(Master::end) {
            return failure;
        }
        if let Some(told) = told {
            let code = told.ending.code_within(LAST_WORDS).await;
            let noise = told
                .noise
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let errors = format!("{noise}\n{}", told.ending.errors());
            let (program, ran) = match self {
                Self::Command { docker, marked, .. } => (
                    docker.first().map_or("docker", String::as_str),
                    marked.load(Ordering::Relaxed),
                ),
                Self::Unix(_) | Self::Tcp { .. } => ("docker", true),
            };
            return words::command_failure(&errors, code, program, ran);
        }
        match self {
            _ if error.kind() == io::ErrorKind::UnexpectedEof => HostFailure::new(
                HostTrouble::EngineDown,
                "the engine closed the connection",
                "dialled again by itself",
            ),
            _ if error.kind() == io::ErrorKind::InvalidData => {
                words::bad_answer("a request", &error.to_string())
            }
            Self::Unix(path) => words::socket_failure(error, &path.display().to_string()),
            Self::Tcp { host, port } => {
                words::socket_failure(error, &format!("tcp://{host}:{port}"))
            }
            Self::Command { .. } => words::inner_failure(error).unwrap_or_else(|| {
                HostFailure::new(
                    HostTrouble::NoConnection,
                    format!("cannot run docker on the host: {error}"),
                    "",
                )
            }),
        }
    }

    /// Says that no answer came in time.
    pub fn slow(&self, asked: &str, limit: Duration) -> HostFailure {
        let mut failure = words::slow(asked, limit.as_secs());
        if let Self::Command { marked, .. } = self
            && !marked.load(Ordering::Relaxed)
        {
            // Not even our own script was seen to begin.
            failure.remedy = "does the login run a command of its own, or does a profile wait for \
                              something? `docker version` there shows whether the engine lives"
                .to_owned();
        }
        failure
    }

    /// Tells whether others of the host may be waiting for a channel.
    pub fn is_crowded(&self) -> bool {
        self.master().is_some_and(Master::is_crowded)
    }

    /// Returns what rings while others of the host wait for a channel.
    pub fn pressure(&self) -> Option<Arc<Notify>> {
        self.master().map(Master::pressure)
    }

    fn master(&self) -> Option<&Master> {
        match self {
            Self::Command {
                place: Place::There(master),
                ..
            } => Some(master),
            _ => None,
        }
    }
}

/// What a command below a stream tells of its end.
#[derive(Debug, Clone)]
pub struct Told {
    ending: Ending,
    noise: Noise,
}

/// Returns the docker command of a host with its socket, as argv.
pub fn docker_argv(docker: &[String], socket: Option<&str>) -> Vec<String> {
    let mut argv: Vec<String> = docker.to_vec();
    let by_sudo = argv.first().is_some_and(|first| first == "sudo");
    if by_sudo && argv.get(1).is_some_and(|second| !second.starts_with('-')) {
        // A password cannot be asked for.
        argv.insert(1, "-n".to_owned());
    }
    if let Some(socket) = socket {
        argv.extend(["-H".to_owned(), format!("unix://{socket}")]);
    }
    argv
}

/// Builds the command that becomes a pipe to the engine.
///
/// It is one line without `!`, so that csh carries it too.
fn script(docker: &[String], socket: Option<&str>) -> String {
    let mut argv = docker_argv(docker, socket);
    argv.extend(["system".to_owned(), "dial-stdio".to_owned()]);
    format!("{PREPARE}; echo {MARK}; exec {}", join(&argv))
}

/// One byte stream to an engine.
pub struct Stream {
    read: Pin<Box<dyn AsyncRead + Send>>,
    write: Pin<Box<dyn AsyncWrite + Send>>,
    /// What the command below tells, where there is one.
    pub told: Option<Told>,
    _leash: Option<Leash>,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn d4_the_configured_command_and_socket_are_used() {
        let plain = script(&words(&["docker"]), None);
        assert!(plain.ends_with("echo homelab-tui-engine; exec docker system dial-stdio"));
        let sudo = script(&words(&["sudo", "docker"]), None);
        assert!(sudo.ends_with("exec sudo -n docker system dial-stdio"));
        let socket = script(&words(&["docker"]), Some("/run/user/1000/my docker.sock"));
        assert!(
            socket.ends_with(
                "exec docker -H 'unix:///run/user/1000/my docker.sock' system dial-stdio"
            )
        );
        assert!(![plain, sudo].concat().contains(['!', '\n']));
    }
}
