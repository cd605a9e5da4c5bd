//! From a key to a plan, from a plan to a job, and what is heard of it.
//!
//! Asking for a plan only looks. The one way to a change leads through the shown plan and a clear yes.

use std::time::Duration;

use crate::core::names::HostName;
use crate::core::rollout::job::{Progress, StepState};
use crate::core::rollout::plan::TargetPlan;
use crate::core::rollout::{Action, Outcome, Step};
use crate::core::watch::Scope;

use super::super::commands;
use super::super::effect::{Act, Effect, Look};
use super::super::jobs::{self, Dialog, Job, PlanWish, Stage};
use super::super::keys::{Code, Key};
use super::super::mode::Mode;
use super::super::model::Model;
use super::super::screen::Overlay;
use super::{fleet, history, keys};

/// How many jobs that ended badly stay in sight.
const ENDED: usize = 8;

/// Asks for the plan of an action on the selected service.
pub fn ask<M: Mode>(model: &mut Model, action: Action, effects: &mut Vec<Effect<M>>) {
    let Some(target) = commands::selected_service(model).map(|service| service.key.clone()) else {
        return;
    };
    let to = match action {
        Action::Rollback | Action::Keep => commands::chosen_way_back(model),
        Action::Pull | Action::Recreate | Action::Update | Action::Pin | Action::Unpin => None,
    };
    let wish = PlanWish {
        number: 0,
        target,
        action,
        to,
        take_environment: false,
        toggle_pin: action == Action::Pin,
        only_config: false,
    };
    look(model, wish, effects);
}

/// Asks what a recreation of the selected service would change beside its image.
pub fn config<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    let Some(target) = commands::selected_service(model).map(|service| service.key.clone()) else {
        return;
    };
    let wish = PlanWish {
        number: 0,
        target,
        action: Action::Recreate,
        to: None,
        take_environment: false,
        toggle_pin: false,
        only_config: true,
    };
    look(model, wish, effects);
}

fn look<M: Mode>(model: &mut Model, wish: PlanWish, effects: &mut Vec<Effect<M>>) {
    model.asked += 1;
    let wish = PlanWish {
        number: model.asked,
        ..wish
    };
    model.screen.overlay = Overlay::Plan(Box::new(Dialog::new(wish.clone())));
    effects.push(Effect::Look(Look::Plan(wish)));
}

/// Shows the plan, if it is still the one that is waited for.
pub fn planned(model: &mut Model, number: u64, result: Result<Box<TargetPlan>, String>) {
    let Overlay::Plan(dialog) = &mut model.screen.overlay else {
        return;
    };
    if dialog.wish.number != number {
        return;
    }
    dialog.stage = match result {
        Ok(plan) => Stage::Ready(plan),
        Err(why) => Stage::Failed(why),
    };
    dialog.scroll = 0;
    let target = dialog.wish.target.clone();
    let protected = model.service(&target).is_none_or(|service| service.protect);
    if let Overlay::Plan(dialog) = &mut model.screen.overlay {
        dialog.protected = protected;
    }
    model.dirty = true;
}

/// Handles a key while a plan is shown: only a clear yes starts it.
pub fn dialog_key<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    let page = keys::page_lines(model);
    let end = model.screen.scroll_end.unwrap_or(usize::MAX);
    let Overlay::Plan(dialog) = &mut model.screen.overlay else {
        return;
    };
    match key.code {
        Code::Esc => close(model),
        Code::Down => dialog.scroll = dialog.scroll.saturating_add(1).min(end),
        Code::Up => dialog.scroll = dialog.scroll.min(end).saturating_sub(1),
        Code::PageDown => dialog.scroll = dialog.scroll.saturating_add(page).min(end),
        Code::PageUp => dialog.scroll = dialog.scroll.min(end).saturating_sub(page),
        Code::Tab if dialog.plan().is_some() => turn_script(dialog),
        _ if dialog.name_wanted().is_some() => name_key(model, key, effects),
        Code::Enter | Code::Char('n') => close(model),
        Code::Char('y') if !key.ctrl && !key.alt && dialog.startable().is_some() => {
            start(model, effects);
        }
        Code::Char('s') if dialog.plan().is_some() => turn_script(dialog),
        Code::Char('j') => dialog.scroll = dialog.scroll.saturating_add(1).min(end),
        Code::Char('k') => dialog.scroll = dialog.scroll.min(end).saturating_sub(1),
        Code::Char('t') if dialog.offers_variables() => {
            let wish = PlanWish {
                take_environment: true,
                ..dialog.wish.clone()
            };
            look(model, wish, effects);
        }
        _ => {}
    }
}

/// Handles a key where the service's name has to be typed.
fn name_key<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    let Overlay::Plan(dialog) = &mut model.screen.overlay else {
        return;
    };
    match key.code {
        Code::Enter => {
            if dialog.name_wanted() == Some(dialog.typed.as_str()) {
                start(model, effects);
            } else {
                close(model);
            }
        }
        Code::Backspace => {
            dialog.typed.pop();
        }
        _ if key == Key::ctrl('u') => dialog.typed.clear(),
        _ => {
            if let Some(c) = key.typed() {
                keys::add(&mut dialog.typed, c);
            }
        }
    }
}

fn turn_script(dialog: &mut Dialog) {
    dialog.script = !dialog.script;
    dialog.scroll = 0;
}

fn close(model: &mut Model) {
    model.screen.overlay = Overlay::None;
    keys::notice(model, "nothing was touched".to_owned());
}

/// Starts exactly the plan that is shown.
fn start<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    let Overlay::Plan(dialog) = std::mem::replace(&mut model.screen.overlay, Overlay::None) else {
        return;
    };
    let Stage::Ready(plan) = dialog.stage else {
        return;
    };
    let job = Job::of(&plan, model.now.wall);
    match M::permit(Act::Start(plan)) {
        Ok(act) => {
            // What ended badly before is answered by acting on it again.
            model
                .jobs
                .retain(|own| own.runs() || own.target != job.target);
            model.jobs.push(job);
            effects.push(Effect::Act(act));
        }
        Err(refused) => keys::notice(model, refused.to_string()),
    }
}

/// Asks a running job to stop where that is safe.
pub fn cancel<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    let service = commands::selected_service(model).map(|service| service.key.clone());
    let Some(job) = jobs::running(model, service.as_ref()) else {
        return;
    };
    let (id, target, title) = (job.id.clone(), job.target.clone(), job.title());
    match M::permit(Act::Cancel {
        target,
        job: id.clone(),
    }) {
        Ok(act) => {
            if let Some(job) = find(model, &id) {
                job.cancelled = true;
            }
            effects.push(Effect::Act(act));
            keys::notice(
                model,
                format!("{title} is asked to stop where that is safe"),
            );
        }
        Err(refused) => keys::notice(model, refused.to_string()),
    }
}

/// Unfinished jobs were found on a host, whoever began them.
pub fn found(model: &mut Model, plans: Vec<TargetPlan>) {
    for plan in plans {
        if jobs_of(model, &plan.job).is_some_and(Job::runs) {
            continue;
        }
        model.jobs.retain(|job| job.id != plan.job);
        model.jobs.push(Job::of(&plan, model.now.wall));
        model.dirty = true;
    }
}

/// A job came to a step, or through it.
pub fn stepped(model: &mut Model, id: &str, step: Step, state: StepState, detail: String) {
    if let Some(job) = find(model, id) {
        job.step = Some((step, state));
        job.detail = detail;
        model.dirty = true;
    }
}

/// A job fetched something.
pub fn progressed(model: &mut Model, id: &str, layers: Vec<Progress>) {
    if let Some(job) = find(model, id) {
        for layer in layers {
            job.count(layer);
        }
        model.dirty = true;
    }
}

/// A job ended: its outcome is said, and its host is read again.
pub fn ended(model: &mut Model, id: &str, outcome: Outcome, why: String) {
    let Some(job) = find(model, id) else {
        return;
    };
    let host: HostName = job.target.host.clone();
    // It may have fetched: what is known of the host's pace is out of date.
    model.preview.paces.remove(&host);
    let Some(job) = find(model, id) else {
        return;
    };
    let mut text = format!("{}: {}", job.title(), outcome.word());
    if !why.is_empty() {
        text.push_str(": ");
        text.push_str(&why);
    }
    job.ended = Some((outcome, why));
    if outcome <= Outcome::Succeeded {
        model.jobs.retain(|job| job.id != id);
    }
    let bad = model.jobs.iter().filter(|job| !job.runs()).count();
    for _ in ENDED..bad {
        if let Some(oldest) = model.jobs.iter().position(|job| !job.runs()) {
            model.jobs.remove(oldest);
        }
    }
    keys::notice(model, text);
    history::again(model, &host);
    if let Some(index) = model.host_index(&host) {
        fleet::want(model, index, Duration::ZERO, Scope::All);
    }
}

fn find<'a>(model: &'a mut Model, id: &str) -> Option<&'a mut Job> {
    model.jobs.iter_mut().find(|job| job.id == id && job.runs())
}

fn jobs_of<'a>(model: &'a Model, id: &str) -> Option<&'a Job> {
    model.jobs.iter().find(|job| job.id == id)
}
