//! How fast build logs are read, and in how much memory, beside `grep -c CACHED` on the same file in the same run.
//!
//! `cargo bench --bench build_log [-- MEGABYTES]`; 1024 if nothing is said. Needs that much room in the temporary
//! folder, or in the one that `TMPDIR` names.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and a failed unwrap ends it"
)]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use homelab_tui::core::build_log::BuildLog;

const RUNS: usize = 5;

/// Writes a log of one shape.
type Shape = fn(&mut Log);

fn main() {
    let megabytes: usize = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(1024);
    let file = std::env::temp_dir().join(format!("build-log-bench-{}.log", std::process::id()));
    println!("log of {megabytes} MB, best of {RUNS} runs each");
    println!(
        "{:<34} {:>8} {:>10} {:>8} {:>12} {:>9}",
        "shape", "builds", "ours", "grep", "ours / grep", "peak RSS"
    );
    let shapes: [(&str, Shape); 5] = [
        ("one build, output of one step", output),
        ("GitHub log, one build", github),
        ("gh run view, ten builds", columns),
        ("build, then the rest of the job", after),
        ("many small builds", small),
    ];
    for (name, write) in shapes {
        let mut log = Log {
            out: BufWriter::new(File::create(&file).unwrap()),
            written: 0,
            wanted: megabytes << 20,
            seed: 7,
            lines: 0,
        };
        write(&mut log);
        log.out.flush().unwrap();
        let bytes = log.written as f64;
        let (builds, ours) = best(|| read(&file));
        let (_, grep) = best(|| grep(&file));
        println!(
            "{name:<34} {builds:>8} {:>7.2} GB/s {:>5.2} GB/s {:>8.2} {:>9} kB",
            bytes / ours / 1e9,
            bytes / grep / 1e9,
            grep / ours,
            peak()
        );
    }
    std::fs::remove_file(&file).unwrap();
}

fn best<T>(mut run: impl FnMut() -> T) -> (T, f64) {
    let mut best = f64::MAX;
    let mut last = None;
    for _ in 0..RUNS {
        let begun = Instant::now();
        last = Some(run());
        best = best.min(begun.elapsed().as_secs_f64());
    }
    (last.unwrap(), best)
}

fn read(file: &Path) -> usize {
    let mut file = File::open(file).unwrap();
    let mut log = BuildLog::new();
    let mut portion = vec![0; 256 << 10];
    let mut builds = 0;
    loop {
        let len = file.read(&mut portion).unwrap();
        if len == 0 {
            break;
        }
        log.feed(&portion[..len]);
        builds += log.take().len();
    }
    builds + log.finish(None).len()
}

fn grep(file: &Path) -> usize {
    let found = Command::new("grep")
        .arg("-c")
        .arg("CACHED")
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(found.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// Returns the most memory that this process ever held, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A log being written.
struct Log {
    out: BufWriter<File>,
    written: usize,
    wanted: usize,
    seed: u64,
    lines: u64,
}

impl Log {
    fn line(&mut self, prefix: &str, text: &str) {
        writeln!(self.out, "{prefix}{text}").unwrap();
        self.written += prefix.len() + text.len() + 1;
        self.lines += 1;
    }

    fn random(&mut self, below: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed % below as u64) as usize
    }

    fn time(&self) -> String {
        let ticks = self.lines / 50;
        format!(
            "2026-03-14T{:02}:{:02}:{:02}.{:07}Z ",
            ticks / 3600 % 24,
            ticks / 60 % 60,
            ticks % 60,
            self.lines % 50 * 200_000
        )
    }

    fn words(&mut self) -> String {
        const WORDS: [&str; 24] = [
            "Downloading",
            "Compiling",
            "npm",
            "WARN",
            "deprecated",
            "Get:1",
            "http://deb.debian.org/debian",
            "bookworm/main",
            "amd64",
            "Packages",
            "Unpacking",
            "libfoo",
            "(1.2.3)",
            "over",
            "Setting",
            "up",
            "added",
            "1234",
            "packages",
            "DEBUG",
            "error:",
            "src/main.rs:12:34",
            "[12/345]",
            "CMakeFiles/app.dir/src/foo.cpp.o",
        ];
        let count = 3 + self.random(12);
        (0..count)
            .map(|_| WORDS[self.random(WORDS.len())])
            .collect::<Vec<_>>()
            .join(" ")
    }
}

const HEAD: &str = "#0 building with \"default\" instance using docker driver\n\n#1 [internal] load build definition from Dockerfile\n\
    #1 transferring dockerfile: 746B done\n#1 DONE 0.0s\n\n#2 [internal] load metadata for docker.io/library/alpine:3\n#2 DONE 0.4s\n\n\
    #3 [1/4] FROM docker.io/library/alpine:3@sha256:8a6552a83a03884003b194e5db849f4e906b5c9caf8c66550c23ba50242b6b33\n#3 DONE 0.0s\n\n\
    #4 [2/4] COPY package.json .\n#4 CACHED\n\n#5 [3/4] RUN npm ci";
const TAIL: &str = "#5 DONE 61.2s\n\n#6 [4/4] COPY . .\n#6 DONE 0.1s\n\n#7 exporting to image\n#7 exporting layers 0.4s done\n\
    #7 naming to docker.io/me/app:1 done\n#7 DONE 0.5s\n";

/// Writes a build whose one step writes so many bytes.
fn build(log: &mut Log, prefix: &dyn Fn(&Log) -> String, bytes: usize) {
    for line in HEAD.lines() {
        log.line(&prefix(log), line);
    }
    let end = log.written + bytes;
    while log.written < end {
        let text = format!(
            "#5 {}.{:03} {}",
            log.random(900),
            log.random(1000),
            log.words()
        );
        log.line(&prefix(log), &text);
    }
    for line in TAIL.lines() {
        log.line(&prefix(log), line);
    }
}

fn output(log: &mut Log) {
    build(log, &|_| String::new(), log.wanted);
}

fn github(log: &mut Log) {
    build(log, &Log::time, log.wanted);
}

fn columns(log: &mut Log) {
    for job in 0..10 {
        build(
            log,
            &|log| format!("build (job {job})\tBuild and push\t{}", log.time()),
            log.wanted / 10,
        );
    }
}

fn after(log: &mut Log) {
    build(log, &Log::time, 10_000);
    while log.written < log.wanted {
        let text = log.words();
        log.line(&log.time(), &text);
    }
}

fn small(log: &mut Log) {
    while log.written < log.wanted {
        build(log, &|_| String::new(), 500);
    }
}
