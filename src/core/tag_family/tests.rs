//! Names as they are met, each told from the list that it stands in.

use proptest::prelude::*;

use super::*;

/// Tells the families of a list as `tag=word`, in its order.
fn told(tags: &[&str]) -> Vec<String> {
    let families = families(tags.iter().copied());
    tags.iter()
        .map(|tag| format!("{tag}={}", families[tag].word()))
        .collect()
}

#[test]
fn names_are_told_alone() {
    for (tag, word) in [
        ("latest", "moving"),
        ("dev", "moving"),
        ("latest-alpine", "moving"),
        ("main", "branch"),
        ("feature-login", "branch"),
        ("alpine", "name"),
        ("bookworm-slim", "name"),
        ("9c1e2d4", "revision"),
        ("sha-9c1e2d4", "revision"),
        ("sha-1234567", "revision"),
        ("main-9c1e2d4", "revision"),
        ("dev-9c1e2d4f", "revision"),
        ("main-9c1e2d4-arm64", "revision"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "revision"),
        ("1.0.0-99-7b368146", "revision"),
        ("v1.0-14-g2414721", "revision"),
        ("pr-12", "pull request"),
        ("PR-12-merge", "pull request"),
        ("20240628", "date"),
        ("20240628-143022", "date"),
        ("20240628143022", "date"),
        ("2024-06-28", "date"),
        ("2024.06.28", "date"),
        ("nightly-20240628", "date"),
        ("20240628-alpine", "date"),
        ("RELEASE.2024-06-28T12-30-00Z", "date"),
        ("20249928", "number"),
        ("1", "floating version"),
        ("v2", "floating version"),
        ("1.2.3", "version"),
        ("v1.2.3", "version"),
        ("1.2.3-alpine", "version"),
        ("1.2.3-rc.1", "version"),
        ("3.13.0rc1", "version"),
        ("2024.6.1", "version"),
        ("release-1.2.3", "version"),
        ("4.0.9.2244-ls250", "version"),
        ("build-482", "number"),
        ("12345", "number"),
        ("buildcache", "cache"),
        ("cache", "cache"),
        ("main-cache", "cache"),
        ("cache-main", "cache"),
        ("v1.sig", "signature"),
        ("htui-keep-3fa1c2d09e41", "kept"),
        ("", "name"),
        ("ä-ö", "name"),
    ] {
        assert_eq!(told(&[tag]), [format!("{tag}={word}")]);
    }
    let hex = "ab".repeat(32);
    for (ending, word) in [
        (".sig", "signature"),
        (".att", "attestation"),
        (".sbom", "sbom"),
        ("", "referrers"),
        (".link", "helper"),
    ] {
        let tag = format!("sha256-{hex}{ending}");
        assert_eq!(told(&[&tag]), [format!("{tag}={word}")]);
    }
}

#[test]
fn digits_are_a_revision_only_among_revisions() {
    assert_eq!(
        told(&["20240628", "1", "1234567"]),
        ["20240628=date", "1=floating version", "1234567=number"]
    );
    assert_eq!(
        told(&["9c1e2d4", "1234567", "defaced", "20240628", "1", "87654321"]),
        [
            "9c1e2d4=revision",
            "1234567=revision",
            "defaced=revision",
            "20240628=date",
            "1=floating version",
            "87654321=number"
        ]
    );
    assert_eq!(
        told(&["main-9c1e2d4", "main-1234567", "dev-1234567", "main"]),
        [
            "main-9c1e2d4=revision",
            "main-1234567=revision",
            "dev-1234567=number",
            "main=branch"
        ]
    );
    assert_eq!(told(&["defaced"]), ["defaced=name"]);
}

#[test]
fn a_version_floats_while_more_precise_ones_follow_it() {
    assert_eq!(
        told(&["1", "1.2", "1.2.3", "1.2-alpine", "2.0"]),
        [
            "1=floating version",
            "1.2=floating version",
            "1.2.3=version",
            "1.2-alpine=version",
            "2.0=version"
        ]
    );
    let families = families(["1.2", "1.2.3", "16.3"]);
    assert!(!families["1.2"].is_immutable_looking());
    assert!(families["1.2.3"].is_immutable_looking());
    assert!(!families["16.3"].is_immutable_looking());
}

#[test]
fn a11_helpers_are_never_offered() {
    let signature = format!("sha256-{}.sig", "0".repeat(64));
    let tags = ["buildcache", signature.as_str(), "latest", "sha-9c1e2d4"];
    let offered: Vec<&str> = families(tags)
        .into_iter()
        .filter(|(_, family)| family.is_offerable())
        .map(|(tag, _)| tag)
        .collect();
    assert_eq!(offered, ["latest", "sha-9c1e2d4"]);
}

#[test]
fn tags_of_one_line_have_an_order() {
    let families = families([
        "1.2.3-alpine",
        "1.10.0-alpine",
        "1.2.4",
        "20240628",
        "20240628-1430",
        "1.0.0-99-7b368146",
        "1.0.1-3-9b368146",
    ]);
    let line = |tag: &str| families[tag].line();
    assert_eq!(line("1.2.3-alpine"), line("1.10.0-alpine"));
    assert_ne!(line("1.2.3-alpine"), line("1.2.4"));
    assert_eq!(line("1.0.0-99-7b368146"), line("1.0.1-3-9b368146"));
    assert!(families["1.2.3-alpine"].rank() < families["1.10.0-alpine"].rank());
    assert!(families["20240628"].rank() < families["20240628-1430"].rank());
    assert_eq!(families["1.0.0-99-7b368146"].revision(), Some("7b368146"));
}

#[test]
fn a_revision_is_found_by_a_beginning_that_only_it_has() {
    let items = [
        ("sha tag", "9c1e2d4"),
        ("label", "9c1e2d4f00112233445566778899aabbccddeeff"),
        ("other", "9c1e999"),
        ("third", "b81f0aa"),
    ];
    let found = |wanted: &str| find_revision(wanted, items);
    assert_eq!(
        found("9c1e2"),
        Found::One {
            revision: items[1].1.into(),
            items: vec!["sha tag", "label"]
        }
    );
    assert_eq!(
        found("9C1E"),
        Found::Several(vec![items[1].1.into(), "9c1e999".into()])
    );
    assert_eq!(
        found("b81f0aa700112233"),
        Found::One {
            revision: "b81f0aa".into(),
            items: vec!["third"]
        }
    );
    assert_eq!(found("b8"), Found::Nothing);
    assert_eq!(found("latest"), Found::Nothing);
    assert_eq!(found("dddd"), Found::Nothing);
}

proptest! {
    #[test]
    fn hostile_names_never_panic(tags in prop::collection::vec(".{0,40}|[0-9a-gT.v_-]{0,30}", 0..12)) {
        let families = families(tags.iter().map(String::as_str));
        for family in families.values() {
            let _ = (family.word(), family.line(), family.rank(), family.is_offerable());
        }
    }
}

#[test]
fn a_tag_that_moves_is_told_by_its_name() {
    for (tag, floats) in [
        ("latest", true),
        ("main", true),
        ("7", true),
        ("1.4.2", false),
        ("sha-9c1e2d4", false),
        ("20240628-143022", false),
    ] {
        assert_eq!(moves(tag), floats, "{tag}");
    }
}
