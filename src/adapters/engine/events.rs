//! The engine's own report of what changes, as a stream that ends with the reason of its end.

use std::collections::HashMap;
use std::pin::Pin;

use bollard::errors::Error;
use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt, future, stream};

use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::names::ContainerId;
use crate::core::watch::EngineEvent;

use super::observer::Observer;
use super::words;

/// The events that change what is shown; the engine leaves out all others, such as each health probe's.
const WANTED: [&str; 17] = [
    "create",
    "start",
    "restart",
    "stop",
    "die",
    "oom",
    "destroy",
    "rename",
    "pause",
    "unpause",
    "update",
    "health_status",
    "pull",
    "tag",
    "untag",
    "delete",
    "load",
];

/// Events of an engine; the last item is the reason why there are no more.
pub type Events = Pin<Box<dyn Stream<Item = Result<EngineEvent, HostFailure>> + Send>>;

impl Observer {
    /// Follows the engine's events since the link was made, so that none is missed before the first look.
    pub fn events(&self) -> Events {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let filters: HashMap<String, Vec<String>> = HashMap::from([
            ("type".to_owned(), list(&["container", "image"])),
            ("event".to_owned(), list(&WANTED)),
        ]);
        let mut options = EventsOptionsBuilder::new().filters(&filters);
        if let Some(clock) = self.link.clock() {
            options = options.since(&clock.to_string());
        }
        let events = self.link.docker().events(Some(options.build()));
        let events = events.filter_map(|event| future::ready(read(event).transpose()));
        let end = stream::once(future::ready(Err(HostFailure::new(
            HostTrouble::NoConnection,
            "the engine's events ended",
            "followed again by itself",
        ))));
        // Nothing follows a failure.
        let all = events.chain(end).scan(false, |ended, item| {
            let next = (!*ended).then_some(item);
            *ended = matches!(next, Some(Err(_)));
            future::ready(next)
        });
        Box::pin(all)
    }
}

fn read(event: Result<EventMessage, Error>) -> Result<Option<EngineEvent>, HostFailure> {
    let event = match event {
        Ok(event) => event,
        Err(error) => return Err(failure(error)),
    };
    let action = event.action.unwrap_or_default();
    let actor = event.actor.unwrap_or_default();
    let name = actor.id.unwrap_or_default();
    let attributes = actor.attributes.unwrap_or_default();
    Ok(match event.typ {
        Some(EventMessageTypeEnum::CONTAINER) => Some(EngineEvent::Container {
            id: ContainerId::from(name),
            action,
            exit_code: attributes
                .get("exitCode")
                .and_then(|code| code.parse().ok()),
        }),
        Some(EventMessageTypeEnum::IMAGE) => Some(EngineEvent::Image { name, action }),
        _ => None,
    })
}

/// Reads a failure of the typed client.
pub(super) fn failure(error: Error) -> HostFailure {
    match error {
        Error::IOError { err } => words::inner_failure(&err).unwrap_or_else(|| {
            HostFailure::new(
                HostTrouble::NoConnection,
                format!("the engine's events were cut off: {err}"),
                "followed again by itself",
            )
        }),
        Error::DockerResponseServerError {
            status_code,
            message,
        } => words::status_failure(status_code, &message, "/events"),
        Error::RequestTimeoutError => words::slow("/events", 60),
        Error::HyperResponseError { err } => HostFailure::new(
            HostTrouble::NoConnection,
            format!("the engine's events were cut off: {err}"),
            "followed again by itself",
        ),
        other => words::bad_answer("/events", &other.to_string()),
    }
}
