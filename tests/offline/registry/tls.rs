//! Certificates: an authority of one's own, a pinned one, and never just anybody.

use homelab_tui::core::failure::RegistryTrouble as T;

use super::*;
use crate::stand_in::images::{Image, image};

const CA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in/tls/ca.pem");
const FINGERPRINT: &str = include_str!("../../stand_in/tls/server.sha256");

/// Makes a description that trusts the stand-in's authority.
pub fn trusting(registry: &StandIn) -> RegistrySpec {
    RegistrySpec {
        ca_file: Some(CA_FILE.to_owned()),
        ..spec(&registry.host())
    }
}

async fn registry() -> StandIn {
    let registry = StandIn::start_tls().await;
    registry.push("web", Some("1"), &image(&Image::default()));
    registry
}

async fn asked_with(registry: &StandIn, spec: RegistrySpec) -> Result<Answer, RegistryFailure> {
    let client = Registries::new(options(vec![spec]));
    client.ask(&at(registry, "web:1")).await
}

#[tokio::test]
async fn an_authority_of_one_s_own_is_trusted_by_file() {
    let registry = registry().await;
    asked_with(&registry, trusting(&registry)).await.unwrap();
}

#[tokio::test]
async fn one_certificate_is_trusted_by_fingerprint() {
    let registry = registry().await;
    let mut spec = spec(&registry.host());
    spec.fingerprint = Some(FINGERPRINT.trim().to_owned());
    asked_with(&registry, spec.clone()).await.unwrap();
    spec.fingerprint = Some("00".repeat(32));
    let failure = asked_with(&registry, spec).await.unwrap_err();
    assert_eq!(failure.trouble, T::Certificate);
    assert!(failure.what.contains("not the pinned one"), "{failure}");
    assert!(failure.remedy.contains(FINGERPRINT.trim()), "{failure}");
}

#[tokio::test]
async fn nobody_else_is_trusted_and_the_remedy_is_named() {
    let registry = registry().await;
    let failure = asked_with(&registry, spec(&registry.host()))
        .await
        .unwrap_err();
    assert_eq!(failure.trouble, T::Certificate);
    assert!(
        failure.remedy.contains("ca_file: or fingerprint:"),
        "{failure}"
    );
    assert!(failure.remedy.contains(FINGERPRINT.trim()), "{failure}");
    assert_eq!(registry.take_log(), []);
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_said() {
    let registry = registry().await;
    let mut spec = spec(&registry.host());
    spec.ca_file = Some("/nonexistent/ca.pem".to_owned());
    let failure = asked_with(&registry, spec).await.unwrap_err();
    assert!(failure.what.contains("/nonexistent/ca.pem"), "{failure}");
}
