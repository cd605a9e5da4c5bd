//! The table of commands: dispatch, footer, help, palette and the README read these rows and nothing else.

use crate::core::candidates::Candidate;
use crate::core::inventory::ProjectKind;
use crate::core::names::ServiceKey;

use super::jobs;
use super::judge::ServiceView;
use super::model::Model;
use super::rows;
use super::screen::{RowId, View};

/// One command.
#[derive(Debug)]
pub struct Command {
    /// The name in the configuration and the palette.
    pub id: &'static str,
    /// The usual keys.
    pub keys: &'static [&'static str],
    /// One or two words for the footer.
    pub label: &'static str,
    /// One sentence for help and README.
    pub help: &'static str,
    pub kind: Kind,
    /// How much it wants to be in the footer; 0 stays out of it.
    pub footer: u8,
    /// Says why it cannot be used here and now, if it cannot.
    pub refuse: fn(&Model) -> Option<String>,
    pub run: Run,
}

/// What a command does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Moves about.
    Move,
    /// Looks at something.
    Look,
    /// Changes something on a host.
    Change,
}

/// What `update` does for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Down,
    Up,
    PageDown,
    PageUp,
    First,
    Last,
    Open,
    Back,
    Fold,
    Unfold,
    Filter,
    Palette,
    Help,
    Why,
    Describe,
    Sort,
    Group,
    Refresh,
    CopyDigest,
    CopySource,
    Fleet,
    Layers,
    Tags,
    Pull,
    Recreate,
    Update,
    Rollback,
    Pin,
    Cancel,
    Registry,
    Shell,
    Suspend,
    Quit,
}

/// Every command, in the order of the help page.
pub const COMMANDS: &[Command] = &[
    Command {
        id: "down",
        keys: &["j", "down"],
        label: "down",
        help: "Move to the next row.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::Down,
    },
    Command {
        id: "up",
        keys: &["k", "up"],
        label: "up",
        help: "Move to the row before.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::Up,
    },
    Command {
        id: "page-down",
        keys: &["pgdn", "ctrl-d"],
        label: "page down",
        help: "Move a page down.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::PageDown,
    },
    Command {
        id: "page-up",
        keys: &["pgup", "ctrl-u"],
        label: "page up",
        help: "Move a page up.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::PageUp,
    },
    Command {
        id: "first",
        keys: &["g", "home"],
        label: "first",
        help: "Move to the first row.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::First,
    },
    Command {
        id: "last",
        keys: &["G", "end"],
        label: "last",
        help: "Move to the last row.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::Last,
    },
    Command {
        id: "open",
        keys: &["enter"],
        label: "open",
        help: "Open the selected row: unfold it, or show its detail where there is no room beside the list.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::Open,
    },
    Command {
        id: "back",
        keys: &["esc"],
        label: "back",
        help: "Close what is open on top; else drop the filter.",
        kind: Kind::Move,
        footer: 0,
        refuse: never,
        run: Run::Back,
    },
    Command {
        id: "fold",
        keys: &["left", "h"],
        label: "fold",
        help: "Fold the selected host, project or group.",
        kind: Kind::Move,
        footer: 0,
        refuse: needs_fleet,
        run: Run::Fold,
    },
    Command {
        id: "unfold",
        keys: &["right"],
        label: "unfold",
        help: "Unfold the selected host, project or group.",
        kind: Kind::Move,
        footer: 0,
        refuse: needs_fleet,
        run: Run::Unfold,
    },
    Command {
        id: "why",
        keys: &["w"],
        label: "why",
        help: "Show the whole chain of a verdict: facts, requests, ages, the credential's name.",
        kind: Kind::Look,
        footer: 9,
        refuse: needs_row,
        run: Run::Why,
    },
    Command {
        id: "describe",
        keys: &["d"],
        label: "describe",
        help: "Show everything known of the selected row.",
        kind: Kind::Look,
        footer: 6,
        refuse: needs_row,
        run: Run::Describe,
    },
    Command {
        id: "filter",
        keys: &["/"],
        label: "filter",
        help: "Show only what matches a text: a name, an image, a verdict, an environment.",
        kind: Kind::Look,
        footer: 8,
        refuse: needs_fleet,
        run: Run::Filter,
    },
    Command {
        id: "group",
        keys: &["v"],
        label: "group",
        help: "Group by host, attention, image or environment.",
        kind: Kind::Look,
        footer: 7,
        refuse: needs_fleet,
        run: Run::Group,
    },
    Command {
        id: "sort",
        keys: &["s"],
        label: "sort",
        help: "Order services by name, worst verdict or oldest image.",
        kind: Kind::Look,
        footer: 4,
        refuse: needs_fleet,
        run: Run::Sort,
    },
    Command {
        id: "refresh",
        keys: &["R"],
        label: "refresh",
        help: "Look again now: hosts, files and registry of the selected row.",
        kind: Kind::Look,
        footer: 5,
        refuse: never,
        run: Run::Refresh,
    },
    Command {
        id: "copy",
        keys: &["y"],
        label: "copy",
        help: "Copy the running digest to the terminal's clipboard (OSC 52).",
        kind: Kind::Look,
        footer: 3,
        refuse: needs_service,
        run: Run::CopyDigest,
    },
    Command {
        id: "source",
        keys: &["o"],
        label: "source",
        help: "Copy the source link of the image, as its labels tell it.",
        kind: Kind::Look,
        footer: 2,
        refuse: needs_source,
        run: Run::CopySource,
    },
    Command {
        id: "fleet",
        keys: &["1"],
        label: "fleet",
        help: "Show all hosts and services.",
        kind: Kind::Look,
        footer: 9,
        refuse: needs_view,
        run: Run::Fleet,
    },
    Command {
        id: "layers",
        keys: &["2"],
        label: "layers",
        help: "Show what a pull of the selected service, or of the selected way back, would really fetch.",
        kind: Kind::Look,
        footer: 6,
        refuse: needs_reference,
        run: Run::Layers,
    },
    Command {
        id: "tags",
        keys: &["3"],
        label: "tags",
        help: "Show what the selected service could go to: tags, images on its host, former runs.",
        kind: Kind::Look,
        footer: 6,
        refuse: needs_reference,
        run: Run::Tags,
    },
    Command {
        id: "update",
        keys: &["u"],
        label: "update",
        help: "Plan an update: pull, recreate if the image differs, prove it or put the former one back.",
        kind: Kind::Change,
        footer: 9,
        refuse: needs_target,
        run: Run::Update,
    },
    Command {
        id: "rollback",
        keys: &["b"],
        label: "roll back",
        help: "Plan the way back to the former image, or to the one selected among the tags.",
        kind: Kind::Change,
        footer: 9,
        refuse: needs_way_back,
        run: Run::Rollback,
    },
    Command {
        id: "pull",
        keys: &["p"],
        label: "pull",
        help: "Plan a pull: fetch what the tag names and recreate nothing.",
        kind: Kind::Change,
        footer: 8,
        refuse: needs_target,
        run: Run::Pull,
    },
    Command {
        id: "recreate",
        keys: &["r"],
        label: "recreate",
        help: "Plan a recreation with the image that the host holds.",
        kind: Kind::Change,
        footer: 8,
        refuse: needs_target,
        run: Run::Recreate,
    },
    Command {
        id: "pin",
        keys: &["P"],
        label: "pin/unpin",
        help: "Plan to hold the service at the image that it runs, or to let it follow its tag again.",
        kind: Kind::Change,
        footer: 4,
        refuse: needs_target,
        run: Run::Pin,
    },
    Command {
        id: "cancel",
        keys: &["x"],
        label: "cancel job",
        help: "Ask a running job to stop where that is safe.",
        kind: Kind::Change,
        footer: 10,
        refuse: needs_job,
        run: Run::Cancel,
    },
    Command {
        id: "registry",
        keys: &[],
        label: "registry",
        help: "Browse the registry of the selected service: its repositories, what is newest, who runs it.",
        kind: Kind::Look,
        footer: 0,
        refuse: needs_private_registry,
        run: Run::Registry,
    },
    Command {
        id: "shell",
        keys: &["e"],
        label: "shell",
        help: "Open a shell in the selected service's container.",
        kind: Kind::Change,
        footer: 2,
        refuse: needs_running_container,
        run: Run::Shell,
    },
    Command {
        id: "palette",
        keys: &[":"],
        label: "palette",
        help: "Choose a command by its name.",
        kind: Kind::Look,
        footer: 3,
        refuse: never,
        run: Run::Palette,
    },
    Command {
        id: "help",
        keys: &["?"],
        label: "help",
        help: "Show all keys and what can be used here.",
        kind: Kind::Look,
        footer: 9,
        refuse: never,
        run: Run::Help,
    },
    Command {
        id: "suspend",
        keys: &["ctrl-z"],
        label: "suspend",
        help: "Go to the background; fg brings the console back.",
        kind: Kind::Look,
        footer: 0,
        refuse: never,
        run: Run::Suspend,
    },
    Command {
        id: "quit",
        keys: &["q", "ctrl-c"],
        label: "quit",
        help: "Leave. Nothing that runs on a host depends on it.",
        kind: Kind::Look,
        footer: 9,
        refuse: never,
        run: Run::Quit,
    },
];

/// Returns why the command cannot be used now, if it cannot.
pub fn refusal(model: &Model, command: &Command) -> Option<String> {
    if command.kind == Kind::Change && model.read_only {
        return Some("this session is read-only".to_owned());
    }
    (command.refuse)(model)
}

/// Returns the service that commands are about, if a service is selected.
pub fn selected_service(model: &Model) -> Option<&ServiceView> {
    if let Some(service) = model.screen.view.service() {
        return model.service(service);
    }
    match rows::selected(model)? {
        RowId::Service(key) => model.service(&key),
        RowId::Host(_) | RowId::Project(..) | RowId::Group(_) => None,
    }
}

/// Returns the services that the selected row stands for.
pub fn selected_services(model: &Model) -> Vec<ServiceKey> {
    let Some(id) = rows::selected(model) else {
        return Vec::new();
    };
    rows::services_below(model, &id)
}

/// Returns the name of the image that is selected among a service's ways back.
pub fn chosen_way_back(model: &Model) -> Option<String> {
    selected_candidate(model)?.name()
}

fn never(_: &Model) -> Option<String> {
    None
}

fn needs_row(model: &Model) -> Option<String> {
    rows::selected(model)
        .is_none()
        .then(|| "nothing is selected".to_owned())
}

fn needs_service(model: &Model) -> Option<String> {
    selected_service(model)
        .is_none()
        .then(|| "select a service first".to_owned())
}

fn needs_view(model: &Model) -> Option<String> {
    (model.screen.view == View::Fleet).then(|| "the fleet is shown already".to_owned())
}

fn needs_reference(model: &Model) -> Option<String> {
    match selected_service(model) {
        None => Some("select a service first".to_owned()),
        Some(service) if service.question.is_none() => {
            Some("its image has no name that a registry knows".to_owned())
        }
        Some(_) => None,
    }
}

/// Public registries do not list what they hold.
fn needs_private_registry(model: &Model) -> Option<String> {
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
fn needs_fleet(model: &Model) -> Option<String> {
    (model.screen.view != View::Fleet).then(|| "only in the fleet (1)".to_owned())
}

/// Returns the selected way back, where ways back are shown.
pub fn selected_candidate(model: &Model) -> Option<&Candidate> {
    let View::Tags { service, selected } = &model.screen.view else {
        return None;
    };
    let shown = model.preview.shown.as_ref()?;
    (shown.service == *service).then(|| shown.selected(selected.as_ref()))?
}

fn needs_source(model: &Model) -> Option<String> {
    if let Some(candidate) = selected_candidate(model)
        && candidate.source.is_some()
    {
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

/// Returns the source link of the tag's image, else of the running one.
pub fn source_of(service: &ServiceView) -> Option<&str> {
    service
        .registry
        .source
        .as_deref()
        .or(service.running.source.as_deref())
}

/// Says why nothing can be done to the selected service, if so.
fn needs_target(model: &Model) -> Option<String> {
    let Some(service) = selected_service(model) else {
        return Some("select a service first".to_owned());
    };
    let host = &model.hosts[model.host_index(&service.key.host)?];
    if host.spec.read_only {
        return Some("this host is read-only".to_owned());
    }
    if let Some(away) = host.away() {
        return Some(away);
    }
    if host.could_change == Some(false) {
        return Some("the way to this host lets nothing be changed".to_owned());
    }
    match service.kind {
        ProjectKind::Compose => {}
        ProjectKind::Swarm => return Some("swarm services are only watched for now".to_owned()),
        ProjectKind::None => {
            return Some("a plain container has no compose files to recreate it from".to_owned());
        }
    }
    let job = model
        .jobs
        .iter()
        .find(|job| job.runs() && job.target == service.key)?;
    Some(format!("job {} is at work on it", job.id))
}

fn needs_way_back(model: &Model) -> Option<String> {
    if let Some(why) = needs_target(model) {
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

fn needs_job(model: &Model) -> Option<String> {
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

fn needs_running_container(model: &Model) -> Option<String> {
    use crate::core::engine::ContainerState;
    let Some(service) = selected_service(model) else {
        return Some("select a service first".to_owned());
    };
    let host = model
        .host_index(&service.key.host)
        .map(|index| &model.hosts[index]);
    if let Some(away) = host.and_then(super::model::HostModel::away) {
        return Some(away);
    }
    if host.is_some_and(|host| host.spec.read_only) {
        return Some("this host is read-only".to_owned());
    }
    let running = service
        .containers
        .iter()
        .any(|c| c.state == ContainerState::Running);
    (!running).then(|| "no container of it runs".to_owned())
}
