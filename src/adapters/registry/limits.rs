//! How hard a registry may be asked: requests in flight, a wish to be left alone, and what it says of its quota.
//!
//! One value stands for one registry; everybody who asks that registry shares it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::core::failure::RegistryFailure;
use crate::core::remote::Quota;

/// What a registry that names no time is given, doubled with each refusal.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Docker Hub's window is six hours; nobody may silence the console for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// The state of one registry's patience with us.
pub(super) struct Limits {
    slots: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pause: Option<Pause>,
    refusals: u32,
    quota: Option<Quota>,
    away: Option<(Instant, RegistryFailure)>,
}

/// A time in which the registry wants to be left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pause {
    pub until: Instant,
    /// What the registry said.
    pub words: String,
}

impl Limits {
    /// Allows that many requests at once.
    pub(super) fn new(in_flight: usize) -> Self {
        Self {
            slots: Semaphore::new(in_flight.max(1)),
            state: Mutex::default(),
        }
    }

    /// Waits for a free slot.
    pub(super) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        self.slots.acquire().await.ok()
    }

    /// Returns the pause that the registry asked for, if it still lasts.
    pub(super) fn pause(&self) -> Option<Pause> {
        let state = self.state();
        let pause = state.pause.as_ref()?;
        (pause.until > Instant::now()).then(|| pause.clone())
    }

    /// Takes note of a 429 and returns how long to wait.
    pub(super) fn refused(&self, headers: &HeaderMap, words: &str) -> Duration {
        let quota = quota(headers);
        let mut state = self.state();
        state.quota = quota.or(state.quota);
        let now = Instant::now();
        // Several requests of one burst are refused together; that counts once.
        if state.pause.as_ref().is_none_or(|pause| pause.until <= now) {
            state.refusals = state.refusals.saturating_add(1);
        }
        let doubled = FIRST_PAUSE * 2u32.saturating_pow(state.refusals.saturating_sub(1).min(8));
        let asked = retry_after(headers, SystemTime::now()).or_else(|| retry_after_in(words));
        let wait = asked
            .unwrap_or(doubled)
            .clamp(Duration::from_secs(1), LONGEST_PAUSE);
        let until = now + wait;
        if state.pause.as_ref().is_none_or(|pause| pause.until < until) {
            state.pause = Some(Pause {
                until,
                words: words.to_owned(),
            });
        }
        wait
    }

    /// Takes note of an answer that was no refusal.
    pub(super) fn answered(&self, headers: &HeaderMap) {
        let quota = quota(headers);
        let mut state = self.state();
        state.refusals = 0;
        state.away = None;
        state.quota = quota.or(state.quota);
    }

    /// Returns what the registry last said of its quota.
    pub(super) fn quota(&self) -> Option<Quota> {
        self.state().quota
    }

    /// Takes note that the registry could not be reached.
    pub(super) fn is_away(&self, failure: &RegistryFailure) {
        self.state().away = Some((Instant::now(), failure.clone()));
    }

    /// Returns the failure that the registry had for others while somebody waited for a slot since then.
    pub(super) fn away_since(&self, since: Instant) -> Option<RegistryFailure> {
        let state = self.state();
        let (at, failure) = state.away.as_ref()?;
        (*at >= since).then(|| failure.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `Retry-After`: seconds or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let at = SystemTime::from(date.timestamp());
    Some(at.duration_since(now).unwrap_or(Duration::ZERO))
}

/// Reads the wait that GHCR writes into its message: `retry-after: 880.092µs, allowed: 44000/minute`.
fn retry_after_in(words: &str) -> Option<Duration> {
    let lower = words.to_lowercase();
    let (_, rest) = lower.split_once("retry-after:")?;
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (number, unit) = rest.split_at_checked(end)?;
    let number: f64 = number.parse().ok()?;
    let unit: String = unit.chars().take_while(|c| c.is_alphabetic()).collect();
    let seconds = match unit.as_str() {
        "ns" => number / 1e9,
        // Two characters look alike here: the micro sign and the letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => number / 1e6,
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads `ratelimit-remaining: 92;w=21600` and its fellow `ratelimit-limit`.
fn quota(headers: &HeaderMap) -> Option<Quota> {
    let read = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        let mut parts = text.split(';');
        let number: u64 = parts.next()?.trim().parse().ok()?;
        let window = parts
            .find_map(|part| part.trim().strip_prefix("w="))
            .and_then(|window| window.parse::<u64>().ok());
        Some((number, window))
    };
    let (remaining, window) = read("ratelimit-remaining")?;
    let limit = read("ratelimit-limit");
    Some(Quota {
        remaining,
        limit: limit.map(|(number, _)| number),
        window_seconds: window.or_else(|| limit.and_then(|(_, window)| window)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_header_and_no_words_make_the_readers_panic(
            text in "[-+0-9.a-zA-Zµ:;,= ]{0,40}",
            number in "[0-9.]{0,400}",
        ) {
            let _ = retry_after_in(&format!("retry-after: {text}"));
            let _ = retry_after_in(&format!("retry-after: {number}h"));
            if let Ok(value) = HeaderValue::from_str(&text) {
                let mut headers = HeaderMap::new();
                headers.insert(RETRY_AFTER, value.clone());
                headers.insert("ratelimit-remaining", value.clone());
                headers.insert("ratelimit-limit", value);
                let _ = quota(&headers);
                let limits = Limits::new(1);
                prop_assert!(limits.refused(&headers, &text) <= LONGEST_PAUSE);
            }
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn b6_every_spelling_of_a_wait_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_420);
        assert_eq!(
            retry_after(&headers(&[("retry-after", "17")]), now),
            Some(Duration::from_secs(17))
        );
        assert_eq!(
            retry_after(
                &headers(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]),
                now
            ),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            retry_after_in("retry-after: 880.092µs, allowed: 44000/minute"),
            Some(Duration::from_nanos(880_092))
        );
        assert_eq!(
            retry_after_in("Retry-After: 2m"),
            Some(Duration::from_secs(120))
        );
        assert_eq!(retry_after_in("slow down"), None);
    }

    #[test]
    fn b6_a_wait_is_bounded_and_a_burst_counts_once() {
        let limits = Limits::new(8);
        let wait = limits.refused(&HeaderMap::new(), "");
        assert_eq!(wait, FIRST_PAUSE);
        assert_eq!(limits.refused(&HeaderMap::new(), ""), FIRST_PAUSE);
        assert!(limits.pause().is_some());
        let wait = limits.refused(&headers(&[("retry-after", "99999999999")]), "");
        assert_eq!(wait, LONGEST_PAUSE);
        let short = Limits::new(8);
        let words = "retry-after: 880.092µs, allowed: 44000/minute";
        assert_eq!(short.refused(&HeaderMap::new(), words).as_secs(), 1);
    }

    #[test]
    fn b1_the_quota_is_read_from_its_headers() {
        let told = headers(&[
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "92;w=21600"),
        ]);
        assert_eq!(
            quota(&told),
            Some(Quota {
                remaining: 92,
                limit: Some(100),
                window_seconds: Some(21600),
            })
        );
        assert_eq!(quota(&HeaderMap::new()), None);
    }
}
