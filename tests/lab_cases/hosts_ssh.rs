//! The ssh connection below a host: jumps, few channels, dials, and no process left behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use homelab_tui::adapters::shell::{Limits, join};
use homelab_tui::core::mode::Operating;
use homelab_tui::core::watch::Scope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::hosts::{config_with, hosts, hosts_by, open, run, unix};
use crate::support::{Host, Image, Lab, fresh_seed, unique};

/// The ssh processes of this machine whose control socket lies below `/tmp` or the runtime folder.
fn masters_with(mark: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.starts_with("ssh -M ") && line.contains(mark))
        .collect()
}

#[test]
fn a_proxy_jump_leads_to_a_host() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let ip = lab.host("old").ip;
        let jump = format!("Host far\nProxyJump bare\nHostName {ip}\nHostKeyAlias old\n");
        let session = open(&hosts_by(&config_with(&lab, &jump)), "ssh://far").await;
        assert_eq!(
            session.observe(&Scope::All).await.unwrap().engine.api,
            "1.41"
        );
        session.close().await;
    });
}

#[test]
fn d2_fewer_sessions_than_wanted_are_enough() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let (port, sshd) = another_sshd(&lab.host("new"), "MaxSessions 2");
        let session = open(&hosts(&lab), &format!("ssh://new:{port}")).await;
        let mut events = session.events();
        let follower = tokio::spawn(async move { events.next().await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let looks = futures_util::future::join_all((0..6).map(|_| session.observe(&Scope::All)));
        let looks = tokio::time::timeout(Duration::from_secs(60), looks).await;
        for seen in looks.unwrap() {
            seen.unwrap();
        }
        let limits = Limits {
            time: Duration::from_secs(20),
            bytes: 100,
        };
        let place = session.place().unwrap();
        let outcome = place.run("echo still room", limits).await.unwrap();
        assert_eq!(outcome.stdout, b"still room\n");
        session.close().await;
        follower.abort();
        drop(sshd);
    });
}

#[test]
fn e6_no_ssh_process_outlives_its_session() {
    let Some(lab) = Lab::here() else { return };
    let config = config_with(&lab, "");
    run(async {
        let session = open(&hosts_by(&config), "ssh://old").await;
        assert_eq!(masters_with(&config).len(), 1);
        session.close().await;
        assert!(masters_with(&config).is_empty());
        // Dropped without a word, and with a stream open.
        let session = open(&hosts_by(&config), "ssh://old").await;
        drop(session);
        wait_for_none(&config).await;
    });
    // A runtime that ends takes its masters along.
    let hosts = Arc::new(hosts_by(&config));
    let session = run(async { open(&hosts, "ssh://old").await });
    run(wait_for_none(&config));
    drop(session);
}

async fn wait_for_none(mark: &str) {
    let patience = Instant::now() + Duration::from_secs(5);
    while !masters_with(mark).is_empty() {
        assert!(Instant::now() < patience, "{:?}", masters_with(mark));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn the_master_of_a_killed_console_is_ended_by_the_next_start() {
    let Some(lab) = Lab::here() else { return };
    let config = config_with(&lab, "");
    // What a killed console leaves: a folder whose lock nobody holds, and a master in it.
    let folder = PathBuf::from(format!("/tmp/htui-{}", unique("killed")));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(folder.join("lock"), "").unwrap();
    let socket = folder.join("s0");
    let mut left = std::process::Command::new("ssh")
        .args(["-M", "-N", "-S"])
        .arg(&socket)
        .args(["-F", &config, "-o", "ControlPersist=no", "old"])
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    while !socket.exists() {
        assert!(Instant::now() < patience, "the master did not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    run(async {
        let session = open(&hosts_by(&lab.fact("ssh_config")), "ssh://new").await;
        let patience = Instant::now() + Duration::from_secs(10);
        while left.try_wait().unwrap().is_none() || folder.exists() {
            assert!(Instant::now() < patience, "the left-over master still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        session.close().await;
    });
}

#[test]
fn a16_a_port_only_the_host_can_reach_is_dialled_through_it() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let session = open(&hosts(&lab), "ssh://old").await;
        for _ in 0..2 {
            let mut stream = session.dial("localhost", 5000).await.unwrap().unwrap();
            stream
                .write_all(
                    b"GET /v2/ HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\n\r\n",
                )
                .await
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let mut refused = session.dial("localhost", 9).await.unwrap().unwrap();
        let error = refused.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::ConnectionRefused,
            "{error}"
        );
        session.close().await;
        assert!(
            open(&hosts(&lab), &unix(&lab.host("old")))
                .await
                .dial("x", 1)
                .await
                .is_none()
        );
    });
}

#[test]
fn a16_where_a_host_forwards_nothing_its_engine_is_asked() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("old");
    let registry = lab.registry("localhost-old");
    let repo = unique("via");
    let image = Image::busybox(&lab).label("of", &repo).build();
    let digest = registry.push(&repo, "1", &image);
    let reference = registry.reference(&repo, "1");
    let project = host.project(
        &repo,
        &format!("services:\n  web:\n    image: {reference}\n"),
    );
    project.compose(&["up", "-d"]);
    let (port, sshd) = another_sshd(&host, "AllowTcpForwarding no");
    let config = lab.folder("via").join("config.yaml");
    std::fs::write(
        &config,
        format!(
            "hosts:\n  - {{name: old, address: \"ssh://old:{port}\"}}\n\
             registries:\n  - {{host: \"localhost:5000\", plain_http: true, via: old}}\n\
             ssh: {{config_file: \"{}\"}}\n",
            config_with(&lab, "")
        ),
    )
    .unwrap();
    let target = format!("old/{repo}");
    let output = lab
        .console_with(&config, &["status", &target, "--json"])
        .output()
        .unwrap();
    drop(sshd);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = &document["hosts"][0]["projects"][0]["services"][0];
    assert_eq!(service["verdict"], "current", "{document:#}");
    assert_eq!(service["registry"]["digest"], digest.as_str());
}

/// An sshd of a host beside its usual one, ended when it is dropped.
pub struct Sshd {
    host: Host,
    pid_file: String,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.host.try_sh(&format!("kill $(cat {})", self.pid_file));
    }
}

/// Starts another sshd with options that differ, a line each; tells its port.
pub fn another_sshd(host: &Host, options: &str) -> (u16, Sshd) {
    let name = unique("sshd");
    let port = 20_000 + u16::try_from(fresh_seed() % 30_000).unwrap();
    let line = host.sh("tr '\\0' ' ' </proc/$(pgrep -o sshd)/cmdline | sed 's/ .listener.*//'");
    let file = line.split(" -f ").nth(1).unwrap();
    let file = file.split(' ').next().unwrap();
    let (config, pid_file) = (format!("/run/{name}"), format!("/run/{name}.pid"));
    // The first value of an option is the one that counts.
    host.sh(&format!(
        "{{ echo '{options}'; grep -vi -e '^Port' -e '^PidFile' {file}; }} >{config}; \
         /usr/sbin/sshd -f {config} -p {port} -o PidFile={pid_file}"
    ));
    let host = host.clone();
    (port, Sshd { host, pid_file })
}

#[test]
fn a_shell_in_a_container_is_opened_over_the_same_connection() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd28");
    let registry = lab.registry("plain");
    let name = unique("shell");
    let image = Image::busybox(&lab).label("of", &name).build();
    registry.push(&name, "1", &image);
    let reference = registry.reference(&name, "1");
    host.docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "--hostname",
        &name,
        &reference,
    ]);
    // This machine need not have a docker of its own.
    let path = std::env::var("PATH").unwrap();
    let path = format!("{path}:{}/forky/usr/bin", lab.fact("packages"));
    let argv = run(async {
        let operating = Operating::by_operator();
        let mut list = Vec::new();
        for address in ["ssh://ctd28-fishy", &unix(&host)] {
            let session = open(&hosts(&lab), address).await;
            let argv = session
                .operator(&operating)
                .unwrap()
                .shell_command(&name.as_str().into());
            // `script` gives the command a terminal.
            let mut script = std::process::Command::new("script");
            script
                .args(["-qec", &join(&argv), "/dev/null"])
                .env("SHELL", "/bin/sh")
                .env("PATH", &path);
            let mut child = script
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            std::io::Write::write_all(
                child.stdin.as_mut().unwrap(),
                b"echo in:$(busybox hostname) $((40+2)); exit\n",
            )
            .unwrap();
            let output = tokio::task::spawn_blocking(move || child.wait_with_output());
            let output = output.await.unwrap().unwrap();
            session.close().await;
            list.push(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        list
    });
    host.docker(&["rm", "-f", &name]);
    for output in argv {
        assert!(output.contains(&format!("in:{name} 42")), "{output}");
    }
}
