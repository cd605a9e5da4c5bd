//! The dialog of a plan: what would be done, what undoes it, and the keys that mean yes and no.

use ratatui::layout::Rect;

use crate::app::explain::plan::{page, script};
use crate::app::jobs::{Dialog, Stage};
use crate::app::model::Model;
use crate::core::rollout::plan::Plan;

use super::detail;
use super::footer;
use super::overlay;
use super::pen::Pen;
use super::theme::{Ground, Role};

/// Draws the dialog over the list; returns how far its text can be scrolled.
pub fn draw(model: &Model, dialog: &Dialog, pen: &mut Pen<'_>, area: Rect) -> Option<usize> {
    let text = match (&dialog.stage, dialog.script) {
        (Stage::Ready(plan), true) => script(plan),
        _ => page(model, dialog),
    };
    let inside = Rect {
        width: area.width.saturating_sub(4).max(1),
        ..area
    };
    let needed = detail::lines(&text, usize::MAX, pen, inside).saturating_add(4);
    // The list stays in sight where the plan leaves room for it.
    let area = Rect {
        height: u16::try_from(needed).unwrap_or(u16::MAX).min(area.height),
        ..area
    };
    let inner = overlay::open(&text.title, pen, area);
    if inner.height < 2 {
        return None;
    }
    // The keys keep their place, whatever the plan says and however long it is.
    let keys = Rect {
        y: inner.bottom() - 1,
        height: 1,
        ..inner
    };
    let room = Rect {
        height: inner.height - 1,
        ..inner
    };
    let total = detail::lines(&text, usize::MAX, pen, room);
    let end = total.saturating_sub(usize::from(room.height));
    let scroll = dialog.scroll.min(end);
    detail::lines(&text, scroll, pen, room);
    answer(dialog, pen, keys);
    more(scroll, total, pen, area, room);
    Some(end)
}

/// Says at the lower edge that there is more to read.
fn more(scroll: usize, total: usize, pen: &mut Pen<'_>, area: Rect, room: Rect) {
    let seen = scroll + usize::from(room.height);
    if total <= usize::from(room.height) || area.height < 3 {
        return;
    }
    let text = format!(" lines {} to {} of {total} ", scroll + 1, seen.min(total));
    let width = area.width.saturating_sub(4);
    pen.put_right(area.x + 2, area.bottom() - 1, width, &text, Role::Quiet);
}

fn answer(dialog: &Dialog, pen: &mut Pen<'_>, area: Rect) {
    if let Some(name) = dialog.name_wanted() {
        let label = format!("type {name} and Enter for yes, Tab script:");
        let room = |label: &str, pen: &Pen<'_>| pen.width(label) + 12 <= area.width;
        let label = match format!("{name}?") {
            _ if room(&label, pen) => label,
            short if room(&short, pen) => short,
            // The page names them.
            _ => "names?".to_owned(),
        };
        footer::field(&dialog.typed, &label, pen, area);
        pen.ground = Ground::Overlay;
        return;
    }
    let mut x = area.x;
    let mut key = |key: &str, word: &str| {
        let width = area.right().saturating_sub(x);
        if pen.width(key) + pen.width(word) < width {
            x += pen.put(x, area.y, width, key, Role::Accent) + 1;
            x += pen.put(x, area.y, width, word, Role::Text) + 3;
        }
    };
    match (&dialog.stage, dialog.startable()) {
        (Stage::Ready(plan), Some(_)) => {
            key("n", "no");
            let word = match plan.only() {
                Some(plan) => plan.action.word().to_owned(),
                None => format!("{} all {}", dialog.action().word(), plan.targets.len()),
            };
            key("y", &word);
        }
        (Stage::Ready(_), None) => {
            if dialog.offers_variables() {
                key("t", "take them over for this job");
            }
            if dialog.offers_leaving_out() {
                key("x", "leave out what is blocked");
            }
            key("n", "leave it");
        }
        (Stage::Looking | Stage::Failed(_), _) => key("esc", "leave it"),
    }
    if dialog.plan().is_some() {
        let only = dialog.plan().and_then(Plan::only).is_some();
        let word = match (dialog.script, only) {
            (true, _) => "the plan",
            (false, true) => "the job's script",
            (false, false) => "the jobs' scripts",
        };
        key("s", word);
    }
}
