//! Short scripts run by `sh`, here or on a host, whatever the login shell there is.
//!
//! The script travels on standard input, so no login shell ever splits it. It marks where its output begins and tells
//! its own exit code, since profiles may be noisy and some ssh servers lose codes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::process::Process;
use super::ssh::Master;

const BEGIN: &str = "homelab-tui-begin";
const END: &str = "homelab-tui-end";
/// The first line of whatever calls docker: where it lives on systems whose non-login shells do not look there, and
/// the socket of a rootless engine where the usual one is missing.
///
/// It holds neither `!` nor a line end, so that csh carries it too.
pub const PREPARE: &str = "PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/snap/bin:/opt/bin; \
    export PATH; rootless=/run/user/$(id -u)/docker.sock; \
    if test -S /var/run/docker.sock || test -n \"$DOCKER_HOST\"; then :; \
    elif test -S \"$rootless\"; then DOCKER_HOST=unix://$rootless; export DOCKER_HOST; fi";

/// A place where scripts run.
#[derive(Debug, Clone)]
pub enum Place {
    /// This machine.
    Here,
    /// The host at the other end of an ssh connection.
    There(Arc<Master>),
}

/// What came of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub code: i32,
}

/// The bounds of a script's run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub time: Duration,
    pub bytes: usize,
}

/// Why a script's outcome is not known.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("cannot start a shell: {0}")]
    Start(io::Error),
    #[error("the shell did not end within {0} s")]
    Slow(u64),
    #[error("the output is larger than {0} bytes")]
    Large(usize),
    #[error("the shell ended before its script: {0}")]
    Cut(String),
}

impl Place {
    /// Starts a command; over ssh its words are quoted for the login shell.
    pub async fn start(&self, argv: &[String]) -> io::Result<Process> {
        match self {
            Self::Here => Process::here(argv),
            Self::There(master) => master.open(&join(argv)).await,
        }
    }

    /// Runs a script to its end; nothing in it can read standard input.
    pub async fn run(&self, script: &str, limits: Limits) -> Result<Outcome, ScriptError> {
        let work = async {
            let argv = ["sh".to_owned(), "-s".to_owned()];
            let process = self.start(&argv).await.map_err(ScriptError::Start)?;
            let Process {
                mut stdin,
                mut stdout,
                ending,
                leash: _leash,
            } = process;
            // A shell that is gone already shows in its output.
            let _ = stdin.write_all(wrap(script).as_bytes()).await;
            let _ = stdin.shutdown().await;
            drop(stdin);
            let mut bytes = Vec::new();
            let most = limits
                .bytes
                .saturating_add(BEGIN.len() + END.len() + 64 * 1024);
            let read = (&mut stdout)
                .take(most as u64)
                .read_to_end(&mut bytes)
                .await;
            read.map_err(ScriptError::Start)?;
            if bytes.len() >= most {
                return Err(ScriptError::Large(limits.bytes));
            }
            let (stdout, code) = unwrap(&bytes).ok_or_else(|| {
                ScriptError::Cut(crate::core::text::clean_within(ending.errors().trim(), 200))
            })?;
            let stdout = stdout.to_vec();
            if stdout.len() > limits.bytes {
                return Err(ScriptError::Large(limits.bytes));
            }
            ending.code_within(Duration::from_secs(1)).await;
            Ok(Outcome {
                stdout,
                stderr: ending.errors(),
                code,
            })
        };
        match tokio::time::timeout(limits.time, work).await {
            Ok(result) => result,
            Err(_) => Err(ScriptError::Slow(limits.time.as_secs())),
        }
    }
}

/// Quotes a word so that every common shell, fish and csh among them, reads it back unchanged.
///
/// Words with `!` or line ends cannot be carried through csh; nothing here makes such words.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // Backslashes are literal within quotes in sh but not in fish, so they stand outside of them.
    let mut out = String::with_capacity(word.len() + 2);
    out.push('\'');
    for c in word.chars() {
        match c {
            '\'' => out.push_str("'\\''"),
            '\\' => out.push_str("'\\\\'"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Joins words into a command line.
pub fn join<S: AsRef<str>>(argv: &[S]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quote(word.as_ref())).collect();
    words.join(" ")
}

fn wrap(script: &str) -> String {
    // The code is taken before the line end that parts it from the script's output.
    format!(
        "{PREPARE}\necho; echo {BEGIN}\n(\n{script}\n) </dev/null\ncode=$?; echo; echo {END} $code\nexit 0\n"
    )
}

/// Cuts the script's own output and its exit code out of all that was written.
fn unwrap(bytes: &[u8]) -> Option<(&[u8], i32)> {
    let begin = format!("\n{BEGIN}\n");
    let end = format!("\n{END} ");
    let start = find(bytes, begin.as_bytes())? + begin.len();
    let rest = &bytes[start..];
    let stop = rfind(rest, end.as_bytes())?;
    let code = std::str::from_utf8(&rest[stop + end.len()..]).ok()?;
    let code = code.lines().next()?.trim().parse().ok()?;
    Some((&rest[..stop], code))
}

pub(crate) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn rfind(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).rposition(|window| window == part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    const LIMITS: Limits = Limits {
        time: Duration::from_secs(10),
        bytes: 4096,
    };

    #[tokio::test]
    async fn d11_output_and_code_are_marked_by_ourselves() {
        let outcome = Place::Here
            .run("echo one; echo two >&2; exit 3", LIMITS)
            .await
            .unwrap();
        assert_eq!(outcome.stdout, b"one\n");
        assert_eq!(outcome.stderr, "two\n");
        assert_eq!(outcome.code, 3);
        let noisy = b"Welcome!\nno mail\n\nhomelab-tui-begin\ndata\nhomelab-tui-end 0\nlogout\n";
        assert_eq!(unwrap(noisy), Some((&b"data"[..], 0)));
        assert_eq!(unwrap(b"\nhomelab-tui-begin\ncut off"), None);
    }

    #[tokio::test]
    async fn output_and_time_are_bounded() {
        let large = Place::Here.run("yes | head -c 200000", LIMITS).await;
        assert!(matches!(large, Err(ScriptError::Large(4096))));
        let limits = Limits {
            time: Duration::from_millis(100),
            ..LIMITS
        };
        let slow = Place::Here.run("sleep 1000", limits).await;
        assert!(matches!(slow, Err(ScriptError::Slow(_))));
        let reading = Place::Here.run("cat; echo done", LIMITS).await.unwrap();
        assert_eq!(reading.stdout, b"done\n");
    }

    #[tokio::test]
    async fn quoted_words_come_back_unchanged() {
        for word in [
            "",
            "plain",
            "a b",
            "it's",
            "$HOME `x` \"y\"",
            "back\\slash",
            "ü;|&<>*?[]{}~#",
        ] {
            let script = format!("printf %s {}", quote(word));
            let outcome = Place::Here.run(&script, LIMITS).await.unwrap();
            assert_eq!(String::from_utf8(outcome.stdout).unwrap(), word);
        }
    }
}
