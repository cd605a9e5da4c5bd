//! Why services do not update: what stands between each and its tag.

use super::{Check, Link, State, check};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::core::age::count;
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::image::Pointer;
use crate::core::names::HostName;
use crate::core::verdict::{Seat, Symptom, Verdict};

/// The most services of one kind that are told one by one.
const MOST: usize = 10;

/// Tells of every service that does not run what its tag names.
pub fn all(model: &Model, only: Option<&HostName>) -> Vec<Check> {
    let wanted = |service: &&ServiceView| only.is_none_or(|name| *name == service.key.host);
    let mut checks = Vec::new();
    for verdict in Verdict::ALL {
        let Some(symptom) = verdict.entry().symptom else {
            continue;
        };
        let services: Vec<_> = model
            .services()
            .filter(wanted)
            .filter(|service| service.verdict == verdict)
            .collect();
        checks.extend(
            services
                .iter()
                .take(MOST)
                .map(|service| of_service(service, &symptom)),
        );
        if let Some(rest) = services.len().checked_sub(MOST).filter(|rest| *rest > 0) {
            let detail = format!("and {} {} too", count(rest, "service"), verdict.word());
            let remedy = "see `homelab-tui status`";
            checks.push(check(None, Link::Registry, State::Ok, detail, remedy));
        }
    }
    let fixed = model.services().filter(wanted).filter(|service| {
        service.verdict == Verdict::Current
            && service
                .question
                .as_ref()
                .is_some_and(|key| matches!(key.reference.pointer, Pointer::Digest { .. }))
    });
    checks.extend(fixed.take(MOST).map(|service| {
        let detail = format!(
            "{}: named by digest, so it never updates by itself",
            place(service)
        );
        check(
            Some(&service.key.host),
            Link::Files,
            State::Ok,
            detail,
            "name a tag in its compose file",
        )
    }));
    checks
}

fn of_service(service: &ServiceView, symptom: &Symptom) -> Check {
    let link = match symptom.seat {
        Seat::Compose => Link::Compose,
        Seat::Registry => Link::Registry,
    };
    let state = if symptom.broken {
        State::Failed
    } else {
        State::Ok
    };
    let place = place(service);
    let why = symptom.with_why.then_some(service.why.as_str());
    let detail: Vec<&str> = [Some(place.as_str()), symptom.says, why]
        .into_iter()
        .flatten()
        .collect();
    let remedy = symptom.remedy.replace("{target}", &service.key.to_string());
    check(
        Some(&service.key.host),
        link,
        state,
        detail.join(": "),
        &remedy,
    )
}

fn place(service: &ServiceView) -> String {
    format!("{}/{}", service.key.project, service.key.service)
}

/// Says in one word with its number which refusal it was.
pub fn refusal(failure: &RegistryFailure) -> &'static str {
    use RegistryTrouble as T;
    match failure.trouble {
        T::Unauthorized => "unauthorized (401)",
        T::Denied => "forbidden (403)",
        T::Gone => "gone (404)",
        T::NotFound => "not found (404)",
        T::RateLimited => "rate limited (429)",
        T::ServerError => "the registry fails (5xx)",
        T::TimedOut | T::Away | T::NoRoute => "no answer",
        T::Certificate => "certificate not trusted",
        T::PlainHttp => "plain http",
        T::Lied | T::TooLarge | T::Elsewhere => "answer not believed",
        T::NoPlatform => "no image for the platform",
        T::BadReference => "no reference",
    }
}
