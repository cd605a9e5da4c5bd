//! The real program in a terminal: start, first paint with hosts that never answer, keys with 2,000 services, memory.
//!
//! `tests/bench` builds the release binary and runs it; `HOMELAB_TUI_BIN` names another one.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a bench prints, and a failed unwrap ends it; not every helper has a user"
)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use homelab_tui::adapters::memory::MemoryFile;
use homelab_tui::core::memory::{Memory, RememberedHost};
use homelab_tui::core::remote::{QuestionKey, Remote, Route};

mod support;

use support::{Console, Scratch, fleet, line, ms, program, spread};

const HOSTS: usize = 100;
const STARTS: usize = 15;
const KEYS: usize = 400;

fn main() {
    let Some(program) = program() else {
        println!("left out: no release binary; build it with `cargo build --release`");
        return;
    };
    println!("\nthe program itself");
    let size = std::fs::metadata(&program).unwrap().len();
    line("  size", &format!("{:.1} MB", size as f64 / 1e6), "< 12 MB");
    version(&program);
    // A listener that takes connections and never says a word, as a host behind a dead firewall.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", silent.local_addr().unwrap());
    first_paint(&program, &address);
    keys(&program, &address);
    memory(&program);
}

fn version(program: &Path) {
    let times = (0..50)
        .map(|_| {
            let begun = Instant::now();
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .status()
                .unwrap();
            begun.elapsed()
        })
        .collect();
    let (middle, worst) = spread(times);
    line(
        "  --version, p50 / p99",
        &format!("{} / {}", ms(middle), ms(worst)),
        "< 5 ms",
    );
}

fn config(home: &Path, address: &str, hosts: usize) -> String {
    let mut text = "hosts:\n".to_owned();
    for host in 0..hosts {
        text.push_str(&format!(
            "  - {{name: host{host:03}, address: \"{address}\"}}\n"
        ));
    }
    let path = home.join("config.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn first_paint(program: &Path, address: &str) {
    let home = Scratch::create("paint");
    let path = config(&home.0, address, 10);
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let mut console = Console::start(program, &home.0, &["-c", &path]);
        let painted = console
            .painted(Duration::from_secs(10), Duration::from_millis(20))
            .unwrap();
        times.push(painted.duration_since(console.begun));
        console.quit();
    }
    let (middle, worst) = spread(times);
    line(
        "  first paint, 10 hosts that never answer, p50 / worst",
        &format!("{} / {}", ms(middle), ms(worst)),
        "< 20 ms",
    );
}

/// The last look of an earlier session at 100 hosts, painted aged: 2,000 services on hosts that never answer.
fn remembered(home: &Path, address: &str) {
    let hosts = (0..HOSTS).map(|host| RememberedHost {
        name: format!("host{host:03}").as_str().into(),
        address: address.to_owned(),
        observation: fleet::observation(host),
    });
    let mut remotes = Vec::new();
    for host in (0..HOSTS).step_by(10) {
        for service in 0..fleet::SERVICES {
            let reference = fleet::reference(host, service).parse().unwrap();
            let remote = Remote {
                answer: Some(fleet::answer(&reference)),
                failure: None,
            };
            let platform = fleet::observation(host).engine.platform;
            remotes.push((
                QuestionKey {
                    route: Route::Here,
                    reference,
                    platform,
                },
                remote,
            ));
        }
    }
    let memory = Memory {
        hosts: hosts.collect(),
        remotes,
        ..Memory::default()
    };
    MemoryFile::in_folder(&home.join("cache/homelab-tui"))
        .save(&memory)
        .unwrap();
}

fn keys(program: &Path, address: &str) {
    let home = Scratch::create("keys");
    let path = config(&home.0, address, HOSTS);
    remembered(&home.0, address);
    let begun = Instant::now();
    let mut console = Console::start(program, &home.0, &["-c", &path]);
    let painted = console
        .painted(Duration::from_secs(20), Duration::from_millis(700))
        .unwrap();
    line(
        "  2,000 remembered services on screen",
        &ms(painted.duration_since(begun)),
        "",
    );
    let mut times = Vec::new();
    for number in 0..KEYS {
        let key = match number % 40 {
            0..20 => "j",
            20..30 => "\x1b[6~",
            _ => "k",
        };
        let pressed = console.press(key);
        let painted = console.painted(Duration::from_secs(2), Duration::from_millis(4));
        if let Some(painted) = painted {
            times.push(painted.duration_since(pressed));
        }
    }
    let seen = times.len();
    let (middle, worst) = spread(times);
    line(
        &format!("  key to paint, 2,000 services, {seen} keys, p50 / p99"),
        &format!("{} / {}", ms(middle), ms(worst)),
        "< 1 ms / < 5 ms",
    );
    let (now, _) = console.memory();
    line(
        "  resident memory with 2,000 services",
        &format!("{:.1} MB", now as f64 / 1e6),
        "",
    );
    console.quit();
}

fn memory(program: &Path) {
    let home = Scratch::create("demo");
    let mut console = Console::start(program, &home.0, &["--demo"]);
    console.listen(Duration::from_secs(6));
    let (now, most) = console.memory();
    line(
        "  resident memory of the demo (7 hosts, 60 services), now / most",
        &format!("{:.1} / {:.1} MB", now as f64 / 1e6, most as f64 / 1e6),
        "< 16 MB",
    );
    console.quit();
}
