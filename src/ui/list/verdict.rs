//! The verdict's cell: mark, word, and what stands beside them as far as there is room.

use ratatui::layout::Rect;

use crate::app::explain::{Tone, verdict_words};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::core::age;
use crate::core::engine::{ContainerState, Health};
use crate::core::files::ConfigState;
use crate::core::verdict::Verdict;

use super::super::columns::Columns;
use super::super::pen::Pen;
use super::super::role_of;
use super::super::theme::Role;

/// Something that stands beside a verdict.
struct Mark {
    text: String,
    /// What stands for it where there is less room.
    short: Option<String>,
    role: Role,
}

/// Writes the cell and tells whether it took the place of the pull, too, which it may where `lend` says so.
pub fn draw(
    model: &Model,
    service: &ServiceView,
    columns: &Columns,
    lend: bool,
    pen: &mut Pen<'_>,
    line: Rect,
) -> bool {
    let span = columns.verdict;
    let (x, y) = (line.x + span.x, line.y);
    let words = verdict_words(service);
    let mut marks = marks(model, service);
    let whole = |marks: &[Mark], pen: &Pen<'_>| {
        let beside: u16 = marks.iter().map(|mark| pen.width(&mark.text) + 1).sum();
        2 + pen.width(&words) + beside
    };
    let mut room = span.width;
    let mut spill = false;
    if let Some(pull) = columns.pull
        && lend
        && whole(&marks, pen) > room
    {
        room = pull.x + pull.width - span.x;
        spill = true;
    }
    if whole(&marks, pen) > room {
        for mark in &mut marks {
            if let Some(short) = mark.short.take() {
                mark.text = short;
            }
        }
    }
    if room == 0 {
        return spill;
    }
    let sick = service.is_unhealthy();
    // Health comes first where only one of both has room.
    if sick && service.verdict.is_settled() && whole(&marks, pen) > room {
        pen.glyph(x, y, pen.glyphs.alarm, Role::Danger);
        pen.put(
            x + 2,
            y,
            room.saturating_sub(2),
            &service.life(),
            Role::Danger,
        );
        return spill;
    }
    let tone = role_of(Tone::of(service.verdict));
    pen.glyph(x, y, pen.glyphs.verdict(service.verdict), tone);
    let mut used = 2 + pen.put(x + 2, y, room.saturating_sub(2), &words, tone);
    for (place, mark) in marks.iter().enumerate() {
        let width = pen.width(&mark.text);
        // The sign that there is more needs room of its own, unless nothing follows.
        let reserve = if place + 1 == marks.len() { 0 } else { 2 };
        if used + 1 + width + reserve <= room {
            used += 1 + pen.put(x + used + 1, y, width, &mark.text, mark.role);
            continue;
        }
        if used + 2 <= room {
            let (glyph, role) = match sick && place == 0 {
                true => (pen.glyphs.alarm, Role::Danger),
                false => ('+', Role::Attention),
            };
            pen.glyph(x + used + 1, y, glyph, role);
        }
        break;
    }
    spill
}

/// Returns what stands beside the verdict, most important first.
fn marks(model: &Model, service: &ServiceView) -> Vec<Mark> {
    let mark = |text: &str, role: Role| Mark {
        text: text.to_owned(),
        short: None,
        role,
    };
    let mut marks = Vec::new();
    if service.is_unhealthy() {
        marks.push(mark(&service.life(), Role::Danger));
    } else if !is_plainly_up(service) {
        marks.push(mark(&service.life(), Role::Quiet));
    }
    if let Some((last, at)) = service.last {
        marks.push(Mark {
            text: format!("({}, {})", last.word(), age::age(model.now.wall, at)),
            short: Some(format!("({})", last.word())),
            role: Role::Quiet,
        });
    }
    match &service.pinned {
        Some(pin) if pin.holds() => marks.push(mark("pinned", Role::Accent)),
        Some(_) => marks.push(mark("pin undone", Role::Danger)),
        None => {}
    }
    match service.config {
        ConfigState::Changed => marks.push(mark("config changed", Role::Attention)),
        ConfigState::Unreadable => marks.push(mark("config unreadable", Role::Attention)),
        ConfigState::Same | ConfigState::Unknown => {}
    }
    if service.mixed {
        marks.push(mark("mixed", Role::Attention));
    }
    if service.left_overs > 0 {
        marks.push(mark("left-over", Role::Attention));
    }
    if service.verdict == Verdict::Pulled {
        marks.push(mark("recreate missing", Role::Quiet));
    }
    marks
}

fn is_plainly_up(service: &ServiceView) -> bool {
    service.containers.iter().all(|container| {
        container.state == ContainerState::Running && container.health != Health::Starting
    })
}
