//! Hosts over a tailnet that the kernel routes, and over Tailscale SSH itself: with names, with a check, denied.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::at_the_screen::Terminal;
use super::hosts::config_with;
use crate::support::tailnet::{OPERATOR, Placed, Tailnet, wait};
use crate::support::{Host, Lab};

fn machine(lab: &Lab) -> std::net::Ipv4Addr {
    lab.fact("machine_ip").parse().unwrap()
}

/// A console that runs on a host of the lab, with a copy of all that it needs there.
struct Inside {
    host: Host,
    folder: PathBuf,
    at: String,
}

impl Inside {
    fn new(lab: &Lab, host: &Host, hosts: &str) -> Self {
        let name = crate::support::unique("inside");
        let folder = host.dir().join("srv").join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_homelab-tui"));
        // The lab and the program usually lie on one disk.
        if std::fs::hard_link(program, folder.join("homelab-tui")).is_err() {
            std::fs::copy(program, folder.join("homelab-tui")).unwrap();
        }
        let lab_dir = PathBuf::from(lab.fact("dir"));
        for file in ["client_key", "known_hosts"] {
            std::fs::copy(lab_dir.join(file), folder.join(file)).unwrap();
        }
        let at = format!("/srv/{name}");
        let ssh = format!(
            "Host *\nUser root\nIdentityFile {at}/client_key\nIdentitiesOnly yes\nIdentityAgent none\n\
             UserKnownHostsFile {at}/known_hosts\nGlobalKnownHostsFile none\nStrictHostKeyChecking yes\nHostKeyAlias new\n"
        );
        std::fs::write(folder.join("ssh_config"), ssh).unwrap();
        std::fs::write(folder.join("config.yaml"), hosts.replace("AT", &at)).unwrap();
        Self {
            host: host.clone(),
            folder,
            at,
        }
    }

    fn json(&self, words: &str) -> Value {
        let at = &self.at;
        let output = self.host.try_sh(&format!(
            "HOME={at} {at}/homelab-tui -c {at}/config.yaml {words} --json"
        ));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Waits until all hosts stand so, with these words.
    fn wait_for(&self, state: &str, words: &str) {
        wait(60, &format!("{state}: {words}"), || {
            let document = self.json("status");
            let mut hosts = document["hosts"].as_array().unwrap().iter();
            hosts.all(|host| {
                let error = host["error"].as_str().unwrap_or_default();
                host["state"] == state && error.contains(words)
            })
        });
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

#[test]
fn d1_the_kernel_routes_the_tailnet_to_sshd_and_to_tailscale_ssh() {
    let Some(lab) = Lab::here() else { return };
    if !Path::new("/dev/net/tun").exists() {
        crate::support::lab::left_out("this machine has no /dev/net/tun");
        return;
    }
    let (here, there) = (lab.host("bare"), lab.host("new"));
    let routed = |node, host: &Host| Placed {
        node,
        host: host.clone(),
        kernel: true,
    };
    let placed = [routed(OPERATOR, &here), routed("nas", &there)];
    // Without a name service behind the tailnet's, names of others are unknown at once.
    here.sh("sed -i /^nameserver/d /etc/resolv.conf");
    let Some(tailnet) = Tailnet::start_with(machine(&lab), &placed) else {
        return;
    };
    let address = tailnet.tailscale(OPERATOR, &["ip", "-4", "nas"]);
    let hosts = format!(
        "hosts:\n  - {{name: by-name, address: \"ssh://nas\"}}\n  \
         - {{name: by-full-name, address: \"ssh://nas.lab.test\"}}\n  \
         - {{name: by-address, address: \"ssh://{}\"}}\n\
         ssh: {{config_file: \"AT/ssh_config\"}}\n\
         tailscale: {{socket: \"/srv/{}/sock\"}}\n",
        address.trim(),
        tailnet.name()
    );
    let console = Inside::new(&lab, &here, &hosts);
    console.wait_for("up", "");
    let status = tailnet.status(OPERATOR);
    assert_eq!(status["TUN"], true, "{status:#}");
    let checks = console.json("doctor")["checks"].clone();
    let own = checks[0]["detail"].as_str().unwrap().to_owned();
    eprintln!("doctor on a kernel that routes: {own}");
    assert!(
        own.contains("lab.test") && !own.contains("userspace"),
        "{own}"
    );

    // From here on port 22 of the tailnet's address is Tailscale's own server, with keys of its own.
    tailnet.tailscale("nas", &["set", "--ssh"]);
    wait(10, "host keys", || {
        let status = tailnet.status(OPERATOR);
        let mut peers = status["Peer"].as_object().unwrap().values();
        peers.any(|peer| peer["sshHostKeys"].is_array())
    });
    let begun = Instant::now();
    let seen = console.json("status")["hosts"].clone();
    let took = begun.elapsed();
    for host in seen.as_array().unwrap() {
        assert_eq!(host["state"], "up", "{host:#}");
    }
    eprintln!(
        "three names over Tailscale SSH, routed by the kernel: all up, whole picture after {:.1} s",
        took.as_secs_f64()
    );
    let checks = console.json("doctor by-name")["checks"].clone();
    let peer = checks.as_array().unwrap().iter().find(|check| {
        let detail = check["detail"].as_str().unwrap_or_default();
        check["link"] == "tailnet" && detail.contains("Tailscale SSH is on")
    });
    eprintln!("doctor: {}", peer.unwrap()["detail"]);

    tailnet.tailscale("nas", &["down"]);
    console.wait_for("offline", "offline on the tailnet");
    tailnet.tailscale("nas", &["up"]);
    console.wait_for("up", "");
    tailnet.tailscale(OPERATOR, &["down"]);
    console.wait_for("offline", "stopped");
}

#[test]
fn d12_a_check_is_asked_for_on_the_row_and_the_console_goes_on() {
    let Some(lab) = Lab::here() else { return };
    let placed = [Placed {
        node: "nas",
        host: lab.host("ctd28"),
        kernel: false,
    }];
    let Some(tailnet) = Tailnet::start_with(machine(&lab), &placed) else {
        return;
    };
    let ssh = config_with(&lab, "");
    let config = lab.folder("check").join("config.yaml");
    let text = format!(
        "hosts: [{{name: nas, address: \"ssh://root@nas\"}}, {{name: ops, address: \"ssh://ops@nas\"}}]\nssh: {{config_file: \"{ssh}\"}}\n\
         tailscale: {{socket: \"{}\", command: \"{}\"}}\n",
        tailnet.socket(OPERATOR).display(),
        tailnet.command().display(),
    );
    std::fs::write(&config, text).unwrap();
    let run = |words: &[&str]| -> Value {
        let words = [words, &["--json"]].concat();
        let output = lab.console_with(&config, &words).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    tailnet.tailscale("nas", &["set", "--ssh"]);
    wait(15, "nas over Tailscale SSH", || {
        run(&["status", "nas"])["hosts"][0]["state"] == "up"
    });
    // Not everybody may be whom the policy does not name.
    let denied = run(&["status", "ops"])["hosts"][0].clone();
    eprintln!("denied by the policy: {}", denied["error"]);
    assert_eq!(denied["state"], "denied", "{denied:#}");

    tailnet.ssh_policy("check");
    wait(15, "the check", || {
        run(&["status", "nas"])["hosts"][0]["state"] == "denied"
    });
    let begun = Instant::now();
    let checks = run(&["doctor", "nas"])["checks"].clone();
    let took = begun.elapsed();
    let checks = checks.as_array().unwrap();
    let ssh = checks.iter().find(|check| check["link"] == "ssh").unwrap();
    eprintln!("doctor in {:.1} s: {ssh}", took.as_secs_f64());
    assert_eq!(ssh["state"], "failed");
    assert!(ssh["remedy"].as_str().unwrap().contains("open http://"));
    assert!(took < Duration::from_secs(10), "{took:?}");

    let terminal = Terminal::of(&lab.console_with(&config, &[]));
    terminal.waits_for("denied  open http");
    let row = terminal.screen();
    let row = row.lines().find(|line| line.contains("open http"));
    eprintln!("{}", row.unwrap());
    terminal.press("o");
    terminal.waits_for("copied http");
    let screen = terminal.screen();
    let (_, address) = screen.split_once("copied ").unwrap();
    let address = address.split_whitespace().next().unwrap();
    let id = address.rsplit('/').next().unwrap();
    tailnet.headscale(&["auth", "approve", "--auth-id", id]);
    let begun = Instant::now();
    terminal.row_says("nas", "up");
    eprintln!(
        "up {:.1} s after the check was approved",
        begun.elapsed().as_secs_f64()
    );
}
