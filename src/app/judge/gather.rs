//! The facts by which one container is judged, gathered from all over the model.

use crate::core::engine::{ContainerFacts, ImageFacts, ImageStore, Observation};
use crate::core::files::FilesState;
use crate::core::image::{BadReference, ImageRef};
use crate::core::inventory::ComposeLabels;
use crate::core::names::ServiceKey;
use crate::core::pinned::Pinned;
use crate::core::remote::{QuestionKey, Remote, Route};
use crate::core::verdict::Facts;

use crate::app::model::{FilesKey, HostModel, Link, Model};

/// The facts of one container, gathered from all over the model.
pub struct Gathered<'a> {
    container: &'a ContainerFacts,
    names_registry: bool,
    pub(super) store: ImageStore,
    pub(super) image: Option<&'a ImageFacts>,
    pub(super) tag_image: Option<&'a ImageFacts>,
    pub(super) reference: Result<ImageRef, BadReference>,
    pub question: Option<QuestionKey>,
    pub(super) remote: Option<&'a Remote>,
    pub(super) asking: bool,
    /// Whether a journal tells that the running image was pulled.
    pulled_before: bool,
}

/// Returns the pin of a service, whether it holds or not.
pub fn pinned<'a>(
    model: &'a Model,
    key: &ServiceKey,
    compose: Option<&ComposeLabels>,
) -> Option<&'a Pinned> {
    let key_of_files = FilesKey {
        host: key.host.clone(),
        project: key.project.clone(),
        recipe: compose?.recipe.clone(),
    };
    match model.files.get(&key_of_files)?.state.as_ref()? {
        FilesState::Rendered(rendered) => rendered.pins.get(key.service.as_str()),
        _ => None,
    }
}

/// Tells whether a container runs what the pin holds; in doubt it does.
pub(super) fn runs_pin(
    observation: &Observation,
    container: &ContainerFacts,
    pin: &Pinned,
) -> bool {
    if container.reference == pin.to {
        return true;
    }
    let Ok(to) = pin.to.parse::<ImageRef>() else {
        return true;
    };
    if let Some(digest) = to.digest() {
        let image = observation.images.get(&container.image_id);
        let known = image.is_some_and(|image| {
            let mut own = image.digests_in(&to.repository).peekable();
            own.peek().is_none() || own.any(|own| own == digest)
        });
        return known || container.image_id.digest() == digest.digest();
    }
    let held = observation.image_of_tag(&to);
    held.is_none_or(|image| image.id == container.image_id)
}

/// Gathers the facts by which a container is judged.
pub fn gather<'a>(
    model: &'a Model,
    host: &'a HostModel,
    observation: &'a Observation,
    container: &'a ContainerFacts,
    pinned: Option<&Pinned>,
) -> Gathered<'a> {
    // A pinned service is judged against what it followed when it was pinned.
    let follows = pinned
        .filter(|pin| pin.holds() && runs_pin(observation, container, pin))
        .and_then(|pin| pin.follows.as_deref())
        .filter(|follows| follows.parse::<ImageRef>().is_ok())
        .unwrap_or(&container.reference);
    let names_registry = ImageRef::names_a_registry(follows);
    let reference = follows.parse::<ImageRef>();
    let question = reference.as_ref().ok().map(|reference| QuestionKey {
        route: model.route(&reference.repository.registry, &host.spec),
        reference: reference.clone(),
        platform: observation.platform_of(container).clone(),
    });
    let known = question.as_ref().and_then(|key| model.remotes.get(key));
    Gathered {
        container,
        names_registry,
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
        pulled_before: model
            .history
            .knows_pull(&host.spec.name, &container.image_id),
    }
}

impl Gathered<'_> {
    /// Says why the registry cannot be asked through the host that reaches it, if so.
    pub(super) fn route_away(&self, model: &Model) -> Option<String> {
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
            names_registry: self.names_registry,
            tag_image: self.tag_image,
            remote: self.remote,
            builds_here,
            pulled_before: self.pulled_before,
            away,
        }
    }
}
