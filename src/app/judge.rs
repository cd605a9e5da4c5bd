//! From a host's facts to its judged projects and services, as the screen and the JSON show them.
//!
//! This is the only place that gathers the facts for a verdict; `core::verdict` alone judges them.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::digest::{Digest, ImageId, ManifestDigest, TopDigest};
use crate::core::engine::{
    ContainerFacts, ContainerState, Health, ImageFacts, ImageStore, Observation,
};
use crate::core::environment::{self, EnvironmentFrom};
use crate::core::files::{ConfigState, FilesState, RenderedService, same_release};
use crate::core::image::{BadReference, ImageRef};
use crate::core::inventory::{self, ComposeLabels, ProjectKind, Service};
use crate::core::layers::{self, Estimate, Holdings};
use crate::core::names::{ContainerId, HostName, ProjectName, ServiceKey};
use crate::core::remote::{QuestionKey, Remote, RemoteImage, Route};
use crate::core::verdict::{self, Assessment, Facts, Verdict};

use super::model::{FilesKey, HostModel, Link, Model};

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
    /// Tells whether a container of it fails its health check, loops, or ended with an error.
    pub fn is_unhealthy(&self) -> bool {
        self.containers.iter().any(|container| {
            container.health == Health::Unhealthy
                || container.state == ContainerState::Restarting
                || container.state == ContainerState::Dead
                || (container.state == ContainerState::Exited
                    && container.exit_code.is_some_and(|code| code != 0))
        })
    }

    /// Says in words how its containers live: `healthy`, `running`, `2 of 3 running`, `exited (1)`.
    pub fn life(&self) -> String {
        let Some(first) = self.containers.first() else {
            return "no container".to_owned();
        };
        let running = |container: &&ContainerView| container.state == ContainerState::Running;
        let up = self.containers.iter().filter(running).count();
        if let Some(sick) = self
            .containers
            .iter()
            .find(|c| c.health == Health::Unhealthy)
        {
            return sick.health.word().unwrap_or_default().to_owned();
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

/// Judges all that is known of one host.
pub fn judge_host(model: &Model, host: &HostModel) -> HostView {
    let name = host.spec.name.clone();
    let Some(observation) = &host.observation else {
        return HostView::empty(name);
    };
    let judge = Judge {
        model,
        host,
        observation,
        away: host.away(),
        holdings: OnceCell::new(),
        blobs: RefCell::default(),
    };
    let mut of_host = BTreeMap::new();
    let projects = inventory::sort(&observation.containers)
        .into_iter()
        .map(|project| {
            let services = project.services.iter();
            let services = services
                .filter_map(|service| judge.service(&project.name, project.kind, service))
                .collect();
            let blobs = judge.blobs.take();
            let fetch_bytes = sum(&blobs);
            of_host.extend(blobs);
            ProjectView {
                services,
                fetch_bytes,
                name: project.name,
                kind: project.kind,
                one_offs: project.one_offs,
            }
        })
        .collect();
    HostView {
        name,
        projects,
        fetch_bytes: sum(&of_host),
    }
}

/// The facts that are the same for all services of a host.
struct Judge<'a> {
    model: &'a Model,
    host: &'a HostModel,
    observation: &'a Observation,
    away: Option<String>,
    /// What the host holds, gathered once where a download waits.
    holdings: OnceCell<Holdings>,
    /// What the pulls that wait in the project would fetch; images share layers.
    blobs: RefCell<Blobs>,
}

/// Blobs with their sizes.
type Blobs = BTreeMap<Digest, u64>;

fn sum(blobs: &Blobs) -> Option<u64> {
    let all = blobs
        .values()
        .fold(0, |sum: u64, size| sum.saturating_add(*size));
    (!blobs.is_empty()).then_some(all)
}

impl Judge<'_> {
    fn service(
        &self,
        project: &ProjectName,
        kind: ProjectKind,
        service: &Service,
    ) -> Option<ServiceView> {
        let key = ServiceKey {
            host: self.host.spec.name.clone(),
            project: project.clone(),
            service: service.name.clone(),
        };
        let rendered = self.rendered(project, service);
        let members: Vec<&ContainerFacts> = service
            .containers
            .iter()
            .map(|index| &self.observation.containers[*index])
            .collect();
        let judged: Vec<Judged<'_>> = members
            .iter()
            .map(|container| self.container(container, rendered.as_ref().and_then(Files::builds)))
            .collect();
        let worst = judged
            .iter()
            .max_by_key(|judged| judged.assessment.verdict)?;
        let mixed = judged
            .iter()
            .any(|other| other.assessment.verdict != worst.assessment.verdict);
        let (config, config_why) = self.config(worst.container, service, rendered.as_ref());
        let environment = environment::tell(
            &self.model.settings.environments,
            &self.host.spec,
            &key,
            service.compose.as_ref(),
        );
        let image = self.observation.images.get(&worst.container.image_id);
        let mut note = worst.assessment.note.clone();
        let asked = rendered
            .as_ref()
            .and_then(|files| files.other_image(&worst.container.reference));
        if let Some(asked) = asked {
            join(&mut note, format!("the files ask for {asked}"));
        }
        if service
            .compose
            .as_ref()
            .is_some_and(|compose| compose.several_recipes)
        {
            join(
                &mut note,
                "its containers come from several folders or files".to_owned(),
            );
        }
        let fetch = self.fetch(worst);
        Some(ServiceView {
            kind,
            reference: worst.container.reference.clone(),
            containers: judged.iter().map(Judged::view).collect(),
            left_overs: service.left_overs,
            compose: service.compose.clone(),
            environment: environment.name,
            environment_from: environment.from,
            protect: environment.protect,
            running: running_view(worst, image),
            registry: worst.registry_view(image),
            question: worst.question.clone(),
            verdict: worst.assessment.verdict,
            why: worst.assessment.why.clone(),
            note,
            last: worst.assessment.last,
            mixed,
            config,
            config_why,
            builds_behind: None,
            fetch_bytes: fetch.map(|(bytes, _)| bytes),
            fetch_estimate: fetch.map(|(_, estimate)| estimate),
            observed_at: self.observation.at,
            key,
        })
    }

    /// Returns what a pull would fetch and how sure that is.
    fn fetch(&self, judged: &Judged<'_>) -> Option<(u64, Estimate)> {
        match judged.assessment.verdict {
            Verdict::Current | Verdict::Pulled => Some((0, Estimate::Exact)),
            Verdict::Behind | Verdict::Moved => {
                let image = judged.remote?.answer.as_ref()?.image.as_ref()?;
                let whole = self.observation.whole?;
                let holdings = self.holdings.get_or_init(|| {
                    Holdings::of(
                        self.observation,
                        &self.model.preview.manifests,
                        whole.builds,
                    )
                });
                let prediction = layers::predict(holdings, image);
                let sizes = prediction.sizes();
                self.blobs
                    .borrow_mut()
                    .extend(sizes.map(|(blob, size)| (blob.clone(), size)));
                Some((prediction.fetch_bytes, prediction.estimate))
            }
            Verdict::Local | Verdict::Gone | Verdict::Unknown => None,
        }
    }

    fn container<'c>(
        &'c self,
        container: &'c ContainerFacts,
        builds_here: Option<bool>,
    ) -> Judged<'c> {
        let gathered = gather(self.model, self.host, self.observation, container);
        let route_away = gathered.route_away(self.model);
        let away = self.away.as_deref().or(route_away.as_deref());
        let facts = gathered.facts(away, builds_here);
        let assessment = verdict::assess(&facts);
        let digests = gathered.reference.as_ref().map_or_else(
            |_| Vec::new(),
            |reference| match self.observation.engine.store {
                ImageStore::Graph => facts
                    .image
                    .map(|image| image.digests_in(&reference.repository).cloned().collect())
                    .unwrap_or_default(),
                ImageStore::Containerd => verdict::running_tops(&facts, reference),
            },
        );
        Judged {
            container,
            asking: gathered.asking,
            remote: gathered.remote,
            reference: gathered.reference.ok(),
            question: gathered.question,
            assessment,
            digests,
        }
    }

    fn rendered(&self, project: &ProjectName, service: &Service) -> Option<Files<'_>> {
        let compose = service.compose.as_ref()?;
        let key = FilesKey {
            host: self.host.spec.name.clone(),
            project: project.clone(),
            recipe: compose.recipe.clone(),
        };
        let state = self.model.files.get(&key)?.state.as_ref()?;
        Some(match state {
            FilesState::Rendered(rendered) => Files::Rendered {
                version: &rendered.compose_version,
                service: rendered.services.get(service.name.as_str()),
            },
            FilesState::Unreadable(why) => Files::Unreadable(why),
            FilesState::NoCompose(why) | FilesState::Unknown(why) => Files::Unknown(why),
        })
    }

    fn config(
        &self,
        container: &ContainerFacts,
        service: &Service,
        files: Option<&Files<'_>>,
    ) -> (ConfigState, Option<String>) {
        let Some(compose) = &service.compose else {
            return (ConfigState::Unknown, Some("no compose project".to_owned()));
        };
        match files {
            None => (
                ConfigState::Unknown,
                Some("the files have not been read yet".to_owned()),
            ),
            Some(Files::Unreadable(why)) => (ConfigState::Unreadable, Some((*why).to_owned())),
            Some(Files::Unknown(why)) => (ConfigState::Unknown, Some((*why).to_owned())),
            Some(Files::Rendered { service: None, .. }) => (
                ConfigState::Changed,
                Some("the files no longer have this service".to_owned()),
            ),
            Some(
                files @ Files::Rendered {
                    version,
                    service: Some(rendered),
                },
            ) => {
                if let Some(asked) = files.other_image(&container.reference) {
                    return (
                        ConfigState::Changed,
                        Some(format!("the files ask for {asked}")),
                    );
                }
                match (&rendered.hash, &compose.config_hash) {
                    (Some(now), Some(then)) if now == then => (ConfigState::Same, None),
                    (Some(_), Some(_)) if same_release(version, &compose.version) => (
                        ConfigState::Changed,
                        Some(
                            "the files render to other settings than the container has".to_owned(),
                        ),
                    ),
                    (Some(_), Some(_)) => (
                        ConfigState::Unknown,
                        Some(format!(
                            "started by compose {}, the host has {version}: their hashes cannot be compared",
                            compose.version
                        )),
                    ),
                    _ => (
                        ConfigState::Unknown,
                        Some("there is no hash to compare".to_owned()),
                    ),
                }
            }
        }
    }
}

/// What the files say of one service.
enum Files<'a> {
    Rendered {
        version: &'a str,
        service: Option<&'a RenderedService>,
    },
    Unreadable(&'a str),
    Unknown(&'a str),
}

impl Files<'_> {
    fn builds(&self) -> Option<bool> {
        match self {
            Self::Rendered { service, .. } => service.map(|service| service.builds),
            Self::Unreadable(_) | Self::Unknown(_) => None,
        }
    }

    /// Returns the image that the files ask for, if it is another than the container's reference.
    fn other_image(&self, reference: &str) -> Option<&str> {
        let Self::Rendered {
            service: Some(service),
            ..
        } = self
        else {
            return None;
        };
        let asked = service.image.as_deref()?;
        let same = match (asked.parse::<ImageRef>(), reference.parse::<ImageRef>()) {
            (Ok(asked), Ok(running)) => asked == running,
            _ => asked == reference,
        };
        (!same).then_some(asked)
    }
}

/// The facts of one container, gathered from all over the model.
pub struct Gathered<'a> {
    container: &'a ContainerFacts,
    store: ImageStore,
    image: Option<&'a ImageFacts>,
    tag_image: Option<&'a ImageFacts>,
    reference: Result<ImageRef, BadReference>,
    pub question: Option<QuestionKey>,
    remote: Option<&'a Remote>,
    asking: bool,
}

/// Gathers the facts by which a container is judged.
pub fn gather<'a>(
    model: &'a Model,
    host: &'a HostModel,
    observation: &'a Observation,
    container: &'a ContainerFacts,
) -> Gathered<'a> {
    let reference = container.reference.parse::<ImageRef>();
    let question = reference.as_ref().ok().map(|reference| QuestionKey {
        route: model.route(&reference.repository.registry, &host.spec),
        reference: reference.clone(),
        platform: observation.engine.platform.clone(),
    });
    let known = question.as_ref().and_then(|key| model.remotes.get(key));
    Gathered {
        container,
        store: observation.engine.store,
        image: observation.images.get(&container.image_id),
        tag_image: reference
            .as_ref()
            .ok()
            .and_then(|reference| observation.image_of_tag(reference)),
        reference,
        question,
        remote: known
            .map(|known| &known.remote)
            .filter(|remote| remote.answer.is_some() || remote.failure.is_some()),
        asking: known.is_some_and(|known| known.in_flight),
    }
}

impl Gathered<'_> {
    /// Says why the registry cannot be asked through the host that reaches it, if so.
    fn route_away(&self, model: &Model) -> Option<String> {
        let Route::Via(via) = &self.question.as_ref()?.route else {
            return None;
        };
        let Some(index) = model.host_index(via) else {
            return Some(format!(
                "the registry is asked through {via}, which is not configured"
            ));
        };
        let host = &model.hosts[index];
        (host.link != Link::Up).then(|| {
            let why = host.failure().map_or_else(
                || "is not connected yet".to_owned(),
                |failure| format!("is {}: {failure}", host.state().word()),
            );
            format!("the registry is asked through {via}, which {why}")
        })
    }

    /// Returns the facts in the shape that is judged.
    pub fn facts<'b>(&'b self, away: Option<&'b str>, builds_here: Option<bool>) -> Facts<'b> {
        Facts {
            container: self.container,
            store: self.store,
            image: self.image,
            reference: self.reference.as_ref(),
            names_registry: ImageRef::names_a_registry(&self.container.reference),
            tag_image: self.tag_image,
            remote: self.remote,
            builds_here,
            pulled_before: false,
            away,
        }
    }
}

struct Judged<'a> {
    container: &'a ContainerFacts,
    reference: Option<ImageRef>,
    question: Option<QuestionKey>,
    remote: Option<&'a Remote>,
    asking: bool,
    assessment: Assessment,
    digests: Vec<TopDigest>,
}

impl Judged<'_> {
    fn view(&self) -> ContainerView {
        let container = self.container;
        ContainerView {
            id: container.id.clone(),
            name: container.name.clone(),
            state: container.state,
            health: container.health,
            exit_code: container.exit_code,
            image_id: container.image_id.clone(),
            started: container.started,
            restarts: container.restarts,
            ports: container.ports.clone(),
            verdict: self.assessment.verdict,
        }
    }

    fn registry_view(&self, running: Option<&ImageFacts>) -> RegistryView {
        let answer = self.remote.and_then(|remote| remote.answer.as_ref());
        let failure = self.remote.and_then(|remote| remote.failure.as_ref());
        let image: Option<&RemoteImage> = answer.and_then(|answer| answer.image.as_ref());
        // Where the tag names what runs, its manifest was not read: the engine knows the same facts.
        let named = answer.is_some_and(|answer| self.digests.contains(&answer.top));
        let same = running.filter(|_| image.is_none() && named);
        RegistryView {
            reference: self.reference.clone(),
            digest: answer.map(|answer| answer.top.clone()),
            manifest: image
                .map(|image| image.manifest.clone())
                .or_else(|| same.and(self.container.manifest.clone())),
            created: image
                .and_then(|image| image.created)
                .or_else(|| same?.created),
            revision: image
                .and_then(|image| image.revision.clone())
                .or_else(|| same?.revision.clone()),
            version: image
                .and_then(|image| image.version.clone())
                .or_else(|| same?.version.clone()),
            source: image
                .and_then(|image| image.source.clone())
                .or_else(|| same?.source.clone()),
            checked_at: answer.map(|answer| answer.at),
            error: failure.map(|(_, failure)| failure.to_string()),
            asking: self.asking,
        }
    }
}

fn running_view(judged: &Judged<'_>, image: Option<&ImageFacts>) -> RunningView {
    RunningView {
        image_id: judged.container.image_id.clone(),
        digests: judged.digests.clone(),
        manifest: judged.container.manifest.clone(),
        tags: image.map(|image| image.tags.clone()).unwrap_or_default(),
        created: image.and_then(|image| image.created),
        revision: image.and_then(|image| image.revision.clone()),
        version: image.and_then(|image| image.version.clone()),
        source: image.and_then(|image| image.source.clone()),
        size: image.and_then(|image| image.size),
    }
}

fn join(note: &mut Option<String>, more: String) {
    match note {
        Some(text) => {
            text.push_str("; ");
            text.push_str(&more);
        }
        None => *note = Some(more),
    }
}
