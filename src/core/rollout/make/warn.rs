//! What a plan says plainly beforehand, though it may run.

use crate::core::age;
use crate::core::engine::{Ailment, ContainerFacts, ContainerState};
use crate::core::files::same_release;
use crate::core::inventory;
use crate::core::leaning;
use crate::core::rollout::Action;
use crate::core::rollout::plan::TargetPlan;

use super::{Goal, Known, Wish, beside};

/// Exit codes of a container that was told to stop: by SIGINT, SIGKILL and SIGTERM.
const TOLD_TO_STOP: [i64; 3] = [130, 137, 143];

/// Adds what has to be known before it is agreed to.
pub(super) fn warn(wish: &Wish<'_>, known: &Known<'_>, plan: &mut TargetPlan) {
    let dossier = known.dossier;
    plan.warnings.extend(built_before(plan));
    if plan.recreates() {
        plan.warnings.extend(not_running(known, plan));
        plan.warnings.extend(fails_already(known));
        plan.warnings.extend(dependents(known, plan));
        plan.warnings.extend(cut_off(known, plan));
        plan.warnings.extend(not_restarted(known, plan));
    }
    if let (Some(label), Some(own)) = (known.compose_label, &dossier.compose_version)
        && !same_release(label, own)
    {
        plan.warnings
            .push(format!("started by compose {label}, the host has {own}"));
    }
    if !dossier.lock_is_shared {
        plan.warnings.push(
            "/run/lock is not writable: other logins of this host are not kept out".to_owned(),
        );
    }
    if plan.recreates() {
        let data: Vec<&str> = dossier
            .containers
            .values()
            .flat_map(|container| container.data.iter().map(String::as_str))
            .collect();
        if wish.action == Action::Rollback && !data.is_empty() {
            plan.warnings.push(format!(
                "data stays as the newer image left it: {}",
                data.join(", ")
            ));
        }
    }
    let policy = dossier
        .rendered
        .as_ref()
        .and_then(|rendered| rendered.pull_policy.as_deref());
    if policy == Some("always") && wish.action != Action::Unpin {
        plan.warnings.push(
            "pull_policy: always: without the registry the host's own `up` cannot start it"
                .to_owned(),
        );
    }
    let held = matches!(wish.goal, Goal::Held(_)) && wish.action == Action::Rollback;
    if held || (matches!(wish.goal, Goal::Tag(None)) && wish.action == Action::Recreate) {
        plan.warnings
            .push("with what the host holds; the registry is not needed".to_owned());
    }
}

/// Returns the service's containers as the engine last told of them.
fn containers<'a>(known: &'a Known<'_>) -> Vec<&'a ContainerFacts> {
    let own = &known.dossier.containers;
    let all = known.observation.containers.iter();
    all.filter(|container| own.contains_key(&container.id))
        .collect()
}

/// Finds what is wrong with a container by itself; one that was told to stop is well.
fn ails(one: &ContainerFacts) -> Option<Ailment> {
    let told =
        |ailment: &Ailment| matches!(ailment, Ailment::Exited(code) if TOLD_TO_STOP.contains(code));
    Ailment::of(one.state, one.health, one.exit_code).filter(|ailment| !told(ailment))
}

/// Tells whether it ended with an error of its own.
fn failed(container: &ContainerFacts) -> bool {
    matches!(ails(container), Some(Ailment::Exited(_)))
}

/// Says that what does not run now will.
fn not_running(known: &Known<'_>, plan: &TargetPlan) -> Vec<String> {
    let containers = containers(known);
    let (all, action) = (containers.len(), plan.action.word());
    let count = |wanted: &dyn Fn(&ContainerFacts) -> bool| {
        containers.iter().filter(|one| wanted(one)).count()
    };
    let stopped = |one: &ContainerFacts| one.state == ContainerState::Exited && !failed(one);
    let cases = [
        (count(&stopped), "stopped"),
        (
            count(&|one| one.state == ContainerState::Created),
            "not started yet",
        ),
        (count(&|one| one.state == ContainerState::Paused), "paused"),
    ];
    let told = cases.into_iter().filter(|(many, _)| *many > 0);
    told.map(|(many, how)| match (many, all) {
        (1, 1) => format!("it is {how}: the {action} starts it"),
        (1, _) => format!("1 of {all} replicas is {how}: the {action} starts it"),
        (many, _) if many == all => {
            format!("all {all} replicas are {how}: the {action} starts them")
        }
        (many, _) => format!("{many} of {all} replicas are {how}: the {action} starts them"),
    })
    .collect()
}

/// Says that it is broken already, so that its health will prove nothing of the former image either.
fn fails_already(known: &Known<'_>) -> Option<String> {
    let containers = containers(known);
    let how = match containers.iter().find_map(|one| ails(one))? {
        Ailment::Restarting => "it restarts again and again".to_owned(),
        Ailment::Exited(code) => format!("it exited ({code})"),
        Ailment::Dead => "its container is dead".to_owned(),
        Ailment::Unhealthy => "it is unhealthy".to_owned(),
    };
    Some(format!(
        "it fails already, before anything is done: {how}; unless the new image mends that, it can be neither proven nor put back with proof"
    ))
}

/// Says that the way leads back in time though the tag was followed.
fn built_before(plan: &TargetPlan) -> Option<String> {
    if !matches!(
        plan.action,
        Action::Pull | Action::Update | Action::Recreate
    ) || plan.same_image()
    {
        return None;
    }
    let telling = |time: Option<jiff::Timestamp>| time.filter(|time| age::tells(*time));
    let (from, to) = (telling(plan.from.created)?, telling(plan.to.created)?);
    let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M").to_string();
    (to < from).then(|| {
        format!(
            "the tag names an image built before the running one: {} against {}",
            day(to),
            day(from)
        )
    })
}

/// Says who else shares its network, and what to do afterwards: other projects are not touched by its job.
fn cut_off(known: &Known<'_>, plan: &TargetPlan) -> Vec<String> {
    let own = containers(known);
    let all = known.observation.containers.iter();
    let leaning = all.filter(|one| own.iter().any(|other| leaning::leans(one, other)));
    leaning
        .filter_map(|one| {
            let way = match inventory::compose_place(one) {
                Some((project, service)) => {
                    let beside = project == plan.target.project;
                    if beside && plan.dependents.iter().any(|name| service.as_str() == name) {
                        return None;
                    }
                    let host = &plan.target.host;
                    format!("`homelab-tui recreate {host}/{project}/{service}`")
                }
                None => "make it anew by hand".to_owned(),
            };
            Some(format!(
                "{} shares its network and is cut off by the {}: afterwards {way}",
                one.name,
                plan.action.word()
            ))
        })
        .collect()
}

/// Says which services the files would have restarted with it, which a recreation of one service by itself does not do.
fn not_restarted(known: &Known<'_>, plan: &TargetPlan) -> Option<String> {
    let own = known.dossier.ask_for_a_restart.iter();
    let left: Vec<&str> = own
        .filter(|name| !plan.dependents.contains(name))
        .map(String::as_str)
        .collect();
    (!left.is_empty()).then(|| {
        format!(
            "depends_on with restart: true is not followed for {}: restart by hand afterwards, with `docker compose restart {}`",
            left.join(", "),
            left.join(" ")
        )
    })
}

/// Says what becomes of the services that are made anew with it.
fn dependents(known: &Known<'_>, plan: &TargetPlan) -> Vec<String> {
    let mut list = Vec::new();
    for name in &plan.dependents {
        let own = beside::containers(known, plan, name);
        if own.is_empty() {
            continue;
        }
        if own.iter().all(|one| one.state != ContainerState::Running) {
            let action = plan.action.word();
            list.push(format!(
                "{name}, which hangs on its container, does not run: the {action} starts it too"
            ));
        }
        if let Some(other) = beside::named_by_its_tag(known, plan, name) {
            list.push(format!(
                "{name}, which hangs on its container, restarts with the image that it runs; its tag names {other}, which only its own update brings"
            ));
        }
    }
    list
}
