//! Runs the model against a demo world in simulated time, one message after another.
//!
//! Tests and pictures use it: an hour passes in no time and always in the same way.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::app::effect::{Act, Effect, Look};
use crate::app::keymap::Keymap;
use crate::app::keys::Key;
use crate::app::mode::Mode;
use crate::app::model::Model;
use crate::app::msg::{Msg, Now};
use crate::app::update::{next_wake, update};
use crate::core::memory::Memory;

use super::{Demo, Scenario};

/// The shortest time that passes between two wakes, so that a model that is always due cannot stop the clock.
const GRAIN: Duration = Duration::from_millis(1);

/// A model, its world and their time.
#[derive(Debug, Clone)]
pub struct Driver<M: Mode> {
    pub model: Model,
    pub demo: Demo,
    /// Every effect with its time, in order.
    pub effects: Vec<(Duration, Effect<M>)>,
    /// How many messages were handled.
    pub handled: usize,
    started_at: Timestamp,
    now: Duration,
    /// Messages under way, by arrival, then by the order of sending.
    queue: BTreeMap<(Duration, u64), Msg>,
    sent: u64,
}

impl<M: Mode> Driver<M> {
    /// Starts without memory of an earlier start.
    pub fn new(scenario: &Scenario, started_at: Timestamp) -> Self {
        let demo = Demo::new(scenario, started_at);
        let mut settings = demo.settings().clone();
        settings.read_only = M::READ_ONLY;
        let keymap = Keymap::new(&settings.keys).0;
        let now = Now {
            wall: started_at,
            since_start: Duration::ZERO,
        };
        Self {
            model: Model::new(settings, keymap, now),
            demo,
            effects: Vec::new(),
            handled: 0,
            started_at,
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Starts as the console does: with what an earlier start remembers, then the first tick.
    pub fn started(scenario: &Scenario, started_at: Timestamp) -> Self {
        let mut driver = Self::new(scenario, started_at);
        let memory = driver.demo.memory();
        driver.tell(Msg::Restored(Box::new(memory)));
        driver
    }

    /// Returns the simulated moment.
    pub fn now(&self) -> Now {
        Now {
            wall: self
                .started_at
                .checked_add(SignedDuration::try_from(self.now).unwrap_or_default())
                .unwrap_or(self.started_at),
            since_start: self.now,
        }
    }

    /// Hands a message over now and returns what is done about it; looks go to the world.
    pub fn tell(&mut self, msg: Msg) -> Vec<Effect<M>> {
        self.handled += 1;
        let now = self.now();
        let effects = update::<M>(&mut self.model, now, msg);
        for effect in &effects {
            match effect {
                Effect::Look(look) => self.look(look),
                Effect::Act(act) => self.act(M::wish(act)),
                Effect::Console(_) => {}
            }
            self.effects.push((self.now, effect.clone()));
        }
        effects
    }

    /// Presses keys, spelled as in the configuration, separated by spaces.
    ///
    /// A word that is no key is left out and reported to the model as trouble.
    pub fn keys(&mut self, keys: &str) {
        for word in keys.split_whitespace() {
            match word.parse::<Key>() {
                Ok(key) => self.tell(Msg::Key(key)),
                Err(error) => self.tell(Msg::Trouble(error)),
            };
        }
    }

    /// Lets a message arrive after a delay.
    pub fn send(&mut self, after: Duration, msg: Msg) {
        self.sent += 1;
        self.queue.insert((self.now + after, self.sent), msg);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Lets time pass up to a moment since the start.
    pub fn run_until(&mut self, until: Duration) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// Lets time pass until the first look at the fleet is over; tells whether that was within the limit.
    pub fn settle(&mut self, limit: Duration) -> bool {
        let until = self.now + limit;
        // What is due is asked for first, so that a model that has not begun does not look settled.
        self.tell(Msg::Tick);
        while !self.model.is_settled() {
            if !self.step(until) {
                return false;
            }
        }
        true
    }

    /// Ends the console and starts it anew in the same world; what was under way is lost, as in a power cut.
    pub fn restart(&mut self, memory: Memory) {
        let settings = self.model.settings.clone();
        let keymap = Keymap::new(&settings.keys).0;
        self.model = Model::new(settings, keymap, self.now());
        self.queue.clear();
        self.tell(Msg::Restored(Box::new(memory)));
    }

    /// Sets the clock on the wall; the time since the start does not notice.
    pub fn set_clock(&mut self, by: SignedDuration) {
        self.started_at = self.started_at.checked_add(by).unwrap_or(self.started_at);
        self.tell(Msg::Tick);
    }

    /// Returns the looks that were taken since an earlier count of effects.
    pub fn looks_since(&self, count: usize) -> impl Iterator<Item = (Duration, &Look)> {
        self.effects[count..]
            .iter()
            .filter_map(|(at, effect)| match effect {
                Effect::Look(look) => Some((*at, look)),
                Effect::Act(_) | Effect::Console(_) => None,
            })
    }

    /// Goes to whatever comes next: an answer, something in the world, or something due; false past the limit.
    fn step(&mut self, until: Duration) -> bool {
        let answer = self.queue.first_key_value().map(|((at, _), _)| *at);
        let world = self.demo.next_event();
        let wake = next_wake(&self.model).map(|due| due.max(self.now + GRAIN));
        let Some(next) = [answer, world, wake].into_iter().flatten().min() else {
            return false;
        };
        if next > until {
            return false;
        }
        self.now = self.now.max(next);
        if world.is_some_and(|at| at <= next) {
            for (_, message) in self.demo.world_events(next) {
                self.tell(message);
            }
        } else if answer == Some(next) {
            if let Some((_, message)) = self.queue.pop_first() {
                self.tell(message);
            }
        } else {
            self.tell(Msg::Tick);
        }
        true
    }

    fn look(&mut self, look: &Look) {
        let now = self.now();
        for (after, message) in self.demo.answer(look, &self.model, now) {
            self.send(after, message);
        }
    }

    fn act(&mut self, act: &Act) {
        let now = self.now();
        for (after, message) in self.demo.act(act, now) {
            self.send(after, message);
        }
    }
}
