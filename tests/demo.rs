//! The demo fleet and other scenarios, from the file through `update` to the verdicts, in simulated time.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use homelab_tui::app::effect::{Effect, Look};
use homelab_tui::app::judge::ServiceView;
use homelab_tui::app::mode::Operating;
use homelab_tui::core::host::HostState;
use homelab_tui::core::verdict::Verdict;
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;
use homelab_tui::demo::expect::differences;
use jiff::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

fn start() -> Timestamp {
    "2026-09-05T14:02:10Z".parse().unwrap()
}

fn fleet() -> Driver<Operating> {
    Driver::started(&Scenario::fleet(), start())
}

#[test]
fn every_service_of_the_fleet_is_told_as_its_scenario_expects() {
    let scenario = Scenario::fleet();
    let mut driver = fleet();
    assert!(driver.settle(Duration::from_secs(20)), "never settled");
    let found = differences(&driver.model, &scenario);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_fleet_shows_all_there_is_to_show() {
    let scenario = Scenario::fleet();
    assert_eq!(scenario.hosts.len(), 7);
    assert_eq!(scenario.expectations().count(), 60);
    for verdict in Verdict::ALL {
        let shown = scenario.expectations().any(|(_, e)| e.verdict == verdict);
        assert!(shown, "nothing is {}", verdict.word());
    }
}

#[test]
fn a_host_that_goes_leaves_its_last_verdicts_and_takes_them_up_again() {
    let scenario = Scenario::fleet();
    let mut driver = fleet();
    driver.run_until(Duration::from_secs(39));
    let before: Vec<Verdict> = on(&driver, "pi2").map(|service| service.verdict).collect();
    assert_eq!(before.len(), 4);
    assert!(!before.contains(&Verdict::Unknown));

    driver.run_until(Duration::from_secs(45));
    assert_eq!(state(&driver, "pi2"), HostState::Down);
    let away: Vec<Verdict> = on(&driver, "pi2")
        .inspect(|service| {
            assert_eq!(service.verdict, Verdict::Unknown, "{}", service.key);
            assert!(
                service.why.contains("no answer for 10 s"),
                "{}",
                service.why
            );
        })
        .filter_map(|service| service.last.map(|(verdict, _)| verdict))
        .collect();
    assert_eq!(away, before, "the last good verdicts stand beside");

    // It answers again after 70 s; the redial comes by itself and everything is read again.
    driver.run_until(Duration::from_secs(95));
    assert_eq!(state(&driver, "pi2"), HostState::Up);
    let after: Vec<Verdict> = on(&driver, "pi2").map(|service| service.verdict).collect();
    assert_eq!(after, before);
    let others = differences(&driver.model, &scenario);
    let others: Vec<&String> = others
        .iter()
        .filter(|what| !what.starts_with("pi4/dns/filter"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn what_happens_by_itself_reaches_the_screen_within_a_second() {
    let mut driver = fleet();
    let verdict = |driver: &Driver<Operating>, path: &str| service(driver, path).verdict;
    driver.run_until(Duration::from_millis(24_900));
    assert!(!service(&driver, "vps/travel/travel").is_unhealthy());
    driver.run_until(Duration::from_secs(26));
    assert!(service(&driver, "vps/travel/travel").is_unhealthy());

    driver.run_until(Duration::from_secs(79));
    assert_eq!(verdict(&driver, "pi4/dns/filter"), Verdict::Behind);
    driver.run_until(Duration::from_secs(81));
    assert_eq!(verdict(&driver, "pi4/dns/filter"), Verdict::Pulled);
    driver.run_until(Duration::from_secs(131));
    assert_eq!(verdict(&driver, "pi4/dns/filter"), Verdict::Current);
    assert_eq!(verdict(&driver, "vps/blog/blog"), Verdict::Current);

    // A tag that moves is seen at the next round of questions.
    driver.run_until(Duration::from_secs(95 + 140));
    assert_eq!(verdict(&driver, "vps/travel/travel"), Verdict::Behind);
    assert_eq!(verdict(&driver, "vps/travel/worker"), Verdict::Behind);
}

#[test]
fn a_registry_that_is_away_is_one_line_and_comes_back_by_itself() {
    let mut driver = fleet();
    driver.run_until(Duration::from_secs(20));
    let away = driver.model.registries_away();
    assert_eq!(away.len(), 1, "{away:?}");
    assert_eq!(away[0].registry.as_str(), "images.example");
    assert_eq!(away[0].services, 2);
    assert_eq!(
        driver.model.quotas()[&"docker.io".into()].limit,
        Some(100),
        "the quota is told"
    );
    driver.run_until(Duration::from_secs(300));
    assert_eq!(driver.model.registries_away(), []);
    let wiki = service(&driver, "office/wiki/wiki");
    assert_eq!(wiki.verdict, Verdict::Current);

    driver.run_until(Duration::from_secs(480));
    let wiki = service(&driver, "office/wiki/wiki");
    assert_eq!(wiki.verdict, Verdict::Unknown);
    assert_eq!(wiki.last.map(|last| last.0), Some(Verdict::Current));
}

#[test]
fn nothing_stays_in_flight_whatever_the_world_does() {
    let mut driver = fleet();
    for minute in 1..=12 {
        driver.run_until(minute * MINUTE);
        assert!(
            driver.settle(Duration::from_secs(30)),
            "something is in flight for long {minute} min after the start"
        );
    }
}

#[test]
fn once_settled_only_what_is_due_is_asked() {
    let mut scenario = Scenario::fleet();
    scenario.script.clear();
    let mut driver: Driver<Operating> = Driver::started(&scenario, start());
    assert!(driver.settle(Duration::from_secs(20)));
    let count = driver.effects.len();
    let handled = driver.handled;
    driver.run_for(10 * MINUTE);
    let mut dials = 0;
    for (at, look) in driver.looks_since(count) {
        match look {
            Look::Resolve(question) => {
                let last = driver
                    .effects
                    .iter()
                    .filter(|(when, effect)| {
                        *when < at
                            && matches!(effect, Effect::Look(Look::Resolve(q)) if q.key == question.key)
                    })
                    .map(|(when, _)| *when)
                    .max()
                    .unwrap();
                // Every two minutes by the settings, earlier only where the last question failed.
                let failed = driver.model.remotes[&question.key].failures > 0;
                assert!(
                    failed || at - last >= 2 * MINUTE,
                    "{question:?} {last:?} {at:?}"
                );
                assert!(at - last >= Duration::from_secs(30), "{question:?}");
            }
            Look::Connect { host } => {
                assert!(["builder", "attic"].contains(&host.as_str()), "{host}");
                dials += 1;
            }
            other => panic!("{at:?} {other:?} without cause"),
        }
    }
    assert!(dials < 20, "{dials} dials of two hosts that are away");
    assert!(driver.handled - handled < 700, "the model wakes too often");
}

#[test]
fn two_runs_are_the_same() {
    let run = || {
        let mut driver = fleet();
        driver.run_for(5 * MINUTE);
        (driver.effects, driver.model.judged)
    };
    let (first, second) = (run(), run());
    assert_eq!(first.0.len(), second.0.len());
    assert!(first == second);
}

#[test]
fn before_any_host_answers_the_last_start_is_shown_aged() {
    let driver = fleet();
    let known = driver.model.services().count();
    assert_eq!(known, 50, "all but the host that was never seen");
    for service in driver.model.services() {
        assert_eq!(service.verdict, Verdict::Unknown, "{}", service.key);
    }
    let blog = service(&driver, "vps/blog/blog");
    let (_, at) = blog.last.unwrap();
    assert_eq!(start().duration_since(at).as_hours(), 9);
}

#[test]
fn hostile_names_are_in_the_fleet() {
    let driver = fleet();
    let hostile = driver
        .model
        .services()
        .filter(|service| service.key.project.as_str().contains('\u{1b}'))
        .count();
    assert_eq!(hostile, 1);
}

/// Every scenario file holds its own expectations.
#[test]
fn every_scenario_is_told_as_it_expects() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario =
            Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut driver: Driver<Operating> = Driver::started(&scenario, start());
        assert!(driver.settle(MINUTE), "{} never settled", path.display());
        let found = differences(&driver.model, &scenario);
        assert!(
            found.is_empty(),
            "{}:\n{}",
            path.display(),
            found.join("\n")
        );
        count += 1;
    }
    assert!(count >= 3, "{count} scenarios");
}

#[test]
fn a_scenario_that_names_what_it_does_not_describe_is_refused() {
    let text = "hosts:\n  - {name: a, address: local, engine: {version: '28', api: '1.51', store: graph, platform: linux/amd64}, projects: {p: {services: {s: {image: 'x:1', expect: current}}}}}";
    let error = Scenario::parse(text).unwrap_err().to_string();
    assert!(
        error.contains("a/p/s") && error.contains("no image"),
        "{error}"
    );
    assert!(Scenario::parse("hosts: 3").is_err());
}

fn on<'a>(
    driver: &'a Driver<Operating>,
    host: &'a str,
) -> impl Iterator<Item = &'a ServiceView> + 'a {
    driver
        .model
        .services()
        .filter(move |service| service.key.host.as_str() == host)
}

fn service<'a>(driver: &'a Driver<Operating>, path: &str) -> &'a ServiceView {
    driver
        .model
        .services()
        .find(|service| service.key.to_string() == path)
        .unwrap()
}

fn state(driver: &Driver<Operating>, host: &str) -> HostState {
    let index = driver.model.host_index(&host.into()).unwrap();
    driver.model.hosts[index].state()
}
