//! A build while it is read: vertices by number, and what their lines said.
//!
//! Knows neither wrappers nor where one build ends and the next begins; see `lane`.

use super::model::Format;
use super::name::{self, Kind};
use super::rawjson::Digests;
use super::stamp::Stamp;

/// Vertices of one build that are held; more are counted as unread lines.
const VERTICES: usize = 8_192;
/// The highest vertex number that is believed.
const NUMBER: u32 = 1_000_000;
/// Bytes of names and errors that are held for one build.
const TEXTS: usize = 4 << 20;
/// Bytes of one name or error.
const TEXT: usize = 600;
/// Layers whose progress is followed in one build.
const PULLS: usize = 8_192;
const SAMPLES: usize = 5;
const WARNINGS: usize = 32;
const IMAGES: usize = 64;

/// A place in the texts of a build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    at: u32,
    len: u32,
}

/// How a vertex stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum End {
    /// Begun, and nothing said since.
    #[default]
    Open,
    Done,
    Error,
    Cancelled,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Vertex {
    pub number: u32,
    pub name: Span,
    pub kind: Kind,
    /// Only the build of a Dockerfile has such a vertex.
    pub of_dockerfile: bool,
    pub end: End,
    pub cached: bool,
    /// A program of it wrote something, so it ran.
    pub ran: bool,
    /// What the last DONE said; negative where none did.
    pub seconds: f64,
    pub error: Span,
}

/// A layer on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull {
    pub vertex: u32,
    pub key: u64,
    pub bytes: u64,
    pub total: u64,
    pub push: bool,
}

/// What shows that the build is over, beyond its own lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Evidence {
    #[default]
    None,
    /// Other work follows in the log.
    Ended,
    /// The tool that ran it says that it was built.
    Built,
    /// The command's exit status.
    Exit(i32),
    /// The job was cancelled.
    Cancelled,
}

#[derive(Debug, Default)]
pub(super) struct Open {
    pub format: Format,
    /// The vertices by digest, where the log knows them by that.
    pub digests: Option<Box<Digests>>,
    pub vertices: Vec<Vertex>,
    /// Place in `vertices` by number, plus one.
    index: Vec<u32>,
    texts: Vec<u8>,
    pub pulls: Vec<Pull>,
    /// Vertices that began and have not ended.
    unended: usize,
    /// Those of them that are steps or write the result.
    unended_work: usize,
    /// Names tell targets: several results are written.
    has_targets: bool,
    /// Exports that are done.
    written: usize,
    /// Compose told the builder what to build, and it always asks for results.
    pub by_compose: bool,
    /// One result was shown as that of several targets.
    pub shared_result: bool,
    /// A step ended after the last export did, so another result is still to come.
    pub worked_on: bool,
    /// Vertices that failed, but for caches that could not be imported.
    failed: usize,
    /// The vertex of the last line.
    pub current: u32,
    pub highest: u32,
    pub line: u64,
    pub first: Option<Stamp>,
    pub last: Option<Stamp>,
    pub warnings: usize,
    pub warning_list: Vec<Vec<u8>>,
    pub images: Vec<Vec<u8>>,
    pub tags: Vec<Vec<u8>>,
    pub digest: Option<(u8, Vec<u8>)>,
    pub revision: Option<Vec<u8>>,
    /// What the end of the log says went wrong.
    pub trailer: Option<Vec<u8>>,
    pub evidence: Evidence,
    /// The builder says that it was told to write no result, so none is waited for.
    pub no_output: bool,
    /// The classic builder runs a program: lines are its output until the step has made a layer.
    pub runs_program: bool,
    pub local_sources: Vec<(Vec<u8>, Vec<u8>)>,
    pub interleaved: bool,
    pub unread: u64,
    pub samples: Vec<Vec<u8>>,
    /// Vertex lines seen, to tell which of several builds was heard last.
    pub heard: u64,
}

impl Open {
    /// Tells whether nothing was read yet.
    pub(super) fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }

    /// Makes it new again, keeping its memory where that is not much.
    pub(super) fn clear(&mut self) {
        let mut fresh = Self::default();
        if self.vertices.capacity() <= 1024 && self.texts.capacity() <= 64 << 10 {
            std::mem::swap(&mut fresh.vertices, &mut self.vertices);
            std::mem::swap(&mut fresh.index, &mut self.index);
            std::mem::swap(&mut fresh.texts, &mut self.texts);
            std::mem::swap(&mut fresh.pulls, &mut self.pulls);
            fresh.vertices.clear();
            fresh.index.clear();
            fresh.texts.clear();
            fresh.pulls.clear();
        }
        *self = fresh;
    }

    pub(super) fn text(&self, span: Span) -> &[u8] {
        let at = span.at as usize;
        self.texts
            .get(at..at + span.len as usize)
            .unwrap_or_default()
    }

    /// Returns the vertex of a number, if it was heard of.
    pub(super) fn find(&self, number: u32) -> Option<&Vertex> {
        let place = *self.index.get(number as usize)?;
        self.vertices.get((place as usize).checked_sub(1)?)
    }

    pub(super) fn name(&self, number: u32) -> Option<&[u8]> {
        self.find(number).map(|vertex| self.text(vertex.name))
    }

    /// Tells whether nothing is under way.
    ///
    /// Once the one result is written, base images and metadata that were left behind do not matter.
    pub(super) fn is_quiet(&self) -> bool {
        self.unended == 0 || (self.written > 0 && !self.has_targets && self.unended_work == 0)
    }

    /// Tells whether no step and no export is under way.
    pub(super) fn is_worked_off(&self) -> bool {
        self.unended_work == 0
    }

    /// Hears of a vertex by its name.
    pub(super) fn header(&mut self, number: u32, name: &[u8]) -> bool {
        let Some(place) = self.place(number) else {
            return false;
        };
        self.current = number;
        if self.vertices[place].name.len == 0 {
            let text = String::from_utf8_lossy(cut(name));
            let parsed = name::parse(&text);
            self.has_targets |= parsed.target.is_some();
            self.vertices[place].name = self.keep(name);
            self.set_kind(place, parsed.kind, name::is_of_dockerfile(&parsed));
        } else if self.vertices[place].kind == Kind::Export {
            self.shared_result |= self.text(self.vertices[place].name) != cut(name);
        }
        true
    }

    /// Says of which kind a step of the classic builder is, whose names do not tell.
    pub(super) fn classify(&mut self, number: u32, kind: Kind) {
        if let Some(place) = self.place(number) {
            self.set_kind(place, kind, true);
        }
    }

    fn set_kind(&mut self, place: usize, kind: Kind, of_dockerfile: bool) {
        let vertex = &mut self.vertices[place];
        if vertex.end == End::Open {
            self.unended_work =
                self.unended_work + usize::from(is_work(kind)) - usize::from(is_work(vertex.kind));
        }
        vertex.kind = kind;
        vertex.of_dockerfile = of_dockerfile;
    }

    /// Hears how a vertex ended, or that it began again.
    pub(super) fn end(&mut self, number: u32, end: End) {
        let Some(vertex) = self.vertex(number) else {
            return;
        };
        let before = std::mem::replace(&mut vertex.end, end);
        let is_export = matches!(vertex.kind, Kind::Export | Kind::CacheExport);
        let counts = vertex.kind != Kind::CacheImport;
        let shift = |count: &mut usize, applies: bool, of: End| {
            *count =
                *count + usize::from(applies && end == of) - usize::from(applies && before == of);
        };
        let works = is_work(vertex.kind);
        if end == End::Done && before != End::Done && works {
            self.worked_on = !is_export;
        }
        shift(&mut self.unended, true, End::Open);
        shift(&mut self.unended_work, works, End::Open);
        shift(&mut self.written, is_export, End::Done);
        shift(&mut self.failed, counts, End::Error);
    }

    /// Hears that a vertex is done; an error or an interruption before that stays.
    pub(super) fn done(&mut self, number: u32) {
        if self
            .vertex(number)
            .is_some_and(|vertex| vertex.end == End::Open)
        {
            self.end(number, End::Done);
        }
    }

    /// Tells whether the result is written and nothing under way: what fails after that is not this build's fault.
    pub(super) fn is_complete(&self) -> bool {
        if self.format == Format::Classic {
            return self.evidence == Evidence::Built;
        }
        self.is_quiet() && self.written > 0 && self.failed == 0
    }

    /// Tells whether a vertex that counts has failed or was stopped, or one is under way.
    pub(super) fn is_troubled(&self) -> bool {
        self.unended > 0 || self.failed > 0 || self.is_cancelled()
    }

    /// Tells whether a vertex was stopped.
    pub(super) fn is_cancelled(&self) -> bool {
        let cancelled = |vertex: &Vertex| vertex.end == End::Cancelled;
        self.vertices.iter().any(cancelled)
    }

    /// Tells whether the lines heard are a build of an image at all: a builder that is set up is none.
    pub(super) fn is_build(&self) -> bool {
        self.vertices.iter().any(|vertex| vertex.of_dockerfile)
    }

    /// Tells whether the build has come to its first step or base image.
    pub(super) fn has_steps(&self) -> bool {
        self.vertices
            .iter()
            .any(|vertex| matches!(vertex.kind, Kind::Step | Kind::From))
    }

    /// Returns the vertex of a number, new if need be; nothing beyond the bounds.
    pub(super) fn vertex(&mut self, number: u32) -> Option<&mut Vertex> {
        let place = self.place(number)?;
        self.current = number;
        self.vertices.get_mut(place)
    }

    pub(super) fn error(&mut self, number: u32, text: &[u8]) -> bool {
        let span = self.keep(text);
        let Some(vertex) = self.vertex(number) else {
            return false;
        };
        vertex.error = span;
        self.end(number, End::Error);
        true
    }

    /// Hears how far a layer is.
    pub(super) fn pull(&mut self, number: u32, key: u64, (bytes, total): (u64, u64), push: bool) {
        let Some(vertex) = self.place(number) else {
            return;
        };
        let vertex = vertex as u32;
        let room = self.pulls.len() < PULLS;
        // The layers of one vertex report in turns, so the search ends early.
        let known = self
            .pulls
            .iter_mut()
            .rev()
            .take(256)
            .find(|pull| pull.vertex == vertex && pull.key == key);
        match known {
            Some(pull) => {
                pull.bytes = pull.bytes.max(bytes);
                pull.total = pull.total.max(total);
            }
            None if room => self.pulls.push(Pull {
                vertex,
                key,
                bytes,
                total,
                push,
            }),
            None => {}
        }
    }

    /// Hears that a layer is being unpacked, so all of it is here, though the log may not have told its last bytes.
    pub(super) fn arrived(&mut self, number: u32, key: u64) {
        let Some(vertex) = self.place(number) else {
            return;
        };
        let vertex = vertex as u32;
        if let Some(pull) = self
            .pulls
            .iter_mut()
            .rev()
            .take(256)
            .find(|pull| pull.vertex == vertex && pull.key == key)
        {
            pull.bytes = pull.total;
        }
    }

    pub(super) fn warn(&mut self, text: &[u8]) {
        self.warnings += 1;
        if self.warning_list.len() < WARNINGS {
            self.warning_list.push(cut(text).to_vec());
        }
    }

    pub(super) fn image(&mut self, reference: &[u8]) {
        add(&mut self.images, reference, IMAGES);
    }

    /// Keeps the digest of the result: an index counts more than a manifest, a manifest more than a config.
    pub(super) fn result(&mut self, rank: u8, digest: &[u8]) {
        if digest.len() <= 80 && self.digest.as_ref().is_none_or(|(known, _)| *known < rank) {
            self.digest = Some((rank, digest.to_vec()));
        }
    }

    pub(super) fn unread(&mut self, text: &[u8]) {
        self.unread += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(text[..text.len().min(200)].to_vec());
        }
    }

    fn place(&mut self, number: u32) -> Option<usize> {
        if number > NUMBER || number == 0 {
            return None;
        }
        let at = number as usize;
        // Numbers are given in order; one far ahead of what is held is not one of this build.
        if at >= self.index.len() {
            if self.vertices.len() >= VERTICES || at > self.index.len() + 2 * VERTICES {
                return None;
            }
            self.index.resize(at + 1, 0);
        }
        if self.index[at] == 0 {
            if self.vertices.len() >= VERTICES {
                return None;
            }
            self.vertices.push(Vertex {
                number,
                name: Span::default(),
                kind: Kind::Other,
                of_dockerfile: false,
                end: End::Open,
                cached: false,
                ran: false,
                seconds: -1.0,
                error: Span::default(),
            });
            self.unended += 1;
            self.index[at] = self.vertices.len() as u32;
            self.highest = self.highest.max(number);
        }
        Some(self.index[at] as usize - 1)
    }

    fn keep(&mut self, text: &[u8]) -> Span {
        let text = cut(text);
        if self.texts.len() + text.len() > TEXTS {
            return Span::default();
        }
        let at = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        Span {
            at,
            len: text.len() as u32,
        }
    }
}

fn is_work(kind: Kind) -> bool {
    matches!(kind, Kind::Step | Kind::Export | Kind::CacheExport)
}

/// Cuts a text at the bound of one name.
pub(super) fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(TEXT)]
}

/// Adds a text to a short list once.
pub(super) fn add(list: &mut Vec<Vec<u8>>, text: &[u8], limit: usize) {
    let text = cut(text);
    if !text.is_empty() && list.len() < limit && !list.iter().any(|known| known == text) {
        list.push(text.to_vec());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_key_and_everything_is_bounded() {
        let mut open = Open::default();
        assert!(open.header(1, b"[1/2] COPY a"));
        assert!(open.header(2, b"[1/2] COPY a"));
        assert!(open.header(1, b"[1/2] COPY a"));
        assert_eq!(open.vertices.len(), 2);
        assert!(
            !open.header(0, b"x") && !open.header(u32::MAX, b"x") && !open.header(900_000, b"x")
        );
        for number in 1..40_000 {
            open.header(number, &[b'x'; 2_000]);
            open.pull(number, u64::from(number), (5, 5), false);
            open.warn(&[b'w'; 2_000]);
            open.image(number.to_string().as_bytes());
            open.unread(&[b'u'; 2_000]);
        }
        assert_eq!(open.vertices.len(), VERTICES);
        assert!(open.texts.len() <= TEXTS && open.pulls.len() <= PULLS);
        assert_eq!(
            (open.warnings, open.warning_list.len(), open.images.len()),
            (39_999, WARNINGS, IMAGES)
        );
        assert_eq!((open.unread, open.samples.len()), (39_999, SAMPLES));
        open.clear();
        assert!(open.is_empty() && open.find(1).is_none());
        open.pull(3, 7, (10, 30), false);
        open.pull(3, 7, (20, 30), false);
        assert_eq!((open.pulls.len(), open.pulls[0].bytes), (1, 20));
        open.arrived(3, 7);
        open.arrived(3, 8);
        assert_eq!(open.pulls[0].bytes, 30);
        assert_eq!(open.vertex(3).unwrap().number, 3);
    }
}
