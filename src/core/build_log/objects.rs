//! Logs whose lines are JSON objects that hold the builder's: the engine's `json-file`, the journal's, collectors'.
//!
//! The engine's own are read wherever they stand. Others are read where the whole log is of them: a program that runs
//! beside a build may write JSON too, and what it says of itself is not the builder's word.

use jiff::Timestamp;
use serde::Deserialize;

/// What the log was so far.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// A line that is no such object was met first.
    others: bool,
    /// An object was met first.
    whole: bool,
}

/// The fields that are known to hold the line, and its time.
#[derive(Deserialize)]
struct Entry {
    log: Option<String>,
    #[serde(rename = "MESSAGE")]
    journal: Option<String>,
    message: Option<String>,
    msg: Option<String>,
    line: Option<String>,
    level: Option<serde::de::IgnoredAny>,
    time: Option<Time>,
    timestamp: Option<Time>,
    #[serde(rename = "@timestamp")]
    at: Option<Time>,
    ts: Option<Time>,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    microseconds: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl Objects {
    /// Notes a line that is no object.
    pub(super) fn pass(&mut self) {
        self.others |= !self.whole;
    }

    /// Returns the lines that an object holds, each with its time before it.
    pub(super) fn take(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        if self.others && !line.starts_with(b"{\"log\":") {
            return None;
        }
        let entry: Entry = serde_json::from_slice(line).ok()?;
        let time = entry.time();
        let logged = entry.level.is_some();
        let text = match (entry.log, entry.journal, entry.message, entry.msg) {
            // The form that programs log in: a message alone does not tell who speaks.
            (None, None, None, Some(said)) if logged => format!("level=info msg=\"{said}\""),
            (log, journal, message, msg) => log.or(journal).or(message).or(msg).or(entry.line)?,
        };
        self.whole = true;
        let mut out = Vec::with_capacity(text.len() + 40);
        for part in text.split('\n').filter(|part| !part.is_empty()) {
            if let Some(time) = &time {
                out.extend_from_slice(time.as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(part.as_bytes());
            out.push(b'\n');
        }
        Some(out)
    }
}

impl Entry {
    fn time(&self) -> Option<String> {
        let text = |time: &Option<Time>| match time {
            Some(Time::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let told = [&self.time, &self.timestamp, &self.at, &self.ts];
        told.into_iter().find_map(text).or_else(|| {
            let microseconds = self.microseconds.as_ref()?.parse().ok()?;
            Some(Timestamp::from_microsecond(microseconds).ok()?.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(objects: &mut Objects, line: &str) -> Option<String> {
        let taken = objects.take(line.as_bytes())?;
        Some(String::from_utf8_lossy(&taken).into_owned())
    }

    #[test]
    fn lines_come_out_of_their_objects_with_their_times() {
        for (line, text) in [
            (
                r##"{"log":"#1 [internal] x\n","stream":"stderr","time":"2026-11-21T14:00:00.5Z"}"##,
                "2026-11-21T14:00:00.5Z #1 [internal] x\n",
            ),
            (
                r##"{"__REALTIME_TIMESTAMP": "1763733600250000", "MESSAGE": "#1 x", "_PID": "5"}"##,
                "2025-11-21T14:00:00.25Z #1 x\n",
            ),
            (r##"{"timestamp": 17, "message": "#1 x"}"##, "#1 x\n"),
            (r##"{"MESSAGE": ""}"##, ""),
        ] {
            let taken = take(&mut Objects::default(), line);
            assert_eq!(taken.as_deref(), Some(text));
        }
        assert_eq!(take(&mut Objects::default(), r#"{"a": 1}"#), None);
        assert_eq!(take(&mut Objects::default(), r#"{"log": 1}"#), None);
    }

    #[test]
    fn a_programs_own_objects_are_not_the_builders() {
        let mut objects = Objects::default();
        objects.pass();
        assert_eq!(take(&mut objects, r#"{"message":"ERROR: x"}"#), None);
        assert!(take(&mut objects, r#"{"log":"x"}"#).is_some());
    }
}
