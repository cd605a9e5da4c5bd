//! The wall: pages that turn by the clock, and the way back to it.

use super::*;
use crate::app::explain::Tone;
use crate::app::screen::View;
use crate::app::wall::{HOME, Item, TURN, dealt, items, pages};

fn wall(services: usize, home: bool) -> Bench {
    let mut bench = Bench::with(Settings {
        hosts: vec![HostSpec::new("a".into(), "ssh://a".parse().unwrap())],
        wall: home,
        ..Settings::default()
    });
    // Images that no registry is known to hold need a human, each for itself.
    let names: Vec<String> = (0..services).map(|number| format!("s{number}")).collect();
    bench.up("a", names.iter().map(|name| plain(name)).collect());
    bench
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

fn page(bench: &Bench) -> Option<usize> {
    match bench.model.screen.view {
        View::Wall { page } => Some(page),
        _ => None,
    }
}

#[test]
fn a_minute_after_the_last_key_the_wall_is_back() {
    let mut bench = wall(1, true);
    assert_eq!(page(&bench), Some(0), "it begins there");
    bench.press("1 :");
    assert_eq!(page(&bench), None);
    bench.pass(millis(HOME) - 1);
    assert_eq!(page(&bench), None);
    bench.press("j");
    bench.pass(millis(HOME) - 1);
    assert_eq!(page(&bench), None, "each key counts anew");
    bench.pass(1);
    assert_eq!(page(&bench), Some(0));
    assert_eq!(bench.model.screen.overlay, Overlay::None);
    bench.press("?");
    bench.pass(millis(HOME));
    assert_eq!(bench.model.screen.overlay, Overlay::None);
}

#[test]
fn a_console_that_began_elsewhere_is_left_where_it_is() {
    let mut bench = wall(1, false);
    bench.press("0 1");
    bench.pass(millis(HOME) * 3);
    assert_eq!(page(&bench), None);
    bench.press("0");
    assert_eq!(page(&bench), Some(0));
    bench.press("esc");
    assert_eq!(page(&bench), None);
}

#[test]
fn pages_turn_by_themselves_and_by_keys_and_one_page_stays() {
    let mut bench = wall(1, true);
    bench.model.problems = (0..60).map(|number| format!("problem {number}")).collect();
    let count = pages(&bench.model);
    assert!(count > 2, "{}", items(&bench.model).len());
    bench.model.dirty = true;
    bench.tick();
    bench.pass(millis(TURN));
    assert_eq!(page(&bench), Some(1));
    bench.pass(millis(TURN) * (count as u64 - 1));
    assert_eq!(page(&bench), Some(0), "around");
    bench.press("k");
    assert_eq!(page(&bench), Some(count - 1));
    bench.press("j");
    assert_eq!(page(&bench), Some(0));
    bench.model.problems.clear();
    bench.pass(millis(TURN) * 3);
    assert_eq!(page(&bench), Some(0));
}

#[test]
fn a_clock_that_is_not_set_is_said_and_dims_nothing() {
    let mut bench = wall(1, true);
    bench.model.now.wall = jiff::Timestamp::from_second(60).unwrap();
    assert!(!crate::app::wall::is_clock_set(&bench.model));
    assert!(!crate::app::wall::is_night(&bench.model));
    let at = bench.model.now.wall;
    assert_eq!(
        crate::app::wall::time(&bench.model, at),
        "before the clock was set"
    );
}

#[test]
fn a_page_that_goes_on_says_with_what() {
    let item = |text: &str, below| Item {
        text: text.to_owned(),
        beside: String::new(),
        seen: None,
        tone: Tone::Plain,
        below,
    };
    let mut all = vec![item("down", false), item("12 services behind", false)];
    all.extend((0..5).map(|number| item(&format!("s{number}"), true)));
    all.push(item("pulled", false));
    let texts = |page: &Vec<Item>| {
        page.iter()
            .map(|item| item.text.clone())
            .collect::<Vec<_>>()
    };
    let pages: Vec<Vec<String>> = dealt(all.clone(), 4).iter().map(texts).collect();
    assert_eq!(pages[0], ["down", "12 services behind", "s0", "s1"]);
    assert_eq!(
        pages[1],
        ["12 services behind, continued", "s2", "s3", "s4"]
    );
    assert_eq!(pages[2], ["pulled"]);
    // One line is not spent on saying what it belongs to; and nothing is left out.
    assert_eq!(dealt(all, 1).len(), 8);
    assert_eq!(dealt(Vec::new(), 4), [Vec::new()]);
}

#[test]
fn who_lost_the_network_that_it_shares_is_not_well_whatever_its_health() {
    let mut bench = wall(0, true);
    let mut torrent = composed("arr", "torrent");
    torrent.health = crate::core::engine::Health::Healthy;
    torrent.network_mode = "container:vpn".to_owned();
    let both = vec![plain("vpn"), torrent.clone()];
    bench.up("a", both);
    let well = bench.service("a/arr/torrent");
    assert_eq!(
        (well.is_unhealthy(), well.life().as_str()),
        (false, "healthy")
    );
    bench.up("a", vec![torrent]);
    let lost = bench.service("a/arr/torrent");
    assert_eq!(
        (lost.is_unhealthy(), lost.life().as_str()),
        (true, "cut off")
    );
    let note = lost.note.clone().unwrap_or_default();
    assert!(note.contains("is gone"), "{note}");
    let shown = items(&bench.model);
    assert!(
        shown
            .iter()
            .any(|item| item.text.ends_with("torrent (a): cut off"))
    );
}
