//! From a wish to a job on a host: the look, the plan, the start, the following.
//!
//! The right to change hosts is needed to start anything; planning only looks.

mod ahead;
mod goal;
pub mod many;
mod named;
mod on_host;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::adapters::engine::docker_argv;
use crate::adapters::hosts::{HostSession, Hosts};
use crate::adapters::jobs::{gather, plain as look_plain};
use crate::adapters::registry::Registries;
use crate::app::jobs::running_image;
use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::core::engine::Observation;
use crate::core::image::ImageRef;
use crate::core::names::{ServiceKey, ServiceName};
use crate::core::rollout::Action;
use crate::core::rollout::dossier::Dossier;
use crate::core::rollout::guard::Hidden;
use crate::core::rollout::make::{self, Known, Wish};
use crate::core::rollout::off_limits::off_limits;
use crate::core::rollout::pin;
use crate::core::rollout::plain;
use crate::core::rollout::plan::TargetPlan;
use crate::core::settings::Settings;

use super::sessions::Sessions;

use goal::Asked;

/// What somebody wants done.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Where to, for a rollback or a pin: a tag, a digest, a revision, `previous`.
    pub to: Option<String>,
    pub reason: Option<String>,
    pub take_environment: bool,
    pub timeout_seconds: Option<u64>,
    pub by: String,
    /// Whether a pin is lifted where there is one, in place of pinning.
    pub toggle_pin: bool,
    /// Whether hosts work side by side.
    pub parallel: bool,
}

/// A plan with what its start needs beyond it.
#[derive(Debug)]
pub struct Prepared {
    pub plan: TargetPlan,
    /// How long the host will take to fetch it, by what it fetched before.
    pub fetch_seconds: Option<u64>,
    values: BTreeMap<String, Hidden>,
    /// What a container of no project is made anew from.
    body: Option<Hidden>,
    outlive: Option<Vec<String>>,
    /// The networks that its containers are on.
    pub networks: BTreeSet<String>,
    /// The networks that its project makes, whatever they are called.
    pub provides: BTreeSet<String>,
    /// The services that it depends on, where its files could be read.
    pub depends_on: Option<Vec<ServiceName>>,
}

impl Prepared {
    /// Gives a plan what its start needs of what was looked at for it.
    fn new(plan: TargetPlan, fetch_seconds: Option<u64>, dossier: &Dossier) -> Self {
        let rendered = dossier.rendered.iter();
        let networks = dossier
            .containers
            .values()
            .flat_map(|container| container.shape.networks.iter().cloned());
        Self {
            fetch_seconds,
            values: rendered
                .flat_map(|rendered| &rendered.variables)
                .filter(|variable| plan.taken_over.contains(&variable.name))
                .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
                .collect(),
            body: body_of(dossier, &plan),
            outlive: dossier.outlive.clone().filter(|_| dossier.kills_processes),
            networks: networks.collect(),
            provides: dossier.makes_networks.clone(),
            depends_on: dossier
                .rendered
                .as_ref()
                .map(|rendered| rendered.depends_on.clone()),
            plan,
        }
    }
}

/// Plans and starts jobs over the open ways to hosts.
#[derive(Clone)]
pub struct Actor {
    pub(super) settings: Arc<Settings>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) sessions: Sessions,
    pub(super) registries: Registries,
    /// Where the operator's own journal is.
    pub(super) state: Option<PathBuf>,
}

impl Actor {
    /// Makes the plan for a service; one that may not run says why.
    pub async fn prepare(
        &self,
        model: &Model,
        key: &ServiceKey,
        action: Action,
        order: &Order,
        job: String,
    ) -> Result<Prepared, Unprepared> {
        let (service, host, observation) = subject(model, key)?;
        let docker = docker_argv(&host.spec.docker_command, host.spec.socket.as_deref());
        let off_limits = off_limits(&host.spec, service.kind);
        let compose = service.compose.as_ref();
        let looked = match (off_limits, compose) {
            (Some(_), _) => Ok(Dossier::default()),
            (None, None) => self.look_plain(service, &docker).await,
            (None, Some(compose)) => {
                let session = self.sessions.get(&key.host);
                let session = session.ok_or_else(|| "the host is not connected".to_owned())?;
                let recipe = &compose.recipe;
                gather::dossier(&session, &docker, &key.project, &key.service, recipe).await
            }
        };
        let (dossier, trouble) = match looked {
            Ok(dossier) => (dossier, None),
            Err(why) => (Dossier::default(), Some(why)),
        };
        let undone = service.pinned.as_ref().is_some_and(|pin| !pin.holds());
        let lifts = || {
            undone || pin::lift(&dossier.folder, key.service.as_str()).is_ok_and(|p| p.is_some())
        };
        let action = if order.toggle_pin && lifts() {
            Action::Unpin
        } else {
            action
        };
        let follows = follows(&service.reference, &key.service, &dossier);
        let asked = self
            .goal(model, service, host, action, order, &follows)
            .await;
        let others = self.others(service, action, &dossier).await;
        if let Asked::Ambiguous(why) = &asked {
            return Err(Unprepared::Ambiguous(why.clone()));
        }
        let fetch_bytes = match (&asked, asked.unforetold(service)) {
            (Asked::Held(_) | Asked::HeldInstead(..), _) => Some(0),
            (_, Some(image)) => self.foretell(model, host, observation, image).await,
            (_, None) => service.fetch_bytes,
        };
        let wish = Wish {
            job,
            action,
            target: key.clone(),
            by: order.by.clone(),
            reason: order.reason.clone(),
            take_environment: order.take_environment,
            timeout_seconds: order.timeout_seconds,
            at: jiff::Timestamp::now(),
            goal: asked.as_goal(),
        };
        let known = Known {
            observation,
            dossier: &dossier,
            reference: &follows,
            recipe: compose.map(|compose| &compose.recipe),
            pin_undone: undone,
            compose_label: compose.map(|compose| compose.version.as_str()),
            config_hash: compose.and_then(|compose| compose.config_hash.as_deref()),
            running: &running_image(service),
            docker: &docker,
            fetch_bytes,
            settings: self.settings.rollback,
            off_limits,
            changed_by_others: others.as_deref(),
        };
        let mut plan = make::target(&wish, &known);
        if let Asked::HeldInstead(_, why) = &asked {
            plan.warnings.push(why.clone());
        }
        if trouble.is_some() {
            plan.blocked = trouble;
        }
        let fetch_seconds = self.seconds(host, plan.fetch_bytes).await;
        Ok(Prepared::new(plan, fetch_seconds, &dossier))
    }

    /// Looks at a container of no project.
    async fn look_plain(
        &self,
        service: &ServiceView,
        docker: &[String],
    ) -> Result<Dossier, String> {
        let session = self.session(&service.key)?;
        let [container] = service.containers.as_slice() else {
            return Err("it is more than one container: only single ones are replaced".to_owned());
        };
        let name = service.key.service.as_str();
        look_plain::dossier(&session, docker, &container.id, name).await
    }

    fn session(&self, target: &ServiceKey) -> Result<HostSession, String> {
        self.sessions
            .get(&target.host)
            .ok_or_else(|| format!("{} is not connected", target.host))
    }
}

/// Finds a service on a host that can be asked now.
fn subject<'a>(
    model: &'a Model,
    key: &ServiceKey,
) -> Result<(&'a ServiceView, &'a HostModel, &'a Observation), String> {
    let service = model
        .service(key)
        .ok_or_else(|| format!("there is no service {key}"))?;
    let host = model
        .host_index(&key.host)
        .map(|index| &model.hosts[index])
        .ok_or_else(|| format!("there is no host {}", key.host))?;
    if let Some(away) = host.away() {
        return Err(away);
    }
    let observation = host.observation.as_ref();
    let observation = observation.ok_or_else(|| "the host was not observed".to_owned())?;
    Ok((service, host, observation))
}

/// Returns the reference that a service follows: what its files ask for, unless a pin of ours stands there.
fn follows(running: &str, service: &ServiceName, dossier: &Dossier) -> String {
    let texts = [&dossier.folder.own_override, &dossier.folder.own_pin_file];
    let own = texts
        .into_iter()
        .flatten()
        .flat_map(|text| pin::entries(text))
        .find(|entry| entry.service == service.as_str());
    // A file of ours that holds other services alone says nothing of this one.
    let pinned = own.is_some();
    let written = own.and_then(|entry| entry.note).map(|note| note.follows);
    if let Some(follows) = written.filter(|follows| follows.parse::<ImageRef>().is_ok()) {
        return follows;
    }
    let asked = dossier
        .rendered
        .as_ref()
        .map(|rendered| &rendered.shape.image);
    match asked {
        Some(asked)
            if !pinned && !dossier.image_is_from_shell() && asked.parse::<ImageRef>().is_ok() =>
        {
            asked.clone()
        }
        _ => running.to_owned(),
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unprepared {
    /// The text names several images.
    Ambiguous(String),
    Failed(String),
}

impl From<String> for Unprepared {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl fmt::Display for Unprepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Returns what the job of a plan is handed to make a container of no project from.
fn body_of(dossier: &Dossier, plan: &TargetPlan) -> Option<Hidden> {
    let wanted = plan.blocked.is_none() && plan.hands_over();
    let (look, plain) = (dossier.plain.as_ref()?, plan.plain.as_ref()?);
    let requests = plain::requests(look, &plain.reference, &plan.new_name()).ok()?;
    wanted.then(|| plain::handed_over(&requests))
}
