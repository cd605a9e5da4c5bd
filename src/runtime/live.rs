//! The real world: hosts over their own connections, registries, the notes for the next start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::task::{AbortHandle, JoinHandle};

use crate::adapters::ahead::Ahead;
use crate::adapters::blobs::BlobStore;
use crate::adapters::credentials::Credentials;
use crate::adapters::hosts::{HostSession, Hosts};
use crate::adapters::jobs::run;
use crate::adapters::journal::Journal;
use crate::adapters::memory::MemoryFile;
use crate::adapters::paths::{Paths, try_writing};
use crate::adapters::registry::{Registries, RegistryOptions};
use crate::adapters::shelf::Shelves;
use crate::adapters::ssh::Master;
use crate::adapters::tailscale::Tailscale;
use crate::adapters::tailscale::road::Road;
use crate::app::effect::{Act, Look};
use crate::app::mode::Operating;
use crate::app::model::Model;
use crate::app::msg::{Kept, Msg, Now};
use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::files::FilesState;
use crate::core::history::Event;
use crate::core::host::HostSpec;
use crate::core::memory::Memory;
use crate::core::mode;
use crate::core::names::HostName;
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

    /// Reads what the last start left, in the background.
    pub fn recall(&self) {
        let queue = self.queue.clone();
        let Some(file) = self.memory.clone() else {
            // A start that waits for the memory must hear that there is none.
            let _ = queue.send(Msg::Restored(Box::default()));
            return;
        };
        tokio::task::spawn_blocking(move || {
            let recalled = file.load();
            let _ = queue.send(Msg::Restored(Box::new(recalled.memory)));
            if let Some(remark) = recalled.remark {
                let _ = queue.send(Msg::Trouble(remark));
            }
        });
    }

    /// Says early where this machine's disk takes nothing, rather than with the first thing that is lost; in the
    /// background.
    pub fn try_places(&self) {
        let queue = self.queue.clone();
        let cache = self.memory.as_ref().map(MemoryFile::folder);
        let places = [
            (Kept::LastObservation, "the last observation", cache),
            (Kept::Journal, "the journal", self.state.clone()),
        ];
        tokio::task::spawn_blocking(move || {
            for (what, words, folder) in places {
                let Some(folder) = folder else { continue };
                if let Err(error) = try_writing(&folder) {
                    let why = format!(
                        "cannot keep {words}: {error} in {}; all goes on from memory",
                        folder.display()
                    );
                    let result = Err(why);
                    let _ = queue.send(Msg::Kept { what, result });
                }
            }
        });
    }

    /// Names the configuration that hosts may be added to.
    #[must_use]
    pub fn configured_by(mut self, file: Option<PathBuf>) -> Self {
        self.config = file;
        self
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    pub(super) fn queue(&self) -> Queue {
        self.queue.clone()
    }

    pub(super) fn hosts(&self) -> Arc<Hosts> {
        self.hosts.clone()
    }

    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    /// Returns the open way to a host.
    pub(super) fn session(&self, host: &HostName) -> Option<HostSession> {
        self.sessions.get(host)
    }

    /// Logs in to a host whose engine does not answer; nothing where that fails too.
    pub(super) async fn login(&self, spec: &HostSpec) -> Option<Arc<Master>> {
        // Whoever asks for more than one word of a host has heard already that a login waits.
        self.hosts.login(spec, &|_| {}).await.ok()
    }

    /// Tells whether this machine seems to have a tailnet.
    pub fn has_tailnet(&self) -> bool {
        self.road.is_some()
    }

    /// Finds out what the hosts' addresses mean, then follows the tailnet.
    fn watch_tailnet(&self) {
        let Some(road) = self.road.clone() else {
            return;
        };
        let (hosts, settings, queue) = (
            self.hosts.clone(),
            self.settings.clone(),
            self.queue.clone(),
        );
        tokio::spawn(async move {
            let resolve = settings.hosts.iter().map(|spec| async {
                let resolved = hosts.resolve(&spec.address).await?;
                let name = Some(resolved.host).filter(|_| !resolved.proxied);
                let host = spec.name.clone();
                let _ = queue.send(Msg::Destination { host, name });
                Some(())
            });
            futures_util::future::join_all(resolve).await;
            road.follow(|tailnet| {
                let _ = queue.send(Msg::Tailnet(Box::new(tailnet)));
            })
            .await;
        });
    }

    fn connect(&self, host: HostName) {
        let Some(spec) = self.settings.host(&host).cloned() else {
            return;
        };
        let (hosts, queue, sessions, road) = (
            self.hosts.clone(),
            self.queue.clone(),
            self.sessions.clone(),
            self.road.clone(),
        );
        let jobs = self.finds_jobs.then(|| self.jobs.clone());
        tokio::spawn(async move {
            let waits = {
                let (host, queue) = (host.clone(), queue.clone());
                move |failure: HostFailure| {
                    let host = host.clone();
                    let _ = queue.send(Msg::Waiting { host, failure });
                }
            };
            let failure = match hosts.connect(&spec, &waits).await {
                Ok(session) => {
                    if let Some(road) = &road {
                        // The path to a peer is chosen once somebody talks to it.
                        road.look_again();
                    }
                    follow(&host, session, &sessions, &queue, jobs).await
                }
                Err(failure) => failure,
            };
            let _ = queue.send(Msg::Disconnected { host, failure });
        });
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

/// Announces an open way and passes its events on until it is lost.
async fn follow(
    host: &HostName,
    session: HostSession,
    sessions: &Sessions,
    queue: &Queue,
    jobs: Option<Jobs>,
) -> HostFailure {
    sessions.put(host.clone(), session.clone());
    let mut events = session.events();
    let _ = queue.send(Msg::Connected {
        host: host.clone(),
        rtt_ms: u64::try_from(session.rtt().as_millis()).unwrap_or(u64::MAX),
        could_change: session.could_change(),
    });
    if let Some(jobs) = jobs {
        let name = host.clone();
        tokio::spawn(async move { jobs.find(&name).await });
    }
    let failure = loop {
        let next = tokio::select! {
            next = events.next() => next,
            failure = session.ended() => break failure,
        };
        match next {
            Some(Ok(event)) => {
                let host = host.clone();
                if queue.send(Msg::Event { host, event }).is_err() {
                    break lost();
                }
            }
            Some(Err(failure)) => break failure,
            None => break lost(),
        }
    };
    let _ = sessions.take(host);
    session.close().await;
    failure
}

fn lost() -> HostFailure {
    HostFailure::new(
        HostTrouble::NoConnection,
        "the connection was lost",
        "dialled again by itself",
    )
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
            } => {
                let (session, queue) = (self.sessions.get(&host), self.queue.clone());
                tokio::spawn(async move {
                    let result = match session {
                        Some(session) => session.observe(&scope).await.map(Box::new),
                        None => Err(lost()),
                    };
                    let _ = queue.send(Msg::Observed {
                        host,
                        generation,
                        result,
                    });
                });
            }
            Look::Render {
                host,
                project,
                recipe,
            } => {
                let (session, queue) = (self.sessions.get(&host), self.queue.clone());
                tokio::spawn(async move {
                    let state = match session {
                        Some(session) => session.render(&recipe, &project).await,
                        None => FilesState::Unknown("the host is not connected".to_owned()),
                    };
                    let _ = queue.send(Msg::Rendered {
                        host,
                        project,
                        recipe,
                        state,
                    });
                });
            }
            Look::Resolve(question) => {
                let (registries, queue) = (self.registries.clone(), self.queue.clone());
                tokio::spawn(async move {
                    let result = registries.ask(&question).await.map(Box::new);
                    let _ = queue.send(Msg::Resolved {
                        key: question.key,
                        result,
                    });
                });
            }
            Look::Image { key, places } => {
                let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
                tokio::spawn(async move {
                    let result = ahead.image(&key, &places).await.map(Box::new);
                    let _ = queue.send(Msg::Imaged { key, result });
                });
            }
            Look::Catalog { route, registry } => {
                let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
                self.asking.push(tokio::spawn(async move {
                    let result = ahead.catalog(&route, &registry).await;
                    let key = (route, registry);
                    let _ = queue.send(Msg::Cataloged { key, result });
                }));
            }
            Look::Tags { route, repository } => {
                let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
                self.asking.push(tokio::spawn(async move {
                    let key = (route, repository);
                    let shelf = ahead.shelf(&key).await;
                    let _ = queue.send(Msg::Shelved {
                        key: key.clone(),
                        shelf: Box::new(shelf),
                    });
                    let result = ahead.tags(&key).await;
                    let _ = queue.send(Msg::Listed { key, result });
                }));
            }
            Look::Trust {
                key,
                place,
                image,
                beside,
                anew,
            } => {
                let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
                self.asking.push(tokio::spawn(async move {
                    let trust = ahead.trust(&place, &image, beside, anew).await;
                    let trust = Box::new(trust);
                    let _ = queue.send(Msg::Trusted { key, trust });
                }));
            }
            Look::Pace { host } => {
                let (session, queue) = (self.sessions.get(&host), self.queue.clone());
                tokio::spawn(async move {
                    let place = session.and_then(|session| session.place().cloned());
                    // A host without a shell, or one that cannot be asked, has told nothing.
                    let pulls = match place {
                        Some(place) => run::pulls(&place).await.unwrap_or_default(),
                        None => Vec::new(),
                    };
                    let _ = queue.send(Msg::Paced { host, pulls });
                });
            }
            Look::Cease => self.asking.cease(),
            Look::Journal { host } => {
                let (actor, queue) = (self.actor(), self.queue.clone());
                let recorded = self.records.written();
                tokio::spawn(async move {
                    recorded.await;
                    let result = match &host {
                        Some(host) => actor.journal(host).await,
                        None => Ok(actor.own_journal().await),
                    };
                    let _ = queue.send(Msg::Journal { host, result });
                });
            }
            Look::Offers => self.look_for_offers(),
            Look::Try(offer) => self.try_offer(offer),
            Look::Recheck { host } => {
                if let Some(session) = self.sessions.get(&host) {
                    tokio::spawn(async move { session.recheck().await });
                }
            }
            Look::Plan(wish) => self.jobs.plan(wish, model),
            Look::Logs {
                number,
                host,
                containers,
            } => {
                self.logs.cease();
                let Some(session) = self.sessions.get(&host) else {
                    return;
                };
                for (place, id) in containers.into_iter().enumerate() {
                    let (session, queue) = (session.clone(), self.queue.clone());
                    let task = super::logs::follow(session, id, place, number, queue);
                    self.logs.push(tokio::spawn(task));
                }
            }
            Look::LeaveLogs => self.logs.cease(),
            Look::Builds { source } => {
                self.builds
                    .follow(source, &self.settings, &self.sessions, &self.queue);
            }
            Look::WatchBuilds { closely } => self.builds.watch(closely),
            Look::BuildCache { route, reference } => {
                let (registries, queue) = (self.registries.clone(), self.queue.clone());
                tokio::spawn(async move {
                    let result = registries.cache(&route, &reference).await;
                    let _ = queue.send(Msg::BuildCache { reference, result });
                });
            }
            Look::Head {
                asker,
                route,
                reference,
                keep,
            } => {
                let (ahead, queue) = (self.ahead.clone(), self.queue.clone());
                self.asking.push(tokio::spawn(async move {
                    let result = ahead.head(&route, &reference, keep).await;
                    let _ = queue.send(Msg::Headed {
                        asker,
                        reference,
                        result,
                    });
                }));
            }
        }
    }

    fn add_hosts(&mut self, offers: Vec<Offer>) {
        self.write_hosts(offers);
    }

    fn remember(&mut self, memory: Memory) {
        let queue = self.queue.clone();
        let Some(file) = self.memory.clone() else {
            // A start that waits for the memory must hear that there is none.
            let _ = queue.send(Msg::Restored(Box::default()));
            return;
        };
        // What could not be written before may be by now.
        self.record(Vec::new());
        let recorded = self.records.written();
        self.sessions.saving(tokio::spawn(async move {
            // What was seen is on disk before it is forgotten that it was new.
            recorded.await;
            let save = move || {
                let result = file.save(&memory).map_err(|error| error.to_string());
                let what = Kept::LastObservation;
                let _ = queue.send(Msg::Kept { what, result });
            };
            let _ = tokio::task::spawn_blocking(save).await;
        }));
    }

    fn record(&mut self, events: Vec<Event>) {
        if let Some(state) = &self.state {
            self.records
                .write(Journal::in_folder(state), events, self.queue.clone());
        }
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
