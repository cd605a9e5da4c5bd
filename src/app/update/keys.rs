//! Keys: text fields own theirs, everything else goes through the table of commands.

use std::time::Duration;

use crate::core::engine::ContainerState;
use crate::core::rollout::Action;
use crate::core::watch::Scope;

use super::super::commands::{self, COMMANDS, Command, Kind, Run};
use super::super::effect::{Act, Console, Effect};
use super::super::keys::{Code, Key};
use super::super::mode::Mode;
use super::super::model::{Link, Model};
use super::super::rows::{self, Place, Rows};
use super::super::screen::{Group, Notice, Overlay, RowId, View};
use super::super::targets;
use super::{acting, clipboard, find, fleet, offers, views};

/// The longest text a field takes.
const LONGEST_TEXT: usize = 200;

/// Handles one key.
pub fn press<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    model.dirty = true;
    model.screen.notice = None;
    match &model.screen.overlay {
        Overlay::Filter { .. } => filter_key(model, key, effects),
        Overlay::Find { .. } if is_interrupt(key) => quit(model, effects),
        Overlay::Find { .. } => find::key(model, key),
        Overlay::Palette { .. } => palette_key(model, key, effects),
        Overlay::Plan(_) if is_interrupt(key) => quit(model, effects),
        Overlay::Plan(_) => acting::dialog_key(model, key, effects),
        Overlay::Offers(_) if is_interrupt(key) => quit(model, effects),
        Overlay::Offers(_) => offers::key(model, key, effects),
        Overlay::None
        | Overlay::Help { .. }
        | Overlay::Why { .. }
        | Overlay::Describe { .. }
        | Overlay::Entry { .. } => {
            if let Some(command) = model.keymap.command(key) {
                run(model, command, effects);
            }
        }
    }
}

/// Handles pasted text: it reaches a text field only.
pub fn paste(model: &mut Model, text: &str) {
    let typed: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    model.dirty = true;
    match &mut model.screen.overlay {
        Overlay::Find { input, .. } => {
            for c in typed {
                add(input, c);
            }
            find::go(model);
        }
        Overlay::Filter { .. } => {
            for c in typed {
                add(&mut model.screen.filter, c);
            }
        }
        Overlay::Palette { input, chosen } => {
            *chosen = 0;
            for c in typed {
                add(input, c);
            }
        }
        Overlay::Plan(dialog) if dialog.name_wanted().is_some() => {
            for c in typed {
                add(&mut dialog.typed, c);
            }
        }
        Overlay::None
        | Overlay::Help { .. }
        | Overlay::Why { .. }
        | Overlay::Describe { .. }
        | Overlay::Entry { .. }
        | Overlay::Offers(_)
        | Overlay::Plan(_) => {}
    }
}

/// Shows a short word.
pub fn notice(model: &mut Model, text: String) {
    model.screen.notice = Some(Notice {
        text,
        at: model.now.wall,
    });
    model.dirty = true;
}

/// Adds what was typed to a field, within reason.
pub fn add(text: &mut String, c: char) {
    if text.chars().count() < LONGEST_TEXT {
        text.push(c);
    }
}

fn is_interrupt(key: Key) -> bool {
    key == Key::ctrl('c')
}

fn filter_key<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    match key.code {
        _ if is_interrupt(key) => quit(model, effects),
        Code::Enter => model.screen.overlay = Overlay::None,
        Code::Esc => {
            if let Overlay::Filter { before } =
                std::mem::replace(&mut model.screen.overlay, Overlay::None)
            {
                model.screen.filter = before;
            }
        }
        Code::Backspace => {
            model.screen.filter.pop();
        }
        Code::Down => move_by(model, 1),
        Code::Up => move_by(model, -1),
        _ if key == Key::ctrl('u') => model.screen.filter.clear(),
        _ => {
            if let Some(c) = key.typed() {
                add(&mut model.screen.filter, c);
            }
        }
    }
}

fn palette_key<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    let Overlay::Palette { input, chosen } = &mut model.screen.overlay else {
        return;
    };
    let found = palette_matches(input);
    match key.code {
        _ if is_interrupt(key) => quit(model, effects),
        Code::Esc => model.screen.overlay = Overlay::None,
        Code::Enter => {
            let command = found.get(*chosen).copied();
            model.screen.overlay = Overlay::None;
            if let Some(command) = command {
                run(model, command, effects);
            }
        }
        Code::Down | Code::Tab => *chosen = (*chosen + 1).min(found.len().saturating_sub(1)),
        Code::Up | Code::BackTab => *chosen = chosen.saturating_sub(1),
        Code::Backspace => {
            input.pop();
            *chosen = 0;
        }
        _ => {
            if let Some(c) = key.typed() {
                add(input, c);
                *chosen = 0;
            }
        }
    }
}

/// Returns the commands that a palette's text finds, by name first, then by what they say of themselves.
pub fn palette_matches(input: &str) -> Vec<&'static Command> {
    let words: Vec<String> = input.split_whitespace().map(str::to_lowercase).collect();
    let finds = |text: &str| {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let first = words.first().map_or("", String::as_str);
    let rank = |command: &Command| match () {
        () if command.id.starts_with(first) && finds(command.id) => Some(0),
        () if finds(command.id) => Some(1),
        () if finds(command.help) => Some(2),
        () => None,
    };
    let mut found: Vec<(u8, &'static Command)> = COMMANDS
        .iter()
        .filter_map(|command| Some((rank(command)?, command)))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, command)| command).collect()
}

/// Runs a command, or says why not.
pub fn run<M: Mode>(model: &mut Model, command: &'static Command, effects: &mut Vec<Effect<M>>) {
    if let Some(why) = commands::refusal(model, command) {
        notice(model, format!("{}: {why}", command.label));
        return;
    }
    // What lies above the list takes the keys that move.
    if command.kind == Kind::Move && scroll_overlay(model, command.run) {
        return;
    }
    if command.kind == Kind::Move && scroll_detail(model, command.run) {
        return;
    }
    // Every other command is about the list again.
    if command.kind == Kind::Move || matches!(command.run, Run::Sort | Run::Group | Run::Filter) {
        model.screen.in_detail = model.screen.in_detail.filter(|_| command.run == Run::Panel);
    }
    match command.run {
        _ if views::takes(model, command.run) => views::run(model, command.run),
        Run::Down => move_by(model, 1),
        Run::Up => move_by(model, -1),
        Run::PageDown => move_by(model, page(model)),
        Run::PageUp => move_by(model, -page(model)),
        Run::First => move_by(model, isize::MIN),
        Run::Last => move_by(model, isize::MAX),
        Run::Open => open(model),
        Run::Back => back(model),
        Run::Fold => fold(model, true),
        Run::Unfold => fold(model, false),
        Run::Filter if matches!(model.screen.view, View::Tags { .. }) => find::open(model),
        Run::Filter => {
            let before = model.screen.filter.clone();
            model.screen.overlay = Overlay::Filter { before };
        }
        Run::Palette => {
            model.screen.overlay = Overlay::Palette {
                input: String::new(),
                chosen: 0,
            };
        }
        Run::Help => toggle(model, Overlay::Help { scroll: 0 }),
        Run::Why => toggle(model, Overlay::Why { scroll: 0 }),
        Run::Describe => toggle(model, Overlay::Describe { scroll: 0 }),
        Run::Sort => {
            keep_selected(model);
            model.screen.sort = model.screen.sort.next();
            notice(model, format!("services {}", model.screen.sort.word()));
        }
        Run::Group => {
            keep_selected(model);
            model.screen.group = model.screen.group.next();
        }
        Run::Refresh => refresh(model),
        Run::CopyDigest => clipboard::copy_digest(model, effects),
        Run::CopySource => clipboard::copy_source(model, effects),
        Run::Browse => clipboard::browse(model, effects),
        Run::Fleet
        | Run::Layers
        | Run::Tags
        | Run::Builds
        | Run::Logs
        | Run::Registry
        | Run::History
        | Run::Wall => views::run(model, command.run),
        Run::Discover => offers::open(model, false, effects),
        Run::Pull => acting::ask(model, Action::Pull, effects),
        Run::Recreate => acting::ask(model, Action::Recreate, effects),
        Run::Config => acting::config(model, effects),
        Run::Update => acting::ask(model, Action::Update, effects),
        Run::Rollback => acting::ask(model, Action::Rollback, effects),
        Run::Pin => acting::ask(model, Action::Pin, effects),
        Run::Keep => acting::ask(model, Action::Keep, effects),
        Run::Mark => {
            targets::turn_marks(model);
            let count = targets::marked(model).len();
            notice(
                model,
                match count {
                    0 => "nothing is marked".to_owned(),
                    count => format!("{count} marked"),
                },
            );
        }
        Run::Panel => turn_panel(model),
        Run::Cancel => acting::cancel(model, effects),
        Run::Shell => shell(model, effects),
        Run::Suspend => effects.push(Effect::Console(Console::Suspend)),
        Run::Quit => quit(model, effects),
    }
}

fn quit<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    model.ending = true;
    if std::mem::take(&mut model.unsaved) {
        effects.push(Effect::Console(Console::Remember));
    }
    effects.push(Effect::Console(Console::Quit));
}

fn toggle(model: &mut Model, overlay: Overlay) {
    let same = std::mem::discriminant(&model.screen.overlay) == std::mem::discriminant(&overlay);
    model.screen.overlay = if same { Overlay::None } else { overlay };
    model.screen.scroll_end = None;
}

fn scroll_overlay(model: &mut Model, run: Run) -> bool {
    let page = usize::try_from(page(model)).unwrap_or(1);
    let end = model.screen.scroll_end.unwrap_or(usize::MAX);
    let (Overlay::Help { scroll }
    | Overlay::Why { scroll }
    | Overlay::Describe { scroll }
    | Overlay::Entry { scroll }) = &mut model.screen.overlay
    else {
        return false;
    };
    match run {
        Run::Back | Run::Open => model.screen.overlay = Overlay::None,
        _ => *scroll = scrolled(*scroll, run, page, end),
    }
    true
}

/// Goes from the list to the detail, which is opened where there is no room beside the list, and back.
fn turn_panel(model: &mut Model) {
    if model.screen.in_detail.take().is_none() {
        model.screen.detail = true;
        model.screen.in_detail = Some(0);
        model.screen.scroll_end = None;
    }
}

/// Scrolls the detail while the keys that move belong to it; the selection stays.
fn scroll_detail(model: &mut Model, run: Run) -> bool {
    if model.screen.view != View::Fleet || model.screen.overlay != Overlay::None {
        return false;
    }
    // The detail has about a third of a small screen.
    let page = (page_lines(model) / 3).max(1);
    let end = model.screen.scroll_end.unwrap_or(usize::MAX);
    let Some(scroll) = &mut model.screen.in_detail else {
        return false;
    };
    match run {
        Run::Back | Run::Open => model.screen.in_detail = None,
        Run::Fold | Run::Unfold | Run::Panel => return false,
        _ => *scroll = scrolled(*scroll, run, page, end),
    }
    true
}

/// Returns where a page is scrolled to by a command that moves.
fn scrolled(scroll: usize, run: Run, page: usize, end: usize) -> usize {
    match run {
        Run::Down => scroll.saturating_add(1).min(end),
        Run::Up => scroll.min(end).saturating_sub(1),
        Run::PageDown => scroll.saturating_add(page).min(end),
        Run::PageUp => scroll.min(end).saturating_sub(page),
        Run::First => 0,
        Run::Last => end,
        _ => scroll,
    }
}

/// Returns how many lines a page has, about.
pub fn page_lines(model: &Model) -> usize {
    usize::try_from(page(model)).unwrap_or(1)
}

/// Returns how many rows a page has, about.
pub fn page(model: &Model) -> isize {
    isize::try_from(model.screen.height.saturating_sub(4).max(1)).unwrap_or(1)
}

/// Makes sure that something is selected by identity; a service stays so even while it lies folded in another row.
fn keep_selected(model: &mut Model) {
    let service = match &model.screen.selected {
        Some(RowId::Service(key)) => model.service(key),
        Some(RowId::Host(_) | RowId::Project(..) | RowId::Group(_)) | None => None,
    };
    if service.is_none() {
        model.screen.selected = rows::selected(model);
    }
}

fn move_by(model: &mut Model, by: isize) {
    let rows = Rows::of(model);
    let Some(last) = rows.list.len().checked_sub(1) else {
        return;
    };
    let here = rows.selected_index(model).unwrap_or(0);
    let there = here.saturating_add_signed(by).min(last);
    model.screen.selected = Some(rows.id(model, &rows.list[there]));
    model.screen.selected_index = there;
}

fn open(model: &mut Model) {
    let rows = Rows::of(model);
    let Some(index) = rows.selected_index(model) else {
        return;
    };
    let row = rows.list[index];
    // Hosts among what needs attention have nothing below them to unfold.
    let lone = matches!(row.place, Place::Host(_)) && model.screen.group != Group::Host;
    if lone || matches!(row.place, Place::Service(..) | Place::Across(_)) {
        model.screen.detail = !model.screen.detail;
    } else {
        fold(model, !row.folded);
    }
}

fn back(model: &mut Model) {
    if model.screen.overlay != Overlay::None {
        model.screen.overlay = Overlay::None;
    } else if !targets::marked(model).is_empty() {
        model.screen.marked.clear();
        notice(model, "nothing is marked".to_owned());
    } else if model.screen.detail {
        model.screen.detail = false;
    } else if !model.screen.filter.is_empty() {
        keep_selected(model);
        model.screen.filter.clear();
    } else {
        // What ended badly was seen.
        model.jobs.retain(super::super::jobs::Job::runs);
    }
}

fn fold(model: &mut Model, close: bool) {
    let rows = Rows::of(model);
    let Some(index) = rows.selected_index(model) else {
        return;
    };
    let row = rows.list[index];
    if matches!(row.place, Place::Across(_)) {
        // Environments stand side by side: what folds and unfolds elsewhere goes left and right here.
        if let Some(beside) = rows.beside(model, &row, close) {
            model.screen.selected = Some(beside);
        }
        return;
    }
    let id = rows.id(model, &row);
    if matches!(row.place, Place::Service(..)) {
        // Folding from a service means folding what it lies in, and going there.
        let head = rows.list[..index]
            .iter()
            .rposition(|other| other.depth < row.depth);
        if let (true, Some(head)) = (close, head) {
            let head_id = rows.id(model, &rows.list[head]);
            set_folded(model, head_id.clone(), true);
            model.screen.selected = Some(head_id);
            model.screen.selected_index = head;
        }
        return;
    }
    set_folded(model, id, close);
}

fn set_folded(model: &mut Model, id: RowId, folded: bool) {
    if folded == rows::folds_by_itself(model, &id) {
        model.screen.folded.remove(&id);
    } else {
        model.screen.folded.insert(id);
    }
}

/// Has everything behind the selected row looked at again.
fn refresh(model: &mut Model) {
    let now = model.now.since_start;
    let services = commands::selected_services(model);
    let mut hosts: Vec<usize> = Vec::new();
    if let Some(RowId::Host(host)) = rows::selected(model) {
        hosts.extend(model.host_index(&host));
    }
    for key in &services {
        if let Some(index) = model.host_index(&key.host)
            && !hosts.contains(&index)
        {
            hosts.push(index);
        }
    }
    for index in hosts {
        match model.hosts[index].link {
            Link::Up => fleet::want(model, index, Duration::ZERO, Scope::All),
            Link::Failed(_) => {
                model.hosts[index].redial_due = Some(now);
                model.hosts[index].attempts = 0;
            }
            Link::Idle | Link::Dialling(_) => {}
        }
        let host = model.hosts[index].spec.name.clone();
        for (key, files) in &mut model.files {
            if key.host == host {
                files.due = now;
            }
        }
    }
    let questions: Vec<_> = services
        .iter()
        .filter_map(|key| model.service(key)?.question.clone())
        .collect();
    for question in questions {
        if let Some(remote) = model.remotes.get_mut(&question) {
            // A registry that asked to be left alone is left alone, whoever presses keys.
            let asked_for_rest = remote
                .remote
                .failure
                .as_ref()
                .is_some_and(|(_, failure)| failure.retry_after.is_some());
            if !asked_for_rest {
                remote.due = now;
            }
        }
    }
    notice(model, "looking again".to_owned());
}

fn shell<M: Mode>(model: &mut Model, effects: &mut Vec<Effect<M>>) {
    let Some(service) = commands::selected_service(model) else {
        return;
    };
    let container = service
        .containers
        .iter()
        .find(|container| container.state == ContainerState::Running);
    let Some(container) = container else {
        return;
    };
    let act = Act::Shell {
        service: service.key.clone(),
        container: container.id.clone(),
    };
    match M::permit(act) {
        Ok(act) => effects.push(Effect::Act(act)),
        Err(refused) => notice(model, refused.to_string()),
    }
}
