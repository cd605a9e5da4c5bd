//! The strip of jobs above the footer: what runs where, how far it is, and that it goes on by itself.

use ratatui::layout::Rect;

use crate::app::jobs::Job;
use crate::app::model::Model;
use crate::core::age;
use crate::core::rollout::{Outcome, Step};

use super::pen::Pen;
use super::theme::{Ground, Role};

/// The cells of the bar of a fetch.
const BAR: u16 = 12;

/// Returns how many lines the strip takes.
pub fn height(model: &Model, screen: Rect) -> u16 {
    let most = match screen.height {
        0..10 => 0,
        10..20 => 1,
        20..40 => 3,
        _ => 5,
    };
    u16::try_from(model.jobs.len()).unwrap_or(most).min(most)
}

/// Draws the strip: those that run first, then those that ended badly.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let mut jobs: Vec<&Job> = model.jobs.iter().collect();
    jobs.sort_by_key(|job| (!job.runs(), job.queued));
    let lines = usize::from(area.height);
    let hidden = jobs.len().saturating_sub(lines);
    for (y, job) in (area.top()..area.bottom()).zip(jobs) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let left_out = if y + 1 == area.bottom() { hidden } else { 0 };
        strip(model, job, left_out, pen, line);
    }
    pen.ground = Ground::Screen;
}

fn strip(model: &Model, job: &Job, hidden: usize, pen: &mut Pen<'_>, area: Rect) {
    pen.ground = Ground::Header;
    pen.fill(area);
    let role = match &job.ended {
        Some((Outcome::PutBack | Outcome::Halted, _)) => Role::Danger,
        Some(_) => Role::Attention,
        None => Role::Accent,
    };
    let mut x = area.x + 1;
    let mut put = |pen: &mut Pen<'_>, text: &str, role: Role, gap: u16| {
        let width = area.right().saturating_sub(x + 1);
        let used = pen.put(x, area.y, width, text, role);
        x = x.saturating_add(used + gap).min(area.right());
    };
    put(pen, &job.title(), Role::Text, 3);
    put(pen, job.word(), role, 2);
    if let Some((_, why)) = &job.ended {
        put(pen, why, Role::Text, 2);
    } else if matches!(job.step, Some((Step::Pull, _))) {
        let fetched = job.fetched();
        match job.fetch_bytes {
            Some(total) => {
                if area.width >= 80 {
                    put(pen, &bar(fetched, total, pen), Role::Accent, 2);
                }
                let text = format!(
                    "{} of {}",
                    age::bytes(fetched.min(total)),
                    age::bytes(total)
                );
                put(pen, &text, Role::Text, 2);
            }
            None if fetched > 0 => put(pen, &age::bytes(fetched), Role::Text, 2),
            None => {}
        }
    } else if !job.detail.is_empty() {
        put(pen, &job.detail, Role::Quiet, 2);
    }
    let mut aside = match (&job.ended, job.cancelled) {
        (Some(_), _) => format!("{} seen", model.keymap.named("back")),
        (None, true) => "asked to stop".to_owned(),
        (None, false) if job.queued => "waits here for its turn".to_owned(),
        (None, false) => "goes on without this console".to_owned(),
    };
    if hidden > 0 {
        aside = format!("{hidden} more");
    }
    let room = area.right().saturating_sub(x + 1);
    if pen.width(&aside) <= room {
        pen.put_right(x, area.y, room, &aside, Role::Quiet);
    }
}

/// Makes a bar of a fixed width.
fn bar(done: u64, total: u64, pen: &Pen<'_>) -> String {
    let cells = u64::from(BAR);
    let full = done.min(total).saturating_mul(cells) / total.max(1);
    let (full_cell, empty_cell) = (pen.glyphs.bar, pen.glyphs.faint_bar);
    (0..cells)
        .map(|cell| if cell < full { full_cell } else { empty_cell })
        .collect()
}
