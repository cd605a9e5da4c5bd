//! The hosts of a scenario as they are at one moment: containers, held tags, files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::core::digest::{ImageId, ManifestDigest};
use crate::core::engine::{
    ContainerFacts, ContainerState, EngineFacts, Health, ImageFacts, ImageStore, Observation, Whole,
};
use crate::core::failure::HostFailure;
use crate::core::files::{FilesState, Recipe, Rendered, RenderedService};
use crate::core::host::{Address, HostSpec};
use crate::core::image::{ImageRef, Repository};
use crate::core::names::{ContainerId, ProjectName};

use super::catalog::Catalog;
use super::mint::{self, BuildName};
use super::scenario::{CopyEntry, HostEntry, Kind, ProjectEntry, ServiceEntry};
use super::units::Moment;

/// One host.
#[derive(Debug, Clone)]
pub struct Host {
    pub spec: HostSpec,
    pub rtt: Duration,
    pub proxy: bool,
    pub failure: Option<HostFailure>,
    pub remembered: Option<Moment>,
    engine: EngineFacts,
    compose: String,
    containers: Vec<Container>,
    /// What tags name on the host.
    tags: BTreeMap<ImageRef, BuildName>,
    files: BTreeMap<(ProjectName, Recipe), Files>,
}

/// One container, with the build that it runs.
#[derive(Debug, Clone)]
struct Container {
    /// `HOST/PROJECT/SERVICE`.
    service: String,
    reference: ImageRef,
    build: BuildName,
    /// Whether the engine lost the image's facts.
    lost: bool,
    /// How often it was made anew.
    generation: u32,
    created: Moment,
    started: Moment,
    facts: ContainerFacts,
}

#[derive(Debug, Clone, Default)]
struct Files {
    unreadable: Option<String>,
    services: BTreeMap<String, RenderedService>,
}

/// What a change of a service's life may change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn {
    pub state: Option<ContainerState>,
    pub health: Option<Health>,
    pub exit_code: Option<i64>,
    pub restarts: Option<u64>,
}

impl Host {
    /// Makes a host of a checked scenario.
    pub fn new(entry: &HostEntry, catalog: &Catalog) -> Self {
        let address = entry.address.parse().unwrap_or(Address::Local);
        let mut spec = HostSpec::new(entry.name.as_str().into(), address);
        spec.environment = entry.environment.clone();
        spec.protect = entry.protect;
        spec.read_only = entry.read_only;
        let store = entry.engine.store;
        let mut host = Self {
            spec,
            rtt: entry.rtt.0,
            proxy: entry.proxy,
            failure: entry.fails.clone(),
            remembered: entry.remembered,
            engine: EngineFacts {
                version: entry.engine.version.clone(),
                api: entry.engine.api.clone(),
                store,
                driver: match store {
                    ImageStore::Graph => "overlay2".to_owned(),
                    ImageStore::Containerd => "overlayfs".to_owned(),
                },
                platform: entry.engine.platform.clone(),
                data_root: Some("/var/lib/docker".to_owned()),
            },
            compose: entry.compose.clone(),
            containers: Vec::new(),
            tags: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for (project, entry) in &entry.projects {
            for (service, entry_of) in &entry.services {
                host.add_service(catalog, project, entry, service, entry_of);
            }
        }
        host
    }

    fn add_service(
        &mut self,
        catalog: &Catalog,
        project_name: &str,
        project: &ProjectEntry,
        name: &str,
        entry: &ServiceEntry,
    ) {
        let reference = with_digest(&entry.image, catalog);
        let Ok(parsed) = reference.parse::<ImageRef>() else {
            return;
        };
        let path = format!("{}/{project_name}/{name}", self.spec.name);
        let plain = project_name == "-";
        let recipe = recipe(project_name, project, entry);
        let hash = mint::hex(&[&"settings", &path]);
        let compose = project.compose.as_ref().unwrap_or(&self.compose).clone();
        let mut labels = entry.labels.clone();
        if !plain && project.kind == Kind::Compose {
            labels.extend(compose_labels(project_name, name, &recipe, &compose, entry));
            labels.insert(
                "com.docker.compose.config-hash".to_owned(),
                if entry.changed {
                    mint::hex(&[&"older settings", &path])
                } else {
                    hash.clone()
                },
            );
            let files = self.files.entry((project_name.into(), recipe)).or_default();
            files.unreadable = project.unreadable.clone();
            let rendered = RenderedService {
                image: Some(entry.asks.clone().unwrap_or_else(|| reference.clone())),
                builds: entry.builds,
                hash: Some(hash),
                hash_alone: None,
            };
            files.services.insert(name.to_owned(), rendered);
        }
        let one = [CopyEntry::default()];
        let copies: &[CopyEntry] = if entry.copies.is_empty() {
            &one
        } else {
            &entry.copies
        };
        for (number, copy) in (1..).zip(copies) {
            let runs = copy.runs.as_ref().or(entry.runs.as_ref());
            let build = match runs {
                Some(runs) => runs.parse().ok(),
                None => catalog.named(&parsed),
            };
            let Some(build) = build else { continue };
            let held = match entry.held.as_deref() {
                Some("-") => None,
                Some(held) => held.parse().ok(),
                None => Some(build.clone()),
            };
            if let (Some(held), None) = (held, parsed.digest()) {
                self.tags.entry(parsed.clone()).or_insert(held);
            }
            let container_name = match (plain, project.kind) {
                (true, _) => name.to_owned(),
                (false, Kind::Swarm) => format!(
                    "{project_name}_{name}.{number}.{}",
                    &mint::hex(&[&"task", &path, &number])[..25]
                ),
                (false, Kind::Compose) => {
                    let joint = if compose.starts_with("1.") { '_' } else { '-' };
                    format!("{project_name}{joint}{name}{joint}{number}")
                }
            };
            let mut labels = labels.clone();
            if !plain && project.kind == Kind::Swarm {
                labels.extend(swarm_labels(project_name, name));
            }
            let started = copy.started.or(entry.started).unwrap_or_default();
            let mut container = Container {
                service: path.clone(),
                reference: parsed.clone(),
                build,
                lost: entry.lost,
                generation: 0,
                created: started,
                started,
                facts: ContainerFacts {
                    id: ContainerId::from(""),
                    name: container_name,
                    image_id: ImageId(nothing()),
                    reference: reference.clone(),
                    manifest: None,
                    labels: labels.into_iter().collect(),
                    state: copy
                        .state
                        .or(entry.state)
                        .unwrap_or(ContainerState::Running),
                    health: copy.health.or(entry.health).unwrap_or(Health::None),
                    exit_code: copy.exit_code.or(entry.exit_code),
                    created: None,
                    started: None,
                    restarts: copy.restarts.or(entry.restarts).unwrap_or(0),
                    ports: entry.ports.clone(),
                    network_mode: entry
                        .network_mode
                        .clone()
                        .unwrap_or_else(|| format!("{project_name}_default")),
                },
            };
            container.make(&self.engine, catalog);
            for left_over in 0..if number == 1 { entry.left_overs } else { 0 } {
                self.containers.push(container.left_over(left_over));
            }
            for run in 0..if number == 1 {
                self.one_offs(project, name)
            } else {
                0
            } {
                self.containers.push(container.one_off(run));
            }
            self.containers.push(container);
        }
    }

    /// Returns how many one-off runs the project has, counted at its first service.
    fn one_offs(&self, project: &ProjectEntry, service: &str) -> usize {
        let first = project.services.keys().next();
        if first.is_some_and(|first| first == service) {
            project.one_offs
        } else {
            0
        }
    }

    /// Returns everything that the engine tells at this moment.
    pub fn observe(&self, catalog: &Catalog, at: Timestamp, started_at: Timestamp) -> Observation {
        Observation {
            at,
            engine: self.engine.clone(),
            containers: self
                .containers
                .iter()
                .map(|container| ContainerFacts {
                    created: Some(container.created.on_the_clock(started_at)),
                    started: (container.facts.state != ContainerState::Created)
                        .then(|| container.started.on_the_clock(started_at)),
                    ..container.facts.clone()
                })
                .collect(),
            images: self.images(catalog, started_at),
            whole: Some(Whole { builds: false }),
            pulled: BTreeSet::new(),
        }
    }

    /// Returns the images that the store holds: what tags name and what runs.
    fn images(&self, catalog: &Catalog, started_at: Timestamp) -> BTreeMap<ImageId, ImageFacts> {
        let mut held: BTreeMap<(&Repository, &BuildName), Vec<ImageRef>> = BTreeMap::new();
        for (reference, build) in &self.tags {
            let tags = held.entry((&reference.repository, build)).or_default();
            tags.push(reference.clone());
        }
        for container in self.containers.iter().filter(|container| !container.lost) {
            held.entry((&container.reference.repository, &container.build))
                .or_default();
        }
        held.into_iter()
            .filter_map(|((repository, build), tags)| {
                let platform = &self.engine.platform;
                let mut image = catalog.held(
                    repository,
                    build,
                    platform,
                    self.engine.store,
                    tags,
                    started_at,
                )?;
                // An image pulled by digest keeps the digest it was asked for by.
                let by_digest = self.containers.iter().filter(|container| {
                    container.build == *build && container.reference.repository == *repository
                });
                for digest in by_digest.filter_map(|container| container.reference.digest()) {
                    let entry = (repository.clone(), digest.clone());
                    if !image.digests.contains(&entry) {
                        image.digests.push(entry);
                    }
                }
                Some((image.id.clone(), image))
            })
            .collect()
    }

    /// Lets the host's compose render a project's files.
    pub fn render(&self, project: &ProjectName, recipe: &Recipe, at: Timestamp) -> FilesState {
        match self.files.get(&(project.clone(), recipe.clone())) {
            None => FilesState::Unreadable(format!("{} does not exist", recipe.working_dir)),
            Some(files) => match &files.unreadable {
                Some(why) => FilesState::Unreadable(why.clone()),
                None => FilesState::Rendered(Rendered {
                    at,
                    compose_version: self.compose.clone(),
                    pins: Default::default(),
                    services: files.services.clone(),
                }),
            },
        }
    }

    /// Returns every project with its recipe.
    pub fn recipes(&self) -> impl Iterator<Item = &(ProjectName, Recipe)> {
        self.files.keys()
    }

    /// Changes the life of a service's containers and returns them with the engine's word for it.
    pub fn turn(&mut self, service: &str, turn: Turn) -> Vec<(ContainerId, &'static str)> {
        let action = match (turn.state, turn.health) {
            (Some(ContainerState::Running), _) => "start",
            (Some(_), _) => "die",
            (None, Some(Health::Unhealthy)) => "health_status: unhealthy",
            (None, Some(Health::Healthy)) => "health_status: healthy",
            (None, _) => "update",
        };
        let mut changed = Vec::new();
        for container in &mut self.containers {
            if container.service != service || container.is_aside() {
                continue;
            }
            let facts = &mut container.facts;
            facts.state = turn.state.unwrap_or(facts.state);
            facts.health = turn.health.unwrap_or(facts.health);
            facts.restarts = turn.restarts.unwrap_or(facts.restarts);
            facts.exit_code = turn
                .exit_code
                .or(facts.exit_code)
                .filter(|_| facts.state == ContainerState::Exited);
            changed.push((facts.id.clone(), action));
        }
        changed
    }

    /// Lets the host hold what a service's tag names, and returns the reference if that changed anything.
    pub fn pull(&mut self, service: &str, catalog: &Catalog) -> Option<ImageRef> {
        let references: BTreeSet<ImageRef> = self
            .containers
            .iter()
            .filter(|container| container.service == service)
            .map(|container| container.reference.clone())
            .collect();
        let mut changed = None;
        for reference in references {
            if let Some(build) = catalog.named(&reference)
                && reference.digest().is_none()
            {
                let before = self.tags.insert(reference.clone(), build.clone());
                if before != Some(build) {
                    changed = Some(reference);
                }
            }
        }
        changed
    }

    /// Gives a build a tag on the host.
    pub fn keep(&mut self, tag: &str, build: &str) -> Option<ImageRef> {
        let reference: ImageRef = tag.parse().ok()?;
        self.tags.insert(reference.clone(), build.parse().ok()?);
        Some(reference)
    }

    /// Makes a service's containers anew from a build, else from what the host holds; returns old and new ones.
    pub fn recreate(
        &mut self,
        service: &str,
        build: Option<&BuildName>,
        at: Moment,
        catalog: &Catalog,
    ) -> Vec<(ContainerId, &'static str)> {
        let mut changed = Vec::new();
        for container in &mut self.containers {
            if container.service != service || container.is_aside() {
                continue;
            }
            let held = self.tags.get(&container.reference);
            let Some(build) = build.or(held).cloned() else {
                continue;
            };
            changed.push((container.facts.id.clone(), "destroy"));
            container.build = build.clone();
            container.generation += 1;
            container.created = at;
            container.started = at;
            container.lost = false;
            container.facts.state = ContainerState::Running;
            container.facts.exit_code = None;
            container.facts.restarts = 0;
            if container.facts.health != Health::None {
                container.facts.health = Health::Healthy;
            }
            container.make(&self.engine, catalog);
            changed.push((container.facts.id.clone(), "start"));
            if container.reference.digest().is_none() {
                self.tags.insert(container.reference.clone(), build);
            }
        }
        changed
    }
}

impl Container {
    /// Fills in what follows from build and generation.
    fn make(&mut self, engine: &EngineFacts, catalog: &Catalog) {
        let repository = &self.reference.repository;
        let words: [&dyn std::fmt::Display; 3] =
            [&self.service, &self.facts.name, &self.generation];
        self.facts.id = mint::hex(&words).into();
        let id = catalog.id(repository, &self.build, &engine.platform, engine.store);
        self.facts.image_id = id.unwrap_or_else(|| ImageId(nothing()));
        self.facts.manifest = tells_manifest(engine)
            .then(|| self.manifest(engine, catalog))
            .flatten();
    }

    fn manifest(&self, engine: &EngineFacts, catalog: &Catalog) -> Option<ManifestDigest> {
        let repository = &self.reference.repository;
        catalog
            .remote(
                repository,
                &self.build,
                &engine.platform,
                Timestamp::UNIX_EPOCH,
            )
            .map(|image| image.manifest)
    }

    /// Returns what an interrupted recreation leaves behind.
    fn left_over(&self, number: usize) -> Self {
        let mut aside = self.clone();
        aside.facts.id = mint::hex(&[&"left over", &self.facts.id, &number]).into();
        aside.facts.name = format!("{}_{}", &aside.facts.id.as_str()[..12], self.facts.name);
        aside.facts.state = ContainerState::Created;
        aside
            .facts
            .labels
            .set("com.docker.compose.replace", self.facts.id.as_str());
        aside
    }

    /// Returns a container of `compose run`.
    fn one_off(&self, number: usize) -> Self {
        let mut aside = self.clone();
        aside.facts.id = mint::hex(&[&"one-off", &self.facts.id, &number]).into();
        aside.facts.name = format!("{}-run-{}", self.facts.name, &aside.facts.id.as_str()[..12]);
        aside.facts.state = ContainerState::Exited;
        aside.facts.exit_code = Some(0);
        aside.facts.health = Health::None;
        aside.facts.labels.set("com.docker.compose.oneoff", "True");
        aside
    }

    /// Tells whether it is none of the service's own containers.
    fn is_aside(&self) -> bool {
        let label = |name: &str| self.facts.labels.get(name);
        label("com.docker.compose.oneoff") == Some("True")
            || label("com.docker.compose.replace").is_some()
    }
}

/// Tells whether the engine says which platform manifest a container runs.
fn tells_manifest(engine: &EngineFacts) -> bool {
    let minor = engine.api.split_once('.').map(|(_, minor)| minor.parse());
    engine.store == ImageStore::Containerd && matches!(minor, Some(Ok(48u32..)))
}

/// Puts a build's digest in the place of `{build}`.
fn with_digest(image: &str, catalog: &Catalog) -> String {
    let digest = image.split_once("@{").and_then(|(before, after)| {
        let reference: ImageRef = before.parse().ok()?;
        let build = after.strip_suffix('}')?.parse().ok()?;
        let top = catalog.top(&reference.repository, &build)?;
        Some(format!("{before}@{top}"))
    });
    digest.unwrap_or_else(|| image.to_owned())
}

fn recipe(name: &str, project: &ProjectEntry, service: &ServiceEntry) -> Recipe {
    let working_dir = project
        .dir
        .clone()
        .unwrap_or_else(|| format!("/opt/homelab/{name}"));
    let own = [&service.files, &project.files];
    let files = own.into_iter().find(|files| !files.is_empty());
    let usual = vec!["docker-compose.yml".to_owned()];
    Recipe {
        config_files: files
            .unwrap_or(&usual)
            .iter()
            .map(|file| format!("{working_dir}/{file}"))
            .collect(),
        environment_files: project.env_file.iter().cloned().collect(),
        working_dir,
    }
}

fn compose_labels(
    project: &str,
    name: &str,
    recipe: &Recipe,
    version: &str,
    entry: &ServiceEntry,
) -> Vec<(String, String)> {
    let depends_on: Vec<String> = entry
        .depends_on
        .iter()
        .map(|name| format!("{name}:service_started:false"))
        .collect();
    let mut labels = vec![
        ("project", project.to_owned()),
        ("service", name.to_owned()),
        ("oneoff", "False".to_owned()),
        ("version", version.to_owned()),
        ("project.working_dir", recipe.working_dir.clone()),
        ("project.config_files", recipe.config_files.join(",")),
        ("depends_on", depends_on.join(",")),
    ];
    if !recipe.environment_files.is_empty() {
        labels.push((
            "project.environment_file",
            recipe.environment_files.join(","),
        ));
    }
    labels
        .into_iter()
        .map(|(label, value)| (format!("com.docker.compose.{label}"), value))
        .collect()
}

fn swarm_labels(stack: &str, name: &str) -> [(String, String); 2] {
    [
        ("com.docker.stack.namespace".to_owned(), stack.to_owned()),
        (
            "com.docker.swarm.service.name".to_owned(),
            format!("{stack}_{name}"),
        ),
    ]
}

/// Returns the digest of an image that no store knows.
fn nothing() -> crate::core::digest::Digest {
    let platform = crate::core::platform::Platform::new("linux", "none", None);
    mint::layer("nothing", 0, &platform).0.digest().clone()
}
