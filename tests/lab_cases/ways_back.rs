//! Ways back that have to last: an image that the registry no longer has, an engine started anew, and the host's own
//! habits afterwards.

use super::acting::{Console, HOSTS, behind, files, running};
use crate::support::Lab;

#[test]
fn c7_an_image_gone_from_the_registry_comes_back_and_outlives_a_new_start_of_the_engine() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for name in HOSTS {
        let case = behind(&lab, name);
        let (project, target) = (&case.project, case.target.as_str());
        project.file(
            "compose.yaml",
            &format!(
                "# mine\nservices:\n    web: {{image: \"{}\", restart: unless-stopped}}   # odd\n",
                case.reference
            ),
        );
        let (first, before) = (running(project, "web"), files(project));
        // Started anew with the restart policy, still with the older image.
        project.compose(&["up", "-d", "--pull", "never"]);
        let update = console.run(&["update", target, "--yes", "--json"]);
        assert_eq!(update.outcome(), "succeeded", "{}", update.text);
        let digest = update.plan()["from"]["digest"].as_str().unwrap().to_owned();
        let repo = case
            .reference
            .rsplit_once('/')
            .unwrap()
            .1
            .split(':')
            .next()
            .unwrap();
        lab.registry("plain").delete(repo, &digest);

        let began = std::time::Instant::now();
        let back = console.run(&["rollback", target, "--to", &digest, "--yes", "--json"]);
        assert_eq!(back.outcome(), "succeeded", "{}", back.text);
        eprintln!(
            "rollback on {name} to a digest deleted from the registry: {:.1} s",
            began.elapsed().as_secs_f32()
        );
        assert_eq!(back.plan()["pinned"], "override");
        assert_eq!(back.plan()["fetch_bytes"], 0);
        assert_eq!(running(project, "web"), first);

        project.host.fault("stop-engine");
        project.host.fault("start-engine");
        project
            .host
            .wait_state(&project.container("web"), "running");
        assert_eq!(running(project, "web"), first);
        project.compose(&["pull"]);
        project.compose(&["up", "-d"]);
        project.compose(&["up", "-d", "--force-recreate"]);
        assert_eq!(
            running(project, "web"),
            first,
            "the host's own habits do not undo it"
        );

        let unpin = console.run(&["unpin", target, "--yes", "--json"]);
        assert_eq!(unpin.outcome(), "succeeded", "{}", unpin.text);
        assert_eq!(files(project), before, "every byte is as it was");
        let pin = console.run(&["pin", target, "--yes", "--json", "--reason", "it works"]);
        assert_eq!(pin.outcome(), "succeeded", "{}", pin.text);
        project.host.fault("stop-engine");
        project.host.fault("start-engine");
        project.compose(&["pull"]);
        project.compose(&["up", "-d"]);
        assert_eq!(running(project, "web"), first);
        let unpin = console.run(&["unpin", target, "--yes", "--json"]);
        assert_eq!(unpin.outcome(), "succeeded", "{}", unpin.text);
        assert_eq!(files(project), before);
    }
}

#[test]
fn with_the_registry_away_what_the_host_holds_is_enough() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    for name in ["old", "ctd28"] {
        let case = behind(&lab, name);
        let target = case.target.as_str();
        let first = running(&case.project, "web");
        let update = console.run(&["update", target, "--yes", "--json"]);
        assert_eq!(update.outcome(), "succeeded", "{}", update.text);
        let second = running(&case.project, "web");
        lab.fault("registries", &["stop-registry", "plain"]);
        let ran = std::panic::catch_unwind(|| {
            let recreate = console.run(&["recreate", target, "--yes", "--json"]);
            assert_eq!(recreate.outcome(), "succeeded", "{}", recreate.text);
            assert_eq!(running(&case.project, "web"), second);
            let back = console.run(&["rollback", target, "--yes", "--json"]);
            assert_eq!(back.outcome(), "succeeded", "{}", back.text);
            assert_eq!(running(&case.project, "web"), first);
            for plan in [recreate.plan(), back.plan()] {
                let warnings = plan["warnings"].to_string();
                assert!(
                    warnings.contains("the registry is not needed"),
                    "{warnings}"
                );
            }
            let pull = console.run(&["pull", target, "--yes", "--json"]);
            assert_eq!(pull.outcome(), "refused", "{}", pull.text);
        });
        lab.fault("registries", &["start-registry", "plain"]);
        ran.unwrap();
    }
}
