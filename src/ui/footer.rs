//! The lines at the bottom: the last word to the operator and the keys that apply here.

use ratatui::layout::Rect;

use crate::app::commands::{self, COMMANDS, Command};
use crate::app::model::Model;
use crate::app::preview::tags;
use crate::app::screen::{Overlay, View};
use crate::app::targets;
use crate::core::candidates::{ChosenBy, NoChoice};

use super::pen::Pen;
use super::theme::{Ground, Role};

/// Returns how many lines the footer takes.
pub fn height(area: Rect) -> u16 {
    match area.height {
        0..4 => 0,
        4..18 => 1,
        _ => 2,
    }
}

/// Draws the footer.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let last = area.bottom() - 1;
    if area.height > 1 {
        for x in area.left()..area.right() {
            pen.glyph(x, area.y, pen.glyphs.horizontal, Role::Border);
        }
    }
    let word = model.screen.notice.as_ref().map(|notice| &notice.text);
    if let Overlay::Filter { .. } = model.screen.overlay {
        field(
            &model.screen.filter,
            "/",
            pen,
            Rect::new(area.x, last, area.width, 1),
        );
        return;
    }
    if let Overlay::Find { input, .. } = &model.screen.overlay {
        find(model, input, pen, Rect::new(area.x, last, area.width, 1));
        return;
    }
    match word {
        // With one line only, the word has it until the next key.
        Some(text) if area.height == 1 => {
            pen.put(
                area.x + 1,
                last,
                area.width.saturating_sub(2),
                text,
                Role::Accent,
            );
        }
        Some(text) => {
            let width = area.width.saturating_sub(4);
            pen.glyph(area.x + 1, area.y, ' ', Role::Text);
            let used = pen.put(area.x + 2, area.y, width, text, Role::Accent);
            pen.glyph(area.x + 2 + used, area.y, ' ', Role::Text);
            keys(model, pen, area, last);
        }
        None => keys(model, pen, area, last),
    }
}

/// Draws the field that goes to a candidate, and what the text in it names.
fn find(model: &Model, input: &str, pen: &mut Pen<'_>, area: Rect) {
    let hint = match tags::found(model) {
        None => "a tag, a digest, the beginning of a revision".to_owned(),
        Some(Ok(choice)) => match choice.by {
            ChosenBy::Tag => "that tag",
            ChosenBy::Digest => "by its digest",
            ChosenBy::Revision => "by its revision",
            ChosenBy::Previous => "what ran before",
        }
        .to_owned(),
        Some(Err(NoChoice::Nothing)) if input.trim().len() < 4 => {
            "no such tag; a revision needs 4 characters".to_owned()
        }
        Some(Err(why)) => why.to_string(),
    };
    // What is typed has the first claim on the line.
    let typed = pen.width(input).min(area.width / 2) + 6;
    let room = area.width.saturating_sub(typed);
    let width = pen.width(&hint).min(room);
    let left = Rect {
        width: area.width.saturating_sub(width),
        ..area
    };
    field(input, "/", pen, left);
    let rest = Rect {
        x: left.right(),
        width,
        ..area
    };
    pen.ground = Ground::Header;
    pen.fill(rest);
    pen.put(rest.x, rest.y, width, &hint, Role::Quiet);
    pen.ground = Ground::Screen;
}

/// Draws a text field whose end stays in sight.
pub fn field(text: &str, label: &str, pen: &mut Pen<'_>, area: Rect) {
    pen.ground = Ground::Header;
    pen.fill(area);
    let mut x = area.x + 1;
    x += pen.put(x, area.y, area.width, label, Role::Accent) + 1;
    let room = area.right().saturating_sub(x + 2);
    let mut shown = text;
    while pen.width(shown) > room {
        let mut chars = shown.chars();
        chars.next();
        shown = chars.as_str();
    }
    x += pen.put(x, area.y, room, shown, Role::Text);
    if x < area.right() {
        pen.glyph(x, area.y, pen.glyphs.field, Role::Accent);
    }
    pen.ground = Ground::Screen;
}

/// Writes the keys that can be used here, by weight, as many as fit.
fn keys(model: &Model, pen: &mut Pen<'_>, area: Rect, y: u16) {
    let here = here(model);
    let mut x = area.x + 1;
    for (key, label) in here {
        let width = pen.width(&key) + 1 + pen.width(label);
        if key.is_empty() || x + width > area.right() {
            continue;
        }
        x += pen.put(x, y, width, &key, Role::Accent) + 1;
        x += pen.put(x, y, width, label, Role::Text) + 3;
    }
}

/// Returns the keys that apply to what lies on top, with a word for each, the weightiest first.
fn here(model: &Model) -> Vec<(String, &'static str)> {
    let of = |ids: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        let shown = ids.iter();
        shown
            .map(|(id, word)| (model.keymap.shown(id), *word))
            .collect()
    };
    match &model.screen.overlay {
        Overlay::Help { .. }
        | Overlay::Why { .. }
        | Overlay::Describe { .. }
        | Overlay::Entry { .. } => of(&[
            ("back", "back"),
            ("down", "down"),
            ("up", "up"),
            ("page-down", "page down"),
            ("first", "top"),
            ("last", "end"),
            ("quit", "quit"),
        ]),
        // Text fields own their keys; the dialog of a plan names its answers itself.
        Overlay::Palette { .. } | Overlay::Filter { .. } | Overlay::Find { .. } => fixed(&[
            ("Enter", "run"),
            ("Esc", "back"),
            ("Down", "next"),
            ("Up", "before"),
            ("Ctrl-c", "quit"),
        ]),
        Overlay::None if model.screen.in_detail.is_some() => of(&[
            ("panel", "list"),
            ("down", "down"),
            ("up", "up"),
            ("page-down", "page down"),
            ("first", "top"),
            ("last", "end"),
            ("quit", "quit"),
        ]),
        Overlay::Plan(dialog) if dialog.name_wanted().is_some() => fixed(&[
            ("Esc", "no"),
            ("Tab", "script"),
            ("Down", "scroll"),
            ("Ctrl-c", "quit"),
        ]),
        Overlay::Offers(_) => fixed(&[("Esc", "back"), ("Ctrl-c", "quit")]),
        Overlay::Plan(_) => fixed(&[
            ("Esc", "no"),
            ("j", "down"),
            ("k", "up"),
            ("PgDn", "page down"),
            ("Ctrl-c", "quit"),
        ]),
        Overlay::None => {
            let mut commands: Vec<&Command> =
                COMMANDS.iter().filter(|own| own.footer > 0).collect();
            commands.sort_by_key(|command| std::cmp::Reverse(command.footer));
            let fleet = model.screen.view == View::Fleet;
            let marked = fleet && !targets::marked(model).is_empty();
            let drop = marked.then(|| (model.keymap.shown("back"), "drop marks"));
            let usable = commands
                .into_iter()
                .filter(|command| commands::refusal(model, command).is_none())
                .map(|command| (model.keymap.shown(command.id), label(model, command)));
            drop.into_iter().chain(usable).collect()
        }
    }
}

/// Returns the word of a command; one that does something else in a view has another there.
fn label(model: &Model, command: &Command) -> &'static str {
    match (command.id, &model.screen.view) {
        ("filter", View::Tags { .. }) => "find",
        _ => command.label,
    }
}

fn fixed(keys: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    keys.iter()
        .map(|(key, word)| ((*key).to_owned(), *word))
        .collect()
}
