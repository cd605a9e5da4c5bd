//! What broke other readers of build logs, each with a log made for it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ends;
mod forms;
mod retries;
mod segments;
mod wild;

use homelab_tui::core::build_log::{Build, BuildLog, Reading};

/// A whole small build: two steps, one of them cached, exported.
const HEAD: &str = "#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 120B done
#1 DONE 0.0s

#2 [internal] load metadata for docker.io/library/alpine:3
#2 DONE 0.4s

#3 [1/3] FROM docker.io/library/alpine:3@sha256:8a6552a83a03884003b194e5db849f4e906b5c9caf8c66550c23ba50242b6b33
#3 DONE 0.0s

#4 [2/3] COPY . .
#4 CACHED

";
const STEP: &str = "#5 [3/3] RUN make
#5 0.201 compiling
#5 DONE 2.5s

";
const EXPORT: &str = "#6 exporting to image
#6 exporting layers done
#6 naming to docker.io/me/app:1 done
#6 DONE 0.1s
";

fn small() -> String {
    [HEAD, STEP, EXPORT].concat()
}

fn read_with(bytes: &[u8], exit: Option<i32>) -> (Vec<Build>, Reading) {
    let mut log = BuildLog::new();
    log.feed(bytes);
    let builds = log.finish(exit);
    let reading = log.reading().clone();
    // Whatever a test feeds, it must come out the same byte by byte.
    let mut again = BuildLog::new();
    for byte in bytes {
        again.feed(&[*byte]);
    }
    assert_eq!(again.finish(exit), builds);
    assert_eq!(*again.reading(), reading);
    // And the same without the shortcuts past lines that mean nothing.
    let mut careful = BuildLog::careful();
    careful.feed(bytes);
    assert_eq!(careful.finish(exit), builds);
    assert_eq!(*careful.reading(), reading);
    (builds, reading)
}

fn read(text: &str) -> Vec<Build> {
    read_with(text.as_bytes(), None).0
}

fn one(text: &str) -> Build {
    let mut builds = read(text);
    assert_eq!(builds.len(), 1, "{builds:#?}");
    builds.remove(0)
}

fn counts(build: &Build) -> [usize; 5] {
    let steps = build.steps;
    [
        steps.total,
        steps.cached,
        steps.executed,
        steps.failed,
        steps.cancelled,
    ]
}

const SMALL: [usize; 5] = [2, 1, 1, 0, 0];

fn stamped(text: &str, mut second: u32) -> String {
    text.lines()
        .map(|line| {
            second += 1;
            format!(
                "2026-03-14T09:{:02}:{:02}.0150247Z {line}\n",
                second / 60,
                second % 60
            )
        })
        .collect()
}
