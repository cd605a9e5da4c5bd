//! The words around a build: how a command says that it failed, and how a job says that it ended.

use super::open::Evidence;

/// What a shell gives as the status of a command that it calls `Killed`.
pub(super) const KILLED: i32 = 137;
/// What a shell gives as the status of a command that it calls `Terminated`.
pub(super) const TERMINATED: i32 = 143;

/// A line that says that something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure<'a> {
    /// In words that only a builder uses.
    Certain(&'a [u8]),
    /// `ERROR:` and words that anybody may use.
    Vague(&'a [u8]),
}

/// Reads a line that says that a build failed.
pub(super) fn failure(line: &[u8]) -> Option<Failure<'_>> {
    // The beginnings of what is looked for; most lines end here.
    if !matches!(
        line.first(),
        Some(b'#' | b':' | b'E' | b'e' | b'f' | b't' | b'S' | b'C' | b'c' | b'r' | b'u')
    ) {
        return None;
    }
    let mut text = line;
    let mut marked = false;
    let mut shouted = false;
    loop {
        let before = text.len();
        for mark in [
            &b"##[error]"[..],
            b"::error::",
            b"Error: ",
            b"error: ",
            b"buildx failed with: ",
            b"buildx bake failed with: ",
        ] {
            if let Some(rest) = text.strip_prefix(mark) {
                text = rest;
                marked = true;
            }
        }
        if let Some(rest) = text.strip_prefix(b"ERROR: ") {
            text = rest;
            marked = true;
            shouted = true;
        }
        if text.len() == before {
            break;
        }
    }
    let text = text.trim_ascii();
    const BARE: [&[u8]; 12] = [
        b"failed to solve",
        b"failed to build: ",
        b"failed to receive status",
        b"failed to run Build function",
        b"failed to dial gRPC",
        b"failed to compute cache key",
        b"failed to read dockerfile",
        b"executor failed running",
        b"dockerfile parse error",
        b"Canceled: context canceled",
        b"context canceled",
        b"rpc error: code = ",
    ];
    const MARKED: [&[u8]; 14] = [
        b"process \"",
        b"denied: ",
        b"failed to push",
        b"failed to export",
        b"failed to fetch",
        b"failed to copy",
        b"failed to calculate",
        b"failed to do request",
        b"failed to load cache key",
        b"failed to resolve",
        b"failed to register layer",
        b"unexpected status",
        b"error writing",
        b"frontend grpc server closed",
    ];
    let certain = BARE.iter().any(|words| text.starts_with(words))
        || (marked && MARKED.iter().any(|words| text.starts_with(words)))
        || is_target_failure(text)
        || (text.starts_with(b"Service ")
            && memchr::memmem::find(text, b" failed to build").is_some());
    if certain {
        Some(Failure::Certain(text))
    } else if shouted && !text.is_empty() {
        Some(Failure::Vague(text))
    } else {
        None
    }
}

/// `target web: failed to solve: …`.
fn is_target_failure(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"target ") else {
        return false;
    };
    memchr::memmem::find(&rest[..rest.len().min(200)], b": ").is_some_and(|at| {
        let reason = &rest[at + 2..];
        reason.starts_with(b"failed to ")
            || reason.starts_with(b"rpc error")
            || reason.starts_with(b"context canceled")
    })
}

/// Tells words that say that somebody stopped it.
pub(super) fn is_cancel(text: &[u8]) -> bool {
    [
        &b"context canceled"[..],
        b"context cancelled",
        b"code = Canceled",
        b"exit status 130",
        b"exit code 130",
        b"signal: interrupt",
    ]
    .iter()
    .any(|words| memchr::memmem::find(text, words).is_some())
        || text.starts_with(b"Canceled")
}

/// Tells lines that belong to the end of a build's own output and mean nothing by themselves.
pub(super) fn is_noise(line: &[u8]) -> bool {
    match line.first() {
        None => true,
        Some(b'-') => line.len() >= 6 && line.iter().all(|byte| *byte == b'-'),
        Some(b' ' | b'\t') => {
            let text = line.trim_ascii_start();
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            text.is_empty()
                || text.starts_with(b"> ")
                || text.starts_with(b"- ")
                || (digits > 0 && text[digits..].starts_with(b" |"))
                || (digits > 0 && text[digits..].starts_with(b" warning"))
                || text.starts_with(b"+ CategoryInfo")
                || text.starts_with(b"+ FullyQualifiedErrorId")
        }
        Some(b'+') => line.starts_with(b"+ "),
        Some(b'A') => line.starts_with(b"At line:"),
        Some(b'I') => line.starts_with(b"In Zeile:"),
        Some(b'W') => {
            line.starts_with(b"WARNING: ")
                || line.starts_with(b"WARN[")
                || line.starts_with(b"What's next")
        }
        Some(b'V') => {
            line.starts_with(b"View build details") || line.starts_with(b"View a summary")
        }
        Some(b'L') => line.starts_with(b"Learn more"),
        Some(b'U') => line.starts_with(b"Use docker scan") || line.starts_with(b"Use 'docker scan"),
        Some(b't') => line.starts_with(b"time=\""),
        Some(b'#') => line.starts_with(b"##["),
        Some(b':') => line.starts_with(b"::"),
        // `Dockerfile:12` above the lines of the Dockerfile that failed.
        _ => {
            line.len() < 200
                && line
                    .iter()
                    .rposition(|byte| *byte == b':')
                    .is_some_and(|at| {
                        at > 0
                            && at + 1 < line.len()
                            && line[at + 1..].iter().all(u8::is_ascii_digit)
                            && !line[..at].contains(&b' ')
                    })
        }
    }
}

/// Reads a line by which a job or a tool says that the command before is over.
pub(super) fn evidence(line: &[u8]) -> Option<Evidence> {
    match line.first()? {
        b'#' => {
            let text = line.strip_prefix(b"##[")?;
            if text.starts_with(b"group]")
                || text.starts_with(b"endgroup]")
                || text.starts_with(b"section]")
            {
                return Some(Evidence::Ended);
            }
            let text = text
                .strip_prefix(b"error]")
                .or_else(|| text.strip_prefix(b"warning]"))?;
            if text.starts_with(b"The operation was canceled")
                || text.starts_with(b"The runner has received a shutdown")
            {
                return Some(Evidence::Cancelled);
            }
            exit(text)
        }
        b'E' if line.starts_with(b"Error: The operation was canceled") => Some(Evidence::Cancelled),
        b'P' if line.starts_with(b"Post job cleanup") => Some(Evidence::Ended),
        b'C' if line.starts_with(b"Cleaning up ") => Some(Evidence::Ended),
        b'J' if line.starts_with(b"Job succeeded") => Some(Evidence::Ended),
        b'F' if line == b"Finished: ABORTED" => Some(Evidence::Cancelled),
        b'F' if line.starts_with(b"Finished: ") => Some(Evidence::Ended),
        b'[' if line.starts_with(b"[Pipeline] ") => Some(Evidence::Ended),
        b'C' if line.starts_with(b"Check complete") => Some(Evidence::Built),
        b' ' if line.ends_with(b" Built") || line.ends_with(b" Built ") => Some(Evidence::Built),
        b'^' if line == b"^C" => Some(Evidence::Cancelled),
        b'K' if line == b"Killed" => Some(Evidence::Exit(KILLED)),
        b'T' if line == b"Terminated" => Some(Evidence::Exit(TERMINATED)),
        b'e' | b'E' | b'm' | b's' | b'T' | b'P' => exit(line),
        // act's marks of success, failure and the next step.
        0xe2 | 0xf0 => {
            let text = String::from_utf8_lossy(line);
            if text.contains("Success - ") || text.starts_with('⭐') || text.starts_with('🏁') {
                Some(Evidence::Ended)
            } else if text.contains("Failure - ") {
                Some(Evidence::Exit(1))
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Finds an exit status in a line that speaks of a command's end.
fn exit(line: &[u8]) -> Option<Evidence> {
    if line.len() > 300 {
        return None;
    }
    if line.starts_with(b"make: ") && line.ends_with(b" Interrupt") {
        return Some(Evidence::Cancelled);
    }
    for words in [
        &b"exit code "[..],
        b"exit status ",
        b"exit code: ",
        b"exited with ",
        b"] Error ",
    ] {
        if let Some(at) = memchr::memmem::find(line, words) {
            let rest = &line[at + words.len()..];
            let digits = rest
                .iter()
                .take(4)
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
            return Some(if number == 130 {
                Evidence::Cancelled
            } else {
                Evidence::Exit(number)
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f14_failures_are_known_in_all_their_words() {
        let certain = [
            "ERROR: failed to build: failed to solve: x",
            "ERROR: failed to solve: x",
            "error: failed to solve: rpc error: code = Unknown desc = x",
            "failed to solve: x",
            "failed to solve with frontend dockerfile.v0: x",
            "failed to run Build function: x",
            "executor failed running [/bin/sh -c npm ci]: exit code: 1",
            "target web: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            "ERROR: target web: failed to solve: x",
            "ERROR: process \"/bin/sh -c x\" did not complete successfully: exit code: 1",
            "##[error]buildx failed with: ERROR: failed to solve: x",
            "::error::buildx failed with: ERROR: denied: x",
            "Error: buildx failed with: ERROR: failed to solve: x",
            "Service 'web' failed to build: x",
            "ERROR: Service 'web' failed to build : x",
        ];
        for line in certain {
            assert!(
                matches!(failure(line.as_bytes()), Some(Failure::Certain(_))),
                "{line}"
            );
        }
        for line in ["ERROR: could not find a version", "ERROR: Job failed: x"] {
            assert!(
                matches!(failure(line.as_bytes()), Some(Failure::Vague(_))),
                "{line}"
            );
        }
        for line in [
            "error: pathspec",
            "failed to connect",
            "Error: x",
            "process \"x\"",
            "target web: done",
            "ERROR",
            "##[error]Process completed with exit code 1.",
        ] {
            assert_eq!(failure(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn f15_the_end_of_a_job_tells_how_the_command_ended() {
        let table = [
            (
                "##[error]Process completed with exit code 1.",
                Some(Evidence::Exit(1)),
            ),
            (
                "##[error]Process completed with exit code 130.",
                Some(Evidence::Cancelled),
            ),
            (
                "##[warning]Docker build failed with exit code 1, back off 4.2 seconds before retry.",
                Some(Evidence::Exit(1)),
            ),
            (
                "##[error]The operation was canceled.",
                Some(Evidence::Cancelled),
            ),
            ("##[group]Run echo", Some(Evidence::Ended)),
            ("exit status 130", Some(Evidence::Cancelled)),
            (
                "make: *** [Makefile:3: build] Error 2",
                Some(Evidence::Exit(2)),
            ),
            ("make: *** [build] Interrupt", Some(Evidence::Cancelled)),
            (" sem/cb-api:1  Built", Some(Evidence::Built)),
            ("  ❌  Failure - Main build", None),
            ("❌  Failure - Main build", Some(Evidence::Exit(1))),
            ("⭐ Run Main next", Some(Evidence::Ended)),
            ("Killed", Some(Evidence::Exit(137))),
            ("Killed by the linter", None),
            ("exit code many", None),
            ("plain words", None),
        ];
        for (line, wanted) in table {
            assert_eq!(evidence(line.as_bytes()), wanted, "{line}");
        }
        assert!(
            is_cancel(b"failed to solve: Canceled: context canceled")
                && !is_cancel(b"failed to solve: x")
        );
    }

    #[test]
    fn f8_the_record_of_powershell_is_noise() {
        for line in [
            "",
            "------",
            "--------------------",
            " > [a 3/3] RUN x:",
            "   3 | >>> RUN x",
            "Dockerfile:3",
            "docker/Dockerfile.prod:12",
            " 6 warnings found (use docker --debug to expand):",
            " - StageNameCasing: x",
            "At line:1 char:1",
            "+ docker build .",
            "    + CategoryInfo          : NotSpecified: (#0 building",
            "    + FullyQualifiedErrorId : NativeCommandError",
        ] {
            assert!(is_noise(line.as_bytes()), "{line}");
        }
        assert!(!is_noise(b"compiling things") && !is_noise(b"see http://host:80 now"));
    }
}
