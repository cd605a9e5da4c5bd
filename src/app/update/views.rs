//! The views beside the fleet: opening, leaving, moving in them, and what their keys are about.

use crate::core::image::ImageRef;

use super::super::commands::{self, Run};
use super::super::history;
use super::super::model::Model;
use super::super::preview::layers::{self, LayersState};
use super::super::preview::tags::{self, chosen};
use super::super::preview::{RepositoryKey, registry};
use super::super::rows;
use super::super::screen::{Overlay, RowId, View};
use super::keys::{notice, page};
use super::{builds, logs, preview, wall};

/// Tells whether the open view takes the command for itself.
pub fn takes(model: &Model, run: Run) -> bool {
    let own = matches!(
        run,
        Run::Down
            | Run::Up
            | Run::PageDown
            | Run::PageUp
            | Run::First
            | Run::Last
            | Run::Open
            | Run::Back
            | Run::Refresh
            | Run::Fold
            | Run::Unfold
    );
    own && model.screen.view != View::Fleet && model.screen.overlay == Overlay::None
}

/// Runs a command of the views.
pub fn run(model: &mut Model, run: Run) {
    match run {
        Run::Down => move_by(model, 1),
        Run::Up => move_by(model, -1),
        Run::PageDown => move_by(model, page(model)),
        Run::PageUp => move_by(model, -page(model)),
        Run::First => move_by(model, isize::MIN),
        Run::Last => move_by(model, isize::MAX),
        Run::Fleet => super::open(model, View::Fleet),
        Run::Open if builds::is_open(model) => builds::open(model),
        Run::Fold => builds::turn(model, -1),
        Run::Unfold => builds::turn(model, 1),
        Run::Builds => builds::show(model),
        Run::Open if matches!(model.screen.view, View::History { .. }) => open_entry(model),
        // The wall has no row to open; what is behind it is the fleet.
        Run::Open if matches!(model.screen.view, View::Wall { .. }) => {
            super::open(model, View::Fleet);
        }
        Run::Logs => logs::open(model),
        Run::Layers | Run::Open => open_layers(model),
        Run::Tags => open_tags(model),
        Run::Registry => open_registry(model),
        Run::History => open_history(model),
        Run::Wall => wall::open(model),
        Run::Back => back(model),
        Run::Refresh => refresh(model),
        _ => {}
    }
}

/// Shows the download of the selected way back, or of the service's own tag.
fn open_layers(model: &mut Model) {
    let to = match &model.screen.view {
        View::Layers { .. } => return,
        View::Tags { .. } => match selected_reference(model) {
            Ok(to) => to,
            Err(why) => {
                notice(model, format!("layers: {why}"));
                return;
            }
        },
        View::Registry { .. } | View::Builds { .. } | View::Build { .. } | View::Logs { .. } => {
            return;
        }
        View::History { .. } | View::Fleet | View::Wall { .. } => None,
    };
    let Some(service) = commands::selected_service(model).map(|service| service.key.clone()) else {
        return;
    };
    let view = View::Layers {
        service,
        to,
        selected: 0,
    };
    super::open(model, view);
}

/// Returns the reference of the selected way back; none where it is what the service follows anyway.
fn selected_reference(model: &Model) -> Result<Option<ImageRef>, &'static str> {
    let candidate = commands::selected_candidate(model).ok_or("nothing is selected")?;
    let service = commands::selected_service(model);
    let followed = service.and_then(|service| service.question.as_ref());
    let is_followed = followed.is_some_and(|question| {
        let tag = question.reference.tag();
        tag.is_some_and(|tag| candidate.tags.iter().any(|own| **own == *tag))
    });
    if is_followed {
        return Ok(None);
    }
    match candidate.exact_reference() {
        Some(reference) => Ok(Some(reference)),
        None => Err("it has no name that a registry knows"),
    }
}

fn open_tags(model: &mut Model) {
    let Some(service) = commands::selected_service(model).map(|service| service.key.clone()) else {
        return;
    };
    if let View::Tags { .. } = model.screen.view {
        return;
    }
    let view = View::Tags {
        service,
        selected: None,
    };
    super::open(model, view);
}

/// Shows the registry that the selected service's image comes from.
fn open_registry(model: &mut Model) {
    let service = commands::selected_service(model);
    let question = service.and_then(|service| service.question.as_ref());
    if let Some(question) = question {
        let view = View::Registry {
            registry: question.reference.repository.registry.clone(),
            repository: None,
            selected: 0,
        };
        super::open(model, view);
    }
}

/// Shows what happened to what is selected; from there, what happened everywhere.
fn open_history(model: &mut Model) {
    let of = match &model.screen.view {
        View::History { of: Some(_), .. } | View::Wall { .. } => None,
        View::History { of: None, .. }
        | View::Fleet
        | View::Registry { .. }
        | View::Builds { .. }
        | View::Build { .. } => rows::selected(model),
        View::Layers { service, .. } | View::Tags { service, .. } | View::Logs { service } => {
            Some(RowId::Service(service.clone()))
        }
    };
    let of = of.filter(|id| !matches!(id, RowId::Group(_)));
    super::open(model, View::History { of, selected: 0 });
}

fn open_entry(model: &mut Model) {
    if let View::History { of, .. } = &model.screen.view
        && !history::view(model, of.as_ref()).is_empty()
    {
        model.screen.overlay = Overlay::Entry { scroll: 0 };
    }
}

/// Leaves the view: from a way back's download to the ways back, else to the fleet.
fn back(model: &mut Model) {
    match &model.screen.view {
        View::Layers {
            service,
            to: Some(to),
            ..
        } => {
            let selected = crate::app::screen::Chosen {
                digest: to.digest().cloned(),
                image_id: None,
                tag: to.tag().map(Into::into),
            };
            let view = View::Tags {
                service: service.clone(),
                selected: Some(selected),
            };
            super::open(model, view);
        }
        View::Build { .. } => builds::leave(model),
        View::Layers { .. }
        | View::Tags { .. }
        | View::Registry { .. }
        | View::Builds { .. }
        | View::History { .. }
        | View::Wall { .. }
        | View::Logs { .. }
        | View::Fleet => {
            super::open(model, View::Fleet);
        }
    }
}

fn move_by(model: &mut Model, by: isize) {
    match &model.screen.view {
        View::Fleet => {}
        View::Builds { .. } | View::Build { .. } => builds::move_by(model, by),
        View::History { of, selected } => {
            let next = moved(*selected, by, history::view(model, of.as_ref()).len());
            if let View::History { selected, .. } = &mut model.screen.view {
                *selected = next;
            }
        }
        View::Wall { .. } => wall::turn(model, by),
        View::Logs { .. } => logs::move_by(model, by),
        View::Registry {
            registry,
            repository,
            selected,
        } => {
            let view = registry::view(model, registry, repository.as_deref());
            let next = moved(*selected, by, view.repositories.len());
            if let View::Registry { selected, .. } = &mut model.screen.view {
                *selected = next;
            }
        }
        View::Layers {
            service,
            to,
            selected,
        } => {
            let view = layers::view(model, service, to.as_ref());
            let count = match view.map(|view| view.state) {
                Some(LayersState::Ready(prediction)) => prediction.layers.len(),
                _ => 0,
            };
            let next = moved(*selected, by, count);
            if let View::Layers { selected, .. } = &mut model.screen.view {
                *selected = next;
            }
        }
        View::Tags { selected, .. } => {
            let Some(shown) = &model.preview.shown else {
                return;
            };
            let next = moved(shown.place(selected.as_ref()), by, shown.candidates.len());
            let next = shown.candidates.get(next).map(chosen);
            if let View::Tags { selected, .. } = &mut model.screen.view {
                *selected = next;
            }
        }
    }
}

pub fn moved(here: usize, by: isize, count: usize) -> usize {
    here.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Has everything behind the view asked for anew.
fn refresh(model: &mut Model) {
    if matches!(model.screen.view, View::Logs { .. }) {
        logs::refresh(model);
        return;
    }
    if builds::is_open(model) {
        builds::refresh(model);
        return;
    }
    if let View::History { .. } = &model.screen.view {
        model.history.own.asked = false;
        for source in model.history.hosts.values_mut() {
            source.asked = false;
        }
        model.history.due = true;
        notice(model, "looking again".to_owned());
        return;
    }
    if let View::Registry { registry, .. } = &model.screen.view {
        let registry = registry.clone();
        let key = registry::catalog_key(model, &registry);
        model.preview.catalogs.remove(&key);
        let mine = |own: &&RepositoryKey| own.1.registry == registry;
        let keys: Vec<RepositoryKey> = model
            .preview
            .repositories
            .keys()
            .filter(mine)
            .cloned()
            .collect();
        for key in keys {
            model.preview.refresh(&key);
        }
        preview::mark_view(model);
        notice(model, "looking again".to_owned());
        return;
    }
    let Some(service) = commands::selected_service(model) else {
        return;
    };
    let question = service.question.clone();
    if let Some(key) = tags::repository_key(service) {
        model.preview.refresh(&key);
    }
    let now = model.now.since_start;
    if let Some(remote) = question.and_then(|key| model.remotes.get_mut(&key)) {
        // A registry that asked to be left alone is left alone, whoever presses keys.
        let failure = remote.remote.failure.as_ref();
        if failure.is_none_or(|(_, failure)| failure.retry_after.is_none()) {
            remote.due = now;
        }
    }
    preview::mark_view(model);
    notice(model, "looking again".to_owned());
}
