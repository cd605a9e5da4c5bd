//! Ways back against real registries and engines: what stands beside an image, and images kept on a host.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::image::{Blob, Built};
use crate::support::registry::{Push, Request};
use crate::support::{Host, Image, Index, Lab, Layer, Project, Registry, fresh_seed, unique};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const COMMIT: &str = "9c1e2d4f00112233445566778899aabbccddeeff";

fn image(lab: &Lab, repo: &str, revision: &str, day: usize) -> Built {
    Image::busybox(lab)
        .label("of", repo)
        .label("org.opencontainers.image.revision", revision)
        .label(
            "org.opencontainers.image.source",
            "https://git.example/me/app",
        )
        .created(&format!("2026-02-{day:02}T00:00:00Z"))
        .layer(Layer::random(fresh_seed(), 3_000))
        .build()
}

/// Makes an index with a bill of materials and a provenance statement beside its image, as builders do.
fn attested(registry: &Registry, repo: &str, image: &Built) -> Index {
    let put = |media: &str, body: &Value| {
        let blob = Blob::new(media, body.to_string().into_bytes());
        registry.put_blob(repo, &blob);
        blob.descriptor()
    };
    let statement = |kind: &str, predicate: Value| {
        let body = json!({"predicateType": kind, "predicate": predicate});
        let mut entry = put("application/vnd.in-toto+json", &body);
        entry["annotations"] = json!({"in-toto.io/predicate-type": kind});
        entry
    };
    let built_from = json!({"uri": "https://git.example/me/app.git#refs/heads/main", "digest": {"sha1": COMMIT}});
    let layers = [
        statement("https://spdx.dev/Document", json!({"name": repo})),
        statement(
            "https://slsa.dev/provenance/v0.2",
            json!({"builder": {"id": ""}, "invocation": {"configSource": built_from}}),
        ),
    ];
    let unknown = json!({"os": "unknown", "architecture": "unknown"});
    let config = put("application/vnd.oci.image.config.v1+json", &unknown);
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let manifest = Blob::new(MANIFEST, manifest.to_string().into_bytes());
    registry.put_manifest(repo, &manifest.digest, &manifest);
    let mut entry = manifest.descriptor();
    entry["platform"] = unknown;
    entry["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image.manifest.digest,
    });
    Index::of(&[image]).entry(entry)
}

/// A service that follows `latest` and runs what that named at its start.
fn service(host: &Host, registry: &Registry, repo: &str) -> (Project, String) {
    let latest = registry.reference(repo, "latest");
    let yaml = format!("services:\n  web:\n    image: {latest}\n    pull_policy: missing\n");
    let project = host.project(&unique("ways"), &yaml);
    project.compose(&["up", "-d"]);
    let target = format!("{}/{}/web", host.name, project.name);
    (project, target)
}

fn document(output: &Output) -> Value {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

#[test]
fn what_stands_beside_an_image_is_told_and_read_once() {
    let Some(lab) = Lab::here() else { return };
    let (host, registry) = (lab.host("new"), lab.registry("plain"));
    let repo = unique("attested");
    let old = image(&lab, &repo, "0000000000000000000000000000000000000001", 1);
    registry.push(&repo, "latest", &old);
    let (project, target) = service(&host, &registry, &repo);
    // The label says another commit than the provenance.
    let new = image(&lab, &repo, "feedfacefeedfacefeedfacefeedfacefeedface", 2);
    let index = attested(&registry, &repo, &new).build();
    index.push_to(&registry, &repo, "latest");
    let signature = image(&lab, &repo, "signature", 3);
    let helper = index.manifest.digest.replacen(':', "-", 1);
    registry.push(&repo, &format!("{helper}.sig"), &signature);

    let home = lab.folder("ways");
    let run = |args: &[&str]| lab.console(args).env("HOME", &home).output().unwrap();
    let own = |asked: Vec<Request>| -> Vec<(String, String)> {
        let hosts: Vec<String> = lab.hosts().into_iter().map(|host| host.ip).collect();
        asked
            .into_iter()
            .filter(|asked| asked.path.contains(&repo) && !hosts.contains(&asked.client))
            .map(|asked| (asked.method, asked.path))
            .collect()
    };
    let first = document(&run(&["layers", &target, "--json"]));
    let trust = &first["trust"];
    assert_eq!(trust["provenance"], "present", "{first}");
    assert_eq!(trust["sbom"], "present");
    assert_eq!(trust["signature"], "present");
    assert_eq!(trust["source"], "https://git.example/me/app.git");
    assert_eq!(trust["commit"], COMMIT);
    let told = trust["contradictions"][0].as_str().unwrap();
    assert!(told.contains("feedfacefeed"), "{told}");
    let running = &first["running_trust"];
    assert_eq!(running["provenance"], "absent");
    assert_eq!(running["signature"], "absent");

    let mark = registry.mark();
    let again = document(&run(&["layers", &target, "--json"]));
    assert_eq!(again["trust"], *trust);
    let asked = own(registry.asked_since(mark));
    let moving = format!("/v2/{repo}/manifests/latest");
    assert!(
        asked
            .iter()
            .all(|(method, path)| method == "HEAD" && *path == moving),
        "a second look asks for nothing but what may have moved: {asked:?}"
    );
    eprintln!("a second look at {target}: {asked:?}");
    let tags = document(&run(&["tags", &target, "--json"]));
    let newest = &tags["candidates"][0];
    assert_eq!(newest["trust"]["signature"], "present", "{newest}");
    drop(project);
}

#[test]
fn an_image_is_kept_on_the_host_before_the_registry_lets_it_go() {
    let Some(lab) = Lab::here() else { return };
    for name in ["old", "ctd28"] {
        let (host, registry) = (lab.host(name), lab.registry("plain"));
        let repo = unique("kept");
        let old = image(&lab, &repo, "00000000000000000000000000000000000000aa", 1);
        registry.push(&repo, "sha-00000000aa", &old);
        let new = image(&lab, &repo, "00000000000000000000000000000000000000bb", 2);
        registry.push(&repo, "latest", &new);
        let (project, target) = service(&host, &registry, &repo);
        let run = |args: &[&str]| lab.console(args).output().unwrap();
        let way = |list: &Value| -> Value {
            let all = list["candidates"].as_array().unwrap().iter();
            let mut mine = all.filter(|own| own["digest"] == old.manifest.digest.as_str());
            mine.next().unwrap_or_else(|| panic!("{list}")).clone()
        };
        let before = way(&document(&run(&["tags", &target, "--json"])));
        assert_eq!(before["where"], json!(["registry"]), "{name}");
        let runs = project.compose(&["ps", "-q", "web"]);
        let done = run(&[
            "keep",
            &target,
            "--to",
            &old.manifest.digest,
            "--yes",
            "--json",
        ]);
        let words = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{name}: {words}");
        assert!(
            words.contains("\"outcome\":\"succeeded\""),
            "{name}: {words}"
        );
        let after = way(&document(&run(&["tags", &target, "--json"])));
        assert_eq!(after["where"], json!(["host", "registry"]), "{name}");
        assert_eq!(after["fetch_bytes"], 0);
        assert_eq!(
            project.compose(&["ps", "-q", "web"]),
            runs,
            "nothing restarts"
        );
        // The registry forgets it; the way back stays.
        registry.delete(&repo, &old.manifest.digest);
        let gone = way(&document(&run(&["tags", &target, "--json"])));
        assert_eq!(gone["where"], json!(["host"]), "{name}: {gone}");
    }
}

#[test]
fn a_revision_is_found_however_its_tag_is_written() {
    let Some(lab) = Lab::here() else { return };
    let (host, registry) = (lab.host("new"), lab.registry("plain"));
    let repo = unique("named");
    let revision = |begin: &str| format!("{begin:0<40}");
    let mut digests = Vec::new();
    for (day, (tag, begin)) in [
        ("9c1e2d4", "9c1e2d4"),
        ("sha-1f00aa1", "1f00aa1"),
        ("main-2f00bb2", "2f00bb2"),
        ("dev-2f00cc3", "2f00cc3"),
        ("1.4.2", "abcdef0"),
        ("20240628-143022", "77aa000"),
        ("1", "88bb000"),
    ]
    .into_iter()
    .enumerate()
    {
        let built = image(&lab, &repo, &revision(begin), day + 1);
        registry.push(&repo, tag, &built);
        digests.push(built.manifest.digest.clone());
    }
    let running = image(&lab, &repo, &revision("eeee000"), 20);
    registry.push(&repo, "latest", &running);
    let (project, target) = service(&host, &registry, &repo);
    let home = lab.folder("named");
    let run = |args: &[&str]| lab.console(args).env("HOME", &home).output().unwrap();
    for (text, place) in [
        ("9c1e", 0),
        ("sha-1f00a", 1),
        ("dev-2f00", 3),
        ("abcdef", 4),
        ("20240628", 5),
    ] {
        // Both find by the same rules; each of them is asked some.
        let layers = (place % 2 == 1).then(|| {
            let layers = document(&run(&["layers", &target, "--to", text, "--json"]));
            assert_eq!(layers["digest"], digests[place].as_str(), "layers {text}");
            layers["fetch_bytes"].clone()
        });
        let plan = document(&run(&[
            "rollback",
            &target,
            "--to",
            text,
            "--dry-run",
            "--json",
        ]));
        let to = &plan["targets"][0];
        assert_eq!(to["to"]["digest"], digests[place].as_str(), "{text}: {to}");
        let fetch = layers.unwrap_or_else(|| to["fetch_bytes"].clone());
        assert!(
            fetch.is_u64(),
            "{text}: the plan knows what it fetches: {to}"
        );
        assert_eq!(to["fetch_bytes"], fetch, "{text}");
    }
    for command in [
        &["layers", &target, "--to", "2f00", "--json"][..],
        &["rollback", &target, "--to", "2f00", "--dry-run", "--json"],
    ] {
        let output = run(command);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {words}");
        assert!(
            words.contains("2f00bb2") && words.contains("2f00cc3"),
            "{command:?}: {words}"
        );
    }
    drop(project);
}
