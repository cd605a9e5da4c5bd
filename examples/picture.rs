//! Draws a screen of the demo fleet as an SVG: `cargo run --example picture -- [WIDTHxHEIGHT] [HOST/PROJECT/SERVICE] [KEY]...`.
//!
//! Cells become text at fixed places, so that the picture looks alike whatever font shows it. The same arguments give
//! the same bytes: time is simulated and digests follow from names.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use homelab_tui::app::mode::Operating;
use homelab_tui::app::msg::Msg;
use homelab_tui::app::screen::RowId;
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;
use homelab_tui::ui;
use homelab_tui::ui::glyphs::Glyphs;
use homelab_tui::ui::theme::{BUILT_IN, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// The size of a cell, in the picture's units.
const CELL: (f64, f64) = (8.4, 18.0);

/// Free room around the screen.
const MARGIN: f64 = 10.0;

const FONTS: &str = "ui-monospace, 'Cascadia Mono', 'JetBrains Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let size = arguments.next().unwrap_or_else(|| "140x36".to_owned());
    let (width, height) = size.split_once('x').ok_or("the size is WIDTHxHEIGHT")?;
    let area = Rect::new(0, 0, width.parse()?, height.parse()?);
    let target = arguments
        .next()
        .unwrap_or_else(|| "vps/blog/blog".to_owned());
    let keys: Vec<String> = arguments.collect();
    let svg = svg(&screen(area, &target, &keys.join(" "))?);
    std::io::stdout().write_all(svg.as_bytes())?;
    Ok(())
}

/// Runs the demo until everything has answered, presses the keys and draws.
fn screen(area: Rect, target: &str, keys: &str) -> Result<Buffer, Box<dyn Error>> {
    let start = "2026-09-05T14:02:10Z".parse()?;
    let mut driver: Driver<Operating> = Driver::started(&Scenario::fleet(), start);
    driver.tell(Msg::Resize {
        width: area.width,
        height: area.height,
    });
    driver.settle(Duration::from_secs(20));
    let found = driver
        .model
        .services()
        .find(|service| service.key.to_string() == target);
    let service = found.ok_or("the demo has no such service")?.key.clone();
    driver.model.screen.selected = Some(RowId::Service(service));
    driver.keys(keys);
    driver.settle(Duration::from_secs(20));
    let (name, text) = BUILT_IN[0];
    let roles: BTreeMap<String, String> = serde_yaml::from_str(text)?;
    let mut buffer = Buffer::empty(area);
    let theme = Theme::new(name, &roles)?;
    ui::draw(&driver.model, &theme, Glyphs::UNICODE, area, &mut buffer);
    Ok(buffer)
}

/// Returns the picture of a screen.
fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (
        f64::from(area.width) * CELL.0 + 2.0 * MARGIN,
        f64::from(area.height) * CELL.1 + 2.0 * MARGIN,
    );
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" font-family="{FONTS}" font-size="14">"#
    );
    let body = screen_ground(buffer);
    let _ = writeln!(
        out,
        r#"<title>The demo fleet</title><rect width="100%" height="100%" rx="8" fill="{body}"/>"#
    );
    for y in 0..area.height {
        let row: Vec<&Cell> = (0..area.width).map(|x| &buffer[(x, y)]).collect();
        draw_row(&mut out, &row, f64::from(y) * CELL.1 + MARGIN, &body);
    }
    out.push_str("</svg>\n");
    out
}

/// Returns the colour that most of the screen lies on.
fn screen_ground(buffer: &Buffer) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for cell in &buffer.content {
        *counts.entry(colours(cell).1).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(|| "#000000".to_owned(), |(colour, _)| colour)
}

/// Draws one row: runs of one ground as boxes, then runs of one look as text.
fn draw_row(out: &mut String, row: &[&Cell], top: f64, body: &str) {
    let mut from = 0;
    while from < row.len() {
        let ground = colours(row[from]).1;
        let len = same(&row[from..], |cell| colours(cell).1 == ground);
        if ground != body {
            let (x, width) = span(from, len);
            let _ = writeln!(
                out,
                r#"<rect x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{:.1}" fill="{ground}"/>"#,
                CELL.1
            );
        }
        from += len;
    }
    let mut from = 0;
    while from < row.len() {
        if row[from].symbol().trim().is_empty() {
            from += 1;
            continue;
        }
        let wide = row[from].symbol().width().max(1);
        let look = look(row[from]);
        // Two spaces end a run, so that a drift of the font never adds up; wide characters stand alone.
        let len = if wide > 1 {
            wide
        } else {
            let mut spaces = 0;
            let fits = |cell: &&&Cell| {
                let symbol = cell.symbol();
                spaces = if symbol == " " { spaces + 1 } else { 0 };
                spaces < 2 && symbol.width() <= 1 && (symbol == " " || self::look(cell) == look)
            };
            row[from..].iter().take_while(fits).count()
        };
        let text: String = row[from..from + if wide > 1 { 1 } else { len }]
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        let text = text.trim_end();
        let (x, _) = span(from, len);
        let width = f64::from(u32::try_from(text.width()).unwrap_or(1)) * CELL.0;
        let _ = writeln!(
            out,
            r#"<text x="{x:.1}" y="{:.1}" textLength="{width:.1}" lengthAdjust="spacingAndGlyphs" xml:space="preserve"{look}>{}</text>"#,
            top + CELL.1 * 0.74,
            escaped(text)
        );
        from += len;
    }
}

fn same(row: &[&Cell], is: impl Fn(&Cell) -> bool) -> usize {
    row.iter().take_while(|cell| is(cell)).count().max(1)
}

fn span(from: usize, len: usize) -> (f64, f64) {
    let cells = |count: usize| f64::from(u32::try_from(count).unwrap_or(0)) * CELL.0;
    (cells(from) + MARGIN, cells(len))
}

/// Returns how a cell's text looks, as attributes.
fn look(cell: &Cell) -> String {
    let mut text = format!(r#" fill="{}""#, colours(cell).0);
    for (mark, attribute) in [
        (Modifier::BOLD, r#" font-weight="bold""#),
        (Modifier::ITALIC, r#" font-style="italic""#),
        (Modifier::UNDERLINED, r#" text-decoration="underline""#),
        (Modifier::DIM, r#" opacity="0.6""#),
    ] {
        if cell.modifier.contains(mark) {
            text.push_str(attribute);
        }
    }
    text
}

/// Returns a cell's colours: its text's and its ground's.
fn colours(cell: &Cell) -> (String, String) {
    let pair = (colour(cell.fg, "#d8d8d8"), colour(cell.bg, "#000000"));
    if cell.modifier.contains(Modifier::REVERSED) {
        (pair.1, pair.0)
    } else {
        pair
    }
}

fn colour(colour: Color, usual: &str) -> String {
    let named = match colour {
        Color::Rgb(red, green, blue) => return format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Black => "#000000",
        Color::Red => "#aa0000",
        Color::Green => "#00aa00",
        Color::Yellow => "#aa5500",
        Color::Blue => "#0000aa",
        Color::Magenta => "#aa00aa",
        Color::Cyan => "#00aaaa",
        Color::Gray => "#aaaaaa",
        Color::DarkGray => "#555555",
        Color::LightRed => "#ff5555",
        Color::LightGreen => "#55ff55",
        Color::LightYellow => "#ffff55",
        Color::LightBlue => "#5555ff",
        Color::LightMagenta => "#ff55ff",
        Color::LightCyan => "#55ffff",
        Color::White => "#ffffff",
        Color::Reset | Color::Indexed(_) => usual,
    };
    named.to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
