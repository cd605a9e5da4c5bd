//! The same update without a screen: one full observation of the fleet, then the model.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::app::effect::Effect;
use crate::app::mode::Observing;
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::app::update;

use super::clock::Clock;
use super::world::{self, World};

/// How long what the last start knew is waited for.
const RECALL: Duration = Duration::from_millis(500);

/// Runs until nothing is in flight that would still say more, or the time is over.
///
/// # Errors
/// If the operator interrupts it, or the machine gives no signals.
pub async fn observe<W: World>(
    model: &mut Model,
    clock: Clock,
    world: &mut W,
    queue: &mut UnboundedReceiver<Msg>,
    patience: Duration,
) -> io::Result<()> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // What the last start knew comes first, so that the last good answers stand beside failures.
    let recalled = tokio::time::timeout(RECALL, queue.recv()).await;
    let mut next = recalled.ok().flatten().or(Some(Msg::Tick));
    while let Some(msg) = next {
        let effects: Vec<Effect<Observing>> = update::update(model, clock.now(), msg);
        for effect in effects {
            // A session without a screen has nothing of its own to do.
            let _ = world::carry_out(world, effect, clock.now());
        }
        if model.is_settled() || tokio::time::Instant::now() >= deadline {
            break;
        }
        let wake = update::next_wake(model).map(|due| clock.instant(due).into());
        let wake = wake.unwrap_or(deadline).min(deadline);
        next = tokio::select! {
            msg = queue.recv() => msg,
            () = tokio::time::sleep_until(wake) => Some(Msg::Tick),
            _ = interrupt.recv() => return Err(io::ErrorKind::Interrupted.into()),
            _ = terminate.recv() => return Err(io::ErrorKind::Interrupted.into()),
        };
    }
    Ok(())
}
