//! Logs: followed while their view is open, and no longer.

use crate::core::logs::LogNews;

use super::super::commands;
use super::super::effect::{Effect, Look};
use super::super::logs::{Logs, MOST_CONTAINERS};
use super::super::mode::Mode;
use super::super::model::{Link, Model};
use super::super::screen::View;
use super::keys::notice;

/// Opens the log of the selected service.
pub fn open(model: &mut Model) {
    let service = commands::selected_service(model).map(|service| service.key.clone());
    if let Some(service) = service {
        super::open(model, View::Logs { service });
    }
}

/// Lines came, or a log ended.
pub fn told(model: &mut Model, number: u64, news: LogNews) {
    let Some(logs) = model.logs.as_mut().filter(|logs| logs.number == number) else {
        return;
    };
    match news {
        LogNews::Lines { lines, left_out } => logs.add(lines, left_out),
        LogNews::Ended { container, why } => {
            if let Some(ended) = logs.ended.get_mut(container) {
                *ended = Some(why);
            }
        }
    }
    model.dirty = true;
}

/// Moves the view over the lines; at the newest one it follows.
pub fn move_by(model: &mut Model, by: isize) {
    if let Some(logs) = &mut model.logs {
        let last = logs.lines.len().saturating_sub(1);
        logs.up = logs.up.saturating_add_signed(by.saturating_neg()).min(last);
    }
}

/// Begins anew, from the last lines.
pub fn refresh(model: &mut Model) {
    if let Some(logs) = &mut model.logs {
        // Another set of containers than any that runs: the next look finds that and begins again.
        logs.containers.clear();
        logs.lines.clear();
        logs.up = 0;
    }
    notice(model, "looking again".to_owned());
}

/// Returns the line at the view's lower end.
pub fn line(model: &Model) -> Option<String> {
    let logs = model.logs.as_ref()?;
    let place = logs.lines.len().checked_sub(1 + logs.up)?;
    Some(logs.lines.get(place)?.text.clone())
}

/// Emits what the open view wants: its containers followed, and nothing once it is left.
pub fn run_due<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    let View::Logs { service } = &model.screen.view else {
        if model.logs.take().is_some() {
            effects.push(Effect::Look(Look::LeaveLogs));
        }
        return;
    };
    let service = service.clone();
    let up = model
        .host_index(&service.host)
        .is_some_and(|index| model.hosts[index].link == Link::Up);
    let found = model.service(&service);
    let containers: Vec<_> = found
        .iter()
        .flat_map(|service| &service.containers)
        .take(MOST_CONTAINERS)
        .map(|container| (container.id.clone(), container.name.clone()))
        .collect();
    let same = model
        .logs
        .as_ref()
        .is_some_and(|logs| logs.service == service && logs.containers == containers);
    if same || !up || containers.is_empty() {
        return;
    }
    model.asked += 1;
    let number = model.asked;
    let mut logs = Logs::new(service.clone(), number, containers.clone());
    // A recreated container's log goes on where the former one's ended.
    if let Some(former) = model.logs.take().filter(|former| former.service == service) {
        logs.lines = former.lines;
        logs.left_out = former.left_out;
    }
    model.logs = Some(logs);
    model.dirty = true;
    effects.push(Effect::Look(Look::Logs {
        number,
        host: service.host,
        containers: containers.into_iter().map(|(id, _)| id).collect(),
    }));
}
