//! The log: one line a happening, in a file of bounded size, while the screen is up and nothing may be printed.
//!
//! It never holds secrets: what is noted is made of [`crate::core`]'s values, whose secrets do not print.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::Timestamp;

use super::paths::{append_private_file, create_private_folder};
use crate::core::text::clean_within;

/// A log of this size is set aside, and the one before it dropped.
const LARGEST: u64 = 2 << 20;

/// More of one happening is not worth keeping.
const LONGEST: usize = 4000;

static LOG: OnceLock<Mutex<Log>> = OnceLock::new();

/// An open log.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    written: u64,
}

/// Begins to write to the file; a second call changes nothing.
pub fn begin(path: &Path) -> Result<(), NotOpened> {
    let log = Log::open(path).map_err(|error| NotOpened {
        path: path.to_owned(),
        error,
    })?;
    // Whoever came first has the log; that is never wrong.
    let _ = LOG.set(Mutex::new(log));
    Ok(())
}

/// Notes a happening, if a log was begun.
pub fn note(area: &str, what: impl fmt::Display) {
    if let Some(log) = LOG.get() {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end the console; there is no other place to say so.
        let _ = log.write(area, &what.to_string());
    }
}

/// The reason why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("failed to open the log {}: {error}; give another file with --log", path.display())]
pub struct NotOpened {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            create_private_folder(folder)?;
        }
        let file = append_private_file(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            written,
        })
    }

    fn write(&mut self, area: &str, what: &str) -> io::Result<()> {
        let line = format!(
            "{:.3} {area}: {}\n",
            Timestamp::now(),
            clean_within(what, LONGEST)
        );
        // Only a plain file can be set aside; a terminal or a pipe given as the log has no size.
        if self.written + line.len() as u64 > LARGEST && self.file.metadata()?.is_file() {
            self.set_aside()?;
        }
        // One write a line keeps the lines of several consoles apart.
        self.file.write_all(line.as_bytes())?;
        self.written += line.len() as u64;
        Ok(())
    }

    fn set_aside(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        self.file = append_private_file(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;

    #[test]
    fn the_log_is_bounded_and_one_line_a_happening() {
        let scratch = Scratch::create();
        let path = scratch.path().join("state/console.log");
        let mut log = Log::open(&path).unwrap();
        log.write("host", "vps: lost\n\u{1b}[2J").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(" host: vps: lost^J^[[2J\n"), "{text}");
        assert_eq!(text.lines().count(), 1);

        let long = "x".repeat(LONGEST * 2);
        for _ in 0..1200 {
            log.write("test", &long).unwrap();
        }
        let size = |name: &str| {
            std::fs::metadata(scratch.path().join("state").join(name))
                .unwrap()
                .len()
        };
        assert!(size("console.log") <= LARGEST);
        assert!(size("console.log.1") <= LARGEST);
        assert_eq!(
            std::fs::read_dir(scratch.path().join("state"))
                .unwrap()
                .count(),
            2
        );
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_said() {
        let error = begin(Path::new("/proc/nowhere/x.log"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("--log"), "{error}");
    }
}
