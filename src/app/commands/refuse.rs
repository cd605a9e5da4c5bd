//! Why a command cannot be used here and now: one function a reason, named by the rows of the table.

use crate::core::rollout::off_limits::{READ_ONLY_HOST, off_limits};

use crate::app::jobs;
use crate::app::model::{HostModel, Model};
use crate::app::rows;
use crate::app::screen::View;
use crate::app::targets;
use crate::core::names::ServiceKey;

use super::{selected_candidate, selected_link, selected_service, source_of};

pub(super) fn never(_: &Model) -> Option<String> {
    None
}

pub(super) fn needs_row(model: &Model) -> Option<String> {
    if shows_builds(model) {
        return Some("a build says why when it is opened".to_owned());
    }
    rows::selected(model)
        .is_none()
        .then(|| "nothing is selected".to_owned())
}

pub(super) fn needs_service(model: &Model) -> Option<String> {
    if shows_builds(model) {
        return None;
    }
    selected_service(model)
        .is_none()
        .then(|| "select a service first".to_owned())
}

pub(super) fn needs_view(model: &Model) -> Option<String> {
    (model.screen.view == View::Fleet).then(|| "the fleet is shown already".to_owned())
}

pub(super) fn needs_no_wall(model: &Model) -> Option<String> {
    matches!(model.screen.view, View::Wall { .. }).then(|| "the wall is shown already".to_owned())
}

pub(super) fn needs_reference(model: &Model) -> Option<String> {
    match selected_service(model) {
        None => Some("select a service first".to_owned()),
        Some(service) if service.question.is_none() => {
            Some("its image has no name that a registry knows".to_owned())
        }
        Some(_) => None,
    }
}

/// Public registries do not list what they hold.
pub(super) fn needs_private_registry(model: &Model) -> Option<String> {
    let Some(service) = selected_service(model) else {
        return Some("select a service first".to_owned());
    };
    let Some(question) = &service.question else {
        return Some("its image has no name that a registry knows".to_owned());
    };
    let registry = question.reference.repository.registry.as_str();
    let public = [
        "docker.io",
        "ghcr.io",
        "quay.io",
        "gcr.io",
        "registry.gitlab.com",
        "mcr.microsoft.com",
    ];
    public
        .contains(&registry)
        .then(|| format!("{registry} does not list its repositories"))
}

/// Refuses what concerns the list of services while another view is open.
pub(super) fn needs_fleet(model: &Model) -> Option<String> {
    let fleet = || model.keymap.named("fleet");
    (model.screen.view != View::Fleet).then(|| format!("only in the fleet ({})", fleet()))
}

pub(super) fn needs_fleet_or_tags(model: &Model) -> Option<String> {
    match model.screen.view {
        View::Fleet | View::Tags { .. } => None,
        _ => Some(format!(
            "only in the fleet ({}) and among tags ({})",
            model.keymap.named("fleet"),
            model.keymap.named("tags")
        )),
    }
}

pub(super) fn needs_fleet_or_build(model: &Model) -> Option<String> {
    match model.screen.view {
        View::Build { .. } => None,
        _ => needs_fleet(model),
    }
}

pub(super) fn needs_builds(model: &Model) -> Option<String> {
    if matches!(model.screen.view, View::Builds { .. }) {
        return Some("the builds are shown already".to_owned());
    }
    model
        .builds
        .sources
        .is_empty()
        .then(|| "no source of builds is configured; see `builds` in the configuration".to_owned())
}

/// Tells whether what is selected is a build.
fn shows_builds(model: &Model) -> bool {
    matches!(model.screen.view, View::Builds { .. } | View::Build { .. })
}

pub(super) fn needs_source(model: &Model) -> Option<String> {
    if shows_builds(model) {
        return None;
    }
    if let Some(candidate) = selected_candidate(model)
        && candidate.source.is_some()
    {
        return None;
    }
    if selected_link(model).is_some() {
        return None;
    }
    match selected_service(model) {
        None => Some("select a service first".to_owned()),
        Some(service) if source_of(service).is_none() => {
            Some("the image's labels name no source".to_owned())
        }
        Some(_) => None,
    }
}

/// Says why the image selected among the tags cannot be kept on the host, if so.
pub(super) fn needs_keepable(model: &Model) -> Option<String> {
    let Some(candidate) = selected_candidate(model) else {
        let tags = model.keymap.named("tags");
        return Some(format!("select an image among the tags first ({tags})"));
    };
    if candidate.kept {
        return Some("this image is kept already".to_owned());
    }
    if candidate.obtainable() == Some(false) {
        return Some("this image is gone everywhere".to_owned());
    }
    if candidate.name().is_none() {
        return Some("this image has no name to fetch it by".to_owned());
    }
    needs_target(model)
}

/// Refuses where there is nothing to mark.
pub(super) fn needs_markable(model: &Model) -> Option<String> {
    if let Some(why) = needs_fleet(model) {
        return Some(why);
    }
    targets::under_the_cursor(model)
        .is_empty()
        .then(|| "no service is selected".to_owned())
}

/// Says why nothing can be done to what is marked or selected, if so.
pub(super) fn needs_targets(model: &Model) -> Option<String> {
    let keys = targets::of_action(model);
    let Some(first) = keys.first() else {
        return Some("select a service first".to_owned());
    };
    // One that can be acted on is enough: of the others the plan says why not.
    if keys.iter().any(|key| hindrance(model, key).is_none()) {
        return None;
    }
    hindrance(model, first)
}

/// Refuses what is done to one service at a time.
pub(super) fn needs_one_target(model: &Model) -> Option<String> {
    if targets::of_action(model).len() > 1 {
        return Some("pins are set and lifted one service at a time".to_owned());
    }
    needs_target(model)
}

/// Says why nothing can be done to the selected service, if so.
fn needs_target(model: &Model) -> Option<String> {
    let Some(service) = selected_service(model) else {
        return Some("select a service first".to_owned());
    };
    hindrance(model, &service.key)
}

/// Says why nothing can be done to a service, if so.
pub fn hindrance(model: &Model, key: &ServiceKey) -> Option<String> {
    let Some(service) = model.service(key) else {
        return Some("it is gone".to_owned());
    };
    let host = &model.hosts[model.host_index(&service.key.host)?];
    if let Some(never) = off_limits(&host.spec, service.kind) {
        return Some(never.to_owned());
    }
    if let Some(away) = host.away() {
        return Some(away);
    }
    if host.could_change == Some(false) {
        return Some("the way to this host lets nothing be changed".to_owned());
    }
    let job = model
        .jobs
        .iter()
        .find(|job| job.runs() && job.target == service.key)?;
    Some(format!("job {} is at work on it", job.id))
}

pub(super) fn needs_way_back(model: &Model) -> Option<String> {
    if let Some(why) = needs_targets(model) {
        return Some(why);
    }
    let chosen = selected_candidate(model)?;
    if chosen.running {
        return Some("this image runs now".to_owned());
    }
    chosen
        .name()
        .is_none()
        .then(|| "this image has no name to go back by".to_owned())
}

pub(super) fn needs_job(model: &Model) -> Option<String> {
    let service = selected_service(model).map(|service| &service.key);
    match jobs::running(model, service) {
        Some(job) if job.cancelled => Some("the job was asked to stop already".to_owned()),
        Some(_) => None,
        None if model.jobs.iter().any(jobs::Job::runs) => {
            Some("select the service whose job it is".to_owned())
        }
        None => Some("no job runs".to_owned()),
    }
}

pub(super) fn needs_running_container(model: &Model) -> Option<String> {
    use crate::core::engine::ContainerState;
    let Some(service) = selected_service(model) else {
        return Some("select a service first".to_owned());
    };
    let host = model
        .host_index(&service.key.host)
        .map(|index| &model.hosts[index]);
    if let Some(away) = host.and_then(HostModel::away) {
        return Some(away);
    }
    if host.is_some_and(|host| host.spec.read_only) {
        return Some(READ_ONLY_HOST.to_owned());
    }
    let running = service
        .containers
        .iter()
        .any(|c| c.state == ContainerState::Running);
    (!running).then(|| "no container of it runs".to_owned())
}

pub(super) fn needs_log(model: &Model) -> Option<String> {
    let Some(service) = selected_service(model) else {
        return Some("select a service first".to_owned());
    };
    if service.containers.is_empty() {
        return Some("it has no container".to_owned());
    }
    let host = model.host_index(&service.key.host);
    model.hosts[host?].away()
}
