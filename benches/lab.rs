//! Ten hosts by ssh, in the lab: the whole truth from nothing beside ten bare logins, and what an idle console costs.
//!
//! Needs a lab (`tests/lab/up`, then `HOMELAB_TUI_LAB`), whose four engines are dialled under ten names; without one it
//! says so. `tests/bench` runs it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a bench prints, and a failed unwrap ends it; not every helper has a user"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod support;

use support::{Console, Scratch, cpu_of, line, ms, program, spread};

const HOSTS: usize = 10;
const RUNS: usize = 5;
const ENGINES: [&str; 4] = ["old", "new", "ctd26", "ctd28"];

fn main() {
    let lab = std::env::var("HOMELAB_TUI_LAB").ok();
    let (Some(lab), Some(program)) = (lab, program()) else {
        println!(
            "\nleft out: ten hosts by ssh (HOMELAB_TUI_LAB names a lab, and a release binary is needed)"
        );
        return;
    };
    let home = Scratch::create("lab");
    let ssh = format!("{lab}/ssh_config");
    // The lab's own file names its registries; only the hosts are ours.
    let own = std::fs::read_to_string(format!("{lab}/config.yaml")).unwrap();
    let registries = &own[own.find("registries:").unwrap()..];
    let mut text = "hosts:\n".to_owned();
    for host in 0..HOSTS {
        text.push_str(&format!(
            "  - {{name: h{host}, address: \"ssh://{}\"}}\n",
            ENGINES[host % ENGINES.len()]
        ));
    }
    text.push_str(registries);
    let config = home.0.join("config.yaml");
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    println!("\nten hosts by ssh (four engines of the lab under ten names)");
    cold(&program, &home.0, config, &ssh);
    idle(&program, &home.0, config);
}

fn logins(ssh: &str) -> Duration {
    let begun = Instant::now();
    let children: Vec<_> = (0..HOSTS)
        .map(|host| {
            Command::new("ssh")
                .args([
                    "-F",
                    ssh,
                    "-o",
                    "BatchMode=yes",
                    ENGINES[host % ENGINES.len()],
                    "true",
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        child.wait().unwrap();
    }
    begun.elapsed()
}

fn cold(program: &Path, home: &Path, config: &str, ssh: &str) {
    let (mut bare, mut truth, mut services, mut used) = (Vec::new(), Vec::new(), 0, Duration::ZERO);
    for _ in 0..RUNS {
        bare.push(logins(ssh));
        let _ = std::fs::remove_dir_all(home.join("cache"));
        let begun = Instant::now();
        let child = Command::new(program)
            .args(["-c", config, "status", "--json"])
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_STATE_HOME", home.join("state"))
            .stderr(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        truth.push(begun.elapsed());
        used = cpu_of(pid);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let hosts = document["hosts"].as_array().unwrap();
        let projects = hosts
            .iter()
            .flat_map(|host| host["projects"].as_array().unwrap());
        services = projects
            .map(|project| project["services"].as_array().unwrap().len())
            .sum();
    }
    let _ = used;
    let (bare, _) = spread(bare);
    let (truth, worst) = spread(truth);
    line("  ten bare `ssh true` side by side", &ms(bare), "");
    line(
        &format!("  status --json from nothing, {services} services, p50 / worst"),
        &format!("{} / {}", ms(truth), ms(worst)),
        "",
    );
    let ratio = truth.as_secs_f64() / bare.as_secs_f64();
    line(
        "  beside the bare logins",
        &format!("{ratio:.2} x"),
        "<= 1.35 x",
    );
}

/// Returns the bytes that all established ssh connections below these processes have carried so far.
fn wire(pids: &[u32]) -> u64 {
    let output = Command::new("ss")
        .args(["-tinpH", "state", "established"])
        .output();
    let Ok(output) = output else {
        return 0;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut sum = 0;
    let mut mine = false;
    for row in text.lines() {
        if !row.starts_with(['\t', ' ']) || row.contains("users:") {
            mine = pids.iter().any(|pid| row.contains(&format!("pid={pid},")));
        }
        if mine {
            for field in ["bytes_sent:", "bytes_received:"] {
                let number = row
                    .split(field)
                    .nth(1)
                    .and_then(|rest| rest.split(' ').next());
                sum += number
                    .and_then(|number| number.parse::<u64>().ok())
                    .unwrap_or(0);
            }
        }
    }
    sum
}

fn idle(program: &Path, home: &Path, config: &str) {
    let begun = Instant::now();
    let mut console = Console::start(program, home, &["-c", config]);
    console.listen(Duration::from_secs(30));
    let _ = begun;
    let children = console.children();
    let pids: Vec<u32> = children.iter().map(|(pid, _)| *pid).collect();
    let ssh = children.iter().filter(|(_, name)| name == "ssh").count();
    let all =
        |console: &Console| console.cpu() + pids.iter().map(|pid| cpu_of(*pid)).sum::<Duration>();
    let (cpu, own, bytes) = (all(&console), console.cpu(), wire(&pids));
    let time = Duration::from_secs(120);
    let painted = console.listen(time);
    let share =
        |spent: Duration| format!("{:.2} %", 100.0 * spent.as_secs_f64() / time.as_secs_f64());
    line(
        "  idle: the console's own share of a core",
        &share(console.cpu() - own),
        "< 0.2 %",
    );
    line(
        "  idle: with its ssh processes",
        &share(all(&console) - cpu),
        "",
    );
    line(
        "  idle: bytes to the terminal in two minutes",
        &painted.to_string(),
        "0, or the ages once a minute",
    );
    line("  idle: ssh processes", &ssh.to_string(), "1 a host");
    let carried =
        wire(&pids).saturating_sub(bytes) as f64 / HOSTS as f64 / (time.as_secs_f64() / 60.0);
    line(
        "  idle: bytes a host a minute over ssh",
        &format!("{carried:.0}"),
        "< 4,000",
    );
    let (now, most) = console.memory();
    line(
        "  resident memory, now / most",
        &format!("{:.1} / {:.1} MB", now as f64 / 1e6, most as f64 / 1e6),
        "< 16 MB",
    );
    console.quit();
}
