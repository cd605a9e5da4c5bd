//! The product's own model looking at one host of the lab, without a screen.

use std::path::PathBuf;
use std::time::Duration;

use homelab_tui::adapters::paths::Paths;
use homelab_tui::app::keymap::Keymap;
use homelab_tui::app::model::Model;
use homelab_tui::app::msg::Msg;
use homelab_tui::app::preview::layers::{self, LayersState};
use homelab_tui::app::preview::tags::{self, TagsView};
use homelab_tui::app::screen::View;
use homelab_tui::app::update;
use homelab_tui::core::host::HostSpec;
use homelab_tui::core::layers::Prediction;
use homelab_tui::core::names::ServiceKey;
use homelab_tui::core::settings::{RegistrySpec, Settings};
use homelab_tui::core::watch::Scope;
use homelab_tui::runtime::clock::Clock;
use homelab_tui::runtime::headless::Headless;
use homelab_tui::runtime::live::Live;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{Host, Image, Lab, Project, Registry, unique};

fn new_runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

const PATIENCE: Duration = Duration::from_secs(60);

/// A session that looks at one host with one service, whose registry is the lab's.
pub struct Watcher {
    folder: PathBuf,
    runtime: Runtime,
    clock: Clock,
    world: Live,
    queue: UnboundedReceiver<Msg>,
    pub model: Model,
    pub service: ServiceKey,
    project: Option<Project>,
}

impl Watcher {
    /// Starts a service of its own on the host and looks at it.
    pub fn new(lab: &Lab, host: &Host, registry: &Registry) -> Self {
        let repo = unique("watched");
        let image = Image::busybox(lab).label("of", &repo).build();
        registry.push(&repo, "latest", &image);
        let reference = registry.reference(&repo, "latest");
        let yaml = format!("services:\n  web:\n    image: {reference}\n");
        let project = host.project(&unique("watched"), &yaml);
        project.compose(&["up", "-d"]);
        let service = ServiceKey {
            host: host.name.as_str().into(),
            project: project.name.as_str().into(),
            service: "web".into(),
        };
        Self::of(lab, host, registry, service, Some(project))
    }

    /// Looks at a service that is there already.
    pub fn of(
        lab: &Lab,
        host: &Host,
        registry: &Registry,
        service: ServiceKey,
        project: Option<Project>,
    ) -> Self {
        let runtime = new_runtime();
        let socket = format!("unix://{}", host.dir().join("docker.sock").display());
        let settings = Settings {
            hosts: vec![HostSpec::new(
                host.name.as_str().into(),
                socket.parse().unwrap(),
            )],
            registries: vec![RegistrySpec {
                host: registry.address.as_str().into(),
                plain_http: true,
                ca_file: None,
                fingerprint: None,
                via: None,
            }],
            ..Settings::default()
        };
        Self::in_folder(settings, lab.folder("watcher"), runtime, service, project)
    }

    /// Another session of the same operator, who has the same caches.
    pub fn again(self) -> Self {
        let runtime = new_runtime();
        let settings = self.model.settings.clone();
        Self::in_folder(settings, self.folder, runtime, self.service, self.project)
    }

    fn in_folder(
        settings: Settings,
        folder: PathBuf,
        runtime: Runtime,
        service: ServiceKey,
        project: Option<Project>,
    ) -> Self {
        let clock = Clock::start();
        let (sender, queue) = unbounded_channel();
        let paths = Paths::below(&folder);
        let world = {
            let _inside = runtime.enter();
            Live::new(&settings, &paths, sender, None)
        };
        let mut watcher = Self {
            model: Model::new(settings, Keymap::default(), clock.now()),
            folder,
            runtime,
            clock,
            world,
            queue,
            service,
            project,
        };
        watcher.go_on();
        watcher
    }

    /// Runs until nothing more is to be learned.
    pub fn go_on(&mut self) {
        let mut headless = Headless::new(self.clock, &mut self.world, &mut self.queue, PATIENCE);
        let work = headless.go_on(&mut self.model);
        self.runtime.block_on(work).unwrap();
    }

    pub fn open(&mut self, view: View) {
        update::open(&mut self.model, view);
        self.go_on();
    }

    /// Looks at the host anew and predicts what a pull of the reference would fetch.
    pub fn predict(&mut self, reference: &str) -> Prediction {
        let to: homelab_tui::core::image::ImageRef = reference.parse().unwrap();
        // Tags move in these tests; what digests name stays known.
        for repository in self.model.preview.repositories.values_mut() {
            repository.heads.clear();
            repository.failed.clear();
        }
        self.model.hosts[0].wanted = Some((Duration::ZERO, Scope::Whole));
        self.open(View::Layers {
            service: self.service.clone(),
            to: Some(to.clone()),
            selected: 0,
        });
        let view = layers::view(&self.model, &self.service, Some(&to)).unwrap();
        match view.state {
            LayersState::Ready(prediction) => prediction,
            other => panic!("{reference} on {}: {other:?}", self.service.host),
        }
    }

    pub fn tags(&mut self) -> TagsView {
        self.open(View::Tags {
            service: self.service.clone(),
            selected: None,
        });
        tags::view(&self.model, &self.service).unwrap()
    }

    /// The project of the watched service, if it was started for this session.
    pub fn project(&self) -> &Project {
        self.project.as_ref().unwrap()
    }
}
