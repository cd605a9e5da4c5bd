//! The console in a terminal that only shows and never answers, as a serial line or a recorder is.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

struct Recorder {
    child: Child,
    keys: File,
    pieces: Receiver<Vec<u8>>,
    shown: String,
    _home: Home,
}

struct Home(std::path::PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Recorder {
    fn start() -> Self {
        Self::start_as(|home| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-tui"));
            command.arg("--demo").env_clear().env("HOME", home);
            command
        })
    }

    /// Starts the console by a command of its own for this home.
    fn start_as(command: impl FnOnce(&Path) -> Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let home = std::env::temp_dir().join(format!(
            "homelab-tui-terminal-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&home).unwrap();
        let child = command(&home)
            .env("TERM", "xterm-256color")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            // A group of its own: one whose members' parents are all gone cannot be stopped.
            .process_group(0)
            .spawn()
            .unwrap();
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                if sender.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keys,
            pieces,
            shown: String::new(),
            _home: Home(home),
        }
    }

    fn waits_for(&mut self, what: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.shown.contains(what) {
            let left = end.saturating_duration_since(Instant::now());
            let piece = self.pieces.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no {what:?} in {:?}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }
}

#[test]
fn a_terminal_that_never_answers_is_asked_nothing() {
    let mut recorder = Recorder::start();
    recorder.waits_for("travel");
    recorder.keys.write_all(b"?").unwrap();
    // Longer than the library's patience with a terminal that it has asked something.
    std::thread::sleep(Duration::from_millis(2500));
    recorder.waits_for("credential's");
    recorder.keys.write_all(b"\x1bq").unwrap();
    recorder.keys.write_all(b"q").unwrap();
    recorder.waits_for("\x1b[?1049l");
    assert!(recorder.child.wait().unwrap().success());
    for question in ["\x1b[6n", "\x1b[c", "\x1b[5n", "\x1b]11;?"] {
        assert!(!recorder.shown.contains(question), "{question:?}");
    }
}

#[test]
fn whatever_ends_the_console_the_terminal_is_given_back() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut recorder = Recorder::start();
        recorder.waits_for("travel");
        let pid = Pid::from_raw(i32::try_from(recorder.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        for given_back in ["\x1b[?2004l", "\x1b[?1049l", "\x1b[?25h"] {
            recorder.waits_for(given_back);
        }
        recorder.child.wait().unwrap();
    }
}

#[test]
fn a_console_that_is_stopped_and_continued_gives_the_terminal_and_takes_it_again() {
    let mut recorder = Recorder::start();
    recorder.waits_for("travel");
    recorder.keys.write_all(b"\x1a").unwrap();
    recorder.waits_for("\x1b[?1049l");
    let stat = format!("/proc/{}/stat", recorder.child.id());
    let stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    let end = Instant::now() + Duration::from_secs(20);
    while !stopped() {
        assert!(Instant::now() < end, "it was not stopped");
        std::thread::sleep(Duration::from_millis(20));
    }
    recorder.shown.clear();
    let pid = Pid::from_raw(i32::try_from(recorder.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    recorder.waits_for("\x1b[?1049h");
    recorder.waits_for("travel");
    recorder.keys.write_all(b"q").unwrap();
    recorder.waits_for("\x1b[?1049l");
    assert!(recorder.child.wait().unwrap().success());
}

/// A home whose cache and state take nothing: a mount of its own where this user may make one.
///
/// Nothing where that cannot be had.
fn on_a_disk(options: &str, fill: bool, home: &Path, arguments: &str) -> Option<Command> {
    let may = Command::new("unshare")
        .args(["-m", "true"])
        .stderr(Stdio::null())
        .status();
    if !may.is_ok_and(|status| status.success()) {
        return None;
    }
    let fill = if fill {
        "dd if=/dev/zero of=\"$HOME/.cache/rest\" bs=4k 2>/dev/null; "
    } else {
        ""
    };
    let script = format!(
        "mkdir -p \"$HOME/.cache\" && mount -t tmpfs -o {options} tmpfs \"$HOME/.cache\" || exit 9; {fill}exec {} {arguments}",
        env!("CARGO_BIN_EXE_homelab-tui")
    );
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join(".cache/state"));
    Some(command)
}

fn left_out(why: &str) {
    if let Some(file) = std::env::var_os("HOMELAB_TUI_SKIPS") {
        let mut file = OpenOptions::new().append(true).open(file).unwrap();
        writeln!(file, "terminal: {why}").unwrap();
    }
}

#[test]
fn a_disk_that_takes_nothing_stops_nothing_and_is_said_on_screen_and_by_doctor() {
    // Nobody listens there: the console works on what it has. Only cells that differ are drawn: the name shares no letter
    // with what may have stood in its place.
    let host = "-H fritz=tcp://127.0.0.1:1";
    let disks = [
        ("size=64k", true, "No space left"),
        ("ro", false, "Read-only file system"),
    ];
    for (options, fill, why) in disks {
        let home = std::env::temp_dir().join(format!("homelab-tui-disk-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let doctor = on_a_disk(options, fill, &home, &format!("{host} doctor --json"));
        let Some(mut doctor) = doctor else {
            return left_out("a full disk: this user may mount none");
        };
        let output = doctor.output().unwrap();
        std::fs::remove_dir_all(&home).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for words in ["everything works from memory", why, "free space there"] {
            assert!(text.contains(words), "{words}: {text}{output:?}");
        }
        let mut recorder = Recorder::start_as(|home| {
            let arguments = format!("{host} --wall --read-only");
            on_a_disk(options, fill, home, &arguments).unwrap()
        });
        // It works, and says what it cannot keep.
        recorder.waits_for("fritz");
        recorder.waits_for(why);
        recorder.waits_for("machine");
        recorder.keys.write_all(b"q").unwrap();
        recorder.waits_for("\x1b[?1049l");
        assert!(recorder.child.wait().unwrap().success());
    }
}
