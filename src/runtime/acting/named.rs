//! The one image that a person's text names: a tag, a digest, the beginning of a git revision.

use std::collections::BTreeMap;

use crate::app::judge::ServiceView;
use crate::app::model::HostModel;
use crate::app::preview::registry::newest_tags;
use crate::core::digest::{ImageId, TopDigest};
use crate::core::engine::{ImageFacts, Observation};
use crate::core::failure::RegistryFailure;
use crate::core::former_run::FormerRun;
use crate::core::history;
use crate::core::remote::{QuestionKey, RemoteImage};
use crate::core::rollout::make;
use crate::core::tag_family::{Found, families, find_revision, split_revision, tags_of_day};

use super::Actor;
use super::goal::{Asked, held};

/// How many of the newest images are read for a revision that only a label carries; Docker Hub counts each.
const LABELS: usize = 40;
const LABELS_ON_HUB: usize = 8;

/// How many tags of one revision are looked into.
const SAME_REVISION: usize = 8;

/// What carries a revision.
#[derive(Debug, Clone, Copy)]
enum Carrier<'a> {
    Image(&'a ImageFacts),
    Tag(&'a str),
}

impl Actor {
    /// Finds the image that a person named: on the host, else in the registry.
    pub(super) async fn named(
        &self,
        service: &ServiceView,
        host: &HostModel,
        observation: &Observation,
        wanted: &str,
    ) -> Asked {
        let Some(question) = &service.question else {
            return Asked::Nowhere("its reference cannot be read".to_owned());
        };
        let reference = &question.reference;
        let route = &question.route;
        let stated = wanted.parse::<TopDigest>().ok();
        let looked_up = match &stated {
            Some(top) => Ok(top.clone()),
            None => {
                let tagged = reference.with_tag(wanted);
                self.registries.top(route, &tagged).await
            }
        };
        let (repository, platform) = (&reference.repository, &question.platform);
        let failure = match looked_up {
            Ok(top) => {
                let image = self
                    .registries
                    .image(route, repository, &top, platform)
                    .await;
                match image {
                    Ok(image) => return self.nearest(observation, image),
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        };
        match make::held(observation, reference, wanted) {
            Ok(Some(image)) => return instead(image, wanted, &failure),
            Ok(None) => {}
            Err(why) => return Asked::Ambiguous(why),
        }
        if let Some(top) = &stated {
            let ran = self.ran(service, host, top).await;
            return elsewhere(observation, question, ran).unwrap_or_else(|| {
                Asked::Nowhere(format!("{wanted} is not on the host, and {failure}"))
            });
        }
        self.of_revision(question, observation, wanted).await
    }

    /// Finds the former run of a digest, which may have been under another registry's name.
    async fn ran(
        &self,
        service: &ServiceView,
        host: &HostModel,
        top: &TopDigest,
    ) -> Option<FormerRun> {
        let entries = self.history(&host.spec.name).await.ok()?;
        let runs = history::former_runs(&entries, &service.key.to_string());
        runs.into_iter().find(|run| run.top.as_ref() == Some(top))
    }

    /// Finds the one image whose tag or label tells a revision that begins so.
    async fn of_revision(
        &self,
        question: &QuestionKey,
        observation: &Observation,
        wanted: &str,
    ) -> Asked {
        let reference = &question.reference;
        let (route, repository) = (&question.route, &reference.repository);
        let listing = self.registries.tags(route, repository).await;
        let (names, failure) = match listing {
            Ok(listing) => (listing.names, None),
            // What the host holds is still to be had.
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let told = families(names.iter().map(String::as_str).chain([wanted]));
        match tags_of_day(wanted, &told).as_slice() {
            [] => {}
            [one] => return self.tag(question, observation, one).await,
            several => return ambiguous(wanted, several),
        }
        let (word, begin) = split_revision(wanted, &told);
        let of_tags = told
            .iter()
            .filter(|(tag, _)| tag.starts_with(word) && **tag != wanted)
            .filter_map(|(tag, family)| Some((Carrier::Tag(tag), family.revision()?)));
        let of_images = make::of_repository(observation, reference)
            .filter(|_| word.is_empty())
            .filter_map(|image| Some((Carrier::Image(image), image.revision.as_deref()?)));
        let found = find_revision(begin, of_images.chain(of_tags));
        match found {
            Found::One { revision, items } => match (items.as_slice(), &failure) {
                ([Carrier::Image(image)], Some(failure)) => instead(image, wanted, failure),
                _ => self.one_of(question, observation, &revision, &items).await,
            },
            Found::Several(revisions) => {
                let list: Vec<&str> = revisions.iter().map(|own| &**own).collect();
                ambiguous(wanted, &list)
            }
            Found::Nothing => match failure {
                Some(failure) => {
                    Asked::Nowhere(format!("{wanted} is not on the host, and {failure}"))
                }
                None => {
                    let tags: Vec<Box<str>> = names.iter().map(|tag| tag.as_str().into()).collect();
                    self.of_label(question, observation, wanted, &tags).await
                }
            },
        }
    }

    /// Finds the one image behind all that carries one revision: it may have been built several times.
    async fn one_of(
        &self,
        question: &QuestionKey,
        observation: &Observation,
        revision: &str,
        carriers: &[Carrier<'_>],
    ) -> Asked {
        let mut found: BTreeMap<String, Asked> = BTreeMap::new();
        for carrier in carriers.iter().take(SAME_REVISION) {
            match carrier {
                Carrier::Image(image) => {
                    found.insert(
                        image.id.to_string(),
                        Asked::Held(Box::new((*image).clone())),
                    );
                }
                Carrier::Tag(tag) => match self.tag(question, observation, tag).await {
                    Asked::Held(image) => {
                        found.insert(image.id.to_string(), Asked::Held(image));
                    }
                    Asked::Fetched(image) => {
                        found.insert(image.top.to_string(), Asked::Fetched(image));
                    }
                    // With the registry away the host's own image is as good.
                    other => {
                        if carriers.len() == 1 {
                            return other;
                        }
                    }
                },
            }
        }
        if found.len() > 1 {
            let names: Vec<&str> = found.keys().map(String::as_str).collect();
            return Asked::Ambiguous(format!(
                "{revision} was built several times: {}; name one by its digest",
                names.join(", ")
            ));
        }
        let only = found.into_values().next();
        only.unwrap_or_else(|| Asked::Nowhere(format!("no image of {revision} could be read")))
    }

    async fn tag(&self, question: &QuestionKey, observation: &Observation, tag: &str) -> Asked {
        let tagged = question.reference.with_tag(tag);
        match self.of_tag(question, &tagged, &question.platform).await {
            Ok(image) => self.nearest(observation, image),
            Err(why) => Asked::Nowhere(why),
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
                let image = self.of_tag(question, &tagged, &question.platform);
                image.await.ok()
            });
        let mut found: BTreeMap<TopDigest, RemoteImage> = BTreeMap::new();
        for image in futures_util::future::join_all(reads)
            .await
            .into_iter()
            .flatten()
        {
            found.insert(image.top.clone(), image);
        }
        let labels = found
            .values()
            .filter_map(|image| Some((image, image.revision.as_deref()?)));
        match find_revision(wanted, labels) {
            Found::Nothing => Asked::Nowhere(format!(
                "neither the host nor {} has anything called {wanted}",
                reference.repository.familiar()
            )),
            Found::One { revision, items } => match items.as_slice() {
                [image] => self.nearest(observation, (*image).clone()),
                several => Asked::Ambiguous(format!(
                    "{revision} was built several times: {}; name one by its digest",
                    list(several.iter().map(|image| image.top.to_string()))
                )),
            },
            Found::Several(revisions) => {
                let list: Vec<&str> = revisions.iter().map(|own| &**own).collect();
                ambiguous(wanted, &list)
            }
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

/// Finds a former run on the host, or says where it came from.
fn elsewhere(
    observation: &Observation,
    question: &QuestionKey,
    ran: Option<FormerRun>,
) -> Option<Asked> {
    let run = ran?;
    if let Some(image) = held(observation, &run.image_id) {
        return Some(Asked::Held(image));
    }
    let from = &run.reference.repository;
    let top = run.top.as_ref()?;
    (*from != question.reference.repository).then(|| {
        let from = from.familiar();
        Asked::Nowhere(format!(
            "it ran under another name; fetch it on the host first: docker pull {from}@{top}"
        ))
    })
}

/// Takes the host's own image, as the registry could not be asked for what it has.
fn instead(image: &ImageFacts, wanted: &str, failure: &RegistryFailure) -> Asked {
    Asked::HeldInstead(
        Box::new(image.clone()),
        format!("{wanted} is taken from the host, as the registry did not tell it: {failure}"),
    )
}

fn ambiguous(wanted: &str, matches: &[&str]) -> Asked {
    let all = list(matches.iter().map(ToString::to_string));
    Asked::Ambiguous(format!("{wanted} is the beginning of several: {all}"))
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.take(40).collect();
    names.join(", ")
}
