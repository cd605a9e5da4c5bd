//! The shape of a scenario file: a world, what happens in it by itself, and what is expected to be told of it.
//!
//! This module reads and checks the file. It does not know what a world answers when it is asked.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::core::engine::{ContainerState, Health, ImageStore};
use crate::core::failure::{HostFailure, RegistryFailure};
use crate::core::files::ConfigState;
use crate::core::names::ServiceKey;
use crate::core::platform::Platform;
use crate::core::remote::Quota;
use crate::core::verdict::Verdict;

use super::units::{Moment, Size, Span};

/// The fleet of `--demo`.
const FLEET: &str = include_str!("../../assets/demo/fleet.yaml");

/// A whole scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(default)]
    pub refresh: Option<RefreshEntry>,
    #[serde(default)]
    pub environments: Vec<EnvironmentEntry>,
    #[serde(default)]
    pub registries: Vec<RegistryEntry>,
    /// Layers that images begin with, by a name of their own.
    #[serde(default)]
    pub bases: BTreeMap<String, Vec<LayerEntry>>,
    /// Images by repository, as a reference spells it.
    #[serde(default)]
    pub images: BTreeMap<String, ImageEntry>,
    pub hosts: Vec<HostEntry>,
    /// Where builds come from.
    #[serde(default)]
    pub builds: Vec<super::builds::BuildsEntry>,
    /// What happens by itself.
    #[serde(default)]
    pub script: Vec<StepEntry>,
}

/// The reason why a text is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum BadScenario {
    /// The text is not YAML of the right shape.
    #[error("cannot read the scenario: {0}")]
    Shape(Box<dyn std::error::Error + Send + Sync>),
    /// It names something that it does not describe.
    #[error("{place}: {what}")]
    Meaning { place: String, what: String },
}

/// How often things are looked at again.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshEntry {
    pub hosts: Span,
    pub registry: Span,
}

/// A rule that names environments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentEntry {
    #[serde(rename = "match")]
    pub pattern: String,
    pub name: String,
    pub protect: Option<bool>,
}

/// A registry; one that is not listed answers at once and asks for nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryEntry {
    pub host: String,
    #[serde(default)]
    pub plain_http: bool,
    pub via: Option<String>,
    /// How long one request takes.
    #[serde(default)]
    pub delay: Option<Span>,
    pub credential: Option<String>,
    pub quota: Option<Quota>,
    /// What every question to it ends in.
    pub fails: Option<RegistryFailure>,
}

/// A layer by the instruction that made it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerEntry {
    pub by: String,
    pub size: Size,
}

/// The builds of one repository and what its tags name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageEntry {
    pub base: Option<String>,
    /// The layers above the base.
    #[serde(default)]
    pub layers: Vec<LayerEntry>,
    /// None listed means every platform.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// Whether tags name a platform manifest with no index above it.
    #[serde(default)]
    pub single: bool,
    pub source: Option<String>,
    /// Oldest first.
    pub builds: Vec<BuildEntry>,
    /// The build that each tag names, followed by `+1` where its index was published once more.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Whether it was made on the hosts and never pushed.
    #[serde(default)]
    pub made_here: bool,
    /// What a question about this repository ends in.
    pub fails: Option<RegistryFailure>,
}

/// One build.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildEntry {
    /// The revision, unless `revision` says otherwise.
    pub id: String,
    pub built: Option<Moment>,
    pub revision: Option<String>,
    pub version: Option<String>,
    /// How many layers from the top differ from the build before.
    pub changes: Option<usize>,
    /// Whether the registry no longer holds it.
    #[serde(default)]
    pub purged: bool,
    /// Whether it was made on a host and never pushed, while others of the repository were.
    #[serde(default)]
    pub made_here: bool,
}

/// A host with everything on it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    pub name: String,
    pub address: String,
    pub environment: Option<String>,
    #[serde(default)]
    pub protect: bool,
    #[serde(default)]
    pub read_only: bool,
    /// Whether the way to the engine lets reading through only.
    #[serde(default)]
    pub proxy: bool,
    pub engine: EngineEntry,
    /// The version of the host's compose.
    #[serde(default = "usual_compose")]
    pub compose: String,
    #[serde(default)]
    pub rtt: Span,
    /// Why it cannot be reached.
    pub fails: Option<HostFailure>,
    /// When an earlier start saw it last.
    pub remembered: Option<Moment>,
    #[serde(default)]
    pub projects: BTreeMap<String, ProjectEntry>,
}

/// An engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineEntry {
    pub version: String,
    pub api: String,
    pub store: ImageStore,
    pub platform: Platform,
}

/// Who manages a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Compose,
    Swarm,
}

/// A project; the one named `-` holds plain containers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectEntry {
    #[serde(default)]
    pub kind: Kind,
    pub dir: Option<String>,
    #[serde(default)]
    pub files: Vec<String>,
    pub env_file: Option<String>,
    /// The version of the compose that started it, where it is not the host's.
    pub compose: Option<String>,
    /// Why its files cannot be rendered.
    pub unreadable: Option<String>,
    /// Containers of `compose run`.
    #[serde(default)]
    pub one_offs: usize,
    pub services: BTreeMap<String, ServiceEntry>,
}

/// A service and its containers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The reference; `{build}` in it stands for that build's digest.
    pub image: String,
    /// The build that runs, else what the tag names.
    pub runs: Option<String>,
    pub state: Option<ContainerState>,
    pub health: Option<Health>,
    pub exit_code: Option<i64>,
    pub started: Option<Moment>,
    pub restarts: Option<u64>,
    /// Its containers, with what differs; none listed means one.
    #[serde(default)]
    pub copies: Vec<CopyEntry>,
    /// The build that the tag names on the host, or `-` for none; else what runs.
    pub held: Option<String>,
    /// Whether the engine no longer has the running image's facts.
    #[serde(default)]
    pub lost: bool,
    #[serde(default)]
    pub ports: Vec<String>,
    pub network_mode: Option<String>,
    #[serde(default)]
    pub depends_on: Vec<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub left_overs: usize,
    /// Whether the files build it.
    #[serde(default)]
    pub builds: bool,
    /// The image that the files ask for, where it is another.
    pub asks: Option<String>,
    /// Whether the files render to other settings than the container has.
    #[serde(default)]
    pub changed: bool,
    /// The files it was started with, where they are not the project's.
    #[serde(default)]
    pub files: Vec<String>,
    pub expect: Expect,
}

/// What differs between the containers of one service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyEntry {
    pub runs: Option<String>,
    pub state: Option<ContainerState>,
    pub health: Option<Health>,
    pub exit_code: Option<i64>,
    pub started: Option<Moment>,
    pub restarts: Option<u64>,
}

/// What is expected to be told of a service once everything has answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "ExpectEntry")]
pub struct Expect {
    pub verdict: Verdict,
    pub last: Option<Verdict>,
    pub mixed: bool,
    pub unhealthy: bool,
    pub config: Option<ConfigState>,
    pub environment: Option<String>,
    /// Words that reason or note must contain.
    pub says: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ExpectEntry {
    Verdict(Verdict),
    Whole(WholeExpect),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeExpect {
    verdict: Verdict,
    last: Option<Verdict>,
    #[serde(default)]
    mixed: bool,
    #[serde(default)]
    unhealthy: bool,
    config: Option<ConfigState>,
    environment: Option<String>,
    says: Option<String>,
}

impl From<ExpectEntry> for Expect {
    fn from(entry: ExpectEntry) -> Self {
        let whole = match entry {
            ExpectEntry::Verdict(verdict) => WholeExpect {
                verdict,
                last: None,
                mixed: false,
                unhealthy: false,
                config: None,
                environment: None,
                says: None,
            },
            ExpectEntry::Whole(whole) => whole,
        };
        Self {
            verdict: whole.verdict,
            last: whole.last,
            mixed: whole.mixed,
            unhealthy: whole.unhealthy,
            config: whole.config,
            environment: whole.environment,
            says: whole.says,
        }
    }
}

/// Something that happens by itself, once or again and again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepEntry {
    pub at: Span,
    pub every: Option<Span>,
    pub what: Happening,
}

/// The things that can happen.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Happening {
    /// A host stops answering.
    HostGoes { host: String, failure: HostFailure },
    /// It answers again, whenever it is dialled next.
    HostReturns { host: String },
    /// A tag names another build.
    TagMoves { image: String, names: String },
    /// A registry stops answering.
    RegistryGoes {
        registry: String,
        failure: RegistryFailure,
    },
    /// It answers again, whenever it is asked next.
    RegistryReturns { registry: String },
    /// A container's life changes.
    ServiceTurns {
        /// `HOST/PROJECT/SERVICE`.
        service: String,
        state: Option<ContainerState>,
        health: Option<Health>,
        exit_code: Option<i64>,
        restarts: Option<u64>,
    },
    /// Somebody pulls the tag's image on the host and changes nothing else.
    ServicePulled { service: String },
    /// Somebody gives a build a tag on the host of a service.
    ImageKept {
        service: String,
        tag: String,
        build: String,
    },
    /// Somebody recreates a service with what its tag names, or with another build.
    ServiceRecreated {
        service: String,
        runs: Option<String>,
    },
}

fn usual_compose() -> String {
    "2.40.3".to_owned()
}

impl Scenario {
    /// Returns the fleet of `--demo`.
    ///
    /// # Panics
    /// If the embedded file is wrong, which a test rules out.
    pub fn fleet() -> Self {
        match Self::parse(FLEET) {
            Ok(scenario) => scenario,
            Err(error) => unreachable!("the embedded fleet is tested: {error}"),
        }
    }

    /// Reads a scenario and checks that it describes all that it names.
    pub fn parse(text: &str) -> Result<Self, BadScenario> {
        // In two steps: the YAML reader made for each of these types would be a tenth of the whole program.
        let tree: serde_json::Value =
            serde_yaml::from_str(text).map_err(|error| BadScenario::Shape(Box::new(error)))?;
        let scenario: Self =
            serde_json::from_value(tree).map_err(|error| BadScenario::Shape(Box::new(error)))?;
        super::check::check(&scenario)?;
        Ok(scenario)
    }

    /// Returns what is expected of each service.
    pub fn expectations(&self) -> impl Iterator<Item = (ServiceKey, &Expect)> {
        self.hosts.iter().flat_map(|host| {
            host.projects.iter().flat_map(move |(project, entry)| {
                entry.services.iter().map(move |(service, entry)| {
                    let key = ServiceKey {
                        host: host.name.as_str().into(),
                        project: project.as_str().into(),
                        service: service.as_str().into(),
                    };
                    (key, &entry.expect)
                })
            })
        })
    }
}
