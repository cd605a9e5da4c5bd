//! The lines of vertices: which of the builds under way each is of, and whether it begins another.

use super::decode;
use super::figures;
use super::fold::Fold;
use super::lane::{Lane, Sink};
use super::model::Format;
use super::name;
use super::open::{End, Evidence, Open, cut};
use super::words::{self, Word};

/// Lines held back until it is clear whose they are.
const HELD: usize = 16;

impl Lane {
    /// Reads a line of a vertex; tells whether it was output.
    pub(super) fn vertex_line(&mut self, number: u32, rest: &[u8], sink: &mut Sink<'_>) -> bool {
        if number == 0 {
            if rest.starts_with(b"building with ") {
                self.settle(sink);
                self.begin(sink);
            } else {
                self.foreign_line(&[b"#0 ", rest].concat(), sink);
            }
            return false;
        }
        let word = words::word(rest);
        if let Some(held) = &mut self.again {
            if number == 1 {
                if held.len() < HELD {
                    held.push(cut(rest).to_vec());
                }
                return false;
            }
            let restarts =
                number == 2 && matches!(word, Word::Text(text) if words::is_header(text));
            let known = self
                .active
                .get(self.current)
                .is_some_and(|open| open.highest >= 2);
            let held = self.again.take().unwrap_or_default();
            if restarts && known {
                self.begin(sink);
            }
            for rest in held {
                self.hear(1, &rest, words::word(&rest), sink);
            }
        }
        self.flush_fold(sink);
        self.hear(number, rest, word, sink);
        word == Word::Output
    }

    /// Reads a line of a vertex whose number a job hides because it looks like a secret: `#***`.
    ///
    /// Numbers are given in order, so a name that is new is that of the next one.
    pub(super) fn masked_line(&mut self, mask: &[u8], rest: &[u8], sink: &mut Sink<'_>) {
        let known = self
            .masked
            .iter()
            .find(|(known, _)| **known == *mask)
            .map(|(_, number)| *number);
        let number = match words::word(rest) {
            Word::Text(text) if words::is_header(text) => {
                let text = text.trim_ascii_end();
                let name = |number| self.plain().and_then(|open| open.name(number));
                match known {
                    Some(number) if name(number).is_some_and(|known| is_same(known, text)) => {
                        number
                    }
                    _ => {
                        let next = self.plain().map_or(0, |open| open.highest) + 1;
                        self.masked.retain(|(known, _)| **known != *mask);
                        if self.masked.len() < HELD {
                            self.masked.push((mask.into(), next));
                        }
                        next
                    }
                }
            }
            _ => match known {
                Some(number) => number,
                None => return,
            },
        };
        self.vertex_line(number, rest, sink);
    }

    pub(super) fn hear(&mut self, number: u32, rest: &[u8], word: Word<'_>, sink: &mut Sink<'_>) {
        match word {
            Word::Text(text) => self.text(number, text, sink),
            Word::Empty => {
                if self.plain().is_some_and(|open| open.find(number).is_none()) {
                    self.fold = Some(Fold {
                        number,
                        name: Vec::new(),
                        lines: 0,
                    });
                }
            }
            _ => {
                let Some(at) = self.owner(number) else {
                    // The end of a vertex whose beginning is not in the log.
                    if !self.active.is_empty() {
                        self.unread_inside(
                            &[b"#", number.to_string().as_bytes(), b" ", rest].concat(),
                            sink,
                        );
                    }
                    return;
                };
                let open = &self.active[at];
                let ended = open
                    .find(number)
                    .is_some_and(|vertex| vertex.end != End::Open);
                // What was built has no failures later: other programs number their lines too.
                if ended
                    && open.current != number
                    && open.is_complete()
                    && matches!(word, Word::Error(_) | Word::Cancelled)
                {
                    self.foreign = self.foreign.saturating_add(1);
                    return;
                }
                self.turn_to(at, sink);
                apply(&mut self.active[at], number, word);
            }
        }
    }

    /// Returns the build heard last, if it is one that speaks in lines of vertices.
    fn plain(&self) -> Option<&Open> {
        self.active
            .get(self.current)
            .filter(|open| open.format == Format::Plain)
    }

    /// Finds the build whose vertex of that number has something to say.
    fn owner(&self, number: u32) -> Option<usize> {
        let current = self.plain()?;
        let shows = |open: &Open| {
            open.current == number
                && open
                    .find(number)
                    .is_some_and(|vertex| vertex.end == End::Open)
        };
        if current.current == number
            && current.find(number).is_some()
            && (!self.are_beside() || shows(current))
        {
            return Some(self.current);
        }
        if self.active.len() > 1
            && let Some(at) = self.active.iter().position(shows)
        {
            return Some(at);
        }
        if current.find(number).is_some() {
            return Some(self.current);
        }
        self.active
            .iter()
            .position(|open| open.find(number).is_some())
    }

    /// Reads a name or a piece of progress.
    fn text(&mut self, number: u32, text: &[u8], sink: &mut Sink<'_>) {
        let name = text.trim_ascii_end();
        let header = words::is_header(name);
        let Some(open) = self.plain() else {
            if words::is_certain_header(name) {
                self.begin(sink);
                self.header(number, text, sink);
            }
            return;
        };
        let over = open.trailer.is_some() || open.evidence != Evidence::None || open.is_complete();
        let known = open.name(number);
        let same = known.is_some_and(|known| is_same(known, name));
        if number == 1 && header && (over || self.begins_again(same)) {
            let open = &mut self.active[self.current];
            let only = open.highest <= 1;
            if over || !same {
                self.begin(sink);
                self.header(number, text, sink);
            } else if only || open.current == 1 || (self.beside && self.active.len() > 1) {
                self.header(number, text, sink);
            } else {
                self.again = Some(vec![cut(text).to_vec()]);
            }
            return;
        }
        if header && self.active.len() > 1 && !self.beside {
            if let Some(at) = self.stray(number, name) {
                self.turn_to(at, sink);
                self.header(number, text, sink);
                return;
            }
        } else if header && self.active.len() > 1 {
            match self.fitting(number, name) {
                Some(at) => self.turn_to(at, sink),
                None => self.begin(sink),
            }
            self.header(number, text, sink);
            return;
        }
        if same {
            if Self::begins_after_its_end(open, number, name) {
                self.begin(sink);
            }
            self.header(number, text, sink);
            return;
        }
        if known.is_some_and(|known| !known.is_empty()) {
            let shown = open.current == number
                && open
                    .find(number)
                    .is_some_and(|vertex| vertex.end == End::Open);
            if !header || shown {
                self.progress(number, name, sink);
            } else if words::is_certain_header(name) && (!over || is_instruction(name)) {
                self.begin(sink);
                self.header(number, text, sink);
            } else {
                // A stack trace numbers its lines too: `#2 [internal function]: run()`.
                self.unread_inside(
                    &[b"#", number.to_string().as_bytes(), b" ", name].concat(),
                    sink,
                );
            }
            return;
        }
        if !header && self.active.len() > 1 && self.owner(number).is_some() {
            self.progress(number, name, sink);
            return;
        }
        let next = self.active[self.current].highest + 1;
        if over && number != next && words::is_certain_header(name) && number < next {
            self.begin(sink);
        }
        if header || (number == next && !over) {
            self.header(number, text, sink);
        } else {
            self.unread_inside(
                &[b"#", number.to_string().as_bytes(), b" ", name].concat(),
                sink,
            );
        }
    }

    /// Tells whether a header of `#1` can begin another build: not while a build is read that has it still to come.
    ///
    /// Some versions number a vertex when they hear of it and show it later, so `#2` may stand before `#1`.
    fn begins_again(&self, same: bool) -> bool {
        let open = &self.active[self.current];
        let at_its_beginning = !open.has_steps() && open.vertices.len() <= 8;
        open.find(1).is_some() || (!same && !open.is_empty() && !at_its_beginning)
    }

    /// Tells whether the work that comes before all steps is shown once more after the result was written.
    fn begins_after_its_end(open: &Open, number: u32, name: &[u8]) -> bool {
        let first = || {
            std::str::from_utf8(name)
                .map(name::parse)
                .is_ok_and(|name| {
                    name.kind == name::Kind::Internal
                        && name.target.is_none()
                        && name.instruction.starts_with("load ")
                })
        };
        number <= 3 && open.is_complete() && first()
    }

    /// Tells that several builds are known to run at the same time.
    fn are_beside(&self) -> bool {
        self.beside && self.active.len() > 1
    }

    /// Finds the earlier build that a header is of, if it cannot be of the one that followed.
    fn stray(&self, number: u32, name: &[u8]) -> Option<usize> {
        let parsed = std::str::from_utf8(name).ok().map(name::parse);
        let last = self.active.get(self.current)?;
        let fits = match last.find(number) {
            Some(vertex) => is_same(last.text(vertex.name), name),
            // Some versions show what they have numbered a little later.
            None => number <= last.highest + if last.has_steps() { 1 } else { 2 },
        };
        if !fits {
            return self.fitting(number, name).filter(|at| *at != self.current);
        }
        if !is_strange(last, number, name, parsed.as_ref()) {
            return None;
        }
        self.active.iter().enumerate().position(|(at, open)| {
            let continues = match open.find(number) {
                Some(vertex) => vertex.end == End::Open && is_same(open.text(vertex.name), name),
                None => number == open.highest + 1,
            };
            at != self.current
                && continues
                && open.trailer.is_none()
                && open.format == Format::Plain
                && !is_strange(open, number, name, parsed.as_ref())
        })
    }

    /// Finds the build that such a header continues, where the lines of several stand between each other.
    fn fitting(&self, number: u32, name: &[u8]) -> Option<usize> {
        let parsed = std::str::from_utf8(name).ok().map(name::parse);
        let rank = |at: usize, open: &Open| {
            let next = open.highest + 1 == number;
            let rank = match open.find(number) {
                None if next => {
                    if at == self.current {
                        0
                    } else {
                        2
                    }
                }
                None if number > open.highest => 4 + number - open.highest,
                None => return None,
                Some(vertex) if !is_same(open.text(vertex.name), name) => return None,
                Some(vertex) if vertex.end == End::Open => 1,
                Some(_) if at == self.current => 3,
                Some(_) => 4,
            };
            let strange = is_strange(open, number, name, parsed.as_ref());
            Some(rank + if strange { 1000 } else { 0 })
        };
        let open = self.active.iter().enumerate();
        let alive = open.filter(|(_, open)| open.trailer.is_none() && open.format == Format::Plain);
        alive
            .filter_map(|(at, open)| Some((rank(at, open)?, at)))
            .min()
            .map(|(_, at)| at)
    }

    /// Enters a name, or holds it until a console's folding is undone.
    fn header(&mut self, number: u32, text: &[u8], sink: &mut Sink<'_>) {
        let whole = std::str::from_utf8(text.trim_ascii_end()).map_or(true, name::is_whole);
        if !whole {
            self.fold = Some(Fold {
                number,
                name: cut(text).to_vec(),
                lines: 0,
            });
            self.touch(sink);
            return;
        }
        self.touch(sink);
        let open = &mut self.active[self.current];
        if let Some(image) = text
            .strip_prefix(b"pushing ")
            .and_then(|rest| rest.trim_ascii_end().strip_suffix(b" with docker"))
        {
            open.image(image);
        }
        let entered = open.header(number, text.trim_ascii_end());
        if !entered {
            self.unread_inside(text, sink);
        }
    }

    pub(super) fn progress(&mut self, number: u32, text: &[u8], sink: &mut Sink<'_>) {
        if let Some(at) = self.owner(number) {
            self.turn_to(at, sink);
            let open = &mut self.active[at];
            open.current = number;
            words::status(open, number, text);
        }
    }

    /// Makes another active build the current one.
    fn turn_to(&mut self, at: usize, sink: &mut Sink<'_>) {
        if at != self.current {
            self.beside = true;
            self.active[at].interleaved = true;
            let current = self.current;
            self.active[current].interleaved = true;
            self.current = at;
        }
        self.touch(sink);
    }
}

/// Adds what a vertex says to its build.
fn apply(open: &mut Open, number: u32, word: Word<'_>) {
    if let Word::Error(text) = word {
        open.error(number, text);
        return;
    }
    if let Word::Warn(text) = word {
        open.current = number;
        open.warn(text);
        return;
    }
    let Some(vertex) = open.vertex(number) else {
        return;
    };
    match word {
        Word::Output => vertex.ran = true,
        Word::Done(seconds) => {
            vertex.seconds = seconds.unwrap_or(vertex.seconds);
            open.done(number);
        }
        Word::Cached => {
            vertex.cached = true;
            open.done(number);
        }
        Word::Cancelled => open.end(number, End::Cancelled),
        _ => {}
    }
}

/// Tells a header that does not go with what a build has shown.
///
/// A stage of another length is that of another Dockerfile, nothing is exported before its stages end, and the context
/// is loaded once.
fn is_strange(open: &Open, number: u32, name: &[u8], parsed: Option<&name::Name<'_>>) -> bool {
    parsed.is_some_and(|parsed| match parsed.kind {
        name::Kind::Export => {
            (parsed.target.is_none() && figures::has_unfinished_stage(open))
                || has_name(open, number, name)
        }
        name::Kind::Internal => has_name(open, number, name),
        _ => has_other_stage(open, parsed),
    })
}

/// Tells whether what stands behind the place of a step can be an instruction.
fn is_instruction(name: &[u8]) -> bool {
    const WORDS: [&str; 18] = [
        "FROM",
        "RUN",
        "COPY",
        "ADD",
        "WORKDIR",
        "ENV",
        "LABEL",
        "USER",
        "EXPOSE",
        "VOLUME",
        "CMD",
        "ENTRYPOINT",
        "ARG",
        "SHELL",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ONBUILD",
        "MAINTAINER",
    ];
    let Ok(name) = std::str::from_utf8(name) else {
        return false;
    };
    let name = name::parse(name);
    let word = name.instruction.split(' ').next().unwrap_or_default();
    // A console may have folded the name before its instruction.
    name.place.is_none()
        || word.is_empty()
        || WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Tells whether a build has shown a vertex of that name under another number.
fn has_name(open: &Open, number: u32, name: &[u8]) -> bool {
    open.vertices
        .iter()
        .any(|vertex| vertex.number != number && decode::same(open.text(vertex.name), cut(name)))
}

/// Tells whether a build has shown a stage of that name, but never one of that length.
fn has_other_stage(open: &Open, name: &name::Name<'_>) -> bool {
    let Some((_, length)) = name.place else {
        return false;
    };
    let mut other = false;
    for vertex in open.vertices.iter().rev().take(256) {
        let Ok(known) = std::str::from_utf8(open.text(vertex.name)) else {
            continue;
        };
        let known = name::parse(known);
        if let Some((_, of)) = known.place
            && known.stage == name.stage
            && known.target == name.target
        {
            if of == length {
                return false;
            }
            other = true;
        }
    }
    other
}

/// Tells whether two names are of one vertex: the same, one cut short, or one shown for another of its targets.
fn is_same(known: &[u8], name: &[u8]) -> bool {
    let name = cut(name);
    if decode::same(known, name) {
        return true;
    }
    let shorter = known.len().min(name.len());
    if shorter >= 20
        && known[..shorter] == name[..shorter]
        && known.contains(&b']') == name.contains(&b']')
    {
        return true;
    }
    let (Ok(known), Ok(name)) = (std::str::from_utf8(known), std::str::from_utf8(name)) else {
        return false;
    };
    let (known, name) = (name::parse(known), name::parse(name));
    let one_result =
        || known.kind == name::Kind::Export && known.target.is_some() && name.target.is_some();
    (known.place.is_some() || one_result())
        && known.place == name.place
        && known.instruction == name.instruction
        && known.stage == name.stage
        && known.platform == name.platform
}
