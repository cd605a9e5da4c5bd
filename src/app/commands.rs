//! The table of commands: keys, footer, help, palette and the README read these rows.
//!
//! What a command does stands in `update::keys` for the fleet, and in `update::views` for views that take it themselves.

mod refuse;

use crate::core::candidates::Candidate;
use crate::core::names::ServiceKey;

use super::judge::ServiceView;
pub use refuse::hindrance;

use super::mode::ReadOnly;
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
    Browse,
    Keep,
    Fleet,
    Layers,
    Tags,
    Builds,
    Logs,
    Pull,
    Recreate,
    Config,
    Update,
    Rollback,
    Pin,
    Mark,
    Panel,
    Cancel,
    Registry,
    History,
    Discover,
    Wall,
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
        refuse: refuse::never,
        run: Run::Down,
    },
    Command {
        id: "up",
        keys: &["k", "up"],
        label: "up",
        help: "Move to the row before.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::Up,
    },
    Command {
        id: "page-down",
        keys: &["pgdn", "ctrl-d"],
        label: "page down",
        help: "Move a page down.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::PageDown,
    },
    Command {
        id: "page-up",
        keys: &["pgup", "ctrl-u"],
        label: "page up",
        help: "Move a page up.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::PageUp,
    },
    Command {
        id: "first",
        keys: &["g", "home"],
        label: "first",
        help: "Move to the first row.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::First,
    },
    Command {
        id: "last",
        keys: &["G", "end"],
        label: "last",
        help: "Move to the last row.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::Last,
    },
    Command {
        id: "open",
        keys: &["enter"],
        label: "open",
        help: "Open the selected row: unfold it, or show its detail where there is no room beside the list.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::Open,
    },
    Command {
        id: "back",
        keys: &["esc"],
        label: "back",
        help: "Close what is open on top; else leave the detail, drop the marks, then the filter.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::never,
        run: Run::Back,
    },
    Command {
        id: "panel",
        keys: &["tab"],
        label: "panel",
        help: "Go from the list to the detail, where the keys that move scroll it, and back.",
        kind: Kind::Move,
        footer: 1,
        refuse: refuse::needs_fleet,
        run: Run::Panel,
    },
    Command {
        id: "fold",
        keys: &["left", "h"],
        label: "fold",
        help: "Fold the selected host, project or group; in a build, go to the one before.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::needs_fleet_or_build,
        run: Run::Fold,
    },
    Command {
        id: "unfold",
        keys: &["right"],
        label: "unfold",
        help: "Unfold the selected host, project or group; in a build, go to the one after.",
        kind: Kind::Move,
        footer: 0,
        refuse: refuse::needs_fleet_or_build,
        run: Run::Unfold,
    },
    Command {
        id: "why",
        keys: &["w"],
        label: "why",
        help: "Show the whole chain of a verdict: facts, requests, ages, the credential's name.",
        kind: Kind::Look,
        footer: 9,
        refuse: refuse::needs_row,
        run: Run::Why,
    },
    Command {
        id: "describe",
        keys: &["d"],
        label: "describe",
        help: "Show everything known of the selected row.",
        kind: Kind::Look,
        footer: 6,
        refuse: refuse::needs_row,
        run: Run::Describe,
    },
    Command {
        id: "filter",
        keys: &["/"],
        label: "filter",
        help: "Show only what matches a text: a name, an image, a verdict, an environment; among tags go to a tag, a digest or the beginning of a git revision.",
        kind: Kind::Look,
        footer: 8,
        refuse: refuse::needs_fleet_or_tags,
        run: Run::Filter,
    },
    Command {
        id: "group",
        keys: &["v"],
        label: "group",
        help: "Group by host, attention, image or environment.",
        kind: Kind::Look,
        footer: 7,
        refuse: refuse::needs_fleet,
        run: Run::Group,
    },
    Command {
        id: "sort",
        keys: &["s"],
        label: "sort",
        help: "Order services by name, worst verdict or oldest image.",
        kind: Kind::Look,
        footer: 4,
        refuse: refuse::needs_fleet,
        run: Run::Sort,
    },
    Command {
        id: "refresh",
        keys: &["R"],
        label: "refresh",
        help: "Look again now: hosts, files and registry of the selected row.",
        kind: Kind::Look,
        footer: 5,
        refuse: refuse::never,
        run: Run::Refresh,
    },
    Command {
        id: "copy",
        keys: &["y"],
        label: "copy",
        help: "Copy the running digest to the terminal's clipboard (OSC 52).",
        kind: Kind::Look,
        footer: 3,
        refuse: refuse::needs_service,
        run: Run::CopyDigest,
    },
    Command {
        id: "source",
        keys: &["o"],
        label: "source",
        help: "Copy the link to what is new in the tag's or the selected image, as its labels tell source and revision; at a host whose login waits, the address to open.",
        kind: Kind::Look,
        footer: 2,
        refuse: refuse::needs_source,
        run: Run::CopySource,
    },
    Command {
        id: "browse",
        keys: &["O"],
        label: "open source",
        help: "Open that link in the browser of this machine.",
        kind: Kind::Look,
        footer: 0,
        refuse: refuse::needs_source,
        run: Run::Browse,
    },
    Command {
        id: "fleet",
        keys: &["1"],
        label: "fleet",
        help: "Show all hosts and services.",
        kind: Kind::Look,
        footer: 9,
        refuse: refuse::needs_view,
        run: Run::Fleet,
    },
    Command {
        id: "wall",
        keys: &["0"],
        label: "wall",
        help: "Show what needs a human, for a screen that is read from afar.",
        kind: Kind::Look,
        footer: 1,
        refuse: refuse::needs_no_wall,
        run: Run::Wall,
    },
    Command {
        id: "layers",
        keys: &["2"],
        label: "layers",
        help: "Show what a pull of the selected service, or of the selected way back, would really fetch.",
        kind: Kind::Look,
        footer: 6,
        refuse: refuse::needs_reference,
        run: Run::Layers,
    },
    Command {
        id: "tags",
        keys: &["3"],
        label: "tags",
        help: "Show what the selected service could go to: tags, images on its host, former runs.",
        kind: Kind::Look,
        footer: 6,
        refuse: refuse::needs_reference,
        run: Run::Tags,
    },
    Command {
        id: "builds",
        keys: &["4"],
        label: "builds",
        help: "Show builds by what they make: hits, time, trend, what broke the cache, where they run.",
        kind: Kind::Look,
        footer: 6,
        refuse: refuse::needs_builds,
        run: Run::Builds,
    },
    Command {
        id: "history",
        keys: &["5"],
        label: "history",
        help: "Show what was done and seen on the selected row, running jobs on top; again for everything.",
        kind: Kind::Look,
        footer: 5,
        refuse: refuse::never,
        run: Run::History,
    },
    Command {
        id: "logs",
        keys: &["l", "6"],
        label: "log",
        help: "Show the last lines of the selected service's containers, and follow them.",
        kind: Kind::Look,
        footer: 5,
        refuse: refuse::needs_log,
        run: Run::Logs,
    },
    Command {
        id: "mark",
        keys: &["space"],
        label: "mark",
        help: "Mark the selected service, or all in sight of the selected row, for an action on all that is marked.",
        kind: Kind::Look,
        footer: 4,
        refuse: refuse::needs_markable,
        run: Run::Mark,
    },
    Command {
        id: "update",
        keys: &["u"],
        label: "update",
        help: "Plan an update of what is marked or selected: pull, recreate if the image differs, prove it or put the former one back.",
        kind: Kind::Change,
        footer: 9,
        refuse: refuse::needs_targets,
        run: Run::Update,
    },
    Command {
        id: "rollback",
        keys: &["b"],
        label: "roll back",
        help: "Plan the way back of what is marked or selected to its former image, or to the one selected among the tags.",
        kind: Kind::Change,
        footer: 9,
        refuse: refuse::needs_way_back,
        run: Run::Rollback,
    },
    Command {
        id: "pull",
        keys: &["p"],
        label: "pull",
        help: "Plan a pull of what is marked or selected: fetch what the tag names and recreate nothing.",
        kind: Kind::Change,
        footer: 8,
        refuse: refuse::needs_targets,
        run: Run::Pull,
    },
    Command {
        id: "recreate",
        keys: &["r"],
        label: "recreate",
        help: "Plan a recreation of what is marked or selected, with the image that the host holds.",
        kind: Kind::Change,
        footer: 8,
        refuse: refuse::needs_targets,
        run: Run::Recreate,
    },
    Command {
        id: "config",
        keys: &["c"],
        label: "config",
        help: "List the keys in which the files differ from what runs, never their values.",
        kind: Kind::Look,
        footer: 0,
        refuse: refuse::needs_service,
        run: Run::Config,
    },
    Command {
        id: "pin",
        keys: &["P"],
        label: "pin/unpin",
        help: "Plan to hold the service at the image that it runs, or to let it follow its tag again.",
        kind: Kind::Change,
        footer: 4,
        refuse: refuse::needs_one_target,
        run: Run::Pin,
    },
    Command {
        id: "keep",
        keys: &["K"],
        label: "keep",
        help: "Plan to keep the image selected among the tags on the host, so that it stays when the registry lets it go.",
        kind: Kind::Change,
        footer: 3,
        refuse: refuse::needs_keepable,
        run: Run::Keep,
    },
    Command {
        id: "cancel",
        keys: &["x"],
        label: "cancel job",
        help: "Ask a running job to stop where that is safe.",
        kind: Kind::Change,
        footer: 10,
        refuse: refuse::needs_job,
        run: Run::Cancel,
    },
    Command {
        id: "registry",
        keys: &[],
        label: "registry",
        help: "Browse the registry of the selected service: its repositories, what is newest, who runs it.",
        kind: Kind::Look,
        footer: 0,
        refuse: refuse::needs_private_registry,
        run: Run::Registry,
    },
    Command {
        id: "discover",
        keys: &[],
        label: "discover",
        help: "Add hosts that ssh's configuration, docker's contexts or the tailnet know.",
        kind: Kind::Look,
        footer: 0,
        refuse: refuse::never,
        run: Run::Discover,
    },
    Command {
        id: "shell",
        keys: &["e"],
        label: "shell",
        help: "Open a shell in the selected service's container.",
        kind: Kind::Change,
        footer: 2,
        refuse: refuse::needs_running_container,
        run: Run::Shell,
    },
    Command {
        id: "palette",
        keys: &[":"],
        label: "palette",
        help: "Choose a command by its name.",
        kind: Kind::Look,
        footer: 3,
        refuse: refuse::never,
        run: Run::Palette,
    },
    Command {
        id: "help",
        keys: &["?"],
        label: "help",
        help: "Show all keys and what can be used here.",
        kind: Kind::Look,
        footer: 9,
        refuse: refuse::never,
        run: Run::Help,
    },
    Command {
        id: "suspend",
        keys: &["ctrl-z"],
        label: "suspend",
        help: "Go to the background; fg brings the console back.",
        kind: Kind::Look,
        footer: 0,
        refuse: refuse::never,
        run: Run::Suspend,
    },
    Command {
        id: "quit",
        keys: &["q", "ctrl-c"],
        label: "quit",
        help: "Leave. Nothing that runs on a host depends on it.",
        kind: Kind::Look,
        footer: 9,
        refuse: refuse::never,
        run: Run::Quit,
    },
];

/// Returns why the command cannot be used now, if it cannot.
pub fn refusal(model: &Model, command: &Command) -> Option<String> {
    if command.kind == Kind::Change && model.read_only {
        return Some(ReadOnly.to_string());
    }
    (command.refuse)(model)
}

/// Returns the service that commands are about, if a service is selected.
pub fn selected_service(model: &Model) -> Option<&ServiceView> {
    if let Some(service) = model.screen.view.service() {
        return model.service(service);
    }
    // The fleet's selection is not in sight there.
    if matches!(model.screen.view, View::Builds { .. } | View::Build { .. }) {
        return None;
    }
    match rows::selected(model)? {
        RowId::Service(key) => model.service(&key),
        RowId::Host(_) | RowId::Project(..) | RowId::Group(_) => None,
    }
}

/// Returns the web address that the selected host waits for somebody to open.
pub fn selected_link(model: &Model) -> Option<&str> {
    if model.screen.view != View::Fleet {
        return None;
    }
    let RowId::Host(name) = rows::selected(model)? else {
        return None;
    };
    let host = &model.hosts[model.host_index(&name)?];
    host.failure()?.link()
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

/// Returns the selected way back, where ways back are shown.
pub fn selected_candidate(model: &Model) -> Option<&Candidate> {
    let View::Tags { service, selected } = &model.screen.view else {
        return None;
    };
    let shown = model.preview.shown.as_ref()?;
    (shown.service == *service).then(|| shown.selected(selected.as_ref()))?
}

/// Returns the source link of the tag's image, else of the running one.
pub fn source_of(service: &ServiceView) -> Option<&str> {
    service
        .registry
        .source
        .as_deref()
        .or(service.running.source.as_deref())
}
