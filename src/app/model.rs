//! All state of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::core::digest::TopDigest;
use crate::core::engine::Observation;
use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::files::{FilesState, Recipe};
use crate::core::host::{HostSpec, HostState};
use crate::core::memory::{Memory, RememberedHost};
use crate::core::names::{HostName, ProjectName, RegistryHost, ServiceKey};
use crate::core::remote::{QuestionKey, Quota, Remote, Route};
use crate::core::settings::Settings;
use crate::core::watch::Scope;

use super::builds::Builds;
use super::history::History;
use super::jobs::Job;
use super::judge::{HostView, ServiceView};
use super::keymap::Keymap;
use super::logs::Logs;
use super::memo::Memo;
use super::msg::{Kept, Now};
use super::preview::Preview;
use super::rows::{Rows, RowsKey};
use super::screen::{Screen, View};
use super::tailnet::{TailnetModel, TailnetPlace};

/// The whole state.
#[derive(Debug, Clone)]
pub struct Model {
    pub settings: Settings,
    pub read_only: bool,
    pub now: Now,
    /// Hosts in the order of the configuration.
    pub hosts: Vec<HostModel>,
    pub remotes: BTreeMap<QuestionKey, RemoteModel>,
    pub files: BTreeMap<FilesKey, FilesModel>,
    /// The judged fleet, one view a host in the same order; made anew for a host whenever its facts change.
    pub judged: Vec<HostView>,
    /// How often something of it was made anew.
    pub judged_count: u64,
    /// The list of the fleet as it was last shown.
    pub rows: Memo<RowsKey, Rows>,
    /// Which hosts use a reference, by their places.
    pub users: BTreeMap<QuestionKey, BTreeSet<usize>>,
    /// What is known for looking ahead.
    pub preview: Preview,
    pub history: History,
    pub tailnet: TailnetModel,
    pub builds: Builds,
    /// Jobs that run, and those that ended badly and were not looked at yet.
    pub jobs: Vec<Job>,
    /// The log that is looked at.
    pub logs: Option<Logs>,
    /// How many plans and logs were asked for.
    pub asked: u64,
    pub screen: Screen,
    pub keymap: Keymap,
    /// What is wrong with the configuration, each in one line.
    pub problems: Vec<String>,
    /// What cannot be written down on this machine, and why.
    pub unkept: BTreeMap<Kept, String>,
    /// The zone in which times of day are shown.
    pub zone: TimeZone,
    /// When a fact of the fleet last changed.
    pub changed_at: Option<Timestamp>,
    /// Whether the screen has to be drawn again.
    pub dirty: bool,
    /// Whether something is worth remembering that is not yet written down.
    pub unsaved: bool,
    pub save_due: Option<Duration>,
    /// When it was last written down.
    pub saved_at: Option<Duration>,
    pub ending: bool,
}

/// Whose files, started how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilesKey {
    pub host: HostName,
    pub project: ProjectName,
    pub recipe: Recipe,
}

/// What is known of a project's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesModel {
    pub state: Option<FilesState>,
    /// Why they could not be looked at the last time, where what was seen before is kept.
    pub failed: Option<String>,
    pub in_flight: bool,
    pub due: Duration,
}

/// One host with all that is known of it.
#[derive(Debug, Clone)]
pub struct HostModel {
    pub spec: HostSpec,
    pub link: Link,
    /// Since when the link is in this state.
    pub since: Option<Timestamp>,
    pub observation: Option<Observation>,
    /// Whether the observation was made over the present connection.
    pub fresh: bool,
    pub generation: u64,
    pub in_flight: bool,
    /// What shall be read once nothing is in flight.
    pub wanted: Option<(Duration, Scope)>,
    /// When everything is read again without cause.
    pub full_due: Duration,
    pub redial_due: Option<Duration>,
    pub attempts: u32,
    pub rtt_ms: Option<u64>,
    pub could_change: Option<bool>,
    pub tailnet: TailnetPlace,
}

/// The way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not dialled yet.
    Idle,
    /// Being dialled; perhaps it waits for a person.
    Dialling(Option<HostFailure>),
    /// The engine answers.
    Up,
    /// It could not be reached, or was lost.
    Failed(HostFailure),
}

impl HostModel {
    /// Starts without any knowledge.
    pub fn new(spec: HostSpec) -> Self {
        Self {
            tailnet: TailnetPlace::of(&spec.address),
            spec,
            link: Link::Idle,
            since: None,
            observation: None,
            fresh: false,
            generation: 0,
            in_flight: false,
            wanted: None,
            full_due: Duration::ZERO,
            redial_due: None,
            attempts: 0,
            rtt_ms: None,
            could_change: None,
        }
    }

    /// Returns the failure that keeps the host away, if one does.
    pub fn failure(&self) -> Option<&HostFailure> {
        match &self.link {
            Link::Failed(failure) | Link::Dialling(Some(failure)) => Some(failure),
            Link::Idle | Link::Dialling(None) | Link::Up => None,
        }
    }

    /// Returns the state in the contract's words; a host not reached yet is down.
    pub fn state(&self) -> HostState {
        match (&self.link, self.failure()) {
            (Link::Up, _) => HostState::Up,
            (_, Some(failure)) if failure.trouble == HostTrouble::Offline => HostState::Offline,
            (_, Some(failure)) if failure.trouble.is_denied() => HostState::Denied,
            _ => HostState::Down,
        }
    }

    /// Says why what is shown of the host is old, if it is.
    pub fn away(&self) -> Option<String> {
        match (&self.link, self.failure()) {
            (Link::Up, _) if self.fresh => None,
            (Link::Up, _) => Some("the host is being read".to_owned()),
            (_, Some(failure)) => Some(format!("the host is {}: {failure}", self.state().word())),
            _ => Some("the host has not answered yet".to_owned()),
        }
    }
}

/// What is known about a reference, and when it is asked about again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteModel {
    pub remote: Remote,
    pub in_flight: bool,
    pub due: Duration,
    pub failures: u32,
    /// What was asked last, so that the same question is not repeated before it is due.
    pub asked: Option<(Vec<TopDigest>, Vec<TopDigest>)>,
}

impl RemoteModel {
    /// Starts from what is remembered, due at once.
    pub fn new(remote: Remote) -> Self {
        Self {
            remote,
            in_flight: false,
            due: Duration::ZERO,
            failures: 0,
            asked: None,
        }
    }
}

impl Model {
    /// Starts with the settings and nothing known.
    pub fn new(settings: Settings, keymap: Keymap, now: Now) -> Self {
        let hosts: Vec<HostModel> = settings.hosts.iter().cloned().map(HostModel::new).collect();
        let judged = hosts
            .iter()
            .map(|host| HostView::empty(host.spec.name.clone()))
            .collect();
        let wall = settings.wall;
        Self {
            read_only: settings.read_only,
            builds: Builds::new(&settings),
            settings,
            now,
            hosts,
            remotes: BTreeMap::new(),
            files: BTreeMap::new(),
            judged,
            judged_count: 0,
            rows: Memo::default(),
            users: BTreeMap::new(),
            preview: Preview::default(),
            history: History::default(),
            tailnet: TailnetModel::default(),
            jobs: Vec::new(),
            logs: None,
            asked: 0,
            screen: Screen {
                home: wall,
                view: match wall {
                    true => View::Wall { page: 0 },
                    false => View::Fleet,
                },
                ..Screen::default()
            },
            keymap,
            problems: Vec::new(),
            unkept: BTreeMap::new(),
            zone: TimeZone::UTC,
            changed_at: None,
            dirty: true,
            unsaved: false,
            save_due: None,
            saved_at: None,
            ending: false,
        }
    }

    /// Returns the place of a host.
    pub fn host_index(&self, name: &HostName) -> Option<usize> {
        self.hosts.iter().position(|host| host.spec.name == *name)
    }

    /// Returns a judged service.
    pub fn service(&self, key: &ServiceKey) -> Option<&ServiceView> {
        let host = self.judged.iter().find(|host| host.name == key.host)?;
        host.services().find(|service| service.key == *key)
    }

    /// Returns all judged services, host by host.
    pub fn services(&self) -> impl Iterator<Item = &ServiceView> {
        self.judged.iter().flat_map(HostView::services)
    }

    /// Returns from where the registry of a reference used on the host is asked.
    pub fn route(&self, registry: &RegistryHost, host: &HostSpec) -> Route {
        if let Some(via) = self
            .settings
            .registry(registry)
            .and_then(|spec| spec.via.clone())
        {
            return Route::Via(via);
        }
        // `localhost` in a reference is the host's own, whoever reads it.
        let elsewhere = matches!(host.address, crate::core::host::Address::Ssh { .. });
        if registry.is_loopback() && elsewhere {
            Route::Via(host.name.clone())
        } else {
            Route::Here
        }
    }

    /// Returns the registries that are away as a whole, each with the reason and how many services wait for it.
    pub fn registries_away(&self) -> Vec<RegistryAway> {
        let mut away: BTreeMap<(RegistryHost, Route), RegistryAway> = BTreeMap::new();
        for (key, model) in &self.remotes {
            let Some((at, failure)) = &model.remote.failure else {
                continue;
            };
            if !failure.is_registry_away() {
                continue;
            }
            let registry = key.reference.repository.registry.clone();
            let place = (registry.clone(), key.route.clone());
            away.entry(place).or_insert_with(|| RegistryAway {
                registry,
                route: key.route.clone(),
                since: *at,
                why: failure.what.clone(),
                services: 0,
            });
        }
        let mut list: Vec<RegistryAway> = away.into_values().collect();
        for service in self.services() {
            let question = service.question.as_ref();
            let waits = |entry: &&mut RegistryAway| {
                question.is_some_and(|key| {
                    key.route == entry.route && key.reference.repository.registry == entry.registry
                })
            };
            // What can be told without the registry is not in need of it.
            if !service.verdict.is_told()
                && let Some(entry) = list.iter_mut().find(waits)
            {
                entry.services += 1;
            }
        }
        list.retain(|entry| entry.services > 0);
        list
    }

    /// Returns the tightest quota that each registry told.
    pub fn quotas(&self) -> BTreeMap<RegistryHost, Quota> {
        let mut quotas: BTreeMap<RegistryHost, (Timestamp, Quota)> = BTreeMap::new();
        for (key, model) in &self.remotes {
            if let Some(answer) = &model.remote.answer
                && let Some(quota) = answer.quota
            {
                let registry = key.reference.repository.registry.clone();
                let newest = quotas.entry(registry).or_insert((answer.at, quota));
                if answer.at >= newest.0 {
                    *newest = (answer.at, quota);
                }
            }
        }
        quotas
            .into_iter()
            .map(|(registry, (_, quota))| (registry, quota))
            .collect()
    }

    /// Returns what the next start should know.
    pub fn memory(&self) -> Memory {
        let in_use = self.questions_in_use();
        Memory {
            hosts: self
                .hosts
                .iter()
                .filter_map(|host| {
                    Some(RememberedHost {
                        name: host.spec.name.clone(),
                        address: host.spec.address.to_string(),
                        observation: host.observation.clone()?,
                    })
                })
                .collect(),
            counted: self.preview.counts(),
            remotes: self
                .remotes
                .iter()
                .filter(|(key, _)| in_use.contains(key))
                .map(|(key, known)| (key.clone(), known.remote.clone()))
                .collect(),
            files: self
                .files
                .iter()
                .filter_map(|(key, files)| match &files.state {
                    Some(FilesState::Rendered(rendered)) => Some((
                        key.host.clone(),
                        key.project.clone(),
                        key.recipe.clone(),
                        rendered.clone(),
                    )),
                    _ => None,
                })
                .collect(),
            seen: self
                .history
                .seen
                .iter()
                .map(|(key, seen)| (key.clone(), seen.clone()))
                .collect(),
        }
    }

    /// Tells whether the first look at the fleet is over: nothing is in flight that would still say more.
    pub fn is_settled(&self) -> bool {
        let hosts = self.hosts.iter().all(|host| match &host.link {
            Link::Idle | Link::Dialling(None) => false,
            Link::Up => host.fresh && !host.in_flight && host.wanted.is_none(),
            // It failed once, or it waits for a person: trying again would only take longer.
            Link::Failed(_) | Link::Dialling(Some(_)) => true,
        });
        hosts
            && self.remotes.values().all(|remote| !remote.in_flight)
            && self.files.values().all(|files| !files.in_flight)
            && self.preview.is_settled()
            && self.builds.is_settled(|host| {
                self.host_index(host)
                    .is_none_or(|index| self.hosts[index].failure().is_some())
            })
            && self.history.is_settled()
    }

    /// Returns the references in use on hosts whose facts are shown.
    pub fn questions_in_use(&self) -> BTreeSet<&QuestionKey> {
        self.services()
            .filter_map(|service| service.question.as_ref())
            .collect()
    }
}

/// A registry that gives no answers at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAway {
    pub registry: RegistryHost,
    pub route: Route,
    pub since: Timestamp,
    pub why: String,
    pub services: usize,
}
