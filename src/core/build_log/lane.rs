//! One speaker of a log: which lines are of which build, and where one build ends and the next begins.
//!
//! Knows nothing of bytes, wrappers and other speakers; see `reader`.

use super::decode;
use super::figures::{self, Around};
use super::fold::Fold;
use super::hints::Hints;
use super::model::{Build, Format, Reading};
use super::open::{End, Evidence, Open};
use super::stamp::Stamp;
use super::words::{self, Word};

/// Builds whose lines may stand between each other.
const ACTIVE: usize = 8;
/// Lines of other work after which a build that fell silent counts as over.
pub(super) const SILENCE: u32 = 200;
const SAMPLES: usize = 8;

/// What the lines after one may be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likely {
    /// Output of a vertex.
    Output,
    /// Lines of others.
    Foreign,
    Other,
}

/// What a lane writes to.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    pub builds: &'a mut Vec<Build>,
    pub reading: &'a mut Reading,
    pub line: u64,
    pub time: Option<Stamp>,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub key: [Box<[u8]>; 2],
    pub(super) step: Box<[u8]>,
    /// The builds under way; mostly one.
    pub(super) active: Vec<Open>,
    /// The one heard last.
    pub(super) current: usize,
    pub(super) spare: Open,
    pub(super) fold: Option<Fold>,
    /// Lines of a vertex `#1` that may begin the next build or be shown again.
    pub(super) again: Option<Vec<Vec<u8>>>,
    /// Between the dashes under which a builder repeats the output of what failed.
    pub(super) quoting: bool,
    /// Lines of others since the last line of a build.
    pub(super) foreign: u32,
    /// Numbers that the job hides, and what they must be.
    pub(super) masked: Vec<(Box<[u8]>, u32)>,
    pub(super) hints: Hints,
    pub(super) screen_lines: u8,
    /// The next line of others is the place of an error record.
    pub(super) record: bool,
    /// A line showed that the builds under way do run at the same time.
    ///
    /// Until then the earlier ones are taken to have been killed: a retry in one file is far more frequent.
    pub(super) beside: bool,
    /// How many vertex lines were heard when the last build began.
    pub(super) begun: u64,
    pub(super) heard: u64,
}

impl Lane {
    pub(super) fn new(key: [&[u8]; 2]) -> Self {
        Self {
            key: key.map(Into::into),
            ..Self::default()
        }
    }

    /// Tells that no build is under way here.
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Tells that an empty line changes nothing here.
    pub(super) fn ignores_blanks(&self) -> bool {
        self.fold.is_none()
    }

    /// Tells that no build waits for lines here, so that most lines mean nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.fold.is_none()
            && self.again.is_none()
            && !self.hints.is_waiting()
            && self.active.iter().all(|open| {
                // Until the first line of others, a failure may still be told.
                open.trailer.is_some() || (open.is_complete() && self.foreign > 0)
            })
    }

    /// Returns the number of the vertex whose output is being shown, if that is all that can come.
    pub(super) fn showing(&self) -> Option<u32> {
        let open = self.active.get(self.current)?;
        let plain = open.format == Format::Plain && self.again.is_none() && self.fold.is_none();
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
        if !decode::same(&self.step, step) {
            if !self.step.is_empty() {
                self.note(Evidence::Ended);
            }
            self.step = step.into();
        }
    }

    /// Reads one line; tells whether more of its like may be passed over.
    pub(super) fn line(&mut self, text: &[u8], sink: &mut Sink<'_>) -> Likely {
        if let Some((number, rest)) = words::number(text) {
            let output = self.vertex_line(number, rest, sink);
            return if output {
                Likely::Output
            } else {
                Likely::Other
            };
        }
        if let Some((mask, rest)) = words::masked(text) {
            self.masked_line(mask, rest, sink);
            return Likely::Other;
        }
        self.parts(text, sink);
        Likely::Foreign
    }

    fn parts(&mut self, text: &[u8], sink: &mut Sink<'_>) {
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
        for open in std::mem::take(&mut self.active) {
            let over = over || self.is_left(&open);
            self.emit(&open, over, exit, sink);
        }
    }

    /// Returns the builds under way as they stand.
    pub(super) fn snapshot(&self) -> impl Iterator<Item = Build> {
        let silent = self.foreign > SILENCE;
        self.active
            .iter()
            .filter(|open| open.is_build())
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
    pub(super) fn is_left(&self, open: &Open) -> bool {
        open.heard <= self.begun
    }

    /// Takes note that a line of the current build was heard.
    pub(super) fn touch(&mut self, sink: &Sink<'_>) {
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
    pub(super) fn begin(&mut self, sink: &mut Sink<'_>) {
        self.flush_fold(sink);
        self.masked.clear();
        let begun = std::mem::replace(&mut self.begun, self.heard);
        let mut kept = Vec::with_capacity(1);
        let current = self.current;
        let active = std::mem::take(&mut self.active);
        let crowded = active.len() >= ACTIVE;
        for (at, open) in active.into_iter().enumerate() {
            // One that was heard since the last beginning may be running beside the new one.
            let alive = (at == current || open.heard > begun)
                && open.trailer.is_none()
                && open.evidence == Evidence::None
                && open.format == Format::Plain
                && !open.is_cancelled()
                && !open.is_complete();
            if alive && !crowded && !open.is_empty() {
                kept.push(open);
            } else {
                self.emit(&open, true, None, sink);
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
        self.beside = false;
        self.touch(sink);
    }

    pub(super) fn emit(&mut self, open: &Open, over: bool, exit: Option<i32>, sink: &mut Sink<'_>) {
        if open.is_build() {
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
    pub(super) fn settle(&mut self, sink: &mut Sink<'_>) {
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

    pub(super) fn unread(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        if let Some(open) = self.active.get_mut(self.current) {
            open.unread(text);
        }
        sink.reading.unread += 1;
        if sink.reading.sample.len() < SAMPLES {
            sink.reading.sample.push(decode::text(text, 200));
        }
    }
}
