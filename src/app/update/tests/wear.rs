//! What months on a small machine wear out: writes to its card, and memory that fills.

use super::*;

const MINUTE: u64 = 60_000;

fn saves(effects: &[(u64, Effect<Operating>)]) -> usize {
    let remember = Effect::Console(Console::Remember);
    let saves = effects.iter().filter(|(_, effect)| *effect == remember);
    saves.count()
}

fn rendered(bench: &Bench, image: &str) -> Msg {
    let compose = bench.service("a/app/web").compose.clone();
    let service = RenderedService {
        image: Some(image.to_owned()),
        builds: false,
        hash: Some("abc".to_owned()),
        hash_alone: None,
    };
    Msg::Rendered {
        host: "a".into(),
        project: "app".into(),
        recipe: compose.unwrap().recipe,
        state: FilesState::Rendered(Rendered {
            // Each look has a time of its own.
            at: day(100) + SignedDuration::from_millis(i64::try_from(bench.at).unwrap()),
            compose_version: "2.40.3".to_owned(),
            pins: Default::default(),
            services: [("web".to_owned(), service)].into(),
        }),
    }
}

#[test]
fn a_day_on_which_all_is_as_it_was_writes_once() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let effects = bench.up("a", vec![composed("app", "web")]);
    let asked = questions(&effects)[0].key.clone();
    bench.resolved(&asked, Ok(answer(10)));
    bench.tell(rendered(&bench, "ghcr.io/me/app"));
    assert_eq!(saves(&bench.pass(2 * MINUTE)), 1, "what was learned");
    let mut written = 0;
    for half_hour in 0..48 {
        bench.tell(rendered(&bench, "ghcr.io/me/app"));
        // A registry that comes and goes says nothing that lasts.
        let result = if half_hour % 2 == 0 {
            Err(refused(RegistryTrouble::Away))
        } else {
            Ok(answer(10))
        };
        bench.resolved(&asked, result);
        written += saves(&bench.pass(30 * MINUTE));
    }
    assert_eq!(written, 1, "times only");
    bench.tell(rendered(&bench, "ghcr.io/me/app:v2"));
    assert_eq!(saves(&bench.pass(31 * MINUTE)), 1, "the files changed");
    bench.resolved(&asked, Ok(answer(11)));
    assert_eq!(saves(&bench.pass(31 * MINUTE)), 1, "the tag moved");
}

#[test]
fn what_is_long_gone_is_forgotten_and_what_is_there_stays() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let errand = |number: u64| plain(&format!("errand-{number}"));
    bench.up("a", vec![plain("web")]);
    let lasting = bench.model.history.seen.len();
    for number in 0..40 {
        // A container that is made for one errand each day, from a tag of its own.
        let mut once = errand(number);
        once.reference = format!("ghcr.io/me/app:run-{number}");
        bench.observed("a", Ok(seen(vec![plain("web"), once])));
        bench.pass(24 * 60 * MINUTE);
        bench.tell(Msg::Event {
            host: "a".into(),
            event: changed("x"),
        });
        bench.pass(1_000);
        bench.observed("a", Ok(seen(vec![plain("web")])));
    }
    bench.pass(31 * MINUTE);
    let seen = bench.model.history.seen.len() - lasting;
    assert!((29..=31).contains(&seen), "{seen}");
    assert!(bench.model.history.seen.contains_key(&key("a/-/web")));

    let spare: Vec<QuestionKey> = bench.model.remotes.keys().cloned().collect();
    for number in 0..600 {
        let mut key = spare[0].clone();
        key.reference = format!("ghcr.io/me/app:old-{number}").parse().unwrap();
        let remote = RemoteModel::new(Remote::default());
        bench.model.remotes.insert(key, remote);
    }
    bench.observed("a", Ok(self::seen(vec![plain("web"), errand(99)])));
    bench.pass(31 * MINUTE);
    let left: Vec<String> = bench
        .model
        .remotes
        .keys()
        .map(|key| key.reference.to_string())
        .collect();
    assert!(left.len() < 400, "{}", left.len());
    assert!(
        left.iter()
            .any(|reference| reference.ends_with("app:latest")),
        "{left:?}"
    );
}
