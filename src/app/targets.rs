//! Which services an action is about: the marked ones, else those of the row under the cursor.
//!
//! Marks are kept by name; a service that is gone loses its mark by being looked for and not found.

use std::collections::BTreeMap;

use crate::core::names::{HostName, ProjectName, ServiceKey, ServiceName};
use crate::core::rollout::order::by_dependency;

use super::commands::selected_service;
use super::model::Model;
use super::rows;
use super::screen::View;

/// How much of what a row stands for is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    None,
    Some,
    All,
}

/// Returns the services that the next action is about.
pub fn of_action(model: &Model) -> Vec<ServiceKey> {
    if model.screen.view != View::Fleet {
        // Marks are out of sight there.
        return selected_service(model)
            .map(|service| service.key.clone())
            .into_iter()
            .collect();
    }
    let marked = marked(model);
    if marked.is_empty() {
        under_the_cursor(model)
    } else {
        marked
    }
}

/// Returns the marked services that are still there, as the fleet has them.
pub fn marked(model: &Model) -> Vec<ServiceKey> {
    let marks = &model.screen.marked;
    if marks.is_empty() {
        return Vec::new();
    }
    let keys = model.services().map(|service| &service.key);
    keys.filter(|key| marks.contains(*key)).cloned().collect()
}

/// Returns the services in sight that the selected row stands for.
pub fn under_the_cursor(model: &Model) -> Vec<ServiceKey> {
    rows::selected(model).map_or_else(Vec::new, |id| rows::services_in_sight(model, &id))
}

/// Marks what the selected row stands for; where all of it is marked, the marks are taken off.
pub fn turn_marks(model: &mut Model) {
    let keys = under_the_cursor(model);
    let marked = &mut model.screen.marked;
    if keys.iter().all(|key| marked.contains(key)) {
        for key in &keys {
            marked.remove(key);
        }
    } else {
        marked.extend(keys);
    }
}

/// Tells how much of these services is marked.
pub fn share<'a>(model: &Model, services: impl Iterator<Item = &'a ServiceKey>) -> Marked {
    let marks = &model.screen.marked;
    let (mut some, mut all) = (false, true);
    if !marks.is_empty() {
        for key in services {
            let marked = marks.contains(key);
            some |= marked;
            all &= marked;
        }
    }
    match (some, all) {
        (false, _) => Marked::None,
        (true, true) => Marked::All,
        (true, false) => Marked::Some,
    }
}

/// Orders services host by host, each after what it depends on; tells whether any depends on another.
pub fn in_order(model: &Model, keys: &[ServiceKey]) -> (Vec<ServiceKey>, bool) {
    let mut projects: Vec<(&HostName, &ProjectName)> = Vec::new();
    for key in keys {
        let place = (&key.host, &key.project);
        if !projects.contains(&place) {
            projects.push(place);
        }
    }
    let rank = |project: &ProjectName| {
        let listed = model.settings.order.iter();
        let place = listed.clone().position(|own| own == project.as_str());
        place.unwrap_or(usize::MAX)
    };
    projects.sort_by_key(|(host, project)| (model.host_index(host), rank(project)));
    let mut ordered = Vec::new();
    let mut depends = false;
    for (host, project) in projects {
        let own = keys
            .iter()
            .filter(|key| key.host == *host && key.project == *project);
        let graph: BTreeMap<ServiceName, Vec<ServiceName>> = own
            .map(|key| {
                let compose = model
                    .service(key)
                    .and_then(|service| service.compose.as_ref());
                let others = compose.map(|compose| compose.depends_on.clone());
                (key.service.clone(), others.unwrap_or_default())
            })
            .collect();
        depends |= graph
            .iter()
            .any(|(name, others)| others.iter().any(|o| o != name && graph.contains_key(o)));
        ordered.extend(by_dependency(&graph).into_iter().map(|service| ServiceKey {
            host: host.clone(),
            project: project.clone(),
            service,
        }));
    }
    (ordered, depends)
}
