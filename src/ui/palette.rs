//! The palette: commands found by what is typed.

use ratatui::layout::Rect;

use crate::app::commands;
use crate::app::model::Model;
use crate::app::update::palette_matches;

use super::footer::field;
use super::overlay::open;
use super::pen::Pen;
use super::theme::{Ground, Role};

/// Draws the text field and what it finds, near the top.
pub fn draw(model: &Model, input: &str, chosen: usize, pen: &mut Pen<'_>, screen: Rect) {
    let found = palette_matches(input);
    let width = if screen.width < 100 { screen.width } else { 90 };
    let rows = u16::try_from(found.len().max(1)).unwrap_or(u16::MAX);
    let height = rows.saturating_add(3).min(screen.height);
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 4,
        width,
        height,
    };
    let inner = open("commands", pen, area);
    if inner.is_empty() {
        return;
    }
    field(input, ":", pen, Rect { height: 1, ..inner });
    let list = Rect {
        y: inner.y + 1,
        height: inner.height - 1,
        ..inner
    };
    pen.ground = Ground::Overlay;
    if found.is_empty() {
        pen.put(
            list.x + 1,
            list.y,
            list.width,
            "no command is called so",
            Role::Attention,
        );
    }
    let chosen = chosen.min(found.len().saturating_sub(1));
    let first = chosen.saturating_sub(usize::from(list.height).saturating_sub(1));
    let rows = found.iter().enumerate().skip(first);
    for ((index, command), y) in rows.zip(list.top()..list.bottom()) {
        let line = Rect {
            y,
            height: 1,
            ..list
        };
        if index == chosen {
            pen.ground = Ground::Selection;
            pen.fill(line);
            pen.glyph(line.x, y, pen.glyphs.cursor, Role::Text);
        }
        let refused = commands::refusal(model, command);
        let key = model.keymap.shown(command.id);
        let mut x = line.x + 2;
        let left = |x: u16| line.right().saturating_sub(x);
        pen.put(x, y, left(x).min(7), &key, Role::Accent);
        x += 8;
        let role = if refused.is_some() {
            Role::Quiet
        } else {
            Role::Text
        };
        pen.put(x, y, left(x).min(12), command.id, role);
        x += 13;
        match refused {
            Some(why) => pen.put(x, y, left(x), &format!("not now: {why}"), Role::Attention),
            None => pen.put(x, y, left(x), command.help, Role::Quiet),
        };
        pen.ground = Ground::Overlay;
    }
}
