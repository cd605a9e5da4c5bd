//! The detail of the selected row, beside the list or below it.

use ratatui::layout::Rect;

use crate::app::explain::{Explanation, brief};
use crate::app::model::Model;
use crate::app::rows::Rows;

use super::pen::Pen;
use super::role_of;
use super::theme::Role;

/// Draws the detail at the right of the list; returns how far it can be scrolled while the keys are its own.
pub fn beside(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) -> Option<usize> {
    if area.width < 4 {
        return None;
    }
    let line = edge(model);
    for y in area.top()..area.bottom() {
        pen.glyph(area.x, y, pen.glyphs.vertical, line);
    }
    let inner = Rect {
        x: area.x + 2,
        width: area.width - 3,
        ..area
    };
    selected(model, rows, pen, inner)
}

/// Draws the detail under the list; returns how far it can be scrolled while the keys are its own.
pub fn below(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) -> Option<usize> {
    if area.height < 2 {
        return None;
    }
    let line = edge(model);
    for x in area.left()..area.right() {
        pen.glyph(x, area.y, pen.glyphs.horizontal, line);
    }
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height - 1,
    };
    selected(model, rows, pen, inner)
}

/// Returns how the line beside the detail looks: it tells whose the keys are.
fn edge(model: &Model) -> Role {
    match model.screen.in_detail {
        Some(_) => Role::Accent,
        None => Role::Border,
    }
}

fn selected(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) -> Option<usize> {
    let index = rows.selected_index(model)?;
    let explanation = brief(model, &rows.id(model, &rows.list[index]));
    let used = pen.put(area.x, area.y, area.width, &explanation.title, Role::Accent);
    let body = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let total = lines(&explanation, usize::MAX, pen, body);
    let end = total.saturating_sub(usize::from(body.height));
    let scroll = model.screen.in_detail.unwrap_or(0).min(end);
    lines(&explanation, scroll, pen, body);
    let first = scroll + 1;
    let last = (scroll + usize::from(body.height)).min(total);
    let place = match (model.screen.in_detail, end) {
        (Some(_), 0) => "all of it is seen".to_owned(),
        (Some(_), _) => format!("{first} to {last} of {total}"),
        (None, 0) => String::new(),
        (None, _) => {
            let key = model.keymap.named("panel");
            format!("{} more, {key}", total - last)
        }
    };
    let room = area.width.saturating_sub(used + 2);
    if pen.width(&place) <= room {
        let x = area.right() - room;
        pen.put_right(x, area.y, room, &place, Role::Quiet);
    }
    model.screen.in_detail.map(|_| end)
}

/// Draws wrapped lines from a scroll offset; returns how many there are in all.
pub fn lines(explanation: &Explanation, scroll: usize, pen: &mut Pen<'_>, area: Rect) -> usize {
    let label = explanation
        .lines
        .iter()
        .map(|line| pen.width(line.label))
        .max()
        .unwrap_or(0);
    let indent = if label == 0 { 0 } else { label + 2 };
    let mut indent_now = 0;
    let mut place = 0;
    for line in &explanation.lines {
        // Lines before the first label have the whole width.
        if !line.label.is_empty() {
            indent_now = indent;
        }
        let indent = indent_now;
        let room = area.width.saturating_sub(indent).max(1);
        for (part, text) in wrap(&line.text, usize::from(room), pen).iter().enumerate() {
            if let Some(y) = line_of(place, scroll, area) {
                if part == 0 {
                    pen.put(area.x, y, area.width, line.label, Role::Quiet);
                }
                pen.put(area.x + indent, y, room, text, role_of(line.tone));
            }
            place += 1;
        }
    }
    place
}

/// Returns the screen's line for the place of a line in a scrolled text, if it is seen.
pub fn line_of(place: usize, scroll: usize, area: Rect) -> Option<u16> {
    let offset = u16::try_from(place.checked_sub(scroll)?).ok()?;
    (offset < area.height).then(|| area.y + offset)
}

/// Breaks a text at spaces, and inside words that are longer than a line.
pub fn wrap(text: &str, width: usize, pen: &Pen<'_>) -> Vec<String> {
    let mut out: Vec<String> = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        let cells = usize::from(pen.width(bare));
        if used > 0 && used + cells > width {
            out.push(String::new());
            used = 0;
        }
        if cells <= width {
            used += usize::from(pen.width(word));
            push(&mut out, word);
            continue;
        }
        for c in word.chars() {
            let cells = usize::from(pen.width(c.encode_utf8(&mut [0; 4])));
            if used + cells > width {
                out.push(String::new());
                used = 0;
            }
            used += cells;
            push(&mut out, c.encode_utf8(&mut [0; 4]));
        }
    }
    for text in &mut out {
        text.truncate(text.trim_end().len());
    }
    out
}

fn push(out: &mut [String], text: &str) {
    if let Some(last) = out.last_mut() {
        last.push_str(text);
    }
}
