//! The classic builder: `Step 3/8 : COPY src .`, ` ---> Using cache`.
//!
//! It has no vertices and no times. Its steps are kept as vertices all the same, numbered as it numbers them; what it
//! runs writes to the log without any mark, so only lines that fit the state are believed.

use super::model::Format;
use super::name::Kind;
use super::open::{End, Evidence, Open};

/// The instructions of a Dockerfile: nothing else is a step.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// What a line of the classic builder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Step {
        number: u32,
        total: Option<u32>,
        instruction: &'a [u8],
    },
    Cached,
    /// `---> Running in 4abf11f759de`: what follows is the output of a program, until the step has made its layer.
    Running,
    /// `---> 5ae44c357a60`: the layer that a step made, or removed its container.
    Made,
    Built(&'a [u8]),
    Tagged(&'a [u8]),
    Failed(&'a [u8]),
}

/// Reads a line of the classic builder.
pub(super) fn read(line: &[u8]) -> Option<Line<'_>> {
    let text = line.trim_ascii();
    match text.first()? {
        b'S' => {
            if let Some(rest) = text.strip_prefix(b"Step ") {
                return step(rest);
            }
            if let Some(id) = text.strip_prefix(b"Successfully built ") {
                // Package managers say the same of what they build.
                return is_id(id).then_some(Line::Built(id));
            }
            text.strip_prefix(b"Successfully tagged ").map(Line::Tagged)
        }
        b'-' => {
            let rest = text.strip_prefix(b"---> ")?;
            if rest == b"Using cache" {
                return Some(Line::Cached);
            }
            if rest.strip_prefix(b"Running in ").is_some_and(is_id) {
                return Some(Line::Running);
            }
            is_id(rest).then_some(Line::Made)
        }
        b'T' => {
            let named = text.starts_with(b"The command '") || text.starts_with(b"The command \"");
            (named && memchr::memmem::find(text, b"returned a non-zero code: ").is_some())
                .then_some(Line::Failed(text))
        }
        b'C' | b'A' => (text.starts_with(b"COPY failed: ") || text.starts_with(b"ADD failed: "))
            .then_some(Line::Failed(text)),
        b'E' => {
            let rest = text.strip_prefix(b"Error response from daemon: ")?;
            Some(Line::Failed(rest))
        }
        _ => None,
    }
}

/// Tells whether the line fits where the build stands: what a step runs may write anything.
pub(super) fn fits(open: &Open, line: &Line<'_>) -> bool {
    match line {
        Line::Step { number, .. } => *number == open.current + 1 && !open.runs_program,
        Line::Cached | Line::Running | Line::Built(_) => !open.runs_program,
        Line::Tagged(_) => open.evidence == Evidence::Built,
        Line::Made | Line::Failed(_) => true,
    }
}

/// Tells whether the line is the first of a build.
pub(super) fn begins(line: &Line<'_>) -> bool {
    let Line::Step {
        number: 1,
        instruction,
        ..
    } = line
    else {
        return false;
    };
    let word = keyword(instruction);
    word.eq_ignore_ascii_case(b"FROM") || word.eq_ignore_ascii_case(b"ARG")
}

fn is_id(text: &[u8]) -> bool {
    text.len() == 12 && text.iter().all(u8::is_ascii_hexdigit)
}

fn keyword(instruction: &[u8]) -> &[u8] {
    let end = instruction
        .iter()
        .position(|byte| !byte.is_ascii_alphabetic())
        .unwrap_or(instruction.len());
    &instruction[..end]
}

/// Adds a line to a build of the classic builder.
pub(super) fn add(open: &mut Open, line: Line<'_>) {
    open.format = Format::Classic;
    match line {
        Line::Step {
            number,
            instruction,
            ..
        } => {
            end_step(open);
            open.runs_program = false;
            open.header(number, instruction);
            let is_from = instruction.len() > 5 && instruction[..5].eq_ignore_ascii_case(b"FROM ");
            open.classify(number, if is_from { Kind::From } else { Kind::Step });
        }
        Line::Cached => {
            if let Some(vertex) = open.vertex(open.current) {
                vertex.cached = true;
            }
            open.end(open.current, End::Done);
        }
        Line::Running => open.runs_program = true,
        Line::Made => {
            open.runs_program = false;
            end_step(open);
        }
        Line::Built(id) => {
            end_step(open);
            open.result(1, id);
            open.evidence = Evidence::Built;
        }
        Line::Tagged(image) => open.image(image),
        Line::Failed(reason) => {
            if open
                .find(open.current)
                .is_some_and(|vertex| vertex.end == End::Open)
            {
                open.error(open.current, reason);
            }
            if open.trailer.is_none() && open.evidence != Evidence::Built {
                open.trailer = Some(super::open::cut(reason).to_vec());
            }
        }
    }
}

fn end_step(open: &mut Open) {
    if open.find(open.current).is_some() {
        open.done(open.current);
    }
}

/// Reads `3/8 : COPY src .`, or `3 : COPY src .` of the oldest versions.
fn step(rest: &[u8]) -> Option<Line<'_>> {
    let colon = memchr::memmem::find(&rest[..rest.len().min(16)], b" : ")?;
    let places = std::str::from_utf8(&rest[..colon]).ok()?;
    let (number, total) = match places.split_once('/') {
        Some((number, total)) => (number, Some(total.parse().ok()?)),
        None => (places, None),
    };
    let instruction = rest[colon + 3..].trim_ascii();
    let word = keyword(instruction);
    if !INSTRUCTIONS
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    {
        return None;
    }
    Some(Line::Step {
        number: number.parse().ok().filter(|number| *number > 0)?,
        total,
        instruction,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_classic_builder_are_told() {
        assert_eq!(
            read(b"Step 3/8 : COPY src ."),
            Some(Line::Step {
                number: 3,
                total: Some(8),
                instruction: b"COPY src ."
            })
        );
        assert_eq!(
            read(b"Step 3 : RUN x"),
            Some(Line::Step {
                number: 3,
                total: None,
                instruction: b"RUN x"
            })
        );
        assert_eq!(read(b" ---> Using cache"), Some(Line::Cached));
        assert_eq!(read(b" ---> 5ae44c357a60"), Some(Line::Made));
        assert_eq!(
            read(b"Successfully tagged sem/bkl:1"),
            Some(Line::Tagged(b"sem/bkl:1"))
        );
        assert_eq!(
            read(b"The command '/bin/sh -c x' returned a non-zero code: 3"),
            Some(Line::Failed(
                b"The command '/bin/sh -c x' returned a non-zero code: 3"
            ))
        );
        for line in [
            "Step 3/8: x",
            "Step #0: x",
            "Step one : x",
            "Step 0/3 : RUN",
            "Step 1/3 : npm audit",
            " ---> Running in foo",
            "Successfully built psutil",
            "Steps",
        ] {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
    }
}
