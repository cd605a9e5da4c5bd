//! Keys, text fields, selection.

use super::*;
use crate::app::commands::{self, COMMANDS};
use crate::app::keymap::Keymap;

fn fleet() -> Bench {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://b")]);
    bench.up("a", vec![plain("cherry"), plain("melon")]);
    bench.connect("b");
    bench.observed("b", Ok(seen(vec![plain("apple")])));
    bench
}

fn on(path: &str) -> Option<RowId> {
    Some(RowId::Service(key(path)))
}

fn shown(bench: &Bench) -> usize {
    Rows::of(&bench.model).list.len()
}

#[test]
fn e5_a_filter_owns_its_keys() {
    let mut bench = fleet();
    let all = shown(&bench);
    bench.press("/");
    for c in ['q', 'R', 'j', '?', ':', '/', ' '] {
        assert_eq!(bench.tell(Msg::Key(Key::char(c))), [], "{c:?} typed");
    }
    assert_eq!(bench.model.screen.filter, "qRj?:/ ");
    assert!(!bench.model.ending);
    // Esc gives back what was there before, Enter keeps it.
    bench.press("esc");
    assert_eq!(bench.model.screen.filter, "");
    assert_eq!(shown(&bench), all);
    bench.press("/");
    bench.type_text("apple");
    bench.press("enter");
    assert_eq!(bench.model.screen.filter, "apple");
    assert!(shown(&bench) < all);
    bench.press("q");
    assert!(bench.model.ending);
}

#[test]
fn e5_ctrl_c_leaves_from_every_text_field() {
    for open in ["/", ":"] {
        let mut bench = fleet();
        bench.press(open);
        let effects = bench.press("ctrl-c");
        assert_eq!(effects.last(), Some(&Effect::Console(Console::Quit)));
    }
}

#[test]
fn e5_text_of_any_script_is_typed_deleted_and_pasted_whole() {
    let mut bench = fleet();
    bench.press("/");
    bench.type_text("läuft漢字🦀");
    bench.press("backspace");
    assert_eq!(bench.model.screen.filter, "läuft漢字");
    bench.press("backspace backspace backspace");
    assert_eq!(bench.model.screen.filter, "läuf");
    bench.press("ctrl-u");
    bench.tell(Msg::Paste("übe\u{1b}[31mr\r\nall".to_owned()));
    assert_eq!(
        bench.model.screen.filter, "übe[31mrall",
        "no control characters"
    );
    bench.tell(Msg::Paste("字".repeat(100_000)));
    assert_eq!(bench.model.screen.filter.chars().count(), 200, "bounded");
    bench.press("enter");
    assert_eq!(shown(&bench), 0, "and harmless");
    bench.press("j k G g enter esc");
}

#[test]
fn a_paste_presses_no_keys() {
    let mut bench = fleet();
    assert_eq!(bench.tell(Msg::Paste("q\nR".to_owned())), []);
    assert!(!bench.model.ending);
    assert_eq!(bench.model.screen.overlay, Overlay::None);
}

#[test]
fn the_palette_runs_what_is_chosen_and_owns_its_keys() {
    let mut bench = fleet();
    bench.press(":");
    bench.type_text("q");
    assert!(!bench.model.ending, "typed, not pressed");
    bench.type_text("uit");
    let effects = bench.press("enter");
    assert_eq!(effects.last(), Some(&Effect::Console(Console::Quit)));

    let mut bench = fleet();
    bench.press(":");
    bench.type_text("no such command");
    assert_eq!(bench.press("down down tab up enter"), []);
    assert_eq!(bench.model.screen.overlay, Overlay::None);
    bench.press(":");
    bench.tell(Msg::Paste("gro\nup".to_owned()));
    bench.press("enter");
    assert_eq!(bench.model.screen.group, Group::Attention);
}

#[test]
fn the_selection_follows_the_service_not_the_row() {
    let mut bench = fleet();
    bench.press("/");
    bench.type_text("melon");
    bench.press("enter G");
    assert_eq!(bench.selected(), on("a/-/melon"));
    bench.press("esc");
    assert_eq!(bench.selected(), on("a/-/melon"), "when the filter goes");

    // Rows appear above it, its own among others moves, hosts go and come.
    let more = ["banana", "cherry", "date", "melon"].map(plain).to_vec();
    bench.observed("a", Ok(seen(more)));
    assert_eq!(bench.selected(), on("a/-/melon"));
    for _ in 0..4 {
        bench.press("v");
        if bench.model.screen.group == Group::Image {
            // One row an image: the service lies folded in it and is found again.
            let image = RowId::Group("ghcr.io/me/app:latest".to_owned());
            assert_eq!(bench.selected(), Some(image));
            continue;
        }
        assert_eq!(
            bench.selected(),
            on("a/-/melon"),
            "{:?}",
            bench.model.screen.group
        );
    }
    for _ in 0..3 {
        bench.press("s");
        assert_eq!(bench.selected(), on("a/-/melon"));
    }
    assert_eq!(bench.model.screen.sort, Sort::Name);
    bench.lose("a", HostTrouble::NoConnection);
    assert_eq!(bench.selected(), on("a/-/melon"));

    // When it is gone the selection stays near, and comes back with it.
    bench.connect("a");
    bench.observed("a", Ok(seen(vec![plain("banana")])));
    assert!(bench.selected().is_some());
    bench.observed("a", Ok(seen(vec![plain("banana"), plain("melon")])));
    assert_eq!(bench.selected(), on("a/-/melon"));
}

#[test]
fn before_anything_was_selected_the_first_row_stays_selected() {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://b")]);
    assert_eq!(bench.selected(), Some(RowId::Host("a".into())));
    bench.up("a", vec![plain("x")]);
    assert_eq!(bench.selected(), Some(RowId::Host("a".into())));
}

#[test]
fn moving_stays_within_the_list() {
    let mut bench = fleet();
    bench.press("k k k pgup g");
    assert_eq!(bench.selected(), Some(RowId::Host("a".into())));
    bench.press("G j j j pgdn");
    assert_eq!(bench.selected(), on("b/-/apple"));
    let mut empty = Bench::new(&[]);
    empty.press("j k G g pgup pgdn enter esc w d v s R y o e left right");
    assert_eq!(empty.selected(), None);
}

#[test]
fn folding_a_service_folds_what_it_lies_in() {
    let mut bench = fleet();
    let all = shown(&bench);
    bench.press("G left");
    assert_eq!(
        bench.selected(),
        Some(RowId::Project("b".into(), "-".into()))
    );
    assert_eq!(shown(&bench), all - 1);
    bench.press("enter");
    assert_eq!(shown(&bench), all);
}

#[test]
fn overlays_take_the_keys_that_move_and_close_by_their_own_key() {
    let mut bench = fleet();
    bench.press("G");
    let selected = bench.selected();
    for open in ["w", "d", "?"] {
        bench.press(open);
        assert_ne!(bench.model.screen.overlay, Overlay::None);
        bench.press("j j pgdn k");
        assert_eq!(bench.selected(), selected, "what lies below stays put");
        bench.press(open);
        assert_eq!(bench.model.screen.overlay, Overlay::None);
        bench.press(open);
        bench.press("esc");
        assert_eq!(bench.model.screen.overlay, Overlay::None);
    }
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let mut bench = fleet();
    bench.press("g e");
    let said = |bench: &Bench| bench.model.screen.notice.clone().unwrap().text;
    assert_eq!(said(&bench), "shell: select a service first");
    bench.press("G e");
    assert_eq!(bench.model.screen.notice, None);
    bench.lose("b", HostTrouble::NoConnection);
    bench.press("e");
    assert!(said(&bench).contains("look there"), "{}", said(&bench));
    bench.press("o");
    assert!(said(&bench).contains("no source"));
    // The next key clears the word.
    bench.press("j");
    assert_eq!(bench.model.screen.notice, None);
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut bench = fleet();
    bench.model.dirty = false;
    bench.at += 500;
    bench.tick();
    bench.tell(Msg::Event {
        host: "a".into(),
        event: changed("x"),
    });
    assert!(!bench.model.dirty, "an event alone shows nothing new");
    bench.at += 60_000;
    bench.tick();
    assert!(bench.model.dirty, "ages change with the minute");
}

#[test]
fn a_copy_is_an_effect_and_says_what_was_copied() {
    let mut bench = fleet();
    let effects = bench.press("G y");
    let digest = digest(10).to_string();
    assert_eq!(effects, [Effect::Console(Console::Copy(digest.clone()))]);
    assert!(
        bench
            .model
            .screen
            .notice
            .clone()
            .unwrap()
            .text
            .contains(&digest)
    );
}

#[test]
fn what_is_said_names_the_keys_that_the_operator_chose() {
    let mut bench = fleet();
    bench.press("G 3");
    let keys = [
        ("fleet", &["f1"][..]),
        ("tags", &["alt-t"]),
        ("why", &["1", "3"]),
    ];
    let own = keys.map(|(id, keys)| {
        (
            id.to_owned(),
            keys.iter().map(|key| (*key).into()).collect(),
        )
    });
    bench.model.keymap = Keymap::new(&own.into()).0;
    let refused = |model: &Model, id: &str| {
        let command = COMMANDS.iter().find(|command| command.id == id).unwrap();
        commands::refusal(model, command)
    };
    let said = refused(&bench.model, "group").unwrap();
    assert_eq!(said, "only in the fleet (f1)");
    bench.press("f1");
    let said = refused(&bench.model, "keep").unwrap();
    assert_eq!(said, "select an image among the tags first (alt-t)");

    // A command that lost its keys to others is told by its name.
    let taken = [("why".to_owned(), vec!["3".to_owned()])];
    bench.model.keymap = Keymap::new(&taken.into()).0;
    let said = refused(&bench.model, "keep").unwrap();
    assert_eq!(said, "select an image among the tags first (command tags)");
}

#[test]
fn a_refresh_looks_again_at_what_is_selected_only() {
    let mut bench = fleet();
    for key in bench.model.remotes.keys().cloned().collect::<Vec<_>>() {
        bench.resolved(&key, Ok(answer(10)));
    }
    bench.at += 1000;
    let effects = bench.press("G R");
    let hosts: Vec<_> = looks(&effects)
        .into_iter()
        .filter_map(|look| match look {
            Look::Observe { host, .. } => Some(host.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(hosts, ["b"]);
    assert_eq!(questions(&effects).len(), 1);
    // A host that is away is dialled at once.
    bench.lose("a", HostTrouble::HostKeyChanged);
    let effects = bench.press("g R");
    assert_eq!(looks(&effects), [&Look::Connect { host: "a".into() }]);
}

#[test]
fn keys_with_names_are_told_apart_from_letters() {
    let mut bench = fleet();
    bench.tell(Msg::Key(Key::plain(Code::Function(5))));
    bench.tell(Msg::Key(Key::ctrl('q')));
    assert!(!bench.model.ending);
}

#[test]
fn a_page_scrolls_to_its_end_and_at_once_back_from_there() {
    let mut bench = Bench::new(&[("nas", "local")]);
    bench.press("?");
    bench.model.screen.scroll_end = Some(30);
    bench.press("G");
    assert_eq!(bench.model.screen.overlay, Overlay::Help { scroll: 30 });
    bench.press("j j j k");
    assert_eq!(bench.model.screen.overlay, Overlay::Help { scroll: 29 });
    bench.press("pgdn g");
    assert_eq!(bench.model.screen.overlay, Overlay::Help { scroll: 0 });
}
