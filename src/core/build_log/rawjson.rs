//! `--progress=rawjson`: one JSON object per line, vertices by digest.
//!
//! Read into the same build as plain lines, numbered in the order in which the vertices started, as the plain
//! printer numbers them; vertices of one progress group are one vertex there and so here.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use jiff::Timestamp;
use serde::Deserialize;

use super::model::Format;
use super::open::{End, Open};
use super::stamp::Stamp;
use super::words;

/// Vertices that are followed by digest.
const VERTICES: usize = 8_192;
/// Times that one vertex was begun again and that are kept apart.
const INTERVALS: usize = 16;
/// Vertices of one group that are followed.
const GROUP: usize = 64;

/// The vertices of a build by digest, and what they need beside what every build holds.
#[derive(Debug, Default)]
pub(super) struct Digests {
    members: HashMap<Box<str>, Member>,
    groups: HashMap<Box<str>, Group>,
    next: u32,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Vertices that are shown as one.
#[derive(Debug, Default)]
struct Group {
    number: u32,
    members: Vec<Box<str>>,
}

#[derive(Debug, Default)]
struct Member {
    number: u32,
    intervals: Vec<(Timestamp, Timestamp)>,
    completed: bool,
    cached: bool,
}

impl Digests {
    /// Numbers a vertex that is new; tells whether there was room for it.
    fn enroll(&mut self, digest: &str, group: Option<&str>) -> bool {
        if self.members.len() >= VERTICES {
            return false;
        }
        let mut number = self.next + 1;
        if let Some(id) = group {
            let group = self.groups.entry(id.into()).or_default();
            if group.number == 0 {
                group.number = number;
            }
            number = group.number;
            if group.members.len() < GROUP {
                group.members.push(digest.into());
            }
        }
        self.next = self.next.max(number);
        self.members.insert(
            digest.into(),
            Member {
                number,
                ..Member::default()
            },
        );
        true
    }
}

#[derive(Deserialize, Default)]
pub(super) struct Event<'a> {
    #[serde(borrow, default)]
    vertexes: Vec<VertexEvent<'a>>,
    #[serde(borrow, default)]
    statuses: Vec<StatusEvent<'a>>,
    #[serde(borrow, default)]
    logs: Vec<LogEvent<'a>>,
    #[serde(borrow, default)]
    warnings: Vec<WarningEvent<'a>>,
}

#[derive(Deserialize)]
struct VertexEvent<'a> {
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(default)]
    started: Option<Timestamp>,
    #[serde(default)]
    completed: Option<Timestamp>,
    #[serde(default)]
    cached: bool,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow, default, rename = "progressGroup")]
    group: Option<GroupEvent<'a>>,
}

#[derive(Deserialize)]
struct GroupEvent<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct StatusEvent<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    vertex: Cow<'a, str>,
    #[serde(default)]
    current: i64,
    #[serde(default)]
    total: i64,
}

#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow, default)]
    vertex: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WarningEvent<'a> {
    #[serde(borrow, default)]
    short: Cow<'a, str>,
}

/// Tells a line of this form by its beginning.
pub(super) fn is_event(line: &[u8]) -> bool {
    [
        &b"{\"vertexes\":"[..],
        b"{\"statuses\":",
        b"{\"logs\":",
        b"{\"warnings\":",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Option<Event<'_>> {
    serde_json::from_slice(line).ok()
}

/// Tells whether the event begins another build than the one that is open.
pub(super) fn begins_another(open: &Open, event: &Event<'_>) -> bool {
    let Some(digests) = &open.digests else {
        return true;
    };
    event.vertexes.iter().any(|vertex| {
        // What a build loads at its beginning is not loaded again once all is written.
        let again = || {
            vertex.name.contains("internal] load ")
                && vertex.started > digests.last
                && open.is_complete()
                && shows(open, &vertex.name)
        };
        let another = || {
            vertex.name.contains("load build definition from ")
                && !digests.members.contains_key(&*vertex.digest)
                && shows(open, &vertex.name)
        };
        vertex.started.is_some() && (again() || another())
    })
}

fn shows(open: &Open, name: &str) -> bool {
    let name = super::open::cut(name.as_bytes());
    let mut names = open.vertices.iter().map(|known| open.text(known.name));
    names.any(|known| known == name)
}

/// Adds what the line says to the build.
pub(super) fn add(open: &mut Open, event: &Event<'_>) {
    open.format = Format::Rawjson;
    // Taken out while the build is written to; put back below.
    let mut digests = open.digests.take().unwrap_or_default();
    for vertex in &event.vertexes {
        add_vertex(open, &mut digests, vertex);
    }
    for status in &event.statuses {
        let Some(number) = digests
            .members
            .get(&*status.vertex)
            .map(|member| member.number)
        else {
            continue;
        };
        if status.id.starts_with("sha256:") && status.total > 0 {
            let bytes = |count: i64| u64::try_from(count).unwrap_or(0);
            let key = words::fingerprint(status.id.trim_start_matches("sha256:").as_bytes());
            open.pull(
                number,
                key,
                (bytes(status.current), bytes(status.total)),
                false,
            );
        } else {
            words::status(open, number, status.id.as_bytes());
        }
    }
    for log in &event.logs {
        if let Some(member) = digests.members.get(&*log.vertex)
            && let Some(vertex) = open.vertex(member.number)
        {
            vertex.ran = true;
        }
    }
    for warning in &event.warnings {
        let text = base64::engine::general_purpose::STANDARD.decode(warning.short.as_bytes());
        open.warn(text.as_deref().unwrap_or(warning.short.as_bytes()));
    }
    let stamp =
        |time: Option<Timestamp>| time.and_then(|time| Stamp::new(time.to_string().as_bytes()));
    open.first = stamp(digests.first);
    open.last = stamp(digests.last).or(open.first);
    open.digests = Some(digests);
}

fn add_vertex(open: &mut Open, digests: &mut Digests, event: &VertexEvent<'_>) {
    // What never started is not shown by the plain printer either.
    let Some(started) = event.started else { return };
    let group = event.group.as_ref().filter(|group| !group.id.is_empty());
    if !digests.members.contains_key(&*event.digest)
        && !digests.enroll(&event.digest, group.map(|group| &*group.id))
    {
        return;
    }
    digests.first = Some(digests.first.map_or(started, |first| first.min(started)));
    if let Some(completed) = event.completed {
        digests.last = Some(digests.last.map_or(completed, |last| last.max(completed)));
    }
    let Some(member) = digests.members.get_mut(&*event.digest) else {
        return;
    };
    let number = member.number;
    let name = group.map_or(&event.name, |group| &group.name);
    if !open.header(number, name.as_bytes()) {
        return;
    }
    member.cached |= event.cached;
    member.completed = event.completed.is_some();
    if let Some(completed) = event.completed {
        let room = member.intervals.len() < INTERVALS;
        match member
            .intervals
            .iter_mut()
            .find(|(from, _)| *from == started)
        {
            Some((_, to)) => *to = completed,
            None if room => member.intervals.push((started, completed)),
            None => {}
        }
    }
    if !event.error.is_empty() {
        // The plain printer's own rule.
        if event.error.ends_with("context canceled") {
            open.end(number, End::Cancelled);
        } else {
            open.error(number, event.error.as_bytes());
        }
        return;
    }
    let (completed, cached, seconds) = match group.and_then(|group| digests.groups.get(&*group.id))
    {
        None => (
            member.completed,
            member.cached,
            union_seconds(member.intervals.clone()),
        ),
        Some(group) => {
            let members = || {
                group
                    .members
                    .iter()
                    .filter_map(|digest| digests.members.get(digest))
            };
            let intervals = members()
                .flat_map(|member| member.intervals.iter().copied())
                .collect();
            (
                members().all(|member| member.completed),
                members().all(|member| member.cached),
                union_seconds(intervals),
            )
        }
    };
    if let Some(vertex) = open.vertex(number) {
        vertex.cached = cached;
        if matches!(vertex.end, End::Open | End::Done) {
            vertex.seconds = if completed { seconds } else { vertex.seconds };
            open.end(number, if completed { End::Done } else { End::Open });
        }
    }
}

/// Returns the time that the intervals cover together.
fn union_seconds(mut intervals: Vec<(Timestamp, Timestamp)>) -> f64 {
    intervals.sort_unstable();
    let mut total = 0;
    let mut reached: Option<Timestamp> = None;
    for (from, to) in intervals {
        let from = reached.map_or(from, |reached| reached.max(from));
        if to > from {
            total += to.as_nanosecond() - from.as_nanosecond();
            reached = Some(to);
        }
    }
    total as f64 / 1e9
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn open(lines: &[&str]) -> Open {
        let mut open = Open::default();
        for line in lines {
            assert!(is_event(line.as_bytes()));
            add(&mut open, &read(line.as_bytes()).unwrap());
        }
        open
    }

    #[test]
    fn vertices_merge_by_digest_and_unstarted_ones_do_not_count() {
        let open = open(&[
            r#"{"vertexes":[{"digest":"sha256:a","name":"[1/2] RUN a"},{"digest":"sha256:b","name":"[2/2] RUN b"}]}"#,
            r#"{"vertexes":[{"digest":"sha256:a","name":"[1/2] RUN a","started":"2026-01-01T00:00:00Z"}]}"#,
            r#"{"vertexes":[{"digest":"sha256:a","name":"[1/2] RUN a","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01.5Z"}],"logs":[{"vertex":"sha256:a","stream":1,"data":"YQ=="}]}"#,
        ]);
        assert_eq!(open.vertices.len(), 1);
        assert_eq!(open.vertices[0].end, End::Done);
        assert!((open.vertices[0].seconds - 1.5).abs() < 1e-9 && open.vertices[0].ran);
    }

    #[test]
    fn a_progress_group_is_one_vertex_cached_when_all_of_it_is() {
        let member = |digest: &str, cached: bool| {
            format!(
                r#"{{"vertexes":[{{"digest":"{digest}","name":"x","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","cached":{cached},"progressGroup":{{"id":"g","name":"[1/2] COPY --link a"}}}}]}}"#
            )
        };
        let half = open(&[&member("a", true), &member("b", false)]);
        assert_eq!(half.vertices.len(), 1);
        assert!(!half.vertices[0].cached);
        assert!((half.vertices[0].seconds - 1.0).abs() < 1e-9);
        assert!(open(&[&member("a", true), &member("b", true)]).vertices[0].cached);
    }

    #[test]
    fn f15_an_interrupted_vertex_is_cancelled_by_the_printers_own_rule() {
        let open = open(&[
            r#"{"vertexes":[{"digest":"a","name":"[1/2] RUN a","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"x: context canceled"}]}"#,
            r#"{"warnings":[{"vertex":"a","level":1,"short":"U3RhZ2VOYW1lOiB4"}]}"#,
        ]);
        assert_eq!(open.vertices[0].end, End::Cancelled);
        assert_eq!(open.warning_list, [b"StageName: x".to_vec()]);
        assert!(read(b"{\"vertexes\":[{\"digest\":12}]}").is_none());
        assert!(read(b"{\"vertexes\":[").is_none());
    }
}
