//! Going to one candidate by what a person types: a tag, a digest, the beginning of a git revision.

use crate::app::keys::{Code, Key};
use crate::app::model::Model;
use crate::app::preview::tags::{chosen, found};
use crate::app::screen::{Overlay, View};

use super::keys::add;
use super::preview::mark_view;

/// Opens the field.
pub(super) fn open(model: &mut Model) {
    let View::Tags { selected, .. } = &model.screen.view else {
        return;
    };
    model.screen.overlay = Overlay::Find {
        input: String::new(),
        before: selected.clone().map(Box::new),
    };
}

/// Takes a key of the field; what it names is selected while it is typed.
pub(super) fn key(model: &mut Model, key: Key) {
    let Overlay::Find { input, before } = &mut model.screen.overlay else {
        return;
    };
    match key.code {
        Code::Enter => {
            model.screen.overlay = Overlay::None;
            return;
        }
        Code::Esc => {
            let before = before.take().map(|before| *before);
            model.screen.overlay = Overlay::None;
            if let View::Tags { selected, .. } = &mut model.screen.view {
                *selected = before;
            }
            mark_view(model);
            return;
        }
        Code::Backspace => {
            input.pop();
        }
        _ if key == Key::ctrl('u') => input.clear(),
        _ => {
            if let Some(c) = key.typed() {
                add(input, c);
            }
        }
    }
    go(model);
}

/// Selects what the text names, if that is one.
pub(super) fn go(model: &mut Model) {
    let Some(Ok(choice)) = found(model) else {
        return;
    };
    let shown = model.preview.shown.as_ref();
    let next = shown.and_then(|shown| shown.candidates.get(choice.index).map(chosen));
    if let View::Tags { selected, .. } = &mut model.screen.view {
        *selected = next;
    }
    mark_view(model);
}
