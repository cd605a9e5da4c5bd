//! A month on the wall, compressed: hours pass, ways are cut, hosts come back, tags move, the console is restarted,
//! its cache is torn and the clock jumps. Memory, descriptors, processes and files stay flat.
//!
//! `SOAK_HOURS` says how long (8 if nothing is said, 720 by `tests/long`); the figures are printed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test; the figures are the result"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use homelab_tui::adapters;
use homelab_tui::adapters::memory::MemoryFile;
use homelab_tui::app::effect::{Console, Effect};
use homelab_tui::app::mode::Observing;
use homelab_tui::app::msg::Msg;
use homelab_tui::core::failure::{HostFailure, HostTrouble};
use homelab_tui::core::memory::Memory;
use homelab_tui::core::watch::EngineEvent;
use homelab_tui::demo::Scenario;
use homelab_tui::demo::driver::Driver;
use homelab_tui::ui;
use homelab_tui::ui::glyphs::Glyphs;
use homelab_tui::ui::theme::{BUILT_IN, Theme};
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const HOUR: Duration = Duration::from_secs(3600);

/// What the process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    resident_kb: u64,
    descriptors: usize,
    children: usize,
    files: usize,
}

fn held(folder: &Path) -> Held {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let pid = std::process::id();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    Held {
        resident_kb: resident.split_whitespace().nth(1).unwrap().parse().unwrap(),
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        children: children.unwrap_or_default().split_whitespace().count(),
        files: std::fs::read_dir(folder).unwrap().count(),
    }
}

/// A row of numbers that is the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

/// What happened in all.
#[derive(Debug, Default)]
struct Tally {
    handled: usize,
    cuts: usize,
    events: usize,
    restarts: usize,
    torn: usize,
    jumps: usize,
    saves: usize,
    written: u64,
    paints: usize,
    cells: usize,
}

struct Wall {
    scenario: Scenario,
    driver: Driver<Observing>,
    file: MemoryFile,
    path: std::path::PathBuf,
    theme: Theme,
    shown: Buffer,
    start: Timestamp,
    tally: Tally,
}

impl Wall {
    fn begin(folder: &Path, scenario: Scenario, start: Timestamp) -> Self {
        let file = MemoryFile::in_folder(folder);
        let driver = Self::driver(&scenario, start, Memory::default());
        Self {
            scenario,
            driver,
            file,
            path: folder.join("last.json"),
            theme: theme(),
            shown: Buffer::empty(Rect::new(0, 0, 100, 30)),
            start,
            tally: Tally::default(),
        }
    }

    fn driver(scenario: &Scenario, start: Timestamp, memory: Memory) -> Driver<Observing> {
        let mut driver: Driver<Observing> = Driver::new(scenario, start);
        driver.tell(Msg::Restored(Box::new(memory)));
        driver.tell(Msg::Resize {
            width: 100,
            height: 30,
        });
        driver.keys("0");
        driver
    }

    /// Lets time pass in small pieces; writes down and draws whenever the console would.
    fn pass(&mut self, time: Duration) {
        const PIECE: Duration = Duration::from_secs(30);
        let mut left = time;
        while !left.is_zero() {
            let piece = left.min(PIECE);
            self.driver.run_for(piece);
            left -= piece;
            let saves = self
                .driver
                .effects
                .drain(..)
                .filter(|(_, effect)| matches!(effect, Effect::Console(Console::Remember)))
                .count();
            if saves > 0 {
                self.file.save(&self.driver.model.memory()).unwrap();
                self.tally.saves += 1;
                self.tally.written += std::fs::metadata(&self.path).unwrap().len();
            }
            self.draw();
        }
    }

    fn draw(&mut self) {
        if !std::mem::take(&mut self.driver.model.dirty) {
            return;
        }
        let mut buffer = Buffer::empty(self.shown.area);
        let area = buffer.area;
        ui::draw(
            &self.driver.model,
            &self.theme,
            Glyphs::CONSOLE,
            area,
            &mut buffer,
        );
        self.tally.paints += 1;
        self.tally.cells += self.shown.diff(&buffer).len();
        self.shown = buffer;
    }

    fn cut(&mut self, dice: &mut Dice) {
        let hosts = &self.driver.model.hosts;
        let host = hosts[dice.roll(hosts.len())].spec.name.clone();
        let trouble = [
            HostTrouble::NoConnection,
            HostTrouble::NoSuchName,
            HostTrouble::HostKeyChanged,
            HostTrouble::EngineDown,
        ][dice.roll(4)];
        let failure = HostFailure::new(trouble, "cut", "");
        self.driver.tell(Msg::Disconnected { host, failure });
        self.tally.cuts += 1;
    }

    fn event(&mut self, dice: &mut Dice) {
        let hosts = &self.driver.model.hosts;
        let host = hosts[dice.roll(hosts.len())].spec.name.clone();
        let event = EngineEvent::Image {
            name: "x".to_owned(),
            action: "tag".to_owned(),
        };
        self.driver.tell(Msg::Event { host, event });
        self.tally.events += 1;
    }

    /// Ends as a power cut does, sometimes in the middle of a write, and begins again.
    fn restart(&mut self, dice: &mut Dice) {
        self.tally.handled += self.driver.handled;
        let torn = dice.roll(3) == 0;
        if torn && let Ok(bytes) = std::fs::read(&self.path) {
            std::fs::write(&self.path, &bytes[..bytes.len() / 2]).unwrap();
            self.tally.torn += 1;
        }
        let now = self.driver.now().wall;
        self.driver = Self::driver(&self.scenario, now, self.file.load().memory);
        self.tally.restarts += 1;
    }
}

fn theme() -> Theme {
    let (_, text) = BUILT_IN
        .iter()
        .find(|(name, _)| *name == "console")
        .unwrap();
    Theme::new("console", &adapters::theme::parse("console", text).unwrap()).unwrap()
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("homelab-tui-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_month_on_the_wall_leaves_everything_flat() {
    let hours: u32 = std::env::var("SOAK_HOURS").map_or(8, |hours| hours.parse().unwrap());
    let folder = folder("soak");
    let began = Instant::now();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut wall = Wall::begin(
        &folder,
        Scenario::fleet(),
        "2026-09-05T14:02:10Z".parse().unwrap(),
    );
    // Whatever is made once is made within the first quarter.
    let mut early = held(&folder);
    for hour in 0..hours {
        wall.pass(HOUR / 2);
        match hour % 4 {
            0 => wall.cut(&mut dice),
            1 => wall.event(&mut dice),
            2 => {
                // The clock of a machine without one of its own.
                wall.driver.model.now.wall = Timestamp::from_second(3600).unwrap();
                wall.driver.tell(Msg::Tick);
                wall.tally.jumps += 1;
            }
            _ => wall.restart(&mut dice),
        }
        wall.pass(HOUR / 2);
        if hour == hours / 4 {
            early = held(&folder);
        }
    }
    wall.tally.handled += wall.driver.handled;
    let end = held(&folder);
    let passed = wall.driver.now().wall.duration_since(wall.start);
    eprintln!(
        "soak: {hours} hours in {:.1} s; {:?}\n  early  {early:?}\n  at the end  {end:?}\n  {} kB written a day",
        began.elapsed().as_secs_f32(),
        wall.tally,
        wall.tally.written * 24 / 1000 / u64::from(hours.max(1)),
    );
    assert!(passed >= SignedDuration::from_hours(i64::from(hours)));
    let _ = std::fs::remove_dir_all(&folder);
    assert!(end.resident_kb < early.resident_kb + 4096, "memory grows");
    assert_eq!(end.descriptors, early.descriptors);
    assert_eq!(end.children, early.children);
    // The cache, and one broken one that was set aside.
    assert!(end.files <= 2, "{end:?}");
}

#[test]
fn a_quiet_fleet_writes_nothing_for_hours_and_little_a_day() {
    let folder = folder("quiet");
    // The demo's fleet without anything that happens there by itself.
    let text = include_str!("../assets/demo/fleet.yaml");
    let still = text.split("\nscript:").next().unwrap();
    let scenario = Scenario::parse(still).unwrap();
    let mut wall = Wall::begin(&folder, scenario, "2026-09-05T14:02:10Z".parse().unwrap());
    wall.pass(HOUR);
    wall.tally = Tally::default();
    wall.pass(HOUR * 4);
    let written = std::fs::metadata(&wall.path).map_or(0, |file| file.len());
    eprintln!(
        "four quiet hours: {:?}; {written} B are written once a day",
        wall.tally
    );
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(wall.tally.saves, 0, "{:?}", wall.tally);
    assert!(written < 1_000_000);
    // A page turns each few seconds; nothing else has the screen drawn more often.
    assert!(wall.tally.paints <= 4 * 3600 / 10, "{:?}", wall.tally);
}
