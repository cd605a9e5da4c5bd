//! What stands in place of the list where there is nothing to list.

use ratatui::layout::Rect;

use crate::app::model::Model;

use super::pen::Pen;
use super::theme::Role;

/// Says why the list is empty and what to do about it.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let lines: Vec<(String, Role)> = if model.hosts.is_empty() {
        no_hosts()
    } else if !model.screen.filter.is_empty() {
        vec![
            (
                format!("nothing matches \"{}\"", model.screen.filter),
                Role::Attention,
            ),
            (
                format!("{} drops the filter", model.keymap.named("back")),
                Role::Text,
            ),
        ]
    } else {
        vec![("no service runs on any host".to_owned(), Role::Text)]
    };
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let top = area.y + area.height.saturating_sub(height) / 3;
    for ((text, role), y) in lines.iter().zip(top..area.bottom()) {
        pen.put(area.x + 2, y, area.width.saturating_sub(3), text, *role);
    }
}

fn no_hosts() -> Vec<(String, Role)> {
    [
        ("no hosts yet", Role::Accent),
        ("", Role::Text),
        ("show one host now, nothing is written:", Role::Text),
        ("  homelab-tui -H vps=ssh://deploy@vps.example", Role::Good),
        (
            "see which hosts ssh, docker and the tailnet know:",
            Role::Text,
        ),
        ("  homelab-tui discover", Role::Good),
        ("keep hosts in the configuration:", Role::Text),
        ("  homelab-tui config example", Role::Good),
        ("  homelab-tui config path", Role::Good),
    ]
    .map(|(text, role)| (text.to_owned(), role))
    .into()
}
