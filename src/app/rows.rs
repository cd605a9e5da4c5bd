//! The rows of the fleet list, made from the judged fleet by grouping, filter and order.
//!
//! Rows hold places, not copies; `id` gives the identity by which a row is selected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::environment;
use crate::core::names::{HostName, ProjectName, ServiceKey};
use crate::core::verdict::Verdict;

use super::judge::{HostView, ProjectView, ServiceView};
use super::model::Model;
use super::screen::{Group, RowId, Sort};

/// The list as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    pub list: Vec<Row>,
    /// The heads of groups that are neither hosts nor projects.
    pub heads: Vec<Head>,
    /// The environments, where they stand side by side.
    pub columns: Vec<String>,
    pub across: Vec<Across>,
}

/// All that a list is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct RowsKey {
    judged: u64,
    group: Group,
    sort: Sort,
    filter: String,
    folded: BTreeSet<RowId>,
}

/// One row: a place in the judged fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub place: Place,
    pub depth: u8,
    pub folded: bool,
}

/// Where a service is in the judged fleet: host, project, service.
pub type At = (usize, usize, usize);

/// What a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Host(usize),
    Project(usize, usize),
    Service(usize, usize, usize),
    Head(usize),
    Across(usize),
}

/// One service over its environments, at most one place in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Across {
    pub label: String,
    /// Whether the row before is of the same service, in further places.
    pub again: bool,
    pub cells: Vec<Option<At>>,
}

/// The head of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub label: String,
    pub services: Vec<At>,
}

impl Rows {
    /// Returns the list, made anew only where something that it is made of changed.
    pub fn of(model: &Model) -> Arc<Self> {
        let screen = &model.screen;
        model.rows.get(
            |key| {
                key.judged == model.judged_count
                    && key.group == screen.group
                    && key.sort == screen.sort
                    && key.filter == screen.filter
                    && key.folded == screen.folded
            },
            || {
                let key = RowsKey {
                    judged: model.judged_count,
                    group: screen.group,
                    sort: screen.sort,
                    filter: screen.filter.clone(),
                    folded: screen.folded.clone(),
                };
                (key, Self::make(model))
            },
        )
    }

    fn make(model: &Model) -> Self {
        match model.screen.group {
            Group::Host => by_host(model),
            Group::Attention => by_heads(model, attention),
            Group::Image => by_heads(model, |service| service.reference.clone()),
            Group::Environment => side_by_side(model),
        }
    }

    /// Returns the identity of a row.
    pub fn id(&self, model: &Model, row: &Row) -> RowId {
        match row.place {
            Place::Host(host) => RowId::Host(model.judged[host].name.clone()),
            Place::Project(host, project) => {
                let host = &model.judged[host];
                RowId::Project(host.name.clone(), host.projects[project].name.clone())
            }
            Place::Service(..) => RowId::Service(service_at(model, row.place).key.clone()),
            Place::Head(head) => RowId::Group(self.heads[head].label.clone()),
            Place::Across(across) => {
                let at = self.nearest(&self.across[across], self.column(model));
                RowId::Service(service_of(model, at).key.clone())
            }
        }
    }

    /// Returns the column that the selected service stands in, where environments are side by side.
    pub fn column(&self, model: &Model) -> usize {
        let Some(RowId::Service(key)) = &model.screen.selected else {
            return 0;
        };
        let is = |cell: &Option<At>| cell.is_some_and(|at| service_of(model, at).key == *key);
        self.across
            .iter()
            .find_map(|across| across.cells.iter().position(is))
            .unwrap_or(0)
    }

    /// Returns the service beside the selected one in the next environment of that side that has it.
    pub fn beside(&self, model: &Model, row: &Row, left: bool) -> Option<RowId> {
        let Place::Across(across) = row.place else {
            return None;
        };
        let cells = &self.across[across].cells;
        let here = self.column(model);
        let at = if left {
            cells[..here].iter().rev().flatten().next()
        } else {
            cells[here + 1..].iter().flatten().next()
        };
        at.map(|at| RowId::Service(service_of(model, *at).key.clone()))
    }

    /// Returns the cell of that column, else the nearest one; a row has at least one.
    pub fn nearest(&self, across: &Across, column: usize) -> At {
        let filled = across.cells.iter().enumerate();
        filled
            .filter_map(|(place, cell)| Some((place.abs_diff(column), (*cell)?)))
            .min_by_key(|(distance, _)| *distance)
            .map_or((0, 0, 0), |(_, at)| at)
    }

    /// Returns where the selected row is: by identity, else what the service lies in, else where the selection was.
    pub fn selected_index(&self, model: &Model) -> Option<usize> {
        let wanted = model.screen.selected.as_ref();
        let found = wanted.and_then(|id| self.list.iter().position(|row| self.is(model, row, id)));
        let around = || {
            let Some(RowId::Service(key)) = wanted else {
                return None;
            };
            self.list
                .iter()
                .rposition(|row| self.holds(model, row, key))
        };
        found.or_else(around).or_else(|| {
            let last = self.list.len().checked_sub(1)?;
            Some(model.screen.selected_index.min(last))
        })
    }

    /// Tells whether the service lies folded in the row.
    fn holds(&self, model: &Model, row: &Row, key: &ServiceKey) -> bool {
        if !row.folded {
            return false;
        }
        let is = |service: &ServiceView| service.key == *key;
        match row.place {
            Place::Host(host) => model.judged[host].services().any(is),
            Place::Project(host, project) => {
                model.judged[host].projects[project].services.iter().any(is)
            }
            Place::Head(head) => {
                let mut services = self.heads[head].services.iter();
                services.any(|at| is(service_of(model, *at)))
            }
            Place::Service(..) | Place::Across(_) => false,
        }
    }

    /// Compares identities without making one.
    fn is(&self, model: &Model, row: &Row, id: &RowId) -> bool {
        match (row.place, id) {
            (Place::Host(host), RowId::Host(name)) => model.judged[host].name == *name,
            (Place::Project(host, project), RowId::Project(name, own)) => {
                let host = &model.judged[host];
                host.name == *name && host.projects[project].name == *own
            }
            (Place::Service(..), RowId::Service(key)) => service_at(model, row.place).key == *key,
            (Place::Head(head), RowId::Group(label)) => self.heads[head].label == *label,
            (Place::Across(across), RowId::Service(key)) => {
                let mut cells = self.across[across].cells.iter().flatten();
                cells.any(|at| service_of(model, *at).key == *key)
            }
            _ => false,
        }
    }
}

/// Returns the service of a service row.
///
/// # Panics
/// If the place is none of a service's; rows are made from the same model that is asked.
pub fn service_at(model: &Model, place: Place) -> &ServiceView {
    match place {
        Place::Service(host, project, service) => service_of(model, (host, project, service)),
        Place::Host(_) | Place::Project(..) | Place::Head(_) | Place::Across(_) => {
            unreachable!("only service rows have a service")
        }
    }
}

/// Returns the service at a place of the judged fleet.
pub fn service_of(model: &Model, (host, project, service): At) -> &ServiceView {
    &model.judged[host].projects[project].services[service]
}

/// Returns the identity of the selected row.
pub fn selected(model: &Model) -> Option<RowId> {
    let rows = Rows::of(model);
    let index = rows.selected_index(model)?;
    Some(rows.id(model, &rows.list[index]))
}

/// Returns the services of a row that the filter lets be seen: what is not in sight is not acted on.
pub fn services_in_sight(model: &Model, id: &RowId) -> Vec<ServiceKey> {
    let all = |host: &HostView, project: Option<&ProjectName>| {
        host.services()
            .filter(|own| project.is_none_or(|project| own.key.project == *project))
            .filter(|own| matches(model, host, own))
            .map(|own| own.key.clone())
            .collect()
    };
    let of_host = |name: &HostName| model.judged.iter().find(|host| host.name == *name);
    match id {
        RowId::Host(host) => of_host(host).map_or_else(Vec::new, |host| all(host, None)),
        RowId::Project(host, project) => {
            of_host(host).map_or_else(Vec::new, |host| all(host, Some(project)))
        }
        // Groups hold only what the filter let through.
        RowId::Service(_) | RowId::Group(_) => services_below(model, id),
    }
}

/// Returns the services that a row stands for.
pub fn services_below(model: &Model, id: &RowId) -> Vec<ServiceKey> {
    let keys = |list: &mut dyn Iterator<Item = &ServiceView>| list.map(|s| s.key.clone()).collect();
    match id {
        RowId::Service(key) => vec![key.clone()],
        RowId::Host(host) => keys(&mut model.services().filter(|s| s.key.host == *host)),
        RowId::Project(host, project) => keys(
            &mut model
                .services()
                .filter(|s| s.key.host == *host && s.key.project == *project),
        ),
        RowId::Group(label) => {
            let rows = Rows::of(model);
            let head = rows.heads.iter().find(|head| head.label == *label);
            head.map(|head| {
                head.services
                    .iter()
                    .map(|&(h, p, s)| service_at(model, Place::Service(h, p, s)).key.clone())
                    .collect()
            })
            .unwrap_or_default()
        }
    }
}

fn by_host(model: &Model) -> Rows {
    let mut rows = Rows::default();
    let filtering = !model.screen.filter.is_empty();
    for (h, host) in model.judged.iter().enumerate() {
        let mut below = Vec::new();
        for (p, project) in host.projects.iter().enumerate() {
            let services = ordered(model, h, p, host, project);
            if services.is_empty() && (filtering || !project.services.is_empty()) {
                continue;
            }
            let folded = is_folded(
                model,
                &RowId::Project(host.name.clone(), project.name.clone()),
            );
            below.push(Row {
                place: Place::Project(h, p),
                depth: 1,
                folded,
            });
            if !folded {
                below.extend(services.into_iter().map(|s| Row {
                    place: Place::Service(h, p, s),
                    depth: 2,
                    folded: false,
                }));
            }
        }
        if below.is_empty() && filtering && !has(host.name.as_str(), &needle(model)) {
            continue;
        }
        let folded = is_folded(model, &RowId::Host(host.name.clone()));
        rows.list.push(Row {
            place: Place::Host(h),
            depth: 0,
            folded,
        });
        if !folded {
            rows.list.extend(below);
        }
    }
    rows
}

/// Folds are ignored while a filter is on: what was asked for must be seen.
fn is_folded(model: &Model, id: &RowId) -> bool {
    model.screen.filter.is_empty() && model.screen.folded.contains(id) != folds_by_itself(model, id)
}

/// Tells whether a group is folded until it is opened, so that what needs nobody takes one line.
pub fn folds_by_itself(model: &Model, id: &RowId) -> bool {
    let RowId::Group(label) = id else {
        return false;
    };
    match model.screen.group {
        // Its hosts stand beside the image already.
        Group::Image => true,
        Group::Attention => Verdict::ALL
            .iter()
            .any(|verdict| verdict.is_settled() && label == verdict.word()),
        Group::Host | Group::Environment => false,
    }
}

fn ordered(
    model: &Model,
    h: usize,
    p: usize,
    host: &HostView,
    project: &ProjectView,
) -> Vec<usize> {
    let mut list: Vec<usize> = (0..project.services.len())
        .filter(|s| matches(model, host, &project.services[*s]))
        .collect();
    list.sort_by_key(|s| order(model, (h, p, *s)));
    list
}

/// What services are ordered by: smaller comes first, equal ones keep their names' order.
fn order(model: &Model, at: At) -> i64 {
    let service = service_at(model, Place::Service(at.0, at.1, at.2));
    match model.screen.sort {
        Sort::Name => 0,
        Sort::Verdict => -(service.verdict as i64) * 2 - i64::from(service.is_unhealthy()),
        Sort::Age => service
            .running
            .created
            .map_or(i64::MAX, |created| created.as_second()),
    }
}

fn by_heads(model: &Model, label: fn(&ServiceView) -> String) -> Rows {
    let mut groups: BTreeMap<String, Vec<At>> = BTreeMap::new();
    for (h, host) in model.judged.iter().enumerate() {
        for (p, project) in host.projects.iter().enumerate() {
            for (s, service) in project.services.iter().enumerate() {
                if matches(model, host, service) {
                    groups.entry(label(service)).or_default().push((h, p, s));
                }
            }
        }
    }
    let mut groups: Vec<(String, Vec<At>)> = groups.into_iter().collect();
    if model.screen.group == Group::Attention {
        groups.sort_by_key(|(label, _)| attention_rank(label));
    }
    let mut rows = Rows::default();
    if model.screen.group == Group::Attention {
        hosts_away(model, &mut rows);
    }
    for (label, mut services) in groups {
        services.sort_by_key(|at| order(model, *at));
        let folded = is_folded(model, &RowId::Group(label.clone()));
        rows.list.push(Row {
            place: Place::Head(rows.heads.len()),
            depth: 0,
            folded,
        });
        if !folded {
            rows.list.extend(services.iter().map(|&(h, p, s)| Row {
                place: Place::Service(h, p, s),
                depth: 1,
                folded: false,
            }));
        }
        rows.heads.push(Head { label, services });
    }
    rows
}

/// Puts the hosts that cannot be reached first: what runs there may be unknown altogether.
fn hosts_away(model: &Model, rows: &mut Rows) {
    let needle = needle(model);
    for (index, host) in model.hosts.iter().enumerate() {
        if host.failure().is_some() && has(host.spec.name.as_str(), &needle) {
            rows.list.push(Row {
                place: Place::Host(index),
                depth: 0,
                folded: true,
            });
        }
    }
}

/// What stands in the column of services of which no environment is told.
const NO_ENVIRONMENT: &str = "no environment";

fn side_by_side(model: &Model) -> Rows {
    let mut services: BTreeMap<String, BTreeMap<&str, Vec<At>>> = BTreeMap::new();
    let mut rows = Rows::default();
    for (h, host) in model.judged.iter().enumerate() {
        for (p, project) in host.projects.iter().enumerate() {
            for (s, service) in project.services.iter().enumerate() {
                if !matches(model, host, service) {
                    continue;
                }
                let environment = service.environment.as_deref().unwrap_or(NO_ENVIRONMENT);
                if !rows.columns.iter().any(|column| column == environment) {
                    rows.columns.push(environment.to_owned());
                }
                let places = services.entry(across_label(service)).or_default();
                places.entry(environment).or_default().push((h, p, s));
            }
        }
    }
    rows.columns
        .sort_by_cached_key(|name| (environment_rank(name), name.clone()));
    // What runs in several environments is what one compares; the rest follows.
    let mut services: Vec<(String, BTreeMap<&str, Vec<At>>)> = services.into_iter().collect();
    services.sort_by_key(|(_, places)| std::cmp::Reverse(places.len().min(2)));
    for (label, places) in services {
        let deep = places.values().map(Vec::len).max().unwrap_or(0);
        for depth in 0..deep {
            let cell = |column: &String| places.get(column.as_str())?.get(depth).copied();
            rows.list.push(Row {
                place: Place::Across(rows.across.len()),
                depth: 0,
                folded: false,
            });
            rows.across.push(Across {
                label: label.clone(),
                again: depth > 0,
                cells: rows.columns.iter().map(cell).collect(),
            });
        }
    }
    rows
}

/// Names a service as it is called in every environment.
fn across_label(service: &ServiceView) -> String {
    let own = environment::without_word(service.key.service.as_str());
    if service.key.project.is_none() {
        return own.to_owned();
    }
    let project = environment::without_word(service.key.project.as_str());
    format!("{project}/{own}")
}

/// Orders environments as a change passes through them.
fn environment_rank(name: &str) -> usize {
    let order = ["dev", "test", "qa", "preview", "staging", "prod"];
    let unknown = order.len() + usize::from(name == NO_ENVIRONMENT);
    order.iter().position(|own| *own == name).unwrap_or(unknown)
}

/// What a group of services is called that run, but not well.
const UNHEALTHY: &str = "unhealthy";

/// Names the group by what a human has to see first.
fn attention(service: &ServiceView) -> String {
    let word = match service.verdict {
        verdict if verdict.is_told() && service.is_unhealthy() => UNHEALTHY,
        verdict => verdict.word(),
    };
    word.to_owned()
}

fn attention_rank(label: &str) -> usize {
    let (untold, told): (Vec<Verdict>, Vec<Verdict>) = Verdict::ALL
        .into_iter()
        .rev()
        .partition(|verdict| !verdict.is_told());
    let words = |verdicts: Vec<Verdict>| verdicts.into_iter().map(Verdict::word);
    words(untold)
        .chain([UNHEALTHY])
        .chain(words(told))
        .position(|word| word == label)
        .unwrap_or(usize::MAX)
}

fn needle(model: &Model) -> Vec<String> {
    model
        .screen
        .filter
        .split_whitespace()
        .map(str::to_lowercase)
        .collect()
}

/// Tells whether every word of the filter is found in the service's names, image, verdict or environment.
fn matches(model: &Model, host: &HostView, service: &ServiceView) -> bool {
    if model.screen.filter.is_empty() {
        return true;
    }
    let key = &service.key;
    needle(model).iter().all(|word| {
        let words = std::slice::from_ref(word);
        has(host.name.as_str(), words)
            || has(key.project.as_str(), words)
            || has(key.service.as_str(), words)
            || has(&service.reference, words)
            || has(service.verdict.word(), words)
            || has(&service.life(), words)
            || service
                .environment
                .as_deref()
                .is_some_and(|name| has(name, words))
            || service
                .running
                .revision
                .as_deref()
                .is_some_and(|name| has(name, words))
            || service.config == crate::core::files::ConfigState::Changed
                && has("config changed", words)
    })
}

fn has(text: &str, words: &[String]) -> bool {
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}
