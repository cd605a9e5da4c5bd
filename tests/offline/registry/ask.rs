//! What a good registry answers, and how little it is asked.

use std::sync::Arc;

use homelab_tui::adapters::blobs::BlobStore;
use homelab_tui::adapters::registry::Registries;
use homelab_tui::core::failure::RegistryTrouble;
use homelab_tui::core::remote::{Attestation, Examined, Route};

use super::*;
use crate::stand_in::images::{Image, attestation, image, index, without_platform};
use crate::stand_in::{Fault, Head};

fn of(platform: &str) -> Image<'_> {
    Image {
        platform,
        ..Image::default()
    }
}

#[tokio::test]
async fn an_image_is_told_with_config_layers_and_instructions() {
    let registry = StandIn::start().await;
    let made = image(&of("linux/amd64"));
    registry.push("blog/web", Some("1"), &made);
    let answer = answered(&client(), &at(&registry, "blog/web:1")).await;
    assert_eq!(answer.top, top(&made.digest));
    let image = answer.image.unwrap();
    assert!(!image.indexed);
    assert_eq!(image.manifest.digest().as_str(), made.digest);
    assert_eq!(Some(image.config.to_string()), made.config_digest);
    assert_eq!(image.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(image.revision.as_deref(), Some("0123abc"));
    assert_eq!(image.version.as_deref(), Some("1.2.3"));
    assert_eq!(image.source.as_deref(), Some("https://example.invalid/src"));
    let steps: Vec<_> = image
        .layers
        .iter()
        .map(|l| l.created_by.as_deref())
        .collect();
    assert_eq!(steps, [Some("ADD base /"), Some("COPY app /")]);
    assert!(image.layers.iter().all(|layer| layer.diff_id.is_some()));
    let lines: Vec<_> = answer
        .requests
        .iter()
        .map(|r| format!("{} {} {:?}", r.method, r.path, r.status))
        .collect();
    assert_eq!(
        lines.last().unwrap(),
        &format!("GET /v2/blog/web/blobs/{} Some(200)", image.config)
    );
    assert_eq!(answer.credential, None);
}

#[tokio::test]
async fn b1_nothing_changed_is_nothing_counted() {
    let registry = StandIn::start().await;
    registry.set().quota = Some((100, 100));
    let made = index(
        &[image(&of("linux/amd64")), image(&of("linux/arm64"))],
        true,
    );
    registry.push("web", Some("1"), &made);
    let folder = Scratch::new();
    let mut options = options(vec![plain(&registry.host())]);
    options.blobs = BlobStore::at(&folder.0);
    let client = Registries::new(options);
    let question = at(&registry, "web:1");
    let first = answered(&client, &question).await;
    assert_eq!(first.quota.unwrap().remaining, 98);
    registry.take_log();
    let second = answered(&client, &question).await;
    assert_eq!(registry.take_lines(), ["HEAD /v2/web/manifests/1 200"]);
    assert_eq!(second.image, first.image);
    // Another run of the program finds the blobs on disk.
    let mut options = super::options(vec![plain(&registry.host())]);
    options.blobs = BlobStore::at(&folder.0);
    let third = answered(&Registries::new(options), &question).await;
    assert_eq!(registry.take_lines(), ["HEAD /v2/web/manifests/1 200"]);
    assert_eq!(third.image, first.image);
    assert_eq!(third.quota.unwrap().limit, Some(100));
}

#[tokio::test]
async fn b1_what_runs_already_is_not_even_read_once() {
    let registry = StandIn::start().await;
    let digest = registry.push("web", Some("1"), &image(&of("linux/amd64")));
    let client = Registries::new(options(vec![plain(&registry.host())]));
    let mut question = at(&registry, "web:1");
    question.running = vec![top(&digest)];
    let answer = answered(&client, &question).await;
    assert_eq!((answer.top, answer.image), (top(&digest), None));
    assert_eq!(registry.take_lines(), ["HEAD /v2/web/manifests/1 200"]);
    // Another service of the same tag runs another image: for that one it has to be read.
    let other = format!("sha256:{}", "1".repeat(64));
    question.running.push(top(&other));
    assert!(answered(&client, &question).await.image.is_some());
    // Which may fail without harm to the service that runs it.
    let fresh = Registries::new(options(vec![plain(&registry.host())]));
    registry.break_at("GET /manifests/", Fault::status(500));
    let answer = answered(&fresh, &question).await;
    assert_eq!(answer.image, None);
    assert!(answer.remark.unwrap().contains("500"));
}

#[tokio::test]
async fn a6_nested_indexes_and_attestations() {
    let registry = StandIn::start().await;
    let arm = image(&of("linux/arm64"));
    let inner = index(&[image(&of("linux/amd64")), arm.clone()], true);
    let outer = index(std::slice::from_ref(&inner), false);
    registry.push("web", Some("1"), &outer);
    let mut question = at(&registry, "web:1");
    question.key.platform = platform("linux/arm64");
    let client = client();
    let image = answered(&client, &question).await.image.unwrap();
    assert!(image.indexed);
    assert_eq!(image.top, top(&outer.digest));
    assert_eq!(image.manifest.digest().as_str(), arm.digest);
    let own = attestation(&arm).digest;
    let listed: Vec<_> = image.attestations.iter().map(ToString::to_string).collect();
    assert_eq!(listed, [own]);
    let repository = &question.key.reference.repository;
    let kinds = client
        .attestation(&Route::Here, repository, &image.attestations[0])
        .await
        .unwrap();
    assert_eq!(kinds, [Attestation::Provenance]);
}

#[tokio::test]
async fn a6_indexes_without_end_are_refused() {
    let registry = StandIn::start().await;
    let mut made = image(&of("linux/amd64"));
    for _ in 0..6 {
        made = index(&[made], false);
    }
    registry.push("web", Some("1"), &made);
    expect(&client(), &at(&registry, "web:1"), RegistryTrouble::Lied).await;
}

#[tokio::test]
async fn a6_an_index_that_tells_no_platforms_is_looked_into() {
    let registry = StandIn::start().await;
    let amd = without_platform(image(&of("linux/amd64")));
    let arm = without_platform(image(&of("linux/arm64")));
    registry.push("web", Some("1"), &index(&[amd, arm.clone()], false));
    let mut question = at(&registry, "web:1");
    question.key.platform = platform("linux/arm64");
    let image = answered(&client(), &question).await.image.unwrap();
    assert_eq!(image.manifest.digest().as_str(), arm.digest);
}

#[tokio::test]
async fn a8_the_exact_variant_is_taken_then_the_documented_one() {
    let registry = StandIn::start().await;
    let six = image(&of("linux/arm/v6"));
    let seven = image(&of("linux/arm/v7"));
    let amd = image(&of("linux/amd64"));
    registry.push(
        "web",
        Some("1"),
        &index(&[six.clone(), amd, seven.clone()], false),
    );
    let client = client();
    for (wanted, expected) in [
        ("linux/arm/v6", &six),
        ("linux/arm/v7", &seven),
        ("linux/arm/v8", &seven),
        ("linux/arm64", &seven),
    ] {
        let mut question = at(&registry, "web:1");
        question.key.platform = platform(wanted);
        let image = answered(&client, &question).await.image.unwrap();
        assert_eq!(
            image.manifest.digest().as_str(),
            expected.digest,
            "{wanted}"
        );
    }
    let mut question = at(&registry, "web:1");
    question.key.platform = platform("linux/riscv64");
    let failure = expect(&client, &question, RegistryTrouble::NoPlatform).await;
    assert!(
        failure
            .what
            .contains("linux/arm/v6, linux/amd64, linux/arm/v7"),
        "{failure}"
    );
}

#[tokio::test]
async fn a10_platforms_of_one_tag_do_not_mix() {
    let registry = StandIn::start().await;
    let amd = image(&of("linux/amd64"));
    let arm = image(&of("linux/arm64"));
    registry.push(
        "web",
        Some("latest"),
        &index(&[amd.clone(), arm.clone()], false),
    );
    registry.push("web", Some("other"), &amd);
    let client = Arc::new(client());
    let mut asks = Vec::new();
    for round in 0..12 {
        let (wanted, expected) = if round % 2 == 0 {
            ("linux/amd64", amd.digest.clone())
        } else {
            ("linux/arm64", arm.digest.clone())
        };
        let mut question = at(&registry, "web:latest");
        question.key.platform = platform(wanted);
        let client = client.clone();
        asks.push(tokio::spawn(async move {
            let image = answered(&client, &question).await.image.unwrap();
            assert_eq!(image.manifest.digest().as_str(), expected);
        }));
    }
    for ask in asks {
        ask.await.unwrap();
    }
}

#[tokio::test]
async fn all_four_kinds_are_accepted_in_one_header() {
    let registry = StandIn::start().await;
    let made = image(&Image {
        docker: true,
        ..Image::default()
    });
    registry.push("old", Some("1"), &made);
    registry.push(
        "new",
        Some("1"),
        &index(&[image(&of("linux/amd64"))], false),
    );
    let client = client();
    // With any of them missing the stand-in would convert, or say 404.
    assert_eq!(
        answered(&client, &at(&registry, "old:1")).await.top,
        top(&made.digest)
    );
    answered(&client, &at(&registry, "new:1")).await;
    for asked in registry.take_log() {
        if asked.target.contains("/manifests/") {
            assert_eq!(asked.accept.unwrap().matches("application/vnd.").count(), 4);
        }
    }
}

#[tokio::test]
async fn b3_a_registry_that_tells_no_digest_is_read_and_computed() {
    let registry = StandIn::start().await;
    let digest = registry.push("web", Some("1"), &image(&of("linux/amd64")));
    for head in [Head::NoDigest, Head::Unsupported] {
        registry.set().head = head;
        let client = Registries::new(options(vec![plain(&registry.host())]));
        registry.take_log();
        let answer = answered(&client, &at(&registry, "web:1")).await;
        assert_eq!(answer.top, top(&digest));
        let lines = registry.take_lines();
        assert_eq!(lines[1], "GET /v2/web/manifests/1 200");
        // The bytes are known by then: only the config is left to fetch.
        assert_eq!(lines.len(), 3, "{lines:?}");
    }
    // With a mark of its answers the second look costs no body.
    registry.set().etags = true;
    let client = Registries::new(options(vec![plain(&registry.host())]));
    answered(&client, &at(&registry, "web:1")).await;
    registry.take_log();
    assert_eq!(
        answered(&client, &at(&registry, "web:1")).await.top,
        top(&digest)
    );
    let lines = registry.take_lines();
    assert_eq!(lines.last().unwrap(), "GET /v2/web/manifests/1 304");
}

#[tokio::test]
async fn a14_a_reference_by_digest_is_asked_by_its_digest() {
    let registry = StandIn::start().await;
    let old = registry.push("web", None, &image(&of("linux/amd64")));
    let new = image(&Image {
        revision: "new",
        ..Image::default()
    });
    registry.push("web", Some("1"), &new);
    let client = client();
    let answer = answered(&client, &at(&registry, &format!("web:1@{old}"))).await;
    assert_eq!(answer.top, top(&old));
    registry.break_at("/manifests/", Fault::WrongDigest(new.digest.clone()));
    expect(
        &client,
        &at(&registry, &format!("web@{old}")),
        RegistryTrouble::Lied,
    )
    .await;
}

#[tokio::test]
async fn a15_running_digests_are_examined() {
    let registry = StandIn::start().await;
    let old = registry.push("web", None, &image(&of("linux/amd64")));
    let new = image(&Image {
        revision: "new",
        ..Image::default()
    });
    registry.push("web", Some("1"), &new);
    let never = format!("sha256:{}", "7".repeat(64));
    let mut question = at(&registry, "web:1");
    question.examine = vec![top(&old), top(&never), top(&new.digest)];
    let client = client();
    let answer = answered(&client, &question).await;
    let held = |digest: &str| match answer.examined(&top(digest)).unwrap() {
        Examined::Held(image) => Some(image.manifest.to_string()),
        Examined::NotHeld => None,
        Examined::Unknown(failure) => panic!("{failure}"),
    };
    assert_eq!(held(&old), Some(old.clone()));
    assert_eq!(held(&new.digest), Some(new.digest.clone()));
    assert_eq!(held(&never), None);
    // The registry that does not answer proves nothing.
    let broken = format!("sha256:{}", "8".repeat(64));
    registry.break_at(&broken, Fault::status(404));
    question.examine = vec![top(&broken)];
    let answer = answered(&client, &question).await;
    assert!(matches!(
        answer.examined(&top(&broken)),
        Some(Examined::Unknown(failure)) if failure.trouble == RegistryTrouble::NotFound
    ));
}

#[tokio::test]
async fn a15_bytes_cached_from_elsewhere_prove_nothing() {
    let registry = StandIn::start().await;
    let built = image(&of("linux/amd64"));
    registry.push("other", Some("1"), &built);
    let tagged = image(&Image {
        revision: "new",
        ..Image::default()
    });
    registry.push("web", Some("1"), &tagged);
    let client = client();
    answered(&client, &at(&registry, "other:1")).await;
    let mut question = at(&registry, "web:1");
    question.examine = vec![top(&built.digest)];
    let answer = answered(&client, &question).await;
    assert_eq!(answer.examined[0].1, Examined::NotHeld);
    // Once it is there, a HEAD is enough.
    registry.push("web", None, &built);
    registry.take_log();
    let answer = answered(&client, &question).await;
    assert!(matches!(&answer.examined[0].1, Examined::Held(_)));
    let lines = registry.take_lines();
    assert!(
        lines.iter().all(|line| line.starts_with("HEAD ")),
        "{lines:?}"
    );
}
