//! The client against real registries: plain, htpasswd, tokens, an own authority, a self-signed certificate.

use std::future::Future;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homelab_tui::adapters::blobs::BlobStore;
use homelab_tui::adapters::credentials::Credentials;
use homelab_tui::adapters::registry::{Registries, RegistryOptions};
use homelab_tui::core::failure::RegistryTrouble as T;
use homelab_tui::core::image::{ImageRef, Repository};
use homelab_tui::core::platform::Platform;
use homelab_tui::core::remote::{Attestation, Examined, Question, QuestionKey, Route};
use homelab_tui::core::settings::RegistrySpec;
use sha2::{Digest as _, Sha256};

use crate::support::image::{Built, BuiltIndex};
use crate::support::registry::Request;
use crate::support::{Image, Index, Lab, Registry, unique};

const ALL: [&str; 5] = ["plain", "basic", "token", "ca", "selfsigned"];

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Says of a registry what its operator would write.
fn spec(lab: &Lab, registry: &Registry) -> RegistrySpec {
    let name = registry.name.as_str();
    RegistrySpec {
        host: registry.address.as_str().into(),
        plain_http: matches!(name, "plain" | "basic" | "token"),
        ca_file: (name == "ca").then(|| lab.fact("ca")),
        fingerprint: (name == "selfsigned").then(|| fingerprint(&lab.fact("selfsigned"))),
        via: None,
    }
}

fn fingerprint(pem_file: &str) -> String {
    let pem = std::fs::read_to_string(pem_file).unwrap();
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD.decode(body).unwrap();
    let hex: Vec<String> = Sha256::digest(der)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hex.join(":")
}

fn client(lab: &Lab, credentials: Credentials) -> Registries {
    let specs = ALL
        .iter()
        .map(|name| spec(lab, &lab.registry(name)))
        .collect();
    Registries::new(RegistryOptions::new(
        specs,
        credentials,
        BlobStore::at(lab.folder("blobs")),
    ))
}

fn logged_in(lab: &Lab) -> Credentials {
    Credentials::in_folder(PathBuf::from(lab.fact("dir")).join("docker"))
}

fn login(lab: &Lab, registry: &Registry, user: &str, password: &str) -> Credentials {
    let folder = lab.folder("docker");
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let config = format!(
        r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#,
        registry.address
    );
    std::fs::write(folder.join("config.json"), config).unwrap();
    Credentials::in_folder(folder)
}

fn question(registry: &Registry, repo: &str, tag: &str) -> Question {
    Question {
        key: QuestionKey {
            route: Route::Here,
            reference: registry.reference(repo, tag).parse().unwrap(),
            platform: Platform::new("linux", "amd64", None),
        },
        running: Vec::new(),
        examine: Vec::new(),
    }
}

fn repository(registry: &Registry, repo: &str) -> Repository {
    let reference: ImageRef = registry.reference(repo, "x").parse().unwrap();
    reference.repository
}

/// Pushes an index of one image with an attestation.
fn push(registry: &Registry, repo: &str, tag: &str, version: &str) -> (Built, BuiltIndex) {
    let image = Image::empty()
        .platform("linux", "amd64", None)
        .label("org.opencontainers.image.revision", version)
        .build();
    let index = Index::of(&[&image]).attestation(&image, "first").build();
    registry.push(repo, tag, &index);
    (image, index)
}

#[test]
fn every_kind_of_registry_tells_the_same_and_is_read_once() {
    let Some(lab) = Lab::here() else { return };
    let client = client(&lab, logged_in(&lab));
    for name in ALL {
        let registry = lab.registry(name);
        let repo = unique("client");
        let (built, index) = push(&registry, &repo, "1", &repo);
        let asked_since = |mark| {
            let own = |asked: &Request| asked.path.contains(&repo);
            let mut asked = registry.asked_since(mark);
            asked.retain(own);
            asked
        };
        let question = question(&registry, &repo, "1");
        let mark = registry.mark();
        let answer = wait(client.ask(&question)).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(answer.top.to_string(), index.manifest.digest, "{name}");
        let image = answer.image.unwrap();
        assert_eq!(image.manifest.to_string(), built.manifest.digest);
        assert_eq!(image.config.to_string(), built.config.digest);
        assert_eq!(image.revision.as_deref(), Some(repo.as_str()));
        assert_eq!(image.attestations.len(), 1);
        let named = matches!(name, "basic" | "token");
        let expected = named.then_some("lab from docker's config");
        assert_eq!(answer.credential.as_deref(), expected, "{name}");
        let read = asked_since(mark);
        let gets = read
            .iter()
            .filter(|asked| asked.method == "GET" && asked.path.contains("/manifests/"));
        assert_eq!(gets.count(), 2, "{name}: {read:?}");

        let mark = registry.mark();
        wait(client.ask(&question)).unwrap();
        let again = asked_since(mark);
        let lines: Vec<_> = again
            .iter()
            .map(|asked| (asked.method.as_str(), asked.status))
            .collect();
        assert_eq!(lines, [("HEAD", 200)], "{name}: {again:?}");

        let kinds = wait(client.attestation(
            &Route::Here,
            &question.key.reference.repository,
            &image.attestations[0],
        ));
        assert!(kinds.is_ok_and(|kinds| kinds != [Attestation::Sbom]));
    }
}

#[test]
fn a_registry_s_word_that_there_is_nothing() {
    let Some(lab) = Lab::here() else { return };
    let client = client(&lab, logged_in(&lab));
    for name in ALL {
        let registry = lab.registry(name);
        let repo = unique("client");
        let (_, old) = push(&registry, &repo, "1", "old");
        let (_, lost) = push(&registry, &repo, "lost", "lost");
        push(&registry, &repo, "1", "new");
        registry.delete(&repo, &lost.manifest.digest);
        for gone in [
            question(&registry, &repo, "lost"),
            question(&registry, &unique("nothing"), "1"),
        ] {
            let failure = wait(client.ask(&gone)).unwrap_err();
            assert_eq!(failure.trouble, T::Gone, "{name}: {failure}");
        }
        let mut question = question(&registry, &repo, "1");
        question.examine = vec![
            old.manifest.digest.parse().unwrap(),
            lost.manifest.digest.parse().unwrap(),
        ];
        let answer = wait(client.ask(&question)).unwrap();
        assert!(matches!(&answer.examined[0].1, Examined::Held(_)), "{name}");
        assert_eq!(answer.examined[1].1, Examined::NotHeld, "{name}");
    }
}

#[test]
fn wrong_credentials_none_and_those_that_do_not_reach() {
    let Some(lab) = Lab::here() else { return };
    let basic = lab.registry("basic");
    let token = lab.registry("token");
    let repo = unique("client");
    push(&basic, &repo, "1", "x");
    push(&token, &repo, "1", "x");
    let public = unique("public/client");
    push(&token, &public, "1", "x");
    let ask = |credentials, registry: &Registry, repo: &str| {
        wait(client(&lab, credentials).ask(&question(registry, repo, "1")))
    };
    let wrong = |registry| login(&lab, registry, "lab", "not-the-password");

    let failure = ask(wrong(&basic), &basic, &repo).unwrap_err();
    assert_eq!(failure.trouble, T::Unauthorized, "{failure}");
    assert!(
        failure.what.contains("lab from docker's config"),
        "{failure}"
    );
    assert!(!format!("{failure:?}").contains("not-the-password"));
    let failure = ask(Credentials::none(), &basic, &repo).unwrap_err();
    assert_eq!(failure.trouble, T::Unauthorized, "{failure}");

    // Everybody reads what is public, also those whose password is wrong; then it is said.
    assert_eq!(
        ask(Credentials::none(), &token, &public).unwrap().remark,
        None
    );
    let answer = ask(wrong(&token), &token, &public).unwrap();
    assert!(answer.remark.unwrap().contains("lab from docker's config"));
    for credentials in [Credentials::none(), wrong(&token)] {
        let failure = ask(credentials, &token, &repo).unwrap_err();
        assert!(
            matches!(failure.trouble, T::Unauthorized | T::Denied),
            "{failure}"
        );
    }
    let reader = login(&lab, &token, "reader", "reader-secret");
    let answer = ask(reader, &token, &repo).unwrap();
    assert_eq!(
        answer.credential.as_deref(),
        Some("reader from docker's config")
    );
}

#[test]
fn certificates_that_nobody_vouches_for() {
    let Some(lab) = Lab::here() else { return };
    for name in ["ca", "selfsigned"] {
        let registry = lab.registry(name);
        let mut spec = spec(&lab, &registry);
        spec.ca_file = None;
        spec.fingerprint = None;
        let blobs = BlobStore::in_memory();
        let options = RegistryOptions::new(vec![spec], Credentials::none(), blobs);
        let client = Registries::new(options);
        let failure = wait(client.ask(&question(&registry, "any", "1"))).unwrap_err();
        assert_eq!(failure.trouble, T::Certificate, "{name}: {failure}");
        assert!(failure.remedy.contains("fingerprint:"), "{name}: {failure}");
        if name == "selfsigned" {
            let shown = fingerprint(&lab.fact("selfsigned")).to_uppercase();
            assert!(failure.remedy.contains(&shown), "{failure}");
        }
    }
    // And a registry without TLS, asked as if it had it.
    let registry = lab.registry("plain");
    let options = RegistryOptions::new(Vec::new(), Credentials::none(), BlobStore::in_memory());
    let failure = wait(Registries::new(options).ask(&question(&registry, "any", "1"))).unwrap_err();
    assert_eq!(failure.trouble, T::PlainHttp, "{failure}");
}

#[test]
fn tags_and_repositories_are_listed() {
    let Some(lab) = Lab::here() else { return };
    let client = client(&lab, logged_in(&lab));
    for name in ALL {
        let registry = lab.registry(name);
        let repo = unique("client");
        for tag in ["a", "b", "c"] {
            push(&registry, &repo, tag, tag);
        }
        let repository = repository(&registry, &repo);
        let mut tags = wait(client.tags(&Route::Here, &repository)).unwrap().names;
        tags.sort();
        assert_eq!(tags, ["a", "b", "c"], "{name}");
        let catalog = wait(client.catalog(&Route::Here, &repository.registry))
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert!(catalog.names.contains(&repo), "{name}");
        assert_eq!(catalog.cut, None);
    }
}
