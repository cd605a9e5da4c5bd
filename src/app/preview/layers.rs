//! What a pull of one service's tag, or of another image, would fetch on its host.

use std::collections::BTreeSet;

use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::core::digest::{ManifestDigest, TopDigest};
use crate::core::engine::Observation;
use crate::core::image::ImageRef;
use crate::core::layers::{Estimate, Holdings, Prediction, predict};
use crate::core::names::{HostName, ServiceKey};
use crate::core::pace;
use crate::core::platform::Platform;
use crate::core::remote::{RemoteImage, Route};
use crate::core::trust::Trust;

use super::{Lookup, trust};

/// The image that a pull would bring, as far as it is known.
#[derive(Debug, Clone)]
pub struct Goal<'a> {
    pub reference: ImageRef,
    pub route: Route,
    pub platform: Platform,
    pub top: Option<TopDigest>,
    pub image: Option<&'a RemoteImage>,
    /// Why it is not known.
    pub failure: Option<String>,
}

/// A download before it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct LayersView {
    pub service: ServiceKey,
    pub reference: ImageRef,
    pub platform: Platform,
    pub digest: Option<TopDigest>,
    pub manifest: Option<ManifestDigest>,
    pub state: LayersState,
    /// Services of the same host whose images stand on layers that are present.
    pub shared_with: Vec<String>,
    /// The same reference on other hosts.
    pub elsewhere: Vec<Elsewhere>,
    /// How long the host will take, by what it fetched before.
    pub fetch_seconds: Option<u64>,
    /// What stands beside the image, and beside the one that runs.
    pub trust: Option<Trust>,
    pub running_trust: Option<Trust>,
}

impl LayersView {
    /// Returns the reference for people: its digest stands beside it anyway.
    pub fn named(&self) -> ImageRef {
        match (self.reference.tag(), self.reference.digest()) {
            (Some(tag), Some(_)) => self.reference.with_tag(tag),
            _ => self.reference.clone(),
        }
    }
}

/// How far the prediction is.
#[derive(Debug, Clone, PartialEq)]
pub enum LayersState {
    Ready(Prediction),
    /// It waits for this.
    Waiting(String),
    Failed(String),
}

/// What the same reference would fetch on another host.
#[derive(Debug, Clone, PartialEq)]
pub struct Elsewhere {
    pub host: HostName,
    pub bytes: Option<u64>,
    pub estimate: Option<Estimate>,
}

/// Finds the image that a service's tag names, or the one it shall go to.
pub fn goal<'a>(
    model: &'a Model,
    service: &ServiceView,
    to: Option<&ImageRef>,
) -> Option<Goal<'a>> {
    let question = service.question.as_ref()?;
    let host = &model.hosts[model.host_index(&service.key.host)?].spec;
    let reference = to.unwrap_or(&question.reference).clone();
    let route = match to {
        Some(to) => model.route(&to.repository.registry, host),
        None => question.route.clone(),
    };
    let asked = model.remotes.get(question).filter(|_| to.is_none());
    let answer = asked.and_then(|asked| asked.remote.answer.as_ref());
    let preview = &model.preview;
    let top = match answer {
        Some(answer) => Some(answer.top.clone()),
        None => preview.top_of(&route, &reference).cloned(),
    };
    let key = top.clone().map(|top| (top, question.platform.clone()));
    let image = answer
        .and_then(|answer| answer.image.as_ref())
        .or_else(|| preview.manifests.get(key.as_ref()?));
    let lookup = key.as_ref().and_then(|key| preview.lookups.get(key));
    let not_read = match lookup {
        Some(Lookup::Failed { failure, .. }) => Some(failure.to_string()),
        _ => None,
    };
    let not_answered = || {
        let (_, failure) = asked?.remote.failure.as_ref()?;
        Some(failure.to_string())
    };
    let not_headed = || {
        let key = (route.clone(), reference.repository.clone());
        let repository = preview.repositories.get(&key)?;
        repository
            .failed
            .get(reference.manifest_key())
            .map(ToString::to_string)
    };
    let failure = match (&top, image) {
        (_, Some(_)) => None,
        (Some(_), None) => not_read,
        (None, None) => not_answered().or_else(not_headed),
    };
    Some(Goal {
        platform: question.platform.clone(),
        reference,
        route,
        top,
        image,
        failure,
    })
}

/// Predicts what a pull would fetch; absent while the host's images were not all read.
pub fn prediction(
    model: &Model,
    observation: &Observation,
    image: &RemoteImage,
) -> Option<Prediction> {
    let whole = observation.whole?;
    let holdings = Holdings::of(observation, &model.preview.manifests, whole.builds);
    Some(predict(&holdings, image))
}

/// Makes the view of a download.
pub fn view(model: &Model, key: &ServiceKey, to: Option<&ImageRef>) -> Option<LayersView> {
    let service = model.service(key)?;
    let goal = goal(model, service, to)?;
    let host = &model.hosts[model.host_index(&key.host)?];
    let state = state(model, host, &goal);
    Some(LayersView {
        service: key.clone(),
        digest: goal.top.clone(),
        manifest: goal.image.map(|image| image.manifest.clone()),
        platform: goal.platform.clone(),
        shared_with: shared_with(model, host, service, &goal),
        elsewhere: elsewhere(model, service, &goal),
        fetch_seconds: fetch_seconds(model, &key.host, &state),
        trust: trust::of_top(model, service, goal.top.as_ref()).cloned(),
        running_trust: trust::of_running(model, service).cloned(),
        reference: goal.reference,
        state,
    })
}

/// Returns how long the host will take, by what it fetched before.
fn fetch_seconds(model: &Model, host: &HostName, state: &LayersState) -> Option<u64> {
    let LayersState::Ready(prediction) = state else {
        return None;
    };
    let former = model.preview.paces.get(host)?.as_ref()?;
    pace::seconds_for(prediction.fetch_bytes, former)
}

fn state(model: &Model, host: &HostModel, goal: &Goal<'_>) -> LayersState {
    if let Some(failure) = &goal.failure {
        return LayersState::Failed(failure.clone());
    }
    let Some(image) = goal.image else {
        return LayersState::Waiting("the registry's answer".to_owned());
    };
    let ready = host
        .observation
        .as_ref()
        .and_then(|observation| prediction(model, observation, image));
    match ready {
        Some(prediction) => LayersState::Ready(prediction),
        None => match host.away() {
            Some(away) => LayersState::Failed(format!("the host's layers are not known: {away}")),
            None => LayersState::Waiting("the host's list of layers".to_owned()),
        },
    }
}

/// Names the other services of the host that stand on the image's lowest layer.
fn shared_with(
    model: &Model,
    host: &HostModel,
    service: &ServiceView,
    goal: &Goal<'_>,
) -> Vec<String> {
    let first = goal
        .image
        .and_then(|image| image.layers.first()?.diff_id.as_ref());
    let (Some(first), Some(observation)) = (first, &host.observation) else {
        return Vec::new();
    };
    let stands_on = |other: &&ServiceView| {
        let image = observation.images.get(&other.running.image_id);
        other.key != service.key && image.is_some_and(|image| image.diff_ids.first() == Some(first))
    };
    let services = model
        .services()
        .filter(|other| other.key.host == host.spec.name);
    let names: BTreeSet<String> = services
        .filter(stands_on)
        .map(|other| other.key.service.to_string())
        .collect();
    names.into_iter().collect()
}

fn elsewhere(model: &Model, service: &ServiceView, goal: &Goal<'_>) -> Vec<Elsewhere> {
    let same = |other: &&ServiceView| {
        other.key.host != service.key.host
            && other.registry.reference.as_ref() == Some(&goal.reference)
    };
    let mut list: Vec<Elsewhere> = Vec::new();
    for other in model.services().filter(same) {
        if list.iter().all(|known| known.host != other.key.host) {
            list.push(Elsewhere {
                host: other.key.host.clone(),
                bytes: other.fetch_bytes,
                estimate: other.fetch_estimate,
            });
        }
    }
    list
}
