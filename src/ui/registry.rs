//! The view of a registry: its repositories, what is newest in each, how much they fill, and who runs them.

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::app::model::Model;
use crate::app::preview::registry::{self, RegistryView, RepositoryRow};
use crate::core::age::{age, bytes, count};
use crate::core::names::RegistryHost;

use super::list;
use super::pen::Pen;
use super::theme::Role;

/// The widths of what is never cut.
const TAGS: u16 = 6;
const NEWEST: u16 = 8;
const SIZE: u16 = 10;

/// Draws the view.
pub fn draw(
    model: &Model,
    registry: &RegistryHost,
    only: Option<&str>,
    selected: usize,
    pen: &mut Pen<'_>,
    area: Rect,
) {
    if area.is_empty() {
        return;
    }
    let view = registry::view(model, registry, only);
    title(&view, pen, area);
    let now = model.now.wall;
    let columns = Columns::of(area.width);
    let mut top = area.y + 1;
    if area.height >= 6 {
        columns.titles(pen, Rect { y: top, ..area });
        top += 1;
    }
    let rows = Rect {
        y: top,
        height: area.bottom().saturating_sub(top),
        ..area
    };
    let selected = selected.min(view.repositories.len().saturating_sub(1));
    for (index, y) in list::visible(view.repositories.len(), Some(selected), rows) {
        let line = Rect {
            y,
            height: 1,
            ..rows
        };
        list::begin(pen, line, index == selected);
        columns.row(&view.repositories[index], now, pen, line);
        list::end(pen);
    }
}

fn title(view: &RegistryView, pen: &mut Pen<'_>, area: Rect) {
    let mut x = area.x + 1;
    let end = area.right().saturating_sub(1);
    x += pen.put(x, area.y, end.saturating_sub(x), "registry", Role::Accent) + 2;
    x += pen.put(
        x,
        area.y,
        end.saturating_sub(x),
        view.registry.as_str(),
        Role::Text,
    ) + 2;
    let (text, role) = match &view.failure {
        Some(failure) => (failure.clone(), Role::Attention),
        None => (summary(view), Role::Quiet),
    };
    pen.put(x, area.y, end.saturating_sub(x), &text, role);
}

fn summary(view: &RegistryView) -> String {
    let mut parts = Vec::new();
    parts.push(match view.repositories.len() {
        0 if view.asking => "asking".to_owned(),
        1 => "1 repository".to_owned(),
        number => format!("{number} repositories"),
    });
    if !view.complete && !view.repositories.is_empty() {
        parts.push("of more".to_owned());
    }
    let unused = view
        .repositories
        .iter()
        .filter(|row| row.runs_on.is_empty());
    let unused = unused.count();
    if unused > 0 {
        parts.push(format!("{unused} run nowhere"));
    }
    parts.join(", ")
}

struct Columns {
    name: u16,
    runs: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let left = width.saturating_sub(2 + TAGS + NEWEST + SIZE + 2);
        let name = (left / 2).min(44).max(left.min(10));
        Self {
            name,
            runs: left - name,
        }
    }

    fn titles(&self, pen: &mut Pen<'_>, line: Rect) {
        let mut x = line.x + 2;
        pen.put(x, line.y, self.name, "repository", Role::Quiet);
        x += self.name;
        pen.put_right(x, line.y, TAGS - 1, "tags", Role::Quiet);
        x += TAGS;
        pen.put(x, line.y, NEWEST, "newest", Role::Quiet);
        x += NEWEST;
        pen.put_right(x, line.y, SIZE, "size", Role::Quiet);
        x += SIZE + 2;
        pen.put(x, line.y, self.runs, "runs on", Role::Quiet);
    }

    fn row(&self, row: &RepositoryRow, now: Timestamp, pen: &mut Pen<'_>, line: Rect) {
        let y = line.y;
        let mut x = line.x + 2;
        pen.put(
            x,
            y,
            self.name.saturating_sub(1),
            &row.repository.path,
            Role::Text,
        );
        x += self.name;
        if let Some(failure) = &row.failure {
            let room = line.right().saturating_sub(x + 1);
            pen.put(x, y, room, failure, Role::Attention);
            return;
        }
        pen.put_right(x, y, TAGS - 1, &row.tags.len().to_string(), Role::Text);
        x += TAGS;
        let newest = row.newest.as_ref().map(|(at, _)| age(now, *at));
        pen.put(x, y, NEWEST, newest.as_deref().unwrap_or("-"), Role::Text);
        x += NEWEST;
        let size = row.bytes.map_or_else(|| "-".to_owned(), bytes);
        pen.put_right(x, y, SIZE, &size, Role::Text);
        x += SIZE + 2;
        let runs = match row.runs_on.as_slice() {
            [] => "nowhere".to_owned(),
            [one] => one.to_string(),
            [first, rest @ ..] => format!("{first} and {}", count(rest.len(), "other")),
        };
        let role = if row.runs_on.is_empty() {
            Role::Quiet
        } else {
            Role::Text
        };
        pen.put(x, y, self.runs, &runs, role);
    }
}
