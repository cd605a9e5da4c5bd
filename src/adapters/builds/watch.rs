//! A listing on a host that speaks up when it changes: a script that stays there, silent as long as nothing happens.
//!
//! The script compares on the host, so that nothing goes over the wire while nothing changes. It ends with its
//! standard input, whatever becomes of the connection.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::adapters::process::{Ending, Leash, Output};
use crate::adapters::shell::Place;

const BEGIN: &str = "homelab-tui-begin";
const NEXT: &str = "homelab-tui-next";
/// The largest listing that is taken in.
const LARGEST: usize = 1 << 20;

/// A running watch.
pub(super) struct Watch {
    lines: BoundedLines,
    ending: Ending,
    /// Its end is what ends the script.
    _stdin: crate::adapters::process::Input,
    _leash: Leash,
}

impl Watch {
    /// Starts to compare what `list` prints, every `pause` (as `sleep` reads it).
    pub(super) async fn start(place: &Place, list: &str, pause: &str) -> io::Result<Self> {
        let process = place.start(&["sh".to_owned(), "-s".to_owned()]).await?;
        let mut stdin = process.stdin;
        stdin.write_all(script(list, pause).as_bytes()).await?;
        stdin.flush().await?;
        let mut lines = BoundedLines::new(process.stdout);
        while let Some(line) = lines.next().await? {
            if line == BEGIN {
                return Ok(Self {
                    lines,
                    ending: process.ending,
                    _stdin: stdin,
                    _leash: process.leash,
                });
            }
        }
        Err(io::Error::other(process.ending.errors()))
    }

    /// Waits for the next listing; the first comes at once. May be given up and taken on again between listings.
    pub(super) async fn next(&mut self) -> io::Result<String> {
        let mut listing = String::new();
        while let Some(line) = self.lines.next().await? {
            if line == NEXT {
                return Ok(listing);
            }
            if listing.len() + line.len() < LARGEST {
                listing.push_str(&line);
                listing.push('\n');
            }
        }
        let said = self.ending.errors();
        let said = said.trim();
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            if said.is_empty() {
                "the watch on the host ended"
            } else {
                said
            },
        ))
    }
}

/// Lines of a remote script, none longer than a whole listing may be.
struct BoundedLines {
    from: BufReader<Output>,
    /// What has come of the next line; kept when a wait for the rest is given up.
    begun: Vec<u8>,
}

impl BoundedLines {
    fn new(from: Output) -> Self {
        Self {
            from: BufReader::new(from),
            begun: Vec::new(),
        }
    }

    async fn next(&mut self) -> io::Result<Option<String>> {
        let room = (LARGEST - self.begun.len()) as u64;
        let mut bounded = (&mut self.from).take(room);
        bounded.read_until(b'\n', &mut self.begun).await?;
        if self.begun.len() >= LARGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the listing holds a line without end",
            ));
        }
        if self.begun.is_empty() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.begun);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

fn script(list: &str, pause: &str) -> String {
    format!(
        "{prepare}
(
last=none
while :; do
now=$({list})
if test \"$now\" != \"$last\"; then
last=$now
printf '%s\\n{NEXT}\\n' \"$now\" || exit
fi
sleep {pause} || sleep 1
done
) </dev/null 2>/dev/null &
loop=$!
cat >/dev/null
kill $loop 2>/dev/null
",
        prepare = format_args!("{}\necho {BEGIN}", crate::adapters::shell::PREPARE),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[tokio::test]
    async fn it_speaks_when_something_changes_and_ends_when_let_go() {
        let folder = crate::adapters::paths::scratch::Scratch::create();
        let list = format!("ls {}", folder.path().display());
        let mut watch = Watch::start(&Place::Here, &list, "0.05").await.unwrap();
        assert_eq!(watch.next().await.unwrap(), "\n");
        std::fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(watch.next().await.unwrap(), "a\n");
        let quiet = tokio::time::timeout(std::time::Duration::from_millis(300), watch.next()).await;
        assert!(quiet.is_err());
        let ending = watch.ending.clone();
        drop(watch);
        let _ = ending.code_within(std::time::Duration::from_secs(5)).await;
    }
}
