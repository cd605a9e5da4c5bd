//! The view of a download: each layer, whether it is there, and which change costs what.

use ratatui::layout::Rect;

use crate::app::model::Model;
use crate::app::preview::layers::{self, Elsewhere, LayersState, LayersView};
use crate::core::age::{bytes, count, duration};
use crate::core::image::ImageRef;
use crate::core::layers::{Estimate, LayerPart, PartState, Prediction};
use crate::core::names::ServiceKey;
use crate::core::trust::Trust;

use super::list;
use super::pen::Pen;
use super::theme::Role;

/// How long the longest bar is, where there is room for bars.
const BAR: u16 = 20;
const BARS_FROM: u16 = 90;

/// Draws the view.
pub fn draw(
    model: &Model,
    service: &ServiceKey,
    to: Option<&ImageRef>,
    selected: usize,
    pen: &mut Pen<'_>,
    area: Rect,
) {
    if area.is_empty() {
        return;
    }
    let Some(view) = layers::view(model, service, to) else {
        let text = format!("{service} is not there any more, or has no name that a registry knows");
        pen.put(
            area.x + 1,
            area.y,
            area.width.saturating_sub(2),
            &text,
            Role::Quiet,
        );
        return;
    };
    title(&view, pen, area);
    let below = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    match &view.state {
        LayersState::Waiting(what) => word(&format!("waiting for {what}"), Role::Quiet, pen, below),
        LayersState::Failed(why) => word(why, Role::Attention, pen, below),
        LayersState::Ready(prediction) => ready(&view, prediction, selected, pen, below),
    }
}

fn word(text: &str, role: Role, pen: &mut Pen<'_>, area: Rect) {
    if area.height > 0 {
        pen.put(area.x + 3, area.y, area.width.saturating_sub(4), text, role);
    }
}

fn title(view: &LayersView, pen: &mut Pen<'_>, area: Rect) {
    let (sure, role) = match &view.state {
        LayersState::Ready(prediction) => (
            prediction.estimate.word(),
            match prediction.estimate {
                Estimate::Exact => Role::Good,
                Estimate::About | Estimate::AtMost => Role::Attention,
            },
        ),
        LayersState::Waiting(_) => ("asking", Role::Quiet),
        LayersState::Failed(_) => ("not known", Role::Attention),
    };
    let mut x = area.x + 1;
    let end = area.right().saturating_sub(pen.width(sure) + 2);
    x += pen.put(x, area.y, end.saturating_sub(x), "layers", Role::Accent) + 2;
    let digest = view.digest.as_ref().map_or("", |top| top.short());
    let text = format!("{} to {} {digest}", view.service, view.named().familiar());
    let platform = format!("{text}  {}", view.platform);
    // The platform is the host's own: it is the first to go.
    let text = match pen.width(&platform) <= end.saturating_sub(x) {
        true => platform,
        false => text,
    };
    pen.put(x, area.y, end.saturating_sub(x), &text, Role::Text);
    pen.put_right(area.x, area.y, area.width.saturating_sub(1), sure, role);
}

fn ready(
    view: &LayersView,
    prediction: &Prediction,
    selected: usize,
    pen: &mut Pen<'_>,
    area: Rect,
) {
    let lines = foot(view, prediction);
    let room = area.height / 2;
    let foot_height = u16::try_from(lines.len()).unwrap_or(room).min(room);
    let list = Rect {
        height: area.height - foot_height,
        ..area
    };
    let largest = prediction.layers.iter().map(|layer| layer.size).max();
    let count = prediction.layers.len();
    for (place, y) in list::visible(count, Some(selected), list) {
        // The last layer stands on top, as what it stands on lies below.
        let index = count - 1 - place;
        let line = Rect {
            y,
            height: 1,
            ..list
        };
        list::begin(pen, line, place == selected);
        let first = prediction.first_change == Some(index);
        row(
            &prediction.layers[index],
            index,
            first,
            largest.unwrap_or(0),
            pen,
            line,
        );
        list::end(pen);
    }
    for ((text, role), y) in lines.iter().zip(list.bottom()..area.bottom()) {
        pen.put(area.x + 3, y, area.width.saturating_sub(4), text, *role);
    }
}

fn row(
    layer: &LayerPart,
    index: usize,
    first_change: bool,
    largest: u64,
    pen: &mut Pen<'_>,
    line: Rect,
) {
    let (state, role) = match layer.state {
        PartState::Present => ("here", Role::Quiet),
        PartState::Fetch => ("fetch", Role::Text),
    };
    let mut x = line.x + 2;
    pen.put_right(x, line.y, 3, &(index + 1).to_string(), Role::Quiet);
    x += 5;
    pen.put(x, line.y, 5, state, role);
    x += 6;
    pen.put_right(x, line.y, 9, &bytes(layer.size), role);
    x += 11;
    if line.width >= BARS_FROM {
        let glyph = match layer.state {
            PartState::Present => pen.glyphs.faint_bar,
            PartState::Fetch => pen.glyphs.bar,
        };
        for cell in 0..bar(layer.size, largest) {
            pen.glyph(x + cell, line.y, glyph, role);
        }
        x += BAR + 2;
    }
    let mark = "first change";
    let marked = first_change && index > 0 && line.width >= BARS_FROM;
    let mut room = line.right().saturating_sub(x + 1);
    if marked {
        room = room.saturating_sub(pen.width(mark) + 2);
    }
    let made = layer.created_by.as_deref().unwrap_or("-");
    let role = if first_change { Role::Attention } else { role };
    pen.put(x, line.y, room, made, role);
    if marked {
        pen.put_right(
            x,
            line.y,
            line.right().saturating_sub(x + 1),
            mark,
            Role::Attention,
        );
    }
}

/// Returns how many cells a layer's bar has: at least one for what is there at all.
fn bar(size: u64, largest: u64) -> u16 {
    if size == 0 || largest == 0 {
        return 0;
    }
    let cells = u128::from(size) * u128::from(BAR) / u128::from(largest);
    u16::try_from(cells).unwrap_or(BAR).max(1)
}

/// Says below the layers what they add up to.
fn foot(view: &LayersView, prediction: &Prediction) -> Vec<(String, Role)> {
    let pace = view.fetch_seconds.filter(|seconds| *seconds > 0);
    let pace = pace.map_or_else(String::new, |seconds| {
        format!(", about {} here", duration(seconds))
    });
    let sum = format!(
        "fetch {} of {}{pace} · {} of {} here",
        bytes(prediction.fetch_bytes),
        bytes(prediction.total_bytes),
        prediction.layers_here(),
        count(prediction.layers.len(), "layer"),
    );
    let mut lines = vec![(sum, Role::Accent), (prediction.why.clone(), Role::Quiet)];
    for warning in &prediction.warnings {
        lines.push((warning.to_string(), Role::Attention));
    }
    lines.extend(trust_lines(view));
    if !view.shared_with.is_empty() {
        let text = format!("shared with {}", view.shared_with.join(", "));
        lines.push((text, Role::Quiet));
    }
    if !view.elsewhere.is_empty() {
        let list: Vec<String> = view.elsewhere.iter().map(elsewhere).collect();
        lines.push((format!("elsewhere: {}", list.join(" · ")), Role::Quiet));
    }
    lines
}

/// Says what stands beside the image; of the running one only what differs.
fn trust_lines(view: &LayersView) -> Vec<(String, Role)> {
    let mut lines = Vec::new();
    let words = view.trust.as_ref().map(Trust::words);
    lines.extend(words.clone().map(|words| (words, Role::Quiet)));
    for contradiction in view.trust.iter().flat_map(|trust| &trust.contradictions) {
        lines.push((contradiction.clone(), Role::Attention));
    }
    let running = view.running_trust.as_ref().map(Trust::words);
    if let Some(running) = running.filter(|running| Some(running) != words.as_ref()) {
        lines.push((format!("running now: {running}"), Role::Quiet));
    }
    lines
}

fn elsewhere(other: &Elsewhere) -> String {
    let Some(size) = other.bytes else {
        return format!("{} not known", other.host);
    };
    let sure = match other.estimate {
        Some(Estimate::About) => "about ",
        Some(Estimate::AtMost) => "at most ",
        Some(Estimate::Exact) | None => "",
    };
    format!("{} {sure}{}", other.host, bytes(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_never_overflow_and_show_the_smallest() {
        assert_eq!(bar(0, 10), 0);
        assert_eq!(bar(1, u64::MAX), 1);
        assert_eq!(bar(u64::MAX, u64::MAX), BAR);
        assert_eq!(bar(5, 10), 10);
    }
}
