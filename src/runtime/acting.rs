//! From a wish to a job on a host: the look, the plan, the start, the following.
//!
//! The right to change hosts is needed to start anything; planning only looks.

mod ahead;
mod goal;
pub mod many;
mod named;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::engine::docker_argv;
use crate::adapters::hosts::{HostSession, Hosts};
use crate::adapters::jobs::run::NotStarted;
use crate::adapters::jobs::{gather, plain as look_plain, run};
use crate::adapters::journal::Journal;
use crate::adapters::registry::Registries;
use crate::app::jobs::running_image;
use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::core::digest::ImageId;
use crate::core::engine::{ImageFacts, Observation};
use crate::core::history::{self, Entry, Event};
use crate::core::image::ImageRef;
use crate::core::inventory::ProjectKind;
use crate::core::mode::Operating;
use crate::core::names::{HostName, ServiceKey, ServiceName};
use crate::core::remote::RemoteImage;
use crate::core::rollout::Action;
use crate::core::rollout::dossier::Dossier;
use crate::core::rollout::guard::Hidden;
use crate::core::rollout::make::{self, Goal, Known, Wish};
use crate::core::rollout::pin;
use crate::core::rollout::plain;
use crate::core::rollout::plan::TargetPlan;
use crate::core::settings::Settings;
use crate::core::verdict::Verdict;

use super::sessions::Sessions;

/// How long a host is waited for that was lost while a job was being started.
const UNHEARD: Duration = Duration::from_secs(300);
/// How long is waited between two questions about such a job.
const UNHEARD_PAUSE: Duration = Duration::from_secs(2);
/// How often such a job may be missing on its host: a shell that was cut off may still be at its start.
const ABSENT: u32 = 8;

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
        let service = model
            .service(key)
            .ok_or_else(|| format!("there is no service {key}"))?;
        let host = model
            .host_index(&key.host)
            .map(|index| &model.hosts[index])
            .ok_or_else(|| format!("there is no host {}", key.host))?;
        let observation = host
            .observation
            .as_ref()
            .filter(|_| host.away().is_none())
            .ok_or_else(|| {
                host.away()
                    .unwrap_or_else(|| "the host was not observed".to_owned())
            })?;
        let docker = docker_argv(&host.spec.docker_command, host.spec.socket.as_deref());
        let recipe = service
            .compose
            .as_ref()
            .map(|compose| compose.recipe.clone());
        let not_compose = not_compose(service.kind, host);
        let (dossier, trouble) = match (&recipe, not_compose) {
            (Some(recipe), None) => {
                let session = self
                    .sessions
                    .get(&key.host)
                    .ok_or_else(|| "the host is not connected".to_owned())?;
                match gather::dossier(&session, &docker, &key.project, &key.service, recipe).await {
                    Ok(dossier) => (dossier, None),
                    Err(why) => (Dossier::default(), Some(why)),
                }
            }
            (None, None) => match self.look_plain(service, &docker).await {
                Ok(dossier) => (dossier, None),
                Err(why) => (Dossier::default(), Some(why)),
            },
            (_, Some(_)) => (Dossier::default(), None),
        };
        let running = running_image(service);
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
        let goal = asked.as_goal();
        let wish = Wish {
            job,
            action,
            target: key.clone(),
            by: order.by.clone(),
            reason: order.reason.clone(),
            take_environment: order.take_environment,
            timeout_seconds: order.timeout_seconds,
            at: jiff::Timestamp::now(),
            goal,
        };
        let known = Known {
            observation,
            dossier: &dossier,
            reference: &follows,
            recipe: recipe.as_ref(),
            pin_undone: undone,
            compose_label: service
                .compose
                .as_ref()
                .map(|compose| compose.version.as_str()),
            config_hash: service
                .compose
                .as_ref()
                .and_then(|compose| compose.config_hash.as_deref()),
            running: &running,
            docker: &docker,
            fetch_bytes,
            settings: self.settings.rollback,
            not_compose,
            changed_by_others: others.as_deref(),
        };
        let mut plan = make::target(&wish, &known);
        if let Asked::HeldInstead(_, why) = &asked {
            plan.warnings.push(why.clone());
        }
        if let Some(why) = trouble {
            plan.blocked = Some(why);
        }
        let values = dossier
            .rendered
            .iter()
            .flat_map(|rendered| &rendered.variables)
            .filter(|variable| plan.taken_over.contains(&variable.name))
            .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
            .collect();
        let body = body_of(&dossier, &plan);
        let outlive = dossier.outlive.clone().filter(|_| dossier.kills_processes);
        Ok(Prepared {
            fetch_seconds: self.seconds(host, plan.fetch_bytes).await,
            plan,
            values,
            body,
            outlive,
            networks: dossier
                .containers
                .values()
                .flat_map(|container| container.shape.networks.iter().cloned())
                .collect(),
            provides: dossier.makes_networks,
        })
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

    /// Opens the way to a host anew.
    ///
    /// # Errors
    /// Says why it cannot be reached.
    pub async fn reopen(&self, host: &HostName) -> Result<(), String> {
        let spec = self
            .settings
            .host(host)
            .ok_or_else(|| format!("there is no host {host}"))?;
        let opened = self.hosts.connect(spec, &|_| {}).await;
        let session = opened.map_err(|failure| failure.to_string())?;
        if let Some(old) = self.sessions.take(host) {
            old.close().await;
        }
        self.sessions.put(host.clone(), session);
        Ok(())
    }

    /// Puts a planned job on its host.
    ///
    /// # Errors
    /// Says why it could not be started, or that nobody knows whether it was.
    pub async fn start(
        &self,
        operating: &Operating,
        prepared: &Prepared,
    ) -> Result<(), NotStarted> {
        let session = self
            .session(&prepared.plan.target)
            .map_err(NotStarted::Refused)?;
        let place = session.place_to_change(operating);
        run::start(
            operating,
            place.map_err(NotStarted::Refused)?,
            &prepared.plan,
            prepared.outlive.as_deref(),
            &run::HandedOver {
                values: &prepared.values,
                body: prepared.body.as_ref(),
            },
        )
        .await
    }

    /// Finds out whether a job began of whose start nothing was heard.
    ///
    /// It is `redials`'s part to come back to the host; where the console does so by itself it is only waited for. A
    /// host that stays away leaves it open: then the job is followed as if it ran, which is never wrong about it.
    ///
    /// # Errors
    /// If the host was asked and the job is not there.
    pub async fn began(&self, plan: &TargetPlan, redials: bool) -> Result<(), String> {
        let asked_since = tokio::time::Instant::now();
        let mut absent = 0;
        while asked_since.elapsed() < UNHEARD {
            let position = run::Position::default();
            match self.news(&plan.target, &plan.job, position).await {
                Ok(news) if news.alive || news.ended.is_some() || !news.out.is_empty() => {
                    return Ok(());
                }
                Ok(_) => {
                    absent += 1;
                    if absent > ABSENT {
                        return Err(
                            "the connection was lost while it was being started, and it did not begin: nothing was touched"
                                .to_owned(),
                        );
                    }
                }
                Err(_) if redials => {
                    let _ = self.reopen(&plan.target.host).await;
                }
                Err(_) => {}
            }
            tokio::time::sleep(UNHEARD_PAUSE).await;
        }
        Ok(())
    }

    /// Reads what a job wrote since the last look.
    ///
    /// # Errors
    /// If its host cannot be asked now; the job goes on all the same.
    pub async fn news(
        &self,
        target: &ServiceKey,
        job: &str,
        position: run::Position,
    ) -> Result<run::News, String> {
        let session = self.session(target)?;
        let place = session
            .place()
            .ok_or("scripts cannot be run on this host")?;
        run::news(place, job, position)
            .await
            .map_err(|error| error.to_string())
    }

    /// Lists the jobs of a host.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub async fn jobs(&self, host: &HostName) -> Result<Vec<run::Found>, String> {
        let session = self.sessions.get(host).ok_or("the host is not connected")?;
        let place = session
            .place()
            .ok_or("scripts cannot be run on this host")?;
        run::list(place).await.map_err(|error| error.to_string())
    }

    /// Asks a job to stop where that is safe.
    ///
    /// # Errors
    /// If its host cannot be asked now.
    pub async fn cancel(
        &self,
        operating: &Operating,
        target: &ServiceKey,
        job: &str,
    ) -> Result<(), String> {
        let session = self.session(target)?;
        let place = session.place_to_change(operating)?;
        run::cancel(operating, place, job)
            .await
            .map_err(|error| error.to_string())
    }

    /// Reads the journal of a host.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub async fn journal(&self, host: &HostName) -> Result<Vec<Event>, String> {
        let session = self.sessions.get(host).ok_or("the host is not connected")?;
        let place = session
            .place()
            .ok_or("scripts cannot be run on this host")?;
        run::history(place, host)
            .await
            .map_err(|error| error.to_string())
    }

    /// Joins the journal of a host with the operator's own.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub async fn history(&self, host: &HostName) -> Result<Vec<Entry>, String> {
        let of_host = self.journal(host).await?;
        Ok(history::join(&self.own_journal().await, &of_host))
    }

    /// Reads the operator's own journal.
    pub async fn own_journal(&self) -> Vec<Event> {
        let Some(journal) = self.state.as_deref().map(Journal::in_folder) else {
            return Vec::new();
        };
        let read = tokio::task::spawn_blocking(move || journal.read());
        read.await.unwrap_or_default()
    }

    fn session(&self, target: &ServiceKey) -> Result<HostSession, String> {
        self.sessions
            .get(&target.host)
            .ok_or_else(|| format!("{} is not connected", target.host))
    }
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

/// A goal with what it borrows from.
enum Asked {
    Tag(Option<Box<RemoteImage>>),
    Held(Box<ImageFacts>),
    /// The host's own image, as the registry could not be asked for what it has; with the reason.
    HeldInstead(Box<ImageFacts>, String),
    Fetched(Box<RemoteImage>),
    Nowhere(String),
    /// The text names several; with their names.
    Ambiguous(String),
}

impl Asked {
    /// Returns the image whose download is not foretold yet.
    fn unforetold(&self, service: &ServiceView) -> Option<&RemoteImage> {
        match self {
            Self::Fetched(image) => Some(image),
            Self::Tag(Some(image)) if service.fetch_bytes.is_none() => Some(image),
            Self::Tag(_)
            | Self::Held(_)
            | Self::HeldInstead(..)
            | Self::Nowhere(_)
            | Self::Ambiguous(_) => None,
        }
    }

    fn as_goal(&self) -> Goal<'_> {
        match self {
            Self::Tag(image) => Goal::Tag(image.as_deref()),
            Self::Held(image) | Self::HeldInstead(image, _) => Goal::Held(image),
            Self::Fetched(image) => Goal::Fetched(image),
            Self::Nowhere(why) | Self::Ambiguous(why) => Goal::Nowhere(why.clone()),
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

fn held(observation: &Observation, id: &ImageId) -> Option<Box<ImageFacts>> {
    observation.images.get(id).cloned().map(Box::new)
}

fn not_compose(kind: ProjectKind, host: &HostModel) -> Option<&'static str> {
    if host.spec.read_only {
        return Some("this host is read-only");
    }
    match kind {
        ProjectKind::Swarm => {
            Some("swarm services are listed and judged; actions on them are refused for now")
        }
        ProjectKind::Compose | ProjectKind::None => None,
    }
}

/// Says what the tag names now, or why that is not known; nothing where it names what runs.
fn tag_goal(model: &Model, service: &ServiceView) -> Result<Option<Box<RemoteImage>>, String> {
    let known = service
        .question
        .as_ref()
        .and_then(|key| model.remotes.get(key))
        .ok_or("the registry was not asked")?;
    if let Some((_, failure)) = &known.remote.failure {
        return Err(format!("what the tag names now is not known: {failure}"));
    }
    match &known.remote.answer {
        // An engine that asks for us tells the digest alone, also of another image than the running one.
        Some(answer)
            if answer.image.is_none()
                && service.verdict != Verdict::Current
                && !service.running.digests.contains(&answer.top) =>
        {
            Err(format!(
                "the tag names {}, whose manifest could not be read from here",
                answer.top.short()
            ))
        }
        Some(answer) => Ok(answer.image.clone().map(Box::new)),
        None => Err("the registry has not answered".to_owned()),
    }
}
