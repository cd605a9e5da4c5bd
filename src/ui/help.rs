//! The help page, made from the table of commands.

use ratatui::layout::Rect;

use crate::app::commands::{self, COMMANDS, Kind};
use crate::app::model::Model;

use super::detail::{line_of, wrap};
use super::overlay::{close, open};
use super::pen::Pen;
use super::theme::Role;

const KEYS: u16 = 14;
const NAME: u16 = 12;

/// Draws all commands with their keys and whether they can be used here; returns how far that can be scrolled.
pub fn draw(model: &Model, scroll: usize, pen: &mut Pen<'_>, area: Rect) -> usize {
    let inner = open("keys", pen, area);
    let mut lines: Vec<Help> = Vec::new();
    for (kind, title) in [
        (Kind::Look, "look"),
        (Kind::Change, "change"),
        (Kind::Move, "move"),
    ] {
        lines.push(Help::Title(title));
        for command in COMMANDS.iter().filter(|command| command.kind == kind) {
            let keys: Vec<String> = model
                .keymap
                .keys_of(command.id)
                .map(|key| key.to_string())
                .collect();
            lines.push(Help::Command {
                keys: keys.join(" "),
                name: command.label,
                help: command.help,
                refused: commands::refusal(model, command),
            });
        }
    }
    // Drawn twice: once to learn how many lines there are.
    let total = draw_lines(&lines, usize::MAX, pen, inner);
    let end = total.saturating_sub(usize::from(inner.height));
    let scroll = scroll.min(end);
    draw_lines(&lines, scroll, pen, inner);
    close(scroll, total, model, pen, area, inner);
    end
}

enum Help {
    Title(&'static str),
    Command {
        keys: String,
        name: &'static str,
        help: &'static str,
        refused: Option<String>,
    },
}

/// Draws the lines from a scroll offset and returns how many there are.
fn draw_lines(lines: &[Help], scroll: usize, pen: &mut Pen<'_>, area: Rect) -> usize {
    let mut place = 0;
    let texts = area.x + 1 + KEYS + 1 + NAME + 1;
    // On a narrow screen what a command does stands below its keys.
    let (texts, below) = if area.right() < texts + 24 {
        (area.x + 2, 1)
    } else {
        (texts, 0)
    };
    let room = area.right().saturating_sub(texts);
    for line in lines {
        match line {
            Help::Title(title) => {
                if let Some(y) = line_of(place, scroll, area) {
                    pen.put(area.x, y, area.width, title, Role::Accent);
                }
                place += 1;
            }
            Help::Command {
                keys,
                name,
                help,
                refused,
            } => {
                if let Some(y) = line_of(place, scroll, area) {
                    let x = area.x + 1;
                    pen.put(
                        x,
                        y,
                        KEYS.min(area.width.saturating_sub(1)),
                        keys,
                        Role::Accent,
                    );
                    let x = x + KEYS + 1;
                    pen.put(
                        x,
                        y,
                        NAME.min(area.right().saturating_sub(x)),
                        name,
                        Role::Text,
                    );
                }
                let mut parts: Vec<(String, Role)> = Vec::new();
                if let Some(why) = refused {
                    let text = format!("not now: {why}");
                    let role = Role::Attention;
                    parts.extend(
                        wrap(&text, usize::from(room), pen)
                            .into_iter()
                            .map(|t| (t, role)),
                    );
                }
                let role = if refused.is_some() {
                    Role::Quiet
                } else {
                    Role::Text
                };
                parts.extend(
                    wrap(help, usize::from(room), pen)
                        .into_iter()
                        .map(|t| (t, role)),
                );
                place += below;
                for (text, role) in &parts {
                    if let Some(y) = line_of(place, scroll, area) {
                        pen.put(texts, y, room, text, *role);
                    }
                    place += 1;
                }
            }
        }
    }
    place
}
