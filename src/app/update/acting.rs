//! From a key to a plan, from a plan to a job, and what is heard of it.
//!
//! Asking for a plan only looks. The one way to a change leads through the shown plan and a clear yes.

use std::time::Duration;

use crate::core::names::{HostName, ServiceKey};
use crate::core::rollout::job::{Progress, StepState};
use crate::core::rollout::plan::{Plan, TargetPlan};
use crate::core::rollout::{Action, Outcome, Step};
use crate::core::watch::Scope;

use super::super::commands;
use super::super::effect::{Act, Effect, Look};
use super::super::jobs::{self, Dialog, Job, PlanWish, Stage};
use super::super::keys::{Code, Key};
use super::super::mode::Mode;
use super::super::model::Model;
use super::super::screen::Overlay;
use super::super::targets;
use super::{fleet, history, keys, marks};

/// How many jobs that ended badly stay in sight.
const ENDED: usize = 8;

/// Asks for the plan of an action on what is marked or selected.
pub fn ask<M: Mode>(model: &mut Model, action: Action, effects: &mut Vec<Effect<M>>) {
    let targets = match action {
        Action::Pin | Action::Keep | Action::Unpin => selected(model),
        Action::Pull | Action::Recreate | Action::Update | Action::Rollback => {
            targets::of_action(model)
        }
    };
    let to = match action {
        Action::Rollback | Action::Keep => commands::chosen_way_back(model),
        Action::Pull | Action::Recreate | Action::Update | Action::Pin | Action::Unpin => None,
    };
    let wish = PlanWish {
        number: 0,
        targets,
        hindered: Vec::new(),
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
    let wish = PlanWish {
        number: 0,
        targets: selected(model),
        hindered: Vec::new(),
        action: Action::Recreate,
        to: None,
        take_environment: false,
        toggle_pin: false,
        only_config: true,
    };
    look(model, wish, effects);
}

fn selected(model: &Model) -> Vec<ServiceKey> {
    let service = commands::selected_service(model);
    service.map(|own| own.key.clone()).into_iter().collect()
}

fn look<M: Mode>(model: &mut Model, mut wish: PlanWish, effects: &mut Vec<Effect<M>>) {
    if !wish.only_config {
        let meant = std::mem::take(&mut wish.targets);
        for key in meant {
            match commands::hindrance(model, &key) {
                Some(why) => wish.hindered.push((key, why)),
                None => wish.targets.push(key),
            }
        }
    }
    if wish.targets.is_empty() {
        return;
    }
    model.asked += 1;
    wish.number = model.asked;
    for key in &wish.targets {
        // What a fetch will take is told where the host's former ones are known.
        if let Some(index) = model.host_index(&key.host) {
            marks::want_pace(model, index, effects);
        }
    }
    model.screen.overlay = Overlay::Plan(Box::new(Dialog::new(wish.clone())));
    effects.push(Effect::Look(Look::Plan(wish)));
}

/// Shows the plan, if it is still the one that is waited for.
pub fn planned(model: &mut Model, number: u64, result: Result<Box<Plan>, String>) {
    let Overlay::Plan(dialog) = &model.screen.overlay else {
        return;
    };
    if dialog.wish.number != number {
        return;
    }
    let hindered = dialog.wish.hindered.clone();
    let (stage, protected) = match result {
        Ok(mut plan) => {
            plan.unplanned.extend(hindered);
            let targets = plan.targets.iter().map(|plan| &plan.target);
            let protected = |key: &&ServiceKey| model.service(key).is_none_or(|own| own.protect);
            let protected = targets.filter(protected).cloned().collect();
            (Stage::Ready(plan), protected)
        }
        Err(why) => (Stage::Failed(why), Vec::new()),
    };
    if let Overlay::Plan(dialog) = &mut model.screen.overlay {
        dialog.stage = stage;
        dialog.protected = protected;
        dialog.scroll = 0;
    }
    model.dirty = true;
}

/// Handles a key while a plan is shown: only a clear yes starts it.
pub fn dialog_key<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    // Less than the dialog shows, whatever stands around it: no line is passed over unread.
    let page = (keys::page_lines(model) / 2).max(1);
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
        Code::Char('x') if dialog.offers_leaving_out() => leave_out(dialog),
        Code::Char('t') if dialog.offers_variables() => {
            let wish = PlanWish {
                take_environment: true,
                targets: dialog.wish.meant(),
                hindered: Vec::new(),
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
            if dialog.name_wanted().as_ref() == Some(&dialog.typed) {
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

/// Shows what is left of the plan without what is in the way.
fn leave_out(dialog: &mut Dialog) {
    if let Stage::Ready(plan) = std::mem::replace(&mut dialog.stage, Stage::Looking) {
        dialog.stage = Stage::Ready(Box::new(plan.without_blocked()));
    }
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
    let now = model.now.wall;
    let jobs: Vec<Job> = plan
        .targets
        .iter()
        .enumerate()
        .map(|(place, plan)| {
            let mut job = Job::of(plan, now);
            job.queued = place > 0;
            job
        })
        .collect();
    match M::permit(Act::Start(plan)) {
        Ok(act) => {
            // What ended badly before is answered by acting on it again.
            let again = |own: &Job| jobs.iter().any(|job| job.target == own.target);
            model.jobs.retain(|own| own.runs() || !again(own));
            // What was meant by the marks is under way.
            for job in &jobs {
                model.screen.marked.remove(&job.target);
            }
            model.jobs.extend(jobs);
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

/// The turn of a job came.
pub fn begun(model: &mut Model, id: &str) {
    let now = model.now.wall;
    if let Some(job) = find(model, id) {
        job.queued = false;
        job.began = now;
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
    let project = job.target.project.clone();
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
    // A pin changes files without any container that would tell of it.
    let now = model.now.since_start;
    for (key, files) in &mut model.files {
        if key.host == host && key.project == project {
            files.due = now;
        }
    }
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
