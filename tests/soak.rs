//! Weeks on the wall, compressed: hours pass, hosts and registries go and come back, tags move and services follow,
//! ways are cut, the power fails in the middle of a write, the clock jumps. Memory, descriptors, processes and files
//! stay flat, and a quiet fleet writes next to nothing.
//!
//! The program's own model, update and views are driven in simulated time; journal, caches and the last observation are
//! real files. `SOAK_HOURS` says how long (half a day if nothing is said, 720 hours by `tests/long`); the figures are
//! printed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test; the figures are the result"
)]

#[path = "support/dice.rs"]
#[allow(dead_code, reason = "not every roll is wanted here")]
mod dice;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use homelab_tui::adapters;
use homelab_tui::adapters::blobs::{BlobStore, sha256_of};
use homelab_tui::adapters::journal::Journal;
use homelab_tui::adapters::memory::MemoryFile;
use homelab_tui::app::effect::{Console, Effect, Look};
use homelab_tui::app::mode::Observing;
use homelab_tui::app::msg::Msg;
use homelab_tui::core::failure::{HostFailure, HostTrouble};
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;
use homelab_tui::ui;
use homelab_tui::ui::glyphs::Glyphs;
use homelab_tui::ui::theme::{BUILT_IN, Theme};
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use dice::Dice;

const HOUR: Duration = Duration::from_secs(3600);
/// How often the console is looked at, as its own loop would draw it.
const PIECE: Duration = Duration::from_secs(600);

/// One at a time: what is measured is that of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// What the process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    resident_kb: u64,
    descriptors: usize,
    children: usize,
    /// Files in the cache and state folders, those of blobs not counted.
    files: usize,
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named = entries.filter(|entry| entry.file_name() != "blobs");
    named
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path()),
            false => 1,
        })
        .sum()
}

fn held(folder: &Path) -> Held {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let children = tasks.map(|task| {
        let list = std::fs::read_to_string(task.unwrap().path().join("children"));
        list.unwrap_or_default().split_whitespace().count()
    });
    Held {
        resident_kb: resident.split_whitespace().nth(1).unwrap().parse().unwrap(),
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        children: children.sum(),
        files: files(folder),
    }
}

/// How many bytes this process has handed to the system for writing.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.unwrap().trim().parse().unwrap()
}

/// What happened in all.
#[derive(Debug, Default)]
struct Tally {
    handled: usize,
    cuts: usize,
    restarts: usize,
    torn: usize,
    jumps: usize,
    saves: usize,
    events: usize,
    images: usize,
    paints: usize,
    cells: usize,
}

struct Wall {
    driver: Driver<Observing>,
    file: MemoryFile,
    last: PathBuf,
    journal: Journal,
    blobs: BlobStore,
    runtime: tokio::runtime::Runtime,
    theme: Theme,
    shown: Buffer,
    tally: Tally,
}

impl Wall {
    fn begin(folder: &Path, scenario: &Scenario) -> Self {
        let start: Timestamp = "2026-09-05T14:02:10Z".parse().unwrap();
        let mut wall = Self {
            driver: Driver::new(scenario, start),
            file: MemoryFile::in_folder(folder),
            last: folder.join("last.json"),
            journal: Journal::in_folder(folder),
            blobs: BlobStore::at(folder.join("blobs")),
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            theme: theme(),
            shown: Buffer::empty(Rect::new(0, 0, 100, 30)),
            tally: Tally::default(),
        };
        wall.driver.tell(Msg::Restored(Box::default()));
        wall.sit_down();
        wall
    }

    fn sit_down(&mut self) {
        self.driver.tell(Msg::Resize {
            width: 100,
            height: 30,
        });
        self.driver.keys("0");
    }

    /// Lets time pass in small pieces; writes down and draws whenever the console would.
    fn pass(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let piece = left.min(PIECE);
            self.driver.run_for(piece);
            left -= piece;
            for (_, effect) in std::mem::take(&mut self.driver.effects) {
                self.done(effect);
            }
            self.draw();
        }
    }

    /// Does on the disk what the console does there.
    fn done(&mut self, effect: Effect<Observing>) {
        match effect {
            Effect::Console(Console::Remember) => {
                self.file.save(&self.driver.model.memory()).unwrap();
                self.tally.saves += 1;
            }
            Effect::Console(Console::Record(events)) => {
                self.tally.events += events.len();
                for event in &events {
                    self.journal.append(event).unwrap();
                }
            }
            Effect::Look(Look::Image { key, .. }) => {
                // As large as a manifest usually is.
                let bytes = Bytes::from(key.0.to_string().repeat(60));
                let digest = sha256_of(&bytes);
                // The store writes on threads that wait for the disk.
                self.runtime.block_on(self.blobs.put(&digest, &bytes));
                self.tally.images += 1;
            }
            _ => {}
        }
    }

    fn draw(&mut self) {
        if !std::mem::take(&mut self.driver.model.dirty) {
            return;
        }
        let mut buffer = Buffer::empty(self.shown.area);
        let area = buffer.area;
        let model = &self.driver.model;
        ui::draw(model, &self.theme, Glyphs::CONSOLE, area, &mut buffer);
        let changed = self.shown.diff(&buffer).len();
        self.tally.paints += usize::from(changed > 0);
        self.tally.cells += changed;
        self.shown = buffer;
    }

    /// A way that is lost without the host being down: it is dialled again.
    fn cut(&mut self, dice: &mut Dice) {
        let hosts = &self.driver.model.hosts;
        let host = dice.pick(hosts).spec.name.clone();
        let trouble = *dice.pick(&[
            HostTrouble::NoConnection,
            HostTrouble::NoSuchName,
            HostTrouble::HostKeyChanged,
            HostTrouble::EngineDown,
        ]);
        let failure = HostFailure::new(trouble, "cut", "");
        self.driver.tell(Msg::Disconnected { host, failure });
        self.tally.cuts += 1;
    }

    /// The power fails, every other time in the middle of a write, and comes back.
    fn restart(&mut self) {
        self.tally.restarts += 1;
        if self.tally.restarts.is_multiple_of(2)
            && let Ok(bytes) = std::fs::read(&self.last)
        {
            std::fs::write(&self.last, &bytes[..bytes.len() / 2]).unwrap();
            self.tally.torn += 1;
        }
        let recalled = self.file.load();
        let torn = self.tally.restarts.is_multiple_of(2) && self.tally.torn > 0;
        assert_eq!(recalled.remark.is_some(), torn, "{:?}", recalled.remark);
        self.driver.restart(recalled.memory);
        self.sit_down();
    }

    /// A machine without a clock of its own begins in 1970 and learns the time later.
    fn jump(&mut self) {
        let back = self.driver.now().wall.duration_since(Timestamp::UNIX_EPOCH);
        self.driver.set_clock(-back);
        self.pass(3 * PIECE);
        self.no_absurd_ages();
        self.driver.set_clock(back);
        self.pass(PIECE);
        self.no_absurd_ages();
        self.tally.jumps += 1;
    }

    /// Nothing on the screen is years old, and nothing comes from the future.
    fn no_absurd_ages(&self) {
        let text: String = self
            .shown
            .content()
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        for absurd in ["1969", "1970", "2082", "2083", "-1 ", "20000 d", "20700 d"] {
            assert!(!text.contains(absurd), "{absurd}: {text}");
        }
    }
}

fn theme() -> Theme {
    let (_, text) = BUILT_IN
        .iter()
        .find(|(name, _)| *name == "console")
        .unwrap();
    Theme::new("console", &adapters::theme::parse("console", text).unwrap()).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("homelab-tui-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The demo's fleet without anything that happens there by itself; registries are asked so often.
fn still(asked: &str) -> String {
    let text = include_str!("../assets/demo/fleet.yaml");
    let still = text.split("\nscript:").next().unwrap();
    still.replacen("registry: 2m", &format!("registry: {asked}"), 1)
}

/// The demo's fleet as it would be over weeks: a build each six hours that is deployed an hour later, a host that is
/// off at night, a registry away for two days of each ten, a service that fails now and then.
fn weeks(hours: u64) -> Scenario {
    let mut builds = String::new();
    let mut script = String::from("\nscript:\n");
    let image = "ghcr.io/me/homelab/travel:latest";
    for number in 1..=hours.div_ceil(6) {
        let _ = write!(builds, "{{id: \"n{number}\", built: 1h ago}}, ");
        let _ = writeln!(
            script,
            "  - {{at: {}m, what: {{tag_moves: {{image: \"{image}\", names: \"n{number}\"}}}}}}\n  - {{at: {}m, what: {{service_recreated: {{service: vps/travel/travel, runs: \"n{number}\"}}}}}}",
            number * 360 - 300,
            number * 360 - 240
        );
    }
    script.push_str(
        "  - {at: 8h, every: 24h, what: {host_goes: {host: pi2, failure: {trouble: no-connection, what: \"no answer for 10 s\", remedy: \"see whether it is on\"}}}}
  - {at: 15h, every: 24h, what: {host_returns: {host: pi2}}}
  - {at: 26h, every: 240h, what: {registry_goes: {registry: ghcr.io, failure: {trouble: away, what: \"connection refused\", remedy: \"wait\"}}}}
  - {at: 74h, every: 240h, what: {registry_returns: {registry: ghcr.io}}}
  - {at: 100m, every: 5h, what: {service_turns: {service: vps/travel/travel, health: unhealthy}}}
  - {at: 110m, every: 5h, what: {service_turns: {service: vps/travel/travel, health: healthy}}}
",
    );
    let place = "  ghcr.io/me/homelab/travel:\n";
    // As without a configuration.
    let still = still("10m");
    let (before, entry) = still.split_once(place).unwrap();
    let entry = entry.replacen("builds: [", &format!("builds: [{builds}"), 1);
    Scenario::parse(&format!("{before}{place}{entry}{script}")).unwrap()
}

#[test]
fn weeks_on_the_wall_leave_everything_flat() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let hours: u64 = std::env::var("SOAK_HOURS").map_or(12, |hours| hours.parse().unwrap());
    let folder = folder("soak");
    let began = Instant::now();
    let mut dice = Dice::new(1);
    let mut wall = Wall::begin(&folder, &weeks(hours));
    let start = wall.driver.now().wall;
    let before = written();
    // Whatever is made once is made within the first half; of many days, within the first six.
    let warm = (hours / 2).min(144);
    let mut early = held(&folder);
    for hour in 0..hours {
        wall.pass(HOUR / 2);
        match hour % 6 {
            1 => wall.cut(&mut dice),
            3 => wall.restart(),
            5 => wall.jump(),
            _ => {}
        }
        wall.pass(HOUR / 2);
        if hour + 1 == warm {
            early = held(&folder);
        }
        if (hour + 1) % (24 * 5) == 0 {
            eprintln!("  day {}: {:?}", (hour + 1) / 24, held(&folder));
        }
    }
    wall.tally.handled = wall.driver.handled;
    let end = held(&folder);
    let bytes = written() - before;
    eprintln!(
        "soak: {hours} hours in {:.1} s; {:?}\n  early  {early:?}\n  at the end  {end:?}\n  {} kB written a day",
        began.elapsed().as_secs_f32(),
        wall.tally,
        bytes * 24 / 1000 / hours,
    );
    let passed = wall.driver.now().wall.duration_since(start);
    let _ = std::fs::remove_dir_all(&folder);
    assert!(passed >= SignedDuration::from_hours(i64::try_from(hours).unwrap()));
    assert!(wall.tally.restarts >= 2 && wall.tally.torn >= 1 && wall.tally.jumps >= 2);
    assert!(
        wall.tally.saves > 0 && wall.tally.events > 0,
        "{:?}",
        wall.tally
    );
    assert!(end.resident_kb < early.resident_kb + 4096, "memory grows");
    assert_eq!(end.descriptors, early.descriptors);
    assert_eq!(end.children, early.children);
    // The last observation, one broken one that was set aside, the journal.
    assert!(end.files <= 3, "{end:?}");
}

#[test]
fn a_quiet_fleet_writes_less_than_a_megabyte_a_day() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = folder("quiet");
    let mut wall = Wall::begin(&folder, &Scenario::parse(&still("1h")).unwrap());
    // No page turns here: a day is over sooner.
    wall.driver.keys("1");
    // What was found at the start is written down once.
    wall.pass(HOUR);
    wall.tally = Tally::default();
    let before = written();
    wall.pass(HOUR * 24);
    let bytes = written() - before;
    eprintln!("a quiet day: {:?}; {bytes} B written", wall.tally);
    let _ = std::fs::remove_dir_all(&folder);
    assert!(wall.tally.saves <= 1, "{:?}", wall.tally);
    assert!(bytes < 1_000_000, "{bytes}");
}
