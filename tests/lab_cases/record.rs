//! What is remembered: changes that others made, jobs and their followers, pins and how they were undone.

use serde_json::Value;

use super::acting::{Behind, Console, behind, running};
use crate::support::Lab;

fn deploys_by_itself(case: &Behind) {
    case.project.compose(&["pull"]);
    case.project.compose(&["up", "-d"]);
}

fn remembered(host: &str) {
    let Some(lab) = Lab::here() else { return };
    let console = Console::at_home(&lab);
    let case = behind(&lab, host);
    let first = running(&case.project, "web");
    assert_eq!(console.service(&case.target)["pinned"], Value::Null);
    // The host's own deploy, seen afterwards.
    deploys_by_itself(&case);
    let second = running(&case.project, "web");
    console.service(&case.target);
    let events = console.history(&case.target);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0]["action"], &events[0]["by"]),
        (&Value::from("changed"), &Value::from("not by us"))
    );
    assert_eq!(events[0]["from"]["image_id"], first.as_str());
    assert_eq!(events[0]["to"]["image_id"], second.as_str());

    // A recreation with the same image is seen too, and told as one entry however often it happens.
    for _ in 0..3 {
        case.project.compose(&["up", "-d", "--force-recreate"]);
        console.service(&case.target);
    }
    let events = console.history(&case.target);
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0]["times"], 3);

    // The way back leads to what ran before the deploy that was only seen.
    let tags = console.run(&["tags", &case.target, "--json"]).document();
    let ran_before = tags["candidates"].as_array().unwrap().iter();
    let ran_before = ran_before.filter(|own| own["last_ran"] != Value::Null);
    assert!(ran_before.count() >= 1, "{tags}");
    let back = console.run(&[
        "rollback",
        &case.target,
        "--yes",
        "--json",
        "--reason",
        "login broken",
    ]);
    back.ended(0, "succeeded");
    assert_eq!(running(&case.project, "web"), first);
    let job = back.plan()["job"].as_str().unwrap().to_owned();

    let pinned = console.service(&case.target);
    let pin = &pinned["pinned"];
    assert_eq!(
        (&pin["how"], &pin["reason"]),
        (&Value::from("override"), &Value::from("login broken")),
        "{pinned}"
    );
    assert!(pin["by"].as_str().unwrap().contains('@') && pin["since"].is_string());
    assert!(pin["to"].as_str().unwrap().contains("@sha256:"), "{pin}");
    // It is judged against the tag that it followed.
    assert_ne!(pinned["verdict"], "current", "{pinned}");
    assert_eq!(pinned["registry"]["reference"], case.reference.as_str());
    let refused = console.run(&["update", &case.target, "--yes", "--json"]);
    assert_eq!(refused.outcome(), "refused");
    assert!(refused.why().contains("pinned"), "{}", refused.why());

    // Another machine follows the job that ended here.
    let other = Console::new(&lab);
    let jobs = other.run(&["jobs", host, "--json"]).document();
    let found = jobs["jobs"].as_array().unwrap().iter();
    let found = found
        .filter(|own| own["id"] == job.as_str())
        .collect::<Vec<_>>();
    assert_eq!(
        (&found[0]["state"], &found[0]["outcome"]),
        (&Value::from("done"), &Value::from("succeeded")),
        "{jobs}"
    );
    let followed = other.run(&["jobs", "follow", &job]);
    assert_eq!(followed.code, 0, "{}", followed.text);
    assert!(followed.text.contains("prove done"), "{}", followed.text);
    assert_eq!(other.run(&["jobs", "follow", "no-such-job"]).code, 2);

    // A pin that is taken away behind our back is noticed.
    case.project.host.sh(&format!(
        "rm /srv/{}/compose.override.yaml",
        case.project.name
    ));
    deploys_by_itself(&case);
    let undone = console.service(&case.target);
    assert_eq!(undone["pinned"], Value::Null);
    assert!(
        undone["note"]
            .as_str()
            .unwrap_or_default()
            .contains("undone"),
        "{undone}"
    );
    let actions: Vec<String> = console
        .history(&case.target)
        .iter()
        .map(|event| event["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions[0], "changed", "{actions:?}");
    assert!(actions.contains(&"rollback".to_owned()), "{actions:?}");
    // What was undone can be lifted, after which nothing is held against anybody.
    let unpin = console.run(&["unpin", &case.target, "--yes", "--json"]);
    assert_eq!(unpin.outcome(), "succeeded", "{}", unpin.text);
    let lifted = console.service(&case.target);
    assert!(
        !lifted["note"]
            .as_str()
            .unwrap_or_default()
            .contains("undone"),
        "{lifted}"
    );
    let again = console.run(&["unpin", &case.target, "--yes", "--json"]);
    assert!(again.why().contains("not pinned"), "{}", again.why());
}

#[test]
fn what_happens_is_on_record_on_an_old_graph_store() {
    remembered("old");
}

#[test]
fn what_happens_is_on_record_on_a_new_containerd_store() {
    remembered("ctd28");
}
