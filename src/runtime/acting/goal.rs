//! Where an action leads to: what the tag names, a former run, or the image that a person named.

use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::core::digest::ImageId;
use crate::core::engine::{ImageFacts, Observation};
use crate::core::history;
use crate::core::image::ImageRef;
use crate::core::platform::Platform;
use crate::core::remote::{QuestionKey, RemoteImage};
use crate::core::rollout::Action;
use crate::core::rollout::make::Goal;
use crate::core::verdict::Verdict;

use super::{Actor, Order};

/// A goal with what it borrows from.
pub(super) enum Asked {
    Tag(Option<Box<RemoteImage>>),
    Held(Box<ImageFacts>),
    /// The host's own image, as the registry could not be asked for what it has; with the reason.
    HeldInstead(Box<ImageFacts>, String),
    Fetched(Box<RemoteImage>),
    Nowhere(String),
    /// The text names several; with their names.
    Ambiguous(String),
}

impl Asked {
    /// Returns the image whose download is not foretold yet.
    pub(super) fn unforetold(&self, service: &ServiceView) -> Option<&RemoteImage> {
        match self {
            Self::Fetched(image) => Some(image),
            Self::Tag(Some(image)) if service.fetch_bytes.is_none() => Some(image),
            Self::Tag(_)
            | Self::Held(_)
            | Self::HeldInstead(..)
            | Self::Nowhere(_)
            | Self::Ambiguous(_) => None,
        }
    }

    pub(super) fn as_goal(&self) -> Goal<'_> {
        match self {
            Self::Tag(image) => Goal::Tag(image.as_deref()),
            Self::Held(image) | Self::HeldInstead(image, _) => Goal::Held(image),
            Self::Fetched(image) => Goal::Fetched(image),
            Self::Nowhere(why) | Self::Ambiguous(why) => Goal::Nowhere(why.clone()),
        }
    }
}

impl Actor {
    /// Finds out where an action leads to.
    pub(super) async fn goal(
        &self,
        model: &Model,
        service: &ServiceView,
        host: &HostModel,
        action: Action,
        order: &Order,
        follows: &str,
    ) -> Asked {
        let Some(observation) = &host.observation else {
            return Asked::Nowhere("the host was not observed".to_owned());
        };
        let running = &service.running.image_id;
        match (action, order.to.as_deref()) {
            (Action::Recreate | Action::Unpin, _) => Asked::Tag(None),
            (Action::Pull | Action::Update, _) if follows != service.reference => {
                self.asked_for(service, follows).await
            }
            (Action::Pull | Action::Update, _) => match tag_goal(model, service) {
                Ok(image) => Asked::Tag(image),
                Err(why) => Asked::Nowhere(why),
            },
            (Action::Pin | Action::Keep, None) => held(observation, running).map_or_else(
                || Asked::Nowhere("the engine has lost the running image".to_owned()),
                Asked::Held,
            ),
            (Action::Rollback, None | Some("previous"))
            | (Action::Pin | Action::Keep, Some("previous")) => {
                self.previous(service, host, observation).await
            }
            (_, Some(wanted)) => self.named(service, host, observation, wanted).await,
        }
    }

    /// Asks what the files' image is, where it is another than the container's.
    async fn asked_for(&self, service: &ServiceView, follows: &str) -> Asked {
        let (Some(question), Ok(reference)) = (&service.question, follows.parse::<ImageRef>())
        else {
            return Asked::Nowhere(format!("the files ask for {follows}, which cannot be read"));
        };
        match self.of_tag(question, &reference, &question.platform).await {
            Ok(image) => Asked::Tag(Some(Box::new(image))),
            Err(why) => Asked::Nowhere(why),
        }
    }

    /// Asks the registry for the image that a tag names.
    pub(super) async fn of_tag(
        &self,
        question: &QuestionKey,
        tagged: &ImageRef,
        platform: &Platform,
    ) -> Result<RemoteImage, String> {
        let (route, repository) = (&question.route, &tagged.repository);
        let top = self.registries.top(route, tagged).await;
        let top = top.map_err(|failure| failure.to_string())?;
        let image = self
            .registries
            .image(route, repository, &top, platform)
            .await;
        image.map_err(|failure| failure.to_string())
    }

    /// Finds the last other image that the service ran and that was not put back.
    async fn previous(
        &self,
        service: &ServiceView,
        host: &HostModel,
        observation: &Observation,
    ) -> Asked {
        let entries = match self.history(&host.spec.name).await {
            Ok(entries) => entries,
            Err(error) => {
                return Asked::Nowhere(format!("the host's journal cannot be read: {error}"));
            }
        };
        let runs = history::former_runs(&entries, &service.key.to_string());
        let Some(former) = history::previous(&runs, &service.running.image_id) else {
            return Asked::Nowhere(
                "no former run of it is on record; name one with --to (a tag, a digest or a revision)".to_owned(),
            );
        };
        if let Some(image) = held(observation, &former.image_id) {
            return Asked::Held(image);
        }
        match &former.top {
            Some(top) => {
                let wanted = top.to_string();
                self.named(service, host, observation, &wanted).await
            }
            None => Asked::Nowhere(format!(
                "the former image {} is no longer on the host, and it has no digest to fetch it by",
                former.image_id.short()
            )),
        }
    }
}

/// Returns the host's own image of an Id.
pub(super) fn held(observation: &Observation, id: &ImageId) -> Option<Box<ImageFacts>> {
    observation.images.get(id).cloned().map(Box::new)
}

/// Says what the tag names now, or why that is not known; nothing where it names what runs.
fn tag_goal(model: &Model, service: &ServiceView) -> Result<Option<Box<RemoteImage>>, String> {
    let known = service
        .question
        .as_ref()
        .and_then(|key| model.remotes.get(key))
        .ok_or("the registry was not asked")?;
    if let Some((_, failure)) = &known.remote.failure {
        return Err(format!("what the tag names now is not known: {failure}"));
    }
    match &known.remote.answer {
        // An engine that asks for us tells the digest alone, also of another image than the running one.
        Some(answer)
            if answer.image.is_none()
                && service.verdict != Verdict::Current
                && !service.running.digests.contains(&answer.top) =>
        {
            Err(format!(
                "the tag names {}, whose manifest could not be read from here",
                answer.top.short()
            ))
        }
        Some(answer) => Ok(answer.image.clone().map(Box::new)),
        None => Err("the registry has not answered".to_owned()),
    }
}
