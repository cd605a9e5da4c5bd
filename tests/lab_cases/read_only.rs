//! A session that can only look, before real engines that note every request: keys without sense, and every command.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::hosts_tcp::proxy;
use crate::support::{Dice, Image, Lab, unique};

/// How many keys are pressed; `READ_ONLY_KEYS` says another number.
const KEYS: usize = 10_000;

/// A key as tmux names it.
fn key(dice: &mut Dice) -> String {
    let named = [
        "Enter", "Escape", "Tab", "BTab", "BSpace", "Up", "Down", "Left", "Right", "PageUp",
        "PageDown", "Home", "End", "F1", "C-d", "C-u", "C-r", "C-l", "M-x",
    ];
    // The keys that act come more often than chance would have it.
    let acting = [
        "u", "b", "p", "r", "P", "x", "e", "y", "Enter", "Space", ":",
    ];
    match dice.below(10) {
        0..3 => (*dice.pick(&named)).to_owned(),
        3..5 => (*dice.pick(&acting)).to_owned(),
        _ => {
            let c = char::from(u8::try_from(33 + dice.below(94)).unwrap());
            match c {
                // tmux reads these as more than a key.
                ';' | '\\' => "j".to_owned(),
                c => c.to_string(),
            }
        }
    }
}

#[test]
fn keys_without_sense_and_all_commands_change_nothing() {
    let Some(lab) = Lab::alone() else { return };
    let keys = std::env::var("READ_ONLY_KEYS").map_or(KEYS, |keys| keys.parse().unwrap());
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut config = String::from("hosts:\n");
    for host in lab.hosts() {
        let heard = heard.clone();
        let address = proxy(host.dir().join("docker.sock"), move |first: &str| {
            heard.lock().unwrap().push(first.to_owned());
            true
        });
        config.push_str(&format!(
            "  - {{name: t-{}, address: \"{address}\"}}\n",
            host.name
        ));
    }
    // One host by ssh as well, where a shell would be there to be misused.
    let shell = lab.host("new");
    config.push_str(&format!("  - {{name: s-new, address: \"ssh://new\"}}\nssh: {{config_file: \"{}\"}}\nregistries:\n  - {{host: \"{}\", plain_http: true}}\n", lab.fact("ssh_config"), lab.registry("plain").address));
    let folder = lab.folder("read-only");
    let file = folder.join("config.yaml");
    std::fs::write(&file, config).unwrap();

    let name = unique("look");
    let image = Image::busybox(&lab).label("of", &name).build();
    let registry = lab.registry("plain");
    registry.push(&name, "1", &image);
    let reference = registry.reference(&name, "1");
    for host in lab.hosts() {
        host.docker(&["run", "-d", "--name", &name, &reference]);
    }
    shell.sh("touch /run/lock/look-marker; sleep 0.1");
    let before: Vec<String> = lab.hosts().iter().map(state).collect();
    let since = shell.sh("date +%s");

    let program = env!("CARGO_BIN_EXE_homelab-tui");
    let socket = folder.join("tmux");
    let tmux = |args: &[&str]| {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&socket)
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    // Whoever leaves comes back, so that the keys after a `q` mean something.
    let run = format!(
        "while :; do HOME={home} TERM=screen {program} --read-only -c {config}; done",
        home = folder.display(),
        config = file.display(),
    );
    tmux(&[
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-s",
        "look",
        "-x",
        "120",
        "-y",
        "40",
        &run,
    ]);
    wait_for(|| tmux(&["capture-pane", "-p", "-t", "look"]).contains("read-only"));
    let began = Instant::now();
    let mut dice = Dice::new(1);
    for _ in 0..keys.div_ceil(50) {
        let batch: Vec<String> = (0..50).map(|_| key(&mut dice)).collect();
        let mut args = vec!["send-keys", "-t", "look"];
        args.extend(batch.iter().map(String::as_str));
        tmux(&args);
        std::thread::sleep(Duration::from_millis(60));
    }
    let took = began.elapsed();
    tmux(&["kill-server"]);

    let target = format!("s-new/-/{name}");
    for args in [
        &["status", "--json"][..],
        &["tags", &target],
        &["layers", &target],
        &["doctor"],
        &["discover"],
        &["pull", &target, "--yes"],
        &["recreate", &target, "--yes"],
        &["update", &target, "--yes"],
        &["rollback", &target, "--yes"],
        &["pin", &target, "--yes"],
        &["unpin", &target, "--yes"],
    ] {
        let mut all = vec!["--read-only"];
        all.extend(args);
        let output = lab.console_with(&file, &all).output().unwrap();
        let acts = args.contains(&"--yes");
        assert!(
            !acts || output.status.code() == Some(5),
            "{args:?}: {output:?}"
        );
    }

    let heard = heard.lock().unwrap();
    let looks = |line: &&String| {
        line.starts_with("GET ") || line.starts_with("HEAD ") || line.starts_with("POST /_ping ")
    };
    let others: Vec<&String> = heard.iter().filter(|line| !looks(line)).collect();
    eprintln!(
        "read-only: {keys} keys in {:.0} s, {} requests heard, {} that change",
        took.as_secs_f32(),
        heard.len(),
        others.len()
    );
    assert!(heard.len() > 20, "nothing was asked");
    assert!(others.is_empty(), "{others:?}");
    let after: Vec<String> = lab.hosts().iter().map(state).collect();
    assert_eq!(before, after, "containers and images are as they were");
    let events = shell.sh(&format!(
        "docker events --since {since} --until $(($(date +%s) + 1)) --filter type=container --format '{{{{.Action}}}} {{{{.Actor.Attributes.name}}}}'"
    ));
    let ours: Vec<&str> = events.lines().filter(|line| line.contains(&name)).collect();
    assert_eq!(ours, [""; 0], "no exec, no stop, no start");
    let written = shell.sh("find /root /home /srv /run/lock /tmp -newer /run/lock/look-marker ! -path '*/.ssh/*' ! -type s ! -type d 2>/dev/null || true");
    assert_eq!(written, "", "no file written on the host");
    for host in lab.hosts() {
        host.docker(&["rm", "-f", &name]);
    }
}

/// All containers and images of a host, by what would change.
fn state(host: &crate::support::Host) -> String {
    let containers = host.docker(&[
        "ps",
        "-a",
        "--no-trunc",
        "--format",
        "{{.ID}} {{.Names}} {{.State}}",
    ]);
    let images = host.docker(&[
        "images",
        "-a",
        "--no-trunc",
        "--format",
        "{{.ID}} {{.Repository}}:{{.Tag}}",
    ]);
    let mut lines: Vec<&str> = containers.lines().chain(images.lines()).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn wait_for(mut done: impl FnMut() -> bool) {
    for _ in 0..300 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("it did not come");
}
