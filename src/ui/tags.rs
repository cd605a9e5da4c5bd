//! The view of what a service could go to: tags, images on the host, former runs, newest first.

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::app::model::Model;
use crate::app::preview::tags::{TagsView, Tally};
use crate::app::preview::trust;
use crate::app::screen::Chosen;
use crate::core::age::{age, ago, bytes, change, count};
use crate::core::candidates::{Candidate, LARGE, growth};
use crate::core::names::ServiceKey;
use crate::core::text::clean;
use crate::core::trust::Trust;

use super::list;
use super::pen::Pen;
use super::theme::Role;

/// The columns from the left; those without a place are left out.
struct Columns {
    tag: u16,
    names: Option<u16>,
    built: u16,
    revision: Option<u16>,
    ran: Option<u16>,
    places: u16,
    fetch: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let mut left = width.saturating_sub(2 + 12 + 7 + 10 + 10);
        let mut take = |cells: u16| {
            let fits = left >= cells;
            left -= if fits { cells } else { 0 };
            fits.then_some(cells)
        };
        let names = take(14);
        let revision = take(10);
        let ran = take(16);
        let wide_places = take(10).unwrap_or(0);
        Self {
            names,
            revision,
            ran,
            tag: 12 + left.min(36),
            built: 7,
            places: 10 + wide_places,
            fetch: 10,
        }
    }
}

/// Draws the view.
pub fn draw(
    model: &Model,
    service: &ServiceKey,
    selected: Option<&Chosen>,
    pen: &mut Pen<'_>,
    area: Rect,
) {
    if area.is_empty() {
        return;
    }
    let shown = model.preview.shown.as_ref();
    let Some(view) = shown.filter(|view| view.service == *service) else {
        let text = format!("{service} is not there any more, or has no name that a registry knows");
        pen.put(
            area.x + 1,
            area.y,
            area.width.saturating_sub(2),
            &text,
            Role::Quiet,
        );
        return;
    };
    let now = model.now.wall;
    title(view, now, pen, area);
    let columns = Columns::of(area.width);
    let mut top = area.y + 1;
    if area.height >= 6 {
        titles(&columns, pen, Rect { y: top, ..area });
        top += 1;
    }
    let chosen = view.selected(selected);
    let trust = chosen
        .and_then(|own| own.digest.as_ref())
        .and_then(|top| trust::of_top(model, model.service(service)?, Some(top)));
    let foot = selected_lines(view, view.place(selected), trust, now);
    let foot_height = match area.height {
        0..12 => 0,
        _ => u16::try_from(foot.len()).unwrap_or(0),
    };
    let rows = Rect {
        y: top,
        height: area.bottom().saturating_sub(top + foot_height),
        ..area
    };
    let place = view.place(selected);
    if view.candidates.is_empty() {
        let text = if view.asking {
            "asking"
        } else {
            "nothing is known"
        };
        pen.put(rows.x + 3, rows.y, rows.width, text, Role::Quiet);
    }
    for (index, y) in list::visible(view.candidates.len(), Some(place), rows) {
        let line = Rect {
            y,
            height: 1,
            ..rows
        };
        list::begin(pen, line, index == place);
        row(&view.candidates[index], &columns, now, pen, line);
        list::end(pen);
    }
    for ((text, role), y) in foot.iter().zip(rows.bottom()..area.bottom()) {
        pen.put(area.x + 3, y, area.width.saturating_sub(4), text, *role);
    }
}

fn title(view: &TagsView, now: Timestamp, pen: &mut Pen<'_>, area: Rect) {
    let mut x = area.x + 1;
    let mut end = area.right().saturating_sub(1);
    // By how much it is behind is what one came for: it is never cut.
    let behind = view.builds_behind.filter(|builds| *builds > 0);
    if let Some(builds) = behind {
        let builds = usize::try_from(builds).unwrap_or(usize::MAX);
        let text = format!("behind by {}", count(builds, "build"));
        let width = pen.width(&text);
        if width + 24 < area.width {
            pen.put_right(x, area.y, end.saturating_sub(x), &text, Role::Attention);
            end = end.saturating_sub(width + 2);
        }
    }
    x += pen.put(x, area.y, end.saturating_sub(x), "tags", Role::Accent) + 2;
    let name = view.repository.familiar();
    x += pen.put(x, area.y, end.saturating_sub(x), &name, Role::Text) + 2;
    let (text, role) = match (&view.failure, view.listed_at) {
        (Some(failure), Some(at)) => {
            let text = format!("as listed {}: {failure}", ago(now, at));
            (text, Role::Attention)
        }
        (Some(failure), None) => (failure.clone(), Role::Attention),
        (None, Some(_)) => (tally(&view.tally, view.asking, view.complete), Role::Quiet),
        (None, None) => ("asking for the list".to_owned(), Role::Quiet),
    };
    pen.put(x, area.y, end.saturating_sub(x), &text, role);
}

fn tally(tally: &Tally, asking: bool, complete: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (number, what) in [
        (tally.moving, "moving"),
        (tally.revisions, "by revision"),
        (tally.versions, "by version"),
        (tally.helpers, "helper (hidden)"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    if tally.open > 0 {
        let what = if asking { "not known yet" } else { "not asked" };
        parts.push(format!("{} {what}", tally.open));
    }
    let all = count(tally.all, "tag");
    let more = if complete { "" } else { " of more" };
    if parts.is_empty() {
        return format!("{all}{more}");
    }
    format!("{all}{more}: {}", parts.join(", "))
}

fn titles(columns: &Columns, pen: &mut Pen<'_>, line: Rect) {
    let mut x = line.x + 2;
    pen.put(x, line.y, columns.tag, "tag", Role::Quiet);
    x += columns.tag;
    if let Some(width) = columns.names {
        pen.put(x, line.y, width, "names", Role::Quiet);
        x += width;
    }
    pen.put(x, line.y, columns.built, "built", Role::Quiet);
    x += columns.built;
    for (width, title) in [(columns.revision, "revision"), (columns.ran, "ran here")] {
        if let Some(width) = width {
            pen.put(x, line.y, width, title, Role::Quiet);
            x += width;
        }
    }
    pen.put(x, line.y, columns.places, "where", Role::Quiet);
    x += columns.places;
    pen.put_right(
        x,
        line.y,
        columns.fetch.saturating_sub(1),
        "fetch",
        Role::Quiet,
    );
}

fn row(candidate: &Candidate, columns: &Columns, now: Timestamp, pen: &mut Pen<'_>, line: Rect) {
    let y = line.y;
    let gone = candidate.obtainable() == Some(false);
    pen.dim = gone;
    let tag = match candidate.tags.as_slice() {
        [] => "(no tag)".to_owned(),
        tags => tags.join(" "),
    };
    let mut x = line.x + 2;
    if candidate.running {
        pen.glyph(line.x + 1, y, '*', Role::Good);
    }
    let role = if candidate.running {
        Role::Good
    } else {
        Role::Text
    };
    pen.put(x, y, columns.tag.saturating_sub(2), &tag, role);
    x += columns.tag;
    if let Some(width) = columns.names {
        let names = candidate.digest.as_ref().map_or("", |top| top.short());
        pen.put(x, y, width, names, Role::Text);
        x += width;
    }
    let built = candidate.created.map(|at| age(now, at));
    pen.put(
        x,
        y,
        columns.built,
        built.as_deref().unwrap_or("-"),
        Role::Text,
    );
    x += columns.built;
    if let Some(width) = columns.revision {
        let revision = candidate.revision.as_deref().unwrap_or("-");
        // Cleaned first, as what is shown of a control character is longer than it.
        let shown = clean(revision);
        let short: String = shown.chars().take(usize::from(width - 1)).collect();
        pen.put(x, y, width - 1, &short, Role::Text);
        x += width;
    }
    if let Some(width) = columns.ran {
        pen.put(x, y, width - 1, &ran(candidate, now), Role::Text);
        x += width;
    }
    let (place, role) = places(candidate);
    pen.put(x, y, columns.places - 1, &place, role);
    x += columns.places;
    let fetch = match candidate.fetch_bytes {
        _ if gone => "not offered".to_owned(),
        Some(count) => bytes(count),
        None => "-".to_owned(),
    };
    pen.put_right(x, y, columns.fetch.saturating_sub(1), &fetch, Role::Text);
}

fn ran(candidate: &Candidate, now: Timestamp) -> String {
    match (candidate.running, candidate.last_ran) {
        (true, _) => "runs now".to_owned(),
        (false, Some(at)) => {
            let until = format!("until {}", ago(now, at));
            if candidate.put_back {
                format!("{until}, put back")
            } else {
                until
            }
        }
        (false, None) => "never".to_owned(),
    }
}

fn places(candidate: &Candidate) -> (String, Role) {
    let mut parts: Vec<&str> = candidate
        .whereabouts()
        .into_iter()
        .map(crate::core::candidates::Whereabouts::word)
        .collect();
    if candidate.kept {
        parts.push("kept");
    }
    if candidate.may_go {
        parts.push("may go");
    }
    match candidate.obtainable() {
        Some(false) => ("gone everywhere".to_owned(), Role::Quiet),
        _ if parts.is_empty() => ("not known".to_owned(), Role::Quiet),
        _ if candidate.may_go => (parts.join(", "), Role::Attention),
        _ => (parts.join(", "), Role::Text),
    }
}

/// Says below the list what there is to know of the selected one.
fn selected_lines(
    view: &TagsView,
    place: usize,
    trust: Option<&Trust>,
    now: Timestamp,
) -> Vec<(String, Role)> {
    let Some(candidate) = view.candidates.get(place) else {
        return Vec::new();
    };
    let mut first: Vec<String> = Vec::new();
    first.extend(
        candidate
            .family
            .as_ref()
            .map(|family| family.word().to_owned()),
    );
    first.extend(
        candidate
            .version
            .as_ref()
            .map(|version| format!("version {version}")),
    );
    first.extend(
        candidate
            .created
            .map(|at| format!("built {at:.0}, {}", ago(now, at))),
    );
    first.extend(
        candidate
            .total_bytes
            .map(|size| format!("{} in all", bytes(size))),
    );
    first.extend(growth(&view.candidates, place).map(|grown| {
        let before = view.candidates[grown.since].tags.first();
        let before = before.map_or("the build before", |tag| tag);
        format!("{} since {before}", change(grown.bytes))
    }));
    let large = candidate.total_bytes.is_some_and(|size| size > LARGE);
    let sizes = if large { Role::Attention } else { Role::Quiet };
    if large {
        first.push("large".to_owned());
    }
    let mut second: Vec<String> = Vec::new();
    second.extend(candidate.digest.as_ref().map(ToString::to_string));
    second.extend(candidate.source.clone());
    let mut lines = vec![(first.join(" · "), sizes), (second.join("  "), Role::Quiet)];
    if !view.caches.is_empty() {
        let list = view.caches.iter();
        let words: Vec<String> = list
            .map(|(tag, facts)| {
                let old = facts.as_ref().and_then(|facts| facts.created);
                let old = old.map_or_else(|| "age unknown".to_owned(), |at| age(now, at));
                format!("{tag} {old}")
            })
            .collect();
        lines.push((format!("caches: {}", words.join(" · ")), Role::Quiet));
    }
    // The line is there before its text, so that nothing jumps.
    lines.push((trust.map_or_else(String::new, Trust::words), Role::Quiet));
    for contradiction in trust.iter().flat_map(|trust| &trust.contradictions) {
        lines.push((contradiction.clone(), Role::Attention));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_every_width() {
        for width in 0..300 {
            let columns = Columns::of(width);
            let parts = [columns.names, columns.revision, columns.ran];
            let all: u16 = 2
                + columns.tag
                + columns.built
                + columns.places
                + columns.fetch
                + parts.into_iter().flatten().sum::<u16>();
            assert!(all <= width.max(41), "{width}: {all}");
        }
    }
}
