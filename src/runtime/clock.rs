//! The one place that asks for the time.

use std::time::Instant;

use jiff::Timestamp;

use crate::app::msg::Now;

/// A clock that counts from the program's start beside the wall time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Returns the moment for a message that is handled now.
    pub fn now(&self) -> Now {
        Now {
            wall: Timestamp::now(),
            since_start: self.start.elapsed(),
        }
    }

    /// Returns the instant at which something is due.
    pub fn instant(&self, since_start: std::time::Duration) -> Instant {
        // What is never due is looked at again tomorrow.
        let day = std::time::Duration::from_secs(86_400);
        self.start + since_start.min(self.start.elapsed() + day)
    }
}
