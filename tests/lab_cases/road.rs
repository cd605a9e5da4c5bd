//! The road to hosts when it is long, lossy or cut: one login a host, few channels, right again at the end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use homelab_tui::adapters::paths::Paths;
use homelab_tui::app::effect::Effect;
use homelab_tui::app::keymap::Keymap;
use homelab_tui::app::mode::Observing;
use homelab_tui::app::model::Model;
use homelab_tui::app::msg::Msg;
use homelab_tui::app::update;
use homelab_tui::core::failure::HostTrouble;
use homelab_tui::core::host::{HostSpec, HostState};
use homelab_tui::core::settings::{Settings, SshSettings};
use homelab_tui::runtime::clock::Clock;
use homelab_tui::runtime::live::Live;
use homelab_tui::runtime::world::{World, carry_out};

use super::hosts::{config_with, hosts_by, open, run};
use crate::support::proxy::Proxy;
use crate::support::{Dice, Host, Image, Lab, fresh_seed, unique};

/// An sshd of its own on a lab host, with a log that tells logins and sessions.
struct LoggedSshd {
    host: Host,
    port: u16,
    name: String,
}

impl LoggedSshd {
    fn start(host: &Host, port: u16) -> Self {
        let name = unique("road");
        let line = host.sh("tr '\\0' ' ' </proc/$(pgrep -o sshd)/cmdline | sed 's/ .listener.*//'");
        let file = line.split(" -f ").nth(1).unwrap();
        let file = file.split(' ').next().unwrap();
        host.sh(&format!(
            "{{ echo 'MaxSessions 10'; echo 'MaxStartups 10:30:100'; grep -vi -e '^Port' -e '^PidFile' {file}; }} >/run/{name}; \
             /usr/sbin/sshd -f /run/{name} -p {port} -E /run/{name}.log -o PidFile=/run/{name}.pid"
        ));
        Self {
            host: host.clone(),
            port,
            name,
        }
    }

    /// How many logins there were, and the most sessions that were open at once on one connection.
    fn counts(&self) -> (usize, usize) {
        let log = self.host.sh(&format!("cat /run/{}.log", self.name));
        let logins = log.matches("Accepted publickey").count();
        // Session numbers are given again, the lowest first.
        let ids = log.lines().filter(|line| line.contains("Starting session"));
        let ids = ids.filter_map(|line| line.rsplit_once(" id ")?.1.trim().parse::<usize>().ok());
        (logins, ids.max().map_or(0, |id| id + 1))
    }
}

impl Drop for LoggedSshd {
    fn drop(&mut self) {
        let name = &self.name;
        self.host
            .try_sh(&format!("kill $(cat /run/{name}.pid); rm -f /run/{name}*"));
    }
}

#[test]
fn d2_thirty_hosts_at_forty_milliseconds_take_one_login_each() {
    let Some(lab) = Lab::here() else { return };
    let hosts = lab.hosts();
    let first = 30_000 + u16::try_from(fresh_seed() % 20_000).unwrap();
    let mut sshds = Vec::new();
    let (mut ssh, mut config) = (String::new(), "hosts:\n".to_owned());
    for number in 0..30_u16 {
        let host = &hosts[usize::from(number) % hosts.len()];
        let sshd = LoggedSshd::start(host, first + number);
        let proxy = Proxy::to(&format!("{}:{}", host.ip, sshd.port));
        proxy.delay(Duration::from_millis(20));
        ssh.push_str(&format!(
            "Host h{number}\nHostName 127.0.0.1\nPort {}\nHostKeyAlias {}\n",
            proxy.port, host.name
        ));
        config.push_str(&format!(
            "  - {{name: h{number}, address: \"ssh://h{number}\"}}\n"
        ));
        sshds.push((sshd, proxy));
    }
    let ssh_config = config_with(&lab, &ssh);
    config.push_str(&format!("ssh: {{config_file: \"{ssh_config}\"}}\n"));
    let file = lab.folder("thirty").join("config.yaml");
    std::fs::write(&file, config).unwrap();
    let begun = Instant::now();
    let output = lab
        .console_with(&file, &["status", "--json"])
        .output()
        .unwrap();
    let took = begun.elapsed();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let seen = document["hosts"].as_array().unwrap();
    let up = seen.iter().filter(|host| host["state"] == "up").count();
    let counts: Vec<(usize, usize)> = sshds.iter().map(|(sshd, _)| sshd.counts()).collect();
    let logins: BTreeSet<usize> = counts.iter().map(|(logins, _)| *logins).collect();
    let channels = counts.iter().map(|(_, channels)| *channels).max().unwrap();
    eprintln!(
        "30 hosts at 40 ms: whole picture after {:.1} s, {up} up, logins a host {logins:?}, at most {channels} channels",
        took.as_secs_f64()
    );
    assert_eq!(up, 30, "{:#}", document["hosts"]);
    assert_eq!(logins, BTreeSet::from([1]));
    assert!(channels <= 8, "{channels}");
    assert!(sshds.iter().all(|(_, proxy)| proxy.accepted() == 1));
    assert!(
        masters(&ssh_config).is_empty(),
        "{:?}",
        masters(&ssh_config)
    );
}

#[test]
fn d6_a_half_open_connection_is_noticed_in_fifteen_seconds() {
    let Some(lab) = Lab::here() else { return };
    let proxy = Proxy::to(&format!("{}:22", lab.host("new").ip));
    let lines = format!(
        "Host far\nHostName 127.0.0.1\nPort {}\nHostKeyAlias new\n",
        proxy.port
    );
    let config = config_with(&lab, &lines);
    run(async {
        let session = open(&hosts_by(&config), "ssh://far").await;
        proxy.hold(true);
        let begun = Instant::now();
        let failure = tokio::time::timeout(Duration::from_secs(25), session.ended())
            .await
            .unwrap();
        let took = begun.elapsed();
        eprintln!(
            "half-open connection noticed after {:.1} s: {failure}",
            took.as_secs_f64()
        );
        assert_eq!(failure.trouble, HostTrouble::NoConnection);
        assert!(took < Duration::from_millis(15_500), "{took:?}");
        // After a sleep it has to prove itself at once.
        proxy.hold(false);
        let session = open(&hosts_by(&config), "ssh://far").await;
        proxy.hold(true);
        let begun = Instant::now();
        session.recheck().await;
        let took = begun.elapsed();
        eprintln!(
            "after a sleep the dead connection was given up after {:.1} s",
            took.as_secs_f64()
        );
        assert!(took < Duration::from_secs(5), "{took:?}");
        proxy.cut();
        assert!(masters(&config).is_empty(), "{:?}", masters(&config));
    });
}

/// The short form; `ROAD_SECONDS` makes it long.
#[test]
fn after_loss_delay_and_cuts_everything_is_right_and_nothing_is_left() {
    let Some(lab) = Lab::here() else { return };
    let seconds = std::env::var("ROAD_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let seconds: u64 = seconds.unwrap_or(25);
    let (mut ssh, mut specs, mut proxies) = (String::new(), Vec::new(), Vec::new());
    for host in lab.hosts() {
        let name = host.name.clone();
        let proxy = Proxy::to(&format!("{}:22", host.ip));
        ssh.push_str(&format!(
            "Host w-{name}\nHostName 127.0.0.1\nPort {}\nHostKeyAlias {name}\n",
            proxy.port
        ));
        let address = format!("ssh://w-{name}").parse().unwrap();
        specs.push(HostSpec::new(name.as_str().into(), address));
        proxies.push(proxy);
    }
    let config = config_with(&lab, &ssh);
    let settings = Settings {
        hosts: specs,
        ssh: SshSettings {
            config_file: Some(config.clone()),
            connect_timeout: Duration::from_secs(5),
        },
        ..Settings::default()
    };
    let host = lab.host("old");
    let name = unique("road");
    let registry = lab.registry("plain");
    let image = Image::busybox(&lab).label("of", &name).build();
    registry.push(&name, "1", &image);
    let reference = registry.reference(&name, "1");
    host.docker(&["pull", "-q", &reference]);
    let cuts = run(async {
        let paths = Paths::below(&lab.folder("road"));
        let clock = Clock::start();
        let (sender, mut queue) = tokio::sync::mpsc::unbounded_channel();
        let mut model = Model::new(settings.clone(), Keymap::default(), clock.now());
        let mut world = Live::new(&settings, &paths, sender, None);
        world.recall();
        let chaos = tokio::task::spawn_blocking({
            let proxies = proxies.clone();
            move || disturb(&proxies, Duration::from_secs(seconds))
        });
        let calm_since = Instant::now() + Duration::from_secs(seconds);
        // The longest wait before a dial, the dial itself and a look.
        let patience = calm_since + Duration::from_secs(66 + 15 + 10);
        let mut tagged = false;
        let right_after = loop {
            let wake = update::next_wake(&model).map(|due| clock.instant(due).into());
            let soon = tokio::time::Instant::now() + Duration::from_millis(200);
            let wake: tokio::time::Instant =
                wake.map_or(soon, |wake: tokio::time::Instant| wake.min(soon));
            let msg = tokio::select! {
                msg = queue.recv() => msg.unwrap(),
                () = tokio::time::sleep_until(wake) => Msg::Tick,
            };
            let effects: Vec<Effect<Observing>> = update::update(&mut model, clock.now(), msg);
            for effect in effects {
                let _ = carry_out(&mut world, effect, &model);
            }
            let now = Instant::now();
            if now < calm_since {
                continue;
            }
            if !tagged {
                // What happens after the storm has to be seen as well.
                host.docker(&["run", "-d", "--name", &name, &reference]);
                tagged = true;
            }
            let all_up = model
                .hosts
                .iter()
                .all(|host| host.state() == HostState::Up && host.fresh);
            let seen = model
                .services()
                .any(|service| service.key.service.to_string() == name);
            if all_up && seen {
                break now.duration_since(calm_since);
            }
            assert!(
                now < patience,
                "{:?}",
                model
                    .hosts
                    .iter()
                    .map(|host| &host.link)
                    .collect::<Vec<_>>()
            );
        };
        let counted = chaos.await.unwrap();
        let folders = control_folders(&config);
        assert_eq!(masters(&config).len(), proxies.len(), "one master a host");
        world.close().await;
        drop(world);
        let patience = Instant::now() + Duration::from_secs(5);
        while !masters(&config).is_empty() || folders.iter().any(|folder| folder.exists()) {
            assert!(
                Instant::now() < patience,
                "{:?} {folders:?}",
                masters(&config)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!(
            "{seconds} s of loss, delay and cuts ({counted} disturbances): right {:.1} s after their end, no master, no socket left",
            right_after.as_secs_f64()
        );
        counted
    });
    host.try_sh(&format!("docker rm -f {name}"));
    assert!(cuts > 3);
}

/// Makes the ways bad for a time, each in another way at a time; all is well at the end.
fn disturb(proxies: &[Proxy], time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut dice = Dice::new(fresh_seed());
    let mut count = 0;
    while Instant::now() < end {
        let proxy = dice.pick(proxies);
        match dice.below(5) {
            0 => proxy.cut(),
            1 => proxy.delay(Duration::from_millis(dice.below(400) as u64)),
            2 => proxy.hold(true),
            3 => {
                proxy.shut(true);
                proxy.cut();
            }
            _ => {
                proxy.hold(false);
                proxy.shut(false);
            }
        }
        count += 1;
        std::thread::sleep(
            Duration::from_millis(300 + dice.below(1500) as u64)
                .min(end.saturating_duration_since(Instant::now())),
        );
    }
    for proxy in proxies {
        proxy.delay(Duration::ZERO);
        proxy.shut(false);
        proxy.hold(false);
    }
    count
}

/// The command lines of the masters that use an ssh configuration.
fn masters(config: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.starts_with("ssh -M ") && line.contains(config))
        .collect()
}

fn control_folders(config: &str) -> BTreeSet<PathBuf> {
    let socket = |line: &String| {
        let path = line.split(" -S ").nth(1)?.split(' ').next()?;
        PathBuf::from(path).parent().map(PathBuf::from)
    };
    masters(config).iter().filter_map(socket).collect()
}
