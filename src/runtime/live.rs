//! The real world: hosts over their own connections, registries, the notes for the next start.

mod hosts;
mod kept;
mod offers;
mod registries;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};

use crate::adapters::ahead::Ahead;
use crate::adapters::blobs::BlobStore;
use crate::adapters::credentials::Credentials;
use crate::adapters::hosts::{HostSession, Hosts};
use crate::adapters::memory::MemoryFile;
use crate::adapters::paths::Paths;
use crate::adapters::registry::{Registries, RegistryOptions};
use crate::adapters::shelf::Shelves;
use crate::adapters::tailscale::Tailscale;
use crate::adapters::tailscale::road::Road;
use crate::app::effect::{Act, Look};
use crate::app::mode::Operating;
use crate::app::model::Model;
use crate::app::msg::Now;
use crate::core::history::Event;
use crate::core::memory::Memory;
use crate::core::mode;
use crate::core::offer::Offer;
use crate::core::settings::Settings;

use super::acting::Actor;
use super::builds::Builds;
use super::jobs::Jobs;
use super::records::Records;
use super::sessions::Sessions;
use super::world::{Foreground, Hands as CanAct, Queue, World};

/// How long the end waits for connections to be closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// The machines and registries of the settings.
pub struct Live {
    settings: Arc<Settings>,
    queue: Queue,
    hosts: Arc<Hosts>,
    /// The tailnet of this machine, where it has one.
    road: Option<Road>,
    sessions: Sessions,
    registries: Registries,
    ahead: Ahead,
    builds: Builds,
    /// Logs that are followed.
    logs: Asking,
    memory: Option<MemoryFile>,
    /// Where the operator's own journal is.
    state: Option<PathBuf>,
    operating: Option<Arc<mode::Operating>>,
    records: Records,
    jobs: Jobs,
    /// Questions of the view that is open.
    asking: Asking,
    /// Whether jobs that run on a host are looked for.
    finds_jobs: bool,
    config: Option<PathBuf>,
}

impl Live {
    /// Prepares to look; nothing is contacted yet.
    ///
    /// `operating` is the right to change hosts, which an observing session does not have.
    pub fn new(
        settings: &Settings,
        paths: &Paths,
        queue: Queue,
        operating: Option<mode::Operating>,
    ) -> Self {
        let sessions = Sessions::default();
        let cache = paths.cache.clone();
        let blobs = cache.as_deref().map_or_else(BlobStore::in_memory, |cache| {
            BlobStore::at(cache.join("blobs"))
        });
        let mut options =
            RegistryOptions::new(settings.registries.clone(), Credentials::of_user(), blobs);
        options.dialer = Some(Arc::new(sessions.clone()));
        options.engines = Some(Arc::new(sessions.clone()));
        let registries = Registries::new(options);
        let road = Tailscale::find(&settings.tailscale).map(Road::new);
        let shelves = Shelves::in_folder(cache.as_deref());
        let shared = Arc::new(settings.clone());
        let hosts = Arc::new(Hosts::new(settings.ssh.clone()).over(road.clone()));
        let actor = Actor {
            settings: shared.clone(),
            hosts: hosts.clone(),
            sessions: sessions.clone(),
            registries: registries.clone(),
            state: paths.state.clone(),
        };
        Self {
            finds_jobs: false,
            config: None,
            records: Records::default(),
            asking: Asking::default(),
            logs: Asking::default(),
            jobs: Jobs::new(actor, queue.clone(), paths.state.clone()),
            ahead: Ahead::new(registries.clone(), shelves),
            builds: Builds::new(settings, cache.as_deref()),
            settings: shared,
            queue,
            hosts,
            road,
            sessions,
            registries,
            state: paths.state.clone(),
            memory: cache.as_deref().map(MemoryFile::in_folder),
            operating: operating.map(Arc::new),
        }
    }

    /// Has the jobs that run on a host found and followed whenever it is connected.
    #[must_use]
    pub fn finding_jobs(mut self) -> Self {
        self.finds_jobs = true;
        self
    }

    /// Returns what plans and starts jobs over this world's open ways.
    pub fn actor(&self) -> Actor {
        Actor {
            settings: self.settings.clone(),
            hosts: self.hosts.clone(),
            sessions: self.sessions.clone(),
            registries: self.registries.clone(),
            state: self.state.clone(),
        }
    }

    /// Names the configuration that hosts may be added to.
    #[must_use]
    pub fn configured_by(mut self, file: Option<PathBuf>) -> Self {
        self.config = file;
        self
    }

    /// Tells whether this machine seems to have a tailnet.
    pub fn has_tailnet(&self) -> bool {
        self.road.is_some()
    }
}

/// Questions on their way that end with the view that asked them.
#[derive(Default)]
struct Asking(Vec<AbortHandle>);

impl Asking {
    fn push(&mut self, task: JoinHandle<()>) {
        self.0.retain(|task| !task.is_finished());
        self.0.push(task.abort_handle());
    }

    fn cease(&mut self) {
        for task in self.0.drain(..) {
            task.abort();
        }
    }
}

impl World for Live {
    fn look(&mut self, look: Look, model: &Model, _: Now) {
        match look {
            Look::Connect { host } => self.connect(host),
            Look::WatchTailnet => self.watch_tailnet(),
            Look::Observe {
                host,
                generation,
                scope,
            } => self.observe(host, generation, scope),
            Look::Render {
                host,
                project,
                recipe,
            } => self.render(host, project, recipe),
            Look::Recheck { host } => self.recheck(&host),
            Look::Pace { host } => self.pace(host),
            Look::Journal { host } => self.journal(host),
            Look::Logs {
                number,
                host,
                containers,
            } => self.follow_logs(number, &host, containers),
            Look::LeaveLogs => self.logs.cease(),
            Look::Resolve(question) => self.resolve(question),
            Look::Image { key, places } => self.image(key, places),
            Look::Catalog { route, registry } => self.catalog(route, registry),
            Look::Tags { route, repository } => self.tags(route, repository),
            Look::Head {
                asker,
                route,
                reference,
                keep,
            } => self.head(asker, route, reference, keep),
            Look::Trust {
                key,
                place,
                image,
                beside,
                anew,
            } => self.trust(key, place, image, beside, anew),
            Look::BuildCache { route, reference } => self.build_cache(route, reference),
            Look::Cease => self.asking.cease(),
            Look::Offers => self.look_for_offers(),
            Look::Try(offer) => self.try_offer(offer),
            Look::Plan(wish) => self.jobs.plan(wish, model),
            Look::Builds { source } => {
                self.builds
                    .follow(source, &self.settings, &self.sessions, &self.queue);
            }
            Look::WatchBuilds { closely } => self.builds.watch(closely),
        }
    }

    fn add_hosts(&mut self, offers: Vec<Offer>) {
        self.write_hosts(offers);
    }

    fn remember(&mut self, memory: Memory) {
        self.keep(memory);
    }

    fn record(&mut self, events: Vec<Event>) {
        self.write_down(events);
    }

    async fn close(&mut self) {
        self.jobs.leave();
        let open = self.sessions.drain();
        let all = futures_util::future::join_all(open.iter().map(HostSession::close));
        // A connection that does not close in time is ended with the process that holds it.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, all).await;
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.records.written()).await;
        if let Some(saving) = self.sessions.saved() {
            let _ = tokio::time::timeout(CLOSE_PATIENCE, saving).await;
        }
    }
}

impl CanAct<Live> for Operating {
    fn act(world: &mut Live, act: Act, _: Now) -> Option<Foreground> {
        let operating = world.operating.clone()?;
        match act {
            Act::Shell { service, container } => {
                let session = world.sessions.get(&service.host)?;
                Some(Foreground {
                    title: format!("shell in {service}"),
                    argv: session.operator(&operating)?.shell_command(&container),
                })
            }
            Act::Start(plan) => {
                world.jobs.start(operating, *plan);
                None
            }
            Act::Cancel { target, job } => {
                world.jobs.cancel(operating, target, job);
                None
            }
        }
    }
}
