//! Looking ahead against real registries: what it costs them, and what is left when they are away.

use std::process::Command;
use std::time::Duration;

use homelab_tui::app::preview::layers::{self, LayersState};
use homelab_tui::app::screen::View;
use homelab_tui::core::layers::Estimate;
use serde_json::Value;

use super::watcher::Watcher;
use crate::support::registry::Request;
use crate::support::{Host, Image, Lab, Layer, Registry, fresh_seed, unique};

/// A repository whose images share a base and have one layer of their own each, named by revisions.
fn history(lab: &Lab, registry: &Registry, builds: usize) -> String {
    let repo = unique("history");
    let base = Layer::random(fresh_seed(), 4_000);
    for number in 0..builds {
        let revision = format!("{number:02}abcde{number:02}");
        let image = Image::busybox(lab)
            .label("of", &repo)
            .label("org.opencontainers.image.revision", &revision)
            .created(&format!("2026-02-{:02}T00:00:00Z", number + 1))
            .layer(base.clone())
            .layer(Layer::random(fresh_seed(), 2_000 + number))
            .build();
        registry.push(&repo, &format!("sha-{revision}"), &image);
        registry.push(&repo, "latest", &image);
    }
    repo
}

/// A service that runs one of the repository's images although `latest` went on.
fn behind(host: &Host, registry: &Registry, repo: &str, revision: &str) -> crate::support::Project {
    let latest = registry.reference(repo, "latest");
    let old = registry.reference(repo, &format!("sha-{revision}"));
    host.docker(&["pull", "-q", &old]);
    host.docker(&["tag", &old, &latest]);
    let project = host.project(
        &unique("ahead"),
        &format!("services:\n  web:\n    image: {latest}\n    pull_policy: never\n"),
    );
    project.compose(&["up", "-d"]);
    project
}

fn by_console<'a>(asked: &'a [Request], lab: &Lab) -> Vec<&'a Request> {
    let hosts: Vec<String> = lab.hosts().into_iter().map(|host| host.ip).collect();
    asked
        .iter()
        .filter(|asked| !hosts.contains(&asked.client))
        .collect()
}

#[test]
fn a_second_look_asks_the_registry_nothing_but_what_may_have_moved() {
    // Consoles of other cases look at the whole fleet, and so ask about this one's images too.
    let Some(lab) = Lab::alone() else { return };
    let (host, registry) = (lab.host("new"), lab.registry("plain"));
    let repo = history(&lab, &registry, 6);
    let project = behind(&host, &registry, &repo, "02abcde02");
    let service = homelab_tui::core::names::ServiceKey {
        host: host.name.as_str().into(),
        project: project.name.as_str().into(),
        service: "web".into(),
    };
    let about = |asked: Vec<Request>| -> Vec<Request> {
        let prefix = format!("/v2/{repo}/");
        asked
            .into_iter()
            .filter(|asked| asked.path.starts_with(&prefix))
            .collect()
    };
    let mark = registry.mark();
    let mut watcher = Watcher::of(&lab, &host, &registry, service.clone(), Some(project));
    let seen = watcher.tags();
    let first = about(registry.asked_since(mark));
    assert!(!by_console(&first, &lab).is_empty());
    assert_eq!(seen.builds_behind, Some(3));
    assert_eq!(seen.candidates.len(), 6);
    let running = seen.candidates.iter().find(|own| own.running).unwrap();
    assert_eq!(&*running.tags[0], "sha-02abcde02");
    // Downloads of everything that was seen are known without another word.
    let mark = registry.mark();
    for candidate in &seen.candidates {
        let to = candidate.exact_reference();
        watcher.open(View::Layers {
            service: service.clone(),
            to: to.clone(),
            selected: 0,
        });
        let view = layers::view(&watcher.model, &service, to.as_ref()).unwrap();
        let LayersState::Ready(prediction) = view.state else {
            panic!("{:?}", view.state);
        };
        // A host that builds may hold more than it lists; all manifests were read all the same.
        assert_ne!(prediction.estimate, Estimate::About);
        assert_eq!(Some(prediction.fetch_bytes), candidate.fetch_bytes);
    }
    watcher.tags();
    // Whether an image is signed is asked when it is looked at for the first time.
    let second: Vec<Request> = about(registry.asked_since(mark))
        .into_iter()
        .filter(|asked| !asked.path.contains("/referrers/"))
        .collect();
    assert_eq!(second, [], "a second look");
    // A new session asks for the list and for what moves; what has a digest it has.
    let mark = registry.mark();
    let mut again = watcher.again();
    let third = again.tags();
    assert_eq!(third.candidates.len(), 6);
    let third = about(registry.asked_since(mark));
    let third = by_console(&third, &lab);
    assert!(
        third
            .iter()
            .all(|asked| asked.method == "HEAD" || asked.path.ends_with("/tags/list")),
        "{third:?}"
    );
    assert!(third.len() <= 3, "{third:?}");
}

#[test]
fn status_counts_the_builds_between_and_asks_once() {
    // Consoles of other cases look at the whole fleet, and so ask about this one's images too.
    let Some(lab) = Lab::alone() else { return };
    let (host, registry) = (lab.host("old"), lab.registry("plain"));
    let repo = history(&lab, &registry, 6);
    let project = behind(&host, &registry, &repo, "02abcde02");
    let home = lab.folder("counts");
    let target = format!("{}/{}/web", host.name, project.name);
    let status = || -> (Value, Vec<Request>) {
        let mark = registry.mark();
        let mut command: Command = lab.console(&["status", &target, "--json"]);
        let output = command.env("HOME", &home).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let service = document["hosts"][0]["projects"][0]["services"][0].clone();
        let mut asked = registry.asked_since(mark);
        asked.retain(|asked| asked.path.contains(&repo));
        (service, asked)
    };
    let (first, asked) = status();
    assert_eq!(first["verdict"], "behind", "{first}");
    assert_eq!(first["builds_behind"], 3, "{first}");
    let asked = by_console(&asked, &lab).len();
    eprintln!("counting on {target}: {asked} requests");
    assert!(asked <= 30, "{asked}");
    let (second, asked) = status();
    assert_eq!(second["builds_behind"], 3, "{second}");
    let moving = format!("/v2/{repo}/manifests/latest");
    assert!(asked.iter().all(|asked| asked.path == moving), "{asked:?}");
}

#[test]
fn layers_and_tags_change_nothing() {
    let Some(lab) = Lab::here() else { return };
    let (host, registry) = (lab.host("ctd28"), lab.registry("plain"));
    let repo = history(&lab, &registry, 3);
    let project = behind(&host, &registry, &repo, "01abcde01");
    let since = host.sh("date +%s.%N");
    let of = format!("label=of={repo}");
    let images = host.docker(&["images", "-aq", "--no-trunc", "--filter", &of]);
    let mark = registry.mark();
    let target = format!("{}/{}/web", host.name, project.name);
    for command in [
        &["layers", &target, "--json"][..],
        &["tags", &target, "--json"],
    ] {
        let output = lab.console(command).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {words}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["target"], target.as_str());
    }
    let asked = registry.asked_since(mark);
    let asked: Vec<&Request> = asked
        .iter()
        .filter(|asked| asked.path.contains(&repo))
        .collect();
    assert!(!asked.is_empty());
    assert!(
        asked
            .iter()
            .all(|asked| matches!(asked.method.as_str(), "GET" | "HEAD")),
        "{asked:?}"
    );
    let label = format!("label=com.docker.compose.project={}", project.name);
    let now = host.sh("date +%s.%N");
    let events = host.docker(&[
        "events", "--since", &since, "--until", &now, "--filter", &label,
    ]);
    assert_eq!(events, "");
    let after = host.docker(&["images", "-aq", "--no-trunc", "--filter", &of]);
    assert_eq!(after, images);
}

#[test]
fn a_registry_that_is_down_leaves_what_is_known_with_its_age() {
    let Some(lab) = Lab::alone() else { return };
    let (host, registry) = (lab.host("new"), lab.registry("plain"));
    let repo = history(&lab, &registry, 3);
    let project = behind(&host, &registry, &repo, "01abcde01");
    let home = lab.folder("ahead");
    let target = format!("{}/{}/web", host.name, project.name);
    let run = |args: &[&str]| {
        let mut command: Command = lab.console(args);
        command.env("HOME", &home).output().unwrap()
    };
    let before = run(&["tags", &target, "--json"]);
    assert!(before.status.success());
    lab.fault("registries", &["stop-registry", "plain"]);
    let after = run(&["tags", &target, "--json"]);
    let text = run(&["tags", &target]);
    lab.fault("registries", &["start-registry", "plain"]);
    let names = |output: &std::process::Output| -> Vec<String> {
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let list = document["candidates"].as_array().unwrap().iter();
        list.flat_map(|own| own["tags"].as_array().unwrap())
            .map(|tag| tag.as_str().unwrap().to_owned())
            .filter(|tag| tag != "latest")
            .collect()
    };
    assert_eq!(names(&before), names(&after));
    let words = String::from_utf8_lossy(&after.stderr);
    assert!(words.contains("could not be listed"), "{words}");
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains("listed "), "{text}");
}

#[test]
fn two_thousand_tags_are_asked_about_in_part() {
    let Some(lab) = Lab::here() else { return };
    let (host, registry) = (lab.host("new"), lab.registry("plain"));
    let repo = unique("many");
    let image = Image::busybox(&lab).label("of", &repo).build();
    let latest = registry.reference(&repo, "latest");
    registry.push(&repo, "latest", &image);
    for number in 0..2_000 {
        registry.put_manifest(&repo, &format!("sha-a{number:06}"), &image.manifest);
    }
    let project = host.project(
        &unique("many"),
        &format!("services:\n  web:\n    image: {latest}\n"),
    );
    project.compose(&["up", "-d"]);
    let service = homelab_tui::core::names::ServiceKey {
        host: host.name.as_str().into(),
        project: project.name.as_str().into(),
        service: "web".into(),
    };
    let mut watcher = Watcher::of(&lab, &host, &registry, service, Some(project));
    let mark = registry.mark();
    let began = std::time::Instant::now();
    let seen = watcher.tags();
    let took = began.elapsed();
    let asked = registry.asked_since(mark);
    let heads = asked
        .iter()
        .filter(|asked| asked.path.contains(&repo) && asked.method == "HEAD")
        .count();
    eprintln!("2,001 tags: {heads} asked about in {took:?}");
    assert_eq!(seen.tally.all, 2_001);
    assert!((100..=210).contains(&heads), "{heads}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}
