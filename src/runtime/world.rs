//! What carries out effects: the real machines, or a demo fleet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::app::effect::{Act, Effect, Look};
use crate::app::mode::{Mode, Observing, Operating};
use crate::app::model::Model;
use crate::app::msg::{Msg, Now};
use crate::core::history::Event;
use crate::core::memory::Memory;
use crate::core::offer::Offer;
use crate::demo::Demo;

/// Where messages go.
pub type Queue = UnboundedSender<Msg>;

/// Looks at machines and registries, and answers by messages.
pub trait World {
    /// Begins to look; the answer comes as a message.
    fn look(&mut self, look: Look, model: &Model, now: Now);

    /// Writes down what is known, for the next start.
    fn remember(&mut self, memory: Memory);

    /// Appends what was seen to the operator's journal.
    fn record(&mut self, events: Vec<Event>);
    /// Writes hosts into the configuration; a world without one does nothing.
    fn add_hosts(&mut self, _: Vec<Offer>) {}

    /// Ends all connections, within a bounded time.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What a session of a mode can do beyond looking.
pub trait Hands<W: World>: Mode {
    /// Carries out a change; the returned command, if any, wants the terminal to itself.
    fn act(world: &mut W, act: Self::Act, now: Now) -> Option<Foreground>;
}

/// A program that takes over the terminal for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreground {
    /// What the operator is told before it begins.
    pub title: String,
    pub argv: Vec<String>,
}

impl<W: World> Hands<W> for Observing {
    fn act(_: &mut W, act: Self::Act, _: Now) -> Option<Foreground> {
        match act {}
    }
}

/// Splits an effect that is not the console's own and carries it out.
pub fn carry_out<M: Hands<W>, W: World>(
    world: &mut W,
    effect: Effect<M>,
    model: &Model,
) -> Option<super::console::Local> {
    match effect {
        Effect::Look(look) => {
            world.look(look, model, model.now);
            None
        }
        Effect::Act(act) => M::act(world, act, model.now).map(super::console::Local::Foreground),
        Effect::Console(console) => Some(super::console::Local::Console(console)),
    }
}

/// The demo fleet in place of machines.
pub struct DemoWorld {
    demo: Arc<Mutex<Demo>>,
    queue: Queue,
    changed: Arc<Notify>,
}

impl DemoWorld {
    /// Lets the demo begin: what happens there by itself is put into the queue in its time.
    pub fn new(demo: Demo, queue: Queue) -> Self {
        // A closed queue means that the program ends.
        let _ = queue.send(Msg::Restored(Box::new(demo.memory())));
        let demo = Arc::new(Mutex::new(demo));
        let changed = Arc::new(Notify::new());
        tokio::spawn(happen(
            Arc::clone(&demo),
            queue.clone(),
            Arc::clone(&changed),
        ));
        Self {
            demo,
            queue,
            changed,
        }
    }
}

impl World for DemoWorld {
    fn look(&mut self, look: Look, model: &Model, now: Now) {
        let answers = lock(&self.demo).answer(&look, model, now);
        for (delay, msg) in answers {
            send_later(&self.queue, delay, msg);
        }
    }

    fn remember(&mut self, _: Memory) {}

    fn record(&mut self, _: Vec<Event>) {}

    async fn close(&mut self) {}
}

impl Hands<DemoWorld> for Operating {
    fn act(world: &mut DemoWorld, act: Act, now: Now) -> Option<Foreground> {
        let answers = lock(&world.demo).act(&act, now);
        for (delay, msg) in answers {
            send_later(&world.queue, delay, msg);
        }
        // What was begun happens in its time.
        world.changed.notify_one();
        None
    }
}

/// Sends what happens in the demo by itself, each thing in its time.
async fn happen(demo: Arc<Mutex<Demo>>, queue: Queue, changed: Arc<Notify>) {
    let start = tokio::time::Instant::now();
    loop {
        let Some(next) = lock(&demo).next_event() else {
            changed.notified().await;
            continue;
        };
        tokio::select! {
            () = tokio::time::sleep_until(start + next) => {}
            () = changed.notified() => continue,
        }
        let messages = lock(&demo).world_events(next);
        for (_, msg) in messages {
            if queue.send(msg).is_err() {
                return;
            }
        }
    }
}

fn lock(demo: &Mutex<Demo>) -> MutexGuard<'_, Demo> {
    demo.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send_later(queue: &Queue, delay: std::time::Duration, msg: Msg) {
    let queue = queue.clone();
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        // A closed queue means that the program ends.
        let _ = queue.send(msg);
    });
}
