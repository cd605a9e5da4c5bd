//! What leaves the screen: texts for the clipboard, links for the browser.

use crate::core::links;

use super::super::commands;
use super::super::effect::{Console, Effect};
use super::super::mode::Mode;
use super::super::model::Model;
use super::super::preview::layers::{self, LayersState};
use super::super::preview::registry;
use super::super::screen::{Overlay, View};
use super::keys::notice;
use super::{builds, logs};

/// Copies the digest of what is selected.
pub fn copy_digest<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    copy(model, digest(model), effects);
}

/// Copies the link to what is new.
pub fn copy_source<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    // What is no web address can still be read.
    let raw = || {
        let service = commands::selected_service(model)?;
        commands::source_of(service).map(str::to_owned)
    };
    let text = source(model).or_else(raw);
    copy(model, text, effects);
}

/// Opens the link that [`copy_source`] copies.
pub fn browse<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    match source(model) {
        Some(link) => {
            notice(model, format!("opening {link}"));
            effects.push(Effect::Console(Console::Browse(link)));
        }
        None => notice(model, "the image's labels name no web address".to_owned()),
    }
}

fn copy<M: Mode>(model: &mut Model, text: Option<String>, effects: &mut Vec<Effect<M>>) {
    match text {
        Some(text) => {
            notice(model, format!("copied {text}"));
            effects.push(Effect::Console(Console::Copy(text)));
        }
        None => notice(model, "copy: it is not known yet".to_owned()),
    }
}

/// Returns the digest or name of what is selected: what runs where the fleet or something above a view is in sight.
fn digest(model: &Model) -> Option<String> {
    if model.screen.view == View::Fleet || model.screen.overlay != Overlay::None {
        let running = &commands::selected_service(model)?.running;
        let digest = running.digests.first().map(ToString::to_string);
        return Some(digest.unwrap_or_else(|| running.image_id.to_string()));
    }
    if let View::Registry {
        registry,
        repository,
        selected,
    } = &model.screen.view
    {
        let view = registry::view(model, registry, repository.as_deref());
        let row = view.repositories.get(*selected)?;
        return Some(row.repository.familiar());
    }
    if builds::is_open(model) {
        return builds::digest(model);
    }
    if let Some(candidate) = commands::selected_candidate(model) {
        return candidate.digest.as_ref().map(ToString::to_string);
    }
    if matches!(model.screen.view, View::Logs { .. }) {
        return logs::line(model);
    }
    let View::Layers {
        service,
        to,
        selected,
    } = &model.screen.view
    else {
        return None;
    };
    let view = layers::view(model, service, to.as_ref())?;
    match view.state {
        // The list begins with the last layer.
        LayersState::Ready(prediction) => {
            let layer = prediction.layers.iter().rev().nth(*selected)?;
            Some(layer.digest.to_string())
        }
        LayersState::Waiting(_) | LayersState::Failed(_) => None,
    }
}

/// Returns the link to what is new in the selected way back, else in what the service's tag names.
fn source(model: &Model) -> Option<String> {
    if builds::is_open(model) {
        return builds::link(model);
    }
    if let Some(link) = commands::selected_link(model) {
        return Some(link.to_owned());
    }
    let service = commands::selected_service(model)?;
    let running = service.running.revision.as_deref();
    let candidate = commands::selected_candidate(model);
    if let Some(own) = candidate
        && let Some(source) = &own.source
    {
        let (to, version) = (own.revision.as_deref(), own.version.as_deref());
        return links::changes(source, running, to, version);
    }
    let registry = &service.registry;
    let (to, version) = (registry.revision.as_deref(), registry.version.as_deref());
    links::changes(commands::source_of(service)?, running, to, version)
}
