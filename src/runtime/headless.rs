//! The same update without a screen: one full observation of the fleet, then the model.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::app::effect::{Console, Effect};
use crate::app::mode::Observing;
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::app::update;
use crate::core::history::Event;

use super::clock::Clock;
use super::console::Local;
use super::world::{self, World};

/// How long what the last start knew is waited for.
const RECALL: Duration = Duration::from_millis(500);

/// A session without a screen.
pub struct Headless<'a, W> {
    clock: Clock,
    world: &'a mut W,
    queue: &'a mut UnboundedReceiver<Msg>,
    deadline: Instant,
    /// What was seen to have happened since the last look.
    pub seen: Vec<Event>,
}

impl<'a, W: World> Headless<'a, W> {
    /// Prepares to look for so long at most.
    pub fn new(
        clock: Clock,
        world: &'a mut W,
        queue: &'a mut UnboundedReceiver<Msg>,
        patience: Duration,
    ) -> Self {
        Self {
            clock,
            world,
            queue,
            deadline: Instant::now() + patience,
            seen: Vec::new(),
        }
    }

    /// Begins with what the last start knew and runs until nothing is in flight that would still say more.
    ///
    /// # Errors
    /// If the operator interrupts it, or the machine gives no signals.
    pub async fn observe(&mut self, model: &mut Model) -> io::Result<()> {
        // What the last start knew comes first, so that the last good answers stand beside failures.
        let recalled = tokio::time::timeout(RECALL, self.queue.recv()).await;
        let first = recalled.ok().flatten().unwrap_or(Msg::Tick);
        self.run(model, first).await
    }

    /// Runs on after the model was given something more to look at.
    ///
    /// # Errors
    /// As [`Headless::observe`].
    pub async fn go_on(&mut self, model: &mut Model) -> io::Result<()> {
        self.run(model, Msg::Tick).await
    }

    async fn run(&mut self, model: &mut Model, first: Msg) -> io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut next = Some(first);
        while let Some(msg) = next {
            let effects: Vec<Effect<Observing>> = update::update(model, self.clock.now(), msg);
            for effect in effects {
                // A session without a screen writes down what it saw at its end, if at all.
                if let Some(Local::Console(Console::Record(events))) =
                    world::carry_out(self.world, effect, model)
                {
                    self.seen.extend(events);
                }
            }
            if model.is_settled() || Instant::now() >= self.deadline {
                break;
            }
            let wake = update::next_wake(model).map(|due| self.clock.instant(due).into());
            let wake = wake.unwrap_or(self.deadline).min(self.deadline);
            next = tokio::select! {
                msg = self.queue.recv() => msg,
                () = tokio::time::sleep_until(wake) => Some(Msg::Tick),
                _ = interrupt.recv() => return Err(io::ErrorKind::Interrupted.into()),
                _ = terminate.recv() => return Err(io::ErrorKind::Interrupted.into()),
            };
        }
        Ok(())
    }
}
