//! Environments side by side: one row a service, one column an environment.

use std::ops::Range;

use ratatui::layout::Rect;

use crate::app::explain::{Tone, verdict_words};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::rows::{Across, At, Place, Rows, service_of};
use crate::core::age;

use super::list::{end, host_is_stale, visible};
use super::pen::Pen;
use super::role_of;
use super::theme::{Ground, Role};

/// The least that a column needs to say where and how.
const NARROWEST: u16 = 16;

/// Draws the table; columns that find no room are reached by going sideways.
pub fn draw(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) {
    let table = Table::of(model, rows, area);
    let titled = area.height >= 3;
    if titled {
        table.titles(model, rows, pen);
    }
    let body = Rect {
        y: area.y + u16::from(titled),
        height: area.height - u16::from(titled),
        ..area
    };
    let selected = rows.selected_index(model);
    for (index, y) in visible(rows.list.len(), selected, body) {
        if let Place::Across(across) = rows.list[index].place {
            let across = &rows.across[across];
            let own = (selected == Some(index)).then(|| rows.nearest(across, table.chosen));
            table.row(model, across, own, pen, y);
        }
    }
}

/// Where the columns stand.
struct Table {
    area: Rect,
    /// The width of the names before the first column.
    name: u16,
    /// The width of each column.
    width: u16,
    /// The column of the selected service.
    chosen: usize,
    shown: Range<usize>,
}

impl Table {
    fn of(model: &Model, rows: &Rows, area: Rect) -> Self {
        let all = u16::try_from(rows.columns.len()).unwrap_or(u16::MAX).max(1);
        let name = (area.width / 4).clamp(12, 28).min(area.width);
        let room = area.width.saturating_sub(name + 2);
        let fit = (room / NARROWEST).clamp(1, all);
        let chosen = rows.column(model);
        let first = chosen.saturating_sub(usize::from(fit) - 1);
        let last = (first + usize::from(fit)).min(rows.columns.len());
        Self {
            area,
            name,
            width: room / fit,
            chosen,
            shown: first..last,
        }
    }

    /// Returns the place of each shown column on a line.
    fn cells(&self, y: u16) -> impl Iterator<Item = (usize, Rect)> {
        let first = self.area.x.saturating_add(2 + self.name);
        let lefts = (0..).map(move |place: u16| first + place * self.width);
        self.shown.clone().zip(lefts).map(move |(column, x)| {
            let width = self.width.saturating_sub(1);
            (column, Rect::new(x, y, width, 1))
        })
    }

    /// Names the environments, and says on which side there are more.
    fn titles(&self, model: &Model, rows: &Rows, pen: &mut Pen<'_>) {
        let (x, y) = (self.area.x + 1, self.area.y);
        pen.put(x, y, self.name, model.screen.group.word(), Role::Accent);
        for (column, cell) in self.cells(y) {
            let mut title = rows.columns[column].clone();
            if column == self.shown.start && column > 0 {
                title = format!("< {title}");
            }
            if column + 1 == self.shown.end && self.shown.end < rows.columns.len() {
                title = format!("{title} >");
            }
            pen.put(cell.x, y, cell.width, &title, Role::Accent);
        }
    }

    /// Draws one service over its environments; `own` is the selected one of a selected row.
    fn row(&self, model: &Model, across: &Across, own: Option<At>, pen: &mut Pen<'_>, y: u16) {
        let x = self.area.x;
        if own.is_some() {
            pen.glyph(x, y, pen.glyphs.cursor, Role::Text);
        }
        if !across.again {
            let room = self.name.saturating_sub(1);
            pen.put(x + 2, y, room, &across.label, Role::Text);
        }
        for (column, cell) in self.cells(y) {
            let Some(at) = across.cells[column] else {
                pen.put(cell.x, y, cell.width, "-", Role::Quiet);
                continue;
            };
            if own == Some(at) {
                pen.ground = Ground::Selection;
                pen.fill(cell);
            }
            let view = service_of(model, at);
            // The mark stands in the gap before the cell.
            if model.screen.marked.contains(&view.key) && cell.x > 0 {
                pen.glyph(cell.x - 1, y, pen.glyphs.marked, Role::Accent);
            }
            pen.dim = host_is_stale(&model.hosts[at.0]);
            service(model, service_of(model, at), pen, cell);
            end(pen);
        }
    }
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
