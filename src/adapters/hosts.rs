//! Hosts as the rest of the program uses them: connect, observe, follow, run a script, dial, close.
//!
//! What a host's address means (a socket, tcp, ssh) is decided here once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::adapters::secret::Secret;
use crate::core::engine::Observation;
use crate::core::failure::{HostFailure, HostTrouble, RegistryFailure};
use crate::core::files::{FilesState, Recipe};
use crate::core::host::{Address, HostSpec};
use crate::core::image::ImageRef;
use crate::core::mode::Operating;
use crate::core::names::{ContainerId, ProjectName};
use crate::core::rollout::off_limits;
use crate::core::settings::SshSettings;
use crate::core::watch::Scope;

use super::compose::Compose;
use super::engine::{self, Distribution, Events, Link, Observer, Operator, Way};
use super::files;
use super::shell::Place;
use super::ssh::{ControlFolder, Destination, Dialled, Master, Resolved};
use super::tailscale::road::Road;

/// How long the engine may take where the way to it is in doubt.
const RECHECK: Duration = Duration::from_secs(3);

/// The way to open hosts, one per process.
#[derive(Debug)]
pub struct Hosts {
    settings: SshSettings,
    /// Made for the first ssh host, so that a session without one leaves no trace.
    folder: Mutex<Option<Arc<ControlFolder>>>,
    road: Option<Road>,
}

impl Hosts {
    /// Prepares to open hosts.
    pub fn new(settings: SshSettings) -> Self {
        Self {
            settings,
            folder: Mutex::default(),
            road: None,
        }
    }

    /// Lets hosts of the tailnet be reached as the tailnet wants it.
    pub fn over(mut self, road: Option<Road>) -> Self {
        self.road = road;
        self
    }

    /// Returns where an ssh address leads, as ssh itself would say.
    pub async fn resolve(&self, address: &Address) -> Option<Resolved> {
        let destination = Destination::from_address(address, &self.settings)?;
        Some(destination.resolved().await)
    }

    /// Opens the way to a host's engine.
    ///
    /// `tell` hears of a login that waits for a person; dropping the future gives the attempt up.
    pub async fn connect(
        &self,
        spec: &HostSpec,
        tell: &(dyn Fn(HostFailure) + Send + Sync),
    ) -> Result<HostSession, HostFailure> {
        let (place, way) = match &spec.address {
            Address::Local => (Some(Place::Here), local_way(spec)),
            Address::Unix(path) => (Some(Place::Here), Way::Unix(PathBuf::from(path))),
            Address::Tcp { host, port } => {
                let way = Way::Tcp {
                    host: host.clone(),
                    port: *port,
                };
                (None, way)
            }
            Address::Ssh { .. } => {
                let place = Place::There(self.login(spec, tell).await?);
                let way = command_way(spec, place.clone());
                (Some(place), way)
            }
        };
        let link = match Link::connect(way.clone()).await {
            Ok(link) => link,
            Err(failure) => {
                if let Some(Place::There(master)) = &place {
                    master.close().await;
                }
                return Err(failure);
            }
        };
        let observer = Observer::new(link);
        Ok(HostSession {
            spec: spec.clone(),
            place,
            way,
            could_change: observer.could_change().await,
            observer,
            compose: Arc::default(),
        })
    }

    /// Logs in by ssh without speaking to an engine.
    pub async fn login(
        &self,
        spec: &HostSpec,
        tell: &(dyn Fn(HostFailure) + Send + Sync),
    ) -> Result<Arc<Master>, HostFailure> {
        let destination =
            Destination::from_address(&spec.address, &self.settings).ok_or_else(|| {
                HostFailure::new(
                    HostTrouble::NoConnection,
                    format!("{} is not reached by ssh", spec.address),
                    "",
                )
            })?;
        let folder = self.folder().await.map_err(|error| {
            HostFailure::new(
                HostTrouble::NoConnection,
                format!("cannot make a folder for ssh's sockets: {error}"),
                "is /tmp or XDG_RUNTIME_DIR writable?",
            )
        })?;
        let options = match &self.road {
            Some(road) => {
                let known_hosts = folder.known_hosts();
                let resolved = destination.resolved().await;
                road.options(&resolved, &known_hosts).map_err(|error| {
                    HostFailure::new(
                        HostTrouble::NoConnection,
                        format!("cannot write the host keys of the tailnet: {error}"),
                        "is /tmp or XDG_RUNTIME_DIR full?",
                    )
                })?
            }
            None => Vec::new(),
        };
        Master::connect(folder, &destination, &self.settings, &options, tell).await
    }

    async fn folder(&self) -> io::Result<Arc<ControlFolder>> {
        let mut folder = self.folder.lock().await;
        if let Some(folder) = &*folder {
            return Ok(folder.clone());
        }
        let made = Arc::new(ControlFolder::create()?);
        let cleaner = made.clone();
        tokio::spawn(async move { cleaner.clear_left_overs().await });
        *folder = Some(made.clone());
        Ok(made)
    }
}

/// An open way to a host's engine.
#[derive(Debug, Clone)]
pub struct HostSession {
    spec: HostSpec,
    /// Where the engine's host is: here, behind ssh, or not known.
    place: Option<Place>,
    way: Way,
    observer: Observer,
    could_change: bool,
    compose: Arc<Compose>,
}

impl HostSession {
    /// Returns the round trip to the engine, measured at the start.
    pub fn rtt(&self) -> Duration {
        self.observer.rtt()
    }

    /// Tells whether the way would let changes through.
    pub fn could_change(&self) -> bool {
        self.could_change
    }

    /// Returns how the host is described.
    pub fn spec(&self) -> &HostSpec {
        &self.spec
    }

    /// Returns the handle that can only look.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Returns where jobs of this host run, for a session that may change it and a host that may be changed.
    ///
    /// # Errors
    /// Says why nothing can be changed there.
    pub fn place_to_change(&self, _: &Operating) -> Result<&Place, String> {
        if self.spec.read_only {
            return Err(off_limits::READ_ONLY_HOST.to_owned());
        }
        self.place()
            .ok_or_else(|| "scripts cannot be run on this host".to_owned())
    }

    /// Returns the handle that can change something, for a session that may; none for a host that is only looked at.
    pub fn operator(&self, operating: &Operating) -> Option<Operator> {
        if self.spec.read_only {
            return None;
        }
        let mut docker =
            engine::docker_argv(&self.spec.docker_command, self.spec.socket.as_deref());
        match (&self.spec.address, &self.way) {
            (Address::Tcp { .. }, _) => {
                docker.extend(["-H".to_owned(), self.spec.address.to_string()])
            }
            (_, Way::Unix(path)) if self.spec.socket.is_none() => {
                docker.extend(["-H".to_owned(), format!("unix://{}", path.display())]);
            }
            _ => {}
        }
        let terminal = match &self.place {
            Some(Place::There(master)) => Some(master.terminal_command()),
            _ => None,
        };
        Some(Operator::new(operating, docker, terminal))
    }

    /// Looks at all containers and images.
    pub async fn observe(&self, scope: &Scope) -> Result<Observation, HostFailure> {
        self.observer.observe(scope, Timestamp::now()).await
    }

    /// Follows the engine's events; the last item is the reason why there are no more.
    pub fn events(&self) -> Events {
        self.observer.events()
    }

    /// Follows a container's output from its last lines on.
    pub fn logs(
        &self,
        container: &ContainerId,
    ) -> impl futures_util::Stream<Item = Result<(bool, bytes::Bytes), HostFailure>> + Send + 'static
    {
        self.observer.logs(container)
    }

    /// Lets the engine ask the registry of a reference.
    pub async fn distribution(
        &self,
        reference: &ImageRef,
        auth: Option<&Secret>,
    ) -> Result<Distribution, RegistryFailure> {
        self.observer.distribution(reference, auth).await
    }

    /// Lets the host render a project's files.
    pub async fn render(&self, recipe: &Recipe, project: &ProjectName) -> FilesState {
        match self.place() {
            Some(place) => {
                let docker =
                    engine::docker_argv(&self.spec.docker_command, self.spec.socket.as_deref());
                files::render(place, &docker, &self.compose, recipe, project).await
            }
            None if matches!(self.spec.address, Address::Tcp { .. }) => {
                FilesState::Unknown("files cannot be read over tcp".to_owned())
            }
            None => FilesState::Unknown(
                "the login on this host is for its engine only, so files cannot be read".to_owned(),
            ),
        }
    }

    /// Returns how the host's compose is called to render something.
    pub async fn rendering_words(&self, place: &Place) -> Vec<String> {
        let docker = engine::docker_argv(&self.spec.docker_command, self.spec.socket.as_deref());
        self.compose.words(place, &docker).await
    }

    /// Returns where scripts of this host run, if any can.
    pub fn place(&self) -> Option<&Place> {
        // Behind a gate only the engine is spoken to.
        self.place.as_ref().filter(|_| self.could_change)
    }

    /// Opens a tcp connection that leaves from the host; nothing where the host is no ssh host.
    pub async fn dial(&self, host: &str, port: u16) -> Option<io::Result<Dialled>> {
        match &self.place {
            Some(Place::There(master)) => Some(master.dial(host, port).await),
            _ => None,
        }
    }

    /// Hangs up where the engine does not answer within a moment, as after this machine slept.
    pub async fn recheck(&self) {
        let lives = tokio::time::timeout(RECHECK, self.observer.ping()).await;
        let lives = lives.is_ok_and(|answer| answer.is_ok());
        if !lives {
            self.close().await;
        }
    }

    /// Waits until an ssh connection below ends; other ways have none and never end.
    pub async fn ended(&self) -> HostFailure {
        match &self.place {
            Some(Place::There(master)) => master.ended().await,
            _ => std::future::pending().await,
        }
    }

    /// Ends the connection and returns when its process is gone.
    pub async fn close(&self) {
        self.observer.clear();
        if let Some(Place::There(master)) = &self.place {
            master.close().await;
        }
    }
}

/// Finds the engine of this machine: by the configured command or socket, else at the usual places.
fn local_way(spec: &HostSpec) -> Way {
    if spec.docker_command != ["docker"] {
        return command_way(spec, Place::Here);
    }
    if let Some(socket) = &spec.socket {
        return Way::Unix(PathBuf::from(socket));
    }
    let named = std::env::var("DOCKER_HOST").ok();
    if let Some(socket) = named
        .as_deref()
        .and_then(|name| name.strip_prefix("unix://"))
    {
        return Way::Unix(PathBuf::from(socket));
    }
    let usual = PathBuf::from("/var/run/docker.sock");
    let rootless =
        std::env::var_os("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("docker.sock"));
    match rootless {
        Some(rootless) if !usual.exists() && rootless.exists() => Way::Unix(rootless),
        _ => Way::Unix(usual),
    }
}

fn command_way(spec: &HostSpec, place: Place) -> Way {
    Way::Command {
        place,
        docker: spec.docker_command.clone(),
        socket: spec.socket.clone(),
        marked: Arc::new(AtomicBool::new(false)),
    }
}
