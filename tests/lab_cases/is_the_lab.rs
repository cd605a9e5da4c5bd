//! The lab is what it claims to be: engines, image stores, compose and registries behave as the
//! product's other tests take for granted.

use serde_json::Value;

use crate::support::{
    Host, Image, Index, Lab, Layer, Packing, Project, Registry, fresh_seed,
    image::{Built, BuiltIndex},
    unique,
};

/// A service of a new project on a host, its image (an index with one image and an attestation) in a
/// repository of its own.
struct Running {
    project: Project,
    repo: String,
    image: Built,
    index: BuiltIndex,
}

fn run(lab: &Lab, registry: &Registry, host: &Host) -> Running {
    let repo = unique("app");
    let image = Image::busybox(lab).label("of", &repo).build();
    let index = Index::of(&[&image]).attestation(&image, "first").build();
    registry.push(&repo, "latest", &index);
    let yaml = format!(
        "services:\n  web:\n    image: {}\n    labels: {{a: b}}\n",
        registry.reference(&repo, "latest")
    );
    let project = host.project(&unique("lab"), &yaml);
    project.compose(&["up", "-d"]);
    Running {
        project,
        repo,
        image,
        index,
    }
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn versions_and_stores_are_the_promised_ones() {
    let Some(lab) = Lab::here() else { return };
    for (name, engine, api, driver, compose) in [
        ("old", "20.10.", "1.41", "overlay2", "2.26."),
        ("new", "28.", "1.51", "overlay2", "2.40."),
        ("ctd26", "26.1.", "1.45", "overlayfs", "2.26."),
        ("ctd28", "28.", "1.51", "overlayfs", "2.40."),
    ] {
        let host = lab.host(name);
        let (version, info) = (host.api("/version"), host.api("/info"));
        assert!(
            version["Version"].as_str().unwrap().starts_with(engine),
            "{name}: {}",
            version["Version"]
        );
        assert_eq!(version["ApiVersion"], api, "{name}");
        assert_eq!(info["Driver"], driver, "{name}");
        assert_eq!(info["Name"], name);
        let containerd = info["DriverStatus"]
            .to_string()
            .contains("io.containerd.snapshotter.v1");
        assert_eq!(
            containerd,
            host.is_containerd(),
            "{name}: {}",
            info["DriverStatus"]
        );
        let said = host.docker(&["compose", "version", "--short"]);
        assert!(said.starts_with(compose), "{name}: compose {said}");
    }
}

#[test]
fn labels_and_digests_are_as_each_store_keeps_them() {
    let Some(lab) = Lab::here() else { return };
    let registry = lab.registry("plain");
    for host in lab.hosts() {
        let running = run(&lab, &registry, &host);
        let container = host.inspect("container", &running.project.container("web"));
        let image = host.inspect("image", container["Image"].as_str().unwrap());
        let labels = &container["Config"]["Labels"];
        let name = &host.name;
        assert_eq!(container["State"]["Status"], "running", "{name}");
        assert_eq!(
            labels["com.docker.compose.project"], running.project.name,
            "{name}"
        );
        assert_eq!(labels["com.docker.compose.service"], "web", "{name}");
        assert_eq!(labels["com.docker.compose.oneoff"], "False", "{name}");
        let folder = format!("/srv/{}", running.project.name);
        assert_eq!(
            labels["com.docker.compose.project.working_dir"], folder,
            "{name}"
        );
        assert_eq!(
            labels["com.docker.compose.project.config_files"],
            format!("{folder}/compose.yaml"),
            "{name}"
        );
        let id = if host.is_containerd() {
            &running.index.manifest.digest
        } else {
            &running.image.config.digest
        };
        assert_eq!(container["Image"], id.as_str(), "{name}");
        let digest = format!(
            "{}/{}@{}",
            registry.address, running.repo, running.index.manifest.digest
        );
        assert_eq!(strings(&image["RepoDigests"]), [digest], "{name}");
        let descriptor = &container["ImageManifestDescriptor"]["digest"];
        if host.name == "ctd28" {
            let listed = host.api(&format!(
                "/containers/{}/json",
                running.project.container("web")
            ));
            let descriptor = if descriptor.is_null() {
                &listed["ImageManifestDescriptor"]["digest"]
            } else {
                descriptor
            };
            assert_eq!(descriptor, running.image.manifest.digest.as_str());
        } else {
            assert!(descriptor.is_null(), "{name}");
        }
    }
}

#[test]
fn the_old_image_of_a_moved_tag_is_kept_or_lost_as_known() {
    let Some(lab) = Lab::here() else { return };
    let registry = lab.registry("plain");
    for host in lab.hosts() {
        let running = run(&lab, &registry, &host);
        let second = Image::busybox(&lab)
            .layer(Layer::random(fresh_seed(), 3000))
            .build();
        registry.push(&running.repo, "latest", &second);
        running.project.compose(&["pull", "--quiet"]);
        let container = host.inspect("container", &running.project.container("web"));
        let old = container["Image"].as_str().unwrap();
        let seen = host.try_sh(&format!("docker image inspect {old}"));
        match host.name.as_str() {
            // Containerd's store before 27.2 drops the image although a container uses it.
            "ctd26" => assert!(!seen.status.success()),
            name => {
                let image = host.inspect("image", old);
                assert!(strings(&image["RepoTags"]).is_empty(), "{name}");
                assert_eq!(
                    strings(&image["RepoDigests"]).is_empty(),
                    host.is_containerd(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn every_registry_serves_the_hosts_that_may_ask_it() {
    let Some(lab) = Lab::here() else { return };
    let image = Image::busybox(&lab)
        .layer(Layer::random(fresh_seed(), 2000))
        .build();
    for name in ["plain", "basic", "token", "ca", "selfsigned"] {
        let registry = lab.registry(name);
        let repo = unique("served");
        registry.push(&repo, "1", &image);
        for host in lab.hosts() {
            let mark = registry.mark();
            host.docker(&["pull", "-q", &registry.reference(&repo, "1")]);
            let asked = registry.asked_since(mark);
            let manifest = format!("/v2/{repo}/manifests/");
            let from_host = asked
                .iter()
                .filter(|one| one.client == host.ip && one.path.starts_with(&manifest));
            assert!(
                from_host.clone().any(|one| one.status == 200),
                "{name} by {}: {asked:?}",
                host.name
            );
        }
    }
    // Only its own host reaches a registry on the loopback address, and each finds its own.
    let repo = unique("near");
    lab.registry("localhost-old").push(&repo, "1", &image);
    let reference = format!("localhost:5000/{repo}:1");
    lab.host("old").docker(&["pull", "-q", &reference]);
    for other in ["ctd28", "new"] {
        assert!(
            !lab.host(other)
                .try_sh(&format!("docker pull -q {reference}"))
                .status
                .success(),
            "{other}"
        );
    }
}

#[test]
fn one_content_in_three_packings_is_one_chain_of_layers() {
    let Some(lab) = Lab::here() else { return };
    let registry = lab.registry("plain");
    let packings = [
        Packing::Gzip(1),
        Packing::Gzip(2),
        Packing::Zstd,
        Packing::Tar,
    ];
    let build = |layer: &Layer, packing| {
        Image::busybox(&lab)
            .oci()
            .layer(layer.clone().packed(packing))
            .build()
    };
    let layer = Layer::random(9, 4000);
    let built = packings.map(|packing| build(&layer, packing));
    assert!(
        built
            .iter()
            .all(|one| one.config.digest == built[0].config.digest)
    );
    assert_ne!(built[0].layers[1].digest, built[1].layers[1].digest);
    for host in lab.hosts() {
        for packing in packings {
            // A layer that the host has never seen: else it would not unpack this one.
            let (repo, seed) = (unique("packed"), fresh_seed());
            registry.push(&repo, "1", &build(&Layer::random(seed, 4000), packing));
            let reference = registry.reference(&repo, "1");
            let list = format!("--entrypoint /bin/busybox {reference} ls -l /random-{seed}-4000");
            let ran = host.try_sh(&format!(
                "docker pull -q {reference} && docker run --rm {list}"
            ));
            let words = String::from_utf8_lossy(&ran.stderr);
            if host.name == "old" && matches!(packing, Packing::Zstd) {
                assert!(words.contains("invalid tar header"), "{words}");
            } else {
                assert!(
                    ran.status.success(),
                    "{packing:?} on {}: {words}",
                    host.name
                );
            }
        }
    }
}

#[test]
fn compose_v1_runs_on_the_old_host() {
    let Some(lab) = Lab::here() else { return };
    let registry = lab.registry("plain");
    let host = lab.host("old");
    let repo = unique("first");
    registry.push(
        &repo,
        "latest",
        &Image::busybox(&lab).label("of", &repo).build(),
    );
    let yaml = format!(
        "version: '3'\nservices:\n  web:\n    image: {}\n",
        registry.reference(&repo, "latest")
    );
    let project = host.project(&unique("v1"), &yaml);
    project.file("docker-compose.yml", &yaml);
    project.compose_v1(&["up", "-d"]);
    let container = host.inspect("container", &project.container("web"));
    assert_eq!(
        container["Config"]["Labels"]["com.docker.compose.version"],
        "1.29.2"
    );
    assert_eq!(container["Name"], format!("/{}_web_1", project.name));
}

#[test]
fn users_meet_what_they_are_made_for() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("new");
    let said = |user: &str, command: &str| {
        let output = host.ssh(user, command);
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    };
    assert_eq!(said("root", "hostname"), (Some(0), "new\n".to_owned()));
    assert_eq!(
        said("ops", "docker ps -q >/dev/null; echo $?"),
        (Some(0), "0\n".to_owned())
    );
    assert!(said("nodock", "docker ps").1.contains("permission denied"));
    assert!(
        said("fishy", "echo $FISH_VERSION")
            .1
            .starts_with(|c: char| c.is_ascii_digit())
    );
    assert!(said("nologin", "true").1.contains("not available"));
    assert!(
        String::from_utf8_lossy(&lab.host("bare").ssh("root", "docker ps").stderr)
            .contains("not found")
    );
}

#[test]
fn faults_can_be_made_and_mended() {
    let Some(lab) = Lab::alone() else { return };
    let host = lab.host("ctd26");
    host.fault("stop-engine");
    let words = String::from_utf8_lossy(&host.ssh("root", "docker ps").stderr).into_owned();
    host.fault("start-engine");
    assert!(
        words.contains("Cannot connect to the Docker daemon"),
        "{words}"
    );
    host.docker(&["ps"]);
    host.fault("stop-sshd");
    let refused = host.ssh("root", "true");
    host.fault("start-sshd");
    assert_eq!(refused.status.code(), Some(255));
    assert!(host.ssh("root", "true").status.success());
    lab.fault("registries", &["stop-registry", "plain"]);
    let address = lab.registry("plain").address;
    let down = std::net::TcpStream::connect(&address).is_err();
    lab.fault("registries", &["start-registry", "plain"]);
    assert!(down && std::net::TcpStream::connect(&address).is_ok());
}
