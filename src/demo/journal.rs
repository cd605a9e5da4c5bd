//! The journals of a demo: each container's beginning is told as a job's, or as somebody else's doing.

use std::time::Duration;

use jiff::SignedDuration;

use crate::app::msg::Msg;
use crate::core::engine::{ContainerFacts, ImageFacts, Observation};
use crate::core::history::{CHANGED, Event, NOT_BY_US};
use crate::core::names::HostName;
use crate::core::rollout::plan::ImageState;

use super::Demo;

/// How long a job of the demo's past took.
const TOOK: SignedDuration = SignedDuration::from_secs(6);

impl Demo {
    /// Reads the journal of a host; the operator's own holds nothing more.
    pub(super) fn journal(&self, name: Option<&HostName>) -> (Duration, Msg) {
        let host = name.and_then(|name| self.host(name));
        let events = host.map_or_else(Vec::new, |host| {
            let seen = host.observe(&self.catalog, self.started_at, self.started_at);
            events(&host.spec.name, &seen)
        });
        let after = host.map_or(Duration::ZERO, |host| host.rtt);
        let message = Msg::Journal {
            host: name.cloned(),
            result: Ok(events),
        };
        (after + Duration::from_millis(30), message)
    }
}

fn events(host: &HostName, seen: &Observation) -> Vec<Event> {
    let mut events = Vec::new();
    for (number, container) in seen.containers.iter().enumerate() {
        let label = |name: &str| {
            let key = format!("com.docker.compose.{name}");
            container.labels.get(&key).map(str::to_owned)
        };
        let (Some(project), Some(service)) = (label("project"), label("service")) else {
            continue;
        };
        let Some(at) = container.created.or(container.started) else {
            continue;
        };
        let running = seen.images.get(&container.image_id);
        let before = running.and_then(|running| before(running, seen));
        let event = Event {
            at,
            by: NOT_BY_US.to_owned(),
            action: CHANGED.to_owned(),
            target: format!("{host}/{project}/{service}"),
            from: before.map(|image| state(container, image)),
            to: running.map(|image| state(container, image)),
            outcome: None,
            why: None,
            reason: None,
            job: None,
            pin: None,
            argv: Vec::new(),
            proof: None,
        };
        if number % 3 == 0 {
            events.push(event);
            continue;
        }
        let begun = Event {
            at: at.checked_sub(TOOK).unwrap_or(at),
            by: "you@demo".to_owned(),
            action: "update".to_owned(),
            job: Some(format!("demo-past-{host}-{number}")),
            ..event
        };
        let ended = Event {
            at,
            outcome: Some("succeeded".to_owned()),
            why: Some("updated, proven by digest and health".to_owned()),
            ..begun.clone()
        };
        events.extend([begun, ended]);
    }
    events
}

/// Finds the newest older image of the same name that the host still holds.
fn before<'a>(running: &ImageFacts, seen: &'a Observation) -> Option<&'a ImageFacts> {
    let own = |image: &ImageFacts| {
        image
            .digests
            .iter()
            .any(|(name, _)| running.digests.iter().any(|(other, _)| other == name))
    };
    seen.images
        .values()
        .filter(|image| image.id != running.id && own(image) && image.created < running.created)
        .max_by_key(|image| image.created)
}

fn state(container: &ContainerFacts, image: &ImageFacts) -> ImageState {
    ImageState {
        reference: container.reference.clone(),
        digest: image.digests.first().map(|(_, digest)| digest.clone()),
        manifest: None,
        image_id: Some(image.id.clone()),
        created: image.created,
        revision: image.revision.clone(),
    }
}
