//! The log of one service as it is followed.

use std::collections::VecDeque;

use crate::core::logs::LogLine;
use crate::core::names::{ContainerId, ServiceKey};

/// How many lines are kept.
pub const MOST_LINES: usize = 5_000;

/// How many containers of a service are followed; each takes a channel of its host's connection.
pub const MOST_CONTAINERS: usize = 3;

/// What is known of the log that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    pub service: ServiceKey,
    /// Which request the lines answer; those of earlier ones come too late.
    pub number: u64,
    pub containers: Vec<(ContainerId, String)>,
    pub lines: VecDeque<LogLine>,
    /// Lines that were not kept.
    pub left_out: u64,
    /// Why a container's log ended.
    pub ended: Vec<Option<String>>,
    /// How many lines up from the newest the view stands; new lines do not move what is read.
    pub up: usize,
}

impl Logs {
    /// Begins without lines.
    pub fn new(service: ServiceKey, number: u64, containers: Vec<(ContainerId, String)>) -> Self {
        Self {
            service,
            number,
            ended: vec![None; containers.len()],
            containers,
            lines: VecDeque::new(),
            left_out: 0,
            up: 0,
        }
    }

    /// Takes lines in and drops the oldest beyond what is kept.
    pub fn add(&mut self, lines: Vec<LogLine>, left_out: u64) {
        self.left_out += left_out;
        if self.up > 0 {
            self.up += lines.len();
        }
        self.lines.extend(lines);
        while self.lines.len() > MOST_LINES {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.up = self.up.min(self.lines.len().saturating_sub(1));
    }
}
