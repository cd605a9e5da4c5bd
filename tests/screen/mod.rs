//! Screens in tests: a fleet in simulated time, drawn and printed as glyphs, marks and a legend.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::time::Duration;

use homelab_tui::adapters;
use homelab_tui::app::mode::Operating;
use homelab_tui::app::msg::Msg;
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;
use homelab_tui::ui;
use homelab_tui::ui::glyphs::Glyphs;
use homelab_tui::ui::theme::{BUILT_IN, Theme};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// A console in a test.
pub struct Console {
    pub driver: Driver<Operating>,
    pub theme: Theme,
    pub glyphs: Glyphs,
    pub size: (u16, u16),
}

impl Console {
    /// Opens the small fleet once all its answers are there.
    pub fn fleet(width: u16, height: u16) -> Self {
        let mut console = Self::of(&small_fleet(), width, height);
        assert!(console.driver.settle(Duration::from_secs(30)));
        console
    }

    /// Opens a scenario at its very beginning.
    pub fn of(scenario: &Scenario, width: u16, height: u16) -> Self {
        let noon: Timestamp = "2026-09-01T12:00:00Z".parse().unwrap();
        let mut driver = Driver::started(scenario, noon);
        driver.tell(Msg::Resize { width, height });
        Self {
            driver,
            theme: theme("dusk"),
            glyphs: Glyphs::UNICODE,
            size: (width, height),
        }
    }

    /// Opens the same fleet in another size.
    pub fn fleet_at(other: &Self, width: u16, height: u16) -> Self {
        let mut console = Self {
            driver: other.driver.clone(),
            theme: other.theme.clone(),
            ..*other
        };
        console.resize(width, height);
        console
    }

    /// Changes how it looks.
    pub fn looks(mut self, name: &str, glyphs: Glyphs) -> Self {
        self.theme = theme(name);
        self.glyphs = glyphs;
        self
    }

    /// Changes the size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.driver.tell(Msg::Resize { width, height });
    }

    /// Presses keys.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        self.driver.keys(keys);
        self
    }

    /// Types text, a key a character.
    pub fn types(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.driver
                .tell(Msg::Key(homelab_tui::app::keys::Key::char(c)));
        }
        self
    }

    /// Draws.
    pub fn buffer(&self) -> Buffer {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        ui::draw(
            &self.driver.model,
            &self.theme,
            self.glyphs,
            area,
            &mut buffer,
        );
        buffer
    }

    /// Draws, as glyphs alone.
    pub fn plain(&self) -> String {
        glyphs(&self.buffer())
    }

    /// Draws, as glyphs, a mark for the style of each cell, and the legend of marks.
    pub fn styled(&self) -> String {
        styled(&self.buffer())
    }
}

/// Reads the small fleet.
pub fn small_fleet() -> Scenario {
    Scenario::parse(include_str!("fleet.yaml")).unwrap()
}

/// Loads one of the program's own themes.
pub fn theme(name: &str) -> Theme {
    let (_, text) = BUILT_IN.iter().find(|(own, _)| *own == name).unwrap();
    Theme::new(name, &adapters::theme::parse(name, text).unwrap()).unwrap()
}

/// Prints the glyphs of a buffer, line by line.
pub fn glyphs(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buffer) {
        let mut line = String::new();
        let mut covered = 0;
        for cell in row {
            // The cell under the right half of a wide character is not seen.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            covered = cell.symbol().width().saturating_sub(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn rows(buffer: &Buffer) -> impl Iterator<Item = &[ratatui::buffer::Cell]> {
    let width = usize::from(buffer.area.width).max(1);
    buffer.content.chunks(width)
}

fn styled(buffer: &Buffer) -> String {
    let mut legend: Vec<String> = Vec::new();
    let mut marks = String::new();
    for row in rows(buffer) {
        for cell in row {
            let style = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier);
            let place = legend.iter().position(|own| *own == style);
            let place = place.unwrap_or_else(|| {
                legend.push(style);
                legend.len() - 1
            });
            marks.push(mark(place));
        }
        marks.push('\n');
    }
    let legend: Vec<String> = legend
        .iter()
        .enumerate()
        .map(|(place, style)| format!("{} {style}", mark(place)))
        .collect();
    format!("{}\n{marks}\n{}\n", glyphs(buffer), legend.join("\n"))
}

fn mark(place: usize) -> char {
    match place {
        0 => '.',
        place => char::from(b'a' + u8::try_from(place - 1).unwrap()),
    }
}
