//! Hosts over a tailnet of real tailscaled that the kernel does not route: up, killed, back, switched off, expired.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use homelab_tui::adapters::hosts::Hosts;
use homelab_tui::adapters::tailscale::Tailscale;
use homelab_tui::adapters::tailscale::road::Road;
use homelab_tui::core::settings::{SshSettings, TailscaleSettings};
use homelab_tui::core::tailnet::{Peer, Tailnet as Seen};
use serde_json::Value;

use super::hosts::{config_with, run, spec};
use crate::support::Lab;
use crate::support::tailnet::{OPERATOR, Tailnet, lead_to, wait};

/// A console whose hosts `nas` and `pi4` are the lab's host `new` over the tailnet.
struct Console<'a> {
    lab: &'a Lab,
    config: PathBuf,
}

impl<'a> Console<'a> {
    fn new(lab: &'a Lab, tailnet: &Tailnet) -> Self {
        Self::named(lab, tailnet, "nas")
    }

    /// The same with another name of `nas` in its address.
    fn named(lab: &'a Lab, tailnet: &Tailnet, nas: &str) -> Self {
        let port = lead_to(&format!("{}:22", lab.host("new").ip));
        let address = tailnet.tailscale(OPERATOR, &["ip", "-4", "pi4"]);
        let ssh = "Host nas nas.lab.test 100.64.*\nHostKeyAlias new\n";
        let config = lab.folder("tailnet").join("config.yaml");
        let text = format!(
            "hosts:\n  - {{name: nas, address: \"ssh://{nas}:{port}\"}}\n  \
             - {{name: pi4, address: \"ssh://{}:{port}\"}}\n\
             ssh: {{config_file: \"{}\"}}\n\
             tailscale: {{socket: \"{}\", command: \"{}\"}}\n",
            address.trim(),
            config_with(lab, ssh),
            tailnet.socket(OPERATOR).display(),
            tailnet.command().display(),
        );
        std::fs::write(&config, text).unwrap();
        Self { lab, config }
    }

    fn status(&self, target: &str) -> Value {
        let args = ["status", target, "--json"];
        let output = self.lab.console_with(&self.config, &args).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["hosts"][0].clone()
    }

    fn wait_for(&self, target: &str, state: &str, words: &str) {
        wait(30, &format!("{target} {state}: {words}"), || {
            let host = self.status(target);
            let error = host["error"].as_str().unwrap_or_default().to_owned();
            host["state"] == state && error.contains(words)
        });
    }
}

#[test]
fn d7_hosts_come_and_go_with_the_tailnets_word() {
    let Some(lab) = Lab::here() else { return };
    let Some(mut tailnet) = Tailnet::start() else {
        return;
    };
    let console = Console::new(&lab, &tailnet);
    // Nobody but tailscaled knows these names and addresses: the way leads through it.
    console.wait_for("nas", "up", "");
    console.wait_for("pi4", "up", "");
    let nas = console.status("nas");
    assert_eq!(nas["tailscale"]["name"], "nas.lab.test", "{nas:#}");
    assert_eq!(nas["tailscale"]["online"], true);

    tailnet.kill_node("nas");
    console.wait_for("nas", "offline", "offline on the tailnet");
    let begun = Instant::now();
    let nas = console.status("nas");
    assert!(begun.elapsed() < Duration::from_secs(3), "no time-out");
    assert_eq!(nas["state"], "offline", "{nas:#}");
    assert_eq!(nas["tailscale"]["online"], false);
    assert_eq!(nas["tailscale"]["path"], "unknown");

    tailnet.start_node("nas");
    console.wait_for("nas", "up", "");

    let number = tailnet.number("nas");
    tailnet.headscale(&["nodes", "expire", "-i", &number]);
    console.wait_for("nas", "offline", "key expired");
    assert_eq!(console.status("nas")["tailscale"]["expired"], true);

    tailnet.tailscale(OPERATOR, &["down"]);
    console.wait_for("pi4", "offline", "stopped");
    assert_eq!(console.status("pi4")["tailscale"], Value::Null);
    tailnet.tailscale(OPERATOR, &["up"]);
    console.wait_for("pi4", "up", "");
    tailnet.kill_node(OPERATOR);
    console.wait_for("pi4", "offline", "tailscaled not running");
}

#[test]
fn changes_arrive_by_themselves_and_tailscale_ssh_is_trusted_by_its_published_keys() {
    let Some(mut tailnet) = Tailnet::start() else {
        return;
    };
    let tailscale = Tailscale::find(&TailscaleSettings {
        socket: Some(tailnet.socket(OPERATOR).to_str().unwrap().to_owned()),
        command: tailnet.command().to_str().unwrap().to_owned(),
    });
    let road = Road::new(tailscale.unwrap());
    let seen: Arc<Mutex<Option<Seen>>> = Arc::default();
    let nas = |is: &dyn Fn(&Peer) -> bool| {
        let seen = seen.lock().unwrap();
        let peer = seen.as_ref().and_then(|seen| seen.peer("nas"));
        peer.is_some_and(is)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let follower = runtime.spawn({
        let (road, seen) = (road.clone(), seen.clone());
        async move { road.follow(|now| *seen.lock().unwrap() = Some(now)).await }
    });
    wait(5, "nas online", || nas(&|peer| peer.is_online()));

    tailnet.tailscale("nas", &["set", "--ssh"]);
    wait(10, "host keys", || {
        nas(&|peer| !peer.ssh_host_keys.is_empty())
    });
    let hosts = Hosts::new(SshSettings {
        // No file of known hosts but the tailnet's own list.
        config_file: Some("/dev/null".to_owned()),
        connect_timeout: Duration::from_secs(10),
    })
    .over(Some(road));
    run(async {
        let tell = |failure| panic!("no login waits: {failure}");
        let master = hosts.login(&spec("ssh://root@nas"), &tell).await.unwrap();
        assert_eq!(master.end(), None);
        master.close().await;
    });

    tailnet.kill_node("nas");
    wait(25, "nas offline", || nas(&|peer| !peer.is_online()));
    tailnet.start_node("nas");
    // Polling alone would take up to ten seconds more.
    wait(8, "nas back", || nas(&|peer| peer.is_online()));
    follower.abort();
}

#[test]
fn d8_d9_a_pulled_plug_another_name_and_the_operators_own_key() {
    let Some(lab) = Lab::here() else { return };
    let Some(tailnet) = Tailnet::start() else {
        return;
    };
    let console = Console::named(&lab, &tailnet, "nas.lab.test");
    console.wait_for("nas", "up", "");

    // The tailnet goes on to say that it is online: the dial decides.
    tailnet.freeze_node("nas", true);
    let begun = Instant::now();
    let nas = console.status("nas");
    let took = begun.elapsed();
    tailnet.freeze_node("nas", false);
    eprintln!(
        "unplugged peer: {} after {:.1} s: {}",
        nas["state"],
        took.as_secs_f64(),
        nas["error"]
    );
    assert_eq!(
        (&nas["state"], &nas["tailscale"]["online"]),
        (&"down".into(), &true.into()),
        "{nas:#}"
    );
    assert!(took < Duration::from_secs(30), "{took:?}");
    console.wait_for("nas", "up", "");

    let number = tailnet.number("nas");
    tailnet.headscale(&["nodes", "rename", "-i", &number, "storage"]);
    console.wait_for("nas", "down", "not in this tailnet");
    tailnet.headscale(&["nodes", "rename", "-i", &number, "nas"]);
    console.wait_for("nas", "up", "");

    let number = tailnet.number(OPERATOR);
    tailnet.headscale(&["nodes", "expire", "-i", &number]);
    console.wait_for("nas", "offline", "own key expired");
    let output = lab
        .console_with(&console.config, &["doctor", "--json"])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let own = &document["checks"][0];
    eprintln!("doctor of an expired operator: {own}");
    assert_eq!(
        (&own["link"], &own["state"]),
        (&"tailnet".into(), &"failed".into()),
        "{document:#}"
    );
    assert!(
        own["remedy"].as_str().unwrap().contains("tailscale up"),
        "{own}"
    );
}
