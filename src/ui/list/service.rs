//! The row of one service.

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::rows::Row;
use crate::app::screen::Group;
use crate::core::age;

use super::super::columns::{Columns, Span};
use super::super::pen::Pen;
use super::super::theme::Role;
use super::verdict;

/// Draws the row.
pub fn draw(
    model: &Model,
    service: &ServiceView,
    row: &Row,
    columns: &Columns,
    pen: &mut Pen<'_>,
    line: Rect,
) {
    let (x, y) = (line.x, line.y);
    let indent = u16::from(row.depth) * 2;
    let name = columns.name;
    let own = match model.screen.group {
        Group::Host => service.key.service.to_string(),
        Group::Image | Group::Attention | Group::Environment => service.key.to_string(),
    };
    let room = name.width.saturating_sub(indent);
    pen.put(x + name.x + indent, y, room, &own, Role::Text);
    if let Some(span) = columns.image {
        pen.put(
            x + span.x,
            y,
            span.width,
            &image(service, model, span),
            Role::Text,
        );
    }
    let now = model.now.wall;
    digest(
        columns.running,
        Some(service.running.short()),
        Role::Text,
        pen,
        line,
    );
    built(columns.running_age, service.running.created, now, pen, line);
    // The same digest twice on a row is calm; another one stands out.
    let registry = service.registry.digest.as_ref();
    let same = registry.is_some_and(|digest| digest.short() == service.running.short());
    let role = if same { Role::Quiet } else { Role::Text };
    let missing = if service.registry.asking {
        "asking"
    } else {
        "-"
    };
    match registry {
        Some(registry) => digest(columns.registry, Some(registry.short()), role, pen, line),
        None => digest(columns.registry, Some(missing), Role::Quiet, pen, line),
    }
    built(
        columns.registry_age,
        service.registry.created,
        now,
        pen,
        line,
    );
    let spill = verdict::draw(model, service, columns, pull(service).is_none(), pen, line);
    if let Some(span) = columns.pull
        && !spill
    {
        let text = pull(service).map_or_else(|| "-".to_owned(), age::bytes);
        let role = if text == "-" { Role::Quiet } else { Role::Text };
        pen.put_right(x + span.x, y, span.width, &text, role);
    }
}

/// Returns what a pull would fetch where that says anything.
fn pull(service: &ServiceView) -> Option<u64> {
    service
        .fetch_bytes
        .filter(|_| !service.verdict.is_settled())
}

/// Returns the image as far as it fits: the whole name, else its last part, else its tag.
fn image(service: &ServiceView, model: &Model, span: Span) -> String {
    let reference = &service.reference;
    let width = usize::from(span.width);
    let last = reference.rsplit('/').next().unwrap_or(reference);
    let (path, tag) = match last.split_once([':', '@']) {
        Some((path, tag)) if last[path.len()..].starts_with('@') => (path, format!("@{tag}")),
        Some((path, tag)) => (path, format!(":{tag}")),
        None => (last, ":latest".to_owned()),
    };
    // Where the image has the service's own name, the name says nothing new.
    let named = model.screen.group == Group::Host && path == service.key.service.as_str();
    if named || (last.chars().count() > width && path.chars().count() + 4 > width) {
        tag
    } else {
        last.to_owned()
    }
}

fn digest(span: Option<Span>, text: Option<&str>, role: Role, pen: &mut Pen<'_>, line: Rect) {
    if let (Some(span), Some(text)) = (span, text) {
        pen.put(line.x + span.x, line.y, span.width, text, role);
    }
}

fn built(span: Option<Span>, at: Option<Timestamp>, now: Timestamp, pen: &mut Pen<'_>, line: Rect) {
    if let Some(span) = span {
        let text = at.map_or_else(|| "-".to_owned(), |at| age::age(now, at));
        pen.put_right(line.x + span.x, line.y, span.width, &text, Role::Quiet);
    }
}
