//! The rows above services: hosts, projects and the heads of groups.

use ratatui::layout::Rect;

use crate::app::explain::{Tone, host_tone, host_word, verdict_words};
use crate::app::judge::ServiceView;
use crate::app::model::{HostModel, Link, Model};
use crate::app::rows::{Head, Row, service_of};
use crate::app::screen::Group;
use crate::core::age;
use crate::core::failure::HostTrouble;
use crate::core::inventory::ProjectKind;
use crate::core::tailnet::PeerPath;
use crate::core::verdict::Verdict;

use super::super::columns::Columns;
use super::super::pen::Pen;
use super::super::role_of;
use super::super::summary::Summary;
use super::super::theme::Role;

/// Draws a host: its name, how it stands, and what its services need.
pub fn host(
    model: &Model,
    index: usize,
    row: &Row,
    columns: &Columns,
    pen: &mut Pen<'_>,
    line: Rect,
) {
    let host = &model.hosts[index];
    let name_end = name(host.spec.name.as_str(), row, columns, 0, pen, line);
    let summary = Summary::of(model.judged[index].services());
    let tone = role_of(host_tone(host));
    let x = line.x + name_end;
    let away = host.failure().is_some() && host.link != Link::Up;
    // The reason and the remedy need the room more than the counts do.
    let counts_at = match (away, columns.running.is_some()) {
        (true, _) if line.width >= 100 => line.width - 23,
        (true, _) => line.width,
        (false, true) => columns.verdict.x,
        (false, false) => (name_end + 11).min(line.width),
    };
    let counts_at = line.x + counts_at;
    let mut at = x;
    let mut put = |pen: &mut Pen<'_>, text: &str, role: Role, gap: u16| {
        let end = counts_at.saturating_sub(1);
        if !text.is_empty() && at < end {
            at += pen.put(at, line.y, end - at, text, role) + gap;
        }
    };
    if away {
        reason(model, host, &mut put, pen);
    } else {
        put(pen, host_word(host), tone, 1);
        facts(host, &mut put, pen);
    }
    // What is wrong needs the room more than the sum does; a folded host has room for both.
    let line = if away || !row.folded {
        line
    } else {
        pull(model.judged[index].fetch_bytes, columns, pen, line)
    };
    counts(&summary, row.folded, pen, counts_at, line);
}

/// Writes what all waiting pulls would fetch together; returns what is left of the line.
fn pull(bytes: Option<u64>, columns: &Columns, pen: &mut Pen<'_>, line: Rect) -> Rect {
    let (Some(bytes), Some(span)) = (bytes, columns.pull) else {
        return line;
    };
    let x = line.x + span.x;
    pen.put_right(x, line.y, span.width, &age::bytes(bytes), Role::Quiet);
    Rect {
        width: span.x.saturating_sub(1),
        ..line
    }
}

/// Writes why a host is away, what to try, and how old what is shown of it is.
fn reason(
    model: &Model,
    host: &HostModel,
    put: &mut impl FnMut(&mut Pen<'_>, &str, Role, u16),
    pen: &mut Pen<'_>,
) {
    let Some(failure) = host.failure() else {
        return;
    };
    let word = host_word(host);
    if failure.link().is_some() {
        // The address is of use only when it is whole, so it comes first.
        put(pen, word, role_of(host_tone(host)), 2);
        put(pen, &failure.remedy, Role::Accent, 2);
        put(pen, &failure.what, Role::Quiet, 2);
        return;
    }
    let what = if failure.what.starts_with(word) {
        failure.what.clone()
    } else {
        format!("{word}: {}", failure.what)
    };
    put(pen, &what, role_of(host_tone(host)), 2);
    let seen = host.observation.as_ref().map(|seen| {
        let age = age::age(model.now.wall, seen.at);
        format!("seen {age} ago").replace("now ago", "just now")
    });
    let seen = seen.unwrap_or_else(|| "never seen".to_owned());
    let remedy = &failure.remedy;
    // Of a machine that is off one asks for how long; of one that refuses, what to do.
    if failure.trouble == HostTrouble::Offline {
        put(pen, &seen, Role::Quiet, 2);
        put(pen, remedy, Role::Accent, 2);
    } else {
        put(pen, remedy, Role::Accent, 2);
        put(pen, &seen, Role::Quiet, 2);
    }
}

/// Writes what is known of a host that answers.
fn facts(host: &HostModel, put: &mut impl FnMut(&mut Pen<'_>, &str, Role, u16), pen: &mut Pen<'_>) {
    if host.link == Link::Up
        && let Some(rtt) = host.rtt_ms
    {
        put(pen, &format!("{rtt:>3} ms"), Role::Quiet, 3);
    }
    if let Some(peer) = &host.tailnet.peer {
        let path = match peer.path() {
            PeerPath::Direct => "direct",
            PeerPath::Relay(_) | PeerPath::PeerRelay(_) => "relayed",
            PeerPath::Unknown => "",
        };
        put(pen, path, Role::Quiet, 3);
    }
    if let Some(seen) = &host.observation {
        let engine = format!("{} {}", seen.engine.version, seen.engine.store.word());
        put(pen, &engine, Role::Quiet, 3);
    }
    if let Some(environment) = &host.spec.environment {
        put(pen, environment, Role::Quiet, 3);
    }
    if host.spec.read_only || host.could_change == Some(false) {
        put(pen, "only looks", Role::Quiet, 3);
    }
}

/// Draws a project; what its services need is shown where they are folded away.
pub fn project(
    model: &Model,
    host: usize,
    project: usize,
    row: &Row,
    columns: &Columns,
    pen: &mut Pen<'_>,
    line: Rect,
) {
    let view = &model.judged[host].projects[project];
    let label = match view.kind {
        ProjectKind::None => "no project".to_owned(),
        ProjectKind::Compose | ProjectKind::Swarm => view.name.to_string(),
    };
    let most = columns.verdict.x.saturating_sub(columns.name.x + 1);
    let end = name(&label, row, columns, most, pen, line);
    let mut words = Vec::new();
    if view.kind == ProjectKind::Swarm {
        words.push("swarm stack".to_owned());
    }
    if row.folded {
        words.push(age::count(view.services.len(), "service"));
    }
    if view.one_offs > 0 {
        words.push(age::count(view.one_offs, "one-off run"));
    }
    let room = columns.verdict.x.saturating_sub(end + 1);
    pen.put(line.x + end, line.y, room, &words.join("  "), Role::Quiet);
    let line = pull(view.fetch_bytes, columns, pen, line);
    if row.folded {
        let summary = Summary::of(view.services.iter());
        counts(&summary, true, pen, line.x + columns.verdict.x, line);
    }
}

/// Draws the head of a group; an image has its hosts beside it.
pub fn head(
    model: &Model,
    head: &Head,
    row: &Row,
    columns: &Columns,
    pen: &mut Pen<'_>,
    line: Rect,
) {
    let services = || head.services.iter().map(|at| service_of(model, *at));
    let count = age::count(head.services.len(), "service");
    if model.screen.group != Group::Image {
        let end = name(&head.label, row, columns, 0, pen, line);
        let room = line.width.saturating_sub(end);
        pen.put(line.x + end, line.y, room, &count, Role::Quiet);
        return;
    }
    let end = name(&head.label, row, columns, 0, pen, line);
    let mut x = line.x + end;
    if let Some(span) = columns.running {
        // What the tag names is the same for all of them where they share a platform.
        let named = services().find_map(|service| service.registry.digest.as_ref());
        let text = named.map_or("-", |digest| digest.short());
        x = line.x + span.x;
        x += pen
            .put(x, line.y, span.width, text, Role::Quiet)
            .max(span.width)
            + 2;
    }
    for (host, place, service) in places(services()) {
        let text = format!("{host}{place}");
        let width = pen.width(&text) + 2;
        if x + width > line.right() {
            let left = line.right().saturating_sub(x);
            pen.put(x, line.y, left, pen.glyphs.more, Role::Quiet);
            break;
        }
        let alarm = service.is_unhealthy();
        let role = if alarm {
            Role::Danger
        } else {
            role_of(Tone::of(service.verdict))
        };
        let mark = if alarm {
            pen.glyphs.alarm
        } else {
            pen.glyphs.verdict(service.verdict)
        };
        pen.glyph(x, line.y, mark, role);
        x += 2 + pen.put(x + 2, line.y, width, &text, Role::Text) + 1;
        let word = match (alarm, service.verdict) {
            (true, _) => service.life(),
            (false, Verdict::Current) => String::new(),
            (false, _) => verdict_words(service),
        };
        let room = line.right().saturating_sub(x);
        if !word.is_empty() && pen.width(&word) <= room {
            x += pen.put(x, line.y, room, &word, role) + 1;
        }
        x += 2;
    }
}

/// Names the hosts of an image, each with its worst service and how many there are.
fn places<'a>(
    services: impl Iterator<Item = &'a ServiceView>,
) -> Vec<(String, String, &'a ServiceView)> {
    let mut places: Vec<(String, usize, &ServiceView)> = Vec::new();
    for service in services {
        let host = service.key.host.as_str();
        match places.iter_mut().find(|(name, ..)| name == host) {
            None => places.push((host.to_owned(), 1, service)),
            Some((_, count, worst)) => {
                *count += 1;
                if service.verdict > worst.verdict {
                    *worst = service;
                }
            }
        }
    }
    let times = |count: usize| match count {
        1 => String::new(),
        count => format!(" ({count})"),
    };
    places
        .into_iter()
        .map(|(host, count, service)| (host, times(count), service))
        .collect()
}

/// Writes fold mark and name; returns where the next text may begin.
///
/// A name may go beyond its column, since nothing stands in the columns after it.
fn name(text: &str, row: &Row, columns: &Columns, most: u16, pen: &mut Pen<'_>, line: Rect) -> u16 {
    let indent = u16::from(row.depth) * 2;
    let span = columns.name;
    let x = line.x + span.x + indent;
    let mark = if row.folded {
        pen.glyphs.closed
    } else {
        pen.glyphs.open
    };
    let room = span.width.max(most).saturating_sub(indent);
    if room > 0 {
        pen.glyph(x, line.y, mark, Role::Quiet);
    }
    let used = pen.put(x + 2, line.y, room.saturating_sub(2), text, Role::Accent);
    let end = span.x + indent + 2 + used;
    end.max(span.x + span.width) + 1
}

/// Writes what is wrong below; where all is well, that is said only of what is folded away.
fn counts(summary: &Summary, folded: bool, pen: &mut Pen<'_>, from: u16, line: Rect) {
    let mut x = from;
    let end = line.right();
    if summary.total == 0 {
        return;
    }
    let parts = summary.parts();
    let calm = summary.is_calm();
    for (place, (text, tone)) in parts.iter().enumerate() {
        let settled = text.ends_with("current") || text.ends_with("local");
        if settled && !(folded || calm && place == 0) {
            continue;
        }
        if x + pen.width(text) > end {
            break;
        }
        let role = if calm { Role::Quiet } else { role_of(*tone) };
        x += pen.put(x, line.y, end - x, text, role) + 1;
    }
}
