//! Where an action leads to: what the tag names, a former run, or the image that a person named.

use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::core::engine::Observation;
use crate::core::history;
use crate::core::image::ImageRef;
use crate::core::platform::Platform;
use crate::core::remote::{QuestionKey, RemoteImage};
use crate::core::rollout::Action;

use super::{Actor, Asked, Order, held, tag_goal};

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
                self.asked_for(service, observation, follows).await
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
    async fn asked_for(
        &self,
        service: &ServiceView,
        observation: &Observation,
        follows: &str,
    ) -> Asked {
        let (Some(question), Ok(reference)) = (&service.question, follows.parse::<ImageRef>())
        else {
            return Asked::Nowhere(format!("the files ask for {follows}, which cannot be read"));
        };
        match self
            .of_tag(question, &reference, &observation.engine.platform)
            .await
        {
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
