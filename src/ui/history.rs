//! The view of what was done and seen: jobs that run on top, then everything that was, newest first.

use ratatui::layout::Rect;

use crate::app::explain::happened;
use crate::app::history::{self, HistoryView};
use crate::app::model::Model;
use crate::app::screen::RowId;
use crate::core::age::count;
use crate::core::history::Entry;
use crate::core::rollout::Outcome;

use super::list;
use super::pen::Pen;
use super::theme::Role;

/// The columns from the left; those without a place are left out.
struct Columns {
    at: u16,
    by: Option<u16>,
    action: u16,
    target: u16,
    images: Option<u16>,
    outcome: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let mut left = width.saturating_sub(2 + 13 + 10 + 11);
        let mut take = |cells: u16| {
            // Targets are what one looks for: they keep their room.
            let fits = left >= cells + 24;
            left -= if fits { cells } else { 0 };
            fits.then_some(cells)
        };
        let images = take(29);
        let by = take(14);
        let target = left.min(34);
        Self {
            at: 13,
            by,
            action: 10,
            target,
            images,
            outcome: left - target + 11,
        }
    }
}

/// Draws the view.
pub fn draw(model: &Model, of: Option<&RowId>, selected: usize, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let view = history::view(model, of);
    title(&view, pen, area);
    let columns = Columns::of(area.width);
    let rows = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    if view.is_empty() {
        let text = if view.asking {
            "reading the journals"
        } else {
            "nothing is on record yet"
        };
        pen.put(
            rows.x + 3,
            rows.y,
            rows.width.saturating_sub(3),
            text,
            Role::Quiet,
        );
        return;
    }
    let selected = selected.min(view.len() - 1);
    for (index, y) in list::visible(view.len(), Some(selected), rows) {
        let line = Rect {
            y,
            height: 1,
            ..rows
        };
        list::begin(pen, line, index == selected);
        match view.jobs.get(index) {
            Some(job) => {
                let cells = [
                    "now".to_owned(),
                    job.by.clone(),
                    job.action.word().to_owned(),
                    job.target.to_string(),
                    job.id.clone(),
                ];
                let role = match &job.ended {
                    Some((outcome, _)) => role_of(Some(*outcome)),
                    None => Role::Accent,
                };
                let why = job.ended.as_ref().map_or("", |(_, why)| why.as_str());
                row(
                    &cells,
                    &format!("{} {why}", job.word()),
                    role,
                    &columns,
                    pen,
                    line,
                );
            }
            None => {
                let entry = view.entries[index - view.jobs.len()];
                past(model, entry, &columns, pen, line);
            }
        }
        list::end(pen);
    }
}

fn title(view: &HistoryView<'_>, pen: &mut Pen<'_>, area: Rect) {
    let mut x = area.x + 1;
    let room = |x: u16| area.right().saturating_sub(x + 1);
    x += pen.put(x, area.y, room(x), "history", Role::Accent) + 2;
    let of = if view.of.is_empty() {
        "everything"
    } else {
        &view.of
    };
    x += pen.put(x, area.y, room(x), of, Role::Text) + 2;
    let (text, role) = match view.errors.first() {
        Some(error) => (error.clone(), Role::Attention),
        None if view.asking => ("reading the journals".to_owned(), Role::Quiet),
        None if view.entries.len() == 1 => ("1 entry".to_owned(), Role::Quiet),
        None => (format!("{} entries", view.entries.len()), Role::Quiet),
    };
    pen.put(x, area.y, room(x), &text, role);
}

fn past(model: &Model, entry: &Entry, columns: &Columns, pen: &mut Pen<'_>, line: Rect) {
    let event = &entry.event;
    let at = event.at.to_zoned(model.zone.clone());
    let today = model.now.wall.to_zoned(model.zone.clone()).date() == at.date();
    let at = if today {
        at.strftime("%H:%M:%S").to_string()
    } else {
        at.strftime("%d %b %H:%M").to_string()
    };
    let action = if event.is_recreation() {
        "recreated"
    } else {
        event.action.as_str()
    };
    let cells = [
        at,
        event.by.clone(),
        action.to_owned(),
        event.target.clone(),
        happened::images(event),
    ];
    let outcome = event.outcome.as_deref().and_then(Outcome::from_word);
    let mut text = event.outcome.clone().unwrap_or_default();
    if event.outcome.is_none() && event.job.is_some() {
        text = "no end known".to_owned();
    }
    if let Some(why) = event.why.as_ref().filter(|_| event.is_seen()) {
        text.clone_from(why);
    }
    if entry.times > 1 {
        text = count(entry.times, "time");
    }
    if event.pin.is_some() && event.action != "unpin" {
        text.push_str(" pinned");
    }
    if let Some(reason) = &event.reason {
        text.push_str(&format!("  \"{reason}\""));
    }
    row(&cells, &text, role_of(outcome), columns, pen, line);
}

fn role_of(outcome: Option<Outcome>) -> Role {
    match outcome {
        Some(Outcome::PutBack | Outcome::Halted) => Role::Danger,
        Some(Outcome::Refused) => Role::Attention,
        Some(Outcome::Succeeded) => Role::Good,
        Some(Outcome::Unchanged) | None => Role::Quiet,
    }
}

fn row(
    [at, by, action, target, images]: &[String; 5],
    outcome: &str,
    role: Role,
    columns: &Columns,
    pen: &mut Pen<'_>,
    line: Rect,
) {
    let mut x = line.x + 2;
    let mut put = |pen: &mut Pen<'_>, width: u16, text: &str, role: Role| {
        pen.put(x, line.y, width.saturating_sub(1), text, role);
        x += width;
    };
    put(pen, columns.at, at, Role::Quiet);
    if let Some(width) = columns.by {
        put(pen, width, by, Role::Quiet);
    }
    put(pen, columns.action, action, Role::Text);
    put(pen, columns.target, target, Role::Text);
    if let Some(width) = columns.images {
        put(pen, width, images, Role::Text);
    }
    put(pen, columns.outcome, outcome.trim(), role);
}
