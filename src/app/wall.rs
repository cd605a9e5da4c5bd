//! The wall: what a screen says that nobody touches. What needs a human comes first, the rest in one line.
//!
//! Times are times of day, not ages, so that a quiet fleet leaves the screen as it is.

mod builds;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::core::age::{self, count};
use crate::core::failure::HostTrouble;
use crate::core::host::HostState;
use crate::core::names::{HostName, RegistryHost};
use crate::core::remote::Route;
use crate::core::rollout::Outcome;
use crate::core::verdict::Verdict;

use super::explain::Tone;
use super::judge::ServiceView;
use super::model::{HostModel, Model};

/// How long a page stays.
pub const TURN: Duration = Duration::from_secs(12);
/// How long after the last key a console that began with the wall returns to it.
pub const HOME: Duration = Duration::from_secs(60);
/// From which height on there is room for figures that are read from afar.
pub const TALL: u16 = 22;
/// From which height on they are twice as large.
pub const HUGE: u16 = 50;
/// Before this moment a clock has not been set, as on a small machine that has just started.
const CLOCK_SET: i64 = 1_735_689_600;

/// One thing that needs a human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub text: String,
    /// How large it is, and whom it touches.
    pub beside: String,
    /// When it was seen so.
    pub seen: Option<Timestamp>,
    pub tone: Tone,
    /// Whether it says more about the item before it.
    pub below: bool,
}

impl Item {
    fn new(text: String, beside: String, seen: Option<Timestamp>, tone: Tone) -> Self {
        Self {
            text,
            beside,
            seen,
            tone,
            below: false,
        }
    }
}

/// Returns all that needs a human, worst first.
pub fn items(model: &Model) -> Vec<Item> {
    let mut items: Vec<Item> = model
        .hosts
        .iter()
        .filter_map(|host| host_away(model, host))
        .collect();
    items.extend(registries(model));
    let worst_first = || Verdict::ALL.into_iter().rev();
    let untold = worst_first().filter(|verdict| !verdict.is_told());
    items.extend(untold.flat_map(|verdict| of_verdict(model, verdict)));
    items.extend(sick(model));
    items.extend(jobs(model));
    items.extend(builds::items(model));
    items.extend(pins(model, false));
    let told = worst_first().filter(|verdict| verdict.is_told());
    items.extend(told.flat_map(|verdict| of_verdict(model, verdict)));
    items.extend(pins(model, true));
    let own = |text: &String, beside: &str| {
        Item::new(text.clone(), beside.to_owned(), None, Tone::Attention)
    };
    items.extend(model.unkept.values().map(|why| own(why, "this machine")));
    let problems = model.problems.iter();
    items.extend(problems.map(|problem| own(problem, "configuration")));
    items
}

/// Returns how many things need a human; what only says more about another is not counted.
pub fn open_count(items: &[Item]) -> usize {
    items.iter().filter(|item| !item.below).count()
}

/// Says how many hosts are up.
pub fn hosts_up(model: &Model) -> String {
    let up = model
        .hosts
        .iter()
        .filter(|host| host.state() == HostState::Up)
        .count();
    match model.screen.width {
        0..60 => format!("{up}/{} up", model.hosts.len()),
        _ => format!("{up} of {} up", count(model.hosts.len(), "host")),
    }
}

/// Says in one line what is well, and when things were last looked at.
pub fn foot(model: &Model) -> String {
    let services = |verdict: Verdict| {
        let number = model
            .services()
            .filter(|one| one.verdict == verdict)
            .count();
        (number > 0).then(|| format!("{number} {}", verdict.word()))
    };
    let asked = model
        .remotes
        .values()
        .filter_map(|remote| remote.remote.answer.as_ref().map(|answer| answer.at))
        .max();
    let read = model
        .hosts
        .iter()
        .filter_map(|host| host.observation.as_ref().map(|seen| seen.at))
        .max();
    let at = |what: &str, at: Option<Timestamp>| Some(format!("{what} {}", time(model, at?)));
    Verdict::ALL
        .into_iter()
        .filter(|verdict| verdict.is_settled())
        .map(services)
        .chain([at("hosts read", read), at("registries asked", asked)])
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ")
}

/// Returns a time of day, with the date where it was long ago.
pub fn time(model: &Model, at: Timestamp) -> String {
    if !is_clock_set(model) || !is_set(at) {
        return "before the clock was set".to_owned();
    }
    let far = model.now.wall.duration_since(at).abs() >= SignedDuration::from_hours(12);
    let form = if far { "%d %b %H:%M" } else { "%H:%M" };
    at.to_zoned(model.zone.clone()).strftime(form).to_string()
}

/// Returns when an image was built, which may be long ago.
fn built(model: &Model, at: Timestamp) -> String {
    if model.now.wall.duration_since(at).abs() < SignedDuration::from_hours(300 * 24) {
        return time(model, at);
    }
    at.to_zoned(model.zone.clone())
        .strftime("%b %Y")
        .to_string()
}

/// Tells whether the machine knows what time it is.
pub fn is_clock_set(model: &Model) -> bool {
    is_set(model.now.wall)
}

/// Tells whether a moment is one of a clock that was set.
pub fn is_set(at: Timestamp) -> bool {
    at.as_second() >= CLOCK_SET
}

/// Tells whether it is the time of day at which a bright screen disturbs.
pub fn is_night(model: &Model) -> bool {
    let hour = model.now.wall.to_zoned(model.zone.clone()).hour();
    is_clock_set(model) && !(7..22).contains(&hour)
}

/// Returns how large a dot of the figures is: so many rows, and twice as many columns.
pub fn scale(height: u16) -> u16 {
    match height {
        0..TALL => 0,
        TALL..HUGE => 1,
        HUGE.. => 2,
    }
}

/// Returns the lines of the figures, and one below them.
pub fn figure_lines(height: u16) -> u16 {
    match scale(height) {
        0 => 0,
        scale => 5 * scale + 1,
    }
}

/// Returns how many lines a page of a screen of this height has.
pub fn per_page(height: u16) -> usize {
    usize::from(height.saturating_sub(4 + figure_lines(height))).max(1)
}

/// Deals items out to pages. One that goes on with what began on the page before repeats what it belongs to.
pub fn dealt(items: Vec<Item>, per_page: usize) -> Vec<Vec<Item>> {
    let mut pages: Vec<Vec<Item>> = vec![Vec::new()];
    let mut head: Option<Item> = None;
    for item in items {
        let is_full = pages.last().is_some_and(|page| page.len() >= per_page);
        if is_full {
            let goes_on = head.as_ref().filter(|_| item.below && per_page > 1);
            let again = goes_on.map(|head| Item {
                text: format!("{}, continued", head.text),
                beside: String::new(),
                ..head.clone()
            });
            pages.push(again.into_iter().collect());
        }
        if !item.below {
            head = Some(item.clone());
        }
        if let Some(page) = pages.last_mut() {
            page.push(item);
        }
    }
    pages
}

/// Returns how many pages there are.
pub fn pages(model: &Model) -> usize {
    dealt(items(model), per_page(model.screen.height)).len()
}

fn host_away(model: &Model, host: &HostModel) -> Option<Item> {
    let failure = host.failure()?;
    let name = &host.spec.name;
    let since = host
        .since
        .map(|since| format!(" since {}", time(model, since)));
    let since = since.unwrap_or_default();
    let text = match failure.trouble {
        HostTrouble::Offline => format!("{name} is offline{since}"),
        _ if host.state() == HostState::Denied => format!("{name}: {}", failure.what),
        _ => format!("{name} is down{since}: {}", failure.what),
    };
    let beside = match host.observation {
        None => "never seen".to_owned(),
        Some(_) => count(services_on(model, name), "service"),
    };
    let seen = host.observation.as_ref().map(|observation| observation.at);
    Some(Item::new(text, beside, seen, Tone::Danger))
}

fn services_on(model: &Model, host: &HostName) -> usize {
    let view = model.judged.iter().find(|view| view.name == *host);
    view.map_or(0, |view| view.services().count())
}

fn is_up(model: &Model, host: &HostName) -> bool {
    let index = model.host_index(host);
    index.is_some_and(|index| model.hosts[index].failure().is_none())
}

fn registries(model: &Model) -> Vec<Item> {
    model
        .registries_away()
        .into_iter()
        .map(|away| {
            let via = match &away.route {
                Route::Here => String::new(),
                Route::Via(host) => format!(" through {host}"),
            };
            Item::new(
                format!("{}{via} is away: {}", away.registry, away.why),
                count(away.services, "service"),
                Some(away.since),
                Tone::Danger,
            )
        })
        .collect()
}

/// Says what is to be done about the services that stand so.
fn of_verdict(model: &Model, verdict: Verdict) -> Vec<Item> {
    match verdict {
        // What is well is counted in the last line.
        Verdict::Current | Verdict::Local => Vec::new(),
        Verdict::Pulled => pulled(model).into_iter().collect(),
        Verdict::Behind => behind(model),
        Verdict::Moved => single(model, verdict, "names an older build"),
        Verdict::Gone => single(model, verdict, "is gone from its registry"),
        Verdict::Unknown => unknown(model),
    }
}

/// What is unknown for another reason than a host or registry that is away, by its reason.
fn unknown(model: &Model) -> Vec<Item> {
    let away: Vec<RegistryHost> = model
        .registries_away()
        .into_iter()
        .map(|away| away.registry)
        .collect();
    let mut by_why: BTreeMap<&str, Vec<&ServiceView>> = BTreeMap::new();
    let of_registry = |service: &ServiceView| {
        let question = service.question.as_ref();
        question.is_some_and(|key| away.contains(&key.reference.repository.registry))
    };
    for service in model.services() {
        let asked = !service.registry.asking || service.registry.error.is_some();
        if service.verdict == Verdict::Unknown
            && asked
            && is_up(model, &service.key.host)
            && !of_registry(service)
        {
            by_why
                .entry(service.why.as_str())
                .or_default()
                .push(service);
        }
    }
    by_why
        .into_iter()
        .map(|(why, services)| {
            let seen = services.iter().map(|service| service.observed_at).max();
            Item::new(
                format!("{} unknown: {why}", named(&services)),
                String::new(),
                seen,
                Tone::Danger,
            )
        })
        .collect()
}

fn sick(model: &Model) -> Vec<Item> {
    let sick = model
        .services()
        .filter(|one| one.is_unhealthy() && is_up(model, &one.key.host));
    sick.map(|service| {
        Item::new(
            format!("{}: {}", name(service), service.life()),
            String::new(),
            Some(service.observed_at),
            Tone::Danger,
        )
    })
    .collect()
}

fn jobs(model: &Model) -> Vec<Item> {
    let bad = model.jobs.iter().filter_map(|job| {
        let (outcome, why) = job.ended.as_ref()?;
        let bad = !matches!(outcome, Outcome::Succeeded | Outcome::Unchanged);
        bad.then(|| {
            Item::new(
                format!(
                    "{} of {}: {}: {why}",
                    job.action.word(),
                    job.target,
                    outcome.word()
                ),
                String::new(),
                None,
                Tone::Danger,
            )
        })
    });
    bad.collect()
}

/// Says which services are held back, and which pins were undone behind our back.
fn pins(model: &Model, hold: bool) -> Vec<Item> {
    let pinned = model.services().filter_map(|service| {
        let pin = service.pinned.as_ref()?;
        (pin.holds() == hold).then_some((service, pin))
    });
    pinned
        .map(|(service, pin)| {
            let since = pin
                .since
                .map(|since| format!(" since {}", time(model, since)));
            let reason = pin.reason.as_ref().map(|reason| format!(": \"{reason}\""));
            let (text, tone) = match &pin.undone {
                None => (
                    format!(
                        "{} is pinned{}{}",
                        name(service),
                        since.unwrap_or_default(),
                        reason.unwrap_or_default()
                    ),
                    Tone::Accent,
                ),
                Some(why) => (
                    format!("{}: pin undone: {why}", name(service)),
                    Tone::Danger,
                ),
            };
            Item::new(text, String::new(), Some(service.observed_at), tone)
        })
        .collect()
}

fn single(model: &Model, verdict: Verdict, words: &str) -> Vec<Item> {
    let found = model.services().filter(|one| one.verdict == verdict);
    found
        .map(|service| {
            Item::new(
                format!("{}: {} {words}", name(service), service.reference),
                String::new(),
                service.registry.checked_at,
                Tone::Attention,
            )
        })
        .collect()
}

fn behind(model: &Model) -> Vec<Item> {
    let mut behind: Vec<&ServiceView> = model
        .services()
        .filter(|one| one.verdict == Verdict::Behind)
        .collect();
    if behind.is_empty() {
        return Vec::new();
    }
    behind.sort_by_key(|service| std::cmp::Reverse(service.fetch_bytes));
    let sizes: Vec<u64> = model
        .judged
        .iter()
        .filter_map(|host| host.fetch_bytes)
        .collect();
    let mut beside = Vec::new();
    if !sizes.is_empty() {
        beside.push(format!("{} to fetch", age::bytes(sizes.iter().sum())));
    }
    let created = behind
        .iter()
        .filter_map(|service| service.registry.created)
        .filter(|built| age::tells(*built));
    if let (Some(newest), Some(oldest)) = (created.clone().max(), created.min()) {
        beside.push(format!("newest {}", built(model, newest)));
        if newest != oldest {
            beside.push(format!("oldest {}", built(model, oldest)));
        }
    }
    let checked = behind
        .iter()
        .filter_map(|one| one.registry.checked_at)
        .max();
    let head = Item::new(
        format!("{} behind", count(behind.len(), "service")),
        beside.join(", "),
        checked,
        Tone::Attention,
    );
    let each = behind.into_iter().map(|service| Item {
        text: name(service),
        beside: [
            service.builds_behind.map(|builds| {
                format!(
                    "by {}",
                    count(usize::try_from(builds).unwrap_or(usize::MAX), "build")
                )
            }),
            service.fetch_bytes.map(age::bytes),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", "),
        seen: None,
        tone: Tone::Plain,
        below: true,
    });
    std::iter::once(head).chain(each).collect()
}

fn pulled(model: &Model) -> Option<Item> {
    let pulled: Vec<&ServiceView> = model
        .services()
        .filter(|one| one.verdict == Verdict::Pulled)
        .collect();
    let seen = pulled.iter().map(|service| service.observed_at).max()?;
    Some(Item::new(
        format!("{} pulled, not recreated", count(pulled.len(), "service")),
        named(&pulled),
        Some(seen),
        Tone::Attention,
    ))
}

fn name(service: &ServiceView) -> String {
    format!("{} ({})", service.key.service, service.key.host)
}

fn named(services: &[&ServiceView]) -> String {
    match services {
        [] => String::new(),
        [one] => name(one),
        [one, two] => format!("{} and {}", name(one), name(two)),
        [one, rest @ ..] => format!("{} and {} others", name(one), rest.len()),
    }
}
