//! What goes wrong while the real program changes something on real engines: after each fault the old or the new
//! image runs, and the host's journal says how it ended.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::acting::{Behind, Console, behind, image, push, running};
use crate::support::{Host, Lab, Layer, Project, fresh_seed, unique};

const JOURNAL: &str = "/root/.local/state/homelab-tui/host/journal.jsonl";
const JOBS: &str = "/root/.local/state/homelab-tui/host/jobs";

/// Lets a shell function know of the jobs of a project: `jobs_of PROJECT` names their folders.
const SHELL: &str = r#"jobs_of() { for j in "$JOBS"/*/; do if grep -qxF "PROJECT=$1" "$j/run" 2>/dev/null; then echo "${j%/}"; fi; done; }
alive() { read -r pid boot start <"$1/pid" 2>/dev/null && [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ "$(sed 's/.*) //' /proc/$pid/stat 2>/dev/null | cut -d' ' -f20)" = "$start" ]; }
"#;

/// How a service was found after a fault.
#[derive(Debug)]
pub(super) struct After {
    pub(super) image: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) why: String,
}

/// Runs a piece of shell that knows `jobs_of` and `alive`.
pub(super) fn on_host(host: &Host, command: &str) -> String {
    host.sh(&format!("JOBS={JOBS}\n{SHELL}\n{command}"))
}

/// Waits until no job works on the project any more.
pub(super) fn settled(project: &Project) {
    let busy = format!(
        "for j in $(jobs_of {}); do if [ ! -e $j/rc ] && alive $j; then echo busy; fi; done",
        project.name
    );
    let begun = Instant::now();
    while !on_host(&project.host, &busy).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(150),
            "a job does not end"
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Tells whether a job of the project was begun, after a moment in which one could still be.
pub(super) fn job_begun(project: &Project) -> bool {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        let jobs = on_host(&project.host, &format!("jobs_of {}", project.name));
        if !jobs.is_empty() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a job of the project wrote a line with one of the words into its `out` or `err`.
fn wait_for_line(project: &Project, words: &[&str]) {
    // Read from this side, as there may be only a moment.
    let jobs = project.host.dir().join(&JOBS[1..]);
    let own = format!("\nPROJECT={}\n", project.name);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(150) {
        for job in fs::read_dir(&jobs).into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(job.path().join(name)).unwrap_or_default();
            if read("run").contains(&own) {
                let said = read("out") + &read("err");
                if words.iter().any(|word| said.contains(word)) {
                    return;
                }
            }
        }
        std::thread::sleep(Duration::from_millis(15));
    }
    panic!("no job of {} said {words:?}", project.name);
}

/// The lines of the host's journal that tell of the service.
pub(super) fn journal(project: &Project, service: &str) -> Vec<Value> {
    let text = project
        .host
        .sh(&format!("cat {JOURNAL} 2>/dev/null || true"));
    let own = format!("/{}/{service}", project.name);
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .filter(|line| line["target"].as_str().unwrap().ends_with(&own))
        .collect()
}

/// Looks at the service once everything has come to rest, and holds the journal to what is there.
pub(super) fn after(project: &Project, service: &str) -> After {
    settled(project);
    let list = project.host.docker(&[
        "ps",
        "-a",
        "--no-trunc",
        "--filter",
        &format!("label=com.docker.compose.project={}", project.name),
        "--filter",
        &format!("label=com.docker.compose.service={service}"),
        "--format",
        "{{.ID}} {{.State}}",
    ]);
    let up: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_suffix(" running"))
        .collect();
    assert!(up.len() <= 1, "{list}");
    let image = up.first().map(|id| {
        let inspect = project.host.inspect("container", id);
        inspect["Image"].as_str().unwrap().to_owned()
    });
    let lines = journal(project, service);
    let Some(last) = lines.last() else {
        return After {
            image,
            outcome: None,
            why: "no job was begun".to_owned(),
        };
    };
    let text = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
    let outcome = last["outcome"].as_str().map(str::to_owned);
    match outcome.as_deref() {
        Some("succeeded") => assert_eq!(image, Some(text("to_id")), "{last}"),
        Some("put-back" | "refused" | "unchanged") => {
            assert_eq!(image, Some(text("from_id")), "{last}");
        }
        Some("halted") => {}
        other => panic!("the journal ends with {other:?}: {last}"),
    }
    After {
        image,
        outcome,
        why: text("why"),
    }
}

impl After {
    /// Holds it to one of two images, which runs.
    pub(super) fn runs_one_of(&self, old: &str, new: &str) {
        let image = self.image.as_deref();
        assert!(
            image == Some(old) || image == Some(new),
            "neither the old nor the new image runs: {self:?}"
        );
    }
}

/// A service of one project that runs an image, whose tag names another one that a test brings.
fn service(lab: &Lab, host: &str, yaml: &str, newer: &crate::support::image::Built) -> Behind {
    let registry = lab.registry("plain");
    let repo = unique("fault");
    push(lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
    let reference = registry.reference(&repo, "latest");
    let text = yaml.replace("IMAGE", &reference);
    let project = lab.host(host).project(&unique("fault"), &text);
    project.compose(&["up", "-d"]);
    registry.push(&repo, "latest", newer);
    Behind {
        target: format!("{host}/{}/web", project.name),
        project,
        reference,
    }
}

/// The Id that the image will have on the host.
fn id_of(host: &Host, built: &crate::support::image::Built) -> String {
    if host.is_containerd() {
        built.manifest.digest.clone()
    } else {
        built.config.digest.clone()
    }
}

/// The program on a terminal of its own, which asks before it begins.
struct Asking {
    child: Child,
}

impl Asking {
    fn begin(lab: &Lab, config: &Path, words: &str) -> Self {
        let plain = lab.console_with(config, &[]);
        let mut command = Command::new("script");
        let line = format!(
            "{} -c {} {words}",
            env!("CARGO_BIN_EXE_homelab-tui"),
            config.display()
        );
        command.args(["-qefc", &line, "/dev/null"]);
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut asking = Self { child };
        asking.wait_for_question();
        asking
    }

    fn wait_for_question(&mut self) {
        use std::io::Read as _;
        let out = self.child.stdout.as_mut().unwrap();
        let (mut text, mut byte) = (Vec::new(), [0]);
        while !text.ends_with(b"y/N ") {
            assert!(
                out.read(&mut byte).unwrap() == 1,
                "{}",
                String::from_utf8_lossy(&text)
            );
            text.push(byte[0]);
        }
    }

    fn say_yes(mut self) -> (i32, String) {
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"y\n")
            .unwrap();
        let mut out = self.child.stdout.take().unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut out, &mut text).unwrap();
        (self.child.wait().unwrap().code().unwrap(), text)
    }
}

#[test]
fn a_tag_that_moves_between_plan_and_run_halts_before_the_recreation() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for host in ["old", "ctd26"] {
        let case = behind(&lab, host);
        let first = running(&case.project, "web");
        let asking = Asking::begin(&lab, &console.config, &format!("update {}", case.target));
        let repo = case.reference.rsplit_once('/').unwrap().1;
        let repo = repo.split(':').next().unwrap();
        push(
            &lab,
            &lab.registry("plain"),
            repo,
            "latest",
            "2026-03-01T00:00:00Z",
        );
        let (code, text) = asking.say_yes();
        assert_eq!(code, 1, "{text}");
        let after = after(&case.project, "web");
        assert_eq!(after.outcome.as_deref(), Some("halted"), "{after:?}");
        assert!(after.why.contains("moved since the plan"), "{after:?}");
        assert_eq!(after.image.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn files_edited_between_plan_and_run_are_refused() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let edits: [(&str, &str, &str); 3] = [
        (
            "compose.yaml",
            "services:\n  web: {image: \"IMAGE\", env_file: [own.env], hostname: other}\n",
            "compose.yaml was changed",
        ),
        (".env", "OTHER=1\n", ".env was changed"),
        ("own.env", "A=2\n", "render to something else"),
    ];
    for (name, text, told) in edits {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let registry = lab.registry("plain");
        let repo = unique("edit");
        push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
        let reference = registry.reference(&repo, "latest");
        let yaml = format!("services:\n  web: {{image: \"{reference}\", env_file: [own.env]}}\n");
        let project = lab.host("new").project(&unique("edit"), &yaml);
        project.file("own.env", "A=1\n");
        project.compose(&["up", "-d"]);
        registry.push(&repo, "latest", &newer);
        let first = running(&project, "web");
        let words = format!("update new/{}/web", project.name);
        let asking = Asking::begin(&lab, &console.config, &words);
        project.file(name, &text.replace("IMAGE", &reference));
        let (code, said) = asking.say_yes();
        assert_eq!(code, 5, "{name}: {said}");
        let after = after(&project, "web");
        assert_eq!(
            after.outcome.as_deref(),
            Some("refused"),
            "{name}: {after:?}"
        );
        assert!(after.why.contains(told), "{name}: {after:?}");
        assert_eq!(after.image.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn somebody_else_s_compose_at_work_is_refused() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let case = behind(&lab, "ctd28");
    let name = &case.project.name;
    let first = running(&case.project, "web");
    // A compose that takes its time: it is told apart from one that works on another project of the folder.
    let busy = |words: &str| {
        case.project.host.sh(&format!(
            "cd /srv/{name} && {{ exec -a 'docker compose {words} up -d' sleep 200 >/dev/null 2>&1 </dev/null & }}; echo $!"
        ))
    };
    let pid = busy("");
    let blocked = console.run(&["update", &case.target, "--yes", "--json"]);
    assert_eq!(
        (blocked.code, blocked.outcome()),
        (5, "refused"),
        "{}",
        blocked.text
    );
    assert!(
        blocked.why().contains("at work on this project"),
        "{}",
        blocked.why()
    );
    case.project.host.sh(&format!("kill {pid}"));
    let asking = Asking::begin(&lab, &console.config, &format!("update {}", case.target));
    let pid = busy("");
    let (code, said) = asking.say_yes();
    assert_eq!(code, 5, "{said}");
    case.project.host.sh(&format!("kill {pid}"));
    let told = after(&case.project, "web");
    assert!(told.why.contains("at work on this project"), "{told:?}");
    assert_eq!(told.image.as_deref(), Some(first.as_str()));
    let pid = busy(&format!("-p staging-{name}"));
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    case.project.host.sh(&format!("kill {pid}"));
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
}

#[test]
fn c9_of_two_operators_at_once_one_is_refused() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for host in ["new", "ctd26"] {
        let case = behind(&lab, host);
        let (first, newer) = (running(&case.project, "web"), &case);
        let both: Vec<_> = std::thread::scope(|scope| {
            let run = || console.run(&["update", &newer.target, "--yes", "--json"]);
            let both = [scope.spawn(run), scope.spawn(run)];
            both.map(|one| one.join().unwrap()).into()
        });
        let mut outcomes: Vec<&str> = both.iter().map(|ran| ran.outcome()).collect();
        outcomes.sort_unstable();
        assert_eq!(
            outcomes,
            ["refused", "succeeded"],
            "{} {}",
            both[0].text,
            both[1].text
        );
        assert_ne!(running(&case.project, "web"), first);
        let lines = journal(&case.project, "web");
        let refused = lines.iter().find(|line| line["outcome"] == "refused");
        let why = refused.unwrap()["why"].as_str().unwrap();
        assert!(
            why.contains("has been at work") || why.contains("changed since"),
            "{why}"
        );
    }
}

#[test]
fn c8_an_image_that_does_not_live_is_put_back() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let exits = json!(["sh", "-c", "exit 3"]);
    let plain = "services:\n  web: {image: \"IMAGE\"}\n";
    let looping = "services:\n  web: {image: \"IMAGE\", restart: unless-stopped}\n";
    let check = json!({"Test": ["CMD", "/bin/busybox", "false"], "Interval": 1_000_000_000_u64, "Retries": 2});
    let never = json!({"Test": ["CMD", "/bin/busybox", "false"], "Interval": 1_000_000_000_u64,
        "Retries": 1, "StartPeriod": 3_000_000_000_u64});
    let cases: [(&str, &str, &str, Value, &str); 4] = [
        ("ctd26", plain, "Entrypoint", exits.clone(), "exited (3)"),
        ("old", looping, "Entrypoint", exits, "again and again"),
        ("new", plain, "Healthcheck", check, "unhealthy"),
        ("ctd28", plain, "Healthcheck", never, "unhealthy"),
    ];
    for (host, yaml, field, value, told) in cases {
        let bad = image(&lab, "bad")
            .created("2026-02-01T00:00:00Z")
            .config(field, value)
            .build();
        let case = service(&lab, host, yaml, &bad);
        let first = running(&case.project, "web");
        let update = console.run(&["update", &case.target, "--yes", "--json"]);
        assert_eq!(
            (update.code, update.outcome()),
            (1, "put-back"),
            "{}",
            update.text
        );
        let after = after(&case.project, "web");
        assert!(after.why.contains(told), "{host}: {after:?}");
        assert_eq!(after.image.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn a_longer_health_check_of_the_new_image_is_waited_for() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    // Healthy after 25 s, with a limit of 20 s in the configuration and none in the former image.
    let check = json!({"Test": ["CMD", "/bin/sh", "-c", "[ $(busybox cut -d. -f1 /proc/uptime) -gt $(busybox cat /tmp/until) ]"],
        "Interval": 2_000_000_000_u64, "Retries": 1, "StartPeriod": 40_000_000_000_u64});
    let slow = image(&lab, "slow")
        .created("2026-02-01T00:00:00Z")
        .config("Healthcheck", check)
        .config("Entrypoint", json!(["/bin/sh", "-c", "busybox expr $(busybox cut -d. -f1 /proc/uptime) + 25 >/tmp/until; trap 'exit 0' TERM; while :; do busybox sleep 60 & wait; done"]))
        .build();
    let case = service(&lab, "new", "services:\n  web: {image: \"IMAGE\"}\n", &slow);
    let begun = Instant::now();
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    assert!(begun.elapsed() > Duration::from_secs(24));
}

#[test]
fn a_port_that_somebody_takes_meanwhile_does_not_keep_the_service_down() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, port) in [("old", 28_081), ("ctd28", 28_082)] {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let yaml = format!("services:\n  web: {{image: \"IMAGE\", ports: [\"{port}:80\"]}}\n");
        let case = service(&lab, host, &yaml, &newer);
        let first = running(&case.project, "web");
        // It gets the port in the moment in which the old container lets it go, and keeps it for 4 s.
        case.project.host.sh(&format!(
            "(n=0; until timeout 4 busybox nc -l -p {port} -s 0.0.0.0; [ $? = 124 ] || [ $((n += 1)) -gt 1500 ]; do sleep 0.02; done) >/dev/null 2>&1 </dev/null &"
        ));
        let update = console.run(&["update", &case.target, "--yes", "--json"]);
        let after = after(&case.project, "web");
        eprintln!("port taken on {host}: {} ({})", update.outcome(), after.why);
        after.runs_one_of(&first, &id_of(&case.project.host, &newer));
        assert!(update.outcome() != "halted", "{}", update.text);
    }
}

#[test]
fn an_engine_started_anew_in_between_is_waited_for() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for (host, moment) in [
        ("old", "@step recreate started"),
        ("new", "@step wait started"),
        ("ctd26", "@step recreate started"),
        ("ctd28", "@step pull started"),
    ] {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let yaml = "services:\n  web: {image: \"IMAGE\", restart: unless-stopped}\n";
        let case = service(&lab, host, yaml, &newer);
        let first = running(&case.project, "web");
        let (host_, target) = (&case.project.host, case.target.as_str());
        let outcome = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(&case.project, &[moment]);
            host_.fault("stop-engine");
            host_.fault("start-engine");
            run.join().unwrap().outcome().to_owned()
        });
        let after = after(&case.project, "web");
        eprintln!(
            "engine of {host} restarted at {moment}: {outcome} ({})",
            after.why
        );
        after.runs_one_of(&first, &id_of(host_, &newer));
        assert_eq!(after.outcome.as_deref(), Some(outcome.as_str()));
    }
}

/// Kills the registry with what it is sending.
fn kill_registry(lab: &Lab) {
    let file = Path::new(&lab.fact("dir")).join("registries/plain.pid");
    let text = fs::read_to_string(&file).unwrap();
    let pid = text.split(' ').next().unwrap();
    assert!(
        Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
            .success()
    );
    // Until somebody takes note of its end the number is still there, and would be taken for a running registry.
    fs::write(&file, "").unwrap();
}

#[test]
fn a_registry_that_dies_in_mid_pull_changes_nothing() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for host in ["old", "ctd28"] {
        let newer = image(&lab, "newer")
            .created("2026-02-01T00:00:00Z")
            .layer(Layer::random(fresh_seed(), 120 << 20))
            .build();
        let case = service(&lab, host, "services:\n  web: {image: \"IMAGE\"}\n", &newer);
        let first = running(&case.project, "web");
        let target = case.target.as_str();
        let ran = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(&case.project, &["Downloading", "Extracting"]);
            kill_registry(&lab);
            let ran = run.join().unwrap();
            lab.fault("registries", &["start-registry", "plain"]);
            ran
        });
        let after = after(&case.project, "web");
        eprintln!(
            "registry died in mid-pull of {host}: {} ({})",
            ran.outcome(),
            after.why
        );
        assert_eq!(after.outcome.as_deref(), Some("halted"), "{after:?}");
        assert!(after.why.contains("nothing was changed"), "{after:?}");
        assert_eq!(after.image.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn a_full_disk_is_told_and_the_job_s_last_words_still_fit() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    let state = "/root/.local/state/homelab-tui/host";
    let host = lab.host("new");
    host.sh(&format!(
        "mkdir -p {state} && mount -t tmpfs -o size=400k tmpfs {state}"
    ));
    let full = std::panic::catch_unwind(|| {
        let newer = image(&lab, "newer").created("2026-02-01T00:00:00Z").build();
        let case = service(
            &lab,
            "new",
            "services:\n  web: {image: \"IMAGE\"}\n",
            &newer,
        );
        let first = running(&case.project, "web");
        host.sh(&format!(
            "dd if=/dev/zero of={state}/fill bs=4k 2>/dev/null || true"
        ));
        let refused = console.run(&["update", &case.target, "--yes", "--json"]);
        assert_eq!(
            (refused.code, refused.outcome()),
            (5, "refused"),
            "{}",
            refused.text
        );
        assert!(refused.why().contains("No space left"), "{}", refused.why());
        host.sh(&format!("rm {state}/fill"));
        assert_eq!(running(&case.project, "web"), first);
        // The disk fills while the job works.
        let target = case.target.as_str();
        let ran = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            on_host(
                &host,
                &format!(
                    "for n in $(seq 900); do for j in $(jobs_of {}); do if grep -qs '@step keep started' $j/out; then exit 0; fi; done; sleep 0.05; done; exit 1",
                    case.project.name
                ),
            );
            host.sh(&format!(
                "dd if=/dev/zero of={state}/fill bs=1k 2>/dev/null || true"
            ));
            run.join().unwrap()
        });
        let after = after(&case.project, "web");
        eprintln!("job folder filled up: {} ({})", ran.outcome(), after.why);
        after.runs_one_of(&first, &id_of(&host, &newer));
        assert_eq!(after.outcome.as_deref(), Some(ran.outcome()));
    });
    host.sh(&format!("umount -l {state}"));
    full.unwrap();
}

#[test]
fn an_engine_s_disk_that_is_too_small_blocks_or_halts_before_the_service_is_touched() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for name in ["new", "ctd28"] {
        let host = lab.host(name);
        host.fault("stop-engine");
        host.sh("mount -t tmpfs -o size=64m tmpfs /run/host/data");
        host.fault("start-engine");
        let small = std::panic::catch_unwind(|| {
            let large = image(&lab, "large")
                .created("2026-02-01T00:00:00Z")
                .layer(Layer::random(fresh_seed(), 30 << 20))
                .build();
            let case = service(&lab, name, "services:\n  web: {image: \"IMAGE\"}\n", &large);
            let first = running(&case.project, "web");
            let blocked = console.run(&["update", &case.target, "--dry-run", "--json"]);
            let why = blocked.plan()["blocked"].as_str().unwrap_or_default();
            assert_eq!(blocked.code, 5, "{}", blocked.text);
            assert!(why.contains("free") && why.contains("needs about"), "{why}");
            eprintln!("small disk on {name}: {why}");
            // Room enough when it was planned, and none when it is fetched.
            let fits = image(&lab, "fits")
                .created("2026-03-01T00:00:00Z")
                .layer(Layer::random(fresh_seed(), 12 << 20))
                .build();
            let repo = case
                .reference
                .rsplit_once('/')
                .unwrap()
                .1
                .split(':')
                .next()
                .unwrap();
            lab.registry("plain").push(repo, "latest", &fits);
            let target = case.target.as_str();
            let halted = std::thread::scope(|scope| {
                let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
                wait_for_line(&case.project, &["@begin"]);
                host.sh("fallocate -l 50m /run/host/data/fill || dd if=/dev/zero of=/run/host/data/fill bs=1M count=50");
                run.join().unwrap()
            });
            host.sh("rm /run/host/data/fill");
            assert_eq!(halted.outcome(), "halted", "{}", halted.text);
            let after = after(&case.project, "web");
            eprintln!("engine's disk full on {name}: {}", after.why);
            assert!(after.why.contains("no space left"), "{after:?}");
            assert_eq!(after.image.as_deref(), Some(first.as_str()));
        });
        host.sh("docker ps -aq | xargs -r docker rm -f");
        host.fault("stop-engine");
        host.sh("umount -l /run/host/data");
        host.fault("start-engine");
        small.unwrap();
    }
}

#[test]
fn a_job_that_is_killed_leaves_neither_its_lock_nor_the_service_behind() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, moment) in [
        ("old", "@step recreate started"),
        ("new", "@step wait started"),
        ("ctd26", "@step pull started"),
        ("ctd28", "@step recreate started"),
    ] {
        let case = behind(&lab, host);
        let first = running(&case.project, "web");
        let (project, target) = (&case.project, case.target.as_str());
        let outcome = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(project, &[moment]);
            // The process of the steps and what it started, not the one that watches over it.
            on_host(
                &project.host,
                &format!(
                    "for j in $(jobs_of {}); do read -r pid rest <$j/pid; w=$(pgrep -P $pid | head -n 1); kill -9 $w $(pgrep -P $w); done",
                    project.name
                ),
            );
            run.join().unwrap().outcome().to_owned()
        });
        let told = after(project, "web");
        eprintln!(
            "steps killed on {host} at {moment}: {outcome} ({})",
            told.why
        );
        assert!(told.why.contains("was killed during"), "{told:?}");
        assert_eq!(told.image.as_deref(), Some(first.as_str()));
        let lock = format!("/run/lock/homelab-tui.{}", project.name);
        assert!(
            !project
                .host
                .try_sh(&format!("test -e {lock}"))
                .status
                .success()
        );
    }
}

#[test]
fn a_crash_of_the_host_in_mid_recreation_is_told_and_mended_by_the_next_job() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, pause) in [
        ("old", "0.2"),
        ("ctd28", "0.4"),
        ("new", "0.6"),
        ("ctd26", "0.3"),
    ] {
        let case = behind(&lab, host);
        let project = &case.project;
        let target = case.target.as_str();
        let lost = std::thread::scope(|scope| {
            let run = scope.spawn(|| console.run(&["update", target, "--yes", "--json"]));
            wait_for_line(project, &["@step recreate started"]);
            // All of the job's session at once, as a power cut would.
            on_host(
                &project.host,
                &format!(
                    "sleep {pause}; for j in $(jobs_of {}); do read -r pid rest <$j/pid; kill -9 $(ps -o pid= -s $(ps -o sid= -p $pid)); done",
                    project.name
                ),
            );
            run.join().unwrap()
        });
        assert_eq!(lost.outcome(), "halted", "{}", lost.text);
        let again = console.run(&["update", target, "--yes", "--json"]);
        assert!(
            ["succeeded", "unchanged"].contains(&again.outcome()),
            "{}",
            again.text
        );
        let told = after(project, "web");
        eprintln!(
            "job lost on {host} after {pause} s of recreating: then {} ({})",
            again.outcome(),
            told.why
        );
        let planned = lost.plan()["to"]["image_id"].as_str();
        assert_eq!(told.image.as_deref(), planned);
        let lines = journal(project, "web");
        let dead: Vec<&Value> = lines
            .iter()
            .filter(|line| line["job"] == lost.plan()["job"])
            .collect();
        assert_eq!(dead.len(), 2, "{dead:?}");
        assert_eq!(dead[1]["outcome"], "halted");
        let why = dead[1]["why"].as_str().unwrap();
        // A quick host may have left the recreation before the blow falls.
        assert!(
            ["recreate", "wait"]
                .iter()
                .any(|step| why.contains(&format!("died during {step}"))),
            "{why}"
        );
        let jobs = fs::read_dir(
            project
                .host
                .dir()
                .join("root/.local/state/homelab-tui/host/jobs"),
        )
        .unwrap();
        let dead = lost.plan()["job"].as_str().unwrap().to_owned();
        let folder = jobs
            .map(|entry| entry.unwrap().path())
            .find(|path| path.ends_with(&dead));
        assert_eq!(
            fs::read_to_string(folder.unwrap().join("rc"))
                .unwrap()
                .trim(),
            "halted"
        );
    }
}
