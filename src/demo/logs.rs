//! Invented output of a web service.

use std::time::Duration;

use crate::app::msg::Msg;
use crate::core::logs::{LogLine, LogNews};

const PATHS: [&str; 5] = [
    "/",
    "/travel/2026",
    "/api/entries",
    "/static/site.css",
    "/healthz",
];

/// Returns the last lines, then some that come while one looks.
pub fn answer(number: u64) -> Vec<(Duration, Msg)> {
    let told = |from: usize, to: usize| LogNews::Lines {
        lines: (from..to).map(line).collect(),
        left_out: 0,
    };
    let mut all = vec![(Duration::from_millis(60), told(0, 40))];
    all.extend((40..60).map(|at| {
        (
            Duration::from_millis(1_700 * (at as u64 - 39)),
            told(at, at + 1),
        )
    }));
    all.into_iter()
        .map(|(after, news)| (after, Msg::Logs { number, news }))
        .collect()
}

fn line(place: usize) -> LogLine {
    let error = place % 13 == 7;
    let path = PATHS[place % PATHS.len()];
    let (minute, second) = (place * 3 / 60, place * 3 % 60);
    let text = if error {
        format!("14:{minute:02}:{second:02} WARN slow upstream: {path} took 1.9 s")
    } else {
        format!(
            "14:{minute:02}:{second:02} INFO GET {path} 200 in {} ms",
            3 + place * 7 % 40
        )
    };
    LogLine {
        container: 0,
        error,
        text,
    }
}
