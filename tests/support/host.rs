//! A host of the lab: commands on it, its docker, compose projects, and faults.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use serde_json::Value;

/// A host of the lab.
#[derive(Clone)]
pub struct Host {
    pub name: String,
    pub ip: String,
    facts: Arc<Value>,
}

impl Host {
    pub fn new(name: &str, facts: &Arc<Value>) -> Self {
        let ip = facts["hosts"][name]["ip"]
            .as_str()
            .unwrap_or_else(|| panic!("the lab has no host {name}"));
        Self {
            name: name.to_owned(),
            ip: ip.to_owned(),
            facts: Arc::clone(facts),
        }
    }

    /// Whether the engine keeps its images in containerd's store.
    pub fn is_containerd(&self) -> bool {
        self.facts["hosts"][&self.name]["store"] == "containerd"
    }

    /// The host's folder on this machine, which holds its `srv`, `root`, `home`, `local` and logs.
    pub fn dir(&self) -> PathBuf {
        self.facts["hosts"][&self.name]["dir"]
            .as_str()
            .unwrap()
            .into()
    }

    /// Runs a shell command on the host, without ssh.
    pub fn try_sh(&self, command: &str) -> Output {
        let pid = fs::read_to_string(self.dir().join("init.pid")).unwrap();
        let pid = pid.split(' ').next().unwrap();
        Command::new("nsenter")
            .args([
                "-t",
                pid,
                "-r",
                "-w",
                "-m",
                "-u",
                "-n",
                "-p",
                "--",
                "/usr/bin/env",
                "-i",
                "HOME=/root",
                "LANG=C.UTF-8",
            ])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["/bin/bash", "-c", command])
            .output()
            .unwrap()
    }

    /// As [`Host::try_sh`], but must succeed; gives what it printed, without the last line's end.
    pub fn sh(&self, command: &str) -> String {
        succeed(&format!("{}: {command}", self.name), &self.try_sh(command))
    }

    /// Runs a command as a user (`root`, `ops`, `nodock`, `fishy`, `nologin`) through ssh.
    pub fn ssh(&self, user: &str, command: &str) -> Output {
        let alias = if user == "root" {
            self.name.clone()
        } else {
            format!("{}-{user}", self.name)
        };
        Command::new("ssh")
            .args([
                "-F",
                self.facts["ssh_config"].as_str().unwrap(),
                &alias,
                command,
            ])
            .output()
            .unwrap()
    }

    /// Brings the program to the host and returns its path there: what lies below this machine's `/root` or `/home` is not
    /// seen from it.
    pub fn program(&self) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_homelab-tui"));
        let there = self.dir().join("homelab-tui");
        let _ = fs::remove_file(&there);
        if fs::hard_link(program, &there).is_err() {
            fs::copy(program, &there).unwrap();
        }
        "/run/host/homelab-tui".to_owned()
    }

    /// Runs docker with arguments that need no quoting by a shell; must succeed.
    pub fn docker(&self, args: &[&str]) -> String {
        self.sh(&format!("docker {}", quote(args)))
    }

    /// `docker inspect` of one thing; `kind` is `container` or `image`.
    pub fn inspect(&self, kind: &str, name: &str) -> Value {
        let text = self.docker(&["inspect", "--type", kind, name]);
        let list: Value = serde_json::from_str(&text).unwrap();
        list[0].clone()
    }

    /// Asks the engine's API (un-versioned paths give its newest version).
    pub fn api(&self, path: &str) -> Value {
        let socket = self.dir().join("docker.sock");
        serde_json::from_slice(&super::http::get_unix(&socket, path)).unwrap()
    }

    /// Makes a compose project in `/srv/NAME` of the host; nothing is started yet.
    pub fn project(&self, name: &str, yaml: &str) -> Project {
        let folder = self.dir().join("srv").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("compose.yaml"), yaml).unwrap();
        Project {
            host: self.clone(),
            name: name.to_owned(),
            folder,
        }
    }

    /// Waits until the container is in a state such as `running`, at most a minute.
    pub fn wait_state(&self, container: &str, wanted: &str) {
        for _ in 0..600 {
            if self.inspect("container", container)["State"]["Status"] == wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{container} on {} did not become {wanted}", self.name);
    }

    /// `stop-engine`, `start-engine`, `stop-sshd`, `start-sshd`, `cut`, `heal`; see `tests/lab/host`.
    ///
    /// Only for tests that hold the lab alone.
    pub fn fault(&self, what: &str) {
        fault(&self.facts, &self.name, &[what]);
    }
}

/// A compose project on a host, taken down and removed when it is dropped.
pub struct Project {
    pub host: Host,
    pub name: String,
    /// The project's folder as this machine sees it; on the host it is `/srv/NAME`.
    pub folder: PathBuf,
}

impl Project {
    /// Runs the host's own `docker compose` in the project's folder; must succeed.
    pub fn compose(&self, args: &[&str]) -> String {
        self.host.sh(&format!(
            "cd /srv/{} && docker compose {} 2>&1",
            self.name,
            quote(args)
        ))
    }

    pub fn try_compose(&self, args: &[&str]) -> Output {
        self.host.try_sh(&format!(
            "cd /srv/{} && docker compose {}",
            self.name,
            quote(args)
        ))
    }

    /// Runs docker-compose 1.29; only the host `old` has it.
    pub fn compose_v1(&self, args: &[&str]) -> String {
        self.host.sh(&format!(
            "cd /srv/{} && docker-compose {} 2>&1",
            self.name,
            quote(args)
        ))
    }

    /// Writes another file beside the compose file.
    pub fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// The Id of the service's only container.
    pub fn container(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let service = format!("label=com.docker.compose.service={service}");
        let ids = self.host.docker(&[
            "ps",
            "-aq",
            "--no-trunc",
            "--filter",
            &project,
            "--filter",
            &service,
        ]);
        assert_eq!(
            ids.lines().count(),
            1,
            "{service} of {project} has not one container: {ids:?}"
        );
        ids
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // By label, since the test may have broken the files.
        let label = format!("label=com.docker.compose.project={}", self.name);
        self.host.try_sh(&format!(
            "docker ps -aq --filter {label} | xargs -r docker rm -fv"
        ));
        self.host.try_sh(&format!(
            "docker network ls -q --filter {label} | xargs -r docker network rm"
        ));
        drop(fs::remove_dir_all(&self.folder));
    }
}

pub(super) fn fault(facts: &Value, host: &str, args: &[&str]) {
    let script = Path::new(facts["scripts"].as_str().unwrap()).join("host");
    let output = Command::new(script)
        .env("LAB_DIR", facts["dir"].as_str().unwrap())
        .env("LAB_ID", facts["id"].as_str().unwrap())
        .arg(host)
        .args(args)
        .output()
        .unwrap();
    succeed(&format!("{host} {args:?}"), &output);
}

fn succeed(what: &str, output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{what}: {}\n{out}\n{err}",
        output.status
    );
    out.trim_end().to_owned()
}

fn quote(args: &[&str]) -> String {
    args.iter()
        .map(|arg| format!("'{}'", arg.replace('\'', r"'\''")))
        .collect::<Vec<_>>()
        .join(" ")
}
