//! Views: pure functions from the model to cells.
//!
//! Invariant: this module uses `app` and `core`. It reads no clock, does no IO, keeps no state and decides nothing;
//! where a list begins is derived from the selection each time.

mod across;
mod build;
mod builds;
mod columns;
mod detail;
mod empty;
mod footer;
pub mod glyphs;
mod header;
mod help;
mod history;
mod jobs;
mod layers;
mod list;
mod logs;
mod offers;
mod overlay;
mod palette;
mod pen;
mod plan;
mod registry;
mod summary;
mod tags;
pub mod theme;
mod wall;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::explain::Tone;
use crate::app::model::Model;
use crate::app::rows::Rows;
use crate::app::screen::{Overlay, View};

use glyphs::Glyphs;
use pen::Pen;
use theme::{Role, Theme};

/// From which width on the detail stands beside the list.
const WIDE: u16 = 120;

/// What a drawing tells the model: things that are known only once they are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drawn {
    /// How far the page on top can be scrolled.
    pub scroll_end: Option<usize>,
}

/// Draws the whole screen.
pub fn draw(model: &Model, theme: &Theme, glyphs: Glyphs, area: Rect, buf: &mut Buffer) -> Drawn {
    let area = area.intersection(buf.area);
    let mut pen = Pen::new(buf, theme, glyphs);
    pen.fill(area);
    if area.is_empty() {
        return Drawn::default();
    }
    if let View::Wall { page } = &model.screen.view {
        wall::draw(model, *page, &mut pen, area);
        overlay::draw(model, &mut pen, area, area);
        return Drawn::default();
    }
    let rows = Rows::of(model);
    let (top, rest) = cut_top(area, header::height(model, area));
    header::draw(model, &mut pen, top);
    let (rest, bottom) = cut_bottom(rest, footer::height(area));
    footer::draw(model, &mut pen, bottom);
    let (rest, strip) = cut_bottom(rest, jobs::height(model, area));
    jobs::draw(model, &mut pen, strip);
    let below = body(model, &rows, &mut pen, rest);
    let scroll_end = overlay::draw(model, &mut pen, area, rest);
    let on_top = model.screen.overlay != Overlay::None;
    Drawn {
        scroll_end: if on_top { scroll_end } else { below },
    }
}

/// Draws what the screen is about; returns how far the detail can be scrolled, if the keys that move belong to it.
fn body(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) -> Option<usize> {
    match &model.screen.view {
        View::Fleet => return fleet(model, rows, pen, area),
        // It takes the whole screen and is drawn before.
        View::Wall { .. } => {}
        View::Layers {
            service,
            to,
            selected,
        } => layers::draw(model, service, to.as_ref(), *selected, pen, area),
        View::History { of, selected } => history::draw(model, of.as_ref(), *selected, pen, area),
        View::Registry {
            registry,
            repository,
            selected,
        } => registry::draw(model, registry, repository.as_deref(), *selected, pen, area),
        View::Logs { service } => logs::draw(model, service, pen, area),
        View::Builds { selected } => builds::draw(model, selected.as_ref(), pen, area),
        View::Build { build, scroll } => build::draw(model, build, *scroll, pen, area),
        View::Tags { service, selected } => {
            tags::draw(model, service, selected.as_ref(), pen, area);
        }
    }
    None
}

/// Draws the list and, where there is room or it was asked for, the detail of the selected row.
fn fleet(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) -> Option<usize> {
    if rows.list.is_empty() {
        empty::draw(model, pen, area);
        return None;
    }
    if area.width >= WIDE {
        let beside = (area.width * 3 / 10).clamp(36, 60);
        let (left, right) = cut_right(area, beside);
        // A cell stays free before the line that parts list and detail.
        list::draw(model, rows, pen, cut_right(left, 1).0);
        detail::beside(model, rows, pen, right)
    } else if model.screen.detail {
        // The selected row stays in sight above its detail.
        let below = (area.height * 6 / 10)
            .max(4)
            .min(area.height.saturating_sub(1));
        let (top, bottom) = cut_bottom(area, below);
        list::draw(model, rows, pen, top);
        detail::below(model, rows, pen, bottom)
    } else {
        list::draw(model, rows, pen, area);
        None
    }
}

fn cut_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (
        Rect { height, ..area },
        Rect {
            y: area.y + height,
            height: area.height - height,
            ..area
        },
    )
}

fn cut_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    cut_top(area, area.height - height)
}

fn cut_right(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let left = area.width - width;
    (
        Rect {
            width: left,
            ..area
        },
        Rect {
            x: area.x + left,
            width,
            ..area
        },
    )
}

fn role_of(tone: Tone) -> Role {
    match tone {
        Tone::Plain => Role::Text,
        Tone::Quiet => Role::Quiet,
        Tone::Good => Role::Good,
        Tone::Attention => Role::Attention,
        Tone::Danger => Role::Danger,
        Tone::Accent => Role::Accent,
    }
}
