//! The wall: figures that are read from afar, then one line for each thing that needs a human.

use ratatui::layout::Rect;

use crate::app::model::Model;
use crate::app::wall::{self, Item};
use crate::core::age::count;

use super::pen::Pen;
use super::role_of;
use super::theme::Role;

/// The width of the column of times, with the gap before it.
const SEEN: u16 = 14;
/// From which width on there is room for it.
const WITH_TIMES: u16 = 60;
/// How wide a line is at most.
const WIDEST: u16 = 170;

/// Draws the whole screen.
pub fn draw(model: &Model, page: usize, pen: &mut Pen<'_>, area: Rect) {
    pen.dim = wall::is_night(model);
    let items = wall::items(model);
    let (open, is_calm) = (wall::open_count(&items), items.is_empty());
    let pages = wall::dealt(items, wall::per_page(area.height));
    let page = page.min(pages.len() - 1);
    head(model, (page, pages.len()), pen, area);
    let mut y = area.y + 2;
    if wall::scale(area.height) > 0 {
        figure(model, open, pen, Rect { y, ..area });
        y += wall::figure_lines(area.height);
    } else if is_calm {
        pen.put(area.x + 2, y, area.width, &calm(model), Role::Good);
    }
    // What stands beside a text is found more easily where it is not a whole wide screen away.
    let area = Rect {
        width: area.width.min(WIDEST),
        ..area
    };
    let page = &pages[page];
    // Where no time is told the text has that room too.
    let times = area.width >= WITH_TIMES && page.iter().any(|item| item.seen.is_some());
    if times {
        let right = area.right() - SEEN;
        pen.put_right(right, y - 1, SEEN - 1, "seen", Role::Quiet);
    }
    let bottom = area.bottom().saturating_sub(1);
    for item in page {
        if y >= bottom {
            break;
        }
        line(
            model,
            item,
            times,
            pen,
            Rect {
                y,
                height: 1,
                ..area
            },
        );
        y += 1;
    }
    if area.height > 3 {
        let foot = wall::foot(model);
        let text = model
            .screen
            .notice
            .as_ref()
            .map_or(&foot, |notice| &notice.text);
        pen.put(
            area.x + 1,
            bottom,
            area.width.saturating_sub(2),
            text,
            Role::Quiet,
        );
    }
    pen.dim = false;
}

fn head(model: &Model, (page, pages): (usize, usize), pen: &mut Pen<'_>, area: Rect) {
    let mut right = Vec::new();
    if pages > 1 {
        right.push(format!("page {} of {pages}", page + 1));
    }
    if model.read_only {
        right.push("read-only".to_owned());
    }
    if !wall::is_clock_set(model) {
        right.push("the clock is not set".to_owned());
    } else if let Some(changed) = model.changed_at {
        right.push(format!("changed {}", wall::time(model, changed)));
    }
    let right = right.join("   ");
    let width = pen.width(&right).min(area.width.saturating_sub(2));
    let room = area.width.saturating_sub(width + 3);
    let up = wall::hosts_up(model);
    let mut x = area.x + 1;
    if pen.width(&up) + 16 < room {
        x += pen.put(x, area.y, room, "HOMELAB", Role::Accent) + 4;
    }
    pen.put(x, area.y, room.saturating_sub(x - area.x), &up, Role::Text);
    pen.put_right(area.right() - width - 1, area.y, width, &right, Role::Text);
}

fn calm(model: &Model) -> String {
    match model.services().count() {
        0 if model.hosts.is_empty() => "no hosts".to_owned(),
        0 => "nothing seen yet".to_owned(),
        number => format!("all is well with {}", count(number, "service")),
    }
}

/// Draws how many things need a human, large.
fn figure(model: &Model, open: usize, pen: &mut Pen<'_>, area: Rect) {
    let known = model.services().next().is_some();
    let (text, words, role) = match open {
        0 if known => ("OK".to_owned(), calm(model), Role::Good),
        0 => ("-".to_owned(), calm(model), Role::Quiet),
        1 => (
            "1".to_owned(),
            "thing needs a human".to_owned(),
            Role::Attention,
        ),
        number => (
            number.to_string(),
            "things need a human".to_owned(),
            Role::Attention,
        ),
    };
    let scale = wall::scale(model.screen.height).max(1);
    let mut x = area.x + 2;
    for c in text.chars() {
        for (row, bits) in (0..).zip(pattern(c)) {
            for (column, bit) in (0..).zip(bits.bytes()) {
                let place = (x + column * 2 * scale, area.y + row * scale);
                if bit == b'#' {
                    dot(place, scale, pen, area, role);
                }
            }
        }
        x += 8 * scale;
    }
    let room = area.right().saturating_sub(x + 1);
    pen.put(x + 1, area.y + 5 * scale / 2, room, &words, role);
}

/// Draws one dot of a figure: twice as many columns as rows, as cells are about twice as high as wide.
fn dot((x, y): (u16, u16), scale: u16, pen: &mut Pen<'_>, area: Rect, role: Role) {
    for row in y..y + scale {
        for column in x..x + 2 * scale {
            if column < area.right() {
                pen.glyph(column, row, pen.glyphs.bar, role);
            }
        }
    }
}

/// A letter of five rows by three dots.
fn pattern(c: char) -> [&'static str; 5] {
    match c {
        '0' | 'O' => ["###", "# #", "# #", "# #", "###"],
        '1' => [" # ", "## ", " # ", " # ", "###"],
        '2' => ["###", "  #", "###", "#  ", "###"],
        '3' => ["###", "  #", "###", "  #", "###"],
        '4' => ["# #", "# #", "###", "  #", "  #"],
        '5' => ["###", "#  ", "###", "  #", "###"],
        '6' => ["###", "#  ", "###", "# #", "###"],
        '7' => ["###", "  #", "  #", "  #", "  #"],
        '8' => ["###", "# #", "###", "# #", "###"],
        '9' => ["###", "# #", "###", "  #", "###"],
        'K' => ["# #", "# #", "## ", "# #", "# #"],
        _ => ["   ", "   ", "###", "   ", "   "],
    }
}

fn line(model: &Model, item: &Item, times: bool, pen: &mut Pen<'_>, area: Rect) {
    let role = role_of(item.tone);
    let indent = if item.below { 6 } else { 4 };
    if !item.below {
        pen.glyph(area.x + 2, area.y, pen.glyphs.alarm, role);
    }
    let seen = item.seen.map(|at| wall::time(model, at));
    let seen_room = if times { SEEN } else { 0 };
    let right = area.right().saturating_sub(1 + seen_room);
    let whole = right.saturating_sub(area.x + indent);
    // The text comes first; what stands beside it has the rest, or half.
    let rest = whole.saturating_sub(pen.width(&item.text) + 2);
    let beside = pen.width(&item.beside).min(rest.max(whole / 2));
    let gap = if beside > 0 { 2 } else { 0 };
    let text = whole.saturating_sub(beside + gap);
    pen.put(area.x + indent, area.y, text, &item.text, role);
    pen.put_right(right - beside, area.y, beside, &item.beside, Role::Text);
    if let Some(seen) = seen.filter(|_| times) {
        pen.put_right(
            area.right() - seen_room,
            area.y,
            seen_room - 1,
            &seen,
            Role::Quiet,
        );
    }
}
