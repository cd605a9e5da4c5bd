//! What broke other readers of build logs, each with a log made for it.
#![allow(clippy::unwrap_used, reason = "tests")]

use homelab_tui::core::build_log::{Build, BuildLog, Format, Reading, Refused, Status};

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

#[test]
fn f1_each_build_of_a_github_log_is_told_apart() {
    let job = |name: &str, body: &str| {
        format!(
            "##[group]Run docker/setup-buildx-action@v3\nwith:\n  install: false\n##[endgroup]\n##[group]Booting builder\n\
             [command]/usr/bin/docker buildx inspect --bootstrap --builder builder-1\n#1 [internal] booting buildkit\n\
             #1 pulling image moby/buildkit:buildx-stable-1\n#1 pulling image moby/buildkit:buildx-stable-1 2.1s done\n#1 DONE 2.4s\n\
             Name:          builder-1\n##[endgroup]\n##[group]Run docker/build-push-action@v6\nwith:\n  tags: {name}\n##[endgroup]\n\
             [command]/usr/bin/docker buildx build --tag {name} .\n#0 building with \"builder-1\" instance using docker-container driver\n\n{body}\
             ##[group]ImageID\nsha256:0e832438a5502636292d45ea288351602e7717a944d29f5a049d3bc1675ed06e\n##[endgroup]\n\
             ##[group]Digest\nsha256:64520e99dcc5e50df087209a316e3473de8fe491d44530aa7d5601c75db5cb7c\n##[endgroup]\n\
             Post job cleanup.\n##[group]Removing builder\n[command]/usr/bin/docker buildx rm builder-1\n##[endgroup]\n"
        )
    };
    let no_export = [HEAD, STEP].concat();
    let text = format!(
        "\u{feff}{}\u{feff}{}",
        stamped(&job("me/a:1", &small()), 0),
        stamped(&job("me/b:2", &no_export), 100)
    );
    let builds = read(&text);
    assert_eq!(builds.len(), 2, "{builds:#?}");
    for build in &builds {
        assert_eq!((build.status, counts(build)), (Status::Succeeded, SMALL));
        assert_eq!(
            build.vertices.unwrap().total,
            if build.images[0] == "me/b:2" { 5 } else { 6 }
        );
    }
    assert_eq!(
        [builds[0].image().unwrap(), builds[1].image().unwrap()],
        ["docker.io/me/app:1", "me/b:2"]
    );
    assert_eq!(
        builds[0].started.unwrap().to_string(),
        "2026-03-14T09:00:18.0150247Z"
    );
    assert_eq!(builds[0].seconds, Some(22.0));
    assert!(
        builds[0]
            .digest
            .as_ref()
            .unwrap()
            .starts_with("sha256:64520e99")
    );
}

#[test]
fn f1_the_jobs_of_a_matrix_interleaved_in_columns_are_told_apart() {
    let lines = |job: &str| {
        small()
            .lines()
            .map(|line| format!("{job}\tBuild\t2026-03-14T09:26:50.0150247Z {line}\n"))
            .collect::<Vec<_>>()
    };
    let text: String = lines("build (amd64)")
        .into_iter()
        .zip(lines("build (arm64)"))
        .map(|(a, b)| a + &b)
        .collect();
    let builds = read(&text);
    assert_eq!(
        builds
            .iter()
            .map(|build| build.job.as_deref().unwrap())
            .collect::<Vec<_>>(),
        ["build (amd64)", "build (arm64)"]
    );
    for build in &builds {
        assert_eq!(
            (build.status, counts(build), build.interleaved),
            (Status::Succeeded, SMALL, false)
        );
    }
}

#[test]
fn f2_interleaved_vertices_count_once_and_numbers_begin_again() {
    let parallel = "#5 [a 2/2] RUN one\n#5 0.1 x\n#5 ...\n\n#6 [b 2/2] RUN two\n#6 0.1 y\n#6 ...\n\n#5 [a 2/2] RUN one\n#5 0.9 z\n#5 DONE 1.0s\n\n#6 [b 2/2] RUN two\n#6 DONE 2.0s\n\n";
    let export = EXPORT.replace("#6", "#7");
    // Nothing but the numbers shows that the second build is another: no `#0`, the same names.
    let text = [HEAD, parallel, &export, "\n", HEAD, parallel, &export].concat();
    let builds = read(&text);
    assert_eq!(builds.len(), 2);
    for build in &builds {
        assert_eq!(
            (counts(build), build.vertices.unwrap().total),
            ([3, 1, 2, 0, 0], 7)
        );
        assert_eq!(
            (build.missed_seconds, build.interleaved),
            (Some(3.0), false)
        );
    }
}

#[test]
fn f3_both_rates_and_the_time_in_missed_steps_are_told() {
    let build = one(&small());
    assert_eq!(build.hit_rate(), Some(0.5));
    let vertices = build.vertices.unwrap();
    assert_eq!((vertices.cached, vertices.total), (1, 6));
    assert_eq!(build.missed_seconds, Some(2.5));
    assert_eq!(build.first_missed_step().unwrap().name, "[3/3] RUN make");
}

#[test]
fn f4_a_failed_import_is_the_reason_and_no_failure() {
    let text = small().replace(
        "#4 [2/3] COPY . .\n#4 CACHED\n",
        "#7 importing cache manifest from ghcr.io/me/app:cache\n#7 ERROR: ghcr.io/me/app:cache: not found\n\n#4 [2/3] COPY . .\n#4 DONE 0.1s\n",
    ) + "------\n > importing cache manifest from ghcr.io/me/app:cache:\n------\n";
    let build = one(&text);
    assert_eq!(
        (build.status, counts(&build)),
        (Status::Succeeded, [2, 0, 2, 0, 0])
    );
    assert_eq!(
        build.why_missed.as_deref(),
        Some(
            "the cache could not be imported from ghcr.io/me/app:cache: ghcr.io/me/app:cache: not found"
        )
    );
    assert!(build.is_cold());
}

#[test]
fn f5_output_that_imitates_the_builder_counts_nothing() {
    let imitation = "#5 [3/3] RUN make\n#5 0.1 #9 CACHED\n#5 0.1 #4 CACHED\n#5 0.2 ERROR: failed to solve: nothing\n#5 0.3 [+] Building 1.2s (3/4)\n\
         #5 0.4 #0 building with \"x\" instance\n#5 0.5 #1 [internal] load build definition from Dockerfile\n#5 0.6 Step 1/2 : FROM x\n\
         #5 0.7 progress 10%\r#9 CACHED\r#8 [9/9] RUN no\n#5 0.8 \u{1b}[31m#7 CANCELED\u{1b}[0m\n#5 DONE 2.5s\n\n";
    let build = one(&[HEAD, imitation, EXPORT].concat());
    assert_eq!(
        (build.status, counts(&build), build.vertices.unwrap().total),
        (Status::Succeeded, SMALL, 6)
    );
}

#[test]
fn f6_a_growing_log_counts_up_and_a_rotated_one_says_so() {
    let mut log = BuildLog::new();
    let mut seen = Vec::new();
    for line in small().split_inclusive('\n') {
        log.feed(line.as_bytes());
        if let Some(build) = log.open().first() {
            seen.push((build.steps.total, build.status));
        }
    }
    assert_eq!(seen.last(), Some(&(2, Status::Succeeded)));
    assert!(
        seen.iter()
            .take(seen.len() - 1)
            .all(|(_, status)| *status == Status::Running),
        "{seen:?}"
    );
    assert!(seen.is_sorted_by_key(|(total, _)| *total));
    let rotated = one(&small()[HEAD.find("#4 ").unwrap()..]);
    assert_eq!(
        (counts(&rotated), rotated.head_missing, rotated.status),
        (SMALL, true, Status::Succeeded)
    );
    assert!(!one(&small()).head_missing);
    // Cut in the middle of a line, and bytes of no encoding.
    let (builds, _) = read_with(
        &small().as_bytes()[..small().find("compiling").unwrap() + 3],
        None,
    );
    assert_eq!(
        (builds[0].status, counts(&builds[0])),
        (Status::Running, [2, 1, 0, 0, 0])
    );
    let (builds, _) = read_with(
        &[small().as_bytes(), b"\xff\xfe\xfd\x80\n\x00\x01\x02\n"].concat(),
        None,
    );
    assert_eq!(counts(&builds[0]), SMALL);
}

#[test]
fn f6_an_endless_line_is_cut_and_counted() {
    let mut log = BuildLog::new();
    log.feed(HEAD.as_bytes());
    log.feed(b"#5 [3/3] RUN make\n#5 0.2 ");
    for _ in 0..300 {
        log.feed(&[b'x'; 10_000]);
    }
    log.feed(b"\n#5 DONE 2.5s\n\n");
    log.feed(EXPORT.as_bytes());
    assert_eq!(log.reading().cut, 1);
    assert_eq!(counts(&log.finish(None)[0]), SMALL);
}

#[test]
fn f7_utf16_marks_carriage_returns_and_code_pages_are_read() {
    let text = small()
        .replace('\n', "\r\n")
        .replace("compiling", "kompilüre ✓");
    let little: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let big: Vec<u8> = [0xfe, 0xff]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
        .collect();
    let unmarked: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let code_page = text.replace("kompilüre ✓", "komp").into_bytes();
    let code_page = [&code_page[..code_page.len() - 1], b"\n\x81\x8d caf\xe9\r\n"].concat();
    let appended = [text.as_bytes(), &unmarked].concat();
    for (bytes, builds) in [
        (little.clone(), 1),
        (big, 1),
        (unmarked, 1),
        (["\u{feff}", &text].concat().into_bytes(), 1),
        (code_page, 1),
        (appended, 2),
        (
            [little.as_slice(), text.as_bytes(), little.as_slice()].concat(),
            3,
        ),
        (text.replace("\r\n", "\r").into_bytes(), 1),
    ] {
        let (found, _) = read_with(&bytes, None);
        assert_eq!(found.len(), builds);
        for build in found {
            assert_eq!((counts(&build), build.status), (SMALL, Status::Succeeded));
        }
    }
}

#[test]
fn f8_the_error_record_of_powershell_is_neither_failure_nor_loss() {
    for (first, place) in [
        (
            "docker : #0 building with \"default\" instance using docker driver",
            "At line:1 char:1",
        ),
        (
            "docker : #1 [internal] load build definition from Dockerfile",
            "In Zeile:7 Zeichen:15",
        ),
        (
            "docker.exe : #0 building with \"desktop-linux\" instance using docker driver",
            "строка:1 знак:1",
        ),
    ] {
        let record = format!(
            "{first}\r\n{place}\r\n+ docker build --progress=plain . 2>&1 | Out-File build.log\r\n+ ~~~~~~~~~~~~~~~~~~~~~~~~\r\n    \
             + CategoryInfo          : NotSpecified: (#0 building wit...g docker driver:String) [], RemoteException\r\n    \
             + FullyQualifiedErrorId : NativeCommandError\r\n \r\n"
        );
        // The console drops the blank lines between the vertices.
        let rest: String = small()
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| format!("{line}\r\n"))
            .collect();
        let rest = if first.contains("#1") {
            rest.split_once("\r\n").unwrap().1.to_string()
        } else {
            rest
        };
        let build = one(&(record + &rest));
        assert_eq!(
            (counts(&build), build.status, build.vertices.unwrap().total),
            (SMALL, Status::Succeeded, 6),
            "{first}"
        );
    }
}

#[test]
fn f9_folded_names_are_unfolded_or_counted_as_unread() {
    let fold = |from: &str, to: &str| {
        let text = small()
            .replace("[3/3] RUN make", "[frontend-builder 13/17] RUN make all")
            .replace("[2/3]", "[frontend-builder 12/17]");
        assert!(text.contains(from));
        one(&text.replace(from, to))
    };
    for (from, to) in [
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-builder\n13/17] RUN",
        ),
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-builder \n13/17] RUN",
        ),
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-buil\nder 13/17] RUN",
        ),
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-builder 1\n3/17] RUN",
        ),
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-builder 13/\n17] RUN",
        ),
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-builder 13/1\n7] RUN",
        ),
        (
            "[frontend-builder 13/17] RUN",
            "[frontend-builder 13/17\n] RUN",
        ),
        (
            "#5 [frontend-builder 13/17] RUN",
            "#5 \n[frontend-builder 13/17] RUN",
        ),
        ("[1/3] FROM docker.io", "[1/3] FROM \ndocker.io"),
        ("[1/3] FROM docker.io", "[1/3]\nFROM docker.io"),
        ("[1/3] FROM docker.io", "[1/3] FR\nOM docker.io"),
    ] {
        let build = fold(from, to);
        assert_eq!(
            (counts(&build), build.vertices.unwrap().total, build.unread),
            (SMALL, 6, 0),
            "{to}: {build:#?}"
        );
        assert!(
            build.bases[0]
                .reference
                .starts_with("docker.io/library/alpine:3@"),
            "{to}: {:?}",
            build.bases
        );
    }
    let build = fold("RUN make all", "RUN make\nall");
    assert_eq!(
        (counts(&build), build.unread, build.unread_sample.as_slice()),
        (SMALL, 1, &["all".to_string()][..])
    );
    let build = fold(
        "[frontend-builder 13/17] RUN make all\n",
        "[frontend-builder\n",
    );
    assert_eq!((build.unread, build.steps.total), (1, 1), "{build:#?}");
    let build = fold(
        "#4 CACHED\n",
        "#4 CACHED\n\n#7 importing cache manifest from\nghcr.io/me/app:cache\n#7 DONE 0.1s\n",
    );
    assert_eq!(
        (build.cache_sources[0].reference.as_str(), build.unread),
        ("ghcr.io/me/app:cache", 0)
    );
}

#[test]
fn f10_retries_are_builds_of_their_own_and_a_builder_set_up_is_none() {
    let failed = [HEAD, "#5 [3/3] RUN make\n#5 0.1 no\n#5 ERROR: process \"/bin/sh -c make\" did not complete successfully: exit code: 2\n------\n > [3/3] RUN make:\n0.1 no\n------\nERROR: failed to solve: process \"/bin/sh -c make\" did not complete successfully: exit code: 2\n"].concat();
    let boot = "#1 [internal] booting buildkit\n#1 pulling image moby/buildkit:buildx-stable-1 2.1s done\n#1 creating container x 0.3s done\n#1 DONE 2.4s\n";
    let builds = read(
        &[
            boot,
            &failed,
            "Attempt 2\n",
            &failed,
            "Attempt 3\n",
            &small(),
        ]
        .concat(),
    );
    assert_eq!(
        builds.iter().map(|build| build.status).collect::<Vec<_>>(),
        [Status::Failed, Status::Failed, Status::Succeeded]
    );
    assert_eq!(
        builds.iter().map(counts).collect::<Vec<_>>(),
        [[2, 1, 0, 1, 0], [2, 1, 0, 1, 0], SMALL]
    );
    assert!(read(boot).is_empty());
    // The builder may also be set up by the build itself.
    let numbered = small()
        .replace("#6", "#7")
        .replace("#5", "#6")
        .replace("#4", "#5")
        .replace("#3", "#4")
        .replace("#2", "#3")
        .replace("#1 ", "#2 ");
    let build = one(&(boot.to_string() + &numbered));
    assert_eq!((counts(&build), build.vertices.unwrap().total), (SMALL, 7));
    // A retry after a builder was killed: no message, the same names, no `#0`.
    let killed = [HEAD, "#5 [3/3] RUN make\n#5 0.1 x\n"].concat();
    let builds = read(&[killed.as_str(), &small()].concat());
    assert_eq!(
        builds.iter().map(|build| build.status).collect::<Vec<_>>(),
        [Status::Failed, Status::Succeeded]
    );
    assert!(
        builds[0]
            .error
            .as_ref()
            .unwrap()
            .contains("stops inside [3/3] RUN make")
    );
    assert_eq!(counts(&builds[1]), SMALL);
}

#[test]
fn f11_the_header_of_an_ended_vertex_shown_again_is_no_new_build() {
    let again = "#1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile: 120B 0.0s done\n#1 DONE 0.1s\n\n#4 [2/3] COPY . .\n#4 DONE 0.3s\n\n";
    let build = one(&[HEAD, again, STEP, again, EXPORT].concat());
    assert_eq!(
        (counts(&build), build.vertices.unwrap().total, build.status),
        (SMALL, 6, Status::Succeeded)
    );
}

#[test]
fn f12_two_vertices_of_one_name_are_two() {
    let twice = "#7 [builder 3/3] COPY --from=deps /a /a\n#7 CACHED\n\n#8 [builder 3/3] COPY --from=deps /a /a\n#8 DONE 0.1s\n\n";
    assert_eq!(
        counts(&one(&[HEAD, STEP, twice, EXPORT].concat())),
        [4, 2, 2, 0, 0]
    );
}

#[test]
fn f13_kinds_of_vertices_are_told_apart() {
    let others = "#7 [ 4/12] COPY a b\n#7 CACHED\n\n#8 [stage-0  9/17] RUN x\n#8 CACHED\n\n#9 [svc] FROM docker.io/library/busybox\n#9 CACHED\n\n\
        #10 [svc internal] load .dockerignore\n#10 DONE 0.0s\n\n#11 [context base] OCI load from client\n#11 CACHED\n\n\
        #12 [auth] library/alpine:pull token for registry-1.docker.io\n#12 DONE 0.0s\n\n#13 [linux/arm64] generating sbom using docker.io/docker/buildkit-syft-scanner:stable-1\n#13 DONE 1.0s\n\n\
        #101 [svc linux/arm64 build 2/2] RUN y\n#101 0.1 z\n#101 DONE 0.4s\n\n#102 resolve image config for docker-image://docker.io/docker/dockerfile:1\n#102 DONE 0.2s\n\n";
    let build = one(&[HEAD, STEP, others, EXPORT].concat());
    assert_eq!(
        (counts(&build), build.vertices.unwrap().total),
        ([5, 3, 2, 0, 0], 15)
    );
    assert_eq!(build.bases.len(), 2);
    assert_eq!(
        (
            build.platforms[0].platform.as_str(),
            build.platforms[0].steps.total
        ),
        ("linux/arm64", 1)
    );
}

#[test]
fn f14_failures_in_all_their_words() {
    let error = "#5 [3/3] RUN make\n#5 0.1 no\n#5 ERROR: executor failed running [/bin/sh -c make]: exit code: 2\n";
    let open = "#5 [3/3] RUN make\n#5 0.1 x\n";
    for (body, trailer, words) in [
        (error, "", "executor failed running"),
        (
            error,
            "------\n > [3/3] RUN make:\n#5 0.1 no\n------\nexecutor failed running [/bin/sh -c make]: exit code: 2\n",
            "executor failed running",
        ),
        (
            error,
            "------\n > [3/3] RUN make:\n------\nfailed to solve: rpc error: code = Unknown desc = executor failed running [/bin/sh -c make]: exit code: 2\n",
            "failed to solve",
        ),
        (
            error,
            "error: failed to solve: rpc error: code = Unknown desc = x\n",
            "failed to solve",
        ),
        (
            open,
            "ERROR: target app: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n",
            "failed to receive status",
        ),
        (
            open,
            "target app: failed to solve: process \"/bin/sh -c x\" did not complete successfully: exit code: 1\n",
            "target app: failed to solve",
        ),
        (
            open,
            "failed to run Build function: failed to load cache key: x\n",
            "failed to run Build function",
        ),
        (
            open,
            "##[error]buildx failed with: ERROR: failed to solve: no space left on device\n",
            "no space left",
        ),
        (
            open,
            "##[error]Process completed with exit code 1.\n",
            "exit status 1",
        ),
        (
            open,
            "Error response from daemon: x\nmake: *** [Makefile:3: build] Error 1\n",
            "exit status 1",
        ),
    ] {
        let build = one(&[HEAD, body, trailer].concat());
        assert_eq!(build.status, Status::Failed, "{trailer}");
        assert!(
            build.error.as_ref().unwrap().contains(words),
            "{trailer}: {:?}",
            build.error
        );
        let failed = usize::from(body == error);
        assert_eq!(counts(&build), [2, 1, 0, failed, 0], "{trailer}");
    }
}

#[test]
fn f15_interrupted_is_cancelled_but_not_beside_an_error() {
    let cancelled = "#5 [3/3] RUN make\n#5 0.1 x\n#5 CANCELED\n";
    for trailer in [
        "ERROR: failed to solve: Canceled: context canceled\n",
        "exit status 130\n",
        "ERROR: failed to build: failed to receive status: rpc error: code = Canceled desc = context canceled\n",
        "",
        "##[error]The operation was canceled.\n",
    ] {
        let build = one(&[HEAD, cancelled, trailer].concat());
        assert_eq!(
            (build.status, counts(&build)),
            (Status::Cancelled, [2, 1, 0, 0, 1]),
            "{trailer}"
        );
    }
    let open = one(&[
        HEAD,
        "#5 [3/3] RUN make\n#5 0.1 x\n##[error]The operation was canceled.\n",
    ]
    .concat());
    assert_eq!(open.status, Status::Cancelled);
    let (builds, _) = read_with([HEAD, "#5 [3/3] RUN make\n"].concat().as_bytes(), Some(130));
    assert_eq!(builds[0].status, Status::Cancelled);
    let beside = "#6 [b 2/2] RUN no\n#6 ERROR: process \"no\" did not complete successfully: exit code: 1\n\n";
    let build = one(&[
        HEAD,
        beside,
        cancelled,
        "ERROR: failed to solve: process \"no\" did not complete successfully: exit code: 1\n",
    ]
    .concat());
    assert_eq!(
        (build.status, counts(&build)),
        (Status::Failed, [3, 1, 0, 1, 1])
    );
}

#[test]
fn f16_a_log_that_ends_inside_a_step_is_running() {
    let text = small();
    for end in text
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .filter(|end| *end < text.len())
    {
        for build in read(&text[..end]) {
            assert_eq!(build.status, Status::Running, "{}", &text[..end]);
            assert_eq!(build.error, None);
        }
    }
    let build = one(&[HEAD, "#5 [3/3] RUN make\n#5 0.1 x\n"].concat());
    assert_eq!(
        (build.status, counts(&build)),
        (Status::Running, [2, 1, 0, 0, 0])
    );
    assert_eq!(build.first_missed_step().unwrap().name, "[3/3] RUN make");
}

#[test]
fn f17_what_comes_after_the_build_changes_nothing() {
    let noise = "ERROR: could not find a version that satisfies the requirement\napi-1  | ERROR: connection refused\n\
        api-1  | #0 /app/index.php(12): run()\n#0 /app/vendor/x.php(3): y()\n#1 {main}\n#2 [internal function]: z()\n\
        Error: Process completed with exit code 1.\nfailed to solve: something else entirely\nERROR: failed to solve: another tool's words\n\
        exit status 130\n##[error]Process completed with exit code 1.\n#6 DONE nothing\n[+] Running 3/3\n Container x  Started\nCANCELED\nCACHED\n";
    let mut text = small();
    text.push_str("compose is up\n");
    for _ in 0..300 {
        text.push_str(noise);
    }
    let build = one(&text);
    assert_eq!(
        (build.status, counts(&build), build.error.as_ref()),
        (Status::Succeeded, SMALL, None)
    );
    assert_eq!(build.vertices.unwrap().total, 6);
    let failed = [
        HEAD,
        "#5 [3/3] RUN make\n#5 ERROR: x\n\nERROR: failed to solve: x\n",
        &noise.repeat(50),
    ]
    .concat();
    let build = one(&failed);
    assert_eq!(
        (build.status, build.error.as_deref()),
        (Status::Failed, Some("failed to solve: x"))
    );
}

#[test]
fn f18_other_wrappings_are_stripped() {
    let wrap = |form: &dyn Fn(usize, &str) -> String| -> String {
        small()
            .lines()
            .enumerate()
            .map(|(at, line)| form(at, line) + "\n")
            .collect()
    };
    let table: [(&str, String); 14] = [
        ("act", wrap(&|_, line| format!("[CI/build   ]   | {line}"))),
        (
            "act coloured",
            wrap(&|_, line| format!("\u{1b}[33m[CI/build   ] \u{1b}[0m  | {line}")),
        ),
        (
            "devcontainer",
            wrap(&|at, line| {
                if at % 3 == 0 {
                    format!("[2026-03-14T09:26:50.015Z] {line}")
                } else {
                    line.to_string()
                }
            }),
        ),
        ("cloud build", wrap(&|_, line| format!("Step #0: {line}"))),
        (
            "cloud build named",
            wrap(&|_, line| format!("Step #1 - \"build\": {line}")),
        ),
        (
            "jenkins",
            wrap(&|_, line| format!("[2026-03-14T09:26:50.015Z] {line}")),
        ),
        (
            "jenkins clock",
            wrap(&|_, line| format!("09:26:50  {line}")),
        ),
        (
            "gh run view",
            wrap(&|at, line| {
                format!(
                    "build\tUNKNOWN STEP\t{}2026-03-14T09:26:50.0150247Z {line}",
                    if at == 7 { "\u{feff}" } else { "" }
                )
            }),
        ),
        (
            "gitlab",
            wrap(&|_, line| format!("2026-03-14T09:26:50.015024Z 01O {line}")),
        ),
        (
            "compose prefix",
            wrap(&|_, line| format!("runner-1  | {line}")),
        ),
        (
            "syslog",
            wrap(&|at, line| format!("Mar 14 09:26:{:02} nas docker[123]: {line}", at % 60)),
        ),
        ("turbo", wrap(&|_, line| format!("web:docker: {line}"))),
        (
            "json-file",
            wrap(&|_, line| {
                format!(
                    "{{\"log\":\"{}\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-14T09:26:50.015024Z\"}}",
                    line.replace('"', "\\\"")
                )
            }),
        ),
        (
            "no escape byte",
            wrap(&|_, line| format!("[36m{line}[0m").replace("DONE 2.5s[0m", "DONE 2.5s")),
        ),
    ];
    for (what, text) in &table[..13] {
        let build = one(text);
        assert_eq!(
            (counts(&build), build.vertices.unwrap().total, build.status),
            (SMALL, 6, Status::Succeeded),
            "{what}"
        );
        assert_eq!(
            build.first_missed_step().unwrap().name,
            "[3/3] RUN make",
            "{what}"
        );
    }
    assert_eq!(one(&table[0].1).job.as_deref(), Some("CI/build"));
    // Two jobs of act in turns, one of which fails.
    let failed = [
        HEAD,
        "#5 [3/3] RUN make\n#5 ERROR: x\n------\nERROR: failed to solve: x\n",
    ]
    .concat();
    let lines = |job: &str, text: &str| {
        text.lines()
            .map(|line| format!("[CI/{job}]   | {line}\n"))
            .collect::<Vec<_>>()
    };
    let (one, other) = (lines("a", &small()), lines("b", &failed));
    let text: String = one
        .iter()
        .zip(other.iter().chain(std::iter::repeat(&String::new())))
        .map(|(a, b)| format!("{a}{b}"))
        .collect();
    let builds = read(&text);
    assert_eq!(
        builds.iter().map(|build| build.status).collect::<Vec<_>>(),
        [Status::Succeeded, Status::Failed]
    );
}

#[test]
fn f19_an_empty_cache_is_imported_and_that_is_told_beside_no_hits() {
    let text = small().replace("#4 CACHED", "#4 DONE 0.1s").replace(
        "#3 [1/3]",
        "#7 importing cache manifest from gha:1234567890\n#7 DONE 0.2s\n\n#3 [1/3]",
    );
    let build = one(&text);
    assert_eq!(build.cache_sources.len(), 1);
    assert_eq!(
        (
            build.cache_sources[0].reference.as_str(),
            build.cache_sources[0].error.as_ref()
        ),
        ("gha:1234567890", None)
    );
    assert_eq!(
        build.why_missed.as_deref(),
        Some("the cache was imported from gha:1234567890, but no step hit it: it may be empty")
    );
}

#[test]
fn f20_what_cannot_be_counted_is_refused_and_the_classic_builder_is_counted() {
    let screen = "[+] Building 1.2s (12/19)                     docker:default\n => [internal] load build definition from Dockerfile    0.0s\n => => transferring dockerfile: 32B   0.0s\n => CACHED [2/3] COPY . .   0.0s\n => ERROR [3/3] RUN make    0.4s\n------\n > [3/3] RUN make:\n------\nERROR: failed to solve: x\n";
    let podman = "STEP 1/3: FROM docker.io/library/alpine\nSTEP 2/3: COPY . .\n--> Using cache 1234567890ab\nSTEP 3/3: RUN make\nCOMMIT app\n";
    let kaniko = "\u{1b}[36mINFO\u{1b}[0m[0000] Retrieving image manifest alpine:3\n\u{1b}[36mINFO\u{1b}[0m[0005] Taking snapshot of full filesystem...\n";
    for (text, refused) in [
        (screen.to_string(), Refused::Tty),
        (screen.split_once('\n').unwrap().1.to_string(), Refused::Tty),
        (stamped(screen, 0), Refused::Tty),
        (podman.to_string(), Refused::Podman),
        (podman.replace("STEP ", "[1/2] STEP "), Refused::Podman),
        (kaniko.to_string(), Refused::Kaniko),
    ] {
        let (builds, reading) = read_with(text.as_bytes(), None);
        assert!(builds.is_empty(), "{builds:#?}");
        assert_eq!(reading.refused, [refused]);
        assert!(refused.remedy().contains("--progress=plain"));
    }
    let classic = "Step 1/4 : ARG V=1\nStep 2/4 : FROM alpine:$V\n ---> 5ae44c357a60\nStep 3/4 : COPY . .\n ---> Using cache\n ---> 500ef0c50467\nStep 4/4 : RUN make\n ---> Running in 4abf11f759de\nStep 9/9 : imitation\nERROR: not really\n";
    let good = one(&[classic, "Removing intermediate container 4abf11f759de\n ---> d71ea4f830f1\nSuccessfully built d71ea4f830f1\nSuccessfully tagged me/app:1\n"].concat());
    assert_eq!(
        (good.format, good.status, counts(&good), good.vertices),
        (Format::Classic, Status::Succeeded, [2, 1, 1, 0, 0], None)
    );
    assert_eq!(good.image(), Some("me/app:1"));
    let bad = one(&[
        classic,
        "The command '/bin/sh -c make' returned a non-zero code: 2\n",
    ]
    .concat());
    assert_eq!(
        (bad.status, counts(&bad)),
        (Status::Failed, [2, 1, 0, 1, 0])
    );
    assert!(bad.error.unwrap().contains("non-zero code: 2"));
    assert_eq!(one(classic).status, Status::Running);
}

/// Two builds started by one script at the same time write between each other's lines.
#[test]
fn builds_that_run_side_by_side_keep_their_counts() {
    let first = "#4 [deps 1/3] FROM docker.io/library/node:24\n#4 resolve docker.io/library/node:24 0.4s done\n#4 DONE 0.4s\n\n#5 [internal] load build context\n#5 DONE 0.5s\n\n\
        #6 [deps 2/3] RUN corepack enable\n#6 CACHED\n\n#7 [deps 3/3] COPY frontend ./\n#7 DONE 2.8s\n\n#8 exporting to image\n#8 naming to docker.io/library/frontend:1 done\n#8 DONE 0.3s\n";
    let second = "#4 [internal] load build context\n#4 DONE 0.4s\n\n#5 [deps 1/4] FROM docker.io/library/node:24\n#5 DONE 0.4s\n\n\
        #6 [deps 2/4] RUN corepack enable\n#6 CACHED\n\n#7 [deps 3/4] COPY backend ./\n#7 CACHED\n\n#8 [deps 4/4] RUN pnpm install\n#8 CACHED\n\n#9 exporting to image\n#9 naming to docker.io/library/backend:1 done\n#9 DONE 0.3s\n";
    let begin = "#0 building with \"default\" instance using docker driver\n\n#1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile:\n";
    let both = "#1 transferring dockerfile: 3.28kB done\n#1 transferring dockerfile: 5.15kB done\n#1 DONE 0.4s\n\n#2 [internal] load metadata for docker.io/library/node:24\n#1 DONE 0.7s\n\n\
        #2 [internal] load metadata for docker.io/library/node:24\n#2 DONE 1.4s\n#2 DONE 1.5s\n\n#3 [internal] load .dockerignore\n#3 DONE 0.1s\n\n#3 [internal] load .dockerignore\n#3 DONE 0.2s\n\n";
    let blocks = |text: &'static str| text.split_inclusive("\n\n").collect::<Vec<_>>();
    for ahead in 0..4 {
        // One of them is some blocks ahead of the other.
        let (one, other) = (blocks(first), blocks(second));
        let mut mixed = [begin, begin, both].concat();
        mixed.extend(other[..ahead].iter().copied());
        for at in 0..one.len().max(other.len() - ahead) {
            mixed.extend(one.get(at).copied());
            mixed.extend(other.get(at + ahead).copied());
        }
        let mut builds = read(&mixed);
        builds.sort_by_key(|build| build.images.clone());
        assert_eq!(builds.len(), 2, "{ahead}: {builds:#?}");
        assert_eq!(
            builds.iter().map(counts).collect::<Vec<_>>(),
            [[3, 3, 0, 0, 0], [2, 1, 1, 0, 0]],
            "{ahead}: {builds:#?}"
        );
        // Whose the internal vertices are cannot always be told, but none is lost and none is counted twice.
        assert_eq!(
            builds
                .iter()
                .map(|build| build.vertices.unwrap().total)
                .sum::<usize>(),
            17,
            "{ahead}"
        );
        assert!(
            builds
                .iter()
                .all(|build| build.interleaved && build.status == Status::Succeeded),
            "{ahead}: {builds:#?}"
        );
    }
}

/// GitHub hides whatever looks like a secret, also where it is a number.
#[test]
fn numbers_hidden_as_secrets_are_found_again() {
    let text = small()
        .replace("#5 ", "#*** ")
        .replace("[3/3]", "[***/***]")
        .replace("2.5s", "***.5s")
        .replace("#4 ", "#***4 ");
    let build = one(&stamped(&text, 0));
    assert_eq!(
        (counts(&build), build.vertices.unwrap().total, build.status),
        (SMALL, 6, Status::Succeeded)
    );
}

/// Forms met in the wild that are no trap of their own.
#[test]
fn odd_forms_are_read() {
    // Shown out of order at the beginning, also twice in one file.
    let swapped = HEAD
        .replace("#1 ", "#9 ")
        .replace("#2 ", "#1 ")
        .replace("#9 ", "#2 ");
    let swapped = [&swapped, STEP, EXPORT].concat();
    for build in read(&[swapped.as_str(), &swapped].concat()) {
        assert_eq!(
            (
                counts(&build),
                build.vertices.unwrap().total,
                build.head_missing
            ),
            (SMALL, 6, false)
        );
    }
    let late = small().replace("#1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile: 120B done\n#1 DONE 0.0s\n\n", "").replace(
        "#3 [1/3]",
        "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n#3 [1/3]",
    );
    assert_eq!(counts(&one(&late)), SMALL);
    assert_eq!(
        read(&[late.as_str(), &late].concat())
            .iter()
            .map(|build| build.vertices.unwrap().total)
            .collect::<Vec<_>>(),
        [6, 6]
    );
    // Pushed by the engine after the build.
    let pushed = small()
        + "\n#7 pushing ghcr.io/me/app:1 with docker\n#7 pushing layer 5f70bf18a086 1.02kB / 3.4kB\n#7 pushing layer 5f70bf18a086 3.4kB / 3.4kB 0.1s done\n#7 DONE 1.2s\n";
    let build = one(&pushed);
    assert_eq!(
        (build.status, build.pushed, build.images.len()),
        (Status::Succeeded, Some(3_400), 2)
    );
    let refused = pushed.replace("#7 DONE 1.2s", "#7 ERROR: denied: permission denied\n------\n > pushing ghcr.io/me/app:1 with docker:\n------\nERROR: failed to build: denied: permission denied");
    assert_eq!(
        (one(&refused).status, counts(&one(&refused))),
        (Status::Failed, SMALL)
    );
    // The first BuildKit clients.
    let old = "#1 [internal] load build definition from Dockerfile\n#1       digest: sha256:aa\n#1         name: \"[internal] load build definition from Dockerfile\"\n\
        #1      started: 2018-11-08 10:00:00.1 +0000 UTC\n#1    completed: 2018-11-08 10:00:00.2 +0000 UTC\n#1     duration: 100ms\n#1 transferring dockerfile: 38B done\n\n\
        #2 [1/3] FROM docker.io/library/alpine\n#2     duration: 0s\n#2       cached: true\n\n#3 [2/3] COPY . .\n#3     duration: 0s\n#3       cached: true\n\n#4 [3/3] RUN make\n#4 0.3 x\n#4     duration: 1m2.5s\n\n\
        #5 exporting to image\n#5     duration: 20ms\n";
    let build = one(old);
    assert_eq!(
        (counts(&build), build.status, build.missed_seconds),
        (SMALL, Status::Succeeded, Some(62.5))
    );
    // A repository as context tells its revision.
    let hash = "c6bc9192477235443d6e4f6087a0037fb3636b5f";
    let git = small().replace(
        "#1 [internal] load build definition from Dockerfile",
        &format!("#1 [internal] load git source https://github.com/me/app.git#{hash}"),
    );
    assert_eq!(one(&git).revision.as_deref(), Some(hash));
    // A record of PowerShell around every line.
    let records: String = small().lines().filter(|line| !line.is_empty()).map(|line| format!(
        "docker : {line}\r\nEn línea: 16 Carácter: 35\r\n+ docker build .\r\n+ ~~~~~~\r\n    + CategoryInfo          : NotSpecified: ({line}:String) [], RemoteException\r\n    + FullyQualifiedErrorId : NativeCommandError\r\n \r\n"
    )).collect();
    let build = one(&records);
    assert_eq!(
        (counts(&build), build.status, build.unread),
        (SMALL, Status::Succeeded, 0),
        "{:?}",
        build.unread_sample
    );
    // A base image that nobody waited for in the end.
    let left = small()
        .replace("#2 DONE 0.4s", "#2 ...")
        .replace("#3 DONE 0.0s", "#3 ...");
    assert_eq!(
        (one(&left).status, counts(&one(&left))),
        (Status::Succeeded, SMALL)
    );
    // Set up, pushed and listed by other commands of the builder.
    let listed = small()
        + "#1 [internal] pushing ghcr.io/me/app:1\n#1 0.000 pushing sha256:aa to ghcr.io/me/app:1\n#1 DONE 2.0s\n";
    assert_eq!(counts(&one(&listed)), SMALL);
}
