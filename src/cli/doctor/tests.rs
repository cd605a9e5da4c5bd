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
    let checks = checks(&model, &Findings::default(), None);
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
            "- registry Ok: r.lan: answers for 2 references",
            "- credentials Failed: r.lan: unauthorized (401): r.lan refused the credentials of op",
            "vps registry Ok: blog/web: nothing has pulled what its tag names: :latest names 777777777777, built later than the running image",
        ]
    );
    let failed = checks.iter().filter(|check| check.state == State::Failed);
    assert!(failed.clone().all(|check| check.remedy.is_some()));
    assert_eq!(failed.count(), 4);
}

#[test]
fn a_host_alone_has_its_own_links_and_registries() {
    let model = fleet();
    assert_eq!(
        shown(&checks(&model, &Findings::default(), Some(&"new".into()))).len(),
        1
    );
    let vps = shown(&checks(&model, &Findings::default(), Some(&"vps".into())));
    assert_eq!(vps.len(), 7, "{vps:?}");
}

#[test]
fn a_registry_that_only_local_images_name_is_no_broken_link() {
    let mut model = fleet();
    let own = crate::core::samples::image(9, &["own:dev"], &[], Some(1));
    let mut container = crate::cli::samples::member("blog", "own", "own:dev", 9);
    container.image_id = own.id.clone();
    let seen = crate::core::samples::observation(
        crate::core::engine::ImageStore::Graph,
        vec![own],
        vec![container],
    );
    let generation = model.hosts[0].generation;
    tell(
        &mut model,
        Msg::Observed {
            host: "vps".into(),
            generation,
            result: Ok(Box::new(seen)),
        },
    );
    let asked = model.services().find(|one| one.reference == "own:dev");
    let key = asked.unwrap().question.clone().unwrap();
    let away = crate::core::failure::RegistryFailure::new(
        crate::core::failure::RegistryTrouble::Away,
        "docker.io does not resolve",
        "check the name",
    );
    tell(
        &mut model,
        Msg::Resolved {
            key,
            result: Err(away),
        },
    );
    let told = shown(&checks(&model, &Findings::default(), Some(&"vps".into())));
    assert!(
        !told.iter().any(|line| line.contains("docker.io")),
        "{told:?}"
    );
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
        let checks = checks(&model, &Findings::default(), Some(&"nas".into()));
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
    let checks = checks(&model, &Findings::default(), Some(&"vps".into()));
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
        report(&model, &Findings::default(), None, true, &mut output).unwrap(),
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

#[test]
fn the_logins_of_a_host_are_told_with_what_to_do() {
    use crate::core::checkup::{Checkup, Ended, Login, LoginCheck, Puller, TokenFacts, TokenUse};
    use crate::core::failure::{RegistryFailure, RegistryTrouble as R};
    let model = fleet();
    let refused = |trouble| Some(Err(RegistryFailure::new(trouble, "what", "remedy")));
    let login = |registry: &str, login, answer| LoginCheck {
        registry: registry.into(),
        reference: format!("{registry}/me/app:1").parse().unwrap(),
        login,
        answer,
        token: None,
    };
    let puller = |user: &str, because: &str, logins| Puller {
        user: user.to_owned(),
        because: because.to_owned(),
        trouble: None,
        logins,
    };
    let mut with_token = login("ghcr.io", Login::File, Some(Ok(())));
    with_token.token = Some(TokenFacts {
        status: 200,
        scopes: Some(vec!["read:packages".to_owned()]),
        expires: Some(model.now.wall + jiff::SignedDuration::from_hours(72)),
    });
    let found = Checkup {
        pullers: vec![
            puller(
                "op",
                "ssh",
                vec![
                    with_token,
                    login("a.lan", Login::None, refused(R::Unauthorized)),
                ],
            ),
            puller(
                "root",
                "sudo",
                vec![login("a.lan", Login::File, refused(R::Denied))],
            ),
            puller(
                "deploy",
                "blog.service",
                vec![
                    login("b.lan:5000", Login::None, refused(R::PlainHttp)),
                    login("c.lan", Login::File, refused(R::RateLimited)),
                    login("d.lan", Login::File, refused(R::Gone)),
                ],
            ),
        ],
        insecure: vec!["x.lan:1".to_owned()],
        has_daemon_file: true,
        ..Checkup::default()
    };
    let fallen = Ended {
        name: "registry-1".to_owned(),
        state: "exited".to_owned(),
        code: Some(2),
        lines: vec!["panic: no config".to_owned()],
        read: "docker logs --tail 50 registry-1".to_owned(),
        ..Ended::default()
    };
    let of_repositories = TokenFacts {
        status: 200,
        scopes: Some(vec!["repo".to_owned()]),
        expires: None,
    };
    let findings = Findings {
        own: Vec::new(),
        hosts: [("vps".into(), found)].into(),
        fallen: vec![("localhost:5000".into(), "vps".into(), fallen)],
        tokens: vec![
            (
                TokenUse::Builds("CI_TOKEN".to_owned()),
                Ok(of_repositories.clone()),
            ),
            (TokenUse::Packages, Ok(of_repositories)),
        ],
    };
    let checks = checks(&model, &findings, Some(&"vps".into()));
    let told: Vec<String> = checks
        .iter()
        .skip(4)
        .map(|check| {
            format!(
                "{:?} {} -> {}",
                check.state,
                check.detail,
                check.remedy.as_deref().unwrap_or("-")
            )
        })
        .collect();
    assert_eq!(
        told[..8],
        [
            "Ok op: ghcr.io: the login of its docker config is accepted -> -",
            "Ok op: the token for ghcr.io: accepted, with the scopes read:packages, expires in 3 d -> make a new one at github.com/settings/tokens",
            "Failed op: a.lan: no login, and a.lan/me/app:1 wants one -> as op on vps: docker login a.lan",
            "Failed root by sudo: a.lan: the login of its docker config may not read a.lan/me/app:1 (403) -> give that account or token the right to read it",
            "Failed the engine wants TLS of b.lan:5000, which speaks plain http -> in /etc/docker/daemon.json on vps have \"insecure-registries\": [\"x.lan:1\", \"b.lan:5000\"], then run `sudo systemctl reload docker`",
            "Unknown deploy in blog.service: c.lan: the login of its docker config; the registry's limit is reached (429) -> remedy",
            "Ok deploy in blog.service: d.lan: the login of its docker config; asked for d.lan/me/app:1, which is not found (404) -> -",
            "Ok r.lan: answers for 2 references -> -",
        ],
        "{told:#?}"
    );
    assert!(told.iter().any(|line| line
        == "Failed localhost:5000: its container registry-1 is exited with exit code 2; its last lines: panic: no config -> on vps: docker start registry-1; docker logs --tail 50 registry-1"));
    // Only who pulls packages with it needs a token that may read them.
    let tokens: Vec<&String> = told.iter().filter(|line| line.contains("repo")).collect();
    assert_eq!(
        tokens,
        [
            "Ok CI_TOKEN: accepted, with the scopes repo -> -",
            "Failed the login for ghcr.io: its scopes (repo) do not let it read packages -> give it the scope read:packages",
        ]
    );
}
