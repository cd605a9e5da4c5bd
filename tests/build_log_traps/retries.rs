//! Builds that were cut short, and what follows them in the same file.

use homelab_tui::core::build_log::{BuildLog, Status};

use crate::*;

const ZERO: &str = "#0 building with \"default\" instance using docker driver\n\n";

/// What compose writes for two services, each with a result of its own.
const COMPOSE: &str = "#1 [internal] load local bake definitions
#1 reading from stdin 498B done
#1 DONE 0.0s

#2 [web internal] load build definition from Dockerfile
#2 DONE 0.0s

#3 [api internal] load build definition from Dockerfile
#3 DONE 0.0s

#4 [web 1/3] FROM docker.io/library/alpine:3
#4 CACHED

#5 [api 2/2] COPY api .
#5 DONE 0.1s

#6 [web 2/3] COPY web .
#6 DONE 0.1s

#7 [api] exporting to image
#7 naming to docker.io/acme/api:1 done
#7 DONE 0.1s

#8 [web 3/3] RUN make
#8 0.2 x
#8 DONE 9.0s

#9 [web] exporting to image
#9 naming to docker.io/acme/web:1 done
#9 DONE 0.1s

#10 [web] resolving provenance for metadata file
#10 DONE 0.0s
 acme/web:1  Built
 acme/api:1  Built
";

fn until(text: &str, words: &str) -> String {
    text[..text.find(words).unwrap()].to_string()
}

fn ends(builds: &[Build]) -> Vec<(Status, [usize; 5])> {
    builds
        .iter()
        .map(|build| (build.status, counts(build)))
        .collect()
}

#[test]
fn a_build_killed_between_two_steps_did_not_succeed() {
    let killed = until(&small(), "#5 [3/3]");
    for (cut, steps) in [
        (killed.as_str(), [1, 1, 0, 0, 0]),
        (&until(HEAD, "#4 [2/3]"), [0; 5]),
        (&until(HEAD, "#3 [1/3]"), [0; 5]),
    ] {
        for between in ["", "Killed\n", "Killed\n+ docker build .\n", ZERO] {
            let text = [ZERO, cut, between, &small()].concat();
            for text in [text.clone(), stamped(&text, 0)] {
                assert_eq!(
                    ends(&read(&text)),
                    [(Status::Failed, steps), (Status::Succeeded, SMALL)],
                    "{text}"
                );
            }
        }
    }
    // Nothing is exported here, and every step of the stage ended.
    let unexported = [HEAD, STEP].concat();
    let text = [ZERO, &unexported, ZERO, &small()].concat();
    assert_eq!(ends(&read(&text)), [(Status::Succeeded, SMALL); 2]);
    let text = [ZERO, &unexported, "Killed\n", ZERO, &small()].concat();
    assert_eq!(read(&text)[0].status, Status::Failed);
}

#[test]
fn what_compose_built_is_the_last_build_of_it() {
    let whole = (Status::Succeeded, [3, 0, 3, 0, 0]);
    for (cut, wanted) in [
        ("#8 DONE", (Status::Failed, [3, 0, 2, 0, 0])),
        ("#8 [web 3/3]", (Status::Failed, [2, 0, 2, 0, 0])),
        ("#7 naming", (Status::Failed, [2, 0, 2, 0, 0])),
    ] {
        let text = until(COMPOSE, cut) + COMPOSE;
        assert_eq!(ends(&read(&text)), [wanted, whole], "{cut}");
    }
    // Every stage that is shown has ended, but compose always writes results.
    let unwritten = until(COMPOSE, "#7 [api]").replace("[web 2/3]", "[web 3/3]");
    assert_eq!(
        ends(&read(&(unwritten + COMPOSE))),
        [(Status::Failed, [2, 0, 2, 0, 0]), whole]
    );
    let cancelled = until(COMPOSE, "#8 DONE") + "#8 CANCELED\ncanceled\n";
    assert_eq!(
        ends(&read(&(cancelled + COMPOSE))),
        [(Status::Cancelled, [3, 0, 2, 0, 1]), whole]
    );
}

#[test]
fn a_growing_log_of_several_results_is_over_once() {
    let mut log = BuildLog::new();
    let mut seen = Vec::new();
    for line in COMPOSE.split_inclusive('\n') {
        log.feed(line.as_bytes());
        if let Some(build) = log.open().first()
            && seen.last() != Some(&build.status)
        {
            seen.push(build.status);
        }
    }
    assert_eq!(seen, [Status::Running, Status::Succeeded]);
    for cut in ["#8 [web 3/3]", "#9 [web]"] {
        assert_eq!(one(&until(COMPOSE, cut)).status, Status::Running, "{cut}");
    }
    // One result may be that of two targets.
    let shared = COMPOSE.replace("#9 [web]", "#7 [web]");
    let build = one(&shared);
    assert_eq!((build.status, build.unread), (Status::Succeeded, 0));
}

#[test]
fn a_retry_takes_no_lines_of_the_build_that_was_killed() {
    let parallel = "#5 [a 2/2] RUN one\n#5 0.1 x\n#5 ...\n\n#6 [b 2/2] RUN two\n#6 0.1 y\n#6 ...\n\n#5 [a 2/2] RUN one\n#5 0.9 z\n#5 DONE 1.0s\n\n#6 [b 2/2] RUN two\n#6 DONE 2.0s\n\n";
    let export = EXPORT.replace("#6", "#7");
    let text = [HEAD, parallel, &export].concat();
    for (text, wanted) in [(text.as_str(), [3, 1, 2, 0, 0]), (COMPOSE, [3, 0, 3, 0, 0])] {
        let alone = one(text);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for cut in 3..lines.len() - 4 {
            for between in ["", ZERO] {
                let twice = [&lines[..cut].concat(), between, text].concat();
                let builds = read(&twice);
                let last = builds.last().unwrap();
                assert_eq!(
                    (last.status, counts(last), last.vertices),
                    (Status::Succeeded, wanted, alone.vertices),
                    "{cut}: {builds:#?}"
                );
                assert_eq!(last.step_list, alone.step_list, "{cut}");
                assert!(builds.len() <= 2, "{cut}");
            }
        }
    }
}

#[test]
fn what_was_built_has_no_failures_later() {
    let text = [
        ZERO,
        &small(),
        "##[group]Run docker run --rm app test\n#4 ERROR: test 4 failed\n#5 [checkout 2/3] test FAILED\n#3 CANCELED\n##[error]Process completed with exit code 1.\n",
    ]
    .concat();
    let build = one(&text);
    assert_eq!((build.status, counts(&build)), (Status::Succeeded, SMALL));
}

#[test]
fn speakers_that_differ_in_a_number_are_told_apart() {
    for names in [
        ["web-1  | ", "web-2  | "],
        [
            "Nov 21 14:00:00 builder-01 deploy.sh[12345]: ",
            "Nov 21 14:00:01 builder-01 deploy.sh[12399]: ",
        ],
        [
            "Nov 21 14:00:00 builder-01 deploy.sh[7]: ",
            "Nov 21 14:00:00 builder-02 deploy.sh[7]: ",
        ],
    ] {
        let lines = |name: &str, text: &str| -> Vec<String> {
            text.lines().map(|line| format!("{name}{line}\n")).collect()
        };
        let failed = until(&small(), "#5 DONE")
            + "#5 ERROR: process \"/bin/sh -c make\" did not complete successfully: exit code: 2\n";
        let (one, other) = (lines(names[0], &small()), lines(names[1], &failed));
        let mut text = String::new();
        for at in 0..one.len().max(other.len()) {
            text.extend(one.get(at).cloned());
            text.extend(other.get(at).cloned());
        }
        let mut builds = read(&text);
        builds.sort_by_key(|build| build.line);
        assert_eq!(
            ends(&builds),
            [
                (Status::Succeeded, SMALL),
                (Status::Failed, [2, 1, 0, 1, 0])
            ],
            "{builds:#?}"
        );
        assert_ne!(builds[0].job, builds[1].job);
        if names[0].starts_with("web") {
            assert_eq!(builds[0].job.as_deref(), Some("web-1"));
        }
    }
}

#[test]
fn a_remote_context_that_is_loaded_again_begins_another_build() {
    let vertex = |digest: char, name: &str, from: &str, to: &str, cached: bool| {
        let digest = digest.to_string().repeat(64);
        format!(
            "{{\"vertexes\":[{{\"digest\":\"sha256:{digest}\",\"name\":\"{name}\",\"started\":\"2026-11-21T14:27:{from}Z\",\
             \"completed\":\"2026-11-21T14:27:{to}Z\",\"cached\":{cached}}}]}}\n"
        )
    };
    let build = |at: u32, cached: bool| {
        let time = |tenth: u32| format!("{:02}.{}", at + tenth / 10, tenth % 10);
        [
            vertex(
                'a',
                "[internal] load remote build context",
                &time(0),
                &time(1),
                false,
            ),
            // The builder asks for it twice.
            vertex(
                'a',
                "[internal] load remote build context",
                &time(2),
                &time(3),
                false,
            ),
            vertex('b', "[1/2] COPY . .", &time(4), &time(8), cached),
            vertex('c', "[2/2] RUN make", &time(8), &time(20), cached),
            vertex('d', "exporting to image", &time(20), &time(22), false),
        ]
        .concat()
    };
    let builds = read(&(build(10, false) + &build(30, true)));
    assert_eq!(
        ends(&builds),
        [
            (Status::Succeeded, [2, 0, 2, 0, 0]),
            (Status::Succeeded, [2, 2, 0, 0, 0])
        ]
    );
    for build in builds {
        assert!((build.seconds.unwrap() - 2.2).abs() < 1e-6, "{build:?}");
    }
}

#[test]
fn counts_and_times_in_a_prefix_name_nobody() {
    for form in [
        "T+{}.1s app-1 | ",
        "[n={}] app-1 | ",
        "elapsed:{} app-1 | ",
        "{} app-1 | ",
    ] {
        let text: String = small()
            .lines()
            .enumerate()
            .map(|(at, line)| form.replace("{}", &at.to_string()) + line + "\n")
            .collect();
        let build = one(&text);
        assert_eq!((build.status, counts(&build)), (Status::Succeeded, SMALL));
        assert_eq!(build.job.as_deref(), Some("app-1"), "{form}");
    }
}
