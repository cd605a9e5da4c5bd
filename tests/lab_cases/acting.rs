//! Changes made by the real program on real engines, and the ways back from them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Image, Lab, Layer, Project, Registry, fresh_seed, image::Built, unique};

pub(super) const HOSTS: [&str; 4] = ["old", "new", "ctd26", "ctd28"];

/// The program with a configuration that waits less long than people want to.
pub struct Console<'a> {
    pub lab: &'a Lab,
    pub config: PathBuf,
    /// A home that stays from one run to the next.
    pub home: Option<PathBuf>,
}

/// How a run of the program ended.
pub struct Ran {
    pub code: i32,
    pub lines: Vec<Value>,
    pub text: String,
}

impl<'a> Console<'a> {
    pub fn new(lab: &'a Lab) -> Self {
        let usual = fs::read_to_string(Path::new(&lab.fact("dir")).join("config.yaml")).unwrap();
        let config = lab.folder("config").join("config.yaml");
        fs::write(
            &config,
            format!("{usual}\nrollback: {{settle: 1s, timeout: 20s}}\n"),
        )
        .unwrap();
        Self {
            lab,
            config,
            home: None,
        }
    }

    /// Lets the program remember what it saw from one run to the next.
    pub fn at_home(lab: &'a Lab) -> Self {
        Self {
            home: Some(lab.folder("home")),
            ..Self::new(lab)
        }
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.lab.console_with(&self.config, args);
        if let Some(home) = &self.home {
            command.env("HOME", home);
        }
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let text = stdout.clone() + &String::from_utf8_lossy(&output.stderr);
        Ran {
            code: output.status.code().unwrap(),
            lines: stdout
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
            text,
        }
    }

    /// What `status` says of a service.
    pub fn service(&self, target: &str) -> Value {
        let ran = self.run(&["status", target, "--json"]);
        let hosts = ran.document()["hosts"].clone();
        let mut services = hosts
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|host| host["projects"].as_array().unwrap())
            .flat_map(|project| project["services"].as_array().unwrap());
        services
            .next()
            .unwrap_or_else(|| panic!("{}", ran.text))
            .clone()
    }

    /// What `history` lists of a service.
    pub fn history(&self, target: &str) -> Vec<Value> {
        let ran = self.run(&["history", target, "--json"]);
        ran.document()["events"].as_array().unwrap().clone()
    }
}

impl Ran {
    /// The first JSON document in what it said.
    #[track_caller]
    pub fn document(&self) -> Value {
        let start = self.text.find('{');
        let start = start.unwrap_or_else(|| panic!("no JSON: {}", self.text));
        let mut documents = serde_json::Deserializer::from_str(&self.text[start..]).into_iter();
        documents.next().unwrap().unwrap()
    }

    pub fn outcome(&self) -> &str {
        let done = self.lines.iter().find(|line| line["event"] == "done");
        let done = done.unwrap_or_else(|| panic!("no end: {}", self.text));
        done["targets"][0]["outcome"].as_str().unwrap()
    }

    pub fn why(&self) -> &str {
        let done = self
            .lines
            .iter()
            .find(|line| line["event"] == "done")
            .unwrap();
        done["targets"][0]["why"].as_str().unwrap()
    }

    /// Asserts how it ended; what it said is shown otherwise.
    #[track_caller]
    pub fn ended(&self, code: i32, outcome: &str) {
        assert_eq!(
            (self.code, self.outcome()),
            (code, outcome),
            "{}",
            self.text
        );
    }

    pub fn plan(&self) -> &Value {
        &self
            .lines
            .iter()
            .find(|line| line["event"] == "plan")
            .unwrap()["targets"][0]
    }
}

pub(super) fn image(lab: &Lab, of: &str) -> Image {
    Image::busybox(lab)
        .label("of", of)
        .layer(Layer::random(fresh_seed(), 4096))
}

pub fn push(lab: &Lab, registry: &Registry, repo: &str, tag: &str, created: &str) -> Built {
    let built = image(lab, created).created(created).build();
    registry.push(repo, tag, &built);
    built
}

/// A service that runs the older of two images, whose tag names the newer one now.
pub struct Behind {
    pub project: Project,
    pub reference: String,
    pub target: String,
}

pub fn behind(lab: &Lab, host: &str) -> Behind {
    let registry = lab.registry("plain");
    let repo = unique("act");
    push(lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
    let reference = registry.reference(&repo, "latest");
    let yaml = format!("# mine\nservices:\n    web: {{image: \"{reference}\"}}   # odd\n");
    let project = lab.host(host).project(&unique("act"), &yaml);
    project.compose(&["up", "-d"]);
    push(lab, &registry, &repo, "latest", "2026-02-01T00:00:00Z");
    Behind {
        target: format!("{host}/{}/web", project.name),
        project,
        reference,
    }
}

pub fn running(project: &Project, service: &str) -> String {
    let container = project.container(service);
    let inspect = project.host.inspect("container", &container);
    assert_eq!(inspect["State"]["Status"], "running");
    inspect["Image"].as_str().unwrap().to_owned()
}

pub fn files(project: &Project) -> Vec<(String, Vec<u8>)> {
    let mut list: Vec<(String, Vec<u8>)> = fs::read_dir(&project.folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    list.sort();
    list
}

fn forth_and_back(host: &str) {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let case = behind(&lab, host);
    let project = &case.project;
    let (first, before) = (running(project, "web"), files(project));

    let dry = console.run(&["update", &case.target, "--dry-run", "--json"]);
    assert_eq!((dry.code, dry.lines.len()), (0, 1), "{}", dry.text);
    assert_eq!(running(project, "web"), first);

    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    update.ended(0, "succeeded");
    let second = running(project, "web");
    assert_ne!(first, second);
    let planned = update.plan()["to"]["image_id"].as_str().unwrap();
    assert_eq!(planned, second, "the plan shown is the plan run");

    let again = console.run(&["update", &case.target, "--yes", "--json"]);
    again.ended(0, "unchanged");

    let back = console.run(&["rollback", &case.target, "--yes", "--json"]);
    back.ended(0, "succeeded");
    assert_eq!(back.plan()["pinned"], "override");
    assert_eq!(running(project, "web"), first);

    // The host's own habits do not undo it.
    project.compose(&["pull"]);
    project.compose(&["up", "-d", "--force-recreate"]);
    assert_eq!(running(project, "web"), first);

    let unpin = console.run(&["unpin", &case.target, "--yes", "--json"]);
    unpin.ended(0, "succeeded");
    assert_eq!(files(project), before, "every byte is as it was");
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    update.ended(0, "succeeded");
    assert_eq!(running(project, "web"), second);
    assert_eq!(files(project), before);
}

#[test]
fn update_roll_back_unpin_on_an_old_graph_store() {
    forth_and_back(HOSTS[0]);
}

#[test]
fn update_roll_back_unpin_on_a_new_graph_store() {
    forth_and_back(HOSTS[1]);
}

#[test]
fn update_roll_back_unpin_on_an_old_containerd_store() {
    forth_and_back(HOSTS[2]);
}

#[test]
fn update_roll_back_unpin_on_a_new_containerd_store() {
    forth_and_back(HOSTS[3]);
}

#[test]
fn c2_an_image_that_does_not_live_is_put_back() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    for (host, broken) in [
        ("old", json!(["sh", "-c", "exit 3"])),
        ("ctd28", json!(["sh", "-c", "exit 3"])),
    ] {
        let case = behind(&lab, host);
        let repo = case
            .reference
            .rsplit_once('/')
            .unwrap()
            .1
            .split(':')
            .next()
            .unwrap();
        let bad = image(&lab, "bad")
            .created("2026-03-01T00:00:00Z")
            .config("Entrypoint", broken)
            .build();
        registry.push(repo, "latest", &bad);
        let first = running(&case.project, "web");
        let update = console.run(&["update", &case.target, "--yes", "--json"]);
        update.ended(1, "put-back");
        assert!(update.why().contains("exited (3)"), "{}", update.why());
        assert_eq!(
            running(&case.project, "web"),
            first,
            "the former image runs again"
        );
    }
}

#[test]
fn c9_the_lock_of_a_living_job_holds_and_a_dead_one_s_does_not() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let case = behind(&lab, "new");
    let (host, project) = (&case.project.host, &case.project.name);
    let take = |pid: &str| {
        host.sh(&format!(
            "mkdir -p /run/lock/homelab-tui.{project} && printf '%s %s %s\\nann@attic\\n2026-01-01T00:00:00Z\\nj1\\n' {pid} \"$(cat /proc/sys/kernel/random/boot_id)\" \"$(sed 's/.*) //' /proc/{pid}/stat | cut -d' ' -f20)\" >/run/lock/homelab-tui.{project}/owner"
        ));
    };
    take("1");
    let refused = console.run(&["update", &case.target, "--yes", "--json"]);
    refused.ended(5, "refused");
    assert!(refused.why().contains("ann@attic"), "{}", refused.why());
    host.sh(&format!(
        "printf '999999 gone 1\\nann@attic\\n2026-01-01T00:00:00Z\\nj1\\n' >/run/lock/homelab-tui.{project}/owner"
    ));
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    update.ended(0, "succeeded");
}

#[test]
fn c4_variables_of_the_deploying_shell_are_held_and_taken_over() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    let repo = unique("env");
    push(&lab, &registry, &repo, "prod", "2026-01-01T00:00:00Z");
    let reference = registry.reference(&repo, "prod");
    let place = reference.split('/').next().unwrap().to_owned();
    let secret = unique("pass-word");
    let yaml = format!(
        "services:\n  api:\n    image: ${{REGISTRY}}/{repo}:prod\n    environment:\n      - DB_USER=${{POSTGRES_USER}}\n      - DB_PASSWORD=${{POSTGRES_PASSWORD}}\n"
    );
    let project = lab.host("new").project(&unique("env"), &yaml);
    project.host.sh(&format!(
        "cd /srv/{} && REGISTRY={place} POSTGRES_USER=app POSTGRES_PASSWORD={secret} docker compose up -d 2>&1",
        project.name
    ));
    let environment = || {
        let container = project.container("api");
        let inspect = project.host.inspect("container", &container);
        // Compose writes them in whatever order.
        let mut list: Vec<String> = inspect["Config"]["Env"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair.as_str().unwrap().to_owned())
            .collect();
        list.sort();
        list
    };
    let before = environment();
    push(&lab, &registry, &repo, "prod", "2026-02-01T00:00:00Z");
    let target = format!("new/{}/api", project.name);
    let refused = console.run(&["update", &target, "--yes", "--json"]);
    refused.ended(5, "refused");
    assert!(
        refused.why().contains("POSTGRES_PASSWORD"),
        "{}",
        refused.why()
    );
    let first = running(&project, "api");

    let taken = console.run(&["recreate", &target, "--yes", "--json", "--take-environment"]);
    taken.ended(0, "succeeded");
    assert_eq!(running(&project, "api"), first);
    assert_eq!(environment(), before);
    assert!(
        !(refused.text + &taken.text).contains(&secret),
        "no value is shown"
    );
    let found = project.host.sh(&format!(
        "grep -rlF {secret} \"$HOME/.local/state/homelab-tui\" /srv/{} || true",
        project.name
    ));
    assert_eq!(found.trim(), "", "no value is on disk");
}

#[test]
fn c6_beside_explicit_files_a_rollback_is_not_pinned_and_says_so() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    let repo = unique("over");
    push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
    let reference = registry.reference(&repo, "latest");
    let yaml = format!("services:\n  blog:\n    image: {reference}\n");
    let project = lab.host("ctd28").project(&unique("over"), &yaml);
    project.file(
        "compose.prod.yaml",
        "services:\n  blog:\n    labels: [route=prod]\n",
    );
    let name = project.name.clone();
    let files_of = ["-f", "compose.yaml", "-f", "compose.prod.yaml", "up", "-d"];
    project.compose(&files_of);
    // A second project of the same folder must not be touched.
    let staging = format!("staging-{name}");
    project.compose(&["-p", &staging, "-f", "compose.yaml", "up", "-d"]);
    push(&lab, &registry, &repo, "latest", "2026-02-01T00:00:00Z");
    let first = running(&project, "blog");
    let target = format!("ctd28/{name}/blog");
    let update = console.run(&["update", &target, "--yes", "--json"]);
    update.ended(0, "succeeded");
    let before = files(&project);
    let back = console.run(&["rollback", &target, "--yes", "--json"]);
    back.ended(0, "succeeded");
    assert_eq!(back.plan()["pinned"], Value::Null);
    assert!(
        back.plan()["warnings"].to_string().contains("not pinned"),
        "{}",
        back.plan()
    );
    assert_eq!(running(&project, "blog"), first);
    assert_eq!(files(&project), before);
    let label = format!("label=com.docker.compose.project={staging}");
    let other = project.host.docker(&["ps", "-q", "--filter", &label]);
    assert_eq!(other.lines().count(), 1, "staging runs on");
    project.compose(&["-p", &staging, "-f", "compose.yaml", "down", "-t", "0"]);
}

#[test]
fn a_user_s_override_is_kept_byte_by_byte() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let case = behind(&lab, "new");
    let project = &case.project;
    project.file(
        "compose.override.yaml",
        "# my own settings\nservices:\n    web:      # odd\n        environment: { TZ:   Europe/Vienna }",
    );
    project.file(".env", "# mine\nOTHER=\"a b\"");
    project.compose(&["up", "-d"]);
    let (first, before) = (running(project, "web"), files(project));
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    update.ended(0, "succeeded");
    let back = console.run(&["rollback", &case.target, "--yes", "--json"]);
    back.ended(0, "succeeded");
    assert_eq!(back.plan()["pinned"], "env", "{}", back.plan());
    project.compose(&["pull"]);
    project.compose(&["up", "-d", "--force-recreate"]);
    assert_eq!(running(project, "web"), first);
    let unpin = console.run(&["unpin", &case.target, "--yes", "--json"]);
    unpin.ended(0, "succeeded");
    assert_eq!(files(project), before);
}

#[test]
fn a_read_only_session_touches_nothing() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let case = behind(&lab, "ctd26");
    let first = running(&case.project, "web");
    let refused = console.run(&["--read-only", "update", &case.target, "--yes", "--json"]);
    refused.ended(5, "refused");
    assert_eq!(running(&case.project, "web"), first);
    let unasked = console.run(&["update", &case.target, "--json"]);
    assert_eq!(unasked.code, 2, "{}", unasked.text);
}
