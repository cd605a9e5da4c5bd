//! What a message, a key and a paint cost with 10, 100 and 300 hosts of 20 services each, and what a service weighs.
//!
//! `cargo bench --bench growth`. The model alone: no terminal, no hosts.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a bench prints, and a failed unwrap ends it; not every helper has a user"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use homelab_tui::app::effect::{Effect, Look};
use homelab_tui::app::keymap::Keymap;
use homelab_tui::app::keys::Key;
use homelab_tui::app::mode::Observing;
use homelab_tui::app::model::Model;
use homelab_tui::app::msg::{Msg, Now};
use homelab_tui::app::update::{next_wake, update};
use homelab_tui::core::host::HostSpec;
use homelab_tui::core::settings::Settings;
use homelab_tui::ui;
use homelab_tui::ui::glyphs::Glyphs;
use homelab_tui::ui::theme::{BUILT_IN, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

mod support;

use support::{fleet, line, ms, spread};

struct Fleet {
    model: Model,
    since_start: Duration,
}

impl Fleet {
    fn new(hosts: usize) -> Self {
        let hosts = (0..hosts)
            .map(|host| {
                HostSpec::new(
                    format!("host{host:03}").as_str().into(),
                    "ssh://nowhere".parse().unwrap(),
                )
            })
            .collect();
        let settings = Settings {
            hosts,
            ..Settings::default()
        };
        let now = Now {
            wall: fleet::at(),
            since_start: Duration::ZERO,
        };
        Self {
            model: Model::new(settings, Keymap::default(), now),
            since_start: Duration::ZERO,
        }
    }

    /// Hands a message over as the console does, which then asks for its next wake.
    fn tell(&mut self, msg: Msg) -> Vec<Effect<Observing>> {
        self.since_start += Duration::from_millis(1);
        let now = Now {
            wall: fleet::at(),
            since_start: self.since_start,
        };
        let effects = update::<Observing>(&mut self.model, now, msg);
        std::hint::black_box(next_wake(&self.model));
        effects
    }

    fn observed(&mut self, host: usize, restarts: u64) -> Vec<Effect<Observing>> {
        let mut observation = fleet::observation(host);
        observation.containers[3].restarts = restarts;
        let generation = self.model.hosts[host].generation;
        let host = self.model.hosts[host].spec.name.clone();
        self.tell(Msg::Observed {
            host,
            generation,
            result: Ok(Box::new(observation)),
        })
    }

    fn fill(&mut self) {
        self.tell(Msg::Tick);
        for host in 0..self.model.hosts.len() {
            let name = self.model.hosts[host].spec.name.clone();
            self.tell(Msg::Connected {
                host: name,
                rtt_ms: 20,
                could_change: true,
            });
            for effect in self.observed(host, 0) {
                if let Effect::Look(Look::Resolve(question)) = effect {
                    let answer = fleet::answer(&question.key.reference);
                    self.tell(Msg::Resolved {
                        key: question.key,
                        result: Ok(Box::new(answer)),
                    });
                }
            }
        }
    }
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn time(runs: usize, mut run: impl FnMut(usize)) -> Vec<Duration> {
    (0..runs)
        .map(|number| {
            let begun = Instant::now();
            run(number);
            begun.elapsed()
        })
        .collect()
}

fn main() {
    for hosts in [10, 100, 300] {
        let before = resident();
        let mut fleet = Fleet::new(hosts);
        let begun = Instant::now();
        fleet.fill();
        let filled = begun.elapsed();
        let services = fleet.model.services().count();
        let weight = resident().saturating_sub(before) / services as u64;
        println!("\n{hosts} hosts, {services} services");
        line("  all hosts and references from nothing", &ms(filled), "");
        line(
            "  memory",
            &format!("{weight} bytes a service"),
            "< 4 kB a service",
        );
        let changed = time(200, |number| {
            fleet.observed(number % hosts, number as u64 + 1);
        });
        let (middle, worst) = spread(changed);
        line(
            "  one container of one host changed, p50 / p99",
            &format!("{} / {}", ms(middle), ms(worst)),
            "flat",
        );
        let event = time(200, |number| {
            let host = fleet.model.hosts[number % hosts].spec.name.clone();
            let id = "0".repeat(64).as_str().into();
            let event = homelab_tui::core::watch::EngineEvent::Container {
                id,
                action: "start".to_owned(),
                exit_code: None,
            };
            fleet.tell(Msg::Event { host, event });
        });
        let (middle, worst) = spread(event);
        line(
            "  an event, p50 / p99",
            &format!("{} / {}", ms(middle), ms(worst)),
            "flat",
        );
        let area = Rect::new(0, 0, 160, 45);
        let (name, text) = BUILT_IN[0];
        let roles: BTreeMap<String, String> = serde_yaml::from_str(text).unwrap();
        let theme = Theme::new(name, &roles).unwrap();
        let mut buffer = Buffer::empty(area);
        let keys = time(400, |_| {
            fleet.tell(Msg::Key(Key::char('j')));
        });
        let (middle, worst) = spread(keys);
        line(
            "  a key, p50 / p99",
            &format!("{} / {}", ms(middle), ms(worst)),
            "flat",
        );
        let paint = time(200, |_| {
            ui::draw(&fleet.model, &theme, Glyphs::UNICODE, area, &mut buffer);
        });
        let (middle, worst) = spread(paint);
        line(
            "  a paint of 160x45, p50 / p99",
            &format!("{} / {}", ms(middle), ms(worst)),
            "flat",
        );
    }
}
