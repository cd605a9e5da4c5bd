//! From a host's facts to its judged projects and services, as the screen and the JSON show them.
//!
//! This is the only place that gathers the facts for a verdict; `core::verdict` alone judges them.

mod files;
mod gather;
mod view;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use crate::core::digest::{Digest, ManifestDigest, TopDigest};
use crate::core::engine::{ContainerFacts, ImageFacts, ImageStore, Observation};
use crate::core::environment;
use crate::core::files::FilesState;
use crate::core::image::ImageRef;
use crate::core::inventory::{self, ProjectKind, Service};
use crate::core::layers::{self, Estimate, Holdings};
use crate::core::leaning;
use crate::core::names::{ProjectName, ServiceKey};
use crate::core::pinned::Pinned;
use crate::core::platform::Platform;
use crate::core::remote::{QuestionKey, Remote, RemoteImage};
use crate::core::verdict::{self, Assessment, Fetch, Verdict};

use super::builds;
use super::model::{FilesKey, HostModel, Model};

pub use gather::{Gathered, gather};
pub use view::{ContainerView, HostView, ProjectView, RegistryView, RunningView, ServiceView};

use files::Files;

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
            let mut services: Vec<ServiceView> = services
                .filter_map(|service| judge.service(&project.name, project.kind, service))
                .collect();
            // They stay for long, and a vector that grew may be half empty.
            services.shrink_to_fit();
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

/// Gathers what is to be said beside the verdict.
fn note(
    service: &Service,
    worst: &Judged<'_>,
    host: &Platform,
    rendered: Option<&Files<'_>>,
    pinned: Option<&Pinned>,
    cut_off: Option<String>,
) -> Option<String> {
    let mut note = worst.assessment.note.clone();
    if let Some(question) = worst.question.as_ref().filter(|own| own.platform != *host) {
        let own = &question.platform;
        join(
            &mut note,
            format!("judged for {own}, which it runs, and not for the host's {host}"),
        );
    }
    if let Some(asked) = rendered.and_then(|files| files.other_image(&worst.container.reference)) {
        join(&mut note, format!("the files ask for {asked}"));
    }
    let compose = service.compose.as_ref();
    if compose.is_some_and(|compose| compose.several_recipes) {
        join(
            &mut note,
            "its containers come from several folders or files".to_owned(),
        );
    }
    if let Some((pin, why)) = pinned.and_then(|pin| Some((pin, pin.undone.as_ref()?))) {
        join(
            &mut note,
            format!("the pin {} was undone: {why}", pin.words()),
        );
    }
    if let Some(words) = cut_off {
        join(&mut note, words);
    }
    note
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
        let mut pinned = gather::pinned(self.model, &key, service.compose.as_ref()).cloned();
        let members: Vec<&ContainerFacts> = service
            .containers
            .iter()
            .map(|index| &self.observation.containers[*index])
            .collect();
        let judged: Vec<Judged<'_>> = members
            .iter()
            .map(|container| {
                let builds = rendered.as_ref().and_then(Files::builds);
                self.container(container, builds, pinned.as_ref())
            })
            .collect();
        let worst = judged
            .iter()
            .max_by_key(|judged| judged.assessment.verdict)?;
        let mixed = judged
            .iter()
            .any(|other| other.assessment.verdict != worst.assessment.verdict);
        let (config, config_why) = files::config(worst.container, service, rendered.as_ref());
        let environment = environment::tell(
            &self.model.settings.environments,
            &self.host.spec,
            &key,
            service.compose.as_ref(),
        );
        let image = self.observation.images.get(&worst.container.image_id);
        if let Some(pin) = &mut pinned {
            self.pass_over(pin, worst.container);
        }
        let all = &self.observation.containers;
        let cut_off = members.iter().find_map(|own| leaning::cut_off(own, all));
        let is_cut_off = cut_off.is_some();
        let platform = &self.observation.engine.platform;
        let files = rendered.as_ref();
        let note = note(service, worst, platform, files, pinned.as_ref(), cut_off);
        let fetch = self.fetch(worst);
        let builds_behind = self.builds_behind(worst);
        let mut view = ServiceView {
            kind,
            reference: worst.container.reference.clone(),
            containers: judged.iter().map(Judged::view).collect(),
            left_overs: service.left_overs,
            cut_off: is_cut_off,
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
            // A verdict is as old as the older of its facts.
            last: worst
                .assessment
                .last
                .map(|(verdict, at)| (verdict, at.min(self.observation.at))),
            mixed,
            config,
            config_why,
            pinned: pinned.map(Box::new),
            builds_behind,
            fetch_bytes: fetch.map(|(bytes, _)| bytes),
            fetch_estimate: fetch.map(|(_, estimate)| estimate),
            observed_at: self.observation.at,
            key,
        };
        if view.verdict == Verdict::Behind
            && let Some(deployment) = builds::join::deployment(self.model, &view)
        {
            join(&mut view.note, deployment.words());
        }
        Some(view)
    }

    /// Marks a pin that the container does not run by: it was passed over when the container was made.
    fn pass_over(&self, pin: &mut Pinned, container: &ContainerFacts) {
        if pin.holds() && !gather::runs_pin(self.observation, container, pin) {
            pin.undone = Some(
                "the container runs another image: it was made without the pin's file".to_owned(),
            );
        }
    }

    /// Returns by how many builds what runs is behind, where that was counted.
    fn builds_behind(&self, judged: &Judged<'_>) -> Option<u64> {
        match judged.assessment.verdict {
            Verdict::Current => Some(0),
            Verdict::Behind | Verdict::Pulled => {
                let question = judged.question.as_ref()?;
                let place = (
                    question.route.clone(),
                    question.reference.repository.clone(),
                );
                let running = judged.container.image_id.clone();
                let top = judged.remote?.answer.as_ref()?.top.clone();
                self.model
                    .preview
                    .counted
                    .get(&(place, running, top))
                    .copied()
            }
            Verdict::Moved | Verdict::Local | Verdict::Gone | Verdict::Unknown => None,
        }
    }

    /// Returns what a pull would fetch and how sure that is.
    fn fetch(&self, judged: &Judged<'_>) -> Option<(u64, Estimate)> {
        match judged.assessment.verdict.entry().fetch {
            Fetch::Nothing => Some((0, Estimate::Exact)),
            Fetch::Image => {
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
            Fetch::Untold => None,
        }
    }

    fn container<'c>(
        &'c self,
        container: &'c ContainerFacts,
        builds_here: Option<bool>,
        pinned: Option<&Pinned>,
    ) -> Judged<'c> {
        let gathered = gather(self.model, self.host, self.observation, container, pinned);
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
            manifest: self.manifest(container, gathered.question.as_ref(), &digests),
            question: gathered.question,
            assessment,
            digests,
        }
    }

    /// Returns the manifest of what runs, where the engine tells it or it was read.
    fn manifest(
        &self,
        container: &ContainerFacts,
        question: Option<&QuestionKey>,
        digests: &[TopDigest],
    ) -> Option<ManifestDigest> {
        if container.manifest.is_some() {
            return container.manifest.clone();
        }
        let platform = &question?.platform;
        // On a graph store an image may have several digests, read for other platforms than its own.
        let graph = self.observation.engine.store == ImageStore::Graph;
        let is_it = |image: &&RemoteImage| !graph || image.config == container.image_id.as_config();
        digests
            .iter()
            .filter_map(|top| {
                let key = (top.clone(), platform.clone());
                self.model.preview.manifests.get(&key)
            })
            .find(is_it)
            .map(|image| image.manifest.clone())
    }

    fn rendered(&self, project: &ProjectName, service: &Service) -> Option<Files<'_>> {
        let compose = service.compose.as_ref()?;
        let key = FilesKey {
            host: self.host.spec.name.clone(),
            project: project.clone(),
            recipe: compose.recipe.clone(),
        };
        let files = self.model.files.get(&key)?;
        Some(match files.state.as_ref()? {
            FilesState::Rendered(rendered) => Files::Rendered {
                version: &rendered.compose_version,
                service: rendered.services.get(service.name.as_str()),
                failed: files.failed.as_deref().map(|why| (rendered.at, why)),
            },
            FilesState::Unreadable(why) => Files::Unreadable(why),
            FilesState::NoCompose(why) | FilesState::Unknown(why) => Files::Unknown(why),
        })
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
    manifest: Option<ManifestDigest>,
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
                .or_else(|| same.and(self.manifest.clone())),
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
        manifest: judged.manifest.clone(),
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
