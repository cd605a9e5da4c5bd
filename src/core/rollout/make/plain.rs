//! Plans for containers of no project: there are no files, so the engine itself is asked for a new container.

use crate::core::image::{ImageRef, Pointer};
use crate::core::rollout::Action;
use crate::core::rollout::plain::{self, Look};
use crate::core::rollout::plan::{Plain, TargetPlan};
use crate::core::rollout::steps;

use super::{Goal, Known, Wish, blocked};

/// Completes a plan that has its two ends.
pub(super) fn complete(wish: &Wish<'_>, known: &Known<'_>, look: &Look, plan: &mut TargetPlan) {
    plan.compose = Vec::new();
    plan.folder = "/".to_owned();
    plan.premise.rendering.clone_from(&look.facts);
    if look.by_id() {
        // Nothing has a name here that could be kept, fetched or given back.
        plan.keep_tag = None;
        plan.hold_tag = None;
        plan.service_tag = known
            .running
            .image_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
    }
    plan.plain = Some(Plain {
        container: look.id().into(),
        restart: look.restart(),
        stop_seconds: look.stop_seconds(),
        api: look.version(),
        reference: reference(wish, known, look, plan),
    });
    plan.argv = steps::argv(plan, &requests(look, plan));
    plan.undo = undo(plan);
    warn(wish, known, look, plan);
    plan.blocked = stopped_by(wish, known, look, plan);
}

/// Returns the reference that the new container is made with: the one it follows, wherever that can be kept.
fn reference(wish: &Wish<'_>, known: &Known<'_>, look: &Look, plan: &TargetPlan) -> String {
    let own = look.reference().to_owned();
    let parsed = known.reference.parse::<ImageRef>();
    match (wish.action, parsed) {
        (Action::Rollback, Ok(reference))
            if matches!(reference.pointer, Pointer::Digest { .. }) =>
        {
            match (&plan.to.digest, &plan.hold_tag) {
                (Some(digest), _) => format!("{}@{digest}", reference.repository.familiar()),
                (None, Some(tag)) => tag.clone(),
                (None, None) => own,
            }
        }
        // The short form of an Id may come to mean another image.
        _ if look.by_id() => plan.service_tag.clone(),
        _ => own,
    }
}

/// Lists the requests that make the container anew, as commands are shown; without what they carry.
fn requests(look: &Look, plan: &TargetPlan) -> Vec<Vec<String>> {
    let Some(plain) = &plan.plain else {
        return Vec::new();
    };
    // Requests that cannot be worked out block the plan.
    let made = plain::requests(look, &plain.reference, &plan.new_name()).unwrap_or_default();
    made.iter()
        .map(|request| {
            let asked = format!("POST /v{}/{}", plain.api, request.path);
            let rest = ["system", "dial-stdio", &asked].map(str::to_owned);
            plan.docker.iter().cloned().chain(rest).collect()
        })
        .collect()
}

fn undo(plan: &TargetPlan) -> String {
    let target = &plan.target;
    match plan.action {
        Action::Pull => "nothing to undo: what runs is untouched".to_owned(),
        Action::Keep => format!(
            "on the host: docker rmi {}",
            plan.hold_tag.as_deref().unwrap_or("the tag")
        ),
        Action::Rollback => format!("homelab-tui update {target}"),
        Action::Recreate | Action::Update | Action::Pin | Action::Unpin => format!(
            "on failure the former container itself is started again and proven; later: homelab-tui rollback {target}"
        ),
    }
}

fn warn(wish: &Wish<'_>, known: &Known<'_>, look: &Look, plan: &mut TargetPlan) {
    if !known.dossier.lock_is_shared {
        plan.warnings.push(
            "/run/lock is not writable: other logins of this host are not kept out".to_owned(),
        );
    }
    if !plan.recreates() {
        return;
    }
    plan.warnings.extend(look.losses());
    if wish.action == Action::Rollback {
        let tag = &plan.service_tag;
        plan.warnings.push(if tag.contains('@') {
            "not pinned: a plain container has no file that could hold it".to_owned()
        } else {
            format!(
                "not pinned, as a plain container has no file that could hold it: {tag} is given to the image on this host, and the next pull gives it away again"
            )
        });
        let data = look.written_volumes();
        if !data.is_empty() {
            plan.warnings.push(format!(
                "data stays as the newer image left it: {}",
                data.join(", ")
            ));
        }
    }
    let held = matches!(wish.goal, Goal::Held(_)) && wish.action == Action::Rollback;
    if held || wish.action == Action::Recreate {
        plan.warnings
            .push("with what the host holds; the registry is not needed".to_owned());
    }
}

/// Says why it may not run, if so.
fn stopped_by(
    wish: &Wish<'_>,
    known: &Known<'_>,
    look: &Look,
    plan: &TargetPlan,
) -> Option<String> {
    if let Some(why) = known.off_limits {
        return Some(why.to_owned());
    }
    match wish.action {
        Action::Pin => {
            return Some(
                "a plain container has no compose files that could hold a pin; `keep` holds its image on the host".to_owned(),
            );
        }
        Action::Unpin => return Some("it is not pinned: a plain container never is".to_owned()),
        Action::Pull | Action::Recreate | Action::Update | Action::Rollback | Action::Keep => {}
    }
    if let Goal::Nowhere(why) = &wish.goal {
        return Some(why.clone());
    }
    if let Some(why) = blocked::by_the_host(known) {
        return Some(why);
    }
    let parsed = known.reference.parse::<ImageRef>().ok();
    let by_digest = parsed
        .as_ref()
        .is_some_and(|own| matches!(own.pointer, Pointer::Digest { .. }));
    if matches!(wish.action, Action::Pull | Action::Update) {
        if look.by_id() || parsed.is_none() {
            return Some(
                "it was made from an image's Id, which names nothing in a registry".to_owned(),
            );
        }
        if by_digest {
            return Some("it runs by digest: there is nothing newer to follow".to_owned());
        }
        if matches!(wish.goal, Goal::Tag(None)) && plan.from.digest.is_none() {
            return Some("the image is built here; there is nothing to pull".to_owned());
        }
    }
    if wish.action == Action::Rollback && look.by_id() {
        return Some(
            "it was made from an image's Id: there is no repository to go back in".to_owned(),
        );
    }
    if let Some(platform) = other_platform(known).filter(|_| plan.action != Action::Recreate) {
        return Some(format!(
            "it runs an image of {platform}, and a pull would bring the one of the host's own platform"
        ));
    }
    let tag = parsed.filter(|_| !by_digest && !look.by_id());
    if let Some(tag) = tag.filter(|_| wish.action == Action::Recreate)
        && known.observation.image_of_tag(&tag).is_none()
    {
        return Some(format!(
            "the host holds no image {}; pull it first",
            tag.familiar()
        ));
    }
    if let Some(why) = blocked::too_full(known, plan) {
        return Some(why);
    }
    if plan.recreates() {
        let plain = plan.plain.as_ref()?;
        return look
            .obstacle()
            .or_else(|| plain::requests(look, &plain.reference, &plan.new_name()).err());
    }
    None
}

/// Returns the platform of the running image where it is another than the host's.
fn other_platform(known: &Known<'_>) -> Option<String> {
    let image = known.running.image_id.as_ref()?;
    let image = known.observation.images.get(image)?;
    let own = known.observation.platform_of_image(image);
    (*own != known.observation.engine.platform).then(|| own.to_string())
}
