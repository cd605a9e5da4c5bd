//! Builds on real hosts: appearing and counting up while they run, by their log and by the builder's own history.

use std::process::Command;
use std::time::{Duration, Instant};

use homelab_tui::adapters::paths::Paths;
use homelab_tui::app::builds::Wanted;
use homelab_tui::app::keymap::Keymap;
use homelab_tui::app::mode::Observing;
use homelab_tui::app::model::Model;
use homelab_tui::app::msg::Msg;
use homelab_tui::app::screen::View;
use homelab_tui::app::update;
use homelab_tui::core::build_log::Status;
use homelab_tui::core::builds::BuildRecord;
use homelab_tui::core::host::HostSpec;
use homelab_tui::core::settings::{BuildOrigin, BuildSource, Settings, SshSettings};
use homelab_tui::runtime::clock::Clock;
use homelab_tui::runtime::live::Live;
use homelab_tui::runtime::world::{self, World};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{Host, Image, Lab, unique};

/// The steps of the test's build: each tells the time and takes a little.
const STEPS: usize = 4;

/// A session that looks at builds of one host, over ssh, as the console does with view 4 open.
struct Looker {
    runtime: tokio::runtime::Runtime,
    clock: Clock,
    world: Live,
    queue: UnboundedReceiver<Msg>,
    model: Model,
}

impl Looker {
    fn new(lab: &Lab, host: &str, from: BuildOrigin) -> Self {
        let settings = Settings {
            hosts: vec![HostSpec::new(
                host.into(),
                format!("ssh://{host}").parse().unwrap(),
            )],
            builds: vec![BuildSource {
                name: "source".to_owned(),
                image: None,
                from,
                deploys: Vec::new(),
            }],
            ssh: SshSettings {
                config_file: Some(lab.fact("ssh_config")),
                ..SshSettings::default()
            },
            ..Settings::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let clock = Clock::start();
        let (sender, queue) = unbounded_channel();
        let paths = Paths::below(&lab.folder("builds"));
        let world = {
            let _inside = runtime.enter();
            Live::new(&settings, &paths, sender, None)
        };
        let mut model = Model::new(settings, Keymap::default(), clock.now());
        model.builds.wanted = Wanted::Everything;
        update::open(&mut model, View::Builds { selected: None });
        let mut looker = Self {
            runtime,
            clock,
            world,
            queue,
            model,
        };
        looker.step(Msg::Tick);
        looker
    }

    fn step(&mut self, msg: Msg) {
        let _inside = self.runtime.enter();
        let effects = update::update::<Observing>(&mut self.model, self.clock.now(), msg);
        for effect in effects {
            let _ = world::carry_out(&mut self.world, effect, &self.model);
        }
    }

    /// Handles messages until the model is so; returns when it was.
    fn until(&mut self, what: &str, is_so: impl Fn(&Model) -> bool) -> Instant {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_so(&self.model) {
            assert!(Instant::now() < end, "{what}: {:?}", self.model.builds);
            let queue = &mut self.queue;
            let msg = self.runtime.block_on(async {
                tokio::time::timeout(Duration::from_millis(100), queue.recv()).await
            });
            let msg = msg.ok().flatten();
            self.step(msg.unwrap_or(Msg::Tick));
        }
        Instant::now()
    }

    fn caught_up(&mut self) {
        self.until("caught up", |model| {
            model.builds.sources[0].caught_up || model.builds.sources[0].failure.is_some()
        });
    }

    fn close(mut self) {
        self.runtime.block_on(async { self.world.close().await });
    }
}

/// Writes a build context on the host, of an image of its own.
fn context(lab: &Lab, host: &Host) -> String {
    let name = unique("building");
    let registry = lab.registry("plain");
    let image = Image::busybox(lab).label("of", &name).build();
    registry.push(&name, "latest", &image);
    let mut dockerfile = format!("FROM {}\n", registry.reference(&name, "latest"));
    for step in 1..=STEPS {
        dockerfile.push_str(&format!("RUN echo step {step} {name}; sleep 1\n"));
    }
    let folder = format!("/tmp/{name}");
    host.sh(&format!(
        "mkdir -p {folder} && printf '%s' '{dockerfile}' > {folder}/Dockerfile"
    ));
    folder
}

/// Returns the newest build of this context.
fn newest<'a>(model: &'a Model, folder: &str) -> Option<&'a BuildRecord> {
    let name = folder.rsplit('/').next().unwrap();
    let of_it = |record: &&BuildRecord| {
        record
            .build
            .step_list
            .iter()
            .any(|step| step.name.contains(name))
    };
    model
        .builds
        .records
        .values()
        .filter(of_it)
        .max_by_key(|record| record.when())
}

fn done(record: &BuildRecord) -> usize {
    record.build.steps.executed
}

/// Watches a build from its start to its end; returns how late it appeared and how late each step was told.
fn watched(looker: &mut Looker, folder: &str, began: Instant) -> (Duration, Vec<Duration>) {
    let appeared = looker.until("appears", |model| newest(model, folder).is_some()) - began;
    let mut told = Vec::new();
    for step in 1..=STEPS {
        looker.until("counts up", |model| {
            newest(model, folder).is_some_and(|record| done(record) >= step)
        });
        // The host's clock is this machine's: the step before slept a second, so the end of this one is known.
        told.push(began.elapsed());
    }
    looker.until("ends", |model| {
        newest(model, folder).is_some_and(|record| record.build.status == Status::Succeeded)
    });
    (appeared, told)
}

#[test]
fn a_running_build_appears_and_counts_up_by_its_log() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd28");
    let folder = context(&lab, &host);
    let from = BuildOrigin::File {
        pattern: format!("{folder}/*.log"),
        host: Some("ctd28".into()),
    };
    let mut looker = Looker::new(&lab, "ctd28", from);
    looker.caught_up();
    let mut child = start_build(&lab, &folder);
    // The first step's header is in the log once the base is there.
    let began = wait_for(&host, &format!("grep -q RUN {folder}/build.log"));
    let (appeared, told) = watched(&mut looker, &folder, began);
    child.wait().unwrap();
    eprintln!(
        "by its log: appeared {appeared:?} after its first step was written, steps at {told:?}"
    );
    assert!(appeared < Duration::from_secs(1), "{appeared:?}");
    looker.close();
    let _ = host.sh(&format!("rm -r {folder}"));
}

#[test]
fn a_running_build_appears_and_counts_up_by_the_builders_history() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd28");
    let folder = context(&lab, &host);
    let from = BuildOrigin::Buildx {
        host: "ctd28".into(),
    };
    let mut looker = Looker::new(&lab, "ctd28", from);
    looker.caught_up();
    if let Some((_, failure)) = &looker.model.builds.sources[0].failure {
        panic!("the lab's buildx has no history: {}", failure.what);
    }
    let mut child = start_build(&lab, &folder);
    let began = wait_for(&host, &format!("grep -q RUN {folder}/build.log"));
    let (appeared, told) = watched(&mut looker, &folder, began);
    child.wait().unwrap();
    eprintln!(
        "by history: appeared {appeared:?} after its first step was written, steps at {told:?}"
    );
    assert!(appeared < Duration::from_secs(1), "{appeared:?}");
    let record = newest(&looker.model, &folder).unwrap();
    assert_eq!(
        (record.build.steps.total, record.build.steps.executed),
        (STEPS, STEPS)
    );
    assert!(record.build.digest.is_some(), "{record:?}");
    looker.close();
    let _ = host.sh(&format!("rm -r {folder}"));
}

#[test]
fn the_builds_of_a_host_are_told_as_json() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd28");
    let folder = context(&lab, &host);
    let tag = folder.rsplit('/').next().unwrap();
    for _ in 0..2 {
        host.sh(&format!(
            "cd {folder} && docker buildx build --progress=plain -t {tag} . >> build.log 2>&1"
        ));
    }
    let config = lab.folder("config").join("config.yaml");
    let text = format!(
        "hosts:\n  - {{name: ctd28, address: \"ssh://ctd28\"}}\n  - {{name: old, address: \"ssh://old\"}}\nssh: {{config_file: \"{}\"}}\nbuilds:\n  - {{name: logs, file: \"{folder}/*.log\", host: ctd28}}\n  - {{name: builder, buildx: {{host: ctd28}}}}\n  - {{name: none, buildx: {{host: old}}}}\n",
        lab.fact("ssh_config")
    );
    std::fs::write(&config, text).unwrap();
    let output = lab
        .console_with(&config, &["builds", "--json"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |source: &str| -> Vec<&Value> {
        let builds = document["builds"].as_array().unwrap();
        builds
            .iter()
            .filter(|build| {
                build["source"] == source && build["name"].as_str().unwrap().contains(tag)
            })
            .collect()
    };
    for source in ["logs", "builder"] {
        let builds = of(source);
        assert_eq!(builds.len(), 2, "{source}: {document}");
        // The newest first: all hits after a cold build.
        assert_eq!(
            (&builds[0]["steps"]["cached"], &builds[1]["steps"]["cached"]),
            (&4.into(), &0.into())
        );
        assert_eq!(builds[0]["hit_rate"], 1.0);
    }
    assert!(of("builder")[1]["seconds"].as_f64().unwrap() >= 4.0);
    let refused = document["refused"].as_array().unwrap();
    assert!(
        refused
            .iter()
            .any(|one| one["source"] == "none" && one["why"] == "the builder keeps no history"),
        "{refused:?}"
    );
    let _ = host.sh(&format!("rm -r {folder}"));
}

/// Builds the folder's context on its host and writes the log there.
fn start_build(lab: &Lab, folder: &str) -> std::process::Child {
    start(
        lab,
        &format!(
            "cd {folder} && docker buildx build --progress=plain -t {} . > build.log 2>&1",
            folder.rsplit('/').next().unwrap()
        ),
    )
}

fn start(lab: &Lab, script: &str) -> std::process::Child {
    Command::new("ssh")
        .args(["-F", &lab.fact("ssh_config"), "ctd28", script])
        .spawn()
        .unwrap()
}

fn wait_for(host: &Host, condition: &str) -> Instant {
    host.sh(&format!(
        "until {condition} 2>/dev/null; do sleep 0.05; done"
    ));
    Instant::now()
}
