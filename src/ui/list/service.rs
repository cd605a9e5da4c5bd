//! The row of one service.

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::app::explain::{Tone, verdict_words};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::rows::Row;
use crate::app::screen::Group;
use crate::core::age;
use crate::core::engine::{ContainerState, Health};
use crate::core::files::ConfigState;
use crate::core::verdict::Verdict;

use super::super::columns::{Columns, Span};
use super::super::pen::Pen;
use super::super::role_of;
use super::super::theme::Role;

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
    let spill = verdict(model, service, columns, pen, line);
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

/// Writes the verdict with what stands beside it and tells whether that took the column of the pull, too.
fn verdict(
    model: &Model,
    service: &ServiceView,
    columns: &Columns,
    pen: &mut Pen<'_>,
    line: Rect,
) -> bool {
    let span = columns.verdict;
    let (x, y) = (line.x + span.x, line.y);
    let tone = role_of(Tone::of(service.verdict));
    let mut room = span.width;
    let marks = marks(model, service);
    let words = verdict_words(service);
    let whole: u16 = 2
        + pen.width(&words)
        + marks
            .iter()
            .map(|(mark, _)| pen.width(mark) + 1)
            .sum::<u16>();
    let mut spill = false;
    // A column that would hold a dash lends its place.
    if let Some(pull_span) = columns.pull
        && whole > room
        && pull(service).is_none()
    {
        room = pull_span.x + pull_span.width - span.x;
        spill = true;
    }
    let alarm = service.is_unhealthy();
    let mut used = 0;
    // Health comes first where only one of both has room.
    if alarm && service.verdict.is_settled() && whole > room {
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
    if room > 0 {
        pen.glyph(x, y, pen.glyphs.verdict(service.verdict), tone);
    }
    used += 2;
    used += pen.put(x + used, y, room.saturating_sub(used), &words, tone);
    for (place, (text, role)) in marks.iter().enumerate() {
        let width = pen.width(text);
        let last = place + 1 == marks.len();
        let reserve = if last { 0 } else { 2 };
        if used + 1 + width + reserve > room && !(last && used + 1 + width <= room) {
            if used + 2 <= room {
                let (mark, role) = if alarm && place == 0 {
                    (pen.glyphs.alarm, Role::Danger)
                } else {
                    ('+', Role::Attention)
                };
                pen.glyph(x + used + 1, y, mark, role);
            }
            break;
        }
        used += 1 + pen.put(x + used + 1, y, width, text, *role);
    }
    spill
}

/// Returns what stands beside the verdict, most important first.
fn marks(model: &Model, service: &ServiceView) -> Vec<(String, Role)> {
    let mut marks = Vec::new();
    if service.is_unhealthy() {
        marks.push((service.life(), Role::Danger));
    } else if !is_plainly_up(service) {
        marks.push((service.life(), Role::Quiet));
    }
    if let Some((last, at)) = service.last {
        let text = format!("({}, {})", last.word(), age::age(model.now.wall, at));
        marks.push((text, Role::Quiet));
    }
    if service.verdict == Verdict::Pulled {
        marks.push(("recreate missing".to_owned(), Role::Quiet));
    }
    match service.config {
        ConfigState::Changed => marks.push(("config changed".to_owned(), Role::Attention)),
        ConfigState::Unreadable => marks.push(("config unreadable".to_owned(), Role::Attention)),
        ConfigState::Same | ConfigState::Unknown => {}
    }
    if service.mixed {
        marks.push(("mixed".to_owned(), Role::Attention));
    }
    if service.left_overs > 0 {
        marks.push(("left-over".to_owned(), Role::Attention));
    }
    marks
}

fn is_plainly_up(service: &ServiceView) -> bool {
    service.containers.iter().all(|container| {
        container.state == ContainerState::Running && container.health != Health::Starting
    })
}
