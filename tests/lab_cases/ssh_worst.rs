//! SSH at its worst: foreign shells, noise, forced commands, sudo, jumps that are down, addresses that change.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use homelab_tui::core::watch::Scope;
use serde_json::Value;

use super::hosts::{config_with, hosts_by, open, run};
use super::hosts_ssh::another_sshd;
use crate::support::{Host, Lab, unique};

/// More of a host's entry: docker is called by sudo.
pub(super) const BY_SUDO: &str = ", docker: {command: [sudo, docker]}";
/// What [`User::may`] says for one who may call docker as root, and nothing else.
pub(super) const ONLY_DOCKER: &str = "(root) NOPASSWD: /usr/local/bin/docker, /usr/bin/docker";

/// Whether sudo is there; notes that the test was left out where it is not.
pub(super) fn has_sudo(host: &Host) -> bool {
    let found = host.try_sh("command -v sudo").status.success();
    if !found {
        crate::support::lab::left_out("there is no sudo here");
    }
    found
}

/// A user of a lab host, gone when it is dropped.
pub(super) struct User {
    host: Host,
    pub(super) name: String,
}

impl User {
    pub(super) fn new(host: &Host, shell: &str, groups: &str) -> Self {
        let name = unique("u").replace('-', "");
        let groups = match groups {
            "" => String::new(),
            groups => format!("-G {groups}"),
        };
        // Others may be changing the list of users just now.
        host.sh(&format!(
            "for i in 1 2 3 4 5 6; do useradd -M -d /home/{name} -s {shell} -p '*' {groups} {name} && break; sleep 0.3; done; \
             mkdir -p /home/{name}/.ssh && chown -R {name}: /home/{name}"
        ));
        Self {
            host: host.clone(),
            name,
        }
    }

    pub(super) fn writes(&self, file: &str, text: &str) {
        let home = self.host.dir().join("home").join(&self.name);
        let path = home.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Lets sudo run this for the user, in the words of a sudoers file.
    pub(super) fn may(&self, rule: &str) {
        self.host.sh(&format!(
            "mkdir -p /etc/sudoers.d; cd /etc/sudoers.d; echo '{0} ALL={rule}' >{0}; chmod 440 {0}",
            self.name
        ));
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let name = &self.name;
        // A session of the user may not be gone yet, and others may be changing the list.
        self.host.try_sh(&format!(
            "for i in 1 2 3 4 5 6; do userdel -f {name} && break; sleep 0.3; done; \
             rm -rf /home/{name} /etc/sudoers.d/{name}"
        ));
    }
}

/// One configuration with many hosts.
struct Fleet<'a> {
    lab: &'a Lab,
    config: PathBuf,
}

impl<'a> Fleet<'a> {
    /// Takes a name, a user, an address of ssh, and more of the host's entry, for each.
    fn new(lab: &'a Lab, ssh: &str, hosts: &[(&str, String, &str)]) -> Self {
        let config = lab.folder("worst").join("config.yaml");
        let mut text = "hosts:\n".to_owned();
        for (name, address, more) in hosts {
            text.push_str(&format!(
                "  - {{name: {name}, address: \"{address}\"{more}}}\n"
            ));
        }
        text.push_str(&format!(
            "ssh: {{config_file: \"{}\", connect_timeout: 3s}}\n",
            config_with(lab, ssh)
        ));
        std::fs::write(&config, text).unwrap();
        Self { lab, config }
    }

    fn json(&self, words: &[&str]) -> Value {
        let words = [words, &["--json"]].concat();
        let output = self
            .lab
            .console_with(&self.config, &words)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, "", "nothing of a host reaches the terminal");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How each host stands, and what is said of it there and by `doctor`.
    fn look(&self) -> Vec<Seen> {
        let began = Instant::now();
        let status = self.json(&["status"]);
        let took = began.elapsed();
        let checks = self.json(&["doctor"])["checks"].clone();
        let hosts = status["hosts"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let seen = hosts.iter().map(|host| {
            let broken = checks.as_array().unwrap().iter().find(|check| {
                let link = check["link"].as_str().unwrap();
                check["host"] == host["name"]
                    && check["state"] == "failed"
                    && ["tailnet", "ssh", "engine"].contains(&link)
            });
            let doctor = broken.map_or_else(String::new, |check| {
                format!(
                    "{}: {}; {}",
                    text(&check["link"]),
                    text(&check["detail"]),
                    text(&check["remedy"])
                )
            });
            let seen = Seen {
                name: text(&host["name"]),
                state: text(&host["state"]),
                error: text(&host["error"]),
                doctor,
            };
            eprintln!(
                "{:10} {:7} {} | doctor: {}",
                seen.name, seen.state, seen.error, seen.doctor
            );
            assert!(!seen.error.contains(char::is_control), "{}", seen.error);
            seen
        });
        let seen = seen.collect();
        eprintln!("all seen after {:.1} s", took.as_secs_f64());
        seen
    }
}

struct Seen {
    name: String,
    state: String,
    error: String,
    doctor: String,
}

/// Every host stands as told, and both status and doctor say these words.
fn assert_seen(seen: &[Seen], expected: &[(&str, &str, &[&str])]) {
    for (name, state, words) in expected {
        let seen = seen.iter().find(|seen| seen.name == *name).unwrap();
        assert_eq!(seen.state, *state, "{name}: {}", seen.error);
        for word in *words {
            assert!(seen.error.contains(word), "{name}: {}", seen.error);
            assert!(seen.doctor.contains(word), "{name}: {}", seen.doctor);
        }
        assert_eq!(
            seen.doctor.is_empty(),
            *state == "up",
            "{name}: {}",
            seen.doctor
        );
    }
}

/// What a profile may print that nobody wants.
const NOISE: &str = "echo 'Welcome HTTP/1.1 200 OK'; printf '\\033[2J\\033]0;owned\\007'; echo 'disk is full' >&2\n";

#[test]
fn d4_d11_foreign_shells_and_noise() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd26");
    host.sh("test -e /usr/local/bin/ash || ln -s $(command -v busybox) /usr/local/bin/ash");
    let bash = User::new(&host, "/bin/bash", "docker");
    bash.writes(".bashrc", &format!("{NOISE}PATH=/usr/bin:/bin\n"));
    let fish = User::new(&host, "$(command -v fish)", "docker");
    fish.writes(".config/fish/config.fish", NOISE);
    let ash = User::new(&host, "/usr/local/bin/ash", "docker");
    ash.writes(".ssh/rc", NOISE);
    let csh = User::new(&host, "$(command -v tcsh)", "docker");
    csh.writes(".cshrc", "echo 'Welcome HTTP/1.1 200 OK'\n");
    let dash = User::new(&host, "/bin/dash", "docker");
    dash.writes(".profile", NOISE);
    let none = User::new(&host, "/usr/sbin/nologin", "docker");
    let falsy = User::new(&host, "/bin/false", "docker");
    let out = User::new(&host, "/bin/bash", "");
    let at = |user: &User| format!("ssh://{}@ctd26", user.name);
    let fleet = Fleet::new(
        &lab,
        "",
        &[
            ("bash", at(&bash), ""),
            ("fish", at(&fish), ""),
            ("ash", at(&ash), ""),
            ("csh", at(&csh), ""),
            ("dash", at(&dash), ""),
            ("nologin", at(&none), ""),
            ("false", at(&falsy), ""),
            ("outsider", at(&out), ""),
            ("nodocker", "ssh://bare".to_owned(), ""),
        ],
    );
    assert_seen(
        &fleet.look(),
        &[
            ("bash", "up", &[]),
            ("fish", "up", &[]),
            ("ash", "up", &[]),
            ("csh", "up", &[]),
            ("dash", "up", &[]),
            ("nologin", "denied", &["no shell", "give the user a shell"]),
            ("false", "denied", &["no shell", "give the user a shell"]),
            ("outsider", "denied", &["socket", "usermod -aG docker"]),
            (
                "nodocker",
                "denied",
                &["no docker command", "install docker"],
            ),
        ],
    );
    // Scripts run as well, whatever the shell.
    for user in [&bash, &fish, &ash, &csh] {
        run(async {
            let hosts = hosts_by(&lab.fact("ssh_config"));
            let session = open(&hosts, &at(user)).await;
            let limits = homelab_tui::adapters::shell::Limits {
                time: Duration::from_secs(20),
                bytes: 100,
            };
            let place = session.place().unwrap();
            let outcome = place
                .run("printf 'a b\\n$\\n'; exit 3", limits)
                .await
                .unwrap();
            assert_eq!((outcome.stdout, outcome.code), (b"a b\n$\n".to_vec(), 3));
            session.close().await;
        });
    }
}

#[test]
fn d4_sudo_lets_docker_through_or_says_what_it_wants() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("ctd26");
    if !has_sudo(&host) {
        return;
    }
    let free = User::new(&host, "/bin/bash", "");
    let asked = User::new(&host, "/bin/bash", "");
    let not_named = User::new(&host, "/bin/bash", "");
    free.may(ONLY_DOCKER);
    asked.may("(ALL) ALL");
    let at = |user: &User| format!("ssh://{}@ctd26", user.name);
    let fleet = Fleet::new(
        &lab,
        "",
        &[
            ("free", at(&free), BY_SUDO),
            ("asked", at(&asked), BY_SUDO),
            ("not-named", at(&not_named), BY_SUDO),
            ("doas", at(&free), ", docker: {command: [doas, docker]}"),
        ],
    );
    assert_seen(
        &fleet.look(),
        &[
            ("free", "up", &[]),
            ("asked", "denied", &["sudo asks for a password", "NOPASSWD"]),
            ("not-named", "denied", &["sudo", "NOPASSWD"]),
            (
                "doas",
                "denied",
                &["no doas command", "change the host's docker"],
            ),
        ],
    );
}

#[test]
fn d4_forced_commands_and_jumps_that_are_down() {
    let Some(lab) = Lab::here() else { return };
    let host = lab.host("new");
    let (sftp, _sftp) = another_sshd(&host, "ForceCommand internal-sftp");
    let (echo, _echo) = another_sshd(&host, "ForceCommand echo Only backups here");
    let ip = host.ip.clone();
    let bare = lab.host("bare").ip;
    let machine = lab.fact("machine_ip");
    let ssh = format!(
        "Host far\nHostName {ip}\nHostKeyAlias new\nProxyJump dead\nHost dead\nHostName {bare}\nPort 9\nHostKeyAlias bare\n\
         Host far2\nHostName {ip}\nHostKeyAlias new\nProxyJump gone\nHost gone\nHostName no-such-host.invalid\n\
         Host far3\nHostName {ip}\nPort 9\nHostKeyAlias new\nProxyJump bare\n\
         Host far4\nHostName {ip}\nHostKeyAlias new\nProxyJump silent\nHost silent\nHostName {machine}0\nHostKeyAlias bare\n"
    );
    let fleet = Fleet::new(
        &lab,
        &ssh,
        &[
            ("sftp", format!("ssh://new:{sftp}"), ""),
            ("echo", format!("ssh://new:{echo}"), ""),
            ("jump-dead", "ssh://far".to_owned(), ""),
            ("jump-name", "ssh://far2".to_owned(), ""),
            ("behind", "ssh://far3".to_owned(), ""),
            ("jump-mute", "ssh://far4".to_owned(), ""),
        ],
    );
    assert_seen(
        &fleet.look(),
        &[
            ("sftp", "denied", &["command of its own", "dial-stdio"]),
            ("echo", "denied", &["Only backups here", "dial-stdio"]),
            ("jump-dead", "down", &["jump host", "refuses"]),
            (
                "jump-name",
                "down",
                &["no-such-host.invalid", "does not resolve"],
            ),
            ("behind", "down", &["refuses the connection"]),
            // Silence, or the word that nobody has the address: which comes first is the network's matter.
            ("jump-mute", "down", &["jump host"]),
        ],
    );
}

#[test]
fn d6_a_changed_address_is_dialled_at_the_next_try() {
    let Some(lab) = Lab::here() else { return };
    let config = config_with(&lab, "");
    let lead = |name: &str| {
        let ip = lab.host(name).ip;
        let text = format!(
            "Host moving\nHostName {ip}\nHostKeyAlias {name}\nMatch all\nInclude {}\n",
            lab.fact("ssh_config")
        );
        std::fs::write(&config, text).unwrap();
    };
    lead("old");
    run(async {
        let hosts = hosts_by(&config);
        for (name, api) in [("old", "1.41"), ("new", "1.51")] {
            lead(name);
            let session = open(&hosts, "ssh://moving").await;
            let seen = session.observe(&Scope::All).await.unwrap();
            assert_eq!(seen.engine.api, api, "{name}");
            session.close().await;
        }
    });
}
