//! Where an action leads to: what the tag names, a former run, or the image that a person named.

use std::collections::BTreeMap;

use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Model};
use crate::app::preview::registry::newest_tags;
use crate::core::digest::{ImageId, TopDigest};
use crate::core::engine::Observation;
use crate::core::history;
use crate::core::image::ImageRef;
use crate::core::platform::Platform;
use crate::core::remote::{QuestionKey, RemoteImage};
use crate::core::rollout::Action;
use crate::core::rollout::make;

use super::{Actor, Asked, Order, held, tag_goal};

/// How many of the newest images are read for a revision that only a label carries; Docker Hub counts each.
const LABELS: usize = 40;
const LABELS_ON_HUB: usize = 8;

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
            (_, Some(wanted)) => self.named(service, observation, wanted).await,
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
    async fn of_tag(
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
            Some(top) => self.named(service, observation, &top.to_string()).await,
            None => Asked::Nowhere(format!(
                "the former image {} is no longer on the host, and it has no digest to fetch it by",
                former.image_id.short()
            )),
        }
    }

    /// Finds the image that a person named: on the host, else in the registry.
    async fn named(&self, service: &ServiceView, observation: &Observation, wanted: &str) -> Asked {
        let Some(question) = &service.question else {
            return Asked::Nowhere("its reference cannot be read".to_owned());
        };
        let reference = &question.reference;
        let route = &question.route;
        let looked_up = match wanted.parse::<TopDigest>() {
            Ok(top) => Ok(top),
            Err(_) => {
                self.registries
                    .top(route, &reference.with_tag(wanted))
                    .await
            }
        };
        let (repository, platform) = (&reference.repository, &question.platform);
        let failure = match looked_up {
            Ok(top) => match self
                .registries
                .image(route, repository, &top, platform)
                .await
            {
                Ok(image) => return self.nearest(observation, image),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        match make::held(observation, reference, wanted) {
            Ok(Some(image)) => {
                return Asked::HeldInstead(
                    Box::new(image.clone()),
                    format!(
                        "{wanted} is taken from the host, as the registry did not tell it: {failure}"
                    ),
                );
            }
            Ok(None) if wanted.parse::<TopDigest>().is_ok() => {
                return Asked::Nowhere(format!("{wanted} is not on the host, and {failure}"));
            }
            Ok(None) => {}
            Err(why) => return Asked::Nowhere(why),
        }
        self.of_revision(question, observation, wanted).await
    }

    /// Finds the one tag that carries a revision's beginning.
    async fn of_revision(
        &self,
        question: &QuestionKey,
        observation: &Observation,
        wanted: &str,
    ) -> Asked {
        let reference = &question.reference;
        let listing = match self
            .registries
            .tags(&question.route, &reference.repository)
            .await
        {
            Ok(listing) => listing,
            Err(failure) => {
                return Asked::Nowhere(format!("{wanted} is not on the host, and {failure}"));
            }
        };
        let names: Vec<&str> = listing.names.iter().map(String::as_str).collect();
        let families = crate::core::tag_family::families(names.iter().copied());
        let found: Vec<&str> = families
            .iter()
            .filter(|(_, family)| {
                family
                    .revision()
                    .is_some_and(|revision| wanted.len() >= 4 && revision.starts_with(wanted))
            })
            .map(|(tag, _)| *tag)
            .collect();
        match found.as_slice() {
            [] => {
                let tags: Vec<Box<str>> = names.iter().map(|tag| (*tag).into()).collect();
                self.of_label(question, observation, wanted, &tags).await
            }
            [one] => {
                let tagged = reference.with_tag(one);
                match self.of_tag(question, &tagged, &question.platform).await {
                    Ok(image) => self.nearest(observation, image),
                    Err(why) => Asked::Nowhere(why),
                }
            }
            many => Asked::Nowhere(format!(
                "{wanted} means {}; give more of it",
                many.join(", ")
            )),
        }
    }

    /// Finds the one image whose label begins with a revision that no tag carries, among the newest.
    async fn of_label(
        &self,
        question: &QuestionKey,
        observation: &Observation,
        wanted: &str,
        tags: &[Box<str>],
    ) -> Asked {
        let reference = &question.reference;
        let hexadecimal = wanted.len() >= 4 && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
        let looked_at = match (hexadecimal, reference.repository.on_docker_hub()) {
            (false, _) => 0,
            (true, true) => LABELS_ON_HUB,
            (true, false) => LABELS,
        };
        let reads = newest_tags(tags, looked_at)
            .into_iter()
            .map(|tag| async move {
                let tagged = reference.with_tag(&tag);
                let top = self.registries.top(&question.route, &tagged).await.ok()?;
                let (route, platform) = (&question.route, &question.platform);
                let image = self
                    .registries
                    .image(route, &reference.repository, &top, platform);
                image.await.ok()
            });
        let mut found: BTreeMap<TopDigest, RemoteImage> = BTreeMap::new();
        for image in futures_util::future::join_all(reads)
            .await
            .into_iter()
            .flatten()
        {
            let label = image.revision.as_deref().unwrap_or_default();
            if label.starts_with(&wanted.to_ascii_lowercase()) {
                found.insert(image.top.clone(), image);
            }
        }
        match found.len() {
            0 => Asked::Nowhere(format!(
                "neither the host nor {} has anything called {wanted}",
                reference.repository.familiar()
            )),
            1 => found.into_values().next().map_or_else(
                || Asked::Nowhere("its image is gone".to_owned()),
                |image| self.nearest(observation, image),
            ),
            many => Asked::Nowhere(format!(
                "{many} images are labelled with {wanted}; name one by its digest"
            )),
        }
    }

    /// Takes the host's own copy of an image where it has one.
    fn nearest(&self, observation: &Observation, image: RemoteImage) -> Asked {
        let by_config = ImageId(image.config.digest().clone());
        let by_top = ImageId(image.top.digest().clone());
        let own = held(observation, &by_config).or_else(|| held(observation, &by_top));
        own.map_or_else(|| Asked::Fetched(Box::new(image)), Asked::Held)
    }
}
