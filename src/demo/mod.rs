//! A fleet from a scenario file, in place of hosts and registries: the same messages, without network or engine.
//!
//! Invariant: no IO, no clock, no chance. The demo answers looks with messages and says how long each would take;
//! whoever drives it lets that time pass, for real or not. It does not know how the fleet is drawn.

mod acting;
mod builds;
mod catalog;
mod check;
pub mod driver;
pub mod expect;
mod hosts;
mod journal;
mod logs;
mod mint;
mod preview;
mod registries;
pub mod scenario;
mod script;
mod units;

use std::time::Duration;

use jiff::Timestamp;

use crate::app::effect::Look;
use crate::app::keymap::Keymap;
use crate::app::model::Model;
use crate::app::msg::{Msg, Now};
use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::image::ImageRef;
use crate::core::memory::{Memory, RememberedHost};
use crate::core::names::HostName;
use crate::core::remote::{QuestionKey, Remote, Route};
use crate::core::settings::{EnvironmentRule, RegistrySpec, Settings};

use catalog::Catalog;
use hosts::Host;
use registries::Registries;
pub use scenario::{BadScenario, Scenario};
use script::Script;

/// How long a dial waits for a host that does not answer.
const DIAL_GIVES_UP: Duration = Duration::from_secs(4);

/// A world that answers.
#[derive(Debug, Clone)]
pub struct Demo {
    started_at: Timestamp,
    settings: Settings,
    catalog: Catalog,
    registries: Registries,
    hosts: Vec<Host>,
    builds: Vec<builds::BuildsEntry>,
    script: Script,
    /// How many plans were made.
    plans: u64,
}

impl Demo {
    /// Makes the world as it is when the scenario begins.
    pub fn new(scenario: &Scenario, started_at: Timestamp) -> Self {
        let catalog = Catalog::new(scenario);
        let hosts: Vec<Host> = scenario
            .hosts
            .iter()
            .map(|entry| Host::new(entry, &catalog))
            .collect();
        Self {
            started_at,
            settings: settings(scenario, &hosts),
            registries: Registries::new(scenario),
            builds: scenario.builds.clone(),
            script: Script::new(&scenario.script),
            catalog,
            hosts,
            plans: 0,
        }
    }

    /// Returns the settings of a console for this world.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns what an earlier start remembers of this world, for the first message.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        let now = Now {
            wall: self.started_at,
            since_start: Duration::ZERO,
        };
        // Keys of answers depend on the settings; the model knows how.
        let model = Model::new(self.settings.clone(), Keymap::default(), now);
        for host in &self.hosts {
            let Some(remembered) = host.remembered else {
                continue;
            };
            let at = remembered.on_the_clock(self.started_at);
            let observation = host.observe(&self.catalog, at, self.started_at);
            for container in &observation.containers {
                let Ok(reference) = container.reference.parse::<ImageRef>() else {
                    continue;
                };
                let key = QuestionKey {
                    route: model.route(&reference.repository.registry, &host.spec),
                    reference,
                    platform: observation.engine.platform.clone(),
                };
                if memory.remotes.iter().any(|(own, _)| *own == key) {
                    continue;
                }
                let answer = self
                    .registries
                    .remembered(&self.catalog, &key, at, self.started_at);
                if let Some(answer) = answer {
                    let remote = Remote {
                        answer: Some(answer),
                        failure: None,
                    };
                    memory.remotes.push((key, remote));
                }
            }
            for (project, recipe) in host.recipes() {
                let state = host.render(project, recipe, at);
                if let crate::core::files::FilesState::Rendered(rendered) = state {
                    let name = host.spec.name.clone();
                    memory
                        .files
                        .push((name, project.clone(), recipe.clone(), rendered));
                }
            }
            memory.hosts.push(RememberedHost {
                name: host.spec.name.clone(),
                address: host.spec.address.to_string(),
                observation,
            });
        }
        memory
    }

    /// Answers a look: each message with the time that it takes from now on.
    pub fn answer(&mut self, look: &Look, model: &Model, now: Now) -> Vec<(Duration, Msg)> {
        match look {
            Look::Connect { host } => self.connect(host),
            // The invented machines are not on a tailnet.
            Look::WatchTailnet => Vec::new(),
            Look::Observe {
                host, generation, ..
            } => {
                let Some(found) = self.host(host) else {
                    return Vec::new();
                };
                let result = match &found.failure {
                    Some(failure) => Err(failure.clone()),
                    None => Ok(Box::new(found.observe(
                        &self.catalog,
                        now.wall,
                        self.started_at,
                    ))),
                };
                let message = Msg::Observed {
                    host: host.clone(),
                    generation: *generation,
                    result,
                };
                vec![(found.rtt * 2 + Duration::from_millis(8), message)]
            }
            Look::Render {
                host,
                project,
                recipe,
            } => {
                let Some(found) = self.host(host) else {
                    return Vec::new();
                };
                let state = match &found.failure {
                    Some(failure) => {
                        crate::core::files::FilesState::Unknown(format!("not asked: {failure}"))
                    }
                    None => found.render(project, recipe, now.wall),
                };
                let message = Msg::Rendered {
                    host: host.clone(),
                    project: project.clone(),
                    recipe: recipe.clone(),
                    state,
                };
                vec![(found.rtt + Duration::from_millis(140), message)]
            }
            Look::Resolve(question) => {
                let away = match &question.key.route {
                    Route::Here => None,
                    Route::Via(host) => self.host(host).and_then(|host| host.failure.as_ref()),
                };
                let (after, result) = self.registries.resolve(
                    &self.catalog,
                    question,
                    away,
                    now.wall,
                    self.started_at,
                );
                let message = Msg::Resolved {
                    key: question.key.clone(),
                    result: result.map(Box::new),
                };
                vec![(after, message)]
            }
            Look::Image { key, places } => vec![self.image(key, places)],
            Look::Trust { key, image, .. } => vec![self.trust(key, image)],
            Look::Pace { host } => vec![self.pace(host)],
            Look::Journal { host } => vec![self.journal(host.as_ref())],
            Look::Cease | Look::Recheck { .. } | Look::Try(_) => Vec::new(),
            Look::Offers => vec![(Duration::ZERO, Msg::Offered(Vec::new()))],
            Look::Plan(wish) => vec![self.plan(wish, model)],
            Look::Builds { source } => self.builds(source),
            Look::BuildCache { reference, .. } => vec![self.build_cache(reference)],
            Look::WatchBuilds { .. } => Vec::new(),
            Look::Logs { number, .. } => logs::answer(*number),
            Look::LeaveLogs => Vec::new(),
            Look::Catalog { route, registry } => vec![self.catalog(route, registry)],
            Look::Tags { route, repository } => vec![self.tags(route, repository, now)],
            Look::Head {
                asker,
                route,
                reference,
                ..
            } => vec![self.head(asker, route, reference)],
        }
    }

    /// Returns when, since the start, something happens by itself next.
    pub fn next_event(&self) -> Option<Duration> {
        self.script.next()
    }

    /// Lets everything happen that happens by itself up to that time since the start.
    ///
    /// Each message comes with the time since the start at which it is due, which is never later than asked for.
    pub fn world_events(&mut self, until: Duration) -> Vec<(Duration, Msg)> {
        let mut messages = Vec::new();
        while let Some((at, what)) = self.script.take(until) {
            for message in script::happen(self, at, &what) {
                messages.push((at, message));
            }
        }
        messages
    }

    fn connect(&self, name: &HostName) -> Vec<(Duration, Msg)> {
        let Some(host) = self.host(name) else {
            return Vec::new();
        };
        let Some(failure) = host.failure.clone() else {
            let message = Msg::Connected {
                host: name.clone(),
                rtt_ms: u64::try_from(host.rtt.as_millis()).unwrap_or(u64::MAX),
                could_change: !host.proxy,
            };
            // A login takes some round trips and some work on either side.
            return vec![(host.rtt * 6 + Duration::from_millis(90), message)];
        };
        let after = match failure.trouble {
            HostTrouble::Offline => Duration::from_millis(1),
            HostTrouble::NoConnection => DIAL_GIVES_UP,
            _ => host.rtt * 3 + Duration::from_millis(30),
        };
        let message = Msg::Disconnected {
            host: name.clone(),
            failure,
        };
        vec![(after, message)]
    }

    fn host(&self, name: &HostName) -> Option<&Host> {
        self.hosts.iter().find(|host| host.spec.name == *name)
    }
}

fn settings(scenario: &Scenario, hosts: &[Host]) -> Settings {
    let mut settings = Settings {
        hosts: hosts.iter().map(|host| host.spec.clone()).collect(),
        registries: scenario
            .registries
            .iter()
            .filter(|entry| entry.plain_http || entry.via.is_some())
            .map(|entry| RegistrySpec {
                host: entry.host.as_str().into(),
                plain_http: entry.plain_http,
                ca_file: None,
                fingerprint: None,
                via: entry.via.as_deref().map(HostName::from),
            })
            .collect(),
        environments: scenario
            .environments
            .iter()
            .map(|entry| EnvironmentRule {
                pattern: entry.pattern.clone(),
                name: entry.name.clone(),
                protect: entry.protect,
            })
            .collect(),
        builds: scenario
            .builds
            .iter()
            .map(builds::BuildsEntry::source)
            .collect(),
        ..Settings::default()
    };
    if let Some(refresh) = scenario.refresh {
        settings.refresh.hosts = refresh.hosts.0;
        settings.refresh.registry = refresh.registry.0;
    }
    settings
}

/// Says that a host cannot be reached, for a question that goes through it.
fn no_route(host: &HostFailure) -> crate::core::failure::RegistryFailure {
    crate::core::failure::RegistryFailure::new(
        crate::core::failure::RegistryTrouble::NoRoute,
        format!(
            "the host it is asked through does not answer: {}",
            host.what
        ),
        host.remedy.clone(),
    )
}
