//! Follows containers' logs and passes their lines on in measured pieces.

use std::time::Duration;

use futures_util::StreamExt;

use crate::adapters::hosts::HostSession;
use crate::app::msg::Msg;
use crate::core::logs::{Cutter, LogLine, LogNews};
use crate::core::names::ContainerId;

use super::world::Queue;

/// How often lines are passed on, and how many of them at most; a faster log shows its newest ones.
const EVERY: Duration = Duration::from_millis(100);
const MOST_AT_ONCE: usize = 500;

/// Follows one container until its log ends.
pub async fn follow(
    session: HostSession,
    id: ContainerId,
    container: usize,
    number: u64,
    queue: Queue,
) {
    let mut pieces = std::pin::pin!(session.logs(&id));
    let mut cutters = [Cutter::default(), Cutter::default()];
    let mut waiting: Vec<LogLine> = Vec::new();
    let mut left_out = 0;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let send = |news| queue.send(Msg::Logs { number, news }).is_ok();
    let line = |error, text| LogLine {
        container,
        error,
        text,
    };
    let why = loop {
        tokio::select! {
            piece = pieces.next() => match piece {
                Some(Ok((error, bytes))) => {
                    let lines = cutters[usize::from(error)].push(&bytes);
                    waiting.extend(lines.into_iter().map(|text| line(error, text)));
                    if waiting.len() > MOST_AT_ONCE {
                        let many = waiting.len() - MOST_AT_ONCE;
                        waiting.drain(..many);
                        left_out += many as u64;
                    }
                }
                Some(Err(failure)) => break failure.to_string(),
                None => break "the container stopped".to_owned(),
            },
            _ = tick.tick(), if !waiting.is_empty() => {
                let lines = std::mem::take(&mut waiting);
                if !send(LogNews::Lines { lines, left_out: std::mem::take(&mut left_out) }) {
                    return;
                }
            }
        }
    };
    let rests = cutters.iter_mut().enumerate();
    waiting.extend(rests.filter_map(|(error, cutter)| Some(line(error == 1, cutter.rest()?))));
    send(LogNews::Lines {
        lines: waiting,
        left_out,
    });
    send(LogNews::Ended { container, why });
}
