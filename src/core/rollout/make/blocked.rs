//! Why a plan may not run: what the host lacks, who is at work on it, what else a recreation would change.
//!
//! What stands in the way of containers of no project too belongs to `by_the_host`; their own reasons are in
//! `make::plain`, and what no session may ever do is in `rollout::off_limits`.

use crate::core::files::same_release;
use crate::core::image::{ImageRef, Pointer};
use crate::core::rollout::Action;
use crate::core::rollout::dossier::Variable;
use crate::core::rollout::guard::{self, Difference};
use crate::core::rollout::pin;
use crate::core::rollout::plan::{TargetPlan, UNPACKED};

use super::{Goal, Known, Wish, beside};

/// Says why the plan for a service of a compose project may not run, if it may not.
pub(super) fn blocked(wish: &Wish<'_>, known: &Known<'_>, plan: &mut TargetPlan) -> Option<String> {
    let dossier = known.dossier;
    if let Some(why) = known.off_limits {
        return Some(why.to_owned());
    }
    if let Some(already) = plan.blocked.take() {
        return Some(already);
    }
    if let Goal::Nowhere(why) = &wish.goal {
        return Some(why.clone());
    }
    if known
        .compose_label
        .is_some_and(|version| version.starts_with("1."))
    {
        return Some("started by compose v1, which is observed only: another compose would recreate the whole project".to_owned());
    }
    if let Some(why) = &dossier.unreadable {
        return Some(format!(
            "the project's files cannot be rendered on the host: {why}"
        ));
    }
    let Some(version) = &dossier.compose_version else {
        return Some("the host has no docker compose (v2.20 or later)".to_owned());
    };
    if !recent_enough(version) {
        return Some(format!(
            "the host's docker compose is {version}; 2.20 or later is needed"
        ));
    }
    if let Some(why) = by_the_host(known) {
        return Some(why);
    }
    let Some(rendered) = &dossier.rendered else {
        return Some("the files no longer have this service: if it was renamed, give it its name back; else take its container away with `docker compose up -d --remove-orphans` on the host".to_owned());
    };
    if matches!(wish.action, Action::Pull | Action::Update) {
        if let Some(pinned) = pinned(known, plan) {
            return Some(pinned);
        }
        if let Some(reference) = known.reference.parse::<ImageRef>().ok()
            && matches!(reference.pointer, Pointer::Digest { .. })
        {
            return Some(
                "it runs by digest: there is nothing newer to follow; change the file, or unpin"
                    .to_owned(),
            );
        }
        if let Some(why) = fetches_nothing(rendered.pull_policy.as_deref(), plan) {
            return Some(why);
        }
        if rendered.builds && matches!(wish.goal, Goal::Tag(None)) && plan.from.digest.is_none() {
            return Some("the image is built here; there is nothing to pull".to_owned());
        }
    }
    if wish.action == Action::Recreate && plan.to.image_id.is_none() {
        return Some(format!(
            "the host holds no image {}; pull it first",
            plan.service_tag
        ));
    }
    if let Some(why) = too_full(known, plan) {
        return Some(why);
    }
    if plan.recreates() {
        if let Some(why) = beside::blocked(known, plan) {
            return Some(why);
        }
        if !dossier.lost.is_empty() {
            return Some(format!(
                "{}, given by whoever deployed and not on this host: it cannot be read from a container, so put it into the environment file or deploy as it was deployed before",
                dossier.lost.join(", ")
            ));
        }
        return guarded(wish, known, plan);
    }
    None
}

/// Says that compose's own pull passes the service over, as its files say.
fn fetches_nothing(policy: Option<&str>, plan: &TargetPlan) -> Option<String> {
    let (policy, way) = match policy? {
        "never" => ("never", format!("docker pull {}", plan.service_tag)),
        "build" => (
            "build",
            format!("docker compose build {}", plan.target.service),
        ),
        _ => return None,
    };
    Some(format!(
        "its files say pull_policy: {policy}, so compose fetches nothing for it: `{way}` on the host, then recreate"
    ))
}

/// Says what on the host stands in the way: somebody at work, or no way to outlive the login.
pub(super) fn by_the_host(known: &Known<'_>) -> Option<String> {
    let dossier = known.dossier;
    if let Some(lock) = dossier.lock.as_ref().filter(|lock| lock.alive) {
        return Some(format!(
            "{} has been at work on it since {} (job {})",
            lock.who, lock.since, lock.job
        ));
    }
    if let Some(other) = &dossier.at_work {
        return Some(format!("somebody else is at work on this project: {other}"));
    }
    if dossier.kills_processes && dossier.outlive.is_none() {
        return Some(
            "this host ends a login's processes at its end (KillUserProcesses) and offers no way around: enable lingering with `loginctl enable-linger`".to_owned(),
        );
    }
    if dossier.containers.is_empty() {
        return Some("it has no container".to_owned());
    }
    None
}

/// Says that the service is pinned, if it is: compose would fetch the pin and nothing newer.
fn pinned(known: &Known<'_>, plan: &TargetPlan) -> Option<String> {
    let folder = &known.dossier.folder;
    let texts = [&folder.own_override, &folder.own_pin_file];
    let entry = texts
        .into_iter()
        .flatten()
        .flat_map(|text| pin::entries(text))
        .find(|entry| entry.service == plan.target.service.as_str())?;
    let by = entry.note.map_or_else(String::new, |note| {
        let since = note.since.strftime("%Y-%m-%d %H:%M");
        let reason = note.reason.map(|reason| format!(" ({reason})"));
        format!(
            " by {} since {since}{}",
            note.by,
            reason.unwrap_or_default()
        )
    });
    Some(format!(
        "it is pinned to {}{by}: unpin it to let it follow its tag again",
        entry.image
    ))
}

/// Tells whether the files render to what the containers were started with, by compose's own hash.
fn same_as_started(known: &Known<'_>) -> bool {
    let dossier = known.dossier;
    let rendered = dossier.rendered.as_ref();
    rendered.is_some_and(|own| own.shape.image == known.running.reference)
        && known
            .config_hash
            .is_some_and(|label| dossier.hashes.iter().any(|own| own == label))
}

/// Lists what a recreation would change beside the image.
pub(super) fn differences(known: &Known<'_>, plan: &TargetPlan) -> Vec<Difference> {
    let dossier = known.dossier;
    let mut found: Vec<Difference> = Vec::new();
    let Some(rendered) = dossier
        .rendered
        .as_ref()
        .filter(|_| !same_as_started(known))
    else {
        return found;
    };
    let same_image = rendered.shape.image == known.running.reference;
    for container in dossier.containers.values() {
        for difference in guard::differences(&container.shape, &rendered.shape, &container.defaults)
        {
            if !found.contains(&difference) {
                found.push(difference);
            }
        }
    }
    // A tag that only the deploying shell had: what runs would silently follow the files' default.
    if !same_image && dossier.image_is_from_shell() && found.iter().all(|own| own.key != "image") {
        found.push(Difference {
            key: "image".to_owned(),
            how: guard::How::Changed,
        });
    }
    // A pin of ours changes the image on purpose.
    if plan.pin.is_some()
        || dossier.folder.own_override.is_some()
        || dossier.folder.own_pin_file.is_some()
    {
        found.retain(|difference| difference.key != "image");
    }
    found
}

/// Holds the plan to changing nothing but the image.
fn guarded(wish: &Wish<'_>, known: &Known<'_>, plan: &mut TargetPlan) -> Option<String> {
    let dossier = known.dossier;
    let rendered = dossier.rendered.as_ref()?;
    let same_image = rendered.shape.image == known.running.reference;
    if same_as_started(known) {
        return None;
    }
    let found = differences(known, plan);
    if found.is_empty() {
        let hash_is_telling = same_image
            && !dossier.hashes.is_empty()
            && known.config_hash.is_some()
            && known
                .compose_label
                .zip(dossier.compose_version.as_deref())
                .is_some_and(|(label, own)| same_release(label, own));
        return hash_is_telling.then(|| {
            "the files were changed since it was started: a recreate would bring more than the image (see config)".to_owned()
        });
    }
    let words: Vec<String> = found.iter().map(Difference::words).collect();
    if wish.take_environment {
        let given: Vec<&Variable> = rendered.variables.iter().collect();
        let unsolved: Vec<&str> = given
            .iter()
            .filter(|variable| variable.value.is_none())
            .map(|variable| variable.name.as_str())
            .collect();
        if !given.is_empty() && unsolved.is_empty() {
            if dossier.kills_processes {
                return Some(
                    "values cannot be handed over on this host, as jobs there need systemd-run"
                        .to_owned(),
                );
            }
            plan.taken_over = given.iter().map(|variable| variable.name.clone()).collect();
            return None;
        }
        return Some(format!(
            "{}; the running container does not show clearly what {} {}",
            words.join(", "),
            if unsolved.is_empty() {
                "given".to_owned()
            } else {
                unsolved.join(", ")
            },
            if unsolved.len() > 1 { "were" } else { "was" }
        ));
    }
    let names: Vec<&str> = rendered
        .variables
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    plan.could_take = names.iter().map(|name| (*name).to_owned()).collect();
    Some(if names.is_empty() {
        format!(
            "a recreate would change more than the image: {}",
            words.join(", ")
        )
    } else {
        format!(
            "{} {} given by whoever deployed and {} not on this host: {}",
            names.join(", "),
            if names.len() == 1 { "was" } else { "were" },
            if names.len() == 1 { "is" } else { "are" },
            words.join(", ")
        )
    })
}

/// Tells whether there is room for what is fetched and unpacked; layers unpack to about twice their size and more.
pub(super) fn too_full(known: &Known<'_>, plan: &TargetPlan) -> Option<String> {
    let (free, fetch) = (known.dossier.free_bytes?, plan.fetch_bytes?);
    let wanted = fetch.saturating_mul(UNPACKED);
    (fetch > 0 && free < wanted).then(|| {
        format!(
            "the engine's disk has {} free; fetching {} needs about {} with what is unpacked",
            crate::core::age::bytes(free),
            crate::core::age::bytes(fetch),
            crate::core::age::bytes(wanted)
        )
    })
}

/// Tells whether a compose version has all verbs that jobs use.
fn recent_enough(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    let mut number = || {
        parts
            .next()
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let (major, minor) = (number(), number());
    major > 2 || (major == 2 && minor >= 20)
}
