//! One build: its figures, its steps with what each cost, and what changed since the last build that hit.

use ratatui::layout::Rect;

use crate::app::builds::BuildKey;
use crate::app::builds::opened::{self, Opened, StepRow};
use crate::app::builds::view::seconds;
use crate::app::model::Model;
use crate::core::age;

use super::detail::{line_of, wrap};
use super::pen::Pen;
use super::role_of;
use super::theme::Role;

/// The width of a step's bar, where there is room.
const BAR: u16 = 10;

/// Draws the view.
pub fn draw(model: &Model, build: &BuildKey, scroll: usize, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let Some(opened) = opened::opened(model, build) else {
        pen.put(
            area.x + 1,
            area.y,
            area.width,
            "this build is not known any more",
            Role::Quiet,
        );
        return;
    };
    pen.put(
        area.x + 1,
        area.y,
        area.width.saturating_sub(2),
        &opened.title,
        Role::Accent,
    );
    let body = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    // Scrolling ends where the last line is on the screen.
    let lines = lines(&opened, usize::MAX, pen, body);
    let most = lines.saturating_sub(usize::from(body.height));
    self::lines(&opened, scroll.min(most), pen, body);
}

/// Draws the lines that are seen and returns how many there are in all.
fn lines(opened: &Opened, scroll: usize, pen: &mut Pen<'_>, area: Rect) -> usize {
    let label = opened
        .facts
        .iter()
        .map(|(label, _, _)| pen.width(label))
        .max()
        .unwrap_or(0)
        + 2;
    let mut place = 0;
    for (name, text, tone) in &opened.facts {
        let room = area.width.saturating_sub(label).max(1);
        for (part, text) in wrap(text, usize::from(room), pen).iter().enumerate() {
            if let Some(y) = line_of(place, scroll, area) {
                if part == 0 {
                    pen.put(area.x, y, label, name, Role::Quiet);
                }
                pen.put(area.x + label, y, room, text, role_of(*tone));
            }
            place += 1;
        }
    }
    if let Some((heading, changes)) = &opened.changes {
        if let Some(y) = line_of(place, scroll, area) {
            pen.put(area.x, y, area.width, heading, Role::Accent);
        }
        place += 1;
        for change in changes {
            let room = area.width.saturating_sub(2).max(1);
            for text in wrap(change, usize::from(room), pen) {
                if let Some(y) = line_of(place, scroll, area) {
                    pen.put(area.x + 2, y, room, &text, Role::Text);
                }
                place += 1;
            }
        }
    }
    if let Some(y) = line_of(place, scroll, area) {
        pen.put(area.x, y, area.width, "steps", Role::Accent);
    }
    place += 1;
    for step in &opened.steps {
        if let Some(y) = line_of(place, scroll, area) {
            draw_step(
                step,
                pen,
                Rect {
                    y,
                    height: 1,
                    ..area
                },
            );
        }
        place += 1;
    }
    place
}

fn draw_step(step: &StepRow, pen: &mut Pen<'_>, line: Rect) {
    let y = line.y;
    let mut x = line.x;
    if step.first_miss {
        pen.glyph(x, y, pen.glyphs.alarm, Role::Attention);
    }
    x += 2;
    let role = if step.first_miss {
        Role::Attention
    } else {
        role_of(step.tone)
    };
    pen.put(x, y, 9, step.word, role);
    x += 10;
    let time = step.seconds.map(seconds);
    pen.put_right(x, y, 9, time.as_deref().unwrap_or("-"), Role::Text);
    x += 11;
    if line.width >= 76 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the width"
        )]
        let full = (step.part.clamp(0.0, 1.0) * f64::from(BAR)).ceil() as u16;
        for at in 0..full.min(BAR) {
            pen.glyph(x + at, y, pen.glyphs.bar, role);
        }
        x += BAR + 1;
    }
    let mut name = step.name.clone();
    if step.fetched > 0 {
        name = format!("{name}  {} fetched", age::bytes(step.fetched));
    }
    let mark = if step.first_miss { "  first miss" } else { "" };
    let marked = pen.width(mark);
    let room = line.right().saturating_sub(x).saturating_sub(marked);
    let used = pen.put(x, y, room, &name, Role::Text);
    pen.put(x + used, y, marked, mark, Role::Attention);
}
