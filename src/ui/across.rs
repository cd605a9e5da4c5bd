//! Environments side by side: one row a service, one column an environment.

use ratatui::layout::Rect;

use crate::app::explain::{Tone, verdict_words};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::rows::{Place, Rows, service_of};
use crate::core::age;

use super::list::{begin, end, host_is_stale, visible};
use super::pen::Pen;
use super::role_of;
use super::theme::{Ground, Role};

/// The least that a column needs to say where and how.
const NARROWEST: u16 = 18;

/// Draws the table; columns that find no room are reached by going sideways.
pub fn draw(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) {
    let all = u16::try_from(rows.columns.len()).unwrap_or(u16::MAX).max(1);
    let name = (area.width / 4).clamp(12, 28).min(area.width);
    let room = area.width.saturating_sub(name + 2);
    let fit = (room / NARROWEST).clamp(1, all);
    let width = room / fit;
    let chosen = rows.column(model);
    let fit = usize::from(fit);
    let first = chosen.saturating_sub(fit - 1);
    let shown = first..(first + fit).min(rows.columns.len());

    pen.put(
        area.x + 1,
        area.y,
        name,
        model.screen.group.word(),
        Role::Accent,
    );
    for (place, column) in shown.clone().enumerate() {
        let x = column_x(area, name, width, place);
        let mut title = rows.columns[column].clone();
        if place == 0 && first > 0 {
            title = format!("< {title}");
        }
        if place + 1 == fit && shown.end < rows.columns.len() {
            title = format!("{title} >");
        }
        pen.put(x, area.y, width.saturating_sub(1), &title, Role::Accent);
    }
    let body = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let selected = rows.selected_index(model);
    for (index, y) in visible(rows.list.len(), selected, body) {
        let Place::Across(across) = rows.list[index].place else {
            continue;
        };
        let across = &rows.across[across];
        let line = Rect {
            y,
            height: 1,
            ..body
        };
        let is_selected = selected == Some(index);
        let own = rows.nearest(across, chosen);
        if is_selected {
            pen.glyph(line.x, y, pen.glyphs.cursor, Role::Text);
        }
        if !across.again || index == 0 {
            pen.put(
                line.x + 2,
                y,
                name.saturating_sub(1),
                &across.label,
                Role::Text,
            );
        }
        for (place, column) in shown.clone().enumerate() {
            let cell = Rect {
                x: column_x(area, name, width, place),
                width: width.saturating_sub(1),
                ..line
            };
            let Some(at) = across.cells[column] else {
                pen.put(cell.x, y, cell.width, "-", Role::Quiet);
                continue;
            };
            begin(pen, cell, false);
            if is_selected && at == own {
                pen.ground = Ground::Selection;
                pen.fill(cell);
            }
            pen.dim = host_is_stale(&model.hosts[at.0]);
            service(model, service_of(model, at), pen, cell);
            end(pen);
        }
    }
}

fn column_x(area: Rect, name: u16, width: u16, place: usize) -> u16 {
    let place = u16::try_from(place).unwrap_or(u16::MAX);
    area.x
        .saturating_add(2 + name)
        .saturating_add(place.saturating_mul(width))
}

/// Writes host, verdict, running digest and its age, as far as they fit.
fn service(model: &Model, service: &ServiceView, pen: &mut Pen<'_>, cell: Rect) {
    let alarm = service.is_unhealthy();
    let role = role_of(Tone::of(service.verdict));
    let mark = if alarm {
        (pen.glyphs.alarm, Role::Danger)
    } else {
        (pen.glyphs.verdict(service.verdict), role)
    };
    if cell.width == 0 {
        return;
    }
    pen.glyph(cell.x, cell.y, mark.0, mark.1);
    let words = verdict_words(service);
    let mut x = cell.x + 2;
    let end = cell.right();
    let digest = service.running.short();
    let built = service
        .running
        .created
        .map(|at| age::age(model.now.wall, at))
        .unwrap_or_default();
    x += pen.put(x, cell.y, end.saturating_sub(x), &words, role) + 1;
    let host = service.key.host.as_str();
    // The digest is shown whole or not at all.
    let with_digest = x + pen.width(host) + 1 + 12 <= end;
    x += pen.put(x, cell.y, end.saturating_sub(x), host, Role::Text) + 1;
    if with_digest {
        x += pen.put(x, cell.y, 12, digest, Role::Quiet) + 1;
        if x + pen.width(&built) <= end {
            pen.put(x, cell.y, end - x, &built, Role::Quiet);
        }
    }
}
