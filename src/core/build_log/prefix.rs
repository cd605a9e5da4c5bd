//! Prefixes of programs that nobody knows, learned from lines that only a builder writes.
//!
//! `12:00:01 app[3]: #1 [internal] load build definition …` teaches that whatever begins like this, with other
//! numbers, is to be read without it.

use super::classic;
use super::unwrap::{REACH, Unwrapped, bare, is_vertex_line, take};

/// How many prefixes are remembered.
const SHAPES: usize = 16;

/// Takes wrappers off, and learns the prefixes of unknown programs from lines that only a builder writes.
#[derive(Debug, Default)]
pub(super) struct Unwrapper {
    shapes: Vec<Box<[u8]>>,
}

impl Unwrapper {
    /// Tells whether any prefix was learned: then no line is known by its first byte.
    pub(super) fn has_learned(&self) -> bool {
        !self.shapes.is_empty()
    }

    /// Remembers the prefix of a line whose rest is a builder's beyond doubt.
    pub(super) fn learn(&mut self, line: &[u8]) {
        // What ends in a word is prose, or a command that says the step.
        let word = |at: &usize| {
            let before = line[..*at].trim_ascii_end();
            let last = before.rsplit(|byte| *byte == b' ').next().unwrap_or(before);
            !last.is_empty() && last.iter().all(u8::is_ascii_alphabetic)
        };
        let step = || first_step_at(line).filter(|at| !word(at));
        let Some(at) = vertex_at(line).or_else(step) else {
            return;
        };
        let (taken, _) = take(line, &[]);
        let prefix = taken
            .text
            .get(..at.saturating_sub(line.len() - taken.text.len()))
            .unwrap_or_default();
        if self.shapes.len() < SHAPES && is_prefix(prefix) {
            let shape = shape_of(prefix);
            if !self.shapes.contains(&shape) {
                self.shapes.push(shape);
            }
        }
    }

    /// Returns the line without its wrappers.
    pub(super) fn unwrap<'a>(&'a self, line: &'a [u8]) -> Unwrapped<'a> {
        if line.first() == Some(&b'#') {
            return bare(line);
        }
        take(line, &self.shapes).0
    }
}

/// Finds where in a line one begins that nothing but BuildKit writes.
fn vertex_at(line: &[u8]) -> Option<usize> {
    let head = line.get(..REACH).unwrap_or(line);
    memchr::memchr_iter(b'#', head).find(|at| is_anchor(&line[*at..]))
}

/// Tells a line that is the first of a build, of either builder.
pub(super) fn begins_a_build(line: &[u8]) -> bool {
    is_anchor(line) || first_step_at(line) == Some(0)
}

/// Finds where in a line the first step of the classic builder begins: `Step 1/6 : FROM x`.
pub(super) fn first_step_at(line: &[u8]) -> Option<usize> {
    let head = line.get(..REACH).unwrap_or(line);
    memchr::memchr_iter(b'S', head).find(|at| {
        line[*at..].starts_with(b"Step 1/")
            && classic::read(&line[*at..]).is_some_and(|read| classic::begins(&read))
    })
}

/// Tells a line that nothing but BuildKit writes.
fn is_anchor(text: &[u8]) -> bool {
    if text.starts_with(b"#0 building with \"") {
        return true;
    }
    if !is_vertex_line(text) {
        return false;
    }
    let Some(open) = text.iter().take(8).position(|byte| *byte == b'[') else {
        return false;
    };
    let window = &text[open..text.len().min(open + 80)];
    let Some(close) = memchr::memchr(b']', window) else {
        return false;
    };
    window[..close].ends_with(b"internal")
        && (window[close..].starts_with(b"] load") || window[close..].starts_with(b"] booting"))
}

/// Tells whether the bytes before a builder's line can be a prefix, and not a command that quotes it.
fn is_prefix(prefix: &[u8]) -> bool {
    let Some(last) = prefix.last() else {
        return false;
    };
    prefix.len() <= 96
        && !prefix.trim_ascii().is_empty()
        && !prefix.starts_with(b"+ ")
        && !prefix.starts_with(b"$ ")
        && matches!(last, b' ' | b'\t' | b'|' | b':' | b']' | b'>')
        && !prefix
            .iter()
            .any(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'#'))
}

fn shape_of(prefix: &[u8]) -> Box<[u8]> {
    let mut shape: Vec<u8> = Vec::with_capacity(prefix.len());
    for byte in prefix {
        let digit = byte.is_ascii_digit();
        if !digit || shape.last() != Some(&b'0') {
            shape.push(if digit { b'0' } else { *byte });
        }
    }
    shape.into_boxed_slice()
}

pub(super) fn match_shape(shape: &[u8], text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for wanted in shape {
        if *wanted == b'0' {
            let digits = text[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                return None;
            }
            at += digits;
        } else {
            if text.get(at) != Some(wanted) {
                return None;
            }
            at += 1;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_once_learned_is_taken_off_every_line() {
        let mut unwrapper = Unwrapper::default();
        unwrapper.learn(b"    Step 1/3 : FROM a");
        unwrapper.learn(b"+ echo Step 1/3 : FROM a");
        unwrapper.learn(b"you should see Step 1/3 : FROM a");
        unwrapper.learn(b"Mar 01 10:00:00 pi docker[1]: Step 1/3 of the plan");
        assert!(!unwrapper.has_learned());
        unwrapper.learn(b"Mar 01 10:00:00 pi docker[123]: Step 1/12 : FROM a");
        assert_eq!(
            unwrapper
                .unwrap(b"Mar 01 10:00:02 pi docker[123]:  ---> Using cache")
                .text,
            b" ---> Using cache"
        );
        unwrapper.learn(b"12 app-1 | #1 [internal] load build definition from Dockerfile");
        assert_eq!(
            unwrapper
                .unwrap(b"345 app-2 | ERROR: failed to solve: x")
                .text,
            b"ERROR: failed to solve: x"
        );
        assert_eq!(unwrapper.unwrap(b"app-2 | ERROR").text, b"app-2 | ERROR");
        for number in 0..100_u8 {
            unwrapper.learn(
                format!("{}: #1 [internal] load x", char::from(b'A' + number % 60)).as_bytes(),
            );
        }
        assert!(unwrapper.shapes.len() <= SHAPES);
    }
}
