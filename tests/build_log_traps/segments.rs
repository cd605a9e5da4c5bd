//! Which lines are of which build, and what they count.

use homelab_tui::core::build_log::{BuildLog, Status};

use crate::*;

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
