//! How fast a host fetches, from what it fetched before.

use serde::{Deserialize, Serialize};

/// Pulls that are no longer than this say nothing: hosts tell whole seconds.
const SHORTEST: u64 = 2;

/// One former pull of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    pub bytes: u64,
    pub seconds: u64,
}

/// Returns how many seconds so many bytes will take, if former pulls tell.
pub fn seconds_for(bytes: u64, former: &[Pull]) -> Option<u64> {
    if bytes == 0 {
        return Some(0);
    }
    let telling = former
        .iter()
        .filter(|pull| pull.seconds >= SHORTEST && pull.bytes > 0);
    let (fetched, took) = telling.fold((0u128, 0u128), |(bytes, seconds), pull| {
        (
            bytes + u128::from(pull.bytes),
            seconds + u128::from(pull.seconds),
        )
    });
    if fetched == 0 {
        return None;
    }
    let seconds = (u128::from(bytes) * took).div_ceil(fetched);
    u64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_pulls_tell_how_long_the_next_takes() {
        let pull = |bytes, seconds| Pull { bytes, seconds };
        let former = [pull(60, 10), pull(40, 10), pull(1_000, 1), pull(0, 9)];
        assert_eq!(seconds_for(50, &former), Some(10));
        assert_eq!(seconds_for(51, &former), Some(11));
        assert_eq!(seconds_for(0, &[]), Some(0));
        assert_eq!(seconds_for(50, &former[2..]), None);
        assert_eq!(seconds_for(u64::MAX, &[pull(u64::MAX, 2)]), Some(2));
        assert_eq!(seconds_for(u64::MAX, &[pull(1, u64::MAX)]), None);
    }
}
