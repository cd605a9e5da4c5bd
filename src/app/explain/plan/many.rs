//! The plan of many targets in words: what holds it up, the order, all of it in a few lines, then each in full.

use std::collections::BTreeMap;

use crate::app::jobs::Dialog;
use crate::app::model::Model;
use crate::core::age;
use crate::core::names::{HostName, ServiceKey};
use crate::core::rollout::plan::{Plan, TargetPlan};

use super::super::{Explanation, Tone};
use super::{course, time};

/// What of it is fetched and kept on one host.
#[derive(Default)]
struct OnHost {
    fetch: u64,
    needed: u64,
    free: Option<u64>,
    unknown: usize,
}

/// Returns all services of a plan: those in their order, then those of which there is no plan.
pub fn keys(plan: &Plan) -> impl Iterator<Item = &ServiceKey> {
    let planned = plan.targets.iter().map(|plan| &plan.target);
    planned.chain(plan.unplanned.iter().map(|(key, _)| key))
}

/// Writes the page.
pub fn page(model: &Model, dialog: &Dialog, plan: &Plan, page: &mut Explanation) {
    held_up(dialog, plan, page);
    list(plan, page);
    page.gap();
    if let Some(why) = &plan.order_why {
        page.add("order", why);
    }
    fetch(model, plan, page);
    if plan.targets.len() > 1 {
        page.add(
            "stops",
            "at the first that fails: what comes after it is not begun",
        );
    }
    if let Some(names) = dialog.name_wanted() {
        page.toned(
            "protect",
            format!("type {names}, in this order, and Enter"),
            Tone::Attention,
        );
    }
    let count = plan.targets.len();
    for (place, one) in plan.targets.iter().enumerate() {
        page.gap();
        let key = &one.target;
        let head = format!(
            "{} of {count}: {} {} / {} / {}",
            place + 1,
            one.action.word(),
            key.host,
            key.project,
            key.service
        );
        page.toned("", head, Tone::Accent);
        if let Some(why) = &one.blocked {
            page.toned("blocked", why, Tone::Danger);
            if !one.could_take.is_empty() && dialog.offers_variables() {
                let names = one.could_take.join(", ");
                page.add("", format!("t takes over {names} for this job"));
            }
        }
        course(model, one, page);
    }
}

/// Says first why nothing of it can run as it is, and what can be done about it.
fn held_up(dialog: &Dialog, plan: &Plan, page: &mut Explanation) {
    let in_the_way = plan.in_the_way();
    if in_the_way == 0 {
        return;
    }
    let all = plan.targets.len() + plan.unplanned.len();
    let text = if dialog.offers_leaving_out() {
        format!("{in_the_way} of {all} cannot run, so nothing begins; x leaves them out")
    } else {
        "none of it can run".to_owned()
    };
    page.toned("blocked", text, Tone::Danger);
    for (key, why) in &plan.unplanned {
        page.toned("", format!("{key}: {why}"), Tone::Danger);
    }
    page.gap();
}

/// Lists the targets, a line each.
fn list(plan: &Plan, page: &mut Explanation) {
    let one_host = keys(plan).all(|key| key.host.as_str() == plan_host(plan));
    let name = |key: &ServiceKey| match one_host {
        true => format!("{}/{}", key.project, key.service),
        false => key.to_string(),
    };
    let width = plan
        .targets
        .iter()
        .map(|one| name(&one.target).chars().count())
        .max()
        .unwrap_or(0)
        .min(LONGEST_NAME);
    for (place, one) in plan.targets.iter().enumerate() {
        let tone = match (&one.blocked, one.warnings.is_empty()) {
            (Some(_), _) => Tone::Danger,
            (None, false) => Tone::Attention,
            (None, true) => Tone::Plain,
        };
        let text = format!(
            "{:>2} {:<width$}  {}",
            place + 1,
            name(&one.target),
            brief(one)
        );
        page.toned("", text, tone);
    }
}

/// The longest name that still gets a column.
const LONGEST_NAME: usize = 30;

/// Returns the host of the first service; a plan has one at least.
fn plan_host(plan: &Plan) -> &str {
    keys(plan).next().map_or("", |key| key.host.as_str())
}

/// Says in a few words what becomes of a target.
fn brief(plan: &TargetPlan) -> String {
    if plan.blocked.is_some() {
        return "blocked".to_owned();
    }
    let short = |image: &crate::core::rollout::plan::ImageState| {
        let digest = image.digest.as_ref().map(|digest| digest.short());
        let id = image.image_id.as_ref().map(|id| id.short());
        digest.or(id).unwrap_or("-").to_owned()
    };
    let mut text = if plan.same_image() {
        format!("{} stays", short(&plan.from))
    } else {
        format!("{} → {}", short(&plan.from), short(&plan.to))
    };
    match plan.fetch_bytes {
        Some(0) => {}
        Some(bytes) => text.push_str(&format!("  {}", age::bytes(bytes))),
        None => text.push_str("  size not known"),
    }
    if !plan.dependents.is_empty() && plan.recreates() {
        text.push_str(&format!("  with {}", plan.dependents.join(", ")));
    }
    match plan.warnings.len() + plan.undone_by.len() {
        0 => {}
        count => text.push_str(&format!("  {}", age::count(count, "warning"))),
    }
    text
}

/// Sums up what is fetched on each host, how long that takes there and what is free.
fn fetch(model: &Model, plan: &Plan, page: &mut Explanation) {
    let mut hosts: BTreeMap<&HostName, OnHost> = BTreeMap::new();
    for one in &plan.targets {
        let host = hosts.entry(&one.target.host).or_default();
        match (one.fetch_bytes, one.needed_bytes()) {
            (Some(fetch), Some(needed)) => {
                host.fetch = host.fetch.saturating_add(fetch);
                host.needed = host.needed.saturating_add(needed);
            }
            _ => host.unknown += 1,
        }
        host.free = match (host.free, one.free_bytes) {
            (Some(known), Some(told)) => Some(known.min(told)),
            (known, told) => known.or(told),
        };
    }
    for (place, (name, host)) in hosts.into_iter().enumerate() {
        let mut text = match host.fetch {
            0 => format!("nothing on {name}"),
            bytes => {
                let time = time(model, name, bytes);
                let on = if time.is_empty() {
                    format!(" on {name}")
                } else {
                    time
                };
                format!("at most {}{on}", age::bytes(bytes))
            }
        };
        if host.unknown > 0 {
            text.push_str(&format!(", and {} of unknown size", host.unknown));
        }
        let mut tone = Tone::Plain;
        if let Some(free) = host.free {
            text.push_str(&format!("; {} free there", age::bytes(free)));
            if host.needed > 0 {
                text.push_str(&format!(
                    ", about {} needed with what is unpacked",
                    age::bytes(host.needed)
                ));
            }
            if host.needed > free {
                tone = Tone::Attention;
                text.push_str(": perhaps too little for all of them");
            }
        }
        page.toned(if place == 0 { "fetch" } else { "" }, text, tone);
    }
}
