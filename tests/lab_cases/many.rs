//! Many targets at once: their order and the rule behind it.

use serde_json::Value;

use super::acting::{Console, push};
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
    let provider = host.project(
        &unique("z-proxy"),
        &format!("services:\n  proxy:\n    image: {reference}\n    networks: [web]\nnetworks: {{web: {{}}}}\n"),
    );
    provider.compose(&["up", "-d"]);
    let network = format!("{}_web", provider.name);
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
