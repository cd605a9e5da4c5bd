//! Thousands of keys against the demo fleet: an observing session has no act, an operating one only asked-for acts.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/dice.rs"]
#[allow(dead_code, reason = "not every roll is wanted here")]
mod dice;

use std::time::Duration;

use homelab_tui::app::commands::{Command, Kind};
use homelab_tui::app::effect::{Act, Effect};
use homelab_tui::app::keys::{Code, Key};
use homelab_tui::app::mode::{Mode, Observing, Operating};
use homelab_tui::app::msg::Msg;
use homelab_tui::app::screen::Overlay;
use homelab_tui::app::update::palette_matches;
use homelab_tui::core::rollout::plan::Plan;
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;

use dice::Dice;

const KEYS: usize = 10_000;

/// A row of keys that is the same on every run and on every machine.
fn keys() -> impl Iterator<Item = Key> {
    let mut dice = Dice::new(1);
    let named = [
        Code::Enter,
        Code::Esc,
        Code::Tab,
        Code::BackTab,
        Code::Backspace,
        Code::Delete,
        Code::Up,
        Code::Down,
        Code::Left,
        Code::Right,
        Code::PageUp,
        Code::PageDown,
        Code::Home,
        Code::End,
        Code::Function(1),
    ];
    std::iter::repeat_with(move || {
        let code = match dice.below(10) {
            0..4 => *dice.pick(&named),
            4 => Code::Char(*dice.pick(&['ä', '漢', '🦀', '\u{202e}', '\u{1b}'])),
            _ => Code::Char(char::from(u8::try_from(32 + dice.below(95)).unwrap())),
        };
        Key {
            code,
            ctrl: dice.below(20) == 0,
            alt: dice.below(40) == 0,
        }
    })
    .take(KEYS)
}

/// Returns the command that the next key will run, if it runs one.
fn command_of<M: Mode>(driver: &Driver<M>, key: Key) -> Option<&'static Command> {
    match &driver.model.screen.overlay {
        Overlay::Filter { .. } | Overlay::Plan(_) => None,
        Overlay::Palette { input, chosen } => {
            let found = palette_matches(input);
            let runs = key.code == Code::Enter;
            runs.then(|| found.get(*chosen).copied()).flatten()
        }
        _ => driver.model.keymap.command(key),
    }
}

/// Returns the plan that the screen shows, if it shows one that may run.
fn shown_plan<M: Mode>(driver: &Driver<M>) -> Option<Plan> {
    match &driver.model.screen.overlay {
        Overlay::Plan(dialog) => dialog.startable().cloned(),
        _ => None,
    }
}

/// Presses all keys and hands each effect to a judge, with the command that caused it and the plan that was shown.
fn press_all<M: Mode>(
    mut judge: impl FnMut(Option<&Command>, Option<&Plan>, &Effect<M>),
) -> Driver<M> {
    let start = "2026-09-05T14:02:10Z".parse().unwrap();
    let mut driver: Driver<M> = Driver::started(&Scenario::fleet(), start);
    driver.settle(Duration::from_secs(20));
    for (number, key) in keys().enumerate() {
        let command = command_of(&driver, key);
        let plan = shown_plan(&driver);
        for effect in driver.tell(Msg::Key(key)) {
            judge(command, plan.as_ref(), &effect);
        }
        // Whoever leaves comes back, so that the keys after a `q` mean something.
        driver.model.ending = false;
        if number % 100 == 0 {
            driver.run_for(Duration::from_millis(200));
        }
    }
    driver
}

#[test]
fn an_observing_session_has_no_value_for_an_act() {
    let mut effects = 0;
    let driver = press_all::<Observing>(|_, _, effect| {
        effects += 1;
        match effect {
            // There is nothing to match here: the type has no values.
            Effect::Act(never) => match *never {},
            Effect::Look(_) | Effect::Console(_) => {}
        }
    });
    assert!(effects > 100, "the keys reached nothing");
    assert!(driver.model.read_only);
}

#[test]
fn an_operating_session_acts_only_through_commands_marked_as_changes() {
    let mut acts = 0;
    press_all::<Operating>(|command, shown, effect| {
        if let Effect::Act(act) = effect {
            acts += 1;
            if let Act::Start(plan) = act {
                // A job starts by the plan on the screen and no other.
                assert_eq!(shown, Some(&**plan), "started without being shown");
                return;
            }
            let kind = command.map(|command| command.kind);
            assert_eq!(kind, Some(Kind::Change), "{act:?} by {command:?}");
        }
    });
    assert!(acts > 0, "no key reached an act, so nothing was shown");
}
