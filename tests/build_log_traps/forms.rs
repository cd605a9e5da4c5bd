//! Encodings, wrappings and forms around the lines.

use homelab_tui::core::build_log::{Format, Refused, Status};

use crate::*;

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
fn f18_other_wrappings_are_stripped() {
    let wrap = |form: &dyn Fn(usize, &str) -> String| -> String {
        small()
            .lines()
            .enumerate()
            .map(|(at, line)| form(at, line) + "\n")
            .collect()
    };
    let table: [(&str, String); 16] = [
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
            "ansible",
            wrap(&|_, line| format!("        {},", serde_json::json!(line))),
        ),
        (
            "ansible, one string",
            format!(
                "ok: [nas] => {{\n    \"build.stderr\": {}\n}}\n",
                serde_json::json!(small())
            ),
        ),
        ("no escape byte", wrap(&|_, line| format!("[36m{line}[0m"))),
    ];
    for (what, text) in &table {
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
fn f18_the_classic_builder_is_read_behind_the_prefixes_of_others_too() {
    let log = "Sending build context to Docker daemon  3.072kB\nStep 1/3 : FROM alpine\n ---> 5ae44c357a60\nStep 2/3 : COPY . .\n ---> Using cache\n ---> 500ef0c50467\nStep 3/3 : RUN make\n ---> Running in 4abf11f759de\nRemoving intermediate container 4abf11f759de\n ---> d71ea4f830f1\nSuccessfully built d71ea4f830f1\nSuccessfully tagged me/app:1\n";
    for prefix in [
        "",
        "    ",
        "Mar 14 09:26:50 nas docker[123]: ",
        "2026-03-14T09:26:50+0100 nas build.sh[123]: ",
        "[build:L12:3s] ",
        "[09:26:50]\t[Step 1/2] ",
        "builder-1  | 2026-03-14T09:26:50.015024Z ",
        "null_resource.deploy (remote-exec): ",
    ] {
        let text: String = log
            .lines()
            .map(|line| format!("{prefix}{line}\n"))
            .collect();
        let build = one(&text);
        assert_eq!(
            (build.format, build.status, counts(&build)),
            (Format::Classic, Status::Succeeded, [2, 1, 1, 0, 0]),
            "{prefix:?}"
        );
        // Each of them in a log that began with other work.
        let before = "compiling\n".repeat(50);
        assert_eq!(
            counts(&one(&(before + &text))),
            [2, 1, 1, 0, 0],
            "{prefix:?}"
        );
    }
    assert!(read("+ echo Step 1/2 : FROM alpine\n").is_empty());
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

#[test]
fn f20_what_a_step_of_the_classic_builder_writes_is_no_word_of_the_builder() {
    const HEAD: &str = "Sending build context to Docker daemon  4.096kB\nStep 1/4 : FROM python:3.12\n ---> 0123456789ab\n\
        Step 2/4 : COPY . .\n ---> Using cache\n ---> 1123456789ab\nStep 3/4 : RUN pip install .\n ---> Running in bbbbbbbbbbbb\n\
        Successfully built psutil\nStep 1/3 : npm audit\nStep 4/4 : CMD x\n ---> Using cache\nSuccessfully tagged release\n\
        Successfully installed psutil-5\n";
    let end = "Removing intermediate container bbbbbbbbbbbb\n ---> 4123456789ab\nStep 4/4 : CMD [\"x\"]\n\
        ---> Running in cccccccccccc\nRemoving intermediate container cccccccccccc\n ---> 5123456789ab\n\
        Successfully built 5123456789ab\nSuccessfully tagged acme/py:1\n";
    let good = one(&[HEAD, end].concat());
    assert_eq!(good.status, Status::Succeeded);
    assert_eq!(counts(&good), [3, 1, 2, 0, 0]);
    assert_eq!(good.images, ["acme/py:1"]);
    let failure = "The command '/bin/sh -c pip install .' returned a non-zero code: 1\n";
    let failed = one(&[HEAD, failure].concat());
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(counts(&failed), [2, 1, 0, 1, 0]);
    // A build that was killed while a program ran is followed by the next one.
    let both = read(&[HEAD, HEAD, end].concat());
    assert_eq!(both.len(), 2);
    assert_ne!(both[0].status, Status::Succeeded);
    assert_eq!(counts(&both[1]), [3, 1, 2, 0, 0]);
}

#[test]
fn f20_a_classic_log_cut_at_its_start_keeps_its_steps() {
    let cut = one(
        "Step 3/4 : RUN pip install .\n ---> Running in bbbbbbbbbbbb\nRemoving intermediate container bbbbbbbbbbbb\n ---> 4123456789ab\n\
        Step 4/4 : CMD [\"x\"]\n ---> Using cache\n ---> 5123456789ab\nSuccessfully built 5123456789ab\n",
    );
    assert_eq!(counts(&cut), [2, 1, 1, 0, 0]);
}

#[test]
fn f18_objects_and_odd_times_around_the_lines_are_read() {
    let build = "#0 building with \"x\" instance\n#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\
        #2 [1/3] FROM a\n#2 DONE 0.0s\n#3 [2/3] RUN b\n#3 CACHED\n#4 [3/3] RUN c\n#4 DONE 9.0s\n#5 exporting to image\n#5 DONE 0.1s\n";
    type Form = fn(usize, &str) -> String;
    let forms: [Form; 8] = [
        |at, line| {
            let line = serde_json::json!({"log": format!("{line}\n"), "time": format!("2026-03-14T09:26:{at:02}Z")});
            format!("{line}\n")
        },
        |at, line| {
            let at = (1_763_733_600 + at) * 1_000_000;
            let line = serde_json::json!({"__REALTIME_TIMESTAMP": at.to_string(), "MESSAGE": line});
            format!("{line}\n")
        },
        |at, line| {
            let line = serde_json::json!({"@timestamp": format!("2026-03-14T09:26:{at:02}Z"), "message": line});
            format!("{line}\n")
        },
        |at, line| format!("Nov 21 14:00:{at:02} box deploy[77]: {line}\n"),
        |at, line| format!("1763733{:03}.500000 {line}\n", 600 + at),
        |at, line| format!("2026/11/21 14:00:{at:02} {line}\n"),
        |at, line| format!("ci-1  | 2026-11-21T14:00:{at:02}.5Z {line}\n"),
        |at, line| format!("[pod/ci-7f9c/dind] 2026-11-21T14:00:{at:02}.5Z {line}\n"),
    ];
    for form in forms {
        let log: String = build
            .lines()
            .enumerate()
            .map(|(at, line)| form(at, line))
            .collect();
        let found = one(&log);
        assert_eq!(counts(&found), SMALL, "{log}");
        assert_eq!(found.seconds, Some(10.0), "{log}");
    }
    // What a program beside a build says in JSON is its own.
    let beside = [
        build,
        "{\"message\":\"ERROR: failed to solve: not this build\"}\n",
    ]
    .concat();
    assert_eq!(one(&beside).status, Status::Succeeded);
}

#[test]
fn packed_logs_are_refused_with_the_way_to_unpack_them_and_a_nameless_image_has_no_name() {
    for begin in [
        &b"\x1f\x8b\x08\0abc\n#1 x"[..],
        b"PK\x03\x04\x14",
        b"\x28\xb5\x2f\xfd$\n",
    ] {
        for step in [1, begin.len()] {
            let mut log = BuildLog::new();
            begin.chunks(step).for_each(|part| log.feed(part));
            assert!(log.finish(None).is_empty());
            assert_eq!(log.reading().refused, [Refused::Packed]);
        }
    }
    assert!(Refused::Packed.remedy().contains("builds parse -"));
    let named = small();
    let nameless: String = named
        .lines()
        .map(|line| match line.split_once("naming to ") {
            Some((number, _)) => format!(
                "{number}naming to moby-dangling@sha256:{} done\n",
                "1".repeat(64)
            ),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(nameless.contains("moby-dangling"));
    assert_eq!(one(&nameless).image(), None);
}
