//! The list of hosts, projects, services and groups.

mod above;
mod service;
mod verdict;

use ratatui::layout::Rect;

use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Link, Model};
use crate::app::rows::{Place, Row, Rows, service_at, service_of};
use crate::app::screen::Group;
use crate::app::targets::{self, Marked};

use super::across;
use super::columns::Columns;
use super::pen::Pen;
use super::theme::{Ground, Role};

/// Draws the list with the names of its columns where there is room.
pub fn draw(model: &Model, rows: &Rows, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    if model.screen.group == Group::Environment {
        across::draw(model, rows, pen, area);
        return;
    }
    let group = model.screen.group;
    let columns = Columns::of(area.width, group != Group::Host, group != Group::Image);
    let area = if area.height >= 6 {
        titles(model, &columns, pen, area);
        Rect {
            y: area.y + 1,
            height: area.height - 1,
            ..area
        }
    } else {
        area
    };
    let selected = rows.selected_index(model);
    for (index, y) in visible(rows.list.len(), selected, area) {
        let row = &rows.list[index];
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        begin(pen, line, selected == Some(index));
        mark(marked(model, rows, row), pen, line);
        pen.dim = is_stale(model, row);
        match row.place {
            Place::Host(host) => above::host(model, host, row, &columns, pen, line),
            Place::Project(host, project) => {
                above::project(model, host, project, row, &columns, pen, line);
            }
            Place::Head(head) => above::head(model, &rows.heads[head], row, &columns, pen, line),
            Place::Service(..) => {
                service::draw(
                    model,
                    service_at(model, row.place),
                    row,
                    &columns,
                    pen,
                    line,
                );
            }
            Place::Across(_) => {}
        }
        end(pen);
    }
}

/// Returns which rows are seen and on which line, the selected one always among them.
pub fn visible(
    rows: usize,
    selected: Option<usize>,
    area: Rect,
) -> impl Iterator<Item = (usize, u16)> {
    let height = usize::from(area.height);
    let last_first = rows.saturating_sub(height);
    // The selection stays in the middle, away from the edges, except near both ends of the list.
    let first = selected
        .unwrap_or(0)
        .saturating_sub(height / 2)
        .min(last_first);
    (first..rows).zip(area.top()..area.bottom())
}

/// Begins a row: its ground, and the mark of the selected one.
pub fn begin(pen: &mut Pen<'_>, line: Rect, selected: bool) {
    if selected {
        pen.ground = Ground::Selection;
        pen.fill(line);
        pen.glyph(line.x, line.y, pen.glyphs.cursor, Role::Text);
    }
}

/// Writes the sign of what is marked beside the cursor's.
pub fn mark(marked: Marked, pen: &mut Pen<'_>, line: Rect) {
    let (glyph, role) = match marked {
        Marked::None => return,
        Marked::Some => (pen.glyphs.partly_marked, Role::Quiet),
        Marked::All => (pen.glyphs.marked, Role::Accent),
    };
    if line.width > 1 {
        pen.glyph(line.x + 1, line.y, glyph, role);
    }
}

fn marked(model: &Model, rows: &Rows, row: &Row) -> Marked {
    if model.screen.marked.is_empty() {
        return Marked::None;
    }
    let keys = |services: &mut dyn Iterator<Item = &ServiceView>| {
        targets::share(model, services.map(|service| &service.key))
    };
    match row.place {
        Place::Host(host) => keys(&mut model.judged[host].services()),
        Place::Project(host, project) => {
            keys(&mut model.judged[host].projects[project].services.iter())
        }
        Place::Service(..) => keys(&mut std::iter::once(service_at(model, row.place))),
        Place::Head(head) => {
            let services = &rows.heads[head].services;
            keys(&mut services.iter().map(|at| service_of(model, *at)))
        }
        // Its cells have marks of their own.
        Place::Across(_) => Marked::None,
    }
}

/// Ends a row.
pub fn end(pen: &mut Pen<'_>) {
    pen.ground = Ground::Screen;
    pen.dim = false;
}

/// Tells whether what the row shows was not seen over the present connection.
pub fn host_is_stale(host: &HostModel) -> bool {
    !(host.fresh && host.link == Link::Up)
}

fn is_stale(model: &Model, row: &Row) -> bool {
    match row.place {
        Place::Project(host, _) | Place::Service(host, _, _) => host_is_stale(&model.hosts[host]),
        // A host's row has its own colours for its state.
        Place::Host(_) | Place::Head(_) | Place::Across(_) => false,
    }
}

fn titles(model: &Model, columns: &Columns, pen: &mut Pen<'_>, area: Rect) {
    let (x, y) = (area.x, area.y);
    let name = columns.name;
    let mut group = model.screen.group.word().to_owned();
    if !model.screen.filter.is_empty() {
        group = format!("{group} /{}", model.screen.filter);
    }
    pen.put(x + 1, y, name.width, &group, Role::Accent);
    if model.screen.group == Group::Image {
        if let Some(span) = columns.running {
            pen.put(x + span.x, y, span.width, "digest", Role::Quiet);
            let hosts = span.x + span.width + 2;
            let room = area.width.saturating_sub(hosts);
            pen.put(x + hosts, y, room, "hosts", Role::Quiet);
        }
        return;
    }
    let sources = [
        (columns.image, "image"),
        (columns.running, "running"),
        (columns.registry, "registry"),
        (Some(columns.verdict), "verdict"),
    ];
    for (span, title) in sources {
        if let Some(span) = span {
            pen.put(x + span.x, y, span.width, title, Role::Quiet);
        }
    }
    if let Some(span) = columns.pull {
        pen.put_right(x + span.x, y, span.width, "pull", Role::Quiet);
    }
    for span in [columns.running_age, columns.registry_age]
        .into_iter()
        .flatten()
    {
        pen.put_right(x + span.x, y, span.width, "built", Role::Quiet);
    }
}
