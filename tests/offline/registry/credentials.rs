//! Docker's credential helpers, as programs on the path.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use homelab_tui::adapters::credentials::{CredentialKind, Lookup};
use homelab_tui::adapters::secret::Secret;

use super::*;

/// Writes a helper into a folder of the path; the folder is one that cargo's tests have on theirs.
fn helper(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

async fn lookup(script: &str, registry: &str) -> Lookup {
    let folder = Scratch::new();
    helper(&folder.0, "test", script);
    folder
        .docker_config(r#"{"credsStore":"test","auths":{"r.lan":{}}}"#)
        .with_helper_timeout(Duration::from_millis(700))
        .with_helper_folder(&folder.0)
        .lookup(&registry.into())
        .await
}

#[tokio::test]
async fn a_helper_is_told_the_server_and_answers() {
    let script = r#"read server; [ "$1" = get ] || exit 1
        echo "{\"ServerURL\":\"$server\",\"Username\":\"me\",\"Secret\":\"for $server\"}""#;
    for (registry, server) in [
        ("r.lan", "r.lan"),
        ("docker.io", "https://index.docker.io/v1/"),
    ] {
        let Lookup::Found(credential) = lookup(script, registry).await else {
            panic!("no credential");
        };
        assert_eq!(credential.name, "me from docker-credential-test");
        assert_eq!(
            credential.kind,
            CredentialKind::Password {
                user: "me".to_owned(),
                password: Secret::new(format!("for {server}")),
            }
        );
    }
}

#[tokio::test]
async fn a_helper_s_identity_token_is_one() {
    let script = r#"echo '{"Username":"<token>","Secret":"refresh"}'"#;
    let Lookup::Found(credential) = lookup(script, "r.lan").await else {
        panic!("no credential");
    };
    assert_eq!(
        credential.kind,
        CredentialKind::Identity(Secret::new("refresh"))
    );
}

#[tokio::test]
async fn a_helper_without_the_credential_is_no_failure() {
    let script = "echo credentials not found in native keychain; exit 1";
    assert_eq!(lookup(script, "r.lan").await, Lookup::None);
}

#[tokio::test]
async fn helpers_that_fail_hang_or_flood_are_said() {
    for (script, words) in [
        ("echo store is locked; exit 1", "store is locked"),
        ("sleep 30", "no answer within"),
        ("cat /dev/zero", "more than any credential needs"),
        ("echo hello", "no credential"),
    ] {
        let Lookup::Failed(why) = lookup(script, "r.lan").await else {
            panic!("{script} did not fail");
        };
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn a_helper_that_is_missing_is_said_where_it_matters() {
    let registry = StandIn::start().await;
    registry.set().auth = crate::stand_in::Auth::Basic {
        user: "u",
        password: "p",
    };
    let folder = Scratch::new();
    let client = client_with(folder.docker_config(r#"{"credsStore":"not-installed-anywhere"}"#));
    let failure = trouble(&client, &at(&registry, "x:1")).await;
    assert!(
        failure
            .what
            .contains("docker-credential-not-installed-anywhere cannot be run"),
        "{failure}"
    );
}
