//! Questions to registries: when they are asked, and what their failures leave.

use super::*;

fn question_of(bench: &mut Bench) -> QuestionKey {
    let effects = bench.up("a", vec![plain("web")]);
    questions(&effects)[0].key.clone()
}

#[test]
fn a_failure_never_overwrites_a_good_answer() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let asked = question_of(&mut bench);
    bench.resolved(&asked, Ok(answer(10)));
    use RegistryTrouble as T;
    for trouble in [
        T::Away,
        T::TimedOut,
        T::ServerError,
        T::RateLimited,
        T::Denied,
        T::Lied,
    ] {
        bench.resolved(&asked, Err(refused(trouble)));
        let told = bench.verdict("a/-/web");
        assert_eq!(
            told,
            (Verdict::Unknown, Some(Verdict::Current)),
            "{trouble:?}"
        );
        let registry = &bench.service("a/-/web").registry;
        assert_eq!(
            registry.checked_at,
            Some(day(100)),
            "of the last good answer"
        );
        assert!(registry.error.is_some());
    }
    bench.resolved(&asked, Ok(answer(10)));
    assert_eq!(bench.verdict("a/-/web"), (Verdict::Current, None));
    assert_eq!(bench.service("a/-/web").registry.error, None);
}

#[test]
fn a17_a_registry_that_is_away_is_one_line_and_asked_with_growing_pauses() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let containers: Vec<ContainerFacts> = (0..20)
        .map(|n| container(&format!("c{n}"), &format!("ghcr.io/me/app:{n}")))
        .collect();
    let effects = bench.up("a", containers);
    let asked: Vec<QuestionKey> = questions(&effects).iter().map(|q| q.key.clone()).collect();
    assert_eq!(asked.len(), 20);
    for key in &asked {
        bench.resolved(key, Err(refused(RegistryTrouble::Away)));
    }
    let away = bench.model.registries_away();
    assert_eq!(away.len(), 1);
    assert_eq!((away[0].services, away[0].why.as_str()), (20, "no answer"));

    let first = bench.pass(29_000);
    let effects: Effects = first.into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(questions(&effects).len(), 0, "left alone for half a minute");
    let key = asked[0].clone();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let before = bench.at;
        let again = bench
            .pass(1_200_000)
            .into_iter()
            .find(|(_, effect)| matches!(effect, Effect::Look(Look::Resolve(q)) if q.key == key));
        let at = again.unwrap().0;
        pauses.push(at - before);
        bench.resolved(&key, Err(refused(RegistryTrouble::Away)));
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(
        pauses[7] <= 660_000,
        "no longer than the interval: {pauses:?}"
    );
    for key in &asked {
        bench.resolved(key, Ok(answer(10)));
    }
    assert_eq!(bench.model.registries_away(), []);
    assert_eq!(bench.verdict("a/-/c0").0, Verdict::Current);
}

#[test]
fn a_reference_is_asked_about_once_however_many_use_it() {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://b")]);
    let effects = bench.up("a", vec![plain("one"), plain("two")]);
    assert_eq!(questions(&effects).len(), 1);
    bench.connect("b");
    let effects = bench.observed("b", Ok(seen(vec![plain("three")])));
    assert_eq!(questions(&effects).len(), 0, "already under way");
}

#[test]
fn a10_platforms_and_tags_do_not_share_an_answer() {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://b")]);
    let effects = bench.up(
        "a",
        vec![plain("one"), container("two", "ghcr.io/me/app:v2")],
    );
    let asked: Vec<QuestionKey> = questions(&effects).iter().map(|q| q.key.clone()).collect();
    assert_eq!(asked.len(), 2);
    bench.connect("b");
    let mut other = seen(vec![plain("three")]);
    other.engine.platform = crate::core::platform::Platform::new("linux", "arm64", None);
    let effects = bench.observed("b", Ok(other));
    assert_eq!(
        questions(&effects).len(),
        1,
        "another platform, another question"
    );
    let latest = asked
        .iter()
        .find(|key| key.reference.tag() == Some("latest"));
    bench.resolved(latest.unwrap(), Ok(answer(10)));
    assert_eq!(bench.verdict("a/-/one").0, Verdict::Current);
    assert_eq!(bench.verdict("a/-/two").0, Verdict::Unknown);
    assert_eq!(bench.verdict("b/-/three").0, Verdict::Unknown);
}

#[test]
fn a16_what_only_a_host_can_reach_is_asked_through_it() {
    let routes = |settings: Settings, references: &[&str]| -> Vec<(String, Route)> {
        let mut bench = Bench::with(settings);
        let containers = references.iter().enumerate();
        let containers = containers.map(|(n, reference)| container(&format!("c{n}"), reference));
        let effects = bench.up("a", containers.collect());
        let asked = questions(&effects);
        let asked = asked
            .iter()
            .map(|q| (q.key.reference.to_string(), q.key.route.clone()));
        asked.collect()
    };
    let hosts = |address: &str| Settings {
        hosts: vec![HostSpec::new("a".into(), address.parse().unwrap())],
        ..Settings::default()
    };
    let through = Route::Via("a".into());
    for reference in ["localhost:5000/app:1", "127.0.0.1:5000/app:1"] {
        let asked = routes(hosts("ssh://a"), &[reference]);
        assert_eq!(asked, [(reference.to_owned(), through.clone())]);
        // This machine's own loopback is its own.
        assert_eq!(routes(hosts("local"), &[reference])[0].1, Route::Here);
    }
    let lan = "registry.lan:5000/app:1";
    assert_eq!(routes(hosts("ssh://a"), &[lan])[0].1, Route::Here);
    let mut settings = hosts("ssh://a");
    settings.registries.push(RegistrySpec {
        host: "registry.lan:5000".into(),
        plain_http: true,
        ca_file: None,
        fingerprint: None,
        via: Some("a".into()),
    });
    assert_eq!(routes(settings, &[lan])[0].1, through);
}

#[test]
fn a16_a_question_through_a_host_waits_for_it_and_does_not_hang_with_it() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let effects = bench.up("a", vec![container("web", "localhost:5000/app:1")]);
    let key = questions(&effects)[0].key.clone();
    // The way is lost while the question is under way, and no answer ever comes.
    bench.lose("a", HostTrouble::NoConnection);
    assert!(bench.model.is_settled(), "nothing more can come of it");
    bench.connect("a");
    let effects = bench.observed(
        "a",
        Ok(seen(vec![container("web", "localhost:5000/app:1")])),
    );
    let again = bench.model.remotes[&key].in_flight;
    assert!(again, "asked again once the host is back: {effects:?}");
    bench.resolved(&key, Ok(answer(10)));
    assert!(!bench.model.remotes[&key].in_flight);
}

#[test]
fn a_tag_is_asked_about_again_by_interval_only() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let key = question_of(&mut bench);
    bench.resolved(&key, Ok(answer(10)));
    let count = |done: Vec<(u64, Effect<Operating>)>| {
        let effects: Effects = done.into_iter().map(|(_, effect)| effect).collect();
        questions(&effects).len()
    };
    // Readings of the host ask nothing.
    bench.observed("a", Ok(seen(vec![plain("web")])));
    assert_eq!(count(bench.pass(9 * 60_000)), 0);
    assert_eq!(count(bench.pass(3 * 60_000)), 1);
}

#[test]
fn b6_a_registry_that_asked_for_rest_is_left_alone_even_by_keys() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let key = question_of(&mut bench);
    let mut failure = refused(RegistryTrouble::RateLimited);
    failure.retry_after = Some(SignedDuration::from_mins(30));
    bench.resolved(&key, Err(failure));
    let effects = bench.press("G R");
    assert_eq!(questions(&effects).len(), 0);
    let done = bench.pass(29 * 60_000);
    let effects: Effects = done.into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(questions(&effects).len(), 0);
}

#[test]
fn the_manifest_is_asked_for_when_one_of_two_runs_something_else() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let mut old = plain("old");
    old.image_id = crate::core::digest::ImageId(digest(2));
    let mut both = seen(vec![plain("new"), old]);
    let held = image(2, &[], &[("ghcr.io/me/app", 9)], Some(-5));
    both.images.insert(held.id.clone(), held);
    bench.tick();
    bench.connect("a");
    let effects = bench.observed("a", Ok(both.clone()));
    assert_eq!(
        questions(&effects)[0].running,
        [],
        "no digest is run by all"
    );
    // Once all run the same, what they run needs no reading.
    let key = questions(&effects)[0].key.clone();
    bench.resolved(&key, Ok(answer(10)));
    bench.observed("a", Ok(seen(vec![plain("new"), plain("old")])));
    let done = bench.pass(12 * 60_000);
    let effects: Effects = done.into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(questions(&effects)[0].running, [TopDigest(digest(10))]);
}

#[test]
fn once_something_else_runs_the_unread_manifest_is_asked_for_at_once() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let key = question_of(&mut bench);
    bench.resolved(&key, Ok(answer(10)));
    let mut other = plain("web");
    other.image_id = crate::core::digest::ImageId(digest(2));
    let mut now = seen(vec![other]);
    let held = image(2, &[], &[("ghcr.io/me/app", 9)], Some(-5));
    now.images.insert(held.id.clone(), held);
    let effects = bench.observed("a", Ok(now));
    assert_eq!(questions(&effects).len(), 1);
    // And once only, whatever the answer is.
    let effects = bench.resolved(&key, Ok(answer(10)));
    assert_eq!(questions(&effects).len(), 0);
}

#[test]
fn what_nothing_runs_from_any_more_is_not_asked_about() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let key = question_of(&mut bench);
    bench.resolved(&key, Ok(answer(10)));
    bench.observed("a", Ok(seen(vec![])));
    let done = bench.pass(60 * 60_000);
    let effects: Effects = done.into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(questions(&effects).len(), 0);
    // It is, once something does again.
    bench.observed("a", Ok(seen(vec![plain("web")])));
    assert!(bench.model.remotes[&key].in_flight || bench.tick().len() == 1);
}

#[test]
fn an_answer_to_a_question_that_nobody_asked_changes_nothing() {
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    let mut key = question_of(&mut bench);
    key.reference = "ghcr.io/other/x:1".parse().unwrap();
    assert_eq!(bench.resolved(&key, Ok(answer(10))), []);
    assert!(!bench.model.remotes.contains_key(&key));
    assert_eq!(
        bench
            .model
            .remotes
            .values()
            .filter(|r: &&RemoteModel| r.in_flight)
            .count(),
        1
    );
}

#[test]
fn an_emulated_service_is_asked_about_for_its_own_platform_and_says_so() {
    use crate::core::platform::Platform;
    let mut bench = Bench::new(&[("a", "ssh://a")]);
    bench.tick();
    bench.connect("a");
    let mut other = seen(vec![plain("web")]);
    for image in other.images.values_mut() {
        image.platform = Some(Platform::new("linux", "s390x", None));
    }
    let effects = bench.observed("a", Ok(other));
    let asked = &questions(&effects)[0].key.platform;
    assert_eq!(asked.to_string(), "linux/s390x");
    let note = bench.service("a/-/web").note.clone().unwrap_or_default();
    assert!(note.starts_with("judged for linux/s390x"), "{note}");
    let effects = bench.up("a", vec![plain("web")]);
    assert_eq!(questions(&effects).len(), 1);
    assert_eq!(bench.service("a/-/web").note, None);
}
