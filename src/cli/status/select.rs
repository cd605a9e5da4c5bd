//! The part of the fleet that a target names.

use crate::app::judge::{ProjectView, ServiceView};
use crate::app::model::{HostModel, Model};
use crate::core::host::HostState;
use crate::core::names::{HostName, Target};
use crate::core::nearest::nearest;
use crate::core::settings::Settings;

/// How many targets a message lists at most.
const MOST_LISTED: usize = 40;

/// Hosts with those of their projects and services that are meant.
#[derive(Debug)]
pub struct Selection<'a> {
    pub hosts: Vec<SelectedHost<'a>>,
}

/// A host with what is meant of it.
#[derive(Debug)]
pub struct SelectedHost<'a> {
    pub host: &'a HostModel,
    pub projects: Vec<(&'a ProjectView, Vec<&'a ServiceView>)>,
}

/// The reason why a target means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {right}")]
pub struct NoTarget {
    what: String,
    right: String,
}

/// Reads a target and makes sure that its host is configured.
pub fn parse(text: &str, settings: &Settings) -> Result<Target, NoTarget> {
    let target = Target::parse(text).ok_or_else(|| NoTarget {
        what: format!("{text:?} is no target"),
        right: "expected HOST, HOST/PROJECT or HOST/PROJECT/SERVICE".to_owned(),
    })?;
    if settings.hosts.iter().any(|host| target.on_host(&host.name)) {
        return Ok(target);
    }
    Err(no_host(text.split('/').next().unwrap_or(text), settings))
}

/// Reads the name of a host.
pub fn parse_host(text: &str, settings: &Settings) -> Result<HostName, NoTarget> {
    let host = settings
        .hosts
        .iter()
        .find(|host| host.name.as_str() == text);
    match host {
        Some(host) => Ok(host.name.clone()),
        None => Err(no_host(text, settings)),
    }
}

fn no_host(name: &str, settings: &Settings) -> NoTarget {
    let names = || settings.hosts.iter().map(|host| host.name.as_str());
    NoTarget {
        what: format!("there is no host {name:?}"),
        right: match nearest(name, names()) {
            Some(near) => format!("did you mean {near}?"),
            None if settings.hosts.is_empty() => {
                "no host is configured; add one with -H NAME=ADDRESS".to_owned()
            }
            None => format!("the hosts are {}", list(names().map(str::to_owned))),
        },
    }
}

impl<'a> Selection<'a> {
    /// Selects the whole fleet.
    pub fn everything(model: &'a Model) -> Self {
        Self::of(model, |_| true, |_| true)
    }

    /// Selects what the target names.
    ///
    /// On a host that is not up it cannot be told what there is: then the host alone is selected.
    pub fn of_target(model: &'a Model, target: &Target) -> Result<Self, NoTarget> {
        let selection = Self::of(
            model,
            |host| target.on_host(&host.spec.name),
            |service| target.covers(&service.key),
        );
        let found = selection.services().next().is_some();
        let looked = selection
            .hosts
            .iter()
            .all(|selected| selected.host.away().is_none());
        if found || target.is_host() || !looked {
            return Ok(selection);
        }
        let there = Self::of(model, |host| target.on_host(&host.spec.name), |_| true);
        let targets: Vec<String> = there
            .services()
            .map(|service| service.key.to_string())
            .collect();
        let typed = target.to_string();
        Err(NoTarget {
            right: match nearest(&typed, targets.iter().map(String::as_str)) {
                _ if targets.is_empty() => "nothing runs on that host".to_owned(),
                Some(near) => format!("did you mean {near}?"),
                None => format!("there is {}", list(targets.into_iter())),
            },
            what: format!("{typed} matches nothing"),
        })
    }

    fn of(
        model: &'a Model,
        wanted_host: impl Fn(&HostModel) -> bool,
        wanted: impl Fn(&ServiceView) -> bool,
    ) -> Self {
        let hosts = model.hosts.iter().filter(|host| wanted_host(host));
        let hosts = hosts.map(|host| {
            let view = model.judged.iter().find(|view| view.name == host.spec.name);
            let projects = view.into_iter().flat_map(|view| &view.projects);
            let projects = projects.filter_map(|project| {
                let services: Vec<_> = project
                    .services
                    .iter()
                    .filter(|service| wanted(service))
                    .collect();
                (!services.is_empty()).then_some((project, services))
            });
            SelectedHost {
                host,
                projects: projects.collect(),
            }
        });
        Self {
            hosts: hosts.collect(),
        }
    }

    /// Returns all selected services.
    pub fn services(&self) -> impl Iterator<Item = &'a ServiceView> {
        self.hosts
            .iter()
            .flat_map(|host| &host.projects)
            .flat_map(|(_, services)| services.iter().copied())
    }

    /// Tells whether something cannot be told: a service, or a host that is not there to be asked.
    pub fn has_unknown(&self) -> bool {
        self.services().any(|service| !service.verdict.is_told())
            || self
                .hosts
                .iter()
                .any(|host| host.host.state() != HostState::Up)
    }

    /// Tells whether a service wants to be looked after.
    pub fn has_unsettled(&self) -> bool {
        self.services().any(|service| !service.verdict.is_settled())
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let shown = names[..names.len().min(MOST_LISTED)].join(", ");
    match names.len().saturating_sub(MOST_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
