//! Containers sorted into projects and services by the labels that compose and swarm put on them.
//!
//! This module knows labels only; whether an image is up to date is judged elsewhere.

use std::collections::BTreeMap;

use super::engine::{ContainerFacts, ContainerState};
use super::files::Recipe;
use super::names::{ProjectName, ServiceName};
use super::rollout::plan::MARKED;

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";
const REPLACE: &str = "com.docker.compose.replace";
const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
const ENVIRONMENT_FILE: &str = "com.docker.compose.project.environment_file";
const VERSION: &str = "com.docker.compose.version";
const CONFIG_HASH: &str = "com.docker.compose.config-hash";
const DEPENDS_ON: &str = "com.docker.compose.depends_on";
const STACK: &str = "com.docker.stack.namespace";
const SWARM_SERVICE: &str = "com.docker.swarm.service.name";

/// Who manages a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProjectKind {
    Compose,
    Swarm,
    None,
}

impl ProjectKind {
    /// Returns the word of the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Swarm => "swarm",
            Self::None => "none",
        }
    }
}

/// A project with its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub name: ProjectName,
    pub kind: ProjectKind,
    pub services: Vec<Service>,
    /// One-off runs, which are none of a service's.
    pub one_offs: usize,
}

/// A service with the places of its containers in the observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub name: ServiceName,
    pub containers: Vec<usize>,
    /// Left-overs of an interrupted recreation; they run nothing.
    pub left_overs: usize,
    pub compose: Option<ComposeLabels>,
}

/// What compose recorded on a service's newest container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeLabels {
    pub recipe: Recipe,
    pub version: String,
    pub config_hash: Option<String>,
    pub depends_on: Vec<ServiceName>,
    /// Whether containers of the service come from other folders or files than the newest one.
    pub several_recipes: bool,
}

impl ComposeLabels {
    /// Tells whether the project was started by compose v1, which is observed only.
    pub fn is_v1(&self) -> bool {
        self.version.starts_with("1.")
    }
}

/// Where one container belongs.
enum Place {
    Service(ProjectKind, ProjectName, ServiceName),
    OneOff(ProjectName),
}

/// Sorts containers into projects and services, by name, plain containers last.
pub fn sort(containers: &[ContainerFacts]) -> Vec<Project> {
    type Key = (ProjectKind, ProjectName);
    let mut one_offs: BTreeMap<ProjectName, usize> = BTreeMap::new();
    let mut found: BTreeMap<Key, BTreeMap<ServiceName, Vec<usize>>> = BTreeMap::new();
    for (index, container) in containers.iter().enumerate() {
        match place(container) {
            Place::OneOff(project) => {
                *one_offs.entry(project.clone()).or_default() += 1;
                found.entry((ProjectKind::Compose, project)).or_default();
            }
            Place::Service(kind, project, service) => found
                .entry((kind, project))
                .or_default()
                .entry(service)
                .or_default()
                .push(index),
        }
    }
    let mut projects: Vec<Project> = found
        .into_iter()
        .map(|((kind, name), services)| Project {
            one_offs: one_offs.get(&name).copied().unwrap_or(0),
            services: services
                .into_iter()
                .map(|(name, members)| service(name, &members, containers))
                .collect(),
            name,
            kind,
        })
        .collect();
    projects.sort_by(|a, b| {
        (a.name.is_none(), &a.name, a.kind).cmp(&(b.name.is_none(), &b.name, b.kind))
    });
    projects
}

/// Returns the compose project and service that a container stands for; nothing for a one-off and for one of neither.
pub fn compose_place(container: &ContainerFacts) -> Option<(ProjectName, ServiceName)> {
    match place(container) {
        Place::Service(ProjectKind::Compose, project, service) => Some((project, service)),
        Place::Service(..) | Place::OneOff(_) => None,
    }
}

fn place(container: &ContainerFacts) -> Place {
    let label = |name: &str| {
        let value = container.labels.get(name);
        value.filter(|value| !value.is_empty())
    };
    if let (Some(project), Some(service)) = (label(PROJECT), label(SERVICE)) {
        if label(ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Place::OneOff(project.into());
        }
        return Place::Service(ProjectKind::Compose, project.into(), service.into());
    }
    if let Some(service) = label(SWARM_SERVICE) {
        let Some(stack) = label(STACK) else {
            return Place::Service(ProjectKind::None, ProjectName::none(), service.into());
        };
        let own = service
            .strip_prefix(stack)
            .and_then(|rest| rest.strip_prefix('_'))
            .unwrap_or(service);
        return Place::Service(ProjectKind::Swarm, stack.into(), own.into());
    }
    Place::Service(
        ProjectKind::None,
        ProjectName::none(),
        own_name(container).unwrap_or(&container.name).into(),
    )
}

/// Returns the name of the container in whose place a job puts this one, or which it holds back; none for any other.
fn own_name(container: &ContainerFacts) -> Option<&str> {
    let (name, _) = container.name.split_once(MARKED)?;
    (!name.is_empty() && !container.labels.has(PROJECT)).then_some(name)
}

fn service(name: ServiceName, members: &[usize], containers: &[ContainerFacts]) -> Service {
    let is_left_over = |index: &usize| {
        let container = &containers[*index];
        own_name(container).is_some()
            || container.state == ContainerState::Created
                && container
                    .labels
                    .get(REPLACE)
                    .is_some_and(|value| !value.is_empty())
    };
    let (mut left_overs, mut rest): (Vec<usize>, Vec<usize>) =
        members.iter().copied().partition(is_left_over);
    // What the interruption left is all that there is: the service is down, and has to be seen as such.
    let of_project = |index: &usize| containers[*index].labels.has(PROJECT);
    if rest.is_empty() && left_overs.iter().all(of_project) {
        rest = std::mem::take(&mut left_overs);
    }
    // In the middle of a job, or after one that died, the former container stands for the name.
    let of_a_job = |index: &usize| own_name(&containers[*index]).is_some();
    if rest.is_empty() && left_overs.iter().all(of_a_job) {
        let stands = |index: &usize| {
            let container = &containers[*index];
            let runs = container.state == ContainerState::Running;
            (runs, container.state != ContainerState::Created)
        };
        let best = (0..left_overs.len()).max_by_key(|place| stands(&left_overs[*place]));
        rest.extend(best.map(|place| left_overs.remove(place)));
    }
    // Swarm keeps ended tasks for its own history; only live ones say what runs.
    let is_task = |index: &usize| containers[*index].labels.has(SWARM_SERVICE);
    if rest.iter().all(is_task) {
        let live: Vec<usize> = rest
            .iter()
            .copied()
            .filter(|index| containers[*index].state == ContainerState::Running)
            .collect();
        if !live.is_empty() {
            rest = live;
        } else if let Some(newest) = newest(&rest, containers) {
            rest = vec![newest];
        }
    }
    rest.sort_by(|a, b| containers[*a].name.cmp(&containers[*b].name));
    let compose = newest(if rest.is_empty() { members } else { &rest }, containers)
        .and_then(|index| compose_labels(&containers[index]))
        .map(|mut labels| {
            labels.several_recipes = rest
                .iter()
                .filter_map(|index| compose_labels(&containers[*index]))
                .any(|other| other.recipe != labels.recipe);
            labels
        });
    Service {
        name,
        containers: rest,
        left_overs: left_overs.len(),
        compose,
    }
}

fn newest(members: &[usize], containers: &[ContainerFacts]) -> Option<usize> {
    members
        .iter()
        .copied()
        .max_by_key(|index| containers[*index].created)
}

fn compose_labels(container: &ContainerFacts) -> Option<ComposeLabels> {
    let label = |name: &str| container.labels.get(name);
    label(PROJECT)?;
    let working_dir = label(WORKING_DIR).unwrap_or_default().to_owned();
    let config_files = apart(label(CONFIG_FILES).unwrap_or_default())
        .map(|file| absolute(&working_dir, file))
        .collect();
    Some(ComposeLabels {
        recipe: Recipe {
            working_dir,
            config_files,
            environment_files: apart(label(ENVIRONMENT_FILE).unwrap_or_default())
                .map(str::to_owned)
                .collect(),
        },
        version: label(VERSION).unwrap_or_default().to_owned(),
        config_hash: label(CONFIG_HASH).map(str::to_owned),
        depends_on: label(DEPENDS_ON)
            .unwrap_or_default()
            .split(',')
            // Each entry is SERVICE:CONDITION:RESTART.
            .filter_map(|entry| entry.split(':').next())
            .filter(|name| !name.is_empty())
            .map(ServiceName::from)
            .collect(),
        several_recipes: false,
    })
}

/// Tells paths apart that a label joins with commas, which paths may hold themselves: all but v1's are absolute.
fn apart(joined: &str) -> impl Iterator<Item = &str> {
    let absolute = joined.starts_with('/');
    let mut rest = joined;
    std::iter::from_fn(move || {
        let end = match absolute {
            true => rest.find(",/").or_else(|| rest.find(",-")),
            false => rest.find(','),
        };
        let (one, more) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, ""),
        };
        rest = more;
        (!one.is_empty()).then_some(one)
    })
}

/// Resolves a file as compose v1 recorded it, relative to the project's folder.
fn absolute(working_dir: &str, file: &str) -> String {
    if file == "-" || file.starts_with('/') || working_dir.is_empty() {
        file.to_owned()
    } else {
        format!(
            "{}/{}",
            working_dir.trim_end_matches('/'),
            file.trim_start_matches("./")
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::samples::container;

    fn with(name: &str, labels: &[(&str, &str)]) -> ContainerFacts {
        let mut container = container(name, "redis:7");
        for (key, value) in labels {
            container.labels.set(key, value);
        }
        container
    }

    #[test]
    fn paths_with_commas_are_told_apart() {
        let apart = |joined| apart(joined).collect::<Vec<_>>();
        assert_eq!(apart("/a,b/x.yaml,/c/y.yaml"), ["/a,b/x.yaml", "/c/y.yaml"]);
        assert_eq!(apart("x.yaml,y.yaml"), ["x.yaml", "y.yaml"]);
        assert_eq!(apart("/a/x.yaml"), ["/a/x.yaml"]);
        assert_eq!(apart("-"), ["-"]);
        assert_eq!(apart(""), Vec::<&str>::new());
    }

    fn shape(containers: &[ContainerFacts]) -> Vec<String> {
        sort(containers)
            .iter()
            .flat_map(|project| {
                project.services.iter().map(move |service| {
                    let kind = project.kind.word();
                    format!(
                        "{kind} {}/{} x{}",
                        project.name,
                        service.name,
                        service.containers.len()
                    )
                })
            })
            .collect()
    }

    #[test]
    fn compose_swarm_and_plain_containers_find_their_place() {
        let list = [
            with(
                "b-web-1",
                &[(PROJECT, "b"), (SERVICE, "web"), (ONE_OFF, "False")],
            ),
            with(
                "b-web-2",
                &[(PROJECT, "b"), (SERVICE, "web"), (ONE_OFF, "False")],
            ),
            with(
                "b-web-run-1",
                &[(PROJECT, "b"), (SERVICE, "web"), (ONE_OFF, "True")],
            ),
            with("s_api.1.x", &[(STACK, "s"), (SWARM_SERVICE, "s_api")]),
            with("loose", &[]),
            with("lonely.1.x", &[(SWARM_SERVICE, "lonely")]),
        ];
        assert_eq!(
            shape(&list),
            [
                "compose b/web x2",
                "swarm s/api x1",
                "none -/lonely x1",
                "none -/loose x1"
            ]
        );
        assert_eq!(sort(&list)[0].one_offs, 1);
    }

    #[test]
    fn a_left_over_of_a_recreation_is_not_a_container_of_the_service() {
        let mut left = with(
            "x_b-web-1",
            &[(PROJECT, "b"), (SERVICE, "web"), (REPLACE, "b-web-1")],
        );
        left.state = ContainerState::Created;
        let list = [with("b-web-1", &[(PROJECT, "b"), (SERVICE, "web")]), left];
        let projects = sort(&list);
        assert_eq!(projects[0].services[0].containers, [0]);
        assert_eq!(projects[0].services[0].left_overs, 1);
    }

    #[test]
    fn a_service_of_which_only_a_left_over_remains_is_seen() {
        let mut left = with(
            "x_b-web-1",
            &[(PROJECT, "b"), (SERVICE, "web"), (REPLACE, "b-web-1")],
        );
        left.state = ContainerState::Created;
        let projects = sort(&[left]);
        assert_eq!(projects[0].services[0].containers, [0]);
        assert_eq!(projects[0].services[0].left_overs, 0);
    }

    #[test]
    fn what_a_job_holds_back_belongs_to_the_name_it_had() {
        let mut new = with("web.homelab-tui-7-new", &[]);
        new.state = ContainerState::Created;
        let list = [with("web.homelab-tui-7", &[]), with("web", &[]), new];
        let services = &sort(&list)[0].services;
        assert_eq!(services.len(), 1);
        assert_eq!(
            (&services[0].containers, services[0].left_overs),
            (&vec![1], 2)
        );
        // While neither has the name the one that runs stands for it.
        let services = &sort(&[list[2].clone(), list[0].clone()])[0].services;
        assert_eq!(
            (services[0].name.as_str(), &services[0].containers),
            ("web", &vec![1])
        );
    }

    #[test]
    fn the_files_of_v1_are_resolved_against_the_folder() {
        let labels = [
            (PROJECT, "b"),
            (SERVICE, "web"),
            (WORKING_DIR, "/srv/b"),
            (CONFIG_FILES, "docker-compose.yml,./x.yml,/abs.yml,-"),
            (VERSION, "1.29.2"),
            (
                DEPENDS_ON,
                "db:service_healthy:true,cache:service_started:false",
            ),
        ];
        let projects = sort(&[with("b_web_1", &labels)]);
        let compose = projects[0].services[0].compose.as_ref().unwrap();
        assert_eq!(
            compose.recipe.config_files,
            ["/srv/b/docker-compose.yml", "/srv/b/x.yml", "/abs.yml", "-"]
        );
        assert!(compose.is_v1());
        assert_eq!(compose.depends_on, ["db".into(), "cache".into()]);
    }

    #[test]
    fn ended_tasks_do_not_say_what_runs() {
        let labels = [(STACK, "s"), (SWARM_SERVICE, "s_api")];
        let mut ended = with("s_api.1.a", &labels);
        ended.state = ContainerState::Exited;
        let projects = sort(&[ended, with("s_api.1.b", &labels)]);
        assert_eq!(projects[0].services[0].containers, [1]);
    }
}
