//! What happens in a scenario by itself, in order, some of it again and again.

use std::time::Duration;

use crate::app::msg::Msg;
use crate::core::image::ImageRef;
use crate::core::names::{ContainerId, HostName};
use crate::core::watch::EngineEvent;

use super::Demo;
use super::catalog::Catalog;
use super::hosts::{Host, Turn};
use super::scenario::{Happening, StepEntry};
use super::units::Moment;

/// The steps with the time at which each is due next.
#[derive(Debug, Clone)]
pub struct Script {
    steps: Vec<(Duration, StepEntry)>,
}

impl Script {
    /// Takes the steps of a scenario.
    pub fn new(steps: &[StepEntry]) -> Self {
        Self {
            steps: steps.iter().map(|step| (step.at.0, step.clone())).collect(),
        }
    }

    /// Lets something more happen, once.
    pub fn add(&mut self, at: Duration, what: Happening) {
        let step = StepEntry {
            at: super::units::Span(at),
            every: None,
            what,
        };
        self.steps.push((at, step));
    }

    /// Returns when the next step is due.
    pub fn next(&self) -> Option<Duration> {
        self.steps.iter().map(|(at, _)| *at).min()
    }

    /// Takes the next step if it is due by then; of two at one time the first written comes first.
    pub fn take(&mut self, until: Duration) -> Option<(Duration, Happening)> {
        let (index, at) = self
            .steps
            .iter()
            .enumerate()
            .map(|(index, (at, _))| (index, *at))
            .min_by_key(|(index, at)| (*at, *index))?;
        if at > until {
            return None;
        }
        let step = &mut self.steps[index];
        let what = step.1.what.clone();
        match step.1.every.filter(|every| !every.0.is_zero()) {
            Some(every) => step.0 += every.0,
            None => {
                self.steps.remove(index);
            }
        }
        Some((at, what))
    }
}

/// Lets one thing happen and returns what the hosts report of it.
pub fn happen(demo: &mut Demo, at: Duration, what: &Happening) -> Vec<Msg> {
    match what {
        Happening::HostGoes { host, failure } => {
            let name = HostName::from(host.as_str());
            let found = demo.hosts.iter_mut().find(|own| own.spec.name == name);
            let Some(found) = found.filter(|own| own.failure.is_none()) else {
                return Vec::new();
            };
            found.failure = Some(failure.clone());
            vec![Msg::Disconnected {
                host: name,
                failure: failure.clone(),
            }]
        }
        Happening::HostReturns { host } => {
            let name = HostName::from(host.as_str());
            let found = demo.hosts.iter_mut().find(|own| own.spec.name == name);
            if let Some(found) = found {
                found.failure = None;
            }
            Vec::new()
        }
        Happening::TagMoves { image, names } => {
            if let (Ok(reference), Ok(build)) = (image.parse::<ImageRef>(), names.parse()) {
                demo.catalog.move_tag(&reference, build);
            }
            Vec::new()
        }
        Happening::RegistryGoes { registry, failure } => {
            demo.registries.set_failure(registry, Some(failure.clone()));
            Vec::new()
        }
        Happening::RegistryReturns { registry } => {
            demo.registries.set_failure(registry, None);
            Vec::new()
        }
        Happening::ServiceTurns {
            service,
            state,
            health,
            exit_code,
            restarts,
        } => {
            let turn = Turn {
                state: *state,
                health: *health,
                exit_code: *exit_code,
                restarts: *restarts,
            };
            on_host(demo, service, |host, _| Changes {
                containers: host.turn(service, turn),
                pulled: None,
            })
        }
        Happening::ServicePulled { service } => on_host(demo, service, |host, catalog| Changes {
            containers: Vec::new(),
            pulled: host.pull(service, catalog),
        }),
        Happening::ImageKept {
            service,
            tag,
            build,
        } => on_host(demo, service, |host, _| Changes {
            containers: Vec::new(),
            pulled: host.keep(tag, build),
        }),
        Happening::ServiceRecreated { service, runs } => {
            let build = runs.as_ref().and_then(|runs| runs.parse().ok());
            on_host(demo, service, |host, catalog| {
                let pulled = build.is_none().then(|| host.pull(service, catalog));
                let now = Moment::after(at);
                Changes {
                    containers: host.recreate(service, build.as_ref(), now, catalog),
                    pulled: pulled.flatten(),
                }
            })
        }
    }
}

/// What was changed on a host: containers and the engine's word for each, and an image that was pulled.
#[derive(Debug, Default)]
pub struct Changes {
    pub containers: Vec<(ContainerId, &'static str)>,
    pub pulled: Option<ImageRef>,
}

/// Changes something on the host of a service; the engine reports it where the host can be reached.
fn on_host(
    demo: &mut Demo,
    service: &str,
    change: impl FnOnce(&mut Host, &Catalog) -> Changes,
) -> Vec<Msg> {
    let name = service.split('/').next().unwrap_or_default();
    let found = demo
        .hosts
        .iter_mut()
        .find(|host| host.spec.name.as_str() == name);
    let Some(host) = found else {
        return Vec::new();
    };
    let changes = change(host, &demo.catalog);
    if host.failure.is_some() {
        return Vec::new();
    }
    let containers = changes
        .containers
        .into_iter()
        .map(|(id, action)| EngineEvent::Container {
            id,
            action: action.to_owned(),
            exit_code: (action == "die").then_some(0),
        });
    let images = changes.pulled.map(|reference| EngineEvent::Image {
        name: reference.familiar(),
        action: "pull".to_owned(),
    });
    containers
        .chain(images)
        .map(|event| Msg::Event {
            host: host.spec.name.clone(),
            event,
        })
        .collect()
}
