//! `doctor` against real hosts: whose logins pull there, what the engine is not told, and the last words of what ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::hosts::config_with;
use super::ssh_worst::{BY_SUDO, ONLY_DOCKER, User, has_sudo};
use crate::support::{Host, Image, Lab, fresh_seed, unique};

/// A login for the registry REG that it does not know.
const WRONG_LOGIN: &str = r#"{"auths":{"REG":{"auth":"bGFiOndyb25nLXNlY3JldA=="}}}"#;

/// What doctor says of one host at this address.
fn doctor(lab: &Lab, address: &str) -> (Vec<Value>, String) {
    doctor_with(lab, address, "")
}

/// The same with more in the host's entry.
fn doctor_with(lab: &Lab, address: &str, more: &str) -> (Vec<Value>, String) {
    let config = lab.folder("doctor").join("config.yaml");
    let text = format!(
        "hosts:\n  - {{name: it, address: \"{address}\"{more}}}\nssh: {{config_file: \"{}\"}}\n",
        config_with(lab, "")
    );
    fs::write(&config, text).unwrap();
    let output = lab
        .console_with(&config, &["doctor", "--json"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    let text = text + &errors;
    (document["checks"].as_array().unwrap().clone(), text)
}

fn find<'a>(checks: &'a [Value], link: &str, words: &str) -> &'a Value {
    let is = |check: &&Value| {
        check["link"] == link && check["detail"].as_str().unwrap_or_default().contains(words)
    };
    checks
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no {link} with {words:?}: {checks:#?}"))
}

/// Whether what a check says in this field has these words.
fn says(check: &Value, field: &str, words: &str) {
    assert!(check[field].as_str().unwrap().contains(words), "{check:#}");
}

/// An image of the test's own that the host has pulled from this registry, by its reference there.
fn pulled(lab: &Lab, host: &Host, registry: &str, repo: &str) -> String {
    let registry = lab.registry(registry);
    let image = Image::busybox(lab).label("of", repo).build();
    registry.push(repo, "1", &image);
    let reference = registry.reference(repo, "1");
    host.docker(&["pull", "-q", &reference]);
    reference
}

/// A container of compose that runs an image which the host holds under this reference.
fn runs(host: &Host, reference: &str) -> crate::support::Project {
    let name = unique("doc");
    let yaml = format!("services:\n  web:\n    image: {reference}\n    pull_policy: never\n");
    let project = host.project(&name, &yaml);
    project.compose(&["up", "-d"]);
    project
}

#[test]
fn each_user_who_pulls_is_tested_with_the_login_that_is_used() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd26");
    let reference = pulled(&lab, &host, "basic", &unique("login"));
    let _project = runs(&host, &reference);
    let name = reference.split('/').next().unwrap().to_owned();
    // A unit that pulls as a user whose login is wrong.
    let wrong = WRONG_LOGIN.replace("REG", &name);
    let unit = unique("pulls");
    host.sh(&format!(
        "mkdir -p ~nodock/.docker ~fishy/.docker && printf '%s' '{wrong}' | tee ~fishy/.docker/config.json >~nodock/.docker/config.json && \
         chown -R fishy: ~fishy/.docker && chown -R nodock: ~nodock/.docker && \
         printf '[Service]\\nUser=fishy\\nExecStart=/usr/bin/docker compose -f /srv/x/compose.yaml pull\\n' >/etc/systemd/system/{unit}.service && \
         printf '[Service]\\nUser=nodock\\nExecStart=/usr/bin/docker pull x\\n' >/etc/systemd/system/{unit}-b.service"
    ));
    let (checks, text) = doctor(&lab, "ssh://ctd26");
    let (as_ops, _) = doctor(&lab, "ssh://ctd26-ops");
    host.sh(&format!(
        "rm -rf /etc/systemd/system/{unit}*.service ~fishy/.docker ~nodock/.docker"
    ));

    let root = find(&checks, "credentials", &format!("root: {name}: "));
    assert_eq!(root["state"], "ok", "{root:#}");
    assert!(root["detail"].as_str().unwrap().ends_with("is accepted"));
    let fishy = find(
        &checks,
        "credentials",
        &format!("fishy in {unit}.service: {name}"),
    );
    assert_eq!(fishy["state"], "failed", "{fishy:#}");
    says(fishy, "detail", "is refused");
    assert_eq!(
        fishy["remedy"],
        format!("as fishy on it: docker login {name}")
    );
    let outside = find(
        &checks,
        "credentials",
        &format!("nodock in {unit}-b.service"),
    );
    assert_eq!(outside["state"], "unknown", "{outside:#}");
    says(outside, "detail", "permission denied");

    let ops = find(&as_ops, "credentials", &format!("ops: {name}"));
    assert_eq!(ops["state"], "failed", "{ops:#}");
    says(ops, "detail", "no login, and");

    for secret in [
        "lab-secret",
        "bGFiOmxhYi1zZWNyZXQ",
        "wrong-secret",
        "bGFiOndyb25nLXNlY3JldA",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn under_sudo_it_is_roots_login_that_counts() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd26");
    if !has_sudo(&host) {
        return;
    }
    let reference = pulled(&lab, &host, "basic", &unique("sudo"));
    let _project = runs(&host, &reference);
    let name = reference.split('/').next().unwrap();
    // The user's own login is wrong and is not what `sudo docker` uses.
    let wrong = WRONG_LOGIN.replace("REG", name);
    let all = User::new(&host, "/bin/bash", "docker");
    let few = User::new(&host, "/bin/bash", "");
    all.may("(ALL) NOPASSWD: ALL");
    few.may(ONLY_DOCKER);
    for user in [&all, &few] {
        user.writes(".docker/config.json", &wrong);
    }
    let at = |user: &User| format!("ssh://{}@ctd26", user.name);
    let (as_root, _) = doctor_with(&lab, &at(&all), BY_SUDO);
    let (as_self, _) = doctor(&lab, &at(&all));
    let (unknown, _) = doctor_with(&lab, &at(&few), BY_SUDO);

    let root = find(&as_root, "credentials", &format!("root by sudo: {name}: "));
    eprintln!("{root}");
    assert_eq!(root["state"], "ok", "{root:#}");
    let own = find(&as_self, "credentials", &format!("{}: {name}: ", all.name));
    eprintln!("{own}");
    assert_eq!(own["state"], "failed", "{own:#}");
    // Who may only call docker by sudo cannot look into root's files: said, with what to try.
    let few = find(&unknown, "credentials", "root by sudo: not tested");
    eprintln!("{few}");
    assert_eq!(few["state"], "unknown", "{few:#}");
    says(few, "remedy", "by hand");
}

#[test]
fn a_registry_without_tls_lacks_a_line_that_is_told_exactly() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("new");
    let repo = unique("plain");
    let reference = pulled(&lab, &host, "plain", &repo);
    // The same registry by a name that the engine's list does not have.
    let (ip, port) = reference
        .split('/')
        .next()
        .unwrap()
        .split_once(':')
        .unwrap();
    let name = format!("{repo}.lan");
    host.sh(&format!("echo '{ip} {name}' >>/etc/hosts"));
    let odd = format!("{name}:{port}/{repo}:1");
    host.docker(&["tag", &reference, &odd]);
    let _project = runs(&host, &odd);
    let (checks, _) = doctor(&lab, "ssh://new");
    let engine = find(&checks, "engine", &format!("wants TLS of {name}:{port}"));
    assert_eq!(engine["state"], "failed");
    let remedy = engine["remedy"].as_str().unwrap();
    assert!(remedy.contains(&format!("\"{name}:{port}\"]")), "{remedy}");
    assert!(
        remedy.contains(&format!("\"insecure-registries\": [\"{ip}:5000\", ")),
        "{remedy}"
    );
}

#[test]
fn the_container_of_a_registry_that_is_down_says_why() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd28");
    let repo = unique("fallen");
    let reference = pulled(&lab, &host, "plain", &repo);
    let port = 20_000 + fresh_seed() % 10_000;
    let tag = format!("localhost:{port}/{repo}:1");
    host.docker(&["tag", &reference, &tag]);
    let _project = runs(&host, &tag);
    let publish = format!("127.0.0.1:{port}:5000");
    host.docker(&[
        "run",
        "-d",
        "--name",
        &repo,
        "-p",
        &publish,
        "--entrypoint",
        "/bin/sh",
        &reference,
        "-c",
        "echo listening; echo 'fatal: no space left on device' >&2; exit 3",
    ]);
    host.wait_state(&repo, "exited");
    let (checks, _) = doctor(&lab, "ssh://ctd28");
    host.docker(&["rm", "-f", &repo]);
    let fallen = find(
        &checks,
        "registry",
        &format!("localhost:{port}: its container {repo} is exited with exit code 3"),
    );
    says(fallen, "detail", "no space left on device");
    says(fallen, "remedy", &format!("docker logs --tail 50 {repo}"));
}

#[test]
fn an_engine_that_is_down_says_its_last_words() {
    let Some(lab) = Lab::alone() else { return };
    let host = lab.host("ctd26");
    let folder = host.dir().join("local/bin");
    fs::create_dir_all(&folder).unwrap();
    // The lab's hosts have no systemd; these answer as one would.
    let stubs = [
        (
            "systemctl",
            "case \"$*\" in *LoadState*) echo LoadState=loaded ;; *) printf 'ActiveState=failed\\nResult=exit-code\\nExecMainStatus=1\\n' ;; esac",
        ),
        (
            "journalctl",
            "echo 'failed to start daemon: error initializing graphdriver: driver not supported'",
        ),
    ];
    for (name, text) in stubs {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    host.fault("stop-engine");
    let (checks, _) = doctor(&lab, "ssh://ctd26");
    host.fault("start-engine");
    for (name, _) in stubs {
        fs::remove_file(folder.join(name)).unwrap();
    }
    assert_eq!(find(&checks, "ssh", "answers")["state"], "ok");
    let ended = find(&checks, "engine", "dockerd is failed with exit code 1");
    says(ended, "detail", "driver not supported");
    assert_eq!(ended["remedy"], "on it: sudo journalctl -u docker -n 50");
}
