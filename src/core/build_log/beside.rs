//! The lines that are of no vertex: other builders, other forms, the end of a build and what comes after it.

use super::classic;
use super::lane::{Lane, SILENCE, Sink};
use super::model::{Format, Refused};
use super::open::{End, Evidence, Open};
use super::rawjson;
use super::refuse;
use super::tail::{self, Failure};

impl Lane {
    /// Reads a line that is of no vertex.
    pub(super) fn other(&mut self, text: &[u8], sink: &mut Sink<'_>) {
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
                && open.trailer.is_none()
                && (open.evidence != Evidence::Built || matches!(line, classic::Line::Tagged(_)))
        });
        if matches!(line, classic::Line::Step { .. }) {
            let next = running
                && self
                    .active
                    .get(self.current)
                    .is_some_and(|open| classic::fits(open, &line));
            if !next {
                // Output of a step may imitate a step, but hardly one of another build's beginning.
                if running && !classic::begins(&line) {
                    return false;
                }
                self.settle(sink);
                self.begin(sink);
            }
        } else if !running
            || !self
                .active
                .get(self.current)
                .is_some_and(|open| classic::fits(open, &line))
        {
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
    pub(super) fn foreign_line(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        let text = text.trim_ascii_end();
        if text == b"------" {
            self.quoting = !self.quoting && !self.active.is_empty();
            return;
        }
        let noise = tail::is_noise(text) || std::mem::take(&mut self.record);
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
        let complete = open.is_complete();
        let accepted = match failure {
            Failure::Certain(_) => !complete || foreign == 0,
            Failure::Vague(_) => {
                foreign == 0 && !complete && (open.is_troubled() || !open.has_steps())
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
            && let Some(at) = self
                .active
                .iter()
                .position(|open| failed(open) && !self.is_left(open))
        {
            return Some(at);
        }
        (!self.active.is_empty()).then_some(self.current)
    }

    /// Takes note of what shows that the builds here are over; the first clear word counts.
    ///
    /// Where the end is known already, nothing that is said later matters, and of a build that another followed
    /// nothing is said any more.
    pub(super) fn note(&mut self, evidence: Evidence) {
        let begun = self.begun;
        for open in &mut self.active {
            let left = open.heard <= begun;
            let known = open.trailer.is_some() || open.is_complete() || open.is_empty();
            if !known && !left && matches!(open.evidence, Evidence::None | Evidence::Ended) {
                open.evidence = evidence;
            }
        }
    }

    /// Counts a line as unread if it stands inside a build.
    pub(super) fn unread_inside(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        let inside = self.active.get_mut(self.current).is_some_and(|open| {
            open.format == Format::Plain
                && open.trailer.is_none()
                && open.evidence == Evidence::None
                && !open.is_empty()
                && !open.is_complete()
        });
        if inside && self.foreign <= SILENCE {
            self.unread(text, sink);
        }
    }
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
