//! What lies above the list: help, palette, reasons.

use ratatui::layout::Rect;

use crate::app::explain::{self, Explanation};
use crate::app::model::Model;
use crate::app::rows;
use crate::app::screen::Overlay;

use super::detail;
use super::pen::Pen;
use super::theme::{Ground, Role};
use super::{help, offers, palette, plan};

/// Draws the open overlay, if one is; returns how far it can be scrolled where that is for the model to know.
pub fn draw(model: &Model, pen: &mut Pen<'_>, screen: Rect, body: Rect) -> Option<usize> {
    let mut end = None;
    match &model.screen.overlay {
        Overlay::None | Overlay::Filter { .. } | Overlay::Find { .. } => return None,
        Overlay::Palette { input, chosen } => palette::draw(model, input, *chosen, pen, screen),
        Overlay::Help { scroll } => end = Some(help::draw(model, *scroll, pen, body)),
        Overlay::Plan(dialog) => end = plan::draw(model, dialog, pen, body),
        Overlay::Offers(list) => offers::draw(list, pen, body),
        Overlay::Why { scroll } => {
            let id = rows::selected(model);
            let text = id.map(|id| explain::why(model, &id)).unwrap_or_default();
            end = Some(page(&text, *scroll, model, pen, body));
        }
        Overlay::Describe { scroll } => {
            let id = rows::selected(model);
            let text = id
                .map(|id| explain::describe(model, &id))
                .unwrap_or_default();
            end = Some(page(&text, *scroll, model, pen, body));
        }
        Overlay::Entry { scroll } => {
            let text = explain::entry(model).unwrap_or_default();
            end = Some(page(&text, *scroll, model, pen, body));
        }
    }
    pen.ground = Ground::Screen;
    end
}

/// Draws a page of explanation over the list; returns how far it can be scrolled.
pub fn page(
    text: &Explanation,
    scroll: usize,
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
) -> usize {
    let inner = open(&text.title, pen, area);
    let total = count(text, pen, inner);
    let end = total.saturating_sub(usize::from(inner.height));
    let scroll = scroll.min(end);
    detail::lines(text, scroll, pen, inner);
    close(scroll, total, model, pen, area, inner);
    end
}

/// Clears the place of an overlay and returns what lies inside of its frame.
pub fn open(title: &str, pen: &mut Pen<'_>, area: Rect) -> Rect {
    pen.ground = Ground::Overlay;
    pen.fill(area);
    let inner = pen.frame(area, title);
    Rect {
        x: inner.x + 1,
        width: inner.width.saturating_sub(2),
        ..inner
    }
}

/// Says at the lower edge where in the page one is and how to leave.
pub fn close(
    scroll: usize,
    total: usize,
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    inner: Rect,
) {
    if area.height < 3 {
        return;
    }
    let seen = scroll + usize::from(inner.height);
    let back = model.keymap.named("back");
    let mut text = format!(" {back} back ");
    if total > usize::from(inner.height) {
        text = format!(
            " lines {} to {} of {total} · {back} back ",
            scroll + 1,
            seen.min(total)
        );
    }
    let width = area.width.saturating_sub(4);
    pen.put_right(area.x + 2, area.bottom() - 1, width, &text, Role::Quiet);
}

/// Counts the wrapped lines without drawing them.
fn count(text: &Explanation, pen: &mut Pen<'_>, area: Rect) -> usize {
    detail::lines(text, usize::MAX, pen, area)
}
