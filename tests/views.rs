//! Opening views of the demo, moving in them, and going back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use homelab_tui::app::commands;
use homelab_tui::app::effect::{Console, Effect, Look};
use homelab_tui::app::keys::Key;
use homelab_tui::app::mode::Observing;
use homelab_tui::app::msg::Msg;
use homelab_tui::app::screen::{RowId, View};
use homelab_tui::core::names::ServiceKey;
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;

fn key(target: &str) -> ServiceKey {
    let mut parts = target.split('/');
    ServiceKey {
        host: parts.next().unwrap().into(),
        project: parts.next().unwrap().into(),
        service: parts.next().unwrap().into(),
    }
}

/// The demo fleet with its first service of the blog selected.
fn blog() -> Driver<Observing> {
    let mut driver = Driver::started(&Scenario::fleet(), "2026-09-05T14:02:10Z".parse().unwrap());
    assert!(driver.settle(Duration::from_secs(20)));
    driver.model.screen.selected = Some(RowId::Service(key("vps/blog/blog")));
    driver
}

fn press(driver: &mut Driver<Observing>, keys: &str) {
    driver.keys(keys);
    assert!(driver.settle(Duration::from_secs(20)));
}

fn copied(driver: &Driver<Observing>) -> &str {
    let copied = driver
        .effects
        .iter()
        .rev()
        .find_map(|(_, effect)| match effect {
            Effect::Console(Console::Copy(text)) => Some(text.as_str()),
            _ => None,
        });
    copied.unwrap()
}

#[test]
fn views_open_for_the_selected_service_and_lead_back() {
    let mut driver = blog();
    press(&mut driver, "2");
    assert!(matches!(
        &driver.model.screen.view,
        View::Layers { to: None, .. }
    ));
    press(&mut driver, "3");
    assert!(matches!(&driver.model.screen.view, View::Tags { .. }));
    press(&mut driver, "esc");
    assert_eq!(driver.model.screen.view, View::Fleet);
    press(&mut driver, "2 1");
    assert_eq!(driver.model.screen.view, View::Fleet);
    // A row that is no service has no download.
    driver.model.screen.selected = Some(RowId::Host("vps".into()));
    press(&mut driver, "2");
    assert_eq!(driver.model.screen.view, View::Fleet);
    assert!(driver.model.screen.notice.is_some());
}

#[test]
fn the_selection_follows_the_image_and_its_keys_are_about_it() {
    let mut driver = blog();
    press(&mut driver, "3");
    // The running image is selected until somebody moves.
    let selected = |driver: &Driver<Observing>| {
        let candidate = commands::selected_candidate(&driver.model).unwrap();
        candidate.tags[0].to_string()
    };
    assert_eq!(selected(&driver), "sha-9c1e2d4");
    press(&mut driver, "k");
    assert_eq!(selected(&driver), "sha-77d1e0c");
    press(&mut driver, "y");
    let digest = copied(&driver).to_owned();
    assert!(digest.starts_with("sha256:"));
    press(&mut driver, "o");
    assert_eq!(
        copied(&driver),
        "https://github.com/me/homelab/compare/9c1e2d4...77d1e0c"
    );
    // Its download, and back to it.
    press(&mut driver, "enter");
    let View::Layers { to: Some(to), .. } = &driver.model.screen.view else {
        panic!("{:?}", driver.model.screen.view);
    };
    assert_eq!(to.digest().unwrap().to_string(), digest);
    press(&mut driver, "G y");
    assert!(copied(&driver).starts_with("sha256:"));
    press(&mut driver, "esc");
    assert_eq!(selected(&driver), "sha-77d1e0c");
    press(&mut driver, "g");
    assert_eq!(selected(&driver), "sha-b81f0aa");
    // What concerns the list of services says why it does nothing here.
    press(&mut driver, "v");
    assert!(
        driver
            .model
            .screen
            .notice
            .as_ref()
            .unwrap()
            .text
            .contains("fleet")
    );
}

#[test]
fn looking_again_asks_anew() {
    let mut driver = blog();
    press(&mut driver, "3");
    let before = driver.effects.len();
    press(&mut driver, "R");
    let asked = driver.effects[before..].iter();
    let lists = asked.filter(|(_, effect)| matches!(effect, Effect::Look(Look::Tags { .. })));
    assert_eq!(lists.count(), 1);
}

#[test]
fn the_registry_of_a_service_is_browsed_from_the_palette() {
    let mut driver = blog();
    driver.model.screen.selected = Some(RowId::Service(key("vps/api-prod/api")));
    driver.keys(":");
    for c in "registry".chars() {
        driver.tell(Msg::Key(Key::char(c)));
    }
    press(&mut driver, "enter");
    assert!(matches!(&driver.model.screen.view, View::Registry { .. }));
    press(&mut driver, "j y");
    assert_eq!(copied(&driver), "registry.lan:5000/jobs");
    press(&mut driver, "R esc");
    assert_eq!(driver.model.screen.view, View::Fleet);
}

#[test]
fn on_the_wall_builds_and_deploys_that_failed_last_need_a_human_for_a_week() {
    use homelab_tui::app::builds::Wanted;
    use homelab_tui::app::wall::items;

    let start = "2026-09-05T14:02:10Z".parse().unwrap();
    let mut driver: Driver<Observing> = Driver::started(&Scenario::fleet(), start);
    driver.model.builds.wanted = Wanted::Everything;
    driver.keys("0");
    driver.run_for(Duration::from_secs(20));
    let failed = |driver: &Driver<Observing>| -> Vec<String> {
        let items = items(&driver.model).into_iter().map(|item| item.text);
        items
            .filter(|text| text.starts_with("build ") || text.starts_with("deploy "))
            .collect()
    };
    let now = failed(&driver);
    assert_eq!(now.len(), 2, "{now:?}");
    assert!(now[0].contains("of api-pr failed: ") && now[0].contains("npm ci"));
    assert_eq!(now[1], "deploy deploy.yml #118 of blog: failure");
    driver.model.now.wall += jiff::SignedDuration::from_hours(8 * 24);
    assert_eq!(failed(&driver), [""; 0]);
}
