//! What the benches share: a pseudo-terminal with the real program in it, figures in a table, facts of an invented fleet.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

pub mod fleet;

/// Prints one line of the table: what, the figure, the budget.
pub fn line(what: &str, figure: &str, budget: &str) {
    println!("{what:<62} {figure:>26}  {budget}");
}

/// Returns the middle and the value below which 99 of 100 lie.
pub fn spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    (at(50), at(99))
}

pub fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Returns the release binary, which `tests/bench` builds.
pub fn program() -> Option<PathBuf> {
    let own = std::env::var_os("HOMELAB_TUI_BIN").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/homelab-tui");
    Some(own.unwrap_or(usual)).filter(|path| path.exists())
}

/// A folder that goes with its owner.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn create(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("homelab-tui-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program in a terminal of 160 columns and 45 lines.
pub struct Console {
    pub child: Child,
    pub begun: Instant,
    input: File,
    output: Receiver<(Instant, usize)>,
    pub bytes: usize,
}

impl Console {
    /// Starts the program with a home of its own.
    pub fn start(program: &Path, home: &Path, arguments: &[&str]) -> Self {
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
            ws_row: 45,
            ws_col: 160,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        let begun = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .env("HOME", home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("TERM", "xterm-256color")
            .env_remove("HOMELAB_TUI_CONFIG")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let input = File::from(master);
        let mut reader = input.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send((Instant::now(), count)).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            begun,
            input,
            output,
            bytes: 0,
        }
    }

    pub fn press(&mut self, keys: &str) -> Instant {
        let at = Instant::now();
        self.input.write_all(keys.as_bytes()).unwrap();
        at
    }

    /// Waits for output and for its end; returns when its last piece came.
    pub fn painted(&mut self, patience: Duration, quiet: Duration) -> Option<Instant> {
        let (mut last, count) = self.output.recv_timeout(patience).ok()?;
        self.bytes += count;
        while let Ok((at, count)) = self.output.recv_timeout(quiet) {
            last = at;
            self.bytes += count;
        }
        Some(last)
    }

    /// Counts what comes within a time.
    pub fn listen(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let before = self.bytes;
        loop {
            match self
                .output
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok((_, count)) => self.bytes += count,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return self.bytes - before;
                }
            }
        }
    }

    /// Returns its resident memory in bytes, now and at its highest.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Returns how much of a core it has used so far.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// Returns the processes below it, by number and name.
    pub fn children(&self) -> Vec<(u32, String)> {
        let mut all = Vec::new();
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return all;
        };
        let mut parents = Vec::new();
        for process in processes.flatten() {
            let Some(pid) = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else {
                continue;
            };
            let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else {
                continue;
            };
            let parent = stat[close + 2..]
                .split(' ')
                .nth(1)
                .and_then(|word| word.parse::<u32>().ok());
            parents.push((pid, parent.unwrap_or(0), stat[open + 1..close].to_owned()));
        }
        let mut wanted = vec![self.child.id()];
        while let Some(parent) = wanted.pop() {
            for (pid, of, name) in &parents {
                if *of == parent {
                    all.push((*pid, name.clone()));
                    wanted.push(*pid);
                }
            }
        }
        all
    }

    pub fn quit(mut self) {
        let _ = self.input.write_all(b"\x03");
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns how much of a core a process has used so far.
pub fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rfind(')').map_or("", |end| &stat[end + 2..]);
    let fields: Vec<u64> = rest
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|word| word.parse().ok())
        .collect();
    // The kernel's clock for this file has 100 ticks a second.
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}
