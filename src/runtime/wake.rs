//! Notices that this machine slept: the wall clock went on while the process's own stood still.

use std::time::{Duration, Instant, SystemTime};

use crate::app::msg::Msg;

use super::world::Queue;

/// How often the two clocks are compared.
const EVERY: Duration = Duration::from_secs(3);
/// Less than this is a clock that was set, or a busy machine.
const SLEPT: Duration = Duration::from_secs(10);

/// Tells of every sleep, for as long as it is polled.
pub async fn watch(queue: Queue) {
    loop {
        let (wall, own) = (SystemTime::now(), Instant::now());
        tokio::time::sleep(EVERY).await;
        let wall = wall.elapsed().unwrap_or_default();
        if slept(wall, own.elapsed()) && queue.send(Msg::Woke).is_err() {
            return;
        }
    }
}

/// Tells whether the wall clock ran ahead by more than a moment.
fn slept(wall: Duration, own: Duration) -> bool {
    wall.saturating_sub(own) > SLEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d6_a_sleep_is_told_by_two_clocks() {
        let seconds = Duration::from_secs;
        assert!(slept(seconds(3600), seconds(3)));
        assert!(!slept(seconds(4), seconds(3)));
        assert!(!slept(seconds(0), seconds(3)), "set back");
        assert!(
            !slept(seconds(90), seconds(88)),
            "a busy machine is no sleeping one"
        );
    }
}
