//! One action from the look at the fleet to the last outcome.

use std::collections::BTreeMap;
use std::io;

use tokio::sync::mpsc;

use super::super::exit::Exit;
use super::super::output::{Failed, Output};
use super::super::session;
use super::events::{DoneTarget, Event, PlanLine, PlanTarget, Proof, StartedTarget};
use super::{ActArguments, confirmed, exit_of, meant, show};
use crate::adapters::jobs::run::NotStarted;
use crate::adapters::paths::Paths;
use crate::app::mode::ReadOnly;
use crate::app::model::Model;
use crate::core::mode::Operating;
use crate::core::names::{HostName, ServiceKey, Target};
use crate::core::rollout::plan::{TargetPlan, not_begun};
use crate::core::rollout::{Action, Outcome};
use crate::core::settings::Settings;
use crate::runtime::acting::{Actor, Order, Prepared};
use crate::runtime::follow::{self, End, Heard, Redial};
use crate::runtime::jobs;
use crate::runtime::world::World;

/// An action as it was asked for.
pub struct Journey {
    pub action: Action,
    pub arguments: ActArguments,
    pub order: Order,
    pub targets: Vec<Target>,
    pub settings: Settings,
    pub paths: Paths,
    pub asks: bool,
}

impl Journey {
    /// Looks, plans, asks, starts, follows.
    pub async fn go(self, output: &mut Output<'_>) -> io::Result<Result<Exit, Failed>> {
        let read_only = self.settings.read_only;
        // The other place where the right to change hosts is given, for one command.
        let operating = (!read_only && !self.arguments.dry_run).then(Operating::by_operator);
        let mut settings = self.settings.clone();
        let ways: Vec<HostName> = settings
            .registries
            .iter()
            .filter_map(|registry| registry.via.clone())
            .collect();
        settings.hosts.retain(|host| {
            self.targets.iter().any(|target| target.on_host(&host.name))
                || ways.contains(&host.name)
        });
        let (model, mut live, _queue) = session::observe_open(settings, &self.paths).await?;
        let actor = live.actor();
        let ended = self
            .act(&model, &actor, operating.as_ref(), read_only, output)
            .await;
        live.close().await;
        Ok(ended)
    }

    async fn act(
        &self,
        model: &Model,
        actor: &Actor,
        operating: Option<&Operating>,
        read_only: bool,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failed> {
        let keys = match meant(model, &self.targets) {
            Ok(keys) => keys,
            Err(error) => {
                output.say(error);
                return Ok(Exit::Usage);
            }
        };
        let id = jobs::identity(&self.order.by, &keys);
        let many = actor
            .prepare_all(model, &keys, self.action, &self.order, &id)
            .await;
        if !many.unplanned.is_empty() {
            if many.ambiguous {
                for (key, why) in &many.unplanned {
                    output.say(format!("{key}: {why}"));
                }
                return Ok(Exit::Usage);
            }
            return self.unplanned(&id, &keys, &many.unplanned, output);
        }
        let (mut prepared, order_why) = (many.prepared, many.order_why);
        if read_only {
            for one in &mut prepared {
                one.plan.blocked = Some(ReadOnly.to_string());
            }
        }
        let plan = PlanLine {
            id: id.clone(),
            action: self.action.word(),
            order: order_why,
            targets: prepared
                .iter()
                .map(|one| PlanTarget {
                    fetch_seconds: one.fetch_seconds,
                    ..PlanTarget::of(&one.plan)
                })
                .collect(),
        };
        let blocked = prepared.iter().any(|one| one.plan.blocked.is_some());
        self.tell(&Event::Plan(plan.clone()), output)?;
        if !self.arguments.json {
            show(&plan, output)?;
        }
        if self.arguments.dry_run {
            return Ok(if blocked { Exit::Refused } else { Exit::Done });
        }
        let refusal = self.refusal(model, &prepared, output)?;
        let Some(operating) = operating.filter(|_| refusal.is_none() && !blocked) else {
            let why = refusal.unwrap_or_else(|| {
                let stopped = prepared.iter().filter(|one| one.plan.blocked.is_some());
                let names: Vec<String> = stopped.map(|one| one.plan.target.to_string()).collect();
                let are = if names.len() == 1 { "is" } else { "are" };
                format!("nothing was touched, as {} {are} blocked", names.join(", "))
            });
            return self.refused(&id, &prepared, &why, output);
        };
        self.run(&id, actor, operating, &prepared, output).await
    }

    /// Says why it is not begun: no confirmation, or none that is enough.
    fn refusal(
        &self,
        model: &Model,
        prepared: &[Prepared],
        output: &mut Output<'_>,
    ) -> Result<Option<String>, Failed> {
        if prepared.iter().any(|one| one.plan.blocked.is_some()) {
            return Ok(None);
        }
        let protected: Vec<String> = prepared
            .iter()
            .filter(|one| {
                model
                    .service(&one.plan.target)
                    .is_some_and(|service| service.protect)
            })
            .map(|one| one.plan.target.service.to_string())
            .filter(|name| !self.arguments.confirm.contains(name))
            .collect();
        if self.arguments.yes {
            return Ok((!protected.is_empty()).then(|| {
                format!(
                    "protected: give --confirm {}",
                    protected.join(" --confirm ")
                )
            }));
        }
        if self.asks && confirmed(&protected, output)? {
            return Ok(None);
        }
        Ok(Some("not confirmed".to_owned()))
    }

    /// Tells that there is no plan, as some targets could not be looked at.
    fn unplanned(
        &self,
        id: &str,
        keys: &[ServiceKey],
        unplanned: &[(ServiceKey, String)],
        output: &mut Output<'_>,
    ) -> Result<Exit, Failed> {
        let names: Vec<String> = unplanned.iter().map(|(key, _)| key.to_string()).collect();
        let targets = keys.iter().map(|key| {
            let own = unplanned.iter().find(|(other, _)| other == key);
            DoneTarget {
                target: key.to_string(),
                job: None,
                outcome: Outcome::Refused.word(),
                why: own.map_or_else(
                    || format!("nothing was touched, as {} has no plan", names.join(", ")),
                    |(_, why)| why.clone(),
                ),
                proof: None,
            }
        });
        let done = Event::Done {
            id: id.to_owned(),
            outcome: Outcome::Refused.word(),
            targets: targets.collect(),
        };
        self.tell(&done, output)?;
        for (key, why) in unplanned {
            output.say(format!("{key}: {why}"));
        }
        Ok(Exit::Refused)
    }

    fn refused(
        &self,
        id: &str,
        prepared: &[Prepared],
        why: &str,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failed> {
        let targets = prepared
            .iter()
            .map(|one| DoneTarget {
                target: one.plan.target.to_string(),
                job: None,
                outcome: Outcome::Refused.word(),
                why: one
                    .plan
                    .blocked_with_way_out()
                    .unwrap_or_else(|| why.to_owned()),
                proof: None,
            })
            .collect();
        for one in prepared {
            let blocked = one.plan.blocked_with_way_out();
            let why = blocked.as_deref().unwrap_or(why);
            self.note(&one.plan, Some(Outcome::Refused), Some(why), output);
            if !self.arguments.json {
                output.line(format_args!(
                    "{}: refused: {}",
                    one.plan.target,
                    crate::core::text::clean(why)
                ))?;
            }
        }
        let done = Event::Done {
            id: id.to_owned(),
            outcome: Outcome::Refused.word(),
            targets,
        };
        self.tell(&done, output)?;
        Ok(Exit::Refused)
    }

    async fn run(
        &self,
        id: &str,
        actor: &Actor,
        operating: &Operating,
        prepared: &[Prepared],
        output: &mut Output<'_>,
    ) -> Result<Exit, Failed> {
        let mut lanes: BTreeMap<String, Vec<&Prepared>> = BTreeMap::new();
        for one in prepared {
            let lane = if self.arguments.parallel {
                one.plan.target.host.to_string()
            } else {
                String::new()
            };
            lanes.entry(lane).or_default().push(one);
        }
        let (sender, mut told) = mpsc::unbounded_channel::<Told>();
        let work = futures_util::future::join_all(lanes.into_values().map(|lane| {
            let sender = sender.clone();
            self.lane(id, actor, operating, lane, sender)
        }));
        drop(sender);
        let mut done: Vec<(DoneTarget, Outcome)> = Vec::new();
        let mut started: Vec<StartedTarget> = Vec::new();
        let mut failed = None;
        let telling = async {
            while let Some(told) = told.recv().await {
                let outcome = match told {
                    Told::Event(event) => self.tell_all(&event, output),
                    Told::Begun(plan) => {
                        // The way back is in the journal before the first change.
                        self.note(&plan, None, None, output);
                        Ok(())
                    }
                    Told::Started(target) => {
                        started.push(target);
                        Ok(())
                    }
                    Told::Ended(plan, target, end) => {
                        let proof = end.proof.as_ref().map(follow::Proof::words);
                        self.write(&plan, Some(end.outcome), Some(&end.why), proof, output);
                        let line = format!("{}: {}: {}", target.target, target.outcome, target.why);
                        done.push((target, end.outcome));
                        if self.arguments.json {
                            Ok(())
                        } else {
                            output.line(line)
                        }
                    }
                };
                if let Err(error) = outcome {
                    failed.get_or_insert(error);
                }
            }
        };
        futures_util::future::join(work, telling).await;
        if let Some(error) = failed {
            return Err(error);
        }
        if self.arguments.no_wait && done.is_empty() {
            self.tell(
                &Event::Started {
                    id: id.to_owned(),
                    targets: started,
                },
                output,
            )?;
            return Ok(Exit::Done);
        }
        let worst = done.iter().map(|(_, outcome)| *outcome).max();
        let event = Event::Done {
            id: id.to_owned(),
            outcome: worst.unwrap_or(Outcome::Unchanged).word(),
            targets: done.into_iter().map(|(target, _)| target).collect(),
        };
        self.tell(&event, output)?;
        Ok(exit_of(worst))
    }

    /// Runs the jobs of one lane one after another, up to the first that fails.
    async fn lane(
        &self,
        id: &str,
        actor: &Actor,
        operating: &Operating,
        lane: Vec<&Prepared>,
        told: mpsc::UnboundedSender<Told>,
    ) {
        let mut stopped: Option<String> = None;
        for one in lane {
            let plan = &one.plan;
            if let Some(why) = &stopped {
                let _ = told.send(refused(plan, why.clone()));
                continue;
            }
            let _ = told.send(Told::Begun(Box::new(plan.clone())));
            let begun = match actor.start(operating, one).await {
                Ok(()) => Ok(()),
                Err(NotStarted::Refused(why)) => Err(why),
                // What nobody heard of may run: it is looked for before anything is said of it.
                Err(NotStarted::Unheard(_)) => actor.began(plan, true).await,
            };
            if let Err(why) = begun {
                let _ = told.send(refused(plan, why));
                stopped = Some(not_begun(&plan.target, "could not be begun"));
                continue;
            }
            let _ = told.send(Told::Started(StartedTarget {
                target: plan.target.to_string(),
                job: plan.job.clone(),
            }));
            if self.arguments.no_wait {
                continue;
            }
            let tell = |event| {
                let _ = told.send(Told::Event(event));
            };
            let end = follow(id, actor, plan, &tell).await;
            if end.outcome > Outcome::Succeeded {
                stopped = Some(not_begun(
                    &plan.target,
                    &format!("ended {}", end.outcome.word()),
                ));
            }
            let _ = told.send(Told::Ended(Box::new(plan.clone()), ended(plan, &end), end));
        }
    }

    fn tell(&self, event: &Event, output: &mut Output<'_>) -> Result<(), Failed> {
        if !self.arguments.json {
            return Ok(());
        }
        output.json_line(event)?;
        output.flush()
    }

    fn tell_all(&self, event: &Event, output: &mut Output<'_>) -> Result<(), Failed> {
        if self.arguments.json {
            return self.tell(event, output);
        }
        if let Event::Step {
            target,
            step,
            state,
            detail,
            ..
        } = event
        {
            let detail = detail.as_deref().unwrap_or_default();
            output.line(format_args!("{target}: {step} {state} {detail}"))?;
            output.flush()?;
        }
        Ok(())
    }

    fn note(
        &self,
        plan: &TargetPlan,
        outcome: Option<Outcome>,
        why: Option<&str>,
        output: &mut Output<'_>,
    ) {
        self.write(plan, outcome, why, None, output);
    }

    fn write(
        &self,
        plan: &TargetPlan,
        outcome: Option<Outcome>,
        why: Option<&str>,
        proof: Option<String>,
        output: &mut Output<'_>,
    ) {
        let Some(state) = &self.paths.state else {
            return;
        };
        if let Err(error) = jobs::note_proven(state, plan, outcome, why, proof) {
            output.say(format!("the journal could not be written: {error}"));
        }
    }
}

/// What a lane tells while it works.
enum Told {
    Event(Event),
    Begun(Box<TargetPlan>),
    Started(StartedTarget),
    Ended(Box<TargetPlan>, DoneTarget, End),
}

/// Tells how a target ended.
pub fn ended(plan: &TargetPlan, end: &End) -> DoneTarget {
    DoneTarget {
        target: plan.target.to_string(),
        job: Some(plan.job.clone()),
        outcome: end.outcome.word(),
        why: end.why.clone(),
        proof: end.proof.as_ref().map(|proof| Proof::of(plan, proof)),
    }
}

/// Tells of a target that was not begun.
fn refused(plan: &TargetPlan, why: String) -> Told {
    let end = End {
        outcome: Outcome::Refused,
        why,
        proof: None,
    };
    Told::Ended(Box::new(plan.clone()), ended(plan, &end), end)
}

/// Follows a job to its end and tells its events.
pub async fn follow(
    id: &str,
    actor: &Actor,
    plan: &TargetPlan,
    tell: &(dyn Fn(Event) + Sync),
) -> End {
    let target = plan.target.to_string();
    let heard = |heard| match heard {
        Heard::Layers(layers) => {
            for progress in layers {
                tell(Event::Progress {
                    id: id.to_owned(),
                    target: target.clone(),
                    layer: progress.layer,
                    current: progress.current,
                    total: progress.total,
                });
            }
        }
        Heard::Step {
            step,
            state,
            detail,
        } => tell(Event::Step {
            id: id.to_owned(),
            target: target.clone(),
            step: step.word(),
            state: state.word(),
            detail: Some(detail).filter(|detail| !detail.is_empty()),
        }),
    };
    follow::follow(actor, plan, Redial::Here, &heard).await
}
