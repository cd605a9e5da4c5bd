//! The help page, made from the table of commands.

use ratatui::layout::Rect;

use crate::app::commands::{self, COMMANDS, Kind};
use crate::app::model::Model;

use super::overlay::{close, open};
use super::pen::Pen;
use super::theme::Role;

const KEYS: u16 = 14;
const NAME: u16 = 12;

/// Draws all commands with their keys and whether they can be used here.
pub fn draw(model: &Model, scroll: usize, pen: &mut Pen<'_>, area: Rect) {
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
    let total = lines.len();
    let scroll = scroll.min(total.saturating_sub(usize::from(inner.height)));
    for (line, y) in lines.iter().skip(scroll).zip(inner.top()..inner.bottom()) {
        line.draw(pen, inner, y);
    }
    close(scroll, total, model, pen, area, inner);
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

impl Help {
    fn draw(&self, pen: &mut Pen<'_>, area: Rect, y: u16) {
        match self {
            Self::Title(title) => {
                pen.put(area.x, y, area.width, title, Role::Quiet);
            }
            Self::Command {
                keys,
                name,
                help,
                refused,
            } => {
                let mut x = area.x + 1;
                let left = |x: u16| area.right().saturating_sub(x);
                pen.put(x, y, KEYS.min(left(x)), keys, Role::Accent);
                x += KEYS + 1;
                pen.put(x, y, NAME.min(left(x)), name, Role::Text);
                x += NAME + 1;
                match refused {
                    Some(why) => {
                        let text = format!("not now: {why}");
                        x += pen.put(x, y, left(x), &text, Role::Attention) + 2;
                        pen.put(x, y, left(x), help, Role::Quiet);
                    }
                    None => {
                        pen.put(x, y, left(x), help, Role::Text);
                    }
                }
            }
        }
    }
}
