//! Many targets at once: their order and the rule behind it.

use serde_json::Value;

use super::acting::{Console, files, push, running};
use super::at_the_screen::Terminal;
use crate::support::{Lab, unique};

#[test]
fn who_provides_a_shared_network_comes_first_whatever_the_names_are() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    let repo = unique("many");
    push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
    let reference = registry.reference(&repo, "latest");
    let host = lab.host("new");
    // Its name says nothing of the project that makes it.
    let network = unique("edge");
    let provider = host.project(
        &unique("z-proxy"),
        &format!("services:\n  proxy:\n    image: {reference}\n    networks: [web]\nnetworks: {{web: {{name: {network}}}}}\n"),
    );
    provider.compose(&["up", "-d"]);
    let user = host.project(
        &unique("a-blog"),
        &format!("services:\n  api:\n    image: {reference}\n    networks: [web]\n    depends_on: [db]\n  db:\n    image: {reference}\n    networks: [web]\nnetworks: {{web: {{external: true, name: {network}}}}}\n"),
    );
    user.compose(&["up", "-d"]);
    let targets = [
        format!("new/{}", user.name),
        format!("new/{}", provider.name),
    ];
    let args = ["recreate", &targets[0], &targets[1], "--json"];
    let plan = console.run(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(plan.code, 0, "{}", plan.text);
    let order = |ran: &super::acting::Ran| -> Vec<String> {
        let line = ran
            .lines
            .iter()
            .find(|line| line["event"] == "plan")
            .unwrap();
        let targets = line["targets"].as_array().unwrap().iter();
        targets
            .map(|own| own["target"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = [
        format!("new/{}/proxy", provider.name),
        format!("new/{}/db", user.name),
        format!("new/{}/api", user.name),
    ];
    assert_eq!(order(&plan), expected);
    assert!(
        plan.lines[0]["order"].as_str().unwrap().contains("network"),
        "{}",
        plan.text
    );
    let ran = console.run(&[&args[..], &["--yes"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.text);
    let done = ran
        .lines
        .iter()
        .find(|line| line["event"] == "done")
        .unwrap();
    let done = done["targets"].as_array().unwrap();
    assert_eq!(done.len(), 3);
    assert!(
        done.iter().all(|own| own["outcome"] == "succeeded"),
        "{done:?}"
    );
    assert!(done.iter().all(|own| own["job"] != Value::Null));
    // The network goes with its users first.
    user.compose(&["down", "-t", "0"]);
}

#[test]
fn two_marked_services_are_updated_from_one_dialog_one_after_the_other() {
    let Some(lab) = Lab::here() else { return };
    if std::process::Command::new("tmux")
        .arg("-V")
        .output()
        .is_err()
    {
        eprintln!("left out: there is no tmux here");
        return;
    }
    let console = Console::at_home(&lab);
    let registry = lab.registry("plain");
    let repo = unique("marked");
    push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
    let reference = registry.reference(&repo, "latest");
    let project = lab.host("new").project(
        &unique("marked"),
        &format!("services:\n  api:\n    image: {reference}\n    depends_on: [web]\n  idle:\n    image: {reference}\n  web:\n    image: {reference}\n"),
    );
    project.compose(&["up", "-d"]);
    let first = running(&project, "web");
    push(&lab, &registry, &repo, "latest", "2026-02-01T00:00:00Z");

    let terminal = Terminal::open(&console);
    terminal.goes_to(&project.name, ">     web");
    terminal.row_says(">     web", "behind");
    let began = std::time::Instant::now();
    for key in ["Space", "k", "k", "Space", "u"] {
        terminal.press(key);
    }
    terminal.waits_for("y update all 2");
    let plan = terminal.screen();
    for words in [
        "2 marked",
        "services after those they depend on",
        "free there",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    let place = |name: &str| plan.find(&format!("{}/{name}", project.name));
    assert!(place("web") < place("api"), "{plan}");
    let shown = began.elapsed();
    terminal.press("y");
    terminal.waits_for("queued");
    terminal.waits_for("api: succeeded");
    eprintln!(
        "two marked services: 6 keys; plan after {:.1} s, both proven after {:.1} s (settle time 1 s each)",
        shown.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    let second = running(&project, "web");
    assert_ne!(second, first);
    assert_eq!(running(&project, "api"), second);
    assert_eq!(running(&project, "idle"), first, "it was not marked");
    let history = console.run(&["history", &format!("new/{}", project.name), "--json"]);
    let document: Value = serde_json::from_str(&history.text).unwrap();
    let events = document["events"].as_array().unwrap().iter();
    let mut ended: Vec<&str> = events
        .filter(|event| event["outcome"] == "succeeded")
        .map(|event| event["target"].as_str().unwrap())
        .collect();
    ended.sort_unstable();
    let wanted = ["api", "web"].map(|name| format!("new/{}/{name}", project.name));
    assert_eq!(ended, wanted, "{}", history.text);
}

#[test]
fn all_services_of_a_project_go_back_and_forth_and_their_files_stay_as_they_were() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry = lab.registry("plain");
    for (host, own_override) in [("old", false), ("ctd28", true)] {
        let repo = unique("bulk");
        push(&lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
        let reference = registry.reference(&repo, "${TAG}");
        let services: String = ["x", "y"]
            .map(|name| format!("  {name}: {{image: \"{reference}\", secrets: [key]}}\n"))
            .concat();
        let project = lab.host(host).project(
            &unique("bulk"),
            &format!("services:\n{services}secrets: {{key: {{file: ./key.txt}}}}\n"),
        );
        project.file("key.txt", "open\n");
        // Some editors begin files with a mark, and this one has no end of line either.
        project.file(".env", "\u{feff}TAG=latest");
        if own_override {
            let labels = ["x", "y"].map(|name| format!("  {name}: {{labels: {{own: \"1\"}}}}\n"));
            project.file(
                "compose.override.yaml",
                &format!("services:\n{}", labels.concat()),
            );
        }
        let before = files(&project);
        project.compose(&["up", "-d"]);
        let first = running(&project, "x");
        push(&lab, &registry, &repo, "latest", "2026-02-01T00:00:00Z");

        let target = format!("{host}/{}", project.name);
        let act = |action: &str| {
            let ran = console.run(&[action, &target, "--yes", "--json"]);
            assert_eq!(ran.code, 0, "{host} {action}: {}", ran.text);
        };
        let run = |image: &str| {
            for service in ["x", "y"] {
                assert_eq!(running(&project, service), image, "{host} {service}");
            }
        };
        act("update");
        let second = running(&project, "x");
        assert_ne!(second, first);
        run(&second);
        act("rollback");
        run(&first);
        // The project's own way keeps what is pinned.
        project.compose(&["up", "-d"]);
        run(&first);
        act("unpin");
        assert_eq!(files(&project), before, "{host}");
        act("update");
        run(&second);
        assert_eq!(files(&project), before, "{host}");
    }
}
