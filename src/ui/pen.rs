//! The pen: the only way by which text reaches the screen.
//!
//! Whatever it writes is cleaned, brought into the glyph profile, cut at character boundaries and kept in its place.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

use crate::core::text;

use super::glyphs::Glyphs;
use super::theme::{Ground, Role, Theme};

/// Writes styled text into a buffer.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    theme: &'a Theme,
    pub glyphs: Glyphs,
    pub ground: Ground,
    /// Whether all text is quiet, as on rows whose facts are old.
    pub dim: bool,
}

impl<'a> Pen<'a> {
    /// Takes hold of the buffer.
    pub fn new(buf: &'a mut Buffer, theme: &'a Theme, glyphs: Glyphs) -> Self {
        Self {
            buf,
            theme,
            glyphs,
            ground: Ground::Screen,
            dim: false,
        }
    }

    /// Clears an area to the present ground.
    pub fn fill(&mut self, area: Rect) {
        let style = self.style(Role::Text);
        let area = area.intersection(self.buf.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.set(x, y, ' ', style);
            }
        }
    }

    /// Writes a text into at most `width` cells and returns how many it took.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let width = width.min(self.buf.area.right().saturating_sub(x));
        if width == 0 {
            return 0;
        }
        let style = self.style(role);
        let text = text::clean(text);
        let limit = usize::from(width);
        let whole = self.fits(&text, limit);
        let more = self.glyphs.more;
        let room = match whole {
            true => limit,
            // Where not even the sign of a cut fits, the text is cut without one.
            false if more.chars().count() > limit => limit,
            false => limit - more.chars().count(),
        };
        let mut used = 0;
        for c in text.chars() {
            let Some((c, cells)) = self.cell(c) else {
                continue;
            };
            if used + cells > room {
                break;
            }
            self.place(x, y, used, c, cells, style);
            used += cells;
        }
        if !whole && room < limit {
            for c in more.chars() {
                self.place(x, y, used, c, 1, style);
                used += 1;
            }
        }
        u16::try_from(used).unwrap_or(width)
    }

    /// Writes a text so that it ends at the right edge of its cells.
    pub fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) {
        let used = self.width(text).min(width);
        self.put(x + (width - used), y, used, text, role);
    }

    /// Writes one of the profile's own glyphs.
    pub fn glyph(&mut self, x: u16, y: u16, glyph: char, role: Role) {
        let style = self.style(role);
        self.set(x, y, glyph, style);
    }

    /// Returns how many cells a text takes.
    pub fn width(&self, text: &str) -> u16 {
        let text = text::clean(text);
        let cells: usize = text
            .chars()
            .filter_map(|c| self.cell(c))
            .map(|(_, cells)| cells)
            .sum();
        u16::try_from(cells).unwrap_or(u16::MAX)
    }

    /// Draws a frame with a title and returns what lies inside.
    pub fn frame(&mut self, area: Rect, title: &str) -> Rect {
        if area.width < 3 || area.height < 3 {
            return area;
        }
        let (left, right) = (area.left(), area.right() - 1);
        let (top, bottom) = (area.top(), area.bottom() - 1);
        let [top_left, top_right, bottom_left, bottom_right] = self.glyphs.corners;
        for x in left + 1..right {
            self.glyph(x, top, self.glyphs.horizontal, Role::Border);
            self.glyph(x, bottom, self.glyphs.horizontal, Role::Border);
        }
        for y in top + 1..bottom {
            self.glyph(left, y, self.glyphs.vertical, Role::Border);
            self.glyph(right, y, self.glyphs.vertical, Role::Border);
        }
        self.glyph(left, top, top_left, Role::Border);
        self.glyph(right, top, top_right, Role::Border);
        self.glyph(left, bottom, bottom_left, Role::Border);
        self.glyph(right, bottom, bottom_right, Role::Border);
        if area.width > 8 && !title.is_empty() {
            self.glyph(left + 2, top, ' ', Role::Text);
            let used = self.put(left + 3, top, area.width - 6, title, Role::Accent);
            self.glyph(left + 3 + used, top, ' ', Role::Text);
        }
        Rect::new(left + 1, top + 1, area.width - 2, area.height - 2)
    }

    fn style(&self, role: Role) -> Style {
        let role = match role {
            Role::Border => Role::Border,
            _ if self.dim => Role::Quiet,
            role => role,
        };
        self.theme.style(role, self.ground)
    }

    fn fits(&self, text: &str, limit: usize) -> bool {
        let mut used = 0;
        text.chars().filter_map(|c| self.cell(c)).all(|(_, cells)| {
            used += cells;
            used <= limit
        })
    }

    /// Returns the character as shown and its cells; what takes no cell of its own is left out.
    fn cell(&self, c: char) -> Option<(char, usize)> {
        let c = self.glyphs.shown(c);
        let cells = c.width().filter(|cells| *cells > 0)?;
        Some((c, cells))
    }

    fn place(&mut self, x: u16, y: u16, used: usize, c: char, cells: usize, style: Style) {
        let x = x.saturating_add(u16::try_from(used).unwrap_or(u16::MAX));
        self.set(x, y, c, style);
        if cells > 1 {
            // The cell under the right half of a wide character holds nothing of its own.
            self.write(x.saturating_add(1), y, ' ', style);
        }
    }

    fn set(&mut self, x: u16, y: u16, c: char, style: Style) {
        // What covers the right half of a wide character takes the left half too, or neither would be seen.
        if let Some(left) = x
            .checked_sub(1)
            .and_then(|left| self.buf.cell_mut((left, y)))
            && left.symbol().len() > 1
            && left.symbol().chars().any(|c| c.width() == Some(2))
        {
            left.set_char(' ');
        }
        self.write(x, y, c, style);
    }

    fn write(&mut self, x: u16, y: u16, c: char, style: Style) {
        if let Some(cell) = self.buf.cell_mut((x, y)) {
            cell.reset();
            cell.set_char(c).set_style(style);
        }
    }
}
