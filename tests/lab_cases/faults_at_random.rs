//! The program and its ssh killed, and the network cut, at random moments of an update.
//!
//! `HOMELAB_TUI_MOMENTS` says how many moments of each; `HOMELAB_TUI_SEED` repeats a run.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::acting::{Behind, Console, HOSTS, behind, running};
use super::at_the_screen::Terminal;
use super::faults::{After, after};
use crate::support::{Dice, Lab};

/// How many moments of each fault there are if nobody says.
const MOMENTS: usize = 3;
/// How long a job takes from its plan to its end, about.
const SPAN: Duration = Duration::from_millis(4500);

/// Moments of chance that can be repeated.
struct Moments {
    seed: u64,
    dice: Dice,
    count: usize,
}

impl Moments {
    fn new() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = number("HOMELAB_TUI_SEED").unwrap_or_else(crate::support::fresh_seed);
        let count =
            number("HOMELAB_TUI_MOMENTS").map_or(MOMENTS, |count| usize::try_from(count).unwrap());
        Self {
            seed,
            dice: Dice::new(seed),
            count,
        }
    }

    fn next(&mut self) -> Duration {
        let span = usize::try_from(SPAN.as_millis()).unwrap();
        Duration::from_millis(self.dice.below(span) as u64)
    }
}

/// A run of the program that something is done to.
struct Run {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Run {
    fn begin(lab: &Lab, console: &Console<'_>, case: &Behind) -> Self {
        let mut child = lab
            .console_with(
                &console.config,
                &["update", &case.target, "--yes", "--json"],
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (out, kept) = (child.stdout.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    /// Waits for the plan, and then for so long: how long a look at the fleet takes is the machine's matter.
    fn wait_until(&self, moment: Duration) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.lines.lock().unwrap().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(moment);
    }

    /// How far it was, in the words of its last event.
    fn stage(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let last = lines.iter().rev().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let event = line["event"].as_str()?.to_owned();
            let step = line["step"]
                .as_str()
                .map(|step| format!("{step} {}", line["state"].as_str().unwrap()));
            (event != "progress").then(|| step.unwrap_or(event))
        });
        last.unwrap_or_else(|| "looking".to_owned())
    }

    /// Waits for its end; gives the exit code and how it ended.
    fn end(mut self, patience: Duration) -> (Option<i32>, String) {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(100));
                return (status.code(), self.stage());
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("it does not end; it was at: {}", self.stage());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Holds one moment to the promise, and prints it.
fn told(kind: &str, case: &Behind, first: &str, moment: Duration, stage: &str) -> After {
    let after = after(&case.project, "web");
    let planned = super::faults::journal(&case.project, "web");
    let new = planned.last().map_or(String::new(), |line| {
        line["to_id"].as_str().unwrap().to_owned()
    });
    after.runs_one_of(first, &new);
    let image = if after.image.as_deref() == Some(first) {
        "old"
    } else {
        "new"
    };
    eprintln!(
        "{kind} at {} ms of the job ({stage}): {image} image runs, journal: {}",
        moment.as_millis(),
        after
            .outcome
            .as_deref()
            .unwrap_or("nothing, as no job was begun")
    );
    after
}

#[test]
fn the_program_is_killed() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let mut moments = Moments::new();
    eprintln!("program killed: seed {}", moments.seed);
    for number in 0..moments.count {
        let case = behind(&lab, HOSTS[number % HOSTS.len()]);
        let first = running(&case.project, "web");
        let moment = moments.next();
        let mut run = Run::begin(&lab, &console, &case);
        run.wait_until(moment);
        let stage = run.stage();
        run.child.kill().unwrap();
        run.child.wait().unwrap();
        let after = told("program killed", &case, &first, moment, &stage);
        // Whoever comes next finds nothing in the way.
        let next = console.run(&["update", &case.target, "--yes", "--json"]);
        let wanted: &[&str] = if after.outcome.as_deref() == Some("succeeded") {
            &["unchanged"]
        } else {
            &["succeeded"]
        };
        assert!(wanted.contains(&next.outcome()), "{after:?} {}", next.text);
    }
}

#[test]
fn the_console_is_killed_and_the_next_one_tells_of_the_job() {
    let Some(lab) = Lab::here() else { return };
    if Command::new("tmux").arg("-V").output().is_err() {
        eprintln!("left out: there is no tmux here");
        return;
    }
    let mut moments = Moments::new();
    eprintln!("console killed: seed {}", moments.seed);
    for number in 0..moments.count {
        let console = Console::at_home(&lab);
        let case = behind(&lab, HOSTS[number % HOSTS.len()]);
        let first = running(&case.project, "web");
        let moment = moments.next();
        let terminal = Terminal::open(&console);
        terminal.goes_to(&case.project.name, ">     web");
        terminal.row_says(">     web", "behind");
        terminal.press("u");
        terminal.waits_for("y update");
        terminal.press("y");
        std::thread::sleep(moment);
        let screen = terminal.screen();
        terminal.killed();
        drop(terminal);
        let told_already = screen.contains("web: succeeded");
        let stage = screen
            .lines()
            .find(|line| line.contains(&case.target))
            .map_or("nothing heard yet", str::trim)
            .to_owned();
        let next = Terminal::open(&console);
        let began = super::faults::job_begun(&case.project);
        if began && !told_already {
            // It goes on, or it ended while nobody watched; either way it is told.
            next.waits_for(&format!("update {}", case.target));
        }
        let after = told("console killed", &case, &first, moment, &stage);
        if after.outcome.is_some() && !told_already {
            next.waits_for("web: succeeded");
        }
        assert_eq!(after.outcome.is_some(), began, "{after:?}");
    }
}

#[test]
fn c12_the_ssh_client_is_killed() {
    let Some(lab) = Lab::here() else { return };
    let console = Console::new(&lab);
    let mut moments = Moments::new();
    eprintln!("ssh killed: seed {}", moments.seed);
    for number in 0..moments.count {
        let case = behind(&lab, HOSTS[(number + 1) % HOSTS.len()]);
        let first = running(&case.project, "web");
        let moment = moments.next();
        let run = Run::begin(&lab, &console, &case);
        run.wait_until(moment);
        let stage = run.stage();
        let pid = run.child.id().to_string();
        let ssh = Command::new("pgrep")
            .args(["-x", "-P", &pid, "ssh"])
            .output()
            .unwrap();
        for one in String::from_utf8(ssh.stdout).unwrap().lines() {
            drop(Command::new("kill").args(["-9", one]).status());
        }
        let (code, end) = run.end(Duration::from_secs(90));
        let after = told("ssh killed", &case, &first, moment, &stage);
        eprintln!("  the program ended with {code:?}: {end}");
        if let Some(outcome) = &after.outcome {
            // A job that was begun is heard to its end over a new connection.
            assert_eq!(
                code,
                Some(if outcome == "succeeded" { 0 } else { 5 }),
                "{after:?}"
            );
        }
    }
}

#[test]
fn c12_the_network_drops_everything() {
    let Some(lab) = Lab::alone() else { return };
    let console = Console::new(&lab);
    let mut moments = Moments::new();
    eprintln!("network cut: seed {}", moments.seed);
    for number in 0..moments.count {
        let case = behind(&lab, HOSTS[(number + 2) % HOSTS.len()]);
        let first = running(&case.project, "web");
        let moment = moments.next();
        let run = Run::begin(&lab, &console, &case);
        run.wait_until(moment);
        let stage = run.stage();
        case.project.host.fault("cut");
        std::thread::sleep(Duration::from_secs(14));
        case.project.host.fault("heal");
        let (code, end) = run.end(Duration::from_secs(120));
        let after = told("network cut", &case, &first, moment, &stage);
        eprintln!("  the program ended with {code:?}: {end}");
        if after.outcome.as_deref() == Some("succeeded") {
            assert_eq!(code, Some(0), "{after:?}");
        }
    }
}
