//! The head of a job's script: the variables and functions of the one plan, which the files of `script/` read and call.

use super::pin_files;
use super::{command_line, quote};
use crate::core::digest::ImageId;
use crate::core::rollout::Step;
use crate::core::rollout::compose_files::ALL_PROFILES;
use crate::core::rollout::plan::{Plain, TargetPlan};

/// Writes all that is the plan's own.
pub(super) fn head(plan: &TargetPlan, text: &mut String) {
    variables(plan, text);
    if let Some(plain) = &plan.plain {
        of_plain(plan, plain, text);
    }
    commands(plan, text);
    premise(plan, text);
    pin_files::functions(plan, text);
}

/// Writes the variables that tell what the job is about.
fn variables(plan: &TargetPlan, text: &mut String) {
    let mut set = |name: &str, value: &str| {
        text.push_str(name);
        text.push('=');
        text.push_str(&quote(value));
        text.push('\n');
    };
    let target = plan.target.to_string();
    set("JOB", &plan.job);
    set("ACTION", plan.action.word());
    set("TARGET", &target);
    set("PROJECT", plan.target.project.as_str());
    set("SERVICE", plan.target.service.as_str());
    set("FOLDER", &plan.folder);
    set("BY", &plan.by);
    set("REASON", plan.reason.as_deref().unwrap_or_default());
    set("FROM_ID", id_of(plan.from.image_id.as_ref()));
    set("TO_ID", id_of(plan.to.image_id.as_ref()));
    set("FROM_REF", plan.from.named().as_str());
    set("TO_REF", plan.to.named().as_str());
    set(
        "FETCH_REF",
        plan.fetch_reference.as_deref().unwrap_or_default(),
    );
    set("KEEP_TAG", plan.keep_tag.as_deref().unwrap_or_default());
    set("HOLD_TAG", plan.hold_tag.as_deref().unwrap_or_default());
    set("SERVICE_TAG", &plan.service_tag);
    let cut_off = plan.recreates().then(|| plan.dependents.join(" "));
    set("DEPENDENTS", &cut_off.unwrap_or_default());
    let scale = plan.scale_to_tell().map(|scale| scale.to_string());
    set("SCALE", &scale.unwrap_or_default());
    set("SETTLE", &plan.patience.settle_seconds.to_string());
    set("TIMEOUT", &plan.patience.timeout_seconds.to_string());
    set("KEEP", &plan.keep_count.to_string());
    set("SAME_IMAGE", if plan.same_image() { "yes" } else { "" });
    set("ONE_SHOT", if plan.one_shot { "yes" } else { "" });
    let anew = plan.premise.recreated_before;
    set("RECREATED_BEFORE", if anew { "yes" } else { "" });
    // Values that are taken over are in the job's rendering and were not in the plan's.
    let rendering = plan.premise.rendering.as_deref();
    set(
        "RENDERING",
        rendering
            .filter(|_| plan.taken_over.is_empty())
            .unwrap_or_default(),
    );
}

/// Writes the variables of a container of no project.
fn of_plain(plan: &TargetPlan, plain: &Plain, text: &mut String) {
    let stop = plain.stop_seconds.map(|seconds| seconds.to_string());
    for (name, value) in [
        ("CONTAINER", plain.container.as_str()),
        ("POLICY", &plain.restart),
        ("API", &plain.api),
        ("STOP_SECONDS", stop.as_deref().unwrap_or_default()),
        ("NEW_NAME", &plan.new_name()),
        ("FORMER_NAME", &plan.former_name()),
    ] {
        text.push_str(&format!("{name}={}\n", quote(value)));
    }
}

/// Writes the commands as the host calls them.
fn commands(plan: &TargetPlan, text: &mut String) {
    text.push_str(&format!(
        "docker_() {{ {} \"$@\"; }}\n",
        command_line(&plan.docker)
    ));
    text.push_str(&format!(
        "compose() {{ {} \"$@\"; }}\n",
        command_line(&plan.compose)
    ));
    text.push_str(&format!(
        "changes_the_service() {{ case $1 in {}) ;; *) return 1 ;; esac; }}\n",
        changing_steps().join("|")
    ));
    let profiles = ALL_PROFILES.map(str::to_owned);
    text.push_str(&format!(
        "rendered() {{ {} {} config \"$@\"; }}\n",
        command_line(&plan.compose),
        command_line(&profiles)
    ));
}

fn changing_steps() -> Vec<&'static str> {
    let changing = Step::ALL
        .into_iter()
        .filter(|step| step.changes_the_service());
    changing.map(Step::word).collect()
}

/// Writes what the plan was made from, and what has to be left for the job after this one.
fn premise(plan: &TargetPlan, text: &mut String) {
    text.push_str("premise_containers() { cat <<'HTUI_END'\n");
    for (container, image) in &plan.premise.containers {
        text.push_str(&format!("{container} {image}\n"));
    }
    text.push_str("HTUI_END\n}\n");
    text.push_str(&format!("AFTER={}\n", quote(&plan.premise.after.join(" "))));
    let followed = plan.premise.followed && plan.pin.is_some();
    text.push_str(if followed {
        "FOLLOWED=yes\n"
    } else {
        "FOLLOWED=\n"
    });
    text.push_str("premise_files() { :\n");
    for (path, hash) in &plan.premise.files {
        let hash = hash.as_deref().unwrap_or("absent");
        text.push_str(&format!("same_file {} {}\n", quote(path), quote(hash)));
    }
    text.push_str("}\nleft_files() { :\n");
    for path in plan.premise.files.keys() {
        text.push_str(&format!("left_file {}\n", quote(path)));
    }
    text.push_str("}\n");
}

fn id_of(id: Option<&ImageId>) -> &str {
    id.map_or("", |id| id.digest().as_str())
}
