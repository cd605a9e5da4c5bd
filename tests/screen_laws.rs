//! What holds on every screen, whatever the fleet, the size and the names in it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod screen;

use std::collections::BTreeMap;

use homelab_tui::app::msg::Msg;
use homelab_tui::core::text::clean;
use homelab_tui::demo::Scenario;
use homelab_tui::ui::glyphs::Glyphs;
use homelab_tui::ui::theme::{BUILT_IN, Ground, Role, Theme};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use screen::{Console, theme};
use unicode_width::UnicodeWidthStr;

const PAGES: [&str; 10] = ["", "v", "v v", "v v v", "enter", "w", "d", "?", ":", "/"];

/// Both fonts of the Linux console have these and ASCII.
const SAFE: &str = "─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╦╩╬↑↓→←▶◀▲▼•·█▒░≤≥≈±÷°µ∞«»§¶¬½²éüßñ";

#[test]
fn the_console_profile_has_safe_glyphs_and_both_colours_in_every_cell() {
    for size in [(160, 45), (80, 25), (40, 15)] {
        for page in PAGES {
            let mut console = Console::fleet(size.0, size.1).looks("console", Glyphs::CONSOLE);
            console.keys(page).keys("G");
            for cell in &console.buffer().content {
                let safe = |c: char| c.is_ascii_graphic() || c == ' ' || SAFE.contains(c);
                assert!(
                    cell.symbol().chars().all(safe),
                    "{page}: {:?}",
                    cell.symbol()
                );
                for color in [cell.fg, cell.bg] {
                    let usable = [
                        Color::Black,
                        Color::Red,
                        Color::Green,
                        Color::Yellow,
                        Color::Blue,
                        Color::Magenta,
                        Color::Cyan,
                        Color::Gray,
                    ];
                    assert!(usable.contains(&color), "{page}: {color:?}");
                }
                assert_ne!(cell.fg, cell.bg);
                assert_eq!(cell.modifier, Modifier::empty());
            }
        }
    }
}

#[test]
fn the_ascii_profile_is_ascii() {
    for page in PAGES {
        let mut console = Console::fleet(80, 24).looks("mono", Glyphs::ASCII);
        let screen = console.keys(page).keys("G").plain();
        assert!(screen.is_ascii(), "{screen}");
    }
}

#[test]
fn no_color_means_none() {
    for page in PAGES {
        let mut console = Console::fleet(80, 24).looks("mono", Glyphs::UNICODE);
        for cell in &console.keys(page).buffer().content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
    }
}

#[test]
fn without_colours_the_states_are_told_apart() {
    let mut console = Console::fleet(80, 40).looks("mono", Glyphs::ASCII);
    let screen = console.plain();
    for word in [
        "+ current",
        "o local",
        "v pulled",
        "^ behind",
        "< moved",
        "x gone",
        "? unknown",
    ] {
        assert!(screen.contains(word), "{word}: {screen}");
    }
    assert!(
        screen.contains("unhealthy") && screen.contains("exited (137)"),
        "{screen}"
    );
    assert!(
        screen.contains("offline") && screen.contains("denied"),
        "{screen}"
    );
    console.keys("v");
    assert!(console.plain().contains(">"));
}

#[test]
fn the_selected_row_is_always_seen() {
    for size in [(160, 45), (80, 24), (40, 15), (30, 8)] {
        let mut console = Console::fleet(size.0, size.1).looks("mono", Glyphs::ASCII);
        for keys in ["v", "enter", "v", "v", "v"] {
            for _ in 0..30 {
                let screen = console.keys("down").plain();
                let marked = screen.lines().filter(|line| line.starts_with('>')).count();
                assert_eq!(marked, 1, "{screen}");
            }
            console.keys("g").keys(keys);
        }
    }
}

#[test]
fn nothing_jumps_while_facts_arrive() {
    let mut console = Console::of(&screen::small_fleet(), 120, 40);
    let column = |console: &Console| {
        let screen = console.plain();
        let titles = screen
            .lines()
            .find(|line| line.contains("by host"))
            .unwrap()
            .to_owned();
        (titles.find("running"), titles.find("verdict"))
    };
    let before = column(&console);
    for _ in 0..40 {
        console
            .driver
            .run_for(std::time::Duration::from_millis(100));
        assert_eq!(column(&console), before);
    }
    assert!(console.plain().contains("2 of 4 hosts up") || console.plain().contains("2/4 up"));
}

#[test]
fn digests_are_whole_or_absent() {
    let console = Console::fleet(80, 24);
    let model = &console.driver.model;
    let digests: Vec<String> = model
        .services()
        .map(|s| s.running.short().to_owned())
        .collect();
    for width in (1..=200).step_by(3) {
        let mut console = Console::fleet_at(&console, width, 40);
        for keys in ["", "v", "v", "v"] {
            let screen = console.keys(keys).plain();
            for digest in &digests {
                for (at, _) in screen.match_indices(&digest[..8]) {
                    assert!(screen[at..].starts_with(digest), "{width}: {screen}");
                }
            }
        }
    }
}

#[test]
fn texts_are_readable_on_all_their_grounds() {
    for (name, _) in BUILT_IN {
        let theme = theme(name);
        for role in Role::ALL {
            for ground in Ground::ALL {
                let style = theme.style(role, ground);
                let (Some(Color::Rgb(r, g, b)), Some(Color::Rgb(x, y, z))) = (style.fg, style.bg)
                else {
                    continue;
                };
                let contrast = contrast([r, g, b], [x, y, z]);
                let least = if role == Role::Border { 1.3 } else { 4.5 };
                assert!(
                    contrast >= least,
                    "{name}: {role:?} on {ground:?}: {contrast:.2}"
                );
            }
        }
    }
}

/// The contrast of two colours as WCAG 2 defines it.
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let light = |color: [u8; 3]| {
        let [r, g, b] = color.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn a_wrong_theme_says_what_is_wrong() {
    let good = || -> BTreeMap<String, String> {
        let (_, text) = BUILT_IN[0];
        homelab_tui::adapters::theme::parse("mine", text).unwrap()
    };
    let broken = |role: &str, look: &str| {
        let mut roles = good();
        roles.insert(role.to_owned(), look.to_owned());
        Theme::new("mine", &roles).unwrap_err().to_string()
    };
    assert!(broken("god", "red").contains("there is no role \"god\"; expected text, quiet"));
    assert!(broken("good", "gren").contains("good: \"gren\" is no colour"));
    assert!(broken("good", "#12345").contains("#12345"));
    assert!(broken("good", "red blue").contains("\"blue\""));
    assert!(broken("text", "red").contains("text needs both colours"));
    let mut roles = good();
    roles.remove("quiet");
    let error = Theme::new("mine", &roles).unwrap_err().to_string();
    assert_eq!(error, "theme mine: the role quiet is missing");
}

/// Makes a fleet of strange names.
fn strange(names: &[String], reference: &str) -> String {
    let mut text = String::from("hosts:\n");
    for (index, name) in names.iter().enumerate() {
        let quoted = serde_json::to_string(name).unwrap();
        let unique = serde_json::to_string(&format!("{index}{name}")).unwrap();
        text.push_str(&format!(
            "  - name: {unique}\n    address: ssh://h{index}\n    environment: {quoted}\n    \
             engine: {{version: {quoted}, api: \"1.45\", store: graph, platform: linux/amd64}}\n    \
             projects:\n      {quoted}:\n        dir: {quoted}\n        services:\n          {quoted}: \
             {{image: {reference}, ports: [{quoted}], labels: {{{quoted}: {quoted}}}, expect: current}}\n",
        ));
    }
    text.push_str("images:\n  x: {builds: [{id: a, built: 3d ago}], tags: {latest: a}}\n");
    text
}

fn name() -> impl Strategy<Value = String> {
    let hostile = prop_oneof![
        Just("\u{1b}[31m".to_owned()),
        Just("\u{202e}x\u{2066}".to_owned()),
        Just("a\u{301}\u{302}\u{303}".to_owned()),
        Just("漢字かな".to_owned()),
        Just("👩\u{200d}👩\u{200d}👧\u{fe0f}🏽".to_owned()),
        Just("\u{9b}31m\u{85}".to_owned()),
        Just("e\r\n\t\u{7}\u{8}".to_owned()),
        "[a-z]{1,40}",
        "\\PC{1,20}",
        any::<String>().prop_map(|text| text.chars().take(30).collect()),
    ];
    proptest::collection::vec(hostile, 1..4).prop_map(|parts| parts.concat())
}

fn check(buffer: &Buffer) {
    for row in buffer.content.chunks(usize::from(buffer.area.width).max(1)) {
        let mut covered = 0;
        for (x, cell) in row.iter().enumerate() {
            let symbol = cell.symbol();
            assert_eq!(clean(symbol), symbol, "nothing that steers a terminal");
            let width = symbol.width();
            if covered > 0 {
                assert_eq!(symbol, " ", "nothing lies under a wide character");
                covered -= 1;
                continue;
            }
            assert!(width == 1 || width == 2, "{symbol:?}");
            assert!(
                x + width <= row.len(),
                "no wide character hangs over the edge"
            );
            covered = width - 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e1_any_names_at_any_size_leave_the_screen_whole(
        names in proptest::collection::vec(name(), 1..4),
        keys in proptest::collection::vec(
            prop_oneof![
                Just("j"), Just("G"), Just("v"), Just("enter"), Just("w"), Just("d"), Just("?"),
                Just(":"), Just("/"), Just("esc"), Just("left"), Just("right"), Just("s"), Just("R"),
                Just("pgdn"), Just("é"), Just("y"),
            ],
            0..24,
        ),
        sizes in proptest::collection::vec((0_u16..200, 0_u16..60), 1..5),
        profile in prop_oneof![Just(Glyphs::UNICODE), Just(Glyphs::CONSOLE), Just(Glyphs::ASCII)],
    ) {
        let Ok(scenario) = Scenario::parse(&strange(&names, "x")) else {
            return Ok(());
        };
        let mut console = Console::of(&scenario, 80, 24).looks("dusk", profile);
        console.driver.settle(std::time::Duration::from_secs(5));
        console.driver.tell(Msg::Paste(names[0].clone()));
        for (place, key) in keys.iter().enumerate() {
            console.keys(key);
            if place % 5 == 0 {
                console.driver.tell(Msg::Paste(names[0].clone()));
            }
            let (width, height) = sizes[place % sizes.len()];
            console.resize(width, height);
            check(&console.buffer());
        }
        for (width, height) in [(0, 0), (1, 1), (2, 2), (3, 1), (1, 40), (u16::MAX / 400, 200)] {
            console.resize(width, height);
            check(&console.buffer());
        }
    }
}
