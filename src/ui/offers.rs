//! The tick list of hosts that could be added.

use ratatui::layout::Rect;

use crate::app::offers::{Ending, Row, TickList, Trial};
use crate::core::age::count;
use crate::core::text::clean_within;

use super::overlay;
use super::pen::Pen;
use super::theme::{Ground, Role};

/// The longest text of a row that is drawn.
const LONGEST: usize = 200;

/// Draws the list over the screen.
pub fn draw(list: &TickList, pen: &mut Pen<'_>, area: Rect) {
    let inner = overlay::open("hosts that could be added", pen, area);
    if inner.height < 3 {
        return;
    }
    let body = Rect {
        height: inner.height - 2,
        ..inner
    };
    let keys = match (&list.ending, &list.rows) {
        (Some(Ending::Writing), _) => {
            say(pen, body, &[("writing".to_owned(), Role::Text)]);
            ""
        }
        (Some(Ending::Written(number, file)), _) => {
            let text = format!("{} written to {file}", count(*number, "host"));
            say(
                pen,
                body,
                &[
                    (text, Role::Good),
                    ("the rest of the file is as it was".to_owned(), Role::Quiet),
                ],
            );
            "Enter start with them   Esc later"
        }
        (Some(Ending::LeftAlone(why, lines)), _) => {
            let mut all = vec![
                (why.clone(), Role::Attention),
                (
                    "put these lines under hosts: yourself:".to_owned(),
                    Role::Text,
                ),
            ];
            all.extend(lines.iter().map(|line| (line.clone(), Role::Good)));
            say(pen, body, &all);
            "Esc close"
        }
        (None, None) => {
            say(
                pen,
                body,
                &[(
                    "looking at ssh's configuration, docker's contexts and the tailnet".to_owned(),
                    Role::Quiet,
                )],
            );
            "Esc close"
        }
        (None, Some(rows)) if rows.is_empty() => {
            say(
                pen,
                body,
                &[(
                    "ssh, docker and the tailnet know no further host".to_owned(),
                    Role::Text,
                )],
            );
            "Esc close"
        }
        (None, Some(rows)) => {
            rows_of(list, rows, pen, body);
            "Space tick   t test it   Enter write down what is ticked   Esc close"
        }
    };
    pen.ground = Ground::Overlay;
    pen.put(inner.x, inner.bottom() - 1, inner.width, keys, Role::Quiet);
}

fn say(pen: &mut Pen<'_>, area: Rect, lines: &[(String, Role)]) {
    for ((text, role), y) in lines.iter().zip(area.top()..area.bottom()) {
        pen.put(area.x, y, area.width, &clean_within(text, LONGEST), *role);
    }
}

fn rows_of(list: &TickList, rows: &[Row], pen: &mut Pen<'_>, area: Rect) {
    let first = list
        .selected
        .saturating_sub(usize::from(area.height).saturating_sub(1));
    let shown = rows.iter().enumerate().skip(first);
    let name_width = rows
        .iter()
        .map(|row| pen.width(&row.offer.name))
        .max()
        .unwrap_or(0)
        .clamp(4, 20);
    for ((index, row), y) in shown.zip(area.top()..area.bottom()) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        pen.ground = if index == list.selected {
            Ground::Selection
        } else {
            Ground::Overlay
        };
        pen.fill(line);
        let mut x = line.x;
        let left = |x: u16| line.right().saturating_sub(x);
        let tick = if row.ticked { "[x]" } else { "[ ]" };
        x += pen.put(x, y, left(x), tick, Role::Accent) + 1;
        pen.put(x, y, left(x).min(name_width), &row.offer.name, Role::Text);
        x += name_width + 1;
        let (words, role) = match &row.trial {
            Trial::Untried => {
                let online = match row.offer.online {
                    Some(true) => ", online",
                    Some(false) => ", offline",
                    None => "",
                };
                (
                    format!("by {}{online}", row.offer.source.word()),
                    Role::Quiet,
                )
            }
            Trial::Trying => ("being tested".to_owned(), Role::Quiet),
            Trial::Works(words) => (words.clone(), Role::Good),
            Trial::Fails(failure) => (failure.to_string(), Role::Attention),
        };
        let half = left(x) / 2;
        x += pen.put(x, y, half, &row.offer.address.to_string(), Role::Quiet) + 2;
        pen.put(x, y, left(x), &clean_within(&words, LONGEST), role);
    }
}
