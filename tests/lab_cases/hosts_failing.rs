//! Hosts that cannot be reached or are lost: each with its own words, none waited for by others.

use std::time::Duration;

use futures_util::StreamExt;
use homelab_tui::core::failure::HostTrouble;
use homelab_tui::core::watch::Scope;

use super::hosts::{config_with, connect, hosts, hosts_by, open, run, spec};
use super::hosts_ssh::another_sshd;
use crate::support::Lab;

#[test]
fn d3_d4_each_way_to_fail_has_its_words() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let key = lab.folder("key").join("id");
        let mut keygen = std::process::Command::new("ssh-keygen");
        let keygen = keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        assert!(keygen.arg(&key).status().unwrap().success());
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let known = lab.folder("known").join("hosts");
        std::fs::write(&known, format!("old {public}")).unwrap();
        let refused = "Host old\nPubkeyAuthentication no";
        let unknown = "Host old\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking ask";
        let changed = format!("Host old\nUserKnownHostsFile {}", known.display());
        let jump = "Host old\nProxyJump bare\nHost bare\nUserKnownHostsFile /dev/null";
        for (lines, address, trouble, words) in [
            ("", "ssh://old-nodock", HostTrouble::NoPermission, "usermod"),
            ("", "ssh://old-nologin", HostTrouble::LoginRefused, "shell"),
            ("", "ssh://bare", HostTrouble::NoDocker, "install docker"),
            (
                "",
                "ssh://no-such.invalid",
                HostTrouble::NoSuchName,
                "address",
            ),
            (
                "Host old\nPort 9",
                "ssh://old",
                HostTrouble::NoConnection,
                "sshd",
            ),
            (
                unknown,
                "ssh://old",
                HostTrouble::HostKeyUnknown,
                "once by hand",
            ),
            (
                &changed,
                "ssh://old",
                HostTrouble::HostKeyChanged,
                "ssh-keygen",
            ),
            (refused, "ssh://old", HostTrouble::LoginRefused, "ssh-add"),
            (
                jump,
                "ssh://old",
                HostTrouble::HostKeyUnknown,
                "once by hand",
            ),
            (
                "Host old\nNonsense yes",
                "ssh://old",
                HostTrouble::NoConnection,
                "configuration",
            ),
        ] {
            let hosts = hosts_by(&config_with(&lab, lines));
            let failure = connect(&hosts, &spec(address)).await.unwrap_err();
            assert_eq!(failure.trouble, trouble, "{lines} {failure}");
            let text = failure.to_string();
            assert!(text.contains(words), "{text}");
            assert!(!text.contains(char::is_control), "{text}");
        }
    });
}

#[test]
fn a_lost_sshd_is_noticed_and_the_next_dial_heals() {
    let Some(lab) = Lab::alone() else { return };
    run(async {
        let hosts = hosts(&lab);
        let session = open(&hosts, "ssh://new").await;
        let mut events = session.events();
        let follower = tokio::spawn(async move {
            loop {
                match events.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(failure)) => return failure,
                    None => panic!("events end with a reason"),
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        lab.fault("new", &["stop-sshd"]);
        let failure = tokio::time::timeout(Duration::from_secs(20), session.ended())
            .await
            .unwrap();
        assert_eq!(failure.trouble, HostTrouble::NoConnection);
        let told = tokio::time::timeout(Duration::from_secs(5), follower)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(told.trouble, HostTrouble::NoConnection);
        let refused = connect(&hosts, &spec("ssh://new")).await;
        assert_eq!(refused.unwrap_err().trouble, HostTrouble::NoConnection);
        lab.fault("new", &["start-sshd"]);
        let again = open(&hosts, "ssh://new").await;
        again.observe(&Scope::All).await.unwrap();
        again.close().await;
    });
}

#[test]
fn d6_a_cut_cable_is_noticed() {
    let Some(lab) = Lab::alone() else { return };
    run(async {
        let session = open(&hosts(&lab), "ssh://ctd26").await;
        session.observe(&Scope::All).await.unwrap();
        lab.fault("ctd26", &["cut"]);
        let ended = tokio::time::timeout(Duration::from_secs(25), session.ended()).await;
        let dialled = tokio::time::timeout(
            Duration::from_secs(30),
            connect(&hosts(&lab), &spec("ssh://ctd26")),
        )
        .await;
        lab.fault("ctd26", &["heal"]);
        assert_eq!(ended.unwrap().trouble, HostTrouble::NoConnection);
        let failure = dialled.unwrap().unwrap_err();
        assert_eq!(failure.trouble, HostTrouble::NoConnection, "{failure}");
    });
}

#[test]
fn a_stopped_engine_is_no_lost_host() {
    let Some(lab) = Lab::alone() else { return };
    run(async {
        let session = open(&hosts(&lab), "ssh://ctd28").await;
        session.observe(&Scope::All).await.unwrap();
        lab.fault("ctd28", &["stop-engine"]);
        let look =
            tokio::time::timeout(Duration::from_secs(30), session.observe(&Scope::All)).await;
        let dialled = connect(&hosts(&lab), &spec("ssh://ctd28")).await;
        lab.fault("ctd28", &["start-engine"]);
        assert_eq!(look.unwrap().unwrap_err().trouble, HostTrouble::EngineDown);
        assert_eq!(dialled.unwrap_err().trouble, HostTrouble::EngineDown);
        // The same connection serves the new engine.
        session.observe(&Scope::All).await.unwrap();
        session.close().await;
    });
}

#[test]
fn d3_a_second_factor_is_said() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let option = "UsePAM yes\nKbdInteractiveAuthentication yes\n\
            AuthenticationMethods publickey,keyboard-interactive";
        let (port, sshd) = another_sshd(&lab.host("new"), option);
        let failure = connect(&hosts(&lab), &spec(&format!("ssh://new:{port}")))
            .await
            .unwrap_err();
        drop(sshd);
        assert_eq!(failure.trouble, HostTrouble::LoginWaits, "{failure}");
        assert!(failure.what.contains("second factor"), "{failure}");
    });
}

#[test]
fn d4_a_rootless_socket_is_found_where_the_usual_one_is_missing() {
    let Some(lab) = Lab::alone() else { return };
    run(async {
        let host = lab.host("new");
        host.sh(
            "d=/run/user/$(id -u ops); mkdir -p $d && chmod 755 /run/user $d && \
             mv /run/docker.sock $d/docker.sock",
        );
        let found = connect(&hosts(&lab), &spec("ssh://new-ops")).await;
        let missing = connect(&hosts(&lab), &spec("ssh://new")).await;
        host.sh("d=/run/user/$(id -u ops); mv $d/docker.sock /run/docker.sock; rmdir $d");
        found.unwrap().close().await;
        let failure = missing.unwrap_err();
        assert_eq!(failure.trouble, HostTrouble::EngineDown);
        assert!(
            failure.what.contains("docker.sock is not there"),
            "{failure}"
        );
    });
}
