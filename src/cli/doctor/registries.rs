//! The links to the registries: whether they answer, and as whom they are asked.

use std::collections::BTreeMap;

use super::{Check, Link, State, check};
use crate::app::model::Model;
use crate::core::age::count;
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::ImageRef;
use crate::core::names::{HostName, RegistryHost};
use crate::core::remote::{Remote, Route};

/// Tells how every registry stands that the fleet, or one host of it, needs.
pub fn all(model: &Model, only: Option<&HostName>) -> Vec<Check> {
    let used = |route: &Route, reference: &ImageRef| {
        only.is_none_or(|host| {
            *route == Route::Via(host.clone())
                || model.services().any(|service| {
                    service.key.host == *host
                        && service
                            .question
                            .as_ref()
                            .is_some_and(|key| key.reference == *reference)
                })
        })
    };
    let mut found: BTreeMap<(&RegistryHost, &Route), Asked<'_>> = BTreeMap::new();
    for (key, known) in &model.remotes {
        if !used(&key.route, &key.reference) {
            continue;
        }
        let place = (&key.reference.repository.registry, &key.route);
        found.entry(place).or_default().add(&known.remote);
    }
    found
        .into_iter()
        .flat_map(|((registry, route), asked)| asked.checks(registry, route))
        .collect()
}

/// What was lived through with one registry.
#[derive(Default)]
struct Asked<'a> {
    answered: usize,
    credential: Option<&'a str>,
    failure: Option<&'a RegistryFailure>,
}

impl<'a> Asked<'a> {
    fn add(&mut self, remote: &'a Remote) {
        match (&remote.answer, &remote.failure) {
            (_, Some((_, failure))) => {
                // Of several failures the one that concerns the whole registry tells most.
                if self.failure.is_none_or(|known| !known.is_registry_away()) {
                    self.failure = Some(failure);
                }
            }
            (Some(answer), None) => {
                self.answered += 1;
                self.credential = self.credential.or(answer.credential.as_deref());
            }
            (None, None) => {}
        }
    }

    fn checks(self, registry: &RegistryHost, route: &Route) -> Vec<Check> {
        use RegistryTrouble as T;
        let host = match route {
            Route::Here => None,
            Route::Via(host) => Some(host),
        };
        let row = |link, state, detail: String, remedy: &str| {
            check(host, link, state, format!("{registry}: {detail}"), remedy)
        };
        let answers = || format!("answers for {}", count(self.answered, "reference"));
        let as_whom = || match self.credential {
            Some(name) => row(Link::Credentials, State::Ok, format!("asked as {name}"), ""),
            None => row(Link::Credentials, State::Ok, "none needed".to_owned(), ""),
        };
        let Some(failure) = self.failure else {
            return match self.answered {
                0 => vec![row(
                    Link::Registry,
                    State::Unknown,
                    "no answer in time".to_owned(),
                    "try again",
                )],
                _ => vec![as_whom(), row(Link::Registry, State::Ok, answers(), "")],
            };
        };
        let (what, remedy) = (failure.what.clone(), failure.remedy.as_str());
        match failure.trouble {
            T::Unauthorized | T::Denied => vec![
                row(Link::Credentials, State::Failed, what, remedy),
                row(Link::Registry, State::Ok, "answers".to_owned(), ""),
            ],
            // What concerns one reference only says that the registry itself is at work.
            T::Gone | T::NotFound | T::NoPlatform | T::BadReference => {
                vec![row(
                    Link::Registry,
                    State::Ok,
                    format!("answers; {what}"),
                    "",
                )]
            }
            T::NoRoute => vec![row(Link::Registry, State::Unknown, what, remedy)],
            _ => vec![row(Link::Registry, State::Failed, what, remedy)],
        }
    }
}
