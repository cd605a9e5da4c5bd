//! The links to the registries: whether they answer, and as whom they are asked.

use std::collections::BTreeMap;

use super::{Check, Link, State, check, services};
use crate::app::model::Model;
use crate::core::age::count;
use crate::core::checkup::Ended;
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::ImageRef;
use crate::core::names::{HostName, RegistryHost};
use crate::core::remote::{QuestionKey, Remote, Route};
use crate::core::verdict::Verdict;

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
        if !used(&key.route, &key.reference) || needs_none(model, key, &known.remote) {
            continue;
        }
        let place = (&key.reference.repository.registry, &key.route);
        found
            .entry(place)
            .or_default()
            .add(&key.reference, &known.remote);
    }
    found
        .into_iter()
        .flat_map(|((registry, route), asked)| asked.checks(registry, route))
        .collect()
}

/// Tells whether a refusal is of no interest: all that was to be known of are images built on their hosts.
fn needs_none(model: &Model, question: &QuestionKey, remote: &Remote) -> bool {
    let mut users = model
        .services()
        .filter(|service| service.question.as_ref() == Some(question))
        .peekable();
    remote.failure.is_some()
        && users.peek().is_some()
        && users.all(|service| service.verdict == Verdict::Local)
}

/// Tells of a container that should be a registry and does not run.
pub fn fallen(registry: &RegistryHost, host: &HostName, ended: &Ended) -> Check {
    let detail = format!("{registry}: its container {}", ended.words());
    let remedy = format!("on {host}: docker start {}; {}", ended.name, ended.read);
    check(Some(host), Link::Registry, State::Failed, detail, &remedy)
}

/// What was lived through with one registry.
#[derive(Default)]
struct Asked<'a> {
    answered: usize,
    credential: Option<&'a str>,
    /// The failures, each kind once, with the references that met it.
    failures: Vec<(&'a RegistryFailure, Vec<String>)>,
}

impl<'a> Asked<'a> {
    fn add(&mut self, reference: &ImageRef, remote: &'a Remote) {
        match (&remote.answer, &remote.failure) {
            (_, Some((_, failure))) => {
                let kind = failure.trouble;
                let place = self
                    .failures
                    .iter()
                    .position(|(known, _)| known.trouble == kind);
                let place = place.unwrap_or_else(|| {
                    self.failures.push((failure, Vec::new()));
                    self.failures.len() - 1
                });
                self.failures[place].1.push(reference.familiar());
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
        let refused = |(failure, _): &(&RegistryFailure, _)| {
            matches!(failure.trouble, T::Unauthorized | T::Denied)
        };
        let is_refused = self.failures.iter().any(refused);
        let mut checks = Vec::new();
        if self.answered > 0 && !is_refused {
            let as_whom = self.credential.map_or_else(
                || "none needed".to_owned(),
                |name| format!("asked as {name}"),
            );
            checks.push(row(Link::Credentials, State::Ok, as_whom, ""));
        }
        if self.answered > 0 {
            checks.push(row(Link::Registry, State::Ok, answers(), ""));
        } else if is_refused {
            checks.push(row(Link::Registry, State::Ok, "answers".to_owned(), ""));
        } else if self.failures.is_empty() {
            return vec![row(
                Link::Registry,
                State::Unknown,
                "no answer in time".to_owned(),
                "try again",
            )];
        }
        for (failure, references) in &self.failures {
            let about = match references.len() {
                1 => String::new(),
                many => format!(" (and {} more)", many - 1),
            };
            let what = format!("{}: {}{about}", services::refusal(failure), failure.what);
            let remedy = failure.remedy.as_str();
            let (link, state) = match failure.trouble {
                T::Unauthorized | T::Denied => (Link::Credentials, State::Failed),
                // The service that needs it is told below; the registry itself is at work.
                T::Gone | T::NoPlatform | T::BadReference => (Link::Registry, State::Ok),
                T::NotFound => (Link::Registry, State::Failed),
                T::NoRoute | T::RateLimited => (Link::Registry, State::Unknown),
                _ => (Link::Registry, State::Failed),
            };
            checks.push(row(link, state, what, remedy));
        }
        checks
    }
}
