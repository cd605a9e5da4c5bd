//! The gate before real engines: docker clients of each version through it, and the console behind it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use homelab_tui::core::watch::Scope;
use serde_json::Value;

use super::hosts::{config_with, hosts_by, open, run};
use crate::support::{Host, Image, Lab, unique};

/// A socket each of whose connections goes through a gate of its own, as each channel of ssh does.
fn bridge(lab: &Lab, engine: PathBuf) -> PathBuf {
    let socket = lab.folder("gate").join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut gate = gate(&engine)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut asks, mut answers) = (gate.stdin.take().unwrap(), gate.stdout.take().unwrap());
            let (mut near, mut back) = (client.try_clone().unwrap(), client);
            thread::spawn(move || {
                let _ = pump(&mut near, &mut asks);
            });
            thread::spawn(move || {
                let _ = pump(&mut answers, &mut back);
                let _ = back.shutdown(Shutdown::Both);
                let _ = gate.wait();
            });
        }
    });
    socket
}

fn pump(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut piece = [0; 16384];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&piece[..count])?;
        to.flush()?;
    }
}

fn gate(engine: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-tui"));
    command
        .arg("gate")
        .env_clear()
        .env("DOCKER_HOST", format!("unix://{}", engine.display()));
    command
}

/// Docker's clients of three Debian releases: 20.10, 26.1, 28.5.
fn clients(lab: &Lab) -> Vec<PathBuf> {
    let packages = PathBuf::from(lab.fact("packages"));
    ["bookworm", "trixie", "forky"]
        .map(|suite| packages.join(suite).join("usr/bin/docker"))
        .into()
}

fn docker(client: &Path, host: &str, home: &Path, args: &[&str]) -> Output {
    Command::new(client)
        .args(args)
        .env("DOCKER_HOST", host)
        .env("DOCKER_CONFIG", home)
        .env("HOME", home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Starts a container with a secret in its environment and a word in its log.
fn victim(lab: &Lab, host: &Host) -> String {
    let name = unique("gate");
    let image = Image::busybox(lab).label("of", &name).build();
    let registry = lab.registry("plain");
    registry.push(&name, "1", &image);
    let reference = registry.reference(&name, "1");
    host.docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "-e",
        "PASSWORD=hunter2",
        "--entrypoint",
        "/bin/sh",
        &reference,
        "-c",
        "echo a word; trap 'exit 0' TERM; while :; do busybox sleep 1; done",
    ]);
    for _ in 0..100 {
        if host.docker(&["logs", &name]).contains("a word") {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(100));
    }
    name
}

#[test]
fn docker_clients_of_each_version_can_look_and_change_nothing() {
    let Some(lab) = Lab::here() else { return };
    let home = lab.folder("gate-home");
    for host in [lab.host("old"), lab.host("new"), lab.host("ctd28")] {
        let name = victim(&lab, &host);
        let address = format!(
            "unix://{}",
            bridge(&lab, host.dir().join("docker.sock")).display()
        );
        for client in clients(&lab) {
            let docker = |args: &[&str]| docker(&client, &address, &home, args);
            let shown = |args: &[&str]| {
                let output = docker(args);
                let err = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    output.status.success(),
                    "{} {args:?}: {err}",
                    client.display()
                );
                String::from_utf8_lossy(&output.stdout).into_owned()
            };
            assert!(shown(&["ps", "--filter", &format!("name={name}")]).contains(&name));
            assert!(shown(&["logs", &name]).contains("a word"));
            assert!(shown(&["images"]).contains(&name));
            shown(&["version"]);
            let inspected = shown(&["inspect", &name]);
            assert!(inspected.contains("PASSWORD=") && !inspected.contains("hunter2"));
            let document: Value = serde_json::from_str(&inspected).unwrap();
            assert_eq!(document[0]["State"]["Status"], "running");
            let image = document[0]["Config"]["Image"].as_str().unwrap();
            shown(&["image", "inspect", image]);

            let to = home.join("copy").display().to_string();
            for args in [
                &["rm", "-f", &name][..],
                &["exec", &name, "true"],
                &["run", "-d", image],
                &["create", image],
                &["cp", &format!("{name}:/bin/busybox"), &to],
                &["cp", "/etc/hostname", &format!("{name}:/x")],
                &["export", "-o", &to, &name],
                &["save", "-o", &to, image],
                &["kill", &name],
                &["stop", &name],
                &["restart", &name],
                &["start", &name],
                &["pause", &name],
                &["rename", &name, "other"],
                &["update", "--memory", "64m", &name],
                &["attach", "--no-stdin", &name],
                &["commit", &name],
                &["tag", image, "other:1"],
                &["rmi", "-f", image],
                &["pull", image],
                &["push", image],
                &["volume", "create", "x"],
                &["network", "create", "x"],
                &["container", "prune", "-f"],
                &["system", "prune", "-f"],
                &["swarm", "init"],
                &["events", "--since", "1m", "--until", "1s"],
            ] {
                let output = docker(args);
                assert!(
                    !output.status.success(),
                    "{} {args:?} passed",
                    client.display()
                );
                let err = String::from_utf8_lossy(&output.stderr);
                // Older clients take the answer to an attach for the container's output.
                assert!(
                    args[0] == "attach" || err.contains("this gate only lets through what looks"),
                    "{args:?}: {err}"
                );
            }
            let until = [
                "events",
                "--since",
                "0",
                "--until",
                "1",
                "--filter",
                "type=container",
            ];
            shown(&until);
            assert!(!Path::new(&to).exists());
        }
        let state = host.inspect("container", &name)["State"].clone();
        assert_eq!(state["Status"], "running");
        assert_eq!(host.inspect("container", &name)["RestartCount"], 0);
        host.docker(&["rm", "-f", &name]);
    }
}

/// Lets a new key in on a host, behind the gate; what was there comes back at the end.
struct Door {
    file: PathBuf,
    before: String,
    config: String,
}

impl Door {
    fn open(lab: &Lab, host: &Host) -> Self {
        let file = host.dir().join("ssh/authorized_keys");
        let before = std::fs::read_to_string(&file).unwrap();
        let folder = lab.folder("gate-key");
        let key = folder.join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        // The line is the one that the program itself prints.
        let printed = Command::new(env!("CARGO_BIN_EXE_homelab-tui"))
            .args([
                "gate",
                "install",
                &format!("ssh://root@{}", host.name),
                "--key",
            ])
            .arg(folder.join("key.pub"))
            .env("HOME", &folder)
            .output()
            .unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let line = printed
            .lines()
            .find(|line| line.starts_with("restrict,command="))
            .unwrap()
            .replace("homelab-tui gate", &format!("{} gate", host.program()));
        std::fs::write(&file, format!("{before}{line}\n")).unwrap();
        let config = config_with(
            lab,
            &format!(
                "Host {0}-own\n  HostName {2}\n  HostKeyAlias {0}\n  IdentityFile {1}\n  IdentitiesOnly yes\n  User root",
                host.name,
                key.display(),
                host.ip,
            ),
        );
        Self {
            file,
            before,
            config,
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.file, &self.before);
    }
}

#[test]
fn the_console_sees_everything_behind_the_gate_and_could_change_nothing() {
    let Some(lab) = Lab::alone() else { return };
    run(async {
        for name in ["old", "ctd28"] {
            let host = lab.host(name);
            let container = victim(&lab, &host);
            let door = Door::open(&lab, &host);
            let behind = open(&hosts_by(&door.config), &format!("ssh://{name}-own")).await;
            let plain = open(&hosts_by(&door.config), &format!("ssh://{name}")).await;
            assert!(!behind.could_change() && plain.could_change());
            assert!(behind.place().is_none(), "no shell behind a gate");
            let mut seen = behind.observe(&Scope::Whole).await.unwrap();
            let truth = plain.observe(&Scope::Whole).await.unwrap();
            seen.at = truth.at;
            assert_eq!(seen, truth, "{name}");
            let mut events = behind.events();
            let about = container.clone();
            let other = host.clone();
            let stopped = tokio::task::spawn_blocking(move || other.docker(&["kill", &about]));
            let event = tokio::time::timeout(
                std::time::Duration::from_secs(20),
                futures_util::StreamExt::next(&mut events),
            );
            event.await.unwrap().unwrap().unwrap();
            stopped.await.unwrap();
            host.docker(&["rm", "-f", &container]);
            behind.close().await;
            plain.close().await;
        }
    });
}

#[test]
fn the_gate_writes_nothing_and_ends_with_its_client() {
    let Some(lab) = Lab::here() else { return };
    let engine = lab.host("new").dir().join("docker.sock");
    // The kernel also charges a process for the access times of what it is the first to read after a build: a gate
    // that wrote anything itself would do so every time.
    let written: Vec<u64> = (0..5).map(|_| one_gate(&engine)).collect();
    assert!(written.contains(&0), "{written:?}");
    drop(UnixStream::connect(&engine).unwrap());
}

/// Lets a gate answer one request and end with its client; tells how many bytes it caused to be written.
fn one_gate(engine: &Path) -> u64 {
    let mut child = gate(engine)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut asks = child.stdin.take().unwrap();
    asks.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut first = [0; 15];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    // Of what it holds open, nothing is a file that could be written.
    for entry in std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap() {
        let target = std::fs::read_link(entry.unwrap().path()).unwrap();
        let target = target.display().to_string();
        let known = [
            "pipe:",
            "socket:",
            "anon_inode:",
            "/dev/null",
            "/dev/pts",
            "/dev/tty",
        ];
        assert!(
            known.iter().any(|known| target.starts_with(known)),
            "{target}"
        );
    }
    let io = std::fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
    drop(asks);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn an_engine_that_is_away_is_told_in_docker_s_words() {
    let output = gate(Path::new("/nowhere/docker.sock"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        err.contains("dial unix /nowhere/docker.sock: connect: no such file or directory"),
        "{err}"
    );
}
