//! From bytes to lines to speakers: the incremental front of the parser.
//!
//! Feeding in any portions gives the same result. Memory is bounded whatever comes. Most lines of a long log are the
//! output of one running step or have nothing to do with a build; they are told by their first bytes alone.

use super::decode::{self, Order};
use super::lane::{Lane, Likely, Sink};
use super::model::{Build, Reading, Refused};
use super::objects::Objects;
use super::prefix::{Unwrapper, first_step_at};
use super::quick::{Mode, Quick};
use super::rawjson;
use super::refuse;
use super::stamp::Stamp;
use super::strings::Strings;
use super::unwrap::Unwrapped;

/// The longest line that is held; what is beyond is not read.
const LINE: usize = 1 << 20;
/// How many speakers of one log are kept apart.
const LANES: usize = 64;
/// Finished builds that wait to be taken.
const WAITING: usize = 10_000;

/// Reads a build log in portions.
///
/// It never fails: what it cannot read is counted in [`Reading`], with a sample.
#[derive(Debug, Default)]
pub struct BuildLog {
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// The rest of an overlong line is being passed over.
    skipping: bool,
    line_feeds: bool,
    /// Lines end with carriage returns alone.
    returns: bool,
    order: Order,
    decoded: Vec<u8>,
    stripped: Vec<u8>,
    unwrapper: Unwrapper,
    objects: Objects,
    strings: Strings,
    lanes: Vec<Lane>,
    current: usize,
    quick: Quick,
    careful: bool,
    builds: Vec<Build>,
    reading: Reading,
}

impl BuildLog {
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a reader that looks at every line, to hold the shortcuts of the usual one against.
    pub fn careful() -> Self {
        Self {
            careful: true,
            ..Self::default()
        }
    }

    /// Reads the next bytes of the log.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.reading.bytes += bytes.len() as u64;
        let mut bytes = bytes;
        if self.skipping || !self.rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.hold(bytes);
                return;
            };
            self.hold(&bytes[..end]);
            self.line_feeds = true;
            self.skipping = false;
            let line = std::mem::take(&mut self.rest);
            self.raw_line(&line);
            self.rest = line;
            self.rest.clear();
            bytes = &bytes[end + 1..];
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[from..end];
            from = end + 1;
            if self.quick.mode != Mode::Off && self.quick.passes(line) {
                self.quick.passed += 1;
            } else if line.len() > LINE {
                self.reading.cut += 1;
                self.raw_line(&line[..LINE]);
            } else {
                self.raw_line(line);
            }
        }
        if from > 0 {
            self.line_feeds = true;
        }
        self.hold(&bytes[from..]);
    }

    /// Returns the builds that ended since the last call, in the order in which they began.
    pub fn take(&mut self) -> Vec<Build> {
        let mut builds = std::mem::take(&mut self.builds);
        builds.sort_by_key(|build| build.line);
        builds
    }

    /// Returns the builds under way as they stand.
    pub fn open(&mut self) -> Vec<Build> {
        self.settle();
        let mut builds: Vec<Build> = self.lanes.iter().flat_map(Lane::snapshot).collect();
        builds.sort_by_key(|build| build.line);
        builds
    }

    /// Returns how the reading went so far.
    pub fn reading(&mut self) -> &Reading {
        self.settle();
        &self.reading
    }

    /// Reads what is left at the end of the log; `exit` is the status of the command that wrote it, if known.
    ///
    /// Returns the builds that were not taken yet. The log may be fed on: a new build then begins.
    pub fn finish(&mut self, exit: Option<i32>) -> Vec<Build> {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            if !self.line_feeds && line.contains(&b'\r') && !decode::is_utf16(&line) {
                self.returns = true;
            }
            self.raw_line(&line);
        }
        self.skipping = false;
        self.settle();
        let count = self.lanes.len();
        for lane in &mut self.lanes {
            let mut sink = Sink {
                builds: &mut self.builds,
                reading: &mut self.reading,
                line: 0,
                time: None,
            };
            // A command's status is that of its own build; among several speakers nobody knows whose it is.
            lane.finish(false, exit.filter(|_| count == 1), &mut sink);
        }
        self.lanes.clear();
        self.current = 0;
        self.quick.mode = Mode::Off;
        self.take()
    }

    /// Keeps the beginning of a line.
    fn hold(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        let room = LINE - self.rest.len().min(LINE);
        if bytes.len() <= room {
            self.rest.extend_from_slice(bytes);
            return;
        }
        self.rest.extend_from_slice(&bytes[..room]);
        if !self.line_feeds && self.rest.contains(&b'\r') && !decode::is_utf16(&self.rest) {
            // A file of carriage returns: read what is there, keep the last part, go on.
            self.returns = true;
            let held = std::mem::take(&mut self.rest);
            let end = memchr::memrchr(b'\r', &held).map_or(held.len(), |at| at + 1);
            self.raw_line(&held[..end]);
            self.rest.extend_from_slice(&held[end..]);
            self.hold(&bytes[room..]);
        } else {
            self.skipping = true;
            self.reading.cut += 1;
        }
    }

    fn raw_line(&mut self, line: &[u8]) {
        if self.returns {
            for part in line.split(|byte| *byte == b'\r') {
                self.one_line(part);
            }
        } else {
            self.one_line(line);
        }
    }

    fn one_line(&mut self, line: &[u8]) {
        self.settle();
        self.reading.lines += 1;
        if self.reading.lines == 1 && refuse::is_packed(line) {
            self.reading.refused.push(Refused::Packed);
        }
        // Every fourth line of a plain log is empty, and only an unfinished name waits for it.
        if line.is_empty() && self.lanes.iter().all(Lane::ignores_blanks) {
            return;
        }
        let mut line = line;
        let mut plain = true;
        let mut decoded = std::mem::take(&mut self.decoded);
        let mut stripped = std::mem::take(&mut self.stripped);
        if decode::is_utf16(line) {
            self.order = decode::utf16(line, self.order, &mut decoded);
            line = &decoded;
            plain = false;
        } else if let [0, rest @ ..] = line {
            line = rest;
            plain = false;
        }
        while let [head @ .., b'\r'] = line {
            line = head;
        }
        if memchr::memchr(0x1b, line).is_some() {
            decode::without_escapes(line, &mut stripped);
            line = &stripped;
            plain = false;
        }
        self.text_line(line, plain, 0);
        self.decoded = decoded;
        self.stripped = stripped;
    }

    fn text_line(&mut self, line: &[u8], plain: bool, depth: u8) {
        let first = line.first();
        if first != Some(&b'#')
            && (memchr::memchr(b'#', line).is_some() || first_step_at(line).is_some())
        {
            self.unwrapper.learn(line);
        }
        // Taken out while the lines that it finds are handed on.
        let unwrapper = std::mem::take(&mut self.unwrapper);
        let found = unwrapper.unwrap(line);
        let object =
            depth == 0 && found.text.first() == Some(&b'{') && !rawjson::is_event(found.text);
        if object && let Some(inner) = self.objects.take(found.text) {
            self.unwrapper = unwrapper;
            self.inner_lines(&inner, |part| !part.is_empty());
            return;
        }
        if depth == 0
            && let Some(inner) = self.strings.take(found.text)
        {
            self.unwrapper = unwrapper;
            self.inner_lines(inner.as_bytes(), |_| true);
            return;
        }
        if depth == 0 && !found.text.is_empty() {
            self.objects.pass();
        }
        let time = found.time.and_then(|(_, time)| Stamp::new(time));
        self.select(found.lane);
        let lane = &mut self.lanes[self.current];
        let mut sink = Sink {
            builds: &mut self.builds,
            reading: &mut self.reading,
            line: 0,
            time,
        };
        sink.line = sink.reading.lines;
        lane.step(found.step);
        let likely = lane.line(found.text, &mut sink);
        lane.record |= found.record;
        if self.builds.len() > WAITING {
            let over = self.builds.len() - WAITING;
            self.builds.drain(..over);
            self.reading.dropped += over as u64;
        }
        let likely = if likely == Likely::Foreign && unwrapper.has_learned() {
            Likely::Other
        } else {
            likely
        };
        if plain && depth == 0 {
            self.prepare(line, &found, likely);
        } else {
            self.quick.mode = Mode::Off;
        }
        self.unwrapper = unwrapper;
    }

    /// Reads the lines that one line of the log holds.
    fn inner_lines(&mut self, text: &[u8], wanted: impl Fn(&[u8]) -> bool) {
        for part in text
            .split(|byte| *byte == b'\n')
            .filter(|part| wanted(part))
        {
            self.text_line(part.trim_ascii_end(), false, 1);
        }
    }

    /// Turns to the lane of a line.
    fn select(&mut self, key: [&[u8]; 2]) {
        let is =
            |lane: &Lane| decode::same(&lane.key[0], key[0]) && decode::same(&lane.key[1], key[1]);
        if self.lanes.get(self.current).is_some_and(is) {
            return;
        }
        if let Some(at) = self.lanes.iter().position(is) {
            self.current = at;
            return;
        }
        if self.lanes.len() >= LANES {
            let idle = self.lanes.iter().position(Lane::is_empty);
            let mut lane = self.lanes.remove(idle.unwrap_or(0));
            let mut sink = Sink {
                builds: &mut self.builds,
                reading: &mut self.reading,
                line: 0,
                time: None,
            };
            lane.finish(true, None, &mut sink);
        }
        self.lanes.push(Lane::new(key));
        self.current = self.lanes.len() - 1;
    }

    /// Tells the lane of the lines that were passed over.
    fn settle(&mut self) {
        let passed = std::mem::take(&mut self.quick.passed);
        let blank = std::mem::take(&mut self.quick.blank);
        if passed == 0 {
            return;
        }
        self.reading.lines += passed;
        if let Some(lane) = self.lanes.get_mut(self.current) {
            match self.quick.mode {
                Mode::Output => lane.showed_until(self.quick.stamp),
                Mode::Idle => lane.passed(passed - blank.min(passed)),
                Mode::Off => {}
            }
        }
    }

    /// Works out how the next lines can be told by their first bytes.
    fn prepare(&mut self, line: &[u8], found: &Unwrapped<'_>, likely: Likely) {
        let lane = &self.lanes[self.current];
        self.quick.mode = match likely {
            _ if self.careful || !found.simple => Mode::Off,
            Likely::Output if lane.showing().is_some() => Mode::Output,
            Likely::Foreign if lane.is_idle() => Mode::Idle,
            _ => Mode::Off,
        };
        match self.quick.mode {
            Mode::Off => {}
            Mode::Idle => self.quick.learn(line, found, None),
            Mode::Output => self.quick.learn(line, found, lane.showing()),
        }
    }
}
