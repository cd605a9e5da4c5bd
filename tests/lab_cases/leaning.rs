//! Services that share the network of another: they lose it with that one's container.

use serde_json::{Value, json};

use super::acting::{Console, image, push, running};
use crate::support::{Lab, Project, unique};

#[test]
fn c3_who_shares_a_network_is_recreated_too_with_the_image_that_it_runs() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    for host in ["old", "ctd26", "ctd28"] {
        let (repo, other) = (unique("vpn"), unique("side"));
        for repo in [&repo, &other] {
            push(&lab, &registry, repo, "latest", "2026-01-01T00:00:00Z");
        }
        let reference = registry.reference(&repo, "latest");
        let beside = registry.reference(&other, "latest");
        let yaml = format!(
            "services:\n  vpn: {{image: \"{reference}\"}}\n  app: {{image: \"{reference}\", network_mode: \"service:vpn\", depends_on: [vpn]}}\n  side: {{image: \"{beside}\", network_mode: \"service:vpn\", depends_on: [vpn]}}\n"
        );
        let project = lab.host(host).project(&unique("vpn"), &yaml);
        project.compose(&["up", "-d"]);
        let first = ["app", "side"].map(|service| running(&project, service));
        for repo in [&repo, &other] {
            push(&lab, &registry, repo, "latest", "2026-02-01T00:00:00Z");
        }
        // That engine lets go of an image whose tag a pull moved, though a container runs it.
        if host != "ctd26" {
            project.compose(&["pull", "side"]);
        }
        let named = |reference: &str| {
            let image = project.host.inspect("image", reference);
            image["Id"].as_str().unwrap().to_owned()
        };
        let (side_names, vpn_ran) = (named(&beside), running(&project, "vpn"));
        let target = format!("{host}/{}/vpn", project.name);
        let update = console.run(&["update", &target, "--yes", "--json"]);
        update.ended(0, "succeeded");
        assert_eq!(update.plan()["dependents"], json!(["app", "side"]));
        for service in ["app", "side"] {
            shares(&project, service, &project.container("vpn"));
        }
        let after = ["app", "side"].map(|service| running(&project, service));
        assert_eq!(after, first, "{host}: {}", update.text);
        assert_eq!(named(&beside), side_names, "{host}");
        assert_ne!(running(&project, "vpn"), vpn_ran);
        assert_eq!(named(&reference), running(&project, "vpn"), "{host}");
    }
}

/// Asserts that a service runs in the network of another service's present container.
#[track_caller]
fn shares(project: &Project, service: &str, owner: &str) {
    let own = project
        .host
        .inspect("container", &project.container(service));
    let mode = own["HostConfig"]["NetworkMode"].as_str().unwrap();
    assert_eq!(mode, format!("container:{owner}"));
}

#[test]
fn who_shares_a_network_comes_back_with_the_one_whose_new_image_ends() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::at_home(&lab);
    let registry = lab.registry("plain");
    for host in ["new", "ctd26"] {
        let repo = unique("vpn");
        push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
        let reference = registry.reference(&repo, "latest");
        let yaml = format!(
            "services:\n  vpn: {{image: \"{reference}\"}}\n  app: {{image: \"{reference}\", network_mode: \"service:vpn\"}}\n"
        );
        let project = lab.host(host).project(&unique("vpn"), &yaml);
        project.compose(&["up", "-d"]);
        let first = ["vpn", "app"].map(|service| running(&project, service));
        let bad = image(&lab, "bad")
            .created("2026-03-01T00:00:00Z")
            .config("Entrypoint", json!(["sh", "-c", "exit 3"]))
            .build();
        registry.push(&repo, "latest", &bad);
        let target = format!("{host}/{}/vpn", project.name);
        let beside = format!("{host}/{}/app", project.name);
        console.service(&beside);
        let update = console.run(&["update", &target, "--yes", "--json"]);
        update.ended(1, "put-back");
        let after = ["vpn", "app"].map(|service| running(&project, service));
        assert_eq!(after, first, "{host}: {}", update.text);
        shares(&project, "app", &project.container("vpn"));
        let named = project.host.inspect("image", &reference);
        assert_eq!(named["Id"].as_str(), Some(first[0].as_str()), "{host}");
        // It was this program's doing, and nobody else's.
        console.service(&beside);
        assert_eq!(console.history(&beside), Vec::<Value>::new());
    }
}

#[test]
fn who_shares_it_by_name_is_recreated_and_who_does_from_elsewhere_is_told_and_seen() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    for host in ["old", "ctd28"] {
        let (repo, name) = (unique("vpn"), unique("named"));
        push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
        let reference = registry.reference(&repo, "latest");
        let vpn = lab.host(host).project(
            &unique("vpn"),
            &format!(
                "services:\n  vpn: {{image: \"{reference}\", container_name: {name}}}\n  app: {{image: \"{reference}\", network_mode: \"container:{name}\", depends_on: [vpn]}}\n"
            ),
        );
        vpn.compose(&["up", "-d"]);
        let beside = lab.host(host).project(
            &unique("beside"),
            &format!(
                "services:\n  torrent: {{image: \"{reference}\", network_mode: \"container:{name}\"}}\n"
            ),
        );
        beside.compose(&["up", "-d"]);
        push(&lab, &registry, &repo, "latest", "2026-02-01T00:00:00Z");
        let away = format!("{host}/{}/torrent", beside.name);
        let note = |console: &Console<'_>| {
            let note = console.service(&away)["note"].clone();
            note.as_str().unwrap_or_default().to_owned()
        };
        assert!(!note(&console).contains("cut off"));

        let update = console.run(&[
            "update",
            &format!("{host}/{}/vpn", vpn.name),
            "--yes",
            "--json",
        ]);
        update.ended(0, "succeeded");
        assert_eq!(update.plan()["dependents"], json!(["app"]));
        let warnings = update.plan()["warnings"].as_array().unwrap();
        let told = warnings.iter().filter_map(Value::as_str);
        let told: Vec<&str> = told.filter(|words| words.contains("cut off")).collect();
        assert_eq!(told.len(), 1, "{warnings:?}");
        assert!(
            told[0].contains(&format!("homelab-tui recreate {away}")),
            "{told:?}"
        );
        shares(&vpn, "app", &vpn.container("vpn"));

        let gone = "cut off: the container whose network it shares is gone";
        assert!(note(&console).contains(gone), "{host}: {}", note(&console));
        let recreate = console.run(&["recreate", &away, "--yes", "--json"]);
        recreate.ended(0, "succeeded");
        shares(&beside, "torrent", &vpn.container("vpn"));
        assert!(!note(&console).contains("cut off"));
        vpn.host.docker(&["restart", "-t", "0", &name]);
        let anew = format!("cut off: {name}, whose network it shares, was started anew after it");
        assert!(note(&console).contains(&anew), "{host}: {}", note(&console));
    }
}
