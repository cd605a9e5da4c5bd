//! Lies and floods: refused, bounded, said.

use homelab_tui::core::failure::RegistryTrouble as T;

use super::*;
use crate::stand_in::images::{Blob, Image, OCI_INDEX, OCI_MANIFEST, image, index};
use crate::stand_in::{Fault, Head};
use serde_json::json;

async fn registry() -> (StandIn, Registries, Blob) {
    let registry = StandIn::start().await;
    let made = index(&[image(&Image::default())], false);
    registry.push("web", Some("1"), &made);
    let client = Registries::new(options(vec![plain(&registry.host())]));
    (registry, client, made)
}

#[tokio::test]
async fn b4_bytes_that_do_not_match_their_digest() {
    let (registry, client, made) = registry().await;
    let question = at(&registry, "web:1");
    for part in [format!("GET {}", made.digest), "GET /blobs/".to_owned()] {
        registry.set().faults.clear();
        registry.break_at(&part, Fault::WrongBytes);
        let failure = expect(&client, &question, T::Lied).await;
        assert!(failure.what.contains("do not match"), "{failure}");
    }
    // Nothing of it was kept: once the registry is honest, so is the answer.
    registry.set().faults.clear();
    assert!(answered(&client, &question).await.image.is_some());
}

#[tokio::test]
async fn b4_a_digest_in_the_header_that_is_not_that_of_the_bytes() {
    let (registry, client, _) = registry().await;
    registry.set().head = Head::Unsupported;
    let other = format!("sha256:{}", "5".repeat(64));
    registry.break_at("GET /manifests/1", Fault::WrongDigest(other));
    expect(&client, &at(&registry, "web:1"), T::Lied).await;
}

#[tokio::test]
async fn b4_manifests_of_200_megabytes_and_without_end() {
    for fault in [Fault::Big(200 << 20), Fault::Endless] {
        let (registry, client, _) = registry().await;
        registry.break_at("GET /manifests/", fault);
        let failure = expect(&client, &at(&registry, "web:1"), T::TooLarge).await;
        assert!(failure.what.contains("larger than 4096 KiB"), "{failure}");
    }
}

#[tokio::test]
async fn b4_configs_without_end() {
    let (registry, client, _) = registry().await;
    registry.break_at("GET /blobs/", Fault::Endless);
    expect(&client, &at(&registry, "web:1"), T::TooLarge).await;
}

#[tokio::test]
async fn b4_errors_without_end_are_cut() {
    let (registry, client, _) = registry().await;
    let words = "x".repeat(1 << 20);
    registry.break_at("/manifests/", Fault::Status(404, Vec::new(), words));
    let failure = expect(&client, &at(&registry, "web:1"), T::NotFound).await;
    assert!(failure.what.len() < 300);
}

#[tokio::test]
async fn b4_json_bombs_and_things_that_are_no_manifests() {
    let (registry, client, _) = registry().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (name, kind, value) in [
        ("text", OCI_MANIFEST, json!("hello")),
        (
            "both",
            OCI_INDEX,
            json!({"schemaVersion": 2, "manifests": [], "layers": []}),
        ),
        (
            "bad",
            OCI_INDEX,
            json!({"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": "../../etc", "size": 1}]}),
        ),
        (
            "minus",
            OCI_MANIFEST,
            json!({"schemaVersion": 2, "config": {"mediaType": "x", "digest": "sha256:1", "size": 1}, "layers": []}),
        ),
    ] {
        registry.push("web", Some(name), &Blob::of(kind, &value));
        expect(&client, &at(&registry, &format!("web:{name}")), T::Lied).await;
    }
    let mut bomb = Blob::of(OCI_MANIFEST, &json!({}));
    bomb.bytes = format!("{{\"schemaVersion\":2,\"layers\":{deep}}}").into_bytes();
    bomb.digest = crate::stand_in::images::digest(&bomb.bytes);
    registry.push("web", Some("bomb"), &bomb);
    expect(&client, &at(&registry, "web:bomb"), T::Lied).await;
}

#[tokio::test]
async fn an_index_that_lists_what_is_not_there_is_not_gone() {
    let (registry, client, _) = registry().await;
    let lost = image(&Image {
        revision: "lost",
        ..Image::default()
    });
    registry.push("web", Some("2"), &index(std::slice::from_ref(&lost), false));
    registry
        .set()
        .repos
        .get_mut("web")
        .unwrap()
        .manifests
        .remove(&lost.digest);
    let failure = expect(&client, &at(&registry, "web:2"), T::Lied).await;
    assert!(failure.what.contains("which it does not hold"), "{failure}");
}

#[tokio::test]
async fn manifests_are_not_followed_elsewhere_and_blobs_only_over_http() {
    let (registry, client, _) = registry().await;
    let other = StandIn::start().await;
    let question = at(&registry, "web:1");
    for target in [
        format!("http://{}/v2/web/manifests/1", other.host()),
        "file:///etc/passwd".to_owned(),
    ] {
        registry.set().faults.clear();
        registry.break_at("/manifests/1", Fault::Redirect(target));
        expect(&client, &question, T::Elsewhere).await;
    }
    registry.set().faults.clear();
    registry.break_at("/blobs/", Fault::Redirect("file:///etc/passwd".to_owned()));
    expect(&client, &question, T::Elsewhere).await;
    registry.set().faults.clear();
    let circle = format!("http://{}/v2/web/manifests/1", registry.host());
    registry.break_at("/manifests/1", Fault::Redirect(circle));
    expect(&client, &question, T::Elsewhere).await;
    assert_eq!(other.take_log(), []);
}
