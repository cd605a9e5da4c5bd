//! Ages as words and sizes as short numbers, so that a screen changes only when a word does.

use jiff::{SignedDuration, Timestamp};

/// Tells whether a time of a build says anything: those before 1990 are the epoch or similar, of reproducible builds.
pub fn tells(built: Timestamp) -> bool {
    const YEAR_1990: i64 = 631_152_000;
    built.as_second() >= YEAR_1990
}

/// Returns the age in its largest unit: `now`, `4 min`, `3 h`, `12 d`.
///
/// A time that lies in the future, as after a jump of the clock, is `now`.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    span(now.duration_since(then))
}

/// Says how long ago something was, as it stands in a sentence: `5 min ago`, `just now`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    match age(now, then).as_str() {
        "now" => "just now".to_owned(),
        word => format!("{word} ago"),
    }
}

/// Returns a length of time in its largest unit.
pub fn span(duration: SignedDuration) -> String {
    let minutes = duration.as_secs().max(0) / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// Returns when the word of this age changes next.
pub fn next_change(now: Timestamp, then: Timestamp) -> Timestamp {
    let passed = now.duration_since(then).as_secs();
    if passed < 0 {
        return then + SignedDuration::from_secs(60);
    }
    let step = match passed / 60 {
        0..60 => 60,
        60..2880 => 3600,
        _ => 86_400,
    };
    now.checked_add(SignedDuration::from_secs(step - passed % step))
        .unwrap_or(Timestamp::MAX)
}

/// Returns a size in decimal units with at most four characters of number: `0 B`, `18.4 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if value < 99.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// Returns how long something takes, in whole seconds below two minutes: `3 s`, `95 s`, `4 min`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

/// Returns a difference of sizes with its sign: `+3.1 MB`, `-40 kB`, `+0 B`.
pub fn change(bytes_more: i64) -> String {
    let sign = if bytes_more < 0 { '-' } else { '+' };
    format!("{sign}{}", bytes(bytes_more.unsigned_abs()))
}

/// Returns the count with its noun, in the plural where it is not one.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_words_that_change_when_said() {
        let then = Timestamp::from_second(1_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
        let after = |seconds| then + SignedDuration::from_secs(seconds);
        for (seconds, word) in [
            (-500, "now"),
            (59, "now"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(age(after(seconds), then), word, "{seconds}");
            let change = next_change(after(seconds), then);
            assert_ne!(age(change, then), word, "{seconds}");
            assert_eq!(
                age(change - SignedDuration::from_secs(1), then),
                word,
                "{seconds}"
            );
        }
    }

    #[test]
    fn sizes_are_short() {
        for (count, word) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (18_400_000, "18.4 MB"),
            (999_600, "1.0 MB"),
            (212_000_000, "212 MB"),
            (2_100_000_000, "2.1 GB"),
        ] {
            assert_eq!(bytes(count), word);
        }
    }
}
