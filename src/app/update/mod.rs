//! The one function that changes the model.
//!
//! Messages come in one order; effects go out as values. Nothing here awaits or reads a clock.

mod acting;
mod builds;
mod catalog;
mod clipboard;
mod clock;
mod find;
mod fleet;
mod history;
mod keep;
mod keys;
mod logs;
mod marks;
mod offers;
mod preview;
mod schedule;
mod tailnet;
mod tidy;
mod views;
mod wall;

pub use keys::palette_matches;
pub use schedule::next_wake;

use super::effect::{Console, Effect};
use super::mode::Mode;
use super::model::Model;
use super::msg::{Msg, Now};
use super::screen::View;

/// Takes in what happened and says what has to be done.
pub fn update<M: Mode>(model: &mut Model, now: Now, msg: Msg) -> Vec<Effect<M>> {
    let minute = |now: Now| now.wall.as_second().div_euclid(60);
    if minute(model.now) != minute(now) {
        // Ages are words that change with the minute at most.
        model.dirty = true;
    }
    let before = std::mem::replace(&mut model.now, now);
    clock::watch(model, before, now);
    let mut effects = Vec::new();
    match msg {
        Msg::Tick => {}
        Msg::Key(key) => {
            model.screen.key_at = now.since_start;
            keys::press(model, key, &mut effects);
        }
        Msg::Paste(text) => keys::paste(model, &text),
        Msg::Resize { width, height } => {
            model.screen.width = width;
            model.screen.height = height;
            model.dirty = true;
        }
        Msg::Journal { host, result } => history::told(model, host, result),
        Msg::Planned { number, result } => acting::planned(model, number, result),
        Msg::JobsFound { plans } => acting::found(model, plans),
        Msg::JobBegun { job } => acting::begun(model, &job),
        Msg::JobStep {
            job,
            step,
            state,
            detail,
        } => acting::stepped(model, &job, step, state, detail),
        Msg::JobProgress { job, layers } => acting::progressed(model, &job, layers),
        Msg::JobEnded { job, outcome, why } => acting::ended(model, &job, outcome, why),
        Msg::Logs { number, news } => logs::told(model, number, news),
        Msg::Builds { source, news } => builds::told(model, &source, news),
        Msg::BuildCache { reference, result } => builds::cache_told(model, reference, result),
        Msg::FirstStart => offers::open(model, true, &mut effects),
        Msg::Offered(found) => offers::offered(model, found),
        Msg::Tried { address, result } => offers::tried(model, &address, result),
        Msg::HostsWritten(ending) => offers::written(model, ending),
        Msg::Woke => fleet::woke(model, &mut effects),
        Msg::Trouble(text) => keys::notice(model, text),
        Msg::Kept { what, result } => keep::told(model, what, result),
        Msg::Terminate => {
            model.ending = true;
            effects.push(Effect::Console(Console::Quit));
        }
        Msg::Restored(memory) => fleet::restore(model, *memory),
        Msg::Destination { host, name } => tailnet::destination(model, &host, name),
        Msg::Tailnet(tailnet) => tailnet::told(model, *tailnet),
        Msg::Connected {
            host,
            rtt_ms,
            could_change,
        } => fleet::connected(model, &host, rtt_ms, could_change),
        Msg::Waiting { host, failure } => fleet::waiting(model, &host, failure),
        Msg::Disconnected { host, failure } => fleet::disconnected(model, &host, failure),
        Msg::Event { host, event } => fleet::event(model, &host, event),
        Msg::Observed {
            host,
            generation,
            result,
        } => fleet::observed(model, &host, generation, result),
        Msg::Rendered {
            host,
            project,
            recipe,
            state,
        } => fleet::rendered(model, host, project, recipe, state),
        Msg::Resolved { key, result } => fleet::resolved(model, &key, result),
        Msg::Imaged { key, result } => preview::imaged(model, key, result),
        Msg::Paced { host, pulls } => marks::paced(model, host, pulls),
        Msg::Trusted { key, trust } => marks::trusted(model, key, trust),
        Msg::Shelved { key, shelf } => preview::shelved(model, &key, *shelf),
        Msg::Cataloged { key, result } => catalog::cataloged(model, &key, result),
        Msg::Listed { key, result } => preview::listed(model, &key, result),
        Msg::Headed {
            asker,
            reference,
            result,
        } => preview::headed(model, &asker, &reference, result),
    }
    marks::cease(model, &mut effects);
    preview::run_due(model, &mut effects);
    catalog::run_due(model, &mut effects);
    builds::run_due(model, &mut effects);
    history::run_due(model, &mut effects);
    logs::run_due(model, &mut effects);
    schedule::run_due(model, &mut effects);
    wall::run_due(model);
    effects
}

/// Shows another view; what it wants is asked for with the next message.
pub fn open(model: &mut Model, view: View) {
    // What is known already is shown at once.
    model.preview.shown = match &view {
        View::Tags { service, .. } => super::preview::tags::view(model, service),
        View::Layers { .. }
        | View::Registry { .. }
        | View::Builds { .. }
        | View::Build { .. }
        | View::History { .. }
        | View::Wall { .. }
        | View::Logs { .. }
        | View::Fleet => None,
    };
    if model.screen.view != view {
        model.preview.left = true;
    }
    model.screen.view = view;
    model.screen.in_detail = None;
    model.history.due = true;
    model.dirty = true;
    preview::mark_view(model);
}

#[cfg(test)]
mod tests;
