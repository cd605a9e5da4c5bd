//! How a build ended, and why it cost what it cost.

use homelab_tui::core::build_log::Status;

use crate::*;

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
