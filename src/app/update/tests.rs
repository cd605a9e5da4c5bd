//! Messages in, effects out.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::app::effect::Look;
use crate::app::keymap::Keymap;
use crate::app::keys::{Code, Key};
use crate::app::mode::Operating;
use crate::app::model::{Link, RemoteModel};
use crate::app::rows::{self, Rows};
use crate::app::screen::{Group, Overlay, RowId, Sort};
use crate::core::digest::TopDigest;
use crate::core::engine::{ContainerFacts, ImageStore, Observation};
use crate::core::failure::{HostFailure, HostTrouble, RegistryFailure, RegistryTrouble};
use crate::core::files::{FilesState, Rendered, RenderedService};
use crate::core::host::{HostSpec, HostState};
use crate::core::memory::{Memory, RememberedHost};
use crate::core::names::{HostName, ServiceKey};
use crate::core::pinned::Pinned;
use crate::core::remote::{Answer, Question, QuestionKey, Remote, Route};
use crate::core::rollout::pin::How;
use crate::core::samples::{container, day, digest, image, observation};
use crate::core::settings::{RegistrySpec, Settings};
use crate::core::verdict::Verdict;
use crate::core::watch::{EngineEvent, Scope};

/// A model with hosts by these names and its time, in milliseconds since the start.
struct Bench {
    model: Model,
    at: u64,
}

type Effects = Vec<Effect<Operating>>;

impl Bench {
    fn new(hosts: &[(&str, &str)]) -> Self {
        let hosts = hosts
            .iter()
            .map(|(name, address)| HostSpec::new((*name).into(), address.parse().unwrap()));
        Self::with(Settings {
            hosts: hosts.collect(),
            ..Settings::default()
        })
    }

    fn with(settings: Settings) -> Self {
        Self {
            model: Model::new(settings, Keymap::default(), moment(0)),
            at: 0,
        }
    }

    /// Hands a message over and checks that nothing stays due that was not asked for.
    fn tell(&mut self, msg: Msg) -> Effects {
        let now = moment(self.at);
        let effects = update::<Operating>(&mut self.model, now, msg);
        if !self.model.ending {
            let wake = next_wake(&self.model).unwrap();
            assert!(wake > now.since_start, "still due after an update");
        }
        effects
    }

    fn tick(&mut self) -> Effects {
        self.tell(Msg::Tick)
    }

    /// Lets time pass, waking the model whenever it wants to; returns what was done with the time of each.
    fn pass(&mut self, milliseconds: u64) -> Vec<(u64, Effect<Operating>)> {
        let until = self.at + milliseconds;
        let mut done = Vec::new();
        loop {
            let wake = next_wake(&self.model).unwrap();
            let wake = u64::try_from(wake.as_nanos().div_ceil(1_000_000)).unwrap();
            if wake > until {
                self.at = until;
                return done;
            }
            self.at = wake.max(self.at);
            done.extend(self.tick().into_iter().map(|effect| (wake, effect)));
        }
    }

    fn connect(&mut self, host: &str) -> Effects {
        self.tell(Msg::Connected {
            host: host.into(),
            rtt_ms: 12,
            could_change: true,
        })
    }

    fn lose(&mut self, host: &str, trouble: HostTrouble) -> Effects {
        self.tell(Msg::Disconnected {
            host: host.into(),
            failure: HostFailure::new(trouble, "gone", "look there"),
        })
    }

    fn observed(&mut self, host: &str, result: Result<Observation, HostFailure>) -> Effects {
        let generation = self.host(host).generation;
        self.tell(Msg::Observed {
            host: host.into(),
            generation,
            result: result.map(Box::new),
        })
    }

    /// Connects a host and lets it show these containers.
    fn up(&mut self, host: &str, containers: Vec<ContainerFacts>) -> Effects {
        self.tick();
        self.connect(host);
        self.observed(host, Ok(seen(containers)))
    }

    fn resolved(&mut self, key: &QuestionKey, result: Result<Answer, RegistryFailure>) -> Effects {
        self.tell(Msg::Resolved {
            key: key.clone(),
            result: result.map(Box::new),
        })
    }

    fn press(&mut self, keys: &str) -> Effects {
        let keys = keys.split_whitespace().map(|key| key.parse().unwrap());
        keys.flat_map(|key| self.tell(Msg::Key(key))).collect()
    }

    fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.tell(Msg::Key(Key::char(c)));
        }
    }

    fn host(&self, name: &str) -> &crate::app::model::HostModel {
        let index = self.model.host_index(&name.into()).unwrap();
        &self.model.hosts[index]
    }

    fn verdict(&self, path: &str) -> (Verdict, Option<Verdict>) {
        let service = self.service(path);
        (service.verdict, service.last.map(|(verdict, _)| verdict))
    }

    fn service(&self, path: &str) -> &crate::app::judge::ServiceView {
        self.model.service(&key(path)).unwrap()
    }

    fn selected(&self) -> Option<RowId> {
        rows::selected(&self.model)
    }
}

fn moment(milliseconds: u64) -> Now {
    let since_start = Duration::from_millis(milliseconds);
    Now {
        wall: day(100) + SignedDuration::try_from(since_start).unwrap(),
        since_start,
    }
}

fn key(path: &str) -> ServiceKey {
    let mut parts = path.split('/');
    ServiceKey {
        host: parts.next().unwrap().into(),
        project: parts.next().unwrap().into(),
        service: parts.next().unwrap().into(),
    }
}

/// A graph host that holds image 1, known in `ghcr.io/me/app` as digest 10.
fn seen(containers: Vec<ContainerFacts>) -> Observation {
    let image = image(
        1,
        &["ghcr.io/me/app:latest"],
        &[("ghcr.io/me/app", 10)],
        Some(0),
    );
    let mut seen = observation(ImageStore::Graph, vec![image], containers);
    seen.at = day(100);
    seen
}

fn plain(name: &str) -> ContainerFacts {
    container(name, "ghcr.io/me/app:latest")
}

fn composed(project: &str, name: &str) -> ContainerFacts {
    let mut facts = plain(&format!("{project}-{name}-1"));
    let labels = [
        ("project", project),
        ("service", name),
        ("project.working_dir", "/opt/app"),
        ("project.config_files", "/opt/app/compose.yml"),
        ("version", "2.40.3"),
        ("config-hash", "abc"),
    ];
    for (label, value) in labels {
        let label = format!("com.docker.compose.{label}");
        facts.labels.set(&label, value);
    }
    facts
}

fn answer(top: u8) -> Answer {
    Answer {
        at: day(100),
        top: TopDigest(digest(top)),
        image: None,
        examined: Vec::new(),
        requests: Vec::new(),
        credential: None,
        quota: None,
        remark: None,
    }
}

fn refused(trouble: RegistryTrouble) -> RegistryFailure {
    RegistryFailure::new(trouble, "no answer", "wait")
}

fn looks(effects: &[Effect<Operating>]) -> Vec<&Look> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Look(look) => Some(look),
            Effect::Act(_) | Effect::Console(_) => None,
        })
        .collect()
}

fn questions(effects: &[Effect<Operating>]) -> Vec<&Question> {
    looks(effects)
        .into_iter()
        .filter_map(|look| match look {
            Look::Resolve(question) => Some(question),
            _ => None,
        })
        .collect()
}

fn observes(effects: &[Effect<Operating>]) -> Vec<&Scope> {
    looks(effects)
        .into_iter()
        .filter_map(|look| match look {
            Look::Observe { scope, .. } => Some(scope),
            _ => None,
        })
        .collect()
}

fn dials(effects: &[(u64, Effect<Operating>)]) -> Vec<u64> {
    effects
        .iter()
        .filter(|(_, effect)| matches!(effect, Effect::Look(Look::Connect { .. })))
        .map(|(at, _)| *at)
        .collect()
}

fn changed(id: &str) -> EngineEvent {
    EngineEvent::Container {
        id: id.into(),
        action: "start".to_owned(),
        exit_code: None,
    }
}

mod acting;
mod builds;
mod hosts;
mod offers;
mod preview;
mod registries;
mod screen;
mod tailnet;
mod wall;
mod wear;
