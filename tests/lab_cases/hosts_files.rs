//! Compose files rendered by the hosts themselves, compared with what the containers' labels record.

use std::fs;

use homelab_tui::adapters::hosts::HostSession;
use homelab_tui::core::files::{FilesState, Recipe, Rendered};

use super::hosts::{connect, hosts, open, run, spec};
use crate::support::{Host, Image, Lab, unique};

/// A service for each way in which compose's own hash was found to depend on more than the file.
const KINDS: &str = r#"
services:
  plain: {image: IMAGE, environment: {A: "${A:-one}"}}
  dollar: {image: IMAGE, environment: {S: "$$x"}, command: ["/bin/busybox", "sh", "-c", "echo $$HOME; sleep 9999"]}
  envfile: {image: IMAGE, env_file: web.env}
  both: {image: IMAGE, env_file: [web.env], environment: {B: three}}
  folder: {image: IMAGE, volumes: ["./sub:/srv"]}
  volume: {image: IMAGE, volumes: ["kept:/srv"]}
  after: {image: IMAGE, depends_on: [plain]}
  built: {image: IMAGE, build: {context: .}}
  twice: {image: IMAGE, deploy: {replicas: 2}}
  inherited: {image: IMAGE, environment: [FOO, BAR=1]}
  shared: {image: IMAGE, network_mode: "service:plain"}
  checked: {image: IMAGE, healthcheck: {test: "true", interval: 3s}, restart: unless-stopped, pull_policy: never}
  told: {image: IMAGE, configs: [c1], secrets: [{source: s1, target: t}]}
  bounded: {image: IMAGE, ulimits: {nofile: 10}, mem_limit: 50m, cpus: 0.5, ports: ["127.0.0.1::81"], stop_grace_period: 3s}
  aside: {image: IMAGE, profiles: [extra], env_file: web.env}
configs: {c1: {file: ./web.env}}
secrets: {s1: {file: ./web.env}}
volumes: {kept: {}}
"#;

/// The services' hashes in the labels, and how the project was started.
fn recorded(host: &Host, project: &str) -> (Vec<(String, String)>, Recipe) {
    let filter = format!("label=com.docker.compose.project={project}");
    let ids = host.docker(&["ps", "-aq", "--filter", &filter]);
    let mut hashes = Vec::new();
    let mut recipe = None;
    for id in ids.lines() {
        let labels = host.inspect("container", id)["Config"]["Labels"].clone();
        let label = |name: &str| {
            let value = &labels[format!("com.docker.compose.{name}")];
            value.as_str().map(str::to_owned)
        };
        hashes.push((label("service").unwrap(), label("config-hash").unwrap()));
        let files = label("project.config_files").unwrap();
        recipe = Some(Recipe {
            working_dir: label("project.working_dir").unwrap(),
            config_files: files.split(',').map(str::to_owned).collect(),
            environment_files: label("project.environment_file").into_iter().collect(),
        });
    }
    hashes.sort();
    hashes.dedup();
    (hashes, recipe.unwrap())
}

async fn rendered(session: &HostSession, recipe: &Recipe, project: &str) -> Rendered {
    match session.render(recipe, &project.into()).await {
        FilesState::Rendered(rendered) => rendered,
        other => panic!("{other:?}"),
    }
}

async fn unreadable(session: &HostSession, recipe: &Recipe) -> String {
    match session.render(recipe, &"x".into()).await {
        FilesState::Unreadable(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Compose is started without docker before it: neither the project's name nor the way to the engine may look otherwise to it.
#[test]
fn a_project_named_compose_and_files_that_read_the_engine_s_variable() {
    let Some(lab) = Lab::here() else { return };
    for name in ["old", "new"] {
        let host = lab.host(name);
        let repo = unique("named");
        let image = Image::busybox(&lab).label("of", &repo).build();
        let registry = lab.registry("plain");
        registry.push(&repo, "1", &image);
        let reference = registry.reference(&repo, "1");
        let project = host.project(
            "compose",
            &format!("services:\n  web: {{image: \"{reference}\", environment: [DOCKER_HOST, \"A=${{DOCKER_HOST:-none}}\"]}}\n"),
        );
        project.compose(&["up", "-d"]);
        let (hashes, recipe) = recorded(&host, "compose");
        run(async {
            for socket in [None, Some("/run/docker.sock".to_owned())] {
                let mut spec = spec(&format!("ssh://{name}"));
                spec.socket = socket.clone();
                let session = connect(&hosts(&lab), &spec).await.unwrap();
                let rendered = rendered(&session, &recipe, "compose").await;
                let words = session.rendering_words(session.place().unwrap()).await;
                assert!(words[0].ends_with("/docker-compose"), "{words:?}");
                let hash = rendered.services["web"].hash.clone();
                assert_eq!(hash.as_ref(), Some(&hashes[0].1), "{name} {socket:?}");
                session.close().await;
            }
        });
    }
}

#[test]
fn unchanged_files_render_to_the_recorded_hashes() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let hosts = hosts(&lab);
        for (name, version) in [("ctd26", "2.26"), ("ctd28", "2.40")] {
            let host = lab.host(name);
            let repo = unique("kinds");
            let image = Image::busybox(&lab).label("of", &repo).build();
            let registry = lab.registry("plain");
            registry.push(&repo, "1", &image);
            let yaml = KINDS.replace("IMAGE", &registry.reference(&repo, "1"));
            let project = host.project(&repo, &yaml);
            fs::create_dir(project.folder.join("sub")).unwrap();
            fs::write(project.folder.join("web.env"), "B=two\nPASSWORD=s3cret$x\n").unwrap();
            fs::write(project.folder.join(".env"), "A=from the file\n").unwrap();
            project.compose(&["--profile", "*", "up", "--no-build", "--no-start"]);

            let (hashes, recipe) = recorded(&host, &repo);
            let session = open(&hosts, &format!("ssh://{name}")).await;
            let rendering = rendered(&session, &recipe, &repo).await;
            assert!(rendering.compose_version.starts_with(version));
            assert_eq!(hashes.len(), 15);
            for (service, hash) in hashes {
                let own = &rendering.services[&service];
                assert_eq!(own.hash.as_ref(), Some(&hash), "{name} {service}");
                assert_eq!(own.builds, service == "built");
                assert_eq!(
                    own.image.as_deref(),
                    Some(registry.reference(&repo, "1").as_str())
                );
            }
            assert!(!format!("{rendering:?}").contains("s3cret"));

            // A changed value is another hash, of that service alone.
            let changed = yaml.replace("BAR=1", "BAR=2");
            fs::write(project.folder.join("compose.yaml"), changed).unwrap();
            let after = rendered(&session, &recipe, &repo).await;
            let differing: Vec<&String> = after
                .services
                .iter()
                .filter(|(service, own)| rendering.services[*service].hash != own.hash)
                .map(|(service, _)| service)
                .collect();
            assert_eq!(differing, ["inherited"], "{name}");
            session.close().await;
        }
    });
}

#[test]
fn several_files_another_name_and_env_file_are_found_from_the_labels() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let hosts = hosts(&lab);
        for name in ["old", "new"] {
            let host = lab.host(name);
            let repo = unique("over");
            let image = Image::busybox(&lab).label("of", &repo).build();
            let registry = lab.registry("plain");
            registry.push(&repo, "1", &image);
            let reference = registry.reference(&repo, "1");
            let yaml = format!(
                "services:\n  web:\n    image: {reference}\n    environment: {{V: \"$V\"}}\n"
            );
            let project = host.project(&repo, &yaml);
            fs::create_dir(project.folder.join("a b")).unwrap();
            fs::write(
                project.folder.join("a b/it's.yaml"),
                "services: {web: {labels: {x: y}}}\n",
            )
            .unwrap();
            fs::write(project.folder.join("prod.env"), "V=prod\n").unwrap();
            let other = format!("{repo}-other");
            host.sh(&format!(
                "cd /srv/{repo} && docker compose -p {other} --env-file prod.env -f compose.yaml -f \"a b/it's.yaml\" up --no-start"
            ));
            let (hashes, recipe) = recorded(&host, &other);
            assert_eq!(recipe.config_files.len(), 2);
            let session = open(&hosts, &format!("ssh://{name}")).await;
            let rendering = rendered(&session, &recipe, &other).await;
            assert_eq!(
                rendering.services["web"].hash.as_ref(),
                Some(&hashes[0].1),
                "{name}"
            );
            host.sh(&format!("docker compose -p {other} down"));
            session.close().await;
        }
    });
}

#[test]
fn files_that_cannot_be_rendered_say_why() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let host = lab.host("new");
        let project = host.project(&unique("bad"), "services: {a: {image: x, foo: 1}}\n");
        let folder = format!("/srv/{}", project.name);
        let session = open(&hosts(&lab), "ssh://new").await;
        let recipe = |folder: &str, file: &str| Recipe {
            working_dir: folder.to_owned(),
            config_files: vec![file.to_owned()],
            environment_files: Vec::new(),
        };
        let file = format!("{folder}/compose.yaml");
        let why = unreadable(&session, &recipe(&folder, &file)).await;
        assert!(why.contains("foo"), "{why}");
        let why = unreadable(&session, &recipe(&folder, "/srv/none.yaml")).await;
        assert!(why.starts_with("/srv/none.yaml is not there"), "{why}");
        let why = unreadable(&session, &recipe("/srv/none", &file)).await;
        assert!(why.contains("/srv/none"), "{why}");
        let why = unreadable(&session, &recipe(&folder, "-")).await;
        assert!(why.contains("standard input"), "{why}");
        session.close().await;

        let gate = open(&hosts(&lab), "ssh://new-gate").await;
        let state = gate.render(&recipe(&folder, &file), &"x".into()).await;
        assert!(matches!(state, FilesState::Unknown(_)), "{state:?}");
        gate.close().await;
    });
}
