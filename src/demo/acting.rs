//! Plans and jobs of a demo: the plan is made as for a real host, from an invented look; the job is played in time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::app::effect::Act;
use crate::app::jobs::{PlanWish, running_image};
use crate::app::judge::ServiceView;
use crate::app::model::Model;
use crate::app::msg::{Msg, Now};
use crate::app::targets;
use crate::core::digest::TopDigest;
use crate::core::engine::{ImageFacts, Observation};
use crate::core::image::ImageRef;
use crate::core::names::ServiceKey;
use crate::core::remote::RemoteImage;
use crate::core::rollout::dossier::{Dossier, Rendered, RunningContainer};
use crate::core::rollout::guard::Shape;
use crate::core::rollout::job::{Progress, StepState};
use crate::core::rollout::make::{self, Goal, Known, Wish};
use crate::core::rollout::order::{self, Placed};
use crate::core::rollout::plan::{Plan, TargetPlan};
use crate::core::rollout::{Action, Outcome, Step};

use super::Demo;
use super::mint::{self, BuildName};
use super::scenario::Happening;

/// What the connection of a demo's host fetches in a second.
const BYTES_A_SECOND: u64 = 9_000_000;
/// A played fetch takes at least and at most so long.
const FETCH: [Duration; 2] = [Duration::from_millis(900), Duration::from_secs(12)];
/// How often a played fetch tells how far it is.
const BEAT: Duration = Duration::from_millis(300);

impl Demo {
    /// Makes the plan that is wished for.
    pub(super) fn plan(&mut self, wish: &PlanWish, model: &Model) -> (Duration, Msg) {
        let (keys, depends) = targets::in_order(model, &wish.targets);
        let mut after = Duration::from_millis(160);
        let mut plan = Plan {
            targets: Vec::new(),
            unplanned: Vec::new(),
            order_why: None,
        };
        for key in &keys {
            self.plans += 1;
            let job = format!("demo-{}", self.plans);
            match self.planned(wish, key, model, job) {
                Ok(one) => plan.targets.push(one),
                Err(why) => plan.unplanned.push((key.clone(), why)),
            }
            let host = self.host(&key.host);
            after += host.map_or(Duration::ZERO, |host| host.rtt * 3);
        }
        let none = BTreeSet::new();
        let placed: Vec<Placed<'_>> = plan
            .targets
            .iter()
            .map(|one| Placed {
                target: &one.target,
                provides: &none,
                uses: &none,
                depends_on: None,
            })
            .collect();
        let ordered = order::of_targets(&placed, &self.settings.order);
        let hosts: BTreeSet<_> = plan.targets.iter().map(|one| &one.target.host).collect();
        plan.order_why = order::words(ordered.projects, depends, hosts.len());
        plan.targets = ordered
            .places
            .into_iter()
            .map(|place| plan.targets[place].clone())
            .collect();
        let result = match (plan.targets.is_empty(), plan.unplanned.as_slice()) {
            (true, [(_, why)]) => Err(why.clone()),
            _ => Ok(Box::new(plan)),
        };
        let number = wish.number;
        (after, Msg::Planned { number, result })
    }

    fn planned(
        &self,
        wish: &PlanWish,
        key: &ServiceKey,
        model: &Model,
        job: String,
    ) -> Result<TargetPlan, String> {
        let service = model
            .service(key)
            .ok_or_else(|| format!("there is no service {key}"))?;
        let observation = model
            .host_index(&key.host)
            .and_then(|index| model.hosts[index].observation.as_ref())
            .ok_or("the host was not observed")?;
        let compose = service
            .compose
            .as_ref()
            .ok_or("the demo plays no container without a project")?;
        let goal = match wish.action {
            Action::Rollback | Action::Keep => self.way_back(wish, service, observation),
            Action::Pin => Ahead::held(observation, service),
            Action::Pull | Action::Update => Ahead::Tag(named_by_tag(model, service)),
            Action::Recreate | Action::Unpin => Ahead::Tag(None),
        };
        let action = wish.action;
        let wish = Wish {
            job,
            action,
            target: key.clone(),
            by: "you@demo".to_owned(),
            reason: None,
            take_environment: wish.take_environment,
            timeout_seconds: None,
            at: self.started_at,
            goal: goal.as_goal(),
        };
        let dossier = dossier(service);
        Ok(make::target(
            &wish,
            &Known {
                observation,
                dossier: &dossier,
                reference: &service.reference,
                recipe: Some(&compose.recipe),
                pin_undone: false,
                compose_label: Some(&compose.version),
                config_hash: compose.config_hash.as_deref(),
                running: &running_image(service),
                docker: &["docker".to_owned()],
                fetch_bytes: service.fetch_bytes,
                settings: self.settings.rollback,
                off_limits: None,
                changed_by_others: None,
            },
        ))
    }

    /// Finds the image to go back to: the named one, else the newest that is older than the running one.
    fn way_back(&self, wish: &PlanWish, service: &ServiceView, observation: &Observation) -> Ahead {
        let Some(question) = &service.question else {
            return Ahead::Nowhere("its reference cannot be read".to_owned());
        };
        let repository = &question.reference.repository;
        let image = |build: &BuildName| {
            self.catalog
                .remote(repository, build, &question.platform, self.started_at)
        };
        let found = match &wish.to {
            Some(name) => {
                let build = match name.parse::<TopDigest>() {
                    Ok(top) => self.catalog.of_top(repository, &top),
                    Err(_) => self.catalog.named(&question.reference.with_tag(name)),
                };
                build.and_then(|build| image(&build))
            }
            None => self
                .catalog
                .tags(repository)
                .iter()
                .filter_map(|tag| self.catalog.named(&question.reference.with_tag(tag)))
                .filter_map(|build| image(&build))
                .filter(|other| other.created < service.running.created)
                .max_by_key(|other| other.created),
        };
        let Some(found) = found else {
            return Ahead::Nowhere("no former run of it is on record".to_owned());
        };
        let here = observation
            .images
            .values()
            .find(|own| own.digests.iter().any(|(_, top)| *top == found.top));
        match here {
            Some(own) => Ahead::Held(Box::new(own.clone())),
            None => Ahead::Fetched(Box::new(found)),
        }
    }

    /// Begins what was asked for; what is heard of it comes in its time.
    pub fn act(&mut self, act: &Act, now: Now) -> Vec<(Duration, Msg)> {
        match act {
            Act::Shell { service, .. } => {
                let text = format!("the demo has no shell in {service}");
                vec![(Duration::ZERO, Msg::Trouble(text))]
            }
            Act::Cancel { .. } => {
                let text = "a job of the demo is over before it can be stopped".to_owned();
                vec![(Duration::ZERO, Msg::Trouble(text))]
            }
            Act::Start(plan) => {
                let mut heard = Vec::new();
                let mut at = Duration::ZERO;
                for one in &plan.targets {
                    let job = one.job.clone();
                    heard.push((at, Msg::JobBegun { job }));
                    heard.extend(self.play(one, at, now));
                    at = heard.last().map_or(at, |(ended, _)| *ended);
                }
                heard
            }
        }
    }

    /// Plays a job from that moment on: its steps as messages, its changes as things that happen on the host.
    fn play(&mut self, plan: &TargetPlan, from: Duration, now: Now) -> Vec<(Duration, Msg)> {
        let mut play = Play {
            job: &plan.job,
            at: from + Duration::from_millis(250),
            heard: Vec::new(),
        };
        let service = plan.target.to_string();
        play.step(Step::Keep, Duration::from_millis(120));
        if !matches!(plan.action, Action::Recreate | Action::Unpin) {
            play.fetch(plan.fetch_bytes.unwrap_or(0));
        }
        if plan.action == Action::Keep {
            if let (Some(tag), Some(build)) = (plan.hold_tag.clone(), self.build_of(plan)) {
                let what = Happening::ImageKept {
                    service,
                    tag,
                    build,
                };
                self.script.add(now.since_start + play.at, what);
            }
        } else if plan.action == Action::Pull {
            let what = Happening::ServicePulled { service };
            self.script.add(now.since_start + play.at, what);
        } else if plan.recreates() {
            play.step(Step::Recreate, Duration::from_millis(1400));
            let what = Happening::ServiceRecreated {
                service,
                runs: self.build_of(plan),
            };
            self.script.add(now.since_start + play.at, what);
            play.step(Step::Wait, Duration::from_millis(1800));
            play.step(Step::Prove, Duration::from_millis(150));
        }
        let message = Msg::JobEnded {
            job: plan.job.clone(),
            outcome: Outcome::Succeeded,
            why: "proven by digest and health, in the demo".to_owned(),
        };
        play.heard.push((play.at, message));
        play.heard
    }

    /// Returns the build that a plan leads to, where it is another than the tag's.
    fn build_of(&self, plan: &TargetPlan) -> Option<String> {
        let repository = plan.to.reference.parse::<ImageRef>().ok()?.repository;
        let top = plan.to.digest.as_ref()?;
        let build = self.catalog.of_top(&repository, top)?;
        Some(match build.again {
            0 => build.id.to_string(),
            again => format!("{}+{again}", build.id),
        })
    }
}

/// What is heard of a played job, each with the time after its start.
struct Play<'a> {
    job: &'a str,
    at: Duration,
    heard: Vec<(Duration, Msg)>,
}

impl Play<'_> {
    fn tell(&mut self, step: Step, state: StepState) {
        let message = Msg::JobStep {
            job: self.job.to_owned(),
            step,
            state,
            detail: String::new(),
        };
        self.heard.push((self.at, message));
    }

    fn step(&mut self, step: Step, takes: Duration) {
        self.tell(step, StepState::Started);
        self.at += takes;
        self.tell(step, StepState::Done);
    }

    fn fetch(&mut self, bytes: u64) {
        self.tell(Step::Pull, StepState::Started);
        let takes = Duration::from_millis(bytes.saturating_mul(1000) / BYTES_A_SECOND)
            .clamp(FETCH[0], FETCH[1]);
        let beats = u32::try_from(takes.as_millis() / BEAT.as_millis()).unwrap_or(1);
        for beat in 1..=beats {
            self.at += BEAT;
            let progress = Progress {
                layer: mint::hex(&[&"layer", &self.job])[..12].to_owned(),
                current: bytes / u64::from(beats) * u64::from(beat),
                total: Some(bytes),
            };
            let message = Msg::JobProgress {
                job: self.job.to_owned(),
                layers: vec![progress],
            };
            self.heard.push((self.at, message));
        }
        self.tell(Step::Pull, StepState::Done);
    }
}

/// A goal with what it borrows from.
enum Ahead {
    Tag(Option<Box<RemoteImage>>),
    Held(Box<ImageFacts>),
    Fetched(Box<RemoteImage>),
    Nowhere(String),
}

impl Ahead {
    fn held(observation: &Observation, service: &ServiceView) -> Self {
        match observation.images.get(&service.running.image_id) {
            Some(image) => Self::Held(Box::new(image.clone())),
            None => Self::Nowhere("the engine has lost the running image".to_owned()),
        }
    }

    fn as_goal(&self) -> Goal<'_> {
        match self {
            Self::Tag(image) => Goal::Tag(image.as_deref()),
            Self::Held(image) => Goal::Held(image),
            Self::Fetched(image) => Goal::Fetched(image),
            Self::Nowhere(why) => Goal::Nowhere(why.clone()),
        }
    }
}

fn named_by_tag(model: &Model, service: &ServiceView) -> Option<Box<RemoteImage>> {
    let known = model.remotes.get(service.question.as_ref()?)?;
    known.remote.answer.as_ref()?.image.clone().map(Box::new)
}

/// Invents what a look at the host would gather: the files render to what runs, unless the scenario says otherwise.
fn dossier(service: &ServiceView) -> Dossier {
    let compose = service.compose.as_ref();
    let shape = Shape {
        image: service.reference.clone(),
        ..Shape::default()
    };
    let containers: BTreeMap<_, _> = service
        .containers
        .iter()
        .map(|container| {
            let running = RunningContainer {
                image: Some(container.image_id.clone()),
                shape: shape.clone(),
                ..RunningContainer::default()
            };
            (container.id.clone(), running)
        })
        .collect();
    let changed = service.config == crate::core::files::ConfigState::Changed;
    let hash = compose.and_then(|compose| compose.config_hash.clone());
    Dossier {
        user: "deploy".to_owned(),
        compose_version: compose.map(|compose| compose.version.clone()),
        rendered: Some(Rendered {
            shape,
            ..Rendered::default()
        }),
        hashes: hash
            .map(|hash| if changed { format!("not {hash}") } else { hash })
            .into_iter()
            .collect(),
        containers,
        free_bytes: Some(48_000_000_000),
        lock_is_shared: true,
        ..Dossier::default()
    }
}
