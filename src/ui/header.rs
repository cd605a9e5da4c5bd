//! The lines on top: what is wrong with the fleet, then what is wrong as a whole with a registry or the configuration.

use jiff::SignedDuration;
use ratatui::layout::Rect;

use crate::app::model::Model;
use crate::app::targets;
use crate::core::age;
use crate::core::host::HostState;
use crate::core::remote::Route;

use super::pen::Pen;
use super::role_of;
use super::summary::Summary;
use super::theme::{Ground, Role};

/// Below this width the counts take a line of their own.
const ONE_LINE: u16 = 76;

/// Returns how many lines the header takes.
pub fn height(model: &Model, area: Rect) -> u16 {
    let alerts = u16::try_from(alerts(model).len()).unwrap_or(u16::MAX);
    counts_height(area.width) + alerts.min(most_alerts(area.height))
}

/// Draws the header.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let bar = Rect {
        height: counts_height(area.width).min(area.height),
        ..area
    };
    pen.ground = Ground::Header;
    pen.fill(bar);
    let summary = Summary::of(model.services());
    let right = right_part(model, pen, bar);
    let left_width = bar.width.saturating_sub(right);
    let end = bar.x + left_width;
    // The counts say what is wrong; the words around them give way first.
    let wide = bar.height == 1 && {
        let parts = summary.parts();
        let counts: u16 = parts.iter().map(|(text, _)| pen.width(text) + 2).sum();
        counts + 52 <= left_width
    };
    let mut x = bar.x + 1;
    if wide {
        x += pen.put(x, bar.y, left_width, "homelab-tui", Role::Text) + 3;
    }
    let (text, role) = hosts(model, wide);
    x += pen.put(x, bar.y, end.saturating_sub(x), &text, role) + 3;
    if bar.height == 1 {
        counts(&summary, pen, (x, bar.y), end, wide);
    } else {
        counts(&summary, pen, (bar.x + 1, bar.y + 1), bar.right(), wide);
    }
    pen.ground = Ground::Screen;
    let alerts = alerts(model);
    let room = usize::from(area.height.saturating_sub(bar.height));
    for (line, y) in (0..room).zip(bar.bottom()..area.bottom()) {
        let hidden = alerts.len().saturating_sub(room);
        let more = if line + 1 == room && hidden > 0 {
            format!("   and {hidden} more")
        } else {
            String::new()
        };
        if let Some(alert) = alerts.get(line) {
            pen.glyph(area.x + 1, y, pen.glyphs.alarm, Role::Attention);
            let width = area.width.saturating_sub(4 + pen.width(&more));
            let used = pen.put(area.x + 3, y, width, alert, Role::Attention);
            pen.put(area.x + 3 + used, y, area.width, &more, Role::Quiet);
        }
    }
}

fn counts_height(width: u16) -> u16 {
    if width < ONE_LINE { 2 } else { 1 }
}

/// Keeps most of a small screen for the list.
fn most_alerts(height: u16) -> u16 {
    match height {
        0..12 => 1,
        12..20 => 2,
        _ => 5,
    }
}

fn hosts(model: &Model, wide: bool) -> (String, Role) {
    let all = model.hosts.len();
    let up = model
        .hosts
        .iter()
        .filter(|host| host.state() == HostState::Up)
        .count();
    let text = match (wide, all) {
        (_, 0) => "no hosts".to_owned(),
        (false, _) => format!("{up}/{all} up"),
        (true, _) => format!("{up} of {} up", age::count(all, "host")),
    };
    let role = if up == all {
        Role::Text
    } else {
        Role::Attention
    };
    (text, role)
}

/// Writes the counts, what is wrong first; what does not fit falls from the good end.
fn counts(summary: &Summary, pen: &mut Pen<'_>, (x, y): (u16, u16), end: u16, wide: bool) {
    let mut x = x;
    if summary.total == 0 {
        return;
    }
    if wide {
        let services = format!("{}:", age::count(summary.total, "service"));
        x += pen.put(x, y, end.saturating_sub(x), &services, Role::Text) + 2;
    }
    let gap = if wide { 2 } else { 1 };
    for (text, tone) in summary.parts() {
        if x + pen.width(&text) > end {
            pen.put(x, y, end.saturating_sub(x), pen.glyphs.more, Role::Quiet);
            return;
        }
        x += pen.put(x, y, end - x, &text, role_of(tone)) + gap;
    }
    if summary.is_calm() && x + 11 < end {
        pen.put(x + 1, y, end - x, "all is well", Role::Good);
    }
}

/// Writes what stands at the right edge and returns its width.
fn right_part(model: &Model, pen: &mut Pen<'_>, bar: Rect) -> u16 {
    let mut parts: Vec<(String, Role)> = Vec::new();
    if model.read_only {
        parts.push(("read-only".to_owned(), Role::Accent));
    }
    let marked = targets::marked(model).len();
    if marked > 0 {
        parts.push((format!("{marked} marked"), Role::Accent));
    }
    if let Some(changed) = changed(model)
        && (bar.width >= 40)
    {
        parts.push((changed, Role::Text));
    }
    let width: u16 = parts.iter().map(|(text, _)| pen.width(text) + 2).sum();
    if parts.is_empty() || width + 10 > bar.width {
        return 0;
    }
    let mut x = bar.right() - width;
    for (text, role) in &parts {
        x += 1 + pen.put(x, bar.y, bar.width, text, *role) + 1;
    }
    width + 1
}

/// Says when something last changed: the time of day, with the date where it was not today.
fn changed(model: &Model) -> Option<String> {
    let zoned = |at: jiff::Timestamp| at.to_zoned(model.zone.clone());
    let changed = zoned(model.changed_at?);
    let recent = zoned(model.now.wall)
        .timestamp()
        .duration_since(changed.timestamp())
        < SignedDuration::from_hours(12);
    let today = zoned(model.now.wall).date() == changed.date();
    let form = if today || recent {
        "changed %H:%M"
    } else {
        "changed %d %b %H:%M"
    };
    Some(changed.strftime(form).to_string())
}

/// Returns what is wrong as a whole, one line each.
fn alerts(model: &Model) -> Vec<String> {
    let mut lines: Vec<String> = model
        .registries_away()
        .into_iter()
        .map(|away| {
            let via = match &away.route {
                Route::Here => String::new(),
                Route::Via(host) => format!(" through {host}"),
            };
            format!(
                "{}{via} away since {}, {}: {}",
                away.registry,
                away.since.to_zoned(model.zone.clone()).strftime("%H:%M"),
                age::count(away.services, "service"),
                away.why,
            )
        })
        .collect();
    lines.extend(model.problems.iter().cloned());
    lines.extend(model.unkept.values().cloned());
    lines
}
