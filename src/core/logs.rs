//! Lines that containers wrote, as they are shown: bounded and harmless.
//!
//! Nothing here knows how the lines travel.

use super::text::clean_within;

/// A longer line is cut.
const LONGEST: usize = 2_000;

/// One line of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The container's place among those that are followed.
    pub container: usize,
    /// Whether it came from standard error.
    pub error: bool,
    pub text: String,
}

/// What came of following a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogNews {
    /// New lines, and how many before them were left out because they came too fast.
    Lines { lines: Vec<LogLine>, left_out: u64 },
    /// A container's log ended, with the reason.
    Ended { container: usize, why: String },
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct Cutter {
    open: Vec<u8>,
}

impl Cutter {
    /// Takes bytes in and returns the lines that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // What is beyond the longest line is not even kept.
            let room = (LONGEST * 4).saturating_sub(self.open.len());
            self.open.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                lines.push(self.take());
            }
        }
        lines
    }

    /// Returns what is left without a line's end.
    pub fn rest(&mut self) -> Option<String> {
        (!self.open.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.open);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']).replace('\t', "    ");
        clean_within(&text, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        let mut cutter = Cutter::default();
        assert_eq!(cutter.push(b"one\r\ntw"), ["one"]);
        assert_eq!(cutter.push(b"o\n\nthree"), ["two", ""]);
        assert_eq!(cutter.rest().as_deref(), Some("three"));
        assert_eq!(cutter.rest(), None);
    }

    #[test]
    fn a_line_without_end_is_bounded_and_escape_sequences_do_nothing() {
        let mut cutter = Cutter::default();
        for _ in 0..1000 {
            assert!(cutter.push(&[b'x'; 4096]).is_empty());
        }
        assert!(cutter.open.len() <= LONGEST * 4);
        let lines = cutter.push(b"\n\x1b[31mred\x1b[0m\n");
        assert!(lines[0].chars().count() <= LONGEST + 3);
        assert!(!lines[1].contains('\u{1b}'), "{:?}", lines[1]);
    }
}
