//! What commands print: answers to standard output, words about them to standard error.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::core::text::clean;

/// Where a command writes.
pub struct Output<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// Set once the reader has gone away, as `head` does; there is then nobody to tell.
    closed: bool,
}

impl<'a> Output<'a> {
    /// Writes answers and words to two places.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self {
            out,
            err,
            closed: false,
        }
    }

    /// Prints text as it is.
    pub fn text(&mut self, text: &str) -> Result<(), Failed> {
        self.write(|out| out.write_all(text.as_bytes()))
    }

    /// Prints lines for people; whatever hostile text they hold steers no terminal.
    pub fn line(&mut self, line: impl fmt::Display) -> Result<(), Failed> {
        let text = line.to_string();
        self.write(|out| {
            text.split('\n')
                .try_for_each(|line| writeln!(out, "{}", clean(line)))
        })
    }

    /// Prints one JSON object as one line.
    pub fn json_line(&mut self, object: &impl Serialize) -> Result<(), Failed> {
        self.write(|out| {
            serde_json::to_writer(&mut *out, object)?;
            out.write_all(b"\n")
        })
    }

    /// Prints one JSON document.
    pub fn json(&mut self, document: &impl Serialize) -> Result<(), Failed> {
        self.write(|out| {
            serde_json::to_writer_pretty(&mut *out, document)?;
            out.write_all(b"\n")
        })
    }

    /// Hands out the place where answers go, for one too long to be held.
    pub fn stream(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failed> {
        self.write(write)
    }

    /// Says something about the answer, beside it.
    pub fn say(&mut self, words: impl fmt::Display) {
        let words = words.to_string();
        for line in words.lines() {
            // Standard error may be closed; there is no third place to complain.
            let _ = writeln!(self.err, "homelab-tui: {}", clean(line));
        }
    }

    /// Makes sure that everything has been written.
    pub fn flush(&mut self) -> Result<(), Failed> {
        self.write(|out| out.flush())
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failed> {
        if self.closed {
            return Ok(());
        }
        match write(self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Failed),
        }
    }
}

/// The reason why the answer could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("failed to write to standard output: {0}")]
pub struct Failed(#[source] pub io::Error);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        let mut words = Vec::new();
        let mut broken = Broken(io::ErrorKind::BrokenPipe);
        let mut output = Output::new(&mut broken, &mut words);
        output.line("x").unwrap();
        output.json(&[1]).unwrap();
        output.flush().unwrap();

        let mut full = Broken(io::ErrorKind::StorageFull);
        let mut output = Output::new(&mut full, &mut words);
        assert!(output.line("x").is_err());
        assert!(output.json(&[1]).is_err());
    }

    #[test]
    fn words_cannot_steer_the_terminal() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        Output::new(&mut out, &mut err).say("a\u{1b}[31mb\nc");
        assert_eq!(err, b"homelab-tui: a^[[31mb\nhomelab-tui: c\n");
    }
}
