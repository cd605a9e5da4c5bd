//! The view of builds: by what they make, with hit rate, time, trend, caches and where they run.

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::app::builds::view::{self, BuildsView, Judged, Row, percent, seconds};
use crate::app::model::Model;
use crate::core::age::age;
use crate::core::build_log::Status;
use crate::core::builds::Lineage;
use crate::core::builds::trend::LOW;

use super::glyphs::Kind;
use super::list;
use super::pen::Pen;
use super::theme::Role;

/// The widths of what is never cut.
const LAST: u16 = 9;
const HIT: u16 = 12;
const TIME: u16 = 11;
const MISSED: u16 = 11;

/// Draws the view.
pub fn draw(model: &Model, selected: Option<&Lineage>, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let view = view::view(model);
    let columns = Columns::of(area.width);
    columns.titles(pen, area);
    let place = view
        .rows
        .iter()
        .position(|row| Some(&row.lineage) == selected)
        .unwrap_or(0);
    let notes = notes(&view);
    let below = u16::try_from(notes.len())
        .unwrap_or(u16::MAX)
        .min(area.height.saturating_sub(1) / 3);
    let room = Rect {
        y: area.y + 1,
        height: area
            .height
            .saturating_sub(1 + below + why_height(&view, place)),
        ..area
    };
    let now = model.now.wall;
    for (index, y) in list::visible(view.rows.len(), Some(place), room) {
        let line = Rect {
            y,
            height: 1,
            ..room
        };
        list::begin(pen, line, index == place);
        columns.row(&view.rows[index], now, pen, line);
        list::end(pen);
    }
    let mut y = room.bottom();
    if let Some(row) = view.rows.get(place)
        && why_height(&view, place) > 0
        && y < area.bottom()
    {
        why(
            row,
            pen,
            Rect {
                y,
                height: 1,
                ..area
            },
        );
        y += 1;
    }
    for (text, role) in notes {
        if y >= area.bottom() {
            break;
        }
        pen.put(area.x + 1, y, area.width.saturating_sub(2), &text, role);
        y += 1;
    }
}

/// The line below the list, on why the selected row's last build missed.
fn why_height(view: &BuildsView, place: usize) -> u16 {
    u16::from(
        view.rows
            .get(place)
            .is_some_and(|row| !why_words(row).is_empty()),
    )
}

fn why(row: &Row, pen: &mut Pen<'_>, line: Rect) {
    let x = line.x + 1;
    let used = pen.put(x, line.y, line.width, "why", Role::Quiet) + 2;
    let room = line.width.saturating_sub(2 + used);
    pen.put(x + used, line.y, room, &why_words(row), Role::Accent);
}

fn why_words(row: &Row) -> String {
    let mut parts = Vec::new();
    parts.extend(row.error.clone());
    if let Some(last) = &row.last {
        parts.extend(last.cause.as_ref().map(|cause| cause.words.clone()));
        if let (Some(cold), Some(own)) = (last.cold_seconds, last.seconds) {
            parts.push(format!(
                "{} against {} when cold",
                seconds(own),
                seconds(cold)
            ));
        }
    }
    parts.join(" · ")
}

/// What could not be read, and what is still being read.
fn notes(view: &BuildsView) -> Vec<(String, Role)> {
    let mut notes = Vec::new();
    if !view.reading.is_empty() {
        notes.push((format!("reading {}", view.reading.join(", ")), Role::Quiet));
    }
    for (name, failure) in &view.failures {
        let remedy = if failure.remedy.is_empty() {
            String::new()
        } else {
            format!("; {}", failure.remedy)
        };
        notes.push((format!("{name}: {}{remedy}", failure.what), Role::Attention));
    }
    for refused in &view.refused {
        notes.push((
            format!("{}: {}; {}", refused.source, refused.why, refused.remedy),
            Role::Attention,
        ));
    }
    if view.rows.is_empty() && notes.is_empty() {
        notes.push(("no build is in the sources".to_owned(), Role::Quiet));
    }
    notes
}

/// The columns that there is room for; the last ones fall first.
struct Columns {
    name: u16,
    time: bool,
    missed: bool,
    trend: u16,
    cache: u16,
    runs: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let mut left = width.saturating_sub(2 + LAST + HIT);
        let mut take = |wanted: u16, least: u16| {
            let fits = left >= wanted + least;
            if fits {
                left -= wanted;
            }
            fits
        };
        let time = take(TIME, 14);
        let trend = if take(21, 18) {
            21
        } else if take(11, 14) {
            11
        } else {
            0
        };
        let missed = take(MISSED, 18);
        let runs = if take(34, 60) {
            34
        } else if take(20, 20) {
            20
        } else {
            0
        };
        let cache = if take(34, 30) {
            34
        } else if take(22, 24) {
            22
        } else {
            0
        };
        Self {
            name: left,
            time,
            missed,
            trend,
            cache,
            runs,
        }
    }

    fn titles(&self, pen: &mut Pen<'_>, area: Rect) {
        let y = area.y;
        let mut x = area.x + 2;
        pen.put(area.x + 1, y, self.name, "builds", Role::Accent);
        x += self.name;
        pen.put(x, y, LAST - 1, "last", Role::Quiet);
        x += LAST;
        pen.put(x, y, HIT - 1, "hit rate", Role::Quiet);
        x += HIT;
        if self.time {
            pen.put_right(x, y, TIME - 2, "time", Role::Quiet);
            x += TIME;
        }
        if self.missed {
            pen.put_right(x, y, MISSED - 2, "missed", Role::Quiet);
            x += MISSED;
        }
        if self.trend > 0 {
            let title = format!("last {}", self.trend - 1);
            pen.put(x, y, self.trend - 1, &title, Role::Quiet);
            x += self.trend;
        }
        if self.cache > 0 {
            pen.put(x, y, self.cache - 2, "cache", Role::Quiet);
            x += self.cache;
        }
        if self.runs > 0 {
            pen.put(x, y, self.runs - 1, "runs on", Role::Quiet);
        }
    }

    fn row(&self, row: &Row, now: Timestamp, pen: &mut Pen<'_>, line: Rect) {
        let y = line.y;
        let mut x = line.x + 2;
        let room = self.name.saturating_sub(1);
        let used = pen.put(x, y, room, &row.name, Role::Text);
        if !row.apart.is_empty() && used + 2 < room {
            pen.put(x + used + 1, y, room - used - 1, &row.apart, Role::Quiet);
        }
        x += self.name;
        let (last, role) = last_words(row, now);
        pen.put(x, y, LAST - 1, &last, role);
        x += LAST;
        self.hits(row, pen, (x, y));
        x += HIT;
        let figures = row.last.as_ref();
        if self.time {
            let time = figures.and_then(|last| last.seconds).map(seconds);
            pen.put_right(x, y, TIME - 2, time.as_deref().unwrap_or("-"), Role::Text);
            x += TIME;
        }
        if self.missed {
            let missed = figures.and_then(|last| last.missed_seconds).map(seconds);
            pen.put_right(
                x,
                y,
                MISSED - 2,
                missed.as_deref().unwrap_or("-"),
                Role::Text,
            );
            x += MISSED;
        }
        if self.trend > 0 {
            trend(&row.rates, self.trend - 1, pen, (x, y));
            x += self.trend;
        }
        if self.cache > 0 {
            let role = if row.cache.failed {
                Role::Attention
            } else {
                Role::Text
            };
            pen.put(x, y, self.cache - 2, &row.cache.text, role);
            x += self.cache;
        }
        if self.runs > 0 {
            pen.put(x, y, self.runs - 1, &row.runs_on, Role::Text);
        }
    }

    /// The rate of the last build that ended; of a running one how far it is.
    fn hits(&self, row: &Row, pen: &mut Pen<'_>, (x, y): (u16, u16)) {
        if let Some(running) = &row.running {
            let text = match running.total {
                0 => "begins".to_owned(),
                total => format!("step {}/{total}", running.done),
            };
            pen.put(x, y, HIT - 1, &text, Role::Accent);
            return;
        }
        let Some(last) = &row.last else {
            pen.put(x, y, HIT - 1, "-", Role::Quiet);
            return;
        };
        let (word, role) = rate_words(last);
        let rate = last.hit_rate.map_or_else(|| "-".to_owned(), percent);
        pen.put_right(x, y, 5, &rate, role);
        pen.put(x + 6, y, HIT - 7, word, role);
    }
}

fn rate_words(last: &Judged) -> (&'static str, Role) {
    match () {
        () if last.cold => ("cold", Role::Attention),
        () if last.low => ("low", Role::Attention),
        () => ("", Role::Good),
    }
}

fn last_words(row: &Row, now: Timestamp) -> (String, Role) {
    if row.running.is_some() {
        return ("running".to_owned(), Role::Accent);
    }
    let Some(last) = &row.last else {
        return if row.error.is_some() {
            ("failed".to_owned(), Role::Danger)
        } else {
            ("-".to_owned(), Role::Quiet)
        };
    };
    match last.status {
        _ if row.error.is_some() => ("failed".to_owned(), Role::Danger),
        Status::Failed => ("failed".to_owned(), Role::Danger),
        Status::Cancelled => ("cancelled".to_owned(), Role::Attention),
        Status::Succeeded | Status::Running => (
            last.when.map_or_else(|| "-".to_owned(), |at| age(now, at)),
            Role::Text,
        ),
    }
}

/// Draws the hit rates as a line of bars, or of digits where the font has no bars.
fn trend(rates: &[Option<f64>], width: u16, pen: &mut Pen<'_>, (x, y): (u16, u16)) {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = rates.len().min(usize::from(width));
    let kind = pen.glyphs.kind;
    for (rate, x) in rates[rates.len() - shown..].iter().zip(x..) {
        let (glyph, role) = match rate {
            None => ('-', Role::Quiet),
            Some(rate) => {
                let role = if *rate < LOW {
                    Role::Attention
                } else {
                    Role::Good
                };
                let step = |most: usize| {
                    // A rate lies between 0 and 1.
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "bounded"
                    )]
                    let step = (rate * most as f64).round() as usize;
                    step.min(most)
                };
                match kind {
                    Kind::Unicode => (BARS[step(7)], role),
                    Kind::Console | Kind::Ascii => {
                        (char::from(b'0' + u8::try_from(step(9)).unwrap_or(9)), role)
                    }
                }
            }
        };
        pen.glyph(x, y, glyph, role);
    }
}
