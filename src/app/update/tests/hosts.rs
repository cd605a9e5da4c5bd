//! Dials, readings, events, what goes and comes back.

use super::*;

#[test]
fn all_hosts_are_dialled_at_the_first_tick_and_only_once() {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://b")]);
    let first = bench.tick();
    assert_eq!(looks(&first).len(), 2);
    assert_eq!(bench.tick(), []);
    let later = dials(&bench.pass(600_000));
    assert!(later.is_empty(), "a dial under way is left alone");
}

#[test]
fn d5_a_host_that_does_not_answer_delays_no_other() {
    let mut bench = Bench::new(&[("dead", "ssh://dead"), ("alive", "ssh://alive")]);
    bench.tick();
    bench.at = 40;
    let effects = bench.connect("alive");
    assert_eq!(observes(&effects), [&Scope::All]);
    bench.observed("alive", Ok(seen(vec![plain("web")])));
    assert_eq!(bench.model.services().count(), 1);
    assert_eq!(bench.host("dead").link, Link::Dialling(None));
    assert_eq!(bench.host("dead").state(), HostState::Down);
    // Nor is the first look over while one is still being tried.
    assert!(!bench.model.is_settled());
}

#[test]
fn an_answer_of_a_connection_that_is_gone_is_dropped() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![plain("web")]);
    let old = bench.host("a").generation;
    bench.tell(Msg::Event {
        host: "a".into(),
        event: changed("web"),
    });
    assert_eq!(bench.pass(200).len(), 1, "a reading is under way");
    bench.lose("a", HostTrouble::NoConnection);
    let stale = Msg::Observed {
        host: "a".into(),
        generation: old,
        result: Ok(Box::new(seen(vec![]))),
    };
    bench.tell(stale);
    assert_eq!(bench.model.services().count(), 1, "what was seen stays");
    assert!(!bench.host("a").fresh);

    // Also when the way is open again.
    bench.connect("a");
    bench.tell(Msg::Observed {
        host: "a".into(),
        generation: old,
        result: Ok(Box::new(seen(vec![]))),
    });
    assert!(
        bench.host("a").in_flight,
        "the new reading is still awaited"
    );
    assert_eq!(bench.model.services().count(), 1);
}

#[test]
fn a_burst_of_events_is_one_reading_within_a_fifth_of_a_second() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![plain("web")]);
    let mut done = Vec::new();
    for (number, wait) in [3, 7, 11, 40, 30, 20].into_iter().enumerate() {
        let effects = bench.tell(Msg::Event {
            host: "a".into(),
            event: changed(&format!("c{number}")),
        });
        assert_eq!(effects, []);
        done.extend(bench.pass(wait));
    }
    done.extend(bench.pass(1000));
    let effects: Effects = done.iter().map(|(_, effect)| effect.clone()).collect();
    let ids: BTreeSet<_> = (0..6).map(|n| format!("c{n}").into()).collect();
    assert_eq!(observes(&effects), [&Scope::Containers(ids)]);
    assert!(done[0].0 <= 200, "{}", done[0].0);
}

#[test]
fn what_happens_during_a_reading_is_read_after_it() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    bench.connect("a");
    bench.tell(Msg::Event {
        host: "a".into(),
        event: changed("web"),
    });
    assert_eq!(bench.pass(5000), [], "one reading at a time");
    let effects = bench.observed("a", Ok(seen(vec![plain("web")])));
    let ids = BTreeSet::from(["web".into()]);
    assert_eq!(observes(&effects), [&Scope::Containers(ids)]);
}

#[test]
fn a_host_that_went_keeps_its_rows_and_the_last_verdict() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let effects = bench.up("a", vec![plain("web")]);
    let asked = questions(&effects)[0].key.clone();
    bench.resolved(&asked, Ok(answer(10)));
    assert_eq!(bench.verdict("a/-/web"), (Verdict::Current, None));
    for trouble in [
        HostTrouble::NoConnection,
        HostTrouble::Offline,
        HostTrouble::EngineDown,
    ] {
        bench.lose("a", trouble);
        let told = bench.verdict("a/-/web");
        assert_eq!(told, (Verdict::Unknown, Some(Verdict::Current)));
        assert!(bench.service("a/-/web").why.contains("look there"));
    }
    bench.connect("a");
    // Until it is read anew nothing is claimed.
    assert_eq!(bench.verdict("a/-/web").0, Verdict::Unknown);
    bench.observed("a", Ok(seen(vec![plain("web")])));
    assert_eq!(bench.verdict("a/-/web"), (Verdict::Current, None));
}

#[test]
fn a_lost_host_is_dialled_again_with_growing_pauses() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        bench.lose("a", HostTrouble::NoConnection);
        let lost = bench.at;
        let dialled = dials(&bench.pass(600_000))[0];
        bench.at = dialled;
        pauses.push(dialled - lost);
    }
    assert!((1000..1200).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(pauses[11] <= 330_000, "{pauses:?}");
    // Once it answers the count begins anew.
    bench.connect("a");
    bench.lose("a", HostTrouble::NoConnection);
    let lost = bench.at;
    assert!(dials(&bench.pass(10_000))[0] - lost < 1200);
}

#[test]
fn what_needs_a_person_is_not_tried_every_second() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    bench.lose("a", HostTrouble::HostKeyChanged);
    assert_eq!(bench.host("a").state(), HostState::Denied);
    assert!(dials(&bench.pass(29_000)).is_empty());
    assert_eq!(dials(&bench.pass(5_000)).len(), 1);
    // The row keeps the reason during the next try.
    assert_eq!(bench.host("a").state(), HostState::Denied);
}

#[test]
fn a_dial_that_waits_for_a_person_says_so_and_may_still_succeed() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    let link = "https://login.example/a/1";
    bench.tell(Msg::Waiting {
        host: "a".into(),
        failure: HostFailure::new(HostTrouble::LoginWaits, "a check", format!("open {link}")),
    });
    assert_eq!(bench.host("a").state(), HostState::Denied);
    assert_eq!(
        bench.press("o"),
        [Effect::Console(Console::Copy(link.to_owned()))]
    );
    assert_eq!(
        bench.press("O"),
        [Effect::Console(Console::Browse(link.to_owned()))]
    );
    assert!(
        dials(&bench.pass(300_000)).is_empty(),
        "it is still being dialled"
    );
    let effects = bench.connect("a");
    assert_eq!(observes(&effects).len(), 1);
    assert_eq!(bench.host("a").state(), HostState::Up);
}

#[test]
fn one_bad_answer_is_asked_for_again_over_the_same_way() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![plain("web")]);
    bench.tell(Msg::Event {
        host: "a".into(),
        event: changed("web"),
    });
    bench.pass(200);
    let failure = HostFailure::new(HostTrouble::BadAnswer, "not JSON", "");
    bench.observed("a", Err(failure.clone()));
    assert_eq!(bench.host("a").state(), HostState::Up);
    assert_eq!(bench.verdict("a/-/web").0, Verdict::Unknown);
    let done = bench.pass(3000);
    let effects: Effects = done.into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(observes(&effects), [&Scope::All]);

    // The very first answer may be the bad one.
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    bench.connect("a");
    bench.observed("a", Err(failure));
    assert_eq!(bench.pass(3000).len(), 1);
}

#[test]
fn everything_is_read_again_after_half_an_hour_without_cause() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![]);
    let done = bench.pass(31 * 60 * 1000);
    let effects: Effects = done.into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(observes(&effects), [&Scope::All]);
}

#[test]
fn a_read_only_host_or_way_could_change_nothing() {
    for (read_only, could_change) in [(true, true), (false, false)] {
        let mut spec = HostSpec::new("a".into(), "ssh://a".parse().unwrap());
        spec.read_only = read_only;
        let mut bench = Bench::with(Settings {
            hosts: vec![spec],
            ..Settings::default()
        });
        bench.tick();
        bench.tell(Msg::Connected {
            host: "a".into(),
            rtt_ms: 1,
            could_change,
        });
        assert_eq!(bench.host("a").could_change, Some(false));
    }
}

#[test]
fn what_is_remembered_is_shown_aged_before_any_host_answers() {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://elsewhere")]);
    let mut observed = seen(vec![plain("web")]);
    observed.at = day(90);
    let key = QuestionKey {
        route: Route::Here,
        reference: "ghcr.io/me/app:latest".parse().unwrap(),
        platform: observed.engine.platform.clone(),
    };
    let mut answered = answer(10);
    answered.at = day(91);
    let remembered = |name: &str| RememberedHost {
        name: name.into(),
        address: "ssh://a".to_owned(),
        observation: observed.clone(),
    };
    let memory = Memory {
        counted: Vec::new(),
        hosts: vec![remembered("a"), remembered("b"), remembered("never")],
        remotes: vec![(
            key,
            Remote {
                answer: Some(answered),
                failure: None,
            },
        )],
        files: Vec::new(),
        seen: Vec::new(),
    };
    bench.tell(Msg::Restored(Box::new(memory)));
    let service = bench.service("a/-/web");
    assert_eq!(service.verdict, Verdict::Unknown);
    // The older of the two looks that it stands on.
    assert_eq!(service.last, Some((Verdict::Current, day(90))));
    assert_eq!(service.observed_at, day(90));
    assert!(service.why.contains("not answered yet"), "{}", service.why);
    assert_eq!(
        bench.model.services().count(),
        1,
        "another address inherits nothing"
    );

    // Nor does what is remembered ever overwrite what was seen since.
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![plain("new")]);
    bench.tell(Msg::Restored(Box::new(Memory {
        hosts: vec![remembered("a")],
        ..Memory::default()
    })));
    assert!(bench.model.service(&super::key("a/-/web")).is_none());
    assert!(bench.model.service(&super::key("a/-/new")).is_some());
}

#[test]
fn messages_of_hosts_that_are_not_ours_change_nothing() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    assert_eq!(bench.connect("ghost"), []);
    assert_eq!(bench.lose("ghost", HostTrouble::Offline), []);
    let event = Msg::Event {
        host: "ghost".into(),
        event: changed("x"),
    };
    assert_eq!(bench.tell(event), []);
}

#[test]
fn a_project_s_files_are_rendered_once_and_again_when_it_changed() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let renders = |effects: &Effects| {
        let count = |look: &&&Look| matches!(look, Look::Render { .. });
        looks(effects).iter().filter(count).count()
    };
    let both = || vec![composed("app", "web"), composed("app", "db")];
    let effects = bench.up("a", both());
    assert_eq!(renders(&effects), 1, "one project, one rendering");
    let Some(Look::Render {
        host,
        project,
        recipe,
    }) = looks(&effects)
        .into_iter()
        .find(|look| matches!(look, Look::Render { .. }))
        .cloned()
    else {
        panic!("{effects:?}");
    };
    let service = |hash: &str| RenderedService {
        image: Some("ghcr.io/me/app:latest".to_owned()),
        builds: false,
        hash: Some(hash.to_owned()),
        hash_alone: None,
    };
    let state = FilesState::Rendered(Rendered {
        at: day(100),
        compose_version: "2.40.3".to_owned(),
        pins: Default::default(),
        services: [("web", "abc"), ("db", "other")]
            .map(|(name, hash)| (name.to_owned(), service(hash)))
            .into(),
    });
    let told = |state: FilesState| Msg::Rendered {
        host: host.clone(),
        project: project.clone(),
        recipe: recipe.clone(),
        state,
    };
    bench.tell(told(state));
    let config = |bench: &Bench, path: &str| bench.service(path).config.word();
    assert_eq!(config(&bench, "a/app/web"), "same");
    assert_eq!(config(&bench, "a/app/db"), "changed");
    // What could not be looked at is not known any longer; what was seen before is said beside the reason.
    bench.tell(told(FilesState::Unknown("away".to_owned())));
    assert_eq!(config(&bench, "a/app/web"), "unknown");
    let why = bench.service("a/app/web").config_why.clone();
    let why = why.unwrap_or_default();
    assert!(
        why.starts_with("away; it was same when last read, at "),
        "{why}"
    );

    assert_eq!(bench.pass(60_000).len(), 1, "only the memory is written");
    let mut other = both();
    other[0].created = Some(day(3));
    let effects = bench.observed("a", Ok(seen(other)));
    assert_eq!(renders(&effects), 1);
}

#[test]
fn what_was_learned_is_written_down_in_time_and_when_leaving() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![plain("web")]);
    let writes = |effects: Vec<(u64, Effect<Operating>)>| {
        let remember = Effect::Console(Console::Remember);
        effects
            .iter()
            .filter(|(_, effect)| *effect == remember)
            .count()
    };
    assert_eq!(writes(bench.pass(61_000)), 1);
    assert_eq!(writes(bench.pass(20 * 60_000)), 0, "nothing new");
    bench.observed("a", Ok(seen(vec![plain("other")])));
    let effects = bench.press("q");
    let expected = [
        Effect::Console(Console::Remember),
        Effect::Console(Console::Quit),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn nothing_is_begun_once_the_end_has_come() {
    for end in [Msg::Terminate, Msg::Key(Key::char('q'))] {
        let mut bench = Bench::new(&[("a", "ssh://a")]);
        bench.up("a", vec![plain("web")]);
        bench.tell(end);
        bench.at += 3_600_000;
        assert_eq!(bench.tick(), []);
    }
}

#[test]
fn a_service_whose_files_ask_for_another_image_shows_both() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let effects = bench.up("a", vec![composed("app", "web")]);
    let asked = questions(&effects)[0].key.clone();
    bench.resolved(&asked, Ok(answer(10)));
    let recipe = bench.service("a/app/web").compose.clone().unwrap().recipe;
    bench.tell(Msg::Rendered {
        host: "a".into(),
        project: "app".into(),
        recipe,
        state: FilesState::Rendered(Rendered {
            at: day(100),
            compose_version: "2.40.3".to_owned(),
            pins: Default::default(),
            services: [(
                "web".to_owned(),
                RenderedService {
                    image: Some("ghcr.io/me/app:v2".to_owned()),
                    builds: false,
                    hash: Some("abc".to_owned()),
                    hash_alone: None,
                },
            )]
            .into(),
        }),
    });
    // A13: the verdict stays with what runs, what the file asks for is said.
    let service = bench.service("a/app/web");
    assert_eq!(service.verdict, Verdict::Current);
    assert_eq!(service.config.word(), "changed");
    assert!(service.note.as_ref().unwrap().contains("ghcr.io/me/app:v2"));
    assert_eq!(service.reference, "ghcr.io/me/app:latest");
}

#[test]
fn time_that_jumps_back_on_the_wall_delays_nothing() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    bench.lose("a", HostTrouble::NoConnection);
    let mut now = moment(2000);
    now.wall = day(1);
    let effects = update::<Operating>(&mut bench.model, now, Msg::Tick);
    assert_eq!(
        looks(&effects),
        [&Look::Connect {
            host: HostName::from("a")
        }]
    );
}

#[test]
fn a_pin_that_was_undone_behind_our_back_is_written_down_once() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.up("a", vec![composed("app", "web")]);
    let recipe = bench.service("a/app/web").compose.clone().unwrap().recipe;
    let rendered = |undone: Option<&str>| Msg::Rendered {
        host: "a".into(),
        project: "app".into(),
        recipe: recipe.clone(),
        state: FilesState::Rendered(Rendered {
            at: day(100),
            compose_version: "2.40.3".to_owned(),
            pins: [(
                "web".to_owned(),
                Pinned {
                    by: None,
                    since: Some(day(90)),
                    reason: Some("login broken".to_owned()),
                    to: "ghcr.io/me/app:latest".to_owned(),
                    follows: None,
                    how: How::Override,
                    undone: undone.map(str::to_owned),
                },
            )]
            .into(),
            services: Default::default(),
        }),
    };
    let recorded = |effects: &Effects| -> Vec<String> {
        let events = effects.iter().filter_map(|effect| match effect {
            Effect::Console(Console::Record(events)) => Some(events),
            _ => None,
        });
        events
            .flatten()
            .map(|event| format!("{} {}", event.action, event.why.clone().unwrap_or_default()))
            .collect()
    };
    assert_eq!(recorded(&bench.tell(rendered(None))), Vec::<String>::new());
    let wall = |bench: &Bench| -> Vec<String> {
        let items = crate::app::wall::items(&bench.model).into_iter();
        items
            .map(|item| item.text)
            .filter(|text| text.contains("pin"))
            .collect()
    };
    assert!(
        wall(&bench)[0].ends_with("is pinned since 01 Apr 00:00: \"login broken\""),
        "{:?}",
        wall(&bench)
    );
    let told = recorded(&bench.tell(rendered(Some("its file is gone"))));
    assert_eq!(told, ["changed pin undone: its file is gone"]);
    assert!(wall(&bench)[0].contains("pin undone: its file is gone"));
    // Neither the next look nor the next start tells it again.
    assert_eq!(
        recorded(&bench.tell(rendered(Some("its file is gone")))),
        Vec::<String>::new()
    );
    let memory = bench.model.memory();
    assert!(
        memory
            .seen
            .iter()
            .any(|(_, seen)| seen.pin_holds == Some(false))
    );
}

#[test]
fn a15_an_image_without_a_digest_is_local_unless_the_journal_knows_its_pull() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let mut bare = seen(vec![plain("web")]);
    let held = bare.images.values_mut().next().unwrap();
    held.digests.clear();
    let id = held.id.clone();
    bench.tick();
    bench.connect("a");
    let effects = bench.observed("a", Ok(bare));
    let asked = looks(&effects);
    let own = |look: &&Look| matches!(look, Look::Journal { host: None });
    assert_eq!(asked.into_iter().filter(own).count(), 1);
    let question = bench.service("a/-/web").question.clone().unwrap();
    let away = RegistryFailure::new(RegistryTrouble::Away, "no answer", "wait");
    bench.resolved(&question, Err(away));
    assert_eq!(bench.verdict("a/-/web").0, Verdict::Local);

    let line = |action: &str| {
        let state = serde_json::json!({"reference": "ghcr.io/me/app:latest", "image_id": id});
        let event = serde_json::json!({
            "at": "2026-01-01T00:00:00Z", "by": "me", "action": action, "target": "a/-/web",
            "to": state, "outcome": "succeeded",
        });
        Msg::Journal {
            host: None,
            result: Ok(vec![serde_json::from_value(event).unwrap()]),
        }
    };
    bench.tell(line("recreate"));
    assert_eq!(bench.verdict("a/-/web").0, Verdict::Local);
    bench.tell(line("update"));
    assert_eq!(bench.verdict("a/-/web").0, Verdict::Unknown);
}
