//! A host's judged projects and services, as the screen and the JSON show them.

use jiff::Timestamp;

use crate::core::digest::{ImageId, ManifestDigest, TopDigest};
use crate::core::engine::{Ailment, ContainerState, Health};
use crate::core::environment::{EnvironmentFrom, is_production};
use crate::core::files::ConfigState;
use crate::core::image::ImageRef;
use crate::core::inventory::{ComposeLabels, ProjectKind};
use crate::core::layers::Estimate;
use crate::core::names::{ContainerId, HostName, ProjectName, ServiceKey};
use crate::core::pinned::Pinned;
use crate::core::remote::QuestionKey;
use crate::core::tag_family::moves;
use crate::core::verdict::Verdict;

/// A host with its judged projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    pub name: HostName,
    /// What all pulls that wait on it would fetch together, each blob once.
    pub fetch_bytes: Option<u64>,
    pub projects: Vec<ProjectView>,
}

/// A project with its judged services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectView {
    pub name: ProjectName,
    /// What the pulls that wait in it would fetch together, each blob once.
    pub fetch_bytes: Option<u64>,
    pub kind: ProjectKind,
    pub services: Vec<ServiceView>,
    pub one_offs: usize,
}

/// A judged service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    pub key: ServiceKey,
    pub kind: ProjectKind,
    /// The reference as the container has it.
    pub reference: String,
    pub containers: Vec<ContainerView>,
    pub left_overs: usize,
    /// Whether a container of it lost the network of another one that it shares; how stands in the note.
    pub cut_off: bool,
    pub compose: Option<ComposeLabels>,
    pub environment: Option<String>,
    pub environment_from: Option<EnvironmentFrom>,
    pub protect: bool,
    pub running: RunningView,
    pub registry: RegistryView,
    /// The question whose answer the verdict stands on.
    pub question: Option<QuestionKey>,
    pub verdict: Verdict,
    pub why: String,
    pub note: Option<String>,
    pub last: Option<(Verdict, Timestamp)>,
    /// Whether the service's containers are judged differently.
    pub mixed: bool,
    pub config: ConfigState,
    pub config_why: Option<String>,
    /// The pin of this program, whether it still holds or not.
    pub pinned: Option<Box<Pinned>>,
    pub builds_behind: Option<u64>,
    /// What a pull would fetch; absent where it is not known.
    pub fetch_bytes: Option<u64>,
    /// How sure that figure is.
    pub fetch_estimate: Option<Estimate>,
    /// When the host was seen like this.
    pub observed_at: Timestamp,
}

/// One container of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerView {
    pub id: ContainerId,
    pub name: String,
    pub state: ContainerState,
    pub health: Health,
    pub exit_code: Option<i64>,
    pub image_id: ImageId,
    pub started: Option<Timestamp>,
    pub restarts: u64,
    pub ports: Vec<String>,
    pub verdict: Verdict,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningView {
    pub image_id: ImageId,
    pub digests: Vec<TopDigest>,
    pub manifest: Option<ManifestDigest>,
    pub tags: Vec<ImageRef>,
    pub created: Option<Timestamp>,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub source: Option<String>,
    pub size: Option<u64>,
}

impl RunningView {
    /// Returns the digest that people compare: the registry's name of what runs, else the engine's Id.
    pub fn short(&self) -> &str {
        self.digests
            .first()
            .map_or_else(|| self.image_id.short(), TopDigest::short)
    }
}

/// What the registry says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryView {
    pub reference: Option<ImageRef>,
    pub digest: Option<TopDigest>,
    pub manifest: Option<ManifestDigest>,
    pub created: Option<Timestamp>,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub source: Option<String>,
    /// When the last good answer came.
    pub checked_at: Option<Timestamp>,
    pub error: Option<String>,
    pub asking: bool,
}

impl HostView {
    /// Returns a host of which nothing is known.
    pub fn empty(name: HostName) -> Self {
        Self {
            name,
            fetch_bytes: None,
            projects: Vec::new(),
        }
    }

    /// Returns all services of the host.
    pub fn services(&self) -> impl Iterator<Item = &ServiceView> {
        self.projects.iter().flat_map(|project| &project.services)
    }
}

impl ServiceView {
    /// Tells that a service in production follows a moving tag without a pin: that is noted and not judged.
    pub fn follows_in_production(&self) -> Option<String> {
        let environment = self.environment.as_deref()?;
        let reference = &self.question.as_ref()?.reference;
        let held = reference.digest().is_some() || self.pinned.is_some();
        let tag = reference.tag()?;
        (is_production(environment) && !held && moves(tag))
            .then(|| format!("follows :{tag}, which moves"))
    }

    /// Tells whether a container of it fails its health check, loops, ended with an error, or lost its network.
    pub fn is_unhealthy(&self) -> bool {
        self.cut_off || self.ailments().next().is_some()
    }

    fn ailments(&self) -> impl Iterator<Item = Ailment> {
        let of = |one: &ContainerView| Ailment::of(one.state, one.health, one.exit_code);
        self.containers.iter().filter_map(of)
    }

    /// Says in words how its containers live: `healthy`, `running`, `2 of 3 running`, `exited (1)`.
    pub fn life(&self) -> String {
        let Some(first) = self.containers.first() else {
            return "no container".to_owned();
        };
        let running = |container: &&ContainerView| container.state == ContainerState::Running;
        let up = self.containers.iter().filter(running).count();
        if self.ailments().any(|ailment| ailment == Ailment::Unhealthy) {
            return "unhealthy".to_owned();
        }
        if self.cut_off {
            return "cut off".to_owned();
        }
        if up < self.containers.len() && self.containers.len() > 1 {
            return format!("{up} of {} running", self.containers.len());
        }
        match (first.state, first.health.word(), first.exit_code) {
            (ContainerState::Running, Some(health), _) => health.to_owned(),
            (ContainerState::Exited, _, Some(code)) => format!("exited ({code})"),
            (state, _, _) => state.word().to_owned(),
        }
    }

    /// Returns when its youngest container started.
    pub fn started(&self) -> Option<Timestamp> {
        self.containers
            .iter()
            .filter_map(|container| container.started)
            .max()
    }

    /// Returns how often its containers were restarted by the engine.
    pub fn restarts(&self) -> u64 {
        self.containers
            .iter()
            .map(|container| container.restarts)
            .sum()
    }
}
