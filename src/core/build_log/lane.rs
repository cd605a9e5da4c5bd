//! One speaker of a log: which lines are of which build, and where one build ends and the next begins.
//!
//! Knows nothing of bytes, wrappers and other speakers; see `reader`.

use super::classic;
use super::decode;
use super::figures::{self, Around};
use super::hints::Hints;
use super::model::{Build, Format, Reading, Refused};
use super::name;
use super::open::{End, Evidence, Open, cut};
use super::rawjson;
use super::refuse;
use super::stamp::Stamp;
use super::tail::{self, Failure};
use super::words::{self, Word};

/// Builds whose lines may stand between each other.
const ACTIVE: usize = 8;
/// Lines held back until it is clear whose they are.
const HELD: usize = 16;
/// Lines of other work after which a build that fell silent counts as over.
const SILENCE: u32 = 200;
/// Lines that one folded name may take.
const FOLDS: u8 = 6;
const SAMPLES: usize = 8;

/// What a lane writes to.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    pub builds: &'a mut Vec<Build>,
    pub reading: &'a mut Reading,
    pub line: u64,
    pub time: Option<Stamp>,
}

/// A name that a console folded, so far.
#[derive(Debug)]
struct Fold {
    number: u32,
    name: Vec<u8>,
    lines: u8,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub key: [Box<[u8]>; 2],
    step: Box<[u8]>,
    /// The builds under way; mostly one.
    active: Vec<Open>,
    /// The one heard last.
    current: usize,
    spare: Open,
    fold: Option<Fold>,
    /// Lines of a vertex `#1` that may begin the next build or be shown again.
    again: Option<Vec<Vec<u8>>>,
    /// Between the dashes under which a builder repeats the output of what failed.
    quoting: bool,
    /// Lines of others since the last line of a build.
    foreign: u32,
    hints: Hints,
    screen_lines: u8,
    /// How many vertex lines were heard when the last build began.
    begun: u64,
    heard: u64,
}

impl Lane {
    pub(super) fn new(key: [&[u8]; 2]) -> Self {
        Self {
            key: key.map(Into::into),
            ..Self::default()
        }
    }

    /// Tells that no build waits for lines here, so that most lines mean nothing.
    pub(super) fn is_idle(&mut self) -> bool {
        self.fold.is_none()
            && self.again.is_none()
            && match self.active.as_mut_slice() {
                [] => true,
                [open] => open.trailer.is_some() || figures::is_complete(open),
                _ => false,
            }
    }

    /// Returns the number of the vertex whose output is being shown, if that is all that can come.
    pub(super) fn showing(&self) -> Option<u32> {
        let open = self.active.get(self.current)?;
        let plain = open.format == Format::Plain
            && self.active.len() == 1
            && self.again.is_none()
            && self.fold.is_none();
        let vertex = open.find(open.current)?;
        (plain && vertex.ran && vertex.end == End::Open).then_some(open.current)
    }

    /// Hears of lines of output that were not read one by one.
    pub(super) fn showed_until(&mut self, time: Option<Stamp>) {
        if let Some(open) = self.active.get_mut(self.current) {
            open.last = time.or(open.last);
        }
    }

    /// Hears of lines of others that were not read one by one.
    pub(super) fn passed(&mut self, lines: u64) {
        self.foreign = self
            .foreign
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    /// Hears that the job went on to another step.
    pub(super) fn step(&mut self, step: &[u8]) {
        if *self.step != *step {
            if !self.step.is_empty() {
                self.note(Evidence::Ended);
            }
            self.step = step.into();
        }
    }

    /// Reads one line.
    pub(super) fn line(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        if let Some((number, rest)) = words::number(text) {
            self.vertex_line(number, rest, sink);
            return;
        }
        // A carriage return begins the line anew on a screen; here each part is a line.
        let mut parts = text.split(|byte| *byte == b'\r');
        let first = parts.next().unwrap_or_default();
        self.other(first, sink);
        for part in parts {
            match words::number(part) {
                Some((number, rest)) => {
                    self.vertex_line(number, rest, sink);
                    // What follows is the output of that vertex.
                    if words::word(rest) == Word::Output {
                        return;
                    }
                }
                None => self.other(part, sink),
            }
        }
    }

    /// Ends everything; `over` tells that something else follows.
    pub(super) fn finish(&mut self, over: bool, exit: Option<i32>, sink: &mut Sink<'_>) {
        self.settle(sink);
        for mut open in std::mem::take(&mut self.active) {
            let over = over || self.is_left(&open);
            self.emit(&mut open, over, exit, sink);
        }
    }

    /// Returns the builds under way as they stand.
    pub(super) fn snapshot(&self) -> impl Iterator<Item = Build> {
        let silent = self.foreign > SILENCE;
        self.active
            .iter()
            .filter(|open| figures::is_build(open))
            .map(move |open| {
                let over = silent || self.is_left(open);
                figures::build(
                    open,
                    Around {
                        job: &self.key[0],
                        over,
                        exit: None,
                    },
                )
            })
    }

    /// Tells a build that another one followed, and that was not heard since.
    fn is_left(&self, open: &Open) -> bool {
        open.heard <= self.begun
    }

    fn vertex_line(&mut self, number: u32, rest: &[u8], sink: &mut Sink<'_>) {
        if number == 0 {
            if rest.starts_with(b"building with ") {
                self.settle(sink);
                self.begin(sink);
            } else {
                self.foreign_line(&[b"#0 ", rest].concat(), sink);
            }
            return;
        }
        let word = words::word(rest);
        if let Some(held) = &mut self.again {
            if number == 1 {
                if held.len() < HELD {
                    held.push(cut(rest).to_vec());
                }
                return;
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
    }

    fn hear(&mut self, number: u32, rest: &[u8], word: Word<'_>, sink: &mut Sink<'_>) {
        match word {
            Word::Text(text) => self.text(number, text, sink),
            Word::Empty => {
                if self
                    .active
                    .get(self.current)
                    .is_some_and(|open| open.find(number).is_none())
                {
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
                        self.unread(
                            &[b"#", number.to_string().as_bytes(), b" ", rest].concat(),
                            sink,
                        );
                    }
                    return;
                };
                self.turn_to(at, sink);
                apply(&mut self.active[at], number, word);
            }
        }
    }

    /// Finds the build whose vertex of that number has something to say.
    fn owner(&self, number: u32) -> Option<usize> {
        let current = self.active.get(self.current)?;
        let shows = |open: &Open| {
            open.current == number
                && open
                    .find(number)
                    .is_some_and(|vertex| vertex.end == End::Open)
        };
        if current.current == number
            && current.find(number).is_some()
            && (self.active.len() == 1 || shows(current))
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
        let Some(open) = self.active.get(self.current) else {
            if words::is_certain_header(name) {
                self.begin(sink);
                self.header(number, text, sink);
            }
            return;
        };
        let over = open.trailer.is_some() || open.evidence != Evidence::None;
        let known = open.name(number);
        let same = known.is_some_and(|known| is_same(known, name));
        if number == 1 && header && self.begins_again(same) {
            let open = &mut self.active[self.current];
            let complete = figures::is_complete(open);
            let only = open.highest <= 1;
            if over || complete || !same {
                self.begin(sink);
                self.header(number, text, sink);
            } else if only || open.current == 1 {
                self.header(number, text, sink);
            } else {
                self.again = Some(vec![cut(text).to_vec()]);
            }
            return;
        }
        if same {
            self.header(number, text, sink);
            return;
        }
        if known.is_some_and(|known| !known.is_empty()) {
            if !header
                || (self.active.len() == 1
                    && open.current == number
                    && open
                        .find(number)
                        .is_some_and(|vertex| vertex.end == End::Open))
            {
                self.progress(number, name, sink);
            } else if let Some(at) = self.fitting(number, name) {
                self.turn_to(at, sink);
                self.header(number, text, sink);
            } else {
                self.begin(sink);
                self.header(number, text, sink);
            }
            return;
        }
        if self.active.len() > 1
            && number != open.highest + 1
            && let Some(at) = self.fitting(number, name)
        {
            self.turn_to(at, sink);
        }
        let next = self.active[self.current].highest + 1;
        if over && number != next && words::is_certain_header(name) && number < next {
            self.begin(sink);
        }
        if header || (number == next && !over) {
            self.header(number, text, sink);
        } else {
            self.unread(
                &[b"#", number.to_string().as_bytes(), b" ", name].concat(),
                sink,
            );
        }
    }

    /// Tells whether a header of `#1` can begin another build: not while several are read that lack it.
    fn begins_again(&self, same: bool) -> bool {
        let open = &self.active[self.current];
        open.find(1).is_some() || (!same && !open.is_empty())
    }

    /// Finds another active build that such a header continues.
    fn fitting(&self, number: u32, name: &[u8]) -> Option<usize> {
        let others = || {
            self.active
                .iter()
                .enumerate()
                .filter(|(at, open)| *at != self.current && open.trailer.is_none())
        };
        others()
            .find(|(_, open)| open.name(number).is_some_and(|known| is_same(known, name)))
            .or_else(|| others().find(|(_, open)| open.highest + 1 == number))
            .map(|(at, _)| at)
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
        let entered = self.active[self.current].header(number, text.trim_ascii_end());
        if !entered {
            self.unread(text, sink);
        }
    }

    fn progress(&mut self, number: u32, text: &[u8], sink: &mut Sink<'_>) {
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
            self.active[at].interleaved = true;
            let current = self.current;
            self.active[current].interleaved = true;
            self.current = at;
        }
        self.touch(sink);
    }

    /// Takes note that a line of the current build was heard.
    fn touch(&mut self, sink: &Sink<'_>) {
        self.foreign = 0;
        self.quoting = false;
        self.heard += 1;
        let heard = self.heard;
        let Some(open) = self.active.get_mut(self.current) else {
            return;
        };
        open.heard = heard;
        if open.evidence == Evidence::Ended {
            open.evidence = Evidence::None;
        }
        if sink.time.is_some() && open.format != Format::Rawjson {
            open.first = open.first.or(sink.time);
            open.last = sink.time;
        }
    }

    /// Begins another build.
    fn begin(&mut self, sink: &mut Sink<'_>) {
        self.flush_fold(sink);
        let begun = std::mem::replace(&mut self.begun, self.heard);
        let mut kept = Vec::with_capacity(1);
        let current = self.current;
        let active = std::mem::take(&mut self.active);
        let crowded = active.len() >= ACTIVE;
        for (at, mut open) in active.into_iter().enumerate() {
            // One that was heard since the last beginning may be running beside the new one.
            let alive = (at == current || open.heard > begun)
                && open.trailer.is_none()
                && open.evidence == Evidence::None
                && open.format == Format::Plain
                && !figures::is_complete(&mut open);
            if alive && !crowded && !open.is_empty() {
                kept.push(open);
            } else {
                self.emit(&mut open, true, None, sink);
                self.spare = open;
            }
        }
        let mut open = std::mem::take(&mut self.spare);
        open.clear();
        open.line = sink.line;
        if sink.time.is_some() {
            open.first = sink.time;
            open.last = sink.time;
        }
        self.hints.give(&mut open);
        kept.push(open);
        self.active = kept;
        self.current = self.active.len() - 1;
        self.touch(sink);
    }

    fn emit(&mut self, open: &mut Open, over: bool, exit: Option<i32>, sink: &mut Sink<'_>) {
        if figures::is_build(open) {
            let over = over || self.foreign > SILENCE;
            sink.builds.push(figures::build(
                open,
                Around {
                    job: &self.key[0],
                    over,
                    exit,
                },
            ));
        }
    }

    /// Decides what was held back.
    fn settle(&mut self, sink: &mut Sink<'_>) {
        self.flush_fold(sink);
        for rest in self.again.take().unwrap_or_default() {
            if let Word::Text(text) = words::word(&rest) {
                if !words::is_header(text) {
                    self.progress(1, text, sink);
                }
            } else {
                self.hear(1, &rest, words::word(&rest), sink);
            }
        }
    }

    /// Gives up on the rest of a folded name.
    fn flush_fold(&mut self, sink: &mut Sink<'_>) {
        let Some(fold) = self.fold.take() else { return };
        if !fold.name.is_empty()
            && let Some(open) = self.active.get_mut(self.current)
        {
            open.header(fold.number, fold.name.trim_ascii_end());
            if std::str::from_utf8(fold.name.trim_ascii_end())
                .map_or(true, |name| !name::is_whole(name))
            {
                self.unread(&fold.name, sink);
            }
        }
    }

    /// Reads a line that is of no vertex.
    fn other(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        if text.trim_ascii().is_empty() {
            self.flush_fold(sink);
            return;
        }
        if self.fold.is_some() && self.unfold(text, sink) {
            return;
        }
        if text.first() == Some(&b'{') && rawjson::is_event(text) {
            self.event(text, sink);
            return;
        }
        if let Some(line) = classic::read(text)
            && self.classic(line, sink)
        {
            return;
        }
        if let Some(kind) = refuse::refused(text, &mut self.screen_lines) {
            self.refuse(kind, sink);
            return;
        }
        self.foreign_line(text, sink);
    }

    /// Joins a folded name; tells whether the line was its continuation.
    fn unfold(&mut self, text: &[u8], sink: &mut Sink<'_>) -> bool {
        let Some(mut fold) = self.fold.take() else {
            return false;
        };
        fold.lines += 1;
        let name = join(&fold.name, text);
        fold.name = cut(&name).to_vec();
        let whole = std::str::from_utf8(fold.name.trim_ascii_end()).is_ok_and(name::is_whole);
        if whole {
            if let Some(open) = self.active.get_mut(self.current) {
                open.header(fold.number, fold.name.trim_ascii_end());
            }
        } else if fold.lines < FOLDS {
            self.fold = Some(fold);
        } else {
            self.fold = Some(fold);
            self.flush_fold(sink);
        }
        true
    }

    fn event(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        let Some(event) = rawjson::read(text) else {
            self.unread(text, sink);
            return;
        };
        let other = match self.active.get(self.current) {
            None => true,
            Some(open) => {
                open.format != Format::Rawjson
                    || open.trailer.is_some()
                    || open.evidence != Evidence::None
                    || rawjson::begins_another(open, &event)
            }
        };
        if other {
            self.begin(sink);
            self.active[self.current].first = None;
        }
        self.foreign = 0;
        self.quoting = false;
        rawjson::add(&mut self.active[self.current], &event);
    }

    /// Adds a line of the classic builder where it fits; tells whether it did.
    fn classic(&mut self, line: classic::Line<'_>, sink: &mut Sink<'_>) -> bool {
        let running = self.active.get(self.current).is_some_and(|open| {
            open.format == Format::Classic
                && (open.evidence != Evidence::Built || matches!(line, classic::Line::Tagged(_)))
        });
        if let classic::Line::Step { number, .. } = line {
            let next = running
                && self
                    .active
                    .get(self.current)
                    .is_some_and(|open| classic::fits(open, &line));
            if !next {
                // Output of a step may imitate a step, but hardly one of another build's beginning.
                if running && number != 1 {
                    return false;
                }
                self.settle(sink);
                self.begin(sink);
            }
        } else if !running {
            return false;
        }
        self.touch(sink);
        classic::add(&mut self.active[self.current], line);
        true
    }

    fn refuse(&mut self, kind: Refused, sink: &mut Sink<'_>) {
        if !sink.reading.refused.contains(&kind) {
            sink.reading.refused.push(kind);
        }
    }

    /// Reads a line that is not the builder's own.
    fn foreign_line(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        let text = text.trim_ascii_end();
        if text == b"------" {
            self.quoting = !self.quoting && !self.active.is_empty();
            return;
        }
        let noise = tail::is_noise(text);
        if self.quoting && !noise {
            return;
        }
        if noise && text.first() == Some(&b'-') {
            self.quoting = false;
        }
        self.hints.hear(text, self.active.get_mut(self.current));
        if let Some(failure) = tail::failure(text) {
            self.failed(failure);
        }
        if let Some(evidence) = tail::evidence(text) {
            if evidence == Evidence::Built && self.quiet_output(text) {
                return;
            }
            self.note(evidence);
        }
        if !noise {
            self.foreign = self.foreign.saturating_add(1);
            self.unread_inside(text, sink);
        }
    }

    /// Reads ` sem/cb-api:1  Built`: what compose says of each image.
    fn quiet_output(&mut self, text: &[u8]) -> bool {
        let words: Vec<&[u8]> = text
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty())
            .collect();
        if let [.., image, b"Built"] = words.as_slice()
            && let Some(open) = self.active.get_mut(self.current)
        {
            if image.iter().any(|byte| matches!(byte, b':' | b'/')) {
                open.image(&full_reference(image, &open.images));
            }
            // Compose says so while others are still being built.
            if !open.is_quiet() {
                return true;
            }
        }
        false
    }

    fn failed(&mut self, failure: Failure<'_>) {
        let Some(at) = self.blamed() else { return };
        let foreign = self.foreign;
        let open = &mut self.active[at];
        if open.trailer.is_some() {
            return;
        }
        let complete = figures::is_complete(open);
        let accepted = match failure {
            Failure::Certain(_) => !complete || foreign == 0,
            Failure::Vague(_) => {
                foreign == 0 && !complete && (figures::is_troubled(open) || figures_are_empty(open))
            }
        };
        if accepted && open.evidence != Evidence::Built {
            let (Failure::Certain(reason) | Failure::Vague(reason)) = failure;
            open.trailer = Some(reason[..reason.len().min(4096)].to_vec());
        }
    }

    /// Finds the build that a message of failure is about.
    fn blamed(&self) -> Option<usize> {
        let failed = |open: &Open| {
            open.trailer.is_none() && open.vertices.iter().any(|vertex| vertex.end == End::Error)
        };
        if self.active.len() > 1
            && let Some(at) = self.active.iter().position(failed)
        {
            return Some(at);
        }
        (!self.active.is_empty()).then_some(self.current)
    }

    /// Takes note of what shows that the builds here are over; the first clear word counts.
    fn note(&mut self, evidence: Evidence) {
        for open in &mut self.active {
            if matches!(open.evidence, Evidence::None | Evidence::Ended) && !open.is_empty() {
                open.evidence = evidence;
            }
        }
    }

    /// Counts a line as unread if it stands inside a build.
    fn unread_inside(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        let inside = self.active.get_mut(self.current).is_some_and(|open| {
            open.format == Format::Plain
                && open.trailer.is_none()
                && open.evidence == Evidence::None
                && !open.is_empty()
                && !figures::is_complete(open)
        });
        if inside && self.foreign <= SILENCE {
            self.unread(text, sink);
        }
    }

    fn unread(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        if let Some(open) = self.active.get_mut(self.current) {
            open.unread(text);
        }
        sink.reading.unread += 1;
        if sink.reading.sample.len() < SAMPLES {
            sink.reading.sample.push(decode::text(text, 200));
        }
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
            if vertex.end == End::Open {
                vertex.end = End::Done;
            }
            vertex.seconds = seconds.unwrap_or(vertex.seconds);
        }
        Word::Cached => {
            vertex.cached = true;
            if vertex.end == End::Open {
                vertex.end = End::Done;
            }
        }
        Word::Cancelled => vertex.end = End::Cancelled,
        _ => {}
    }
}

/// Tells whether two names are of one vertex: the same, one cut short, or one shown for another of its targets.
fn is_same(known: &[u8], name: &[u8]) -> bool {
    let name = cut(name);
    if known == name {
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
    known.place.is_some()
        && known.place == name.place
        && known.instruction == name.instruction
        && known.stage == name.stage
        && known.platform == name.platform
}

/// Joins two parts of a folded name; where a blank was folded away, the numbers and words show it.
fn join(name: &[u8], text: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 6] = [b"", b"FROM", b"RUN", b"COPY", b"ADD", b"WORKDIR"];
    let joined = [name, text].concat();
    if name.is_empty() || name.last() == Some(&b' ') {
        return joined;
    }
    let spaced = [name, b" ", text].concat();
    let blank = match memchr::memchr(b']', name) {
        Some(at) => WORDS.contains(&name[at + 1..].trim_ascii()),
        None if name.first() == Some(&b'[') => places(&spaced) && !places(&joined),
        None => true,
    };
    if blank { spaced } else { joined }
}

/// Tells whether a bracket that is being unfolded ends in numbers or another word that names what it is.
fn places(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| {
        name.contains(']') && !matches!(name::parse(name).kind, name::Kind::Other)
    })
}

/// Returns an image as compose names it in full, if the build has said the full name already.
fn full_reference(image: &[u8], known: &[Vec<u8>]) -> Vec<u8> {
    known
        .iter()
        .find(|known| {
            known.ends_with(image)
                && matches!(
                    known.get(known.len().wrapping_sub(image.len() + 1)),
                    Some(b'/')
                )
        })
        .cloned()
        .unwrap_or_else(|| image.to_vec())
}

/// Tells whether a build has not come to any step yet.
fn figures_are_empty(open: &Open) -> bool {
    open.vertices.iter().all(|vertex| {
        std::str::from_utf8(open.text(vertex.name)).is_ok_and(|name| {
            !matches!(name::parse(name).kind, name::Kind::Step | name::Kind::From)
        })
    })
}
