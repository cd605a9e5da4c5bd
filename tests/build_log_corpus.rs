//! Every log of the corpus gives exactly its true counts, whole, byte by byte and in random portions.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use homelab_tui::core::build_log::Status::{self, Cancelled, Failed, Succeeded};
use homelab_tui::core::build_log::{Build, BuildLog, Format, Refused};
use proptest::prelude::*;

/// File, end, vertices [total, cached, failed, cancelled], steps [total, cached, executed, failed, cancelled].
type Row = (&'static str, Status, [usize; 4], [usize; 5]);

#[rustfmt::skip]
const TRUTH: &[Row] = &[
    ("cold-multistage.log", Succeeded, [19, 0, 0, 0], [11, 0, 11, 0, 0]),
    ("warm-multistage.log", Succeeded, [19, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("code-change.log", Succeeded, [19, 7, 0, 0], [11, 6, 5, 0, 0]),
    ("deps-change.log", Succeeded, [19, 7, 0, 0], [11, 7, 4, 0, 0]),
    ("no-cache.log", Succeeded, [19, 3, 0, 0], [11, 2, 9, 0, 0]),
    ("target-stage.log", Succeeded, [11, 5, 0, 0], [5, 5, 0, 0, 0]),
    ("cache-export-push.log", Succeeded, [20, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("cache-import-hit.log", Succeeded, [20, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("cache-import-partial.log", Succeeded, [20, 6, 0, 0], [11, 6, 5, 0, 0]),
    ("cache-import-missing.log", Succeeded, [10, 0, 1, 0], [3, 0, 3, 0, 0]),
    ("cache-import-two.log", Succeeded, [21, 7, 1, 0], [11, 6, 5, 0, 0]),
    ("fail-run-exit3.log", Failed, [7, 1, 1, 1], [3, 0, 1, 1, 1]),
    ("fail-copy-missing.log", Failed, [6, 1, 1, 0], [1, 0, 0, 1, 0]),
    ("fail-base-not-found.log", Failed, [2, 0, 1, 0], [0, 0, 0, 0, 0]),
    ("fail-auth-401.log", Failed, [2, 0, 1, 0], [0, 0, 0, 0, 0]),
    ("fail-parse.log", Failed, [1, 0, 0, 0], [0, 0, 0, 0, 0]),
    ("fail-push-401.log", Failed, [6, 1, 1, 0], [1, 0, 1, 0, 0]),
    ("cancelled-sigint.log", Cancelled, [5, 1, 0, 1], [1, 0, 0, 0, 1]),
    ("multiplatform-cold.log", Succeeded, [14, 0, 0, 0], [6, 0, 6, 0, 0]),
    ("multiplatform-warm.log", Succeeded, [14, 6, 0, 0], [6, 6, 0, 0, 0]),
    ("interleaved-parallel.log", Succeeded, [11, 1, 0, 0], [6, 0, 6, 0, 0]),
    ("warnings-heredoc-ansi.log", Succeeded, [8, 1, 0, 0], [3, 0, 3, 0, 0]),
    ("overlay2-cold.log", Succeeded, [19, 0, 0, 0], [11, 0, 11, 0, 0]),
    ("overlay2-warm.log", Succeeded, [19, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("overlay2-code-change.log", Succeeded, [19, 7, 0, 0], [11, 6, 5, 0, 0]),
    ("bake-two-targets.log", Succeeded, [19, 2, 0, 0], [8, 2, 6, 0, 0]),
    ("bake-two-targets-warm.log", Succeeded, [19, 8, 0, 0], [8, 8, 0, 0, 0]),
    ("copy-link-add-url.log", Succeeded, [12, 1, 0, 0], [6, 0, 6, 0, 0]),
    ("copy-link-add-url-warm.log", Succeeded, [12, 5, 0, 0], [6, 5, 1, 0, 0]),
    ("engine26-buildx013-cold.log", Succeeded, [19, 0, 0, 0], [11, 0, 11, 0, 0]),
    ("engine26-buildx013-warm.log", Succeeded, [19, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("engine20-buildx013-cold.log", Succeeded, [11, 0, 0, 0], [5, 0, 5, 0, 0]),
    ("engine20-buildx013-warm.log", Succeeded, [11, 5, 0, 0], [5, 5, 0, 0, 0]),
    ("engine20-buildx013-code-change.log", Succeeded, [11, 2, 0, 0], [5, 1, 4, 0, 0]),
    ("docker20-cli-plain.log", Succeeded, [11, 2, 0, 0], [5, 1, 4, 0, 0]),
    ("compose-build-2.26.1-cold.log", Succeeded, [27, 4, 0, 0], [15, 4, 11, 0, 0]),
    ("compose-build-2.26.1-warm.log", Succeeded, [27, 15, 0, 0], [15, 15, 0, 0, 0]),
    ("compose-build-2.40.3-cold.log", Succeeded, [28, 4, 0, 0], [15, 4, 11, 0, 0]),
    ("compose-build-2.40.3-warm.log", Succeeded, [24, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("compose-build-2.40.3-nobake.log", Succeeded, [29, 7, 0, 0], [15, 6, 9, 0, 0]),
    ("gha-raw-code-change.log", Succeeded, [19, 7, 0, 0], [11, 6, 5, 0, 0]),
    ("gha-raw-interleaved.log", Succeeded, [11, 1, 0, 0], [6, 0, 6, 0, 0]),
    ("gha-raw-fail.log", Failed, [7, 1, 1, 1], [3, 0, 1, 1, 1]),
    ("gha-cli-warm.log", Succeeded, [19, 11, 0, 0], [11, 11, 0, 0, 0]),
    ("ansi-crlf-code-change.log", Succeeded, [19, 7, 0, 0], [11, 6, 5, 0, 0]),
];

fn log(name: &str) -> Vec<u8> {
    std::fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/buildkit")
            .join(name),
    )
    .unwrap()
}

fn parse(bytes: &[u8], portions: impl Iterator<Item = usize>) -> (Vec<Build>, BuildLog) {
    let mut log = BuildLog::new();
    let mut rest = bytes;
    for portion in portions {
        let (head, tail) = rest.split_at(portion.clamp(1, rest.len().max(1)).min(rest.len()));
        log.feed(head);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    log.feed(rest);
    let builds = log.finish(None);
    (builds, log)
}

fn whole(name: &str) -> Vec<Build> {
    parse(&log(name), std::iter::empty()).0
}

fn check(row: &Row, builds: &[Build]) {
    let (name, status, vertices, steps) = row;
    assert_eq!(builds.len(), 1, "{name}: one build");
    let build = &builds[0];
    let found = build.vertices.unwrap();
    assert_eq!(
        [found.total, found.cached, found.failed, found.cancelled],
        *vertices,
        "{name}: vertices"
    );
    let found = build.steps;
    assert_eq!(
        [
            found.total,
            found.cached,
            found.executed,
            found.failed,
            found.cancelled
        ],
        *steps,
        "{name}: steps"
    );
    assert_eq!(build.status, *status, "{name}: {:?}", build.error);
    assert_eq!(
        build.error.is_some(),
        *status != Succeeded,
        "{name}: {:?}",
        build.error
    );
    assert_eq!(build.unread, 0, "{name}: {:?}", build.unread_sample);
}

#[test]
fn every_log_of_the_corpus_gives_its_counts() {
    for row in TRUTH {
        check(row, &whole(row.0));
    }
}

#[test]
fn every_log_gives_the_same_byte_by_byte() {
    for row in TRUTH {
        let bytes = log(row.0);
        let (builds, _) = parse(&bytes, std::iter::repeat(1));
        check(row, &builds);
        assert_eq!(builds, whole(row.0), "{}", row.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_log_gives_the_same_in_random_portions(
        row in 0..TRUTH.len(),
        portions in prop::collection::vec(1_usize..400, 1..200),
    ) {
        let bytes = log(TRUTH[row].0);
        let (builds, _) = parse(&bytes, portions.into_iter());
        check(&TRUTH[row], &builds);
        prop_assert_eq!(builds, whole(TRUTH[row].0));
    }
}

#[test]
fn rawjson_gives_the_same_as_plain() {
    for (plain, raw, seconds) in [
        ("cold-multistage.log", "cold-multistage.rawjson.log", 6.31),
        ("fail-run-exit3.log", "fail-run-exit3.rawjson.log", 0.79),
    ] {
        let (plain, raw) = (whole(plain), whole(raw));
        assert_eq!((plain.len(), raw.len()), (1, 1));
        let (plain, raw) = (&plain[0], &raw[0]);
        assert_eq!(raw.format, Format::Rawjson);
        assert_eq!(
            (raw.status, raw.steps, raw.vertices),
            (plain.status, plain.steps, plain.vertices)
        );
        assert_eq!(raw.images, plain.images);
        assert_eq!(raw.bases.len(), plain.bases.len());
        for base in &plain.bases {
            let other = raw
                .bases
                .iter()
                .find(|other| other.reference == base.reference)
                .unwrap();
            assert!(
                other.fetched.abs_diff(base.fetched) <= 20_000,
                "{base:?} {other:?}"
            );
        }
        assert_eq!(
            raw.first_missed_step().map(|step| &step.name),
            plain.first_missed_step().map(|step| &step.name)
        );
        assert!(
            (raw.seconds.unwrap() - seconds).abs() < 0.01,
            "{:?}",
            raw.seconds
        );
        assert!(raw.started.is_some());
        let mut pairs: Vec<_> = plain.step_list.iter().collect();
        pairs.sort_by(|a, b| a.name.cmp(&b.name));
        let mut others: Vec<_> = raw.step_list.iter().collect();
        others.sort_by(|a, b| a.name.cmp(&b.name));
        for (one, other) in pairs.iter().zip(&others) {
            assert_eq!((&one.name, one.state), (&other.name, other.state));
            if let Some(seconds) = one.seconds {
                assert!(
                    (other.seconds.unwrap() - seconds).abs() <= 0.051,
                    "{}: {seconds} {:?}",
                    one.name,
                    other.seconds
                );
            }
        }
    }
    let warm = &whole("warm.rawjson.log")[0];
    let vertices = warm.vertices.unwrap();
    assert_eq!(
        (
            vertices.total,
            vertices.cached,
            warm.steps.cached,
            warm.steps.total
        ),
        (19, 11, 11, 11)
    );
    assert_eq!((warm.status, warm.hit_rate()), (Succeeded, Some(1.0)));
}

#[test]
fn the_classic_builder_is_counted_and_named() {
    for (name, cached, executed) in [
        ("legacy-builder-cold.log", 0, 6),
        ("legacy-builder-warm.log", 6, 0),
    ] {
        let builds = whole(name);
        assert_eq!(builds.len(), 1);
        let build = &builds[0];
        assert_eq!(
            (build.format, build.status, build.vertices),
            (Format::Classic, Succeeded, None)
        );
        assert_eq!(
            (build.steps.total, build.steps.cached, build.steps.executed),
            (6, cached, executed)
        );
        assert_eq!(build.images, ["sem/bkl:1"]);
        assert_eq!((build.seconds, build.missed_seconds), (None, None));
    }
}

#[test]
fn the_screen_of_tty_progress_is_refused() {
    let (builds, mut reader) = parse(&log("tty-progress.log"), std::iter::repeat(7));
    assert!(builds.is_empty());
    assert_eq!(reader.reading().refused, [Refused::Tty]);
}

#[test]
fn figures_beside_the_counts_are_told() {
    let build = |name| whole(name).remove(0);
    let missing = build("cache-import-missing.log");
    assert_eq!(missing.cache_sources.len(), 1);
    assert_eq!(
        missing.cache_sources[0].reference,
        "10.52.0.1:5200/sem/bkcache:nosuch"
    );
    assert!(
        missing.cache_sources[0]
            .error
            .as_ref()
            .unwrap()
            .ends_with("not found")
    );
    assert!(
        missing
            .why_missed
            .as_ref()
            .unwrap()
            .contains("could not be imported from 10.52.0.1:5200/sem/bkcache:nosuch")
    );
    assert_eq!(missing.fetched_base, 1_500_000);
    assert_eq!(missing.images, ["docker.io/sem/bk:8"]);
    assert_eq!(missing.missed_seconds, Some(1.8));
    let two = build("cache-import-two.log");
    assert_eq!(
        two.cache_sources
            .iter()
            .map(|source| source.error.is_some())
            .collect::<Vec<_>>(),
        [true, false]
    );
    let change = build("code-change.log");
    assert_eq!(
        change.first_missed_step().unwrap().name,
        "[build 1/2] COPY src ./src"
    );
    assert_eq!(change.why_missed, None);
    let pushed = build("cache-export-push.log");
    assert_eq!(pushed.images, ["10.52.0.1:5200/sem/bkapp:1"]);
    assert!(pushed.digest.unwrap().starts_with("sha256:c7f6a7f5"));
    let hit = build("cache-import-hit.log");
    assert_eq!(
        (hit.fetched_cache, hit.fetched_base),
        (122 + 9310 + 122 + 1_500_000, 0)
    );
    let platforms = build("multiplatform-cold.log").platforms;
    assert_eq!(
        platforms
            .iter()
            .map(|of| (of.platform.as_str(), of.steps.total))
            .collect::<Vec<_>>(),
        [("linux/arm64", 3), ("linux/amd64", 3)]
    );
    let compose = build("compose-build-2.40.3-cold.log");
    assert_eq!(compose.targets, ["api", "web"]);
    assert_eq!(
        compose.images,
        ["docker.io/sem/cb-api:1", "docker.io/sem/cb-web:1"]
    );
    let wrapped = build("gha-cli-warm.log");
    assert_eq!(wrapped.job.as_deref(), Some("build"));
    assert_eq!(
        wrapped.started.unwrap().to_string(),
        "2026-03-14T09:26:50.4831894Z"
    );
    assert!((wrapped.seconds.unwrap() - 1.504_346_1).abs() < 1e-6);
    assert_eq!(build("warnings-heredoc-ansi.log").warnings, 6);
    let failed = build("fail-run-exit3.log");
    assert!(failed.error.unwrap().contains("exit code: 3"));
    assert_eq!(build("fail-parse.log").hit_rate(), None);
}

/// One file of all logs, one behind the other: each build keeps its counts and its end.
#[test]
fn all_logs_in_one_file_are_told_apart() {
    for seed in [0, 1, 7, 13] {
        let mut rows: Vec<&Row> = TRUTH.iter().collect();
        // Other neighbours each time.
        rows.rotate_left(seed * 3 % TRUTH.len());
        if seed % 2 == 1 {
            rows.reverse();
        }
        let bytes: Vec<u8> = rows.iter().flat_map(|row| log(row.0)).collect();
        let (builds, _) = parse(&bytes, std::iter::empty());
        let found: Vec<_> = builds
            .iter()
            .map(|build| {
                (
                    build.line,
                    build.status,
                    build.vertices.unwrap().total,
                    build.steps,
                )
            })
            .collect();
        let mut line = 1;
        for (at, row) in rows.iter().enumerate() {
            let lines = log(row.0).iter().filter(|byte| **byte == b'\n').count() as u64;
            let of_it: Vec<&Build> = builds
                .iter()
                .filter(|build| (line..line + lines).contains(&build.line))
                .collect();
            assert_eq!(
                of_it.len(),
                1,
                "{seed}: {} after {}: {found:#?}",
                row.0,
                rows[at.saturating_sub(1)].0
            );
            let build = of_it[0];
            let (vertices, steps) = (build.vertices.unwrap(), build.steps);
            assert_eq!(
                [
                    vertices.total,
                    vertices.cached,
                    vertices.failed,
                    vertices.cancelled
                ],
                row.2,
                "{seed}: {}",
                row.0
            );
            assert_eq!(
                [
                    steps.total,
                    steps.cached,
                    steps.executed,
                    steps.failed,
                    steps.cancelled
                ],
                row.3,
                "{seed}: {}",
                row.0
            );
            assert_eq!(build.status, row.1, "{seed}: {}", row.0);
            line += lines;
        }
        assert_eq!(builds.len(), rows.len());
    }
}
