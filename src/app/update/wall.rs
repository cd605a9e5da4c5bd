//! The wall by the clock: pages that turn, and the return after the last key.

use std::time::Duration;

use super::super::model::Model;
use super::super::screen::{Overlay, View};
use super::super::wall::{self, HOME, TURN};

/// Opens the wall at its first page.
pub fn open(model: &mut Model) {
    model.screen.overlay = Overlay::None;
    model.screen.detail = false;
    model.screen.turned_at = model.now.since_start;
    super::open(model, View::Wall { page: 0 });
}

/// Does what is due.
pub fn run_due(model: &mut Model) {
    let now = model.now.since_start;
    let untouched = now.saturating_sub(model.screen.key_at);
    let on_wall = matches!(model.screen.view, View::Wall { .. });
    if on_wall && model.dirty {
        model.screen.pages = wall::pages(model);
    }
    if model.screen.home && untouched >= HOME && !(on_wall && model.screen.overlay == Overlay::None)
    {
        open(model);
        return;
    }
    if on_wall && turn_due(model).is_some_and(|due| due <= now) {
        turn(model, 1);
    }
}

/// Shows another page.
pub fn turn(model: &mut Model, by: isize) {
    let pages = wall::pages(model);
    model.screen.turned_at = model.now.since_start;
    if let View::Wall { page } = &mut model.screen.view {
        let next = match by {
            ..0 => page.checked_sub(1).unwrap_or(pages - 1),
            _ => (*page + 1) % pages,
        };
        model.dirty |= next != *page;
        *page = next;
    }
}

/// Says when the wall has something to do by itself.
pub fn wake(model: &Model) -> Option<Duration> {
    let on_wall = matches!(model.screen.view, View::Wall { .. });
    if on_wall && model.screen.overlay == Overlay::None {
        return turn_due(model);
    }
    model.screen.home.then(|| model.screen.key_at + HOME)
}

fn turn_due(model: &Model) -> Option<Duration> {
    let more = model.screen.pages > 1 && model.screen.overlay == Overlay::None;
    more.then(|| model.screen.turned_at.max(model.screen.key_at) + TURN)
}
