//! What goes wrong while the real program changes something on real engines: after each fault the old or the new
//! image runs, and the host's journal says how it ended.

mod killed;
mod machine;
mod service;

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
    blocked.ended(5, "refused");
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
