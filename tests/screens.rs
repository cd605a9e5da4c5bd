//! The screens of a small fleet with every bad day: glyphs and styles, in sizes, themes and profiles.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod screen;

use std::time::Duration;

use homelab_tui::app::builds::Wanted;
use homelab_tui::app::screen::RowId;
use homelab_tui::core::names::ServiceKey;
use homelab_tui::demo::Scenario;
use homelab_tui::ui::glyphs::Glyphs;
use insta::assert_snapshot;
use screen::Console;

#[test]
fn fleet_by_host_large() {
    assert_snapshot!(Console::fleet(160, 45).styled());
}

#[test]
fn fleet_by_host_usual() {
    assert_snapshot!(Console::fleet(80, 24).keys("j j").styled());
}

#[test]
fn fleet_by_host_small() {
    assert_snapshot!(Console::fleet(40, 15).keys("j j enter").styled());
}

#[test]
fn hosts_that_are_away_say_why_and_what_to_do() {
    assert_snapshot!(Console::fleet(160, 45).keys("G").plain());
    assert_snapshot!(Console::fleet(80, 24).keys("G").plain());
}

#[test]
fn the_other_groupings() {
    let mut console = Console::fleet(110, 40);
    for _ in 0..3 {
        assert_snapshot!(console.keys("v").plain());
    }
    assert_snapshot!(Console::fleet(80, 24).keys("v v v j right").styled());
}

#[test]
fn themes_and_profiles() {
    for (theme, glyphs) in [
        ("dawn", Glyphs::UNICODE),
        ("plain16", Glyphs::UNICODE),
        ("console", Glyphs::CONSOLE),
        ("mono", Glyphs::ASCII),
    ] {
        let mut console = Console::fleet(80, 24).looks(theme, glyphs);
        assert_snapshot!(format!("theme_{theme}"), console.keys("v j j").styled());
    }
}

#[test]
fn why_and_describe() {
    assert_snapshot!(Console::fleet(110, 32).keys("j j w").styled());
    assert_snapshot!(Console::fleet(110, 45).keys("j j d").plain());
    assert_snapshot!(Console::fleet(80, 24).keys("w").plain());
}

#[test]
fn help_and_palette() {
    assert_snapshot!(Console::fleet(110, 45).keys("?").plain());
    assert_snapshot!(Console::fleet(80, 24).keys(":").types("re").styled());
}

#[test]
fn the_filter_owns_its_keys_and_says_when_nothing_matches() {
    let mut console = Console::fleet(80, 24);
    console.keys("/").types("quiet q");
    assert!(!console.driver.model.ending);
    assert_snapshot!(console.styled());
    console.keys("enter");
    assert_snapshot!(console.plain());
}

#[test]
fn before_any_answer_the_last_facts_are_shown_aged() {
    assert_snapshot!(Console::of(&screen::small_fleet(), 110, 24).styled());
}

#[test]
fn no_hosts_at_all() {
    let empty = Scenario::parse("hosts: []").unwrap();
    assert_snapshot!(Console::of(&empty, 80, 24).plain());
}

#[test]
fn a_notice_and_problems_of_the_configuration() {
    let mut console = Console::fleet(80, 24);
    console.driver.model.problems =
        vec!["config.yaml:3:5: hosts[1].adress: no such key".to_owned()];
    assert_snapshot!(console.keys("e").plain());
}

/// Selects a service and opens the plan of an action on it.
fn plan(target: &str, key: &str) -> Console {
    let mut console = Console::fleet(110, 32);
    let mut parts = target.split('/');
    let mut part = || parts.next().unwrap();
    let service = ServiceKey {
        host: part().into(),
        project: part().into(),
        service: part().into(),
    };
    console.driver.model.screen.selected = Some(RowId::Service(service));
    console.keys(key);
    wait(&mut console, 3000);
    console
}

fn wait(console: &mut Console, milliseconds: u64) {
    let until = console.driver.now().since_start + Duration::from_millis(milliseconds);
    console.driver.run_until(until);
}

#[test]
fn plans_are_shown_and_a_strip_follows_the_job() {
    let mut console = plan("pi4/mc/minecraft", "u");
    assert_snapshot!("plan_dialog", console.styled());
    console.keys("y");
    wait(&mut console, 1200);
    assert_snapshot!("job_strip", console.styled());
    assert_snapshot!("plan_protected", plan("vps/blog/blog", "u").styled());
    assert_snapshot!("plan_blocked", plan("vps/networking/ddns", "r").styled());
}

/// Opens the plan of an update over a whole project, in the terminal's size.
fn plan_of_project(width: u16, height: u16) -> Console {
    let mut console = Console::fleet(width, height);
    let project = RowId::Project("vps".into(), "blog".into());
    console.driver.model.screen.selected = Some(project);
    console.keys("space u");
    wait(&mut console, 3000);
    console
}

#[test]
fn a_plan_over_many_is_one_dialog_and_says_what_holds_it_up() {
    assert_snapshot!("plan_many_large", plan_of_project(160, 45).styled());
    assert_snapshot!("plan_many_usual", plan_of_project(80, 24).plain());
    let mut small = plan_of_project(40, 15);
    assert_snapshot!("plan_many_small", small.plain());
    assert_snapshot!("plan_many_small_further", small.keys("pgdn").plain());
}

#[test]
fn marks_are_seen_on_rows_and_counted() {
    let mut console = Console::fleet(80, 24);
    console.keys("j j space j space g v");
    assert_snapshot!("marks_by_attention", console.plain());
    assert_snapshot!("marks_by_host", console.keys("v v v").styled());
    let mut ascii = Console::fleet(110, 24).looks("mono", Glyphs::ASCII);
    assert_snapshot!("marks_ascii", ascii.keys("j j space tab j").plain());
}

#[test]
fn history_by_what_is_selected_and_as_a_whole() {
    let mut console = plan("vps/blog/blog", "5");
    assert_snapshot!("history_of_one", console.plain());
    console.keys("5");
    wait(&mut console, 1000);
    assert_snapshot!("history_of_all", console.styled());
    console.keys("j enter");
    assert_snapshot!("history_entry", console.plain());
}

#[test]
fn a_session_that_can_only_look_says_so() {
    let mut console = Console::fleet(80, 24);
    console.driver.model.read_only = true;
    let screen = console.plain();
    assert!(
        screen.lines().next().unwrap().contains("read-only"),
        "{screen}"
    );
}

/// Opens the demo's fleet while one of its builds runs.
fn with_builds(width: u16, height: u16) -> Console {
    let mut console = Console::of(&Scenario::fleet(), width, height);
    console.driver.model.builds.wanted = Wanted::Everything;
    console.driver.run_until(Duration::from_secs(20));
    console
}

#[test]
fn builds_by_what_they_make() {
    assert_snapshot!(with_builds(160, 45).keys("4 j").styled());
    assert_snapshot!(with_builds(80, 24).keys("4").plain());
    assert_snapshot!(with_builds(40, 15).keys("4").plain());
    let mut console = with_builds(110, 24).looks("console", Glyphs::CONSOLE);
    assert_snapshot!(console.keys("4").plain());
}

#[test]
fn a_build_opened_tells_what_each_step_cost_and_what_changed() {
    assert_snapshot!(with_builds(110, 40).keys("4 enter").plain());
    assert_snapshot!(with_builds(110, 40).keys("4 j j j enter").styled());
    assert_snapshot!(with_builds(80, 24).keys("4 j j enter").plain());
    assert_snapshot!(with_builds(40, 15).keys("4 enter j j").plain());
}

#[test]
fn a_running_build_counts_up() {
    let mut console = with_builds(110, 24);
    console.keys("4");
    let steps = |console: &Console| {
        let screen = console.plain();
        let line = screen
            .lines()
            .find(|line| line.contains("running"))
            .unwrap()
            .to_owned();
        line[line.find("step ").unwrap()..]
            .split_whitespace()
            .nth(1)
            .unwrap()
            .to_owned()
    };
    let before = steps(&console);
    console.driver.run_for(Duration::from_secs(25));
    let after = steps(&console);
    assert!(before < after, "{before} {after}");
    // Once it has ended, its hits are told.
    console.driver.run_for(Duration::from_secs(60));
    assert!(!console.plain().contains("running"), "{}", console.plain());
}

#[test]
fn the_wall_says_what_needs_a_human_from_afar() {
    let mut console = Console::fleet(100, 30).looks("console", Glyphs::CONSOLE);
    assert_snapshot!(console.keys("0").styled());
    assert_snapshot!(Console::fleet(240, 67).keys("0").plain());
    assert_snapshot!(Console::fleet(40, 15).keys("0").plain());
    let calm = r#"
images:
  homemade:
    made_here: true
    layers: [{by: "COPY . /app", size: 5MB}]
    builds: [{id: "x", built: 2h ago}]
    tags: {latest: "x"}
hosts:
  - name: graph
    address: ssh://a
    engine: {version: "28.5.2", api: "1.51", store: graph, platform: linux/amd64}
    projects:
      app:
        services:
          plain: {image: "homemade", builds: true, expect: local}
"#;
    let mut calm = Console::of(&Scenario::parse(calm).unwrap(), 100, 30);
    calm.driver.settle(Duration::from_secs(30));
    assert_snapshot!(calm.keys("0").plain());
}

#[test]
fn the_wall_is_drawn_anew_only_when_a_fact_changes() {
    let mut console = Console::fleet(100, 30);
    console.keys("0");
    let before = console.plain();
    // Minutes pass, pages do not turn, and no cell changes.
    console.driver.run_for(Duration::from_secs(9 * 60));
    let after = console.plain();
    let lines = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // When a registry was asked last is a fact that does change.
        lines.retain(|line| !line.contains("registries asked") && !line.contains("is away"));
        lines
    };
    assert_eq!(lines(&before), lines(&after));
}

/// The log of a service, followed.
fn log_of(width: u16, height: u16) -> Console {
    let mut console = Console::fleet(width, height);
    console.driver.model.screen.selected = Some(RowId::Service(ServiceKey {
        host: "vps".into(),
        project: "blog".into(),
        service: "blog".into(),
    }));
    console.keys("l");
    wait(&mut console, 2_000);
    console
}

#[test]
fn a_log_is_followed_and_scrolled() {
    assert_snapshot!(log_of(80, 24).styled());
    assert_snapshot!(log_of(40, 15).plain());
    assert_snapshot!(log_of(160, 45).keys("k k k").plain());
}
