//! The same update without a screen: one full observation of the fleet, then the model.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::app::effect::{Console, Effect};
use crate::app::mode::Observing;
use crate::app::model::Model;
use crate::app::msg::Msg;
use crate::app::update;

use super::clock::Clock;
use super::world::{self, World};

/// Runs until nothing is in flight that would still say more, or the time is over.
pub async fn observe<W: World>(
    model: &mut Model,
    clock: Clock,
    world: &mut W,
    queue: &mut UnboundedReceiver<Msg>,
    patience: Duration,
) {
    let deadline = tokio::time::Instant::now() + patience;
    let mut next = Some(Msg::Tick);
    while let Some(msg) = next {
        let effects: Vec<Effect<Observing>> = update::update(model, clock.now(), msg);
        for effect in effects {
            if let Some(local) = world::carry_out(world, effect, clock.now())
                && let super::console::Local::Console(Console::Quit) = local
            {
                return;
            }
        }
        if model.is_settled() {
            break;
        }
        let wake = update::next_wake(model).map(|due| clock.instant(due).into());
        let wake = wake.unwrap_or(deadline).min(deadline);
        next = tokio::select! {
            msg = queue.recv() => msg,
            () = tokio::time::sleep_until(wake) => Some(Msg::Tick),
        };
        if tokio::time::Instant::now() >= deadline {
            break;
        }
    }
    world.remember(model.memory());
}
