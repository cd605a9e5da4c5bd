//! What a plan has to know of a service and its host beyond the observation, gathered in one look.
//!
//! It is made by an adapter, used by `make`, and never written down: it holds values of variables.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::core::digest::ImageId;
use crate::core::names::{ContainerId, ServiceName};

use super::guard::{Hidden, ImageDefaults, Shape};
use super::pin::Folder;
use super::plain::Look;
use super::undo::{Found, Undoer};

/// The facts for plans of one service.
#[derive(Debug, Clone, Default)]
pub struct Dossier {
    /// Who the commands run as, and where.
    pub user: String,
    pub compose_version: Option<String>,
    /// Why the project cannot be rendered on the host, if so.
    pub unreadable: Option<String>,
    /// The service as the files render it, if they have it.
    pub rendered: Option<Rendered>,
    /// What compose hashes the service to now; another one where it is brought up by itself.
    pub hashes: Vec<String>,
    /// The containers of the service with image and shape.
    pub containers: BTreeMap<ContainerId, RunningContainer>,
    /// Networks that carry the project's label: those that it makes, also under names of their own.
    pub makes_networks: BTreeSet<String>,
    /// Other services whose network, ipc or pid namespace or whose volumes are those of the service's container.
    pub dependents: Vec<String>,
    /// Other services that the files would have restarted with it: `depends_on` with `restart: true`.
    pub ask_for_a_restart: Vec<String>,
    /// The references that the files name for the dependents, where they name one.
    pub dependent_images: BTreeMap<String, String>,
    /// Secrets and configs of what is made anew whose variables only the deploying shell had, in words.
    pub lost: Vec<String>,
    pub folder: Folder,
    /// SHA-256 of the files that the rendering reads, by absolute path.
    pub files: BTreeMap<String, Option<String>>,
    /// SHA-256 of the project's rendering.
    pub rendering: Option<String>,
    /// Free bytes where the engine keeps its data.
    pub free_bytes: Option<u64>,
    /// When the host was looked at.
    pub looked_at: Option<Timestamp>,
    pub lock: Option<LockOwner>,
    /// Whether the lock can be placed where all logins see it.
    pub lock_is_shared: bool,
    /// Whether the host ends a login's processes at its end.
    pub kills_processes: bool,
    /// How a job outlives the login there: a prefix for the command, or nothing.
    pub outlive: Option<Vec<String>>,
    pub found: Vec<Found>,
    pub undoers: Vec<Undoer>,
    /// A compose command of somebody else that is at work in the folder now.
    pub at_work: Option<String>,
    /// The container itself, where it is of no project.
    pub plain: Option<Look>,
}

impl Dossier {
    /// Tells whether the files name another image only because the deploying shell had a variable that the host lacks.
    pub fn image_is_from_shell(&self) -> bool {
        self.rendered.as_ref().is_some_and(|rendered| {
            rendered
                .variables
                .iter()
                .any(|variable| variable.in_image && !variable.on_host)
        })
    }
}

/// The service as its files render it.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    pub shape: Shape,
    pub builds: bool,
    pub pull_policy: Option<String>,
    pub scale: Option<usize>,
    /// The services that it depends on; a container's label has lost them once the service was recreated by itself.
    pub depends_on: Vec<ServiceName>,
    /// Variables of the files, with the place in the service that each fills.
    pub variables: Vec<Variable>,
}

/// A variable that the files leave to whoever deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// The value that the running container shows it had, where that can be told from one place alone.
    pub value: Option<Hidden>,
    /// Whether the host itself has it, in the environment file or in the login's environment.
    pub on_host: bool,
    /// Whether it is part of the image's reference.
    pub in_image: bool,
}

/// One container as it runs.
#[derive(Debug, Clone, Default)]
pub struct RunningContainer {
    pub image: Option<ImageId>,
    pub shape: Shape,
    pub defaults: ImageDefaults,
    /// Seconds that its health check takes at worst before it says unhealthy.
    pub health_seconds: Option<u64>,
    /// Whether it has ended by itself with success.
    pub ended_well: bool,
    /// Named volumes and bind mounts that stay as they are.
    pub data: Vec<String>,
}

/// Who holds the lock of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOwner {
    pub who: String,
    pub since: String,
    pub job: String,
    /// Whether the process that took it still lives.
    pub alive: bool,
}
