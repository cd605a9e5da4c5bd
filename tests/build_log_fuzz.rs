//! Mutated logs: whatever comes, nothing panics, memory stays flat, and portions and shortcuts change nothing.
//!
//! Some seconds as a test; `BUILD_LOG_FUZZ_SECONDS=3600 cargo test --test build_log_fuzz -- --nocapture` for longer,
//! with `BUILD_LOG_FUZZ_SEED` for other logs than the last time.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "support/dice.rs"]
#[allow(dead_code, reason = "not every roll is wanted here")]
mod dice;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use homelab_tui::core::build_log::{Build, BuildLog, Reading, Status};

use dice::Dice;

/// Pieces that mean something to the parser, put where they do not belong.
const PIECES: &[&str] = &[
    "#0 building with \"x\" instance using docker driver",
    "#1 [internal] load build definition from Dockerfile",
    "#1 DONE 0.0s",
    "#2 DONE",
    "#5 CACHED",
    "#7 CANCELED",
    "#9 ERROR: x",
    "#3 ...",
    "#4 0.1 out",
    "#4 ",
    "#",
    "#4",
    "#99999 [1/2] RUN x",
    "#16777217 x",
    "#8 [a",
    "4/6] RUN x",
    "#8 [stage 1/",
    "#8 [1/9]",
    "#8 [1/9] FROM",
    "[",
    "]",
    "#6 importing cache manifest from",
    "#6 importing cache manifest from gha:1",
    "#7 exporting to image",
    "#7 naming to docker.io/a/b:1 done",
    "#7 sha256:8a6552a83a03884003b194e5db849f4e906b5c9caf8c66550c23ba50242b6b33 1.05MB / 4.01MB 0.9s",
    "------",
    "--------------------",
    "ERROR: failed to solve: x",
    "ERROR: x",
    "error: failed to solve: x",
    "target a: failed to solve: x",
    "##[group]Run docker build -t x .",
    "##[group]Metadata",
    "##[group]Digest",
    "##[endgroup]",
    "##[error]The operation was canceled.",
    "##[error]Process completed with exit code 1.",
    "[command]/usr/bin/docker buildx build --tag a:1 .",
    "[command]/usr/bin/git log -1 --format=%H",
    "c6bc9192477235443d6e4f6087a0037fb3636b5f",
    "Step 1/3 : FROM x",
    "Step 2/3 : RUN y",
    " ---> Using cache",
    " ---> 5ae44c357a60",
    "Successfully built 5ae44c357a60",
    "Successfully tagged a:1",
    "The command 'x' returned a non-zero code: 1",
    "[+] Building 1.2s (1/2)",
    " => [internal] load x   0.0s",
    "STEP 1/3: FROM x",
    "INFO[0000] Retrieving image manifest x",
    "docker : #0 building with \"default\" instance",
    "2026-03-14T09:26:50.0150247Z ",
    "2026-03-14T09:26:5",
    "09:26:50  ",
    "[CI/build]   | ",
    "[2026-03-14T09:26:50.015Z] ",
    "Step #0: ",
    "Step #0 - \"a\": ",
    "job\tstep\t2026-03-14T09:26:50Z ",
    "job\tUNKNOWN STEP\t\u{feff}2026-03-14T09:26:50Z ",
    "runner-1  | ",
    "    ",
    "> ",
    "\u{feff}",
    "\u{1b}[36m",
    "\u{1b}",
    "\u{1b}]0;x",
    "\r",
    "\r\n",
    "\n\n",
    "\0",
    "\u{202e}",
    "é",
    "\n#",
    "01O ",
    "00E+",
    "{\"vertexes\":[{\"digest\":\"a\",\"name\":\"[1/2] RUN x\",\"started\":\"2026-01-01T00:00:00Z\",\"completed\":\"2026-01-01T00:00:01Z\"}]}",
    "{\"vertexes\":[{\"digest\":\"b\",\"name\":\"x\",\"started\":\"2026-01-01T00:00:00Z\",\"cached\":true,\"progressGroup\":{\"id\":\"g\",\"name\":\"[2/2] COPY\"}}]}",
    "{\"statuses\":[",
    "{\"log\":\"#1 DONE\\n\",\"time\":\"2026-01-01T00:00:00Z\"}",
    "exit status 130",
    " a:1  Built",
    "WARNING: No output specified with x",
    "WARNING: local cache import at /x not found due to err: y",
    "Post job cleanup.",
    "^C",
    "-9223372036854775808",
];

fn seeds() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/buildkit");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    let plain = String::from_utf8(seeds[2].clone()).unwrap();
    seeds.push(plain.encode_utf16().flat_map(u16::to_le_bytes).collect());
    for prefix in [
        "[CI/build]   | ",
        "Step #0: ",
        "09:26:50  ",
        "web:docker: ",
        "2026-03-14T09:26:50.015024Z 01O ",
    ] {
        seeds.push(
            plain
                .lines()
                .map(|line| format!("{prefix}{line}\r\n"))
                .collect::<String>()
                .into_bytes(),
        );
    }
    seeds
}

fn mutate(log: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(log.len() + 1);
    let line_at = |log: &[u8], at: usize| {
        log[..at]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |found| found + 1)
    };
    let line_end = |log: &[u8], at: usize| {
        log[at..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(log.len(), |found| at + found + 1)
    };
    match dice.below(12) {
        0 if !log.is_empty() => {
            let at = at.min(log.len() - 1);
            log[at] = dice.below(256) as u8;
        }
        1 | 2 => {
            let piece = dice.pick(PIECES).as_bytes().to_vec();
            log.splice(at..at, piece);
        }
        3 | 4 => {
            let at = line_at(log, at);
            let piece = [dice.pick(PIECES).as_bytes(), b"\n"].concat();
            log.splice(at..at, piece);
        }
        5 => {
            let from = line_at(log, at);
            log.drain(from..line_end(log, from));
        }
        6 => {
            let from = line_at(log, at);
            let line = log[from..line_end(log, from)].to_vec();
            let to = dice.below(log.len() + 1);
            let to = line_at(log, to);
            log.splice(to..to, line);
        }
        7 => log.truncate(at),
        8 => {
            let other = dice.pick(seeds);
            let from = dice.below(other.len());
            let end = (from + dice.below(3000)).min(other.len());
            log.splice(at..at, other[from..end].to_vec());
        }
        9 => {
            let end = (at + dice.below(200)).min(log.len());
            log.drain(at..end);
        }
        10 => {
            let piece = dice.pick(PIECES).as_bytes().to_vec();
            let prefixed: Vec<u8> = log
                .split_inclusive(|byte| *byte == b'\n')
                .flat_map(|line| [&piece, line].concat())
                .collect();
            *log = prefixed;
        }
        _ => {
            let digits: Vec<usize> = log
                .iter()
                .enumerate()
                .filter(|(_, byte)| byte.is_ascii_digit())
                .map(|(at, _)| at)
                .collect();
            if !digits.is_empty() {
                log[*dice.pick(&digits)] = b'0' + dice.below(10) as u8;
            }
        }
    }
    log.truncate(200_000);
}

fn read(
    mut log: BuildLog,
    bytes: &[u8],
    mut portion: impl FnMut() -> usize,
) -> (Vec<Build>, Reading) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(portion().clamp(1, rest.len()));
        log.feed(head);
        rest = tail;
    }
    let builds = log.finish(None);
    (builds, log.reading().clone())
}

fn check(bytes: &[u8], dice: &mut Dice) {
    let (builds, reading) = read(BuildLog::new(), bytes, || usize::MAX);
    for build in &builds {
        let steps = build.steps;
        assert!(
            steps.cached <= steps.total
                && steps.executed + steps.failed + steps.cancelled <= steps.total,
            "{steps:?}"
        );
        assert_eq!(build.step_list.len(), steps.total);
        assert_eq!(
            build.error.is_some(),
            matches!(build.status, Status::Failed | Status::Cancelled),
            "{build:?}"
        );
        assert!(build.vertices.is_none_or(
            |vertices| vertices.total >= steps.total && vertices.cached >= steps.cached
        ));
        assert!(
            build
                .hit_rate()
                .is_none_or(|rate| (0.0..=1.0).contains(&rate))
        );
        assert!(
            build
                .missed_seconds
                .is_none_or(|seconds| seconds >= 0.0 && seconds.is_finite())
        );
        assert!(build.seconds.is_none_or(|seconds| seconds >= 0.0));
        assert!(build.line >= 1 && build.line <= reading.lines);
    }
    let limit = dice.below(300) + 1;
    let mut portions = Dice::new(dice.number());
    same(
        "portions",
        (&builds, &reading),
        read(BuildLog::new(), bytes, || portions.below(limit)),
    );
    same(
        "shortcuts",
        (&builds, &reading),
        read(BuildLog::careful(), bytes, || usize::MAX),
    );
}

/// Compares two readings of one log, and tells the first build in which they differ.
fn same(what: &str, one: (&[Build], &Reading), other: (Vec<Build>, Reading)) {
    for (one, other) in one.0.iter().zip(&other.0) {
        assert_eq!(one, other, "{what}");
    }
    assert_eq!(one.0.len(), other.0.len(), "{what}: builds");
    assert_eq!(*one.1, other.1, "{what}");
}

/// Returns the most memory that this process ever held, in kB, where the system tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Memory is that of the process, so the two tests take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn mutated_logs_never_panic_and_read_the_same_in_every_way() {
    let _turn = TURN.lock();
    let seconds = number("BUILD_LOG_FUZZ_SECONDS").unwrap_or(4);
    let seed = number("BUILD_LOG_FUZZ_SEED").unwrap_or(1);
    // A log that was kept is read again alone: with it one sees whether a mend holds.
    if let Some(kept) = std::env::var_os("BUILD_LOG_FUZZ_LOG") {
        check(&std::fs::read(kept).unwrap(), &mut Dice::new(seed));
        return;
    }
    let seeds = seeds();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut logs, mut bytes) = (0_u64, 0_u64);
    let mut dice = Dice::new(seed);
    while Instant::now() < end {
        let mut log = dice.pick(&seeds).clone();
        for _ in 0..=dice.below(12) {
            mutate(&mut log, &seeds, &mut dice);
        }
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&log, &mut dice)));
        if let Err(panic) = outcome {
            let file = std::env::temp_dir().join(format!("build-log-fuzz-{seed}-{logs}.log"));
            std::fs::write(&file, &log).unwrap();
            println!("the log that did it is kept in {}", file.display());
            std::panic::resume_unwind(panic);
        }
        logs += 1;
        bytes += log.len() as u64;
    }
    println!(
        "{logs} mutated logs, {:.1} MB, peak {:?} kB",
        bytes as f64 / 1e6,
        peak()
    );
    assert!(logs > 10, "only {logs} logs in {seconds} s");
}

/// Feeds so many pieces, made by number, and checks that memory does not follow.
fn flood(what: &str, pieces: u64, mut piece: impl FnMut(u64) -> Vec<u8>) {
    let before = peak().unwrap_or(0);
    let mut log = BuildLog::new();
    let mut fed = 0;
    for number in 0..pieces {
        let bytes = piece(number);
        fed += bytes.len();
        log.feed(&bytes);
        if number % 1000 == 0 {
            log.take();
        }
    }
    log.open();
    log.finish(None);
    let grown = peak().unwrap_or(0).saturating_sub(before);
    println!("{what}: {:.1} MB fed, {grown} kB held", fed as f64 / 1e6);
    assert!(grown < 64_000, "{what}: {grown} kB held");
}

#[test]
fn no_flood_fills_memory() {
    let _turn = TURN.lock();
    let long = "x".repeat(2000);
    flood("vertices without end", 60_000, |n| {
        format!("#{n} [stage{n} 1/2] RUN {long}\n#{n} ERROR: {long}\n#{n} WARN: {long}\n")
            .into_bytes()
    });
    flood("one line", 4_000, |_| vec![b'x'; 10_000]);
    flood("one line of returns", 4_000, |_| {
        b"#1 [internal] load build definition\r".repeat(200)
    });
    flood("speakers without end", 20_000, |n| {
        format!("[job/{n}]   | #1 [internal] load build definition from Dockerfile {long}\n")
            .into_bytes()
    });
    flood("prefixes without end", 20_000, |n| {
        format!(
            "{}: #1 [internal] load build definition\n",
            long[..90].replace('x', &char::from(b'a' + (n % 26) as u8).to_string())
        )
        .into_bytes()
    });
    flood("layers without end", 60_000, |n| {
        let head = if n == 0 { "#1 [1/2] FROM a\n" } else { "" };
        format!("{head}#1 sha256:{n:064x} 1.05MB / 4.01MB 0.9s\n").into_bytes()
    });
    flood("json without end", 20_000, |n| {
        format!("{{\"vertexes\":[{{\"digest\":\"{n}{long}\",\"name\":\"{long}\",\"started\":\"2026-01-01T00:00:00Z\"}}]}}\n").into_bytes()
    });
    flood("builds begun without end", 100_000, |n| {
        format!("#0 building with \"x\"\n#1 [internal] load build definition from {n}\n")
            .into_bytes()
    });
    flood("a name folded without end", 60_000, |n| {
        if n == 0 {
            b"#1 [1/2] FROM a\n#2 [a\n".to_vec()
        } else {
            long.clone().into_bytes()
        }
    });
    flood("commands without end", 60_000, |n| {
        format!("+ docker build -t {n}{long} .\ndocker build -t {n} .\n").into_bytes()
    });
    flood("images without end", 60_000, |n| {
        let head = if n == 0 {
            "#1 [1/2] FROM a\n#2 exporting to image\n"
        } else {
            ""
        };
        format!("{head}#2 naming to {n}{long}\n").into_bytes()
    });
    flood("utf-16", 4_000, |_| {
        "#1 0.1 läuft\n"
            .repeat(100)
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    });
}
