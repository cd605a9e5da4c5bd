#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;
use crate::app::msg::Msg;
use crate::cli::samples::{fleet, tell};
use crate::core::failure::{HostFailure, HostTrouble};
use crate::core::files::FilesState;

fn shown(checks: &[Check]) -> Vec<String> {
    checks
        .iter()
        .map(|check| {
            let host = check.host.as_deref().unwrap_or("-");
            format!(
                "{host} {} {:?}: {}",
                word(check.link),
                check.state,
                check.detail
            )
        })
        .collect()
}

#[test]
fn every_link_is_told_with_its_remedy() {
    let model = fleet();
    let checks = checks(&model, None);
    assert_eq!(
        shown(&checks),
        [
            "vps ssh Ok: answers in 12 ms",
            "vps engine Ok: docker 28.5.2, graph store, linux/amd64",
            "vps compose Unknown: no project's files could be read, so it was not seen at work",
            "vps files Failed: blog: /opt/blog/compose.yaml is not there",
            "nas ssh Failed: no route to nas:22",
            "nas engine Unknown: not reached",
            "new engine Failed: nothing listens on 127.0.0.1:1",
            "- credentials Failed: r.lan: r.lan refused the credentials of op",
            "- registry Ok: r.lan: answers",
        ]
    );
    let failed = checks.iter().filter(|check| check.state == State::Failed);
    assert!(failed.clone().all(|check| check.remedy.is_some()));
    assert_eq!(failed.count(), 4);
}

#[test]
fn a_host_alone_has_its_own_links_and_registries() {
    let model = fleet();
    assert_eq!(shown(&checks(&model, Some(&"new".into()))).len(), 1);
    let vps = shown(&checks(&model, Some(&"vps".into())));
    assert_eq!(vps.len(), 6, "{vps:?}");
}

#[test]
fn the_broken_link_is_the_one_that_is_named() {
    use HostTrouble as T;
    for (trouble, expected) in [
        (
            T::Offline,
            &["tailnet Failed", "ssh Unknown", "engine Unknown"][..],
        ),
        (T::NoSuchName, &["ssh Failed", "engine Unknown"]),
        (T::HostKeyChanged, &["ssh Failed", "engine Unknown"]),
        (T::LoginRefused, &["ssh Failed", "engine Unknown"]),
        (T::NoDocker, &["ssh Ok", "engine Failed"]),
        (T::NoPermission, &["ssh Ok", "engine Failed"]),
        (T::EngineDown, &["ssh Ok", "engine Failed"]),
    ] {
        let mut model = fleet();
        let failure = HostFailure::new(trouble, "why", "what to do");
        tell(
            &mut model,
            Msg::Disconnected {
                host: "nas".into(),
                failure,
            },
        );
        let checks = checks(&model, Some(&"nas".into()));
        let found: Vec<_> = checks
            .iter()
            .filter(|check| check.link != Link::Registry && check.link != Link::Credentials)
            .map(|check| format!("{} {:?}", word(check.link), check.state))
            .collect();
        assert_eq!(found, expected, "{trouble:?}");
    }
}

#[test]
fn a_host_without_compose_has_a_broken_link_with_its_remedy() {
    let mut model = fleet();
    let why = "there is no docker compose v2 on the host; install the compose plugin";
    for files in model.files.values_mut() {
        files.state = Some(FilesState::NoCompose(why.to_owned()));
    }
    let checks = checks(&model, Some(&"vps".into()));
    let compose = checks
        .iter()
        .find(|check| check.link == Link::Compose)
        .unwrap();
    assert_eq!(compose.state, State::Failed);
    assert_eq!(
        compose.remedy.as_deref(),
        Some("install the compose plugin")
    );
    assert!(!checks.iter().any(|check| check.link == Link::Files));
}

#[test]
fn the_document_and_the_exit_code_follow_the_checks() {
    let model = fleet();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut output = Output::new(&mut out, &mut err);
    assert_eq!(
        report(&model, None, true, &mut output).unwrap(),
        Exit::Broken
    );
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(
        document["checks"][4],
        serde_json::json!({"host": "nas", "link": "ssh", "state": "failed", "detail": "no route to nas:22", "remedy": "is it switched on?"})
    );
    assert_eq!(document["checks"][7]["host"], serde_json::Value::Null);
}
