#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use proptest::prelude::*;
use serde_json::json;

use super::*;

const COMMIT: &str = "9c1e2d4f00112233445566778899aabbccddeeff";

fn read(statement_json: &Value) -> Provenance {
    match statement(statement_json.to_string().as_bytes()).unwrap() {
        Statement::Provenance(provenance) => *provenance,
        other => panic!("read as {other:?}"),
    }
}

#[test]
fn buildx_version_0_2_from_a_workflow() {
    let told = read(&json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "pkg:docker/ghcr.io/me/blog@latest", "digest": {"sha256": "00"}}],
        "predicate": {
            "builder": {"id": "https://github.com/me/homelab/actions/runs/7/attempts/1"},
            "buildType": "https://mobyproject.org/buildkit@v1",
            "materials": [
                {"uri": "pkg:docker/python@3.12-slim", "digest": {"sha256": "11"}},
                {"uri": "https://github.com/me/homelab.git#refs/heads/main", "digest": {"sha1": COMMIT}}
            ],
            "invocation": {"configSource": {
                "uri": "https://github.com/me/homelab.git#refs/heads/main",
                "digest": {"sha1": COMMIT}, "entryPoint": "Dockerfile"
            }}
        }
    }));
    assert_eq!(
        told,
        Provenance {
            source: Some("https://github.com/me/homelab.git".into()),
            commit: Some(COMMIT.into()),
            dirty: false,
            workflow: Some("https://github.com/me/homelab/actions/runs/7/attempts/1".into()),
            builder: Some("https://github.com/me/homelab/actions/runs/7/attempts/1".into()),
        }
    );
}

#[test]
fn a_local_build_tells_its_working_copy_without_credentials() {
    let told = read(&json!({
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "predicate": {
            "builder": {"id": ""},
            "invocation": {"configSource": {"entryPoint": "Dockerfile"}},
            "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"vcs": {
                "revision": format!("{COMMIT}-dirty"),
                "source": "https://me:ghp_secret@github.com/me/homelab"
            }}}
        }
    }));
    assert_eq!(
        told.source.as_deref(),
        Some("https://github.com/me/homelab")
    );
    assert_eq!(told.commit.as_deref(), Some(COMMIT));
    assert!(told.dirty);
    assert_eq!(told.builder, None);
}

#[test]
fn version_1_of_buildx_and_of_github() {
    let buildx = read(&json!({
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "externalParameters": {
                    "configSource": {"uri": "https://github.com/me/app.git#refs/heads/main", "digest": {"sha1": COMMIT}, "path": "Dockerfile"},
                    "request": {"frontend": "dockerfile.v0"}
                },
                "resolvedDependencies": []
            },
            "runDetails": {"builder": {"id": "https://builder.lan"}, "metadata": {}}
        }
    }));
    assert_eq!(buildx.commit.as_deref(), Some(COMMIT));
    assert_eq!(buildx.workflow, None);
    let github = read(&json!({
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "externalParameters": {"workflow": {"ref": "refs/heads/main", "repository": "https://github.com/me/app", "path": ".github/workflows/build.yml"}},
                "resolvedDependencies": [{"uri": "git+https://github.com/me/app@refs/heads/main", "digest": {"gitCommit": COMMIT}}]
            },
            "runDetails": {"builder": {"id": "https://github.com/me/app/.github/workflows/build.yml@refs/heads/main"}}
        }
    }));
    assert_eq!(github.source.as_deref(), Some("https://github.com/me/app"));
    assert_eq!(github.commit.as_deref(), Some(COMMIT));
    assert_eq!(
        github.workflow.as_deref(),
        Some(".github/workflows/build.yml")
    );
}

#[test]
fn referrers_tell_signatures_by_their_kind() {
    let entry = |kind: &str, predicate: Option<&str>| {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": kind,
            "annotations": {"dev.sigstore.bundle.predicateType": predicate}})
    };
    let read = |entries: Vec<Value>| {
        referrers(json!({ "manifests": entries }).to_string().as_bytes()).unwrap()
    };
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    assert_eq!(read(vec![]), Referred::default());
    assert_eq!(
        read(vec![
            entry("application/spdx+json", None),
            entry(bundle, Some("https://slsa.dev/provenance/v1")),
        ]),
        Referred {
            provenance: true,
            sbom: true,
            signature: false,
        }
    );
    let signed = [
        entry(bundle, Some("https://sigstore.dev/cosign/sign/v1")),
        entry("application/vnd.cncf.notary.signature", None),
        entry("application/vnd.dev.cosign.artifact.sig.v1+json", None),
    ];
    for entry in signed {
        assert!(read(vec![entry]).signature);
    }
    assert!(referrers(b"[]").is_err());
}

#[test]
fn helper_tags_are_found_beside_an_image() {
    let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let name = helper(&digest);
    assert_eq!(name, format!("sha256-{}", "a".repeat(64)));
    let tags = [
        format!("{name}.sig"),
        "latest".to_owned(),
        "sha256-b.att".to_owned(),
    ];
    let beside = Beside::of(&digest, tags.iter().map(String::as_str));
    let expected = Beside {
        signature: true,
        ..Beside::default()
    };
    assert_eq!(beside, expected);
}

#[test]
fn the_words_say_what_is_there_and_never_more() {
    let trust = Trust {
        provenance: Mark::Present,
        sbom: Mark::Absent,
        told: Some(Provenance {
            source: Some("https://github.com/me/app.git".into()),
            commit: Some(COMMIT.into()),
            dirty: false,
            workflow: Some("https://github.com/me/app/actions/runs/7/attempts/1".into()),
            builder: None,
        }),
        ..Trust::default()
    };
    assert_eq!(
        trust.words(),
        "provenance github.com/me/app at 9c1e2d4f0011 by run 7 · no SBOM · signature not known"
    );
}

#[test]
fn an_attestation_manifest_lists_its_statements() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let layer = |kind: &str| {
        json!({"mediaType": "application/vnd.in-toto+json", "digest": digest, "size": 7,
            "annotations": {"in-toto.io/predicate-type": kind}})
    };
    let manifest = json!({"schemaVersion": 2, "layers": [
        layer("https://slsa.dev/provenance/v0.2"),
        layer("https://spdx.dev/Document"),
        layer("https://example.org/own"),
        {"digest": "junk"}
    ]});
    let kinds: Vec<Predicate> = parts(manifest.to_string().as_bytes())
        .unwrap()
        .into_iter()
        .map(|part| part.predicate)
        .collect();
    assert_eq!(
        kinds,
        [Predicate::Provenance, Predicate::Sbom, Predicate::Other]
    );
    assert_eq!(parts(b"{}"), Err(Unreadable::NoStatement));
    assert!(matches!(parts(b"\xff"), Err(Unreadable::Json(_))));
}

#[test]
fn a_label_that_contradicts_the_provenance_is_told() {
    let told = Provenance {
        source: Some("https://github.com/me/app.git".into()),
        commit: Some(COMMIT.into()),
        ..Provenance::default()
    };
    let of = |revision, source| contradictions(revision, source, &told).len();
    assert_eq!(of(Some("9c1e2d4"), Some("https://github.com/Me/app")), 0);
    assert_eq!(of(Some(COMMIT), Some("git@github.com:me/app.git")), 0);
    assert_eq!(of(Some("v1.2.3"), None), 0);
    assert_eq!(of(None, Some("https://github.com/me/app/tree/main/web")), 0);
    assert_eq!(of(Some("b81f0aa"), Some("https://github.com/you/app")), 2);
    let words = contradictions(Some("b81f0aa"), None, &told);
    assert_eq!(
        words,
        ["the label says revision b81f0aa, the provenance says it was built from 9c1e2d4f0011"]
    );
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
        let _ = (statement(&bytes), parts(&bytes));
        let whole = json!({"predicateType": "https://slsa.dev/provenance/v1", "predicate": {
            "builder": {"id": text}, "invocation": {"configSource": {"uri": text, "digest": {"sha1": text}}}}});
        let told = read(&whole);
        let _ = contradictions(Some(&text), Some(&text), &told);
    }
}
