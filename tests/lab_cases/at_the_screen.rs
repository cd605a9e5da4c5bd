//! The console itself, with keys pressed in a real terminal: how long the way back takes.

use std::process::Command;
use std::time::{Duration, Instant};

use super::acting::{Console, behind, running};
use crate::support::{Lab, unique};

/// A terminal of tmux's own server, gone with the value.
pub(super) struct Terminal {
    server: String,
}

impl Terminal {
    pub(super) fn open(console: &Console<'_>) -> Self {
        let mut program = console.lab.console_with(&console.config, &[]);
        program.env("HOME", console.home.as_ref().unwrap());
        Self::of(&program)
    }

    /// Starts a program with the words and the environment of a command.
    pub(super) fn of(program: &Command) -> Self {
        let server = unique("screen");
        let mut words = Vec::new();
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                words.push(format!("{}={}", name.display(), value.display()));
            }
        }
        words.push(program.get_program().display().to_string());
        words.extend(program.get_args().map(|own| own.display().to_string()));
        let line = format!("exec env {}", words.join(" "));
        let terminal = Self { server };
        terminal.tmux(&["new-session", "-d", "-x", "120", "-y", "40", &line]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.server, "-f", "/dev/null"])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub(super) fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    pub(super) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    pub(super) fn waits_for(&self, what: &str) {
        let until = Instant::now() + Duration::from_secs(40);
        while !self.screen().contains(what) {
            assert!(Instant::now() < until, "no {what:?} on\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Filters for a project and goes to its row that begins so, once the host's rows are there.
    pub(super) fn goes_to(&self, project: &str, row: &str) {
        self.waits_for("up");
        self.types("/");
        self.types(project);
        self.press("Enter");
        let until = Instant::now() + Duration::from_secs(30);
        while !self.screen().contains(row) {
            assert!(Instant::now() < until, "{}", self.screen());
            self.press("G");
            std::thread::sleep(Duration::from_millis(200));
        }
        self.waits_for("files");
    }

    /// Waits until a row says so.
    pub(super) fn row_says(&self, row: &str, what: &str) {
        let until = Instant::now() + Duration::from_secs(40);
        let says = |line: &str| line.contains(row) && line.contains(what);
        while !self.screen().lines().any(says) {
            assert!(Instant::now() < until, "no {what:?} on\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Returns the process of the console.
    pub(super) fn pid(&self) -> String {
        let pid = self.tmux(&["list-panes", "-F", "#{pane_pid}"]);
        pid.trim().to_owned()
    }

    /// Kills the console as nothing can be caught.
    pub(super) fn killed(&self) {
        let done = Command::new("kill").args(["-9", &self.pid()]).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn from_b_to_the_former_image() {
    let Some(lab) = Lab::here() else { return };
    if Command::new("tmux").arg("-V").output().is_err() {
        eprintln!("left out: there is no tmux here");
        return;
    }
    let console = Console::at_home(&lab);
    let case = behind(&lab, "ctd28");
    let first = running(&case.project, "web");
    let update = console.run(&["update", &case.target, "--yes", "--json"]);
    assert_eq!(update.outcome(), "succeeded", "{}", update.text);
    assert_ne!(running(&case.project, "web"), first);

    let terminal = Terminal::open(&console);
    terminal.goes_to(&case.project.name, ">     web");
    let began = Instant::now();
    terminal.press("b");
    terminal.waits_for("y rollback");
    let shown = began.elapsed();
    terminal.press("y");
    terminal.waits_for("succeeded");
    let whole = began.elapsed();
    assert_eq!(running(&case.project, "web"), first);
    eprintln!(
        "from b to the former image: 2 keys (b, y); plan after {:.1} s, proven after {:.1} s (settle time 1 s)",
        shown.as_secs_f64(),
        whole.as_secs_f64()
    );
    terminal.press("5");
    terminal.waits_for("rollback");
}
