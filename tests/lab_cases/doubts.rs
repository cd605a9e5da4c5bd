//! Deployments in which an updater that sees only images would lose something of the operator's.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::acting::{Console, behind, files, image, push, running};
use crate::support::image::{Index, machine};
use crate::support::{Host, Lab, Project, Registry, unique};

/// Starts a project whose services run the older of two images of one tag.
fn older(lab: &Lab, host: &str, yaml: &str, prepare: impl Fn(&Project), up: &str) -> Project {
    let (registry, repo) = (lab.registry("plain"), unique("doubt"));
    push(lab, &registry, &repo, "latest", "2026-01-01T00:00:00Z");
    let yaml = yaml.replace("IMAGE", &registry.reference(&repo, "latest"));
    let project = lab.host(host).project(&unique("doubt"), &yaml);
    prepare(&project);
    project
        .host
        .sh(&format!("cd /srv/{} && {up} 2>&1", project.name));
    push(lab, &registry, &repo, "latest", "2026-02-01T00:00:00Z");
    project
}

fn exec(host: &Host, container: &str, command: &str) -> String {
    host.docker(&["exec", container, "/bin/busybox", "sh", "-c", command])
}

#[test]
fn an_anonymous_volume_s_data_comes_back_with_the_former_image() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let registry: Registry = lab.registry("plain");
    for host in ["new", "ctd26"] {
        let repo = unique("doubt");
        let volume = || image(&lab, &repo).config("Volumes", json!({"/data": {}}));
        registry.push(&repo, "latest", &volume().build());
        let yaml = format!(
            "services:\n  web: {{image: \"{}\"}}\n",
            registry.reference(&repo, "latest")
        );
        let project = lab.host(host).project(&unique("doubt"), &yaml);
        project.compose(&["up", "-d"]);
        exec(
            &project.host,
            &project.container("web"),
            "echo dear >/data/f",
        );
        // The new container is made, takes the old one's place, and then cannot be started.
        let broken = volume().config("Entrypoint", json!(["/nowhere"])).build();
        registry.push(&repo, "latest", &broken);
        let target = format!("{host}/{}/web", project.name);
        let update = console.run(&["update", &target, "--yes", "--json"]);
        update.ended(1, "put-back");
        let said = exec(&project.host, &project.container("web"), "cat /data/f");
        assert_eq!(said, "dear", "{host}");
    }
}

#[test]
fn a_secret_of_the_deploying_shell_holds_the_recreation_up() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let yaml = "services:\n  web: {image: \"IMAGE\", secrets: [key], configs: [{source: told, target: /told}]}\nsecrets: {key: {environment: HTUI_KEY}}\nconfigs: {told: {content: \"hello ${HTUI_WHO}\"}}\n";
    let up = "HTUI_KEY=k HTUI_WHO=world docker compose up -d";
    let project = older(&lab, "ctd28", yaml, |_| {}, up);
    let (target, first) = (
        format!("ctd28/{}/web", project.name),
        running(&project, "web"),
    );
    let refused = console.run(&["update", &target, "--yes", "--json"]);
    refused.ended(5, "refused");
    for told in ["HTUI_KEY", "HTUI_WHO"] {
        assert!(refused.why().contains(told), "{}", refused.why());
    }
    assert_eq!(running(&project, "web"), first);
    project.file(".env", "HTUI_KEY=k\nHTUI_WHO=world\n");
    let update = console.run(&["update", &target, "--yes", "--json"]);
    update.ended(0, "succeeded");
    let said = exec(
        &project.host,
        &project.container("web"),
        "cat /run/secrets/key /told",
    );
    assert_eq!(said, "khello world");
}

#[test]
fn an_env_file_that_others_read_too_gets_no_block_of_ours() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    for (host, more, linked) in [
        ("ctd26", "    env_file: .env\n", false),
        ("new", "    environment: {A: \"${A}\"}\n", true),
    ] {
        let yaml = format!("services:\n  web:\n    image: IMAGE\n{more}");
        let prepare = |project: &Project| {
            project.file(
                "compose.override.yaml",
                "services: {web: {labels: {x: y}}}\n",
            );
            project.file(if linked { "shared" } else { ".env" }, "A=1\n");
            if linked {
                symlink("shared", project.folder.join(".env")).unwrap();
            }
        };
        let project = older(&lab, host, &yaml, prepare, "docker compose up -d");
        let target = format!("{host}/{}/web", project.name);
        let (first, before) = (running(&project, "web"), files(&project));
        let update = console.run(&["update", &target, "--yes", "--json"]);
        update.ended(0, "succeeded");
        let back = console.run(&["rollback", &target, "--yes", "--json"]);
        back.ended(0, "succeeded");
        assert_eq!(running(&project, "web"), first);
        let warnings = back.plan()["warnings"].to_string();
        assert!(warnings.contains("not pinned, as"), "{warnings}");
        let pin = console.run(&["pin", &target, "--yes", "--json"]);
        pin.ended(5, "refused");
        assert_eq!(files(&project), before);
        assert_eq!(project.folder.join(".env").is_symlink(), linked);
        let container = project.host.inspect("container", &project.container("web"));
        let environment = container["Config"]["Env"].to_string();
        assert!(!environment.contains("COMPOSE_FILE"), "{environment}");
    }
}

#[test]
fn several_env_files_dollars_and_a_scale_by_hand_stay_as_they_are() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let yaml = "services:\n  web:\n    image: IMAGE\n    environment: {A: \"${A}\", B: \"${B}\", C: \"$$x\"}\n    deploy: {replicas: 3}\n";
    let prepare = |project: &Project| {
        project.file("a.env", "A=1\nB=1\n");
        project.file("b.env", "B=2\n");
    };
    let up = "docker compose --env-file a.env --env-file b.env up -d --scale web=1";
    let project = older(&lab, "ctd26", yaml, prepare, up);
    let target = format!("ctd26/{}/web", project.name);
    assert_eq!(console.service(&target)["config"], "same");
    let (first, before) = (running(&project, "web"), files(&project));
    for (verb, pinned) in [
        ("update", false),
        ("rollback", true),
        ("unpin", false),
        ("update", false),
    ] {
        let ran = console.run(&[verb, &target, "--yes", "--json"]);
        ran.ended(0, "succeeded");
        // `container` asserts that there is one alone.
        let container = project.container("web");
        let container = project.host.inspect("container", &container);
        let environment = container["Config"]["Env"].to_string();
        for pair in ["A=1", "B=2", "C=$x"] {
            assert!(environment.contains(pair), "{verb}: {environment}");
        }
        if pinned {
            assert_eq!(running(&project, "web"), first);
        } else {
            assert_eq!(files(&project), before, "{verb}");
        }
    }
}

#[test]
fn who_shares_memory_or_processes_is_recreated_too() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let yaml = "services:\n  web: {image: \"IMAGE\", ipc: shareable}\n  cache: {image: \"IMAGE\", ipc: \"service:web\"}\n  trace: {image: \"IMAGE\", pid: \"service:web\"}\n";
    let project = older(&lab, "new", yaml, |_| {}, "docker compose up -d");
    let target = format!("new/{}/web", project.name);
    let update = console.run(&["update", &target, "--yes", "--json"]);
    update.ended(0, "succeeded");
    assert_eq!(update.plan()["dependents"], json!(["cache", "trace"]));
    let owner = format!("container:{}", project.container("web"));
    for (service, key) in [("cache", "IpcMode"), ("trace", "PidMode")] {
        let own = project.container(service);
        let own = project.host.inspect("container", &own);
        assert_eq!(own["HostConfig"][key], owner, "{service}");
    }
}

#[test]
fn what_compose_would_not_fetch_is_said_before() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let case = behind(&lab, "old");
    let yaml = std::fs::read_to_string(case.project.folder.join("compose.yaml")).unwrap();
    let yaml = yaml.replace("web: {", "web: {pull_policy: never, ");
    case.project.file("compose.yaml", &yaml);
    let refused = console.run(&["update", &case.target, "--yes", "--json"]);
    refused.ended(5, "refused");
    let why = refused.why();
    assert!(
        why.contains("pull_policy: never") && why.contains(&case.reference),
        "{why}"
    );
    case.project.host.docker(&["pull", &case.reference]);
    let recreate = console.run(&["recreate", &case.target, "--yes", "--json"]);
    recreate.ended(0, "succeeded");
}

#[test]
fn who_depends_on_others_is_updated_as_often_as_there_is_something_new() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    // That compose takes dependencies into its hash, and leaves them out with `--no-deps`.
    let case = behind(&lab, "ctd26");
    let yaml = format!(
        "services:\n  web: {{image: \"{0}\", depends_on: [db]}}\n  db: {{image: \"{0}\"}}\n  saver: {{image: \"{0}\", volumes_from: [\"web:ro\"]}}\n",
        case.reference
    );
    case.project.file("compose.yaml", &yaml);
    case.project.compose(&["up", "-d", "--pull", "never"]);
    let repo = case.reference.split(['/', ':']).nth(2).unwrap();
    for month in [2, 3] {
        let created = format!("2026-0{month}-01T00:00:00Z");
        push(&lab, &lab.registry("plain"), repo, "latest", &created);
        let update = console.run(&["update", &case.target, "--yes", "--json"]);
        update.ended(0, "succeeded");
        assert_eq!(update.plan()["dependents"], json!(["saver"]));
    }
    // The labels of what was recreated by itself no longer tell whom it depends on; the files do.
    let whole = case.target.replace("/web", "");
    let dry = console.run(&["recreate", &whole, "--dry-run", "--json"]);
    let targets = dry.lines[0]["targets"].as_array().unwrap().iter();
    let order: Vec<&str> = targets
        .map(|one| one["target"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(order, ["db", "web", "saver"], "{}", dry.text);
    let saver = case.target.replace("/web", "/saver");
    assert_eq!(console.service(&saver)["config"], "same");
    // A real change is still seen.
    let other = yaml.replace("depends_on", "environment: {A: b}, depends_on");
    case.project.file("compose.yaml", &other);
    assert_eq!(console.service(&case.target)["config"], "changed");
}

#[test]
fn a_service_of_another_platform_is_judged_updated_and_rolled_back_for_that() {
    let Some(lab) = Lab::here() else { return };
    let (console, registry) = (Console::new(&lab), lab.registry("plain"));
    let other = if machine() == "arm64" {
        "amd64"
    } else {
        "arm64"
    };
    for host in ["new", "ctd28"] {
        let repo = unique("emulated");
        // The other one's programs are this machine's, so that they run without an emulator.
        let published = |created: &str| {
            let of = |arch: &str| {
                image(&lab, arch)
                    .created(created)
                    .platform("linux", arch, None)
            };
            let images = [of(machine()).build(), of(other).build()];
            Index::of(&[&images[0], &images[1]]).build()
        };
        let push = |created: &str| registry.push(&repo, "latest", &published(created));
        push("2026-01-01T00:00:00Z");
        let reference = registry.reference(&repo, "latest");
        let yaml =
            format!("services:\n  web: {{image: \"{reference}\", platform: linux/{other}}}\n");
        let project = lab.host(host).project(&unique("emulated"), &yaml);
        project.compose(&["up", "-d"]);
        let target = format!("{host}/{}/web", project.name);
        let first = running(&project, "web");
        let seen = console.service(&target);
        assert_eq!(seen["verdict"], "current", "{host}: {seen}");
        let note = seen["note"].as_str().unwrap_or_default();
        assert!(
            note.contains(&format!("judged for linux/{other}")),
            "{seen}"
        );
        push("2026-02-01T00:00:00Z");
        assert_eq!(console.service(&target)["verdict"], "behind", "{host}");
        console
            .run(&["update", &target, "--yes", "--json"])
            .ended(0, "succeeded");
        assert_eq!(console.service(&target)["verdict"], "current", "{host}");
        assert_ne!(running(&project, "web"), first, "{host}");
        console
            .run(&["rollback", &target, "--yes", "--json"])
            .ended(0, "succeeded");
        assert_eq!(running(&project, "web"), first, "{host}");
    }
}
