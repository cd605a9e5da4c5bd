//! The view of a service's log: its last lines, followed.

use ratatui::layout::Rect;

use crate::app::model::Model;
use crate::core::names::ServiceKey;

use super::pen::Pen;
use super::theme::Role;

/// Draws the view.
pub fn draw(model: &Model, service: &ServiceKey, pen: &mut Pen<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let room = |x: u16| area.right().saturating_sub(x + 1);
    let mut x = area.x + 1;
    x += pen.put(x, area.y, room(x), "log", Role::Accent) + 2;
    x += pen.put(x, area.y, room(x), &service.to_string(), Role::Text) + 2;
    let (state, role) = state(model, service);
    pen.put(x, area.y, room(x), &state, role);
    let Some(logs) = model.logs.as_ref().filter(|logs| logs.service == *service) else {
        return;
    };
    let height = usize::from(area.height.saturating_sub(1));
    let end = logs.lines.len().saturating_sub(logs.up);
    let begin = end.saturating_sub(height);
    let several = logs.containers.len() > 1;
    for (line, y) in logs.lines.range(begin..end).zip(area.y + 1..area.bottom()) {
        let mut x = area.x + 1;
        if several {
            // The number is what tells the containers of one service apart.
            let name = logs
                .containers
                .get(line.container)
                .map(|(_, name)| name.as_str());
            let tail = name.and_then(|name| name.rsplit(['-', '_']).next());
            x += pen.put(x, y, 6.min(room(x)), tail.unwrap_or("?"), Role::Quiet) + 1;
        }
        let role = if line.error {
            Role::Attention
        } else {
            Role::Text
        };
        pen.put(x, y, room(x), &line.text, role);
    }
}

fn state(model: &Model, service: &ServiceKey) -> (String, Role) {
    let host = model
        .host_index(&service.host)
        .map(|index| &model.hosts[index]);
    if let Some(away) = host.and_then(|host| host.away()) {
        return (away, Role::Attention);
    }
    let Some(logs) = model.logs.as_ref().filter(|logs| logs.service == *service) else {
        return ("asking".to_owned(), Role::Quiet);
    };
    if let Some(why) = logs.ended.iter().flatten().next()
        && logs.ended.iter().all(Option::is_some)
    {
        return (format!("ended: {why}"), Role::Attention);
    }
    let mut parts = Vec::new();
    if logs.up > 0 {
        parts.push(format!("{} lines further", logs.up));
    } else {
        parts.push("following".to_owned());
    }
    if logs.left_out > 0 {
        parts.push(format!("{} older lines left out", logs.left_out));
    }
    (parts.join(", "), Role::Quiet)
}
