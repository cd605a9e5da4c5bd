//! The times that wrapping logs put before a line, kept as written until somebody asks.

use jiff::Timestamp;
use jiff::civil::DateTime;

const LIMIT: usize = 40;

/// A time as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    len: u8,
    bytes: [u8; LIMIT],
}

/// A time understood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    Absolute(Timestamp),
    /// A date and time of an unknown zone, in seconds of its own.
    Local(f64),
    /// A time of an unknown day, in seconds.
    OfDay(f64),
}

impl Stamp {
    /// Keeps a time as written; nothing that long is one.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; LIMIT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            len: u8::try_from(text.len()).ok()?,
            bytes,
        })
    }

    /// Overwrites a part of the time, for lines that differ from the last one in nothing else.
    pub(super) fn patch(&mut self, at: usize, text: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    }

    /// Understands the time.
    pub(super) fn moment(&self) -> Option<Moment> {
        let text = std::str::from_utf8(self.bytes.get(..usize::from(self.len))?).ok()?;
        let bytes = text.as_bytes();
        if clock_len(bytes) == Some(bytes.len()) {
            let mut parts = text.splitn(3, ':');
            let mut next = || parts.next()?.replace(',', ".").parse::<f64>().ok();
            return Some(Moment::OfDay(next()? * 3600.0 + next()? * 60.0 + next()?));
        }
        if epoch_len(bytes) == Some(bytes.len()) {
            let seconds = jiff::SignedDuration::try_from_secs_f64(text.parse().ok()?).ok()?;
            return Some(Moment::Absolute(Timestamp::from_duration(seconds).ok()?));
        }
        let mut canonical = text.replace(',', ".");
        if canonical.as_bytes().get(10) == Some(&b' ') {
            canonical.replace_range(10..11, "T");
        }
        if let Ok(timestamp) = canonical.parse::<Timestamp>() {
            return Some(Moment::Absolute(timestamp));
        }
        let civil: DateTime = canonical.parse().ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Moment::Local(
            zoned.timestamp().as_nanosecond() as f64 / 1e9,
        ))
    }
}

/// Returns the seconds between two times, nothing where they cannot be compared.
pub(super) fn between(first: Moment, last: Moment) -> Option<f64> {
    let seconds = match (first, last) {
        (Moment::Absolute(first), Moment::Absolute(last)) => {
            (last.as_nanosecond() - first.as_nanosecond()) as f64 / 1e9
        }
        (Moment::Local(first), Moment::Local(last)) => last - first,
        (Moment::OfDay(first), Moment::OfDay(last)) if last < first => last - first + 86_400.0,
        (Moment::OfDay(first), Moment::OfDay(last)) => last - first,
        _ => return None,
    };
    (seconds >= 0.0).then_some(seconds)
}

/// Returns the length of a date and time at the beginning of a text.
pub(super) fn date_len(text: &[u8]) -> Option<usize> {
    let head = text.get(..11)?;
    let digits = |at: &[usize]| at.iter().all(|at| head[*at].is_ascii_digit());
    if head[4] != b'-'
        || head[7] != b'-'
        || !matches!(head[10], b'T' | b' ')
        || !digits(&[0, 1, 2, 3, 5, 6, 8, 9])
    {
        return None;
    }
    let mut len = 11 + clock_len(&text[11..])?;
    match text.get(len) {
        Some(b'Z') => len += 1,
        Some(b'+' | b'-') => {
            let zone = &text[len + 1..];
            let digits = |range: std::ops::Range<usize>| {
                zone.get(range)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
            };
            if digits(0..2) && zone.get(2) == Some(&b':') && digits(3..5) {
                len += 6;
            } else if digits(0..4) {
                len += 5;
            }
        }
        _ => {}
    }
    (len <= LIMIT).then_some(len)
}

/// Returns the length of a time in seconds since 1970 and their fraction at the beginning of a text.
pub(super) fn epoch_len(text: &[u8]) -> Option<usize> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = text.get(11..).map(digits)?;
    (digits(text) == 10 && text[10] == b'.' && (1..=9).contains(&fraction)).then_some(11 + fraction)
}

/// Returns the length of a time of day at the beginning of a text.
pub(super) fn clock_len(text: &[u8]) -> Option<usize> {
    let head = text.get(..8)?;
    let digits = [0, 1, 3, 4, 6, 7]
        .iter()
        .all(|at| head[*at].is_ascii_digit());
    if !digits || head[2] != b':' || head[5] != b':' {
        return None;
    }
    let fraction = match text.get(8) {
        Some(b'.' | b',') => text[9..]
            .iter()
            .take(10)
            .take_while(|byte| byte.is_ascii_digit())
            .count(),
        _ => 0,
    };
    Some(if fraction > 0 { 9 + fraction } else { 8 })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        assert_eq!(
            date_len(text.as_bytes()).or_else(|| clock_len(text.as_bytes())),
            Some(text.len()),
            "{text}"
        );
        Stamp::new(text.as_bytes()).unwrap().moment().unwrap()
    }

    #[test]
    fn times_are_understood_as_far_as_they_tell() {
        let seconds = |first, last| between(moment(first), moment(last));
        let near = |found: Option<f64>, wanted: f64| (found.unwrap() - wanted).abs() < 1e-3;
        assert!(near(
            seconds(
                "2026-03-14T09:26:50.0150247Z",
                "2026-03-14T09:26:51.5150247Z"
            ),
            1.5
        ));
        assert!(near(
            seconds("2026-03-14T09:26:50+01:00", "2026-03-14T09:26:50Z"),
            3600.0
        ));
        assert!(near(
            seconds("2026-03-14T09:26:50+0100", "2026-03-14T09:26:50Z"),
            3600.0
        ));
        assert!(near(
            seconds("2026-03-14 09:26:50,250", "2026-03-14 09:26:51,000"),
            0.75
        ));
        assert!(near(seconds("23:59:59", "00:00:01"), 2.0));
        assert_eq!(seconds("2026-03-14T09:26:50Z", "09:26:50"), None);
        assert_eq!(
            seconds("2026-03-14T09:26:51Z", "2026-03-14T09:26:50Z"),
            None
        );
        assert_eq!(date_len(b"2026-03-14T09:26"), None);
        assert_eq!(Stamp::new(b"2026-99-99T99:99:99Z").unwrap().moment(), None);
    }
}
