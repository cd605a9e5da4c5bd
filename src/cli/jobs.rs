//! `jobs`: what runs on the hosts or ended without a word, and following one to its end, from wherever.

use std::io;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use super::act::events::Event;
use super::act::{exit_of, follow};
use super::arguments::General;
use super::exit::Exit;
use super::output::{Failed, Output};
use super::{session, status, table::Table};
use crate::adapters::jobs::past::Found;
use crate::adapters::paths::Paths;
use crate::core::names::HostName;
use crate::core::rollout::Outcome;
use crate::core::rollout::plan::TargetPlan;
use crate::core::text::clean;
use crate::runtime::acting::Actor;
use crate::runtime::jobs;
use crate::runtime::live::Live;
use crate::runtime::world::World;

/// What can be done with jobs besides listing them.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum JobsCommand {
    /// Show how a job goes on and end as it ends; leaving does not stop it
    Follow {
        /// The job, as `jobs` lists it
        id: String,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// A job with its host and plan.
struct Job {
    host: HostName,
    found: Found,
    plan: TargetPlan,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    jobs: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    host: &'a str,
    target: String,
    action: &'static str,
    state: &'static str,
    started: Option<Timestamp>,
    outcome: Option<&'a str>,
    by: &'a str,
}

/// Lists the jobs of all hosts, or of one.
pub fn list(
    general: &General,
    paths: &Paths,
    host: Option<&str>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    on_hosts(
        general,
        paths,
        host,
        output,
        async |actor, hosts, output| {
            let (jobs, reached) = found(actor, hosts, output).await;
            if json {
                output.json(&Document {
                    schema: 1,
                    jobs: jobs.iter().map(row).collect(),
                })?;
            } else {
                print(&jobs, output)?;
            }
            let none = host.is_some() && !reached;
            Ok(if none { Exit::Broken } else { Exit::Done })
        },
    )
}

/// Follows one job to its end, and ends with its exit code.
pub fn follow_one(
    general: &General,
    paths: &Paths,
    id: &str,
    json: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let state = paths.state.clone();
    on_hosts(
        general,
        paths,
        None,
        output,
        async |actor, hosts, output| {
            let (jobs, _) = found(actor, hosts, output).await;
            let Some(job) = jobs.iter().find(|job| job.found.id == id) else {
                output.say(format!("no host that could be reached has a job {id}"));
                return Ok(Exit::Usage);
            };
            if !json {
                let (action, by) = (job.plan.action.word(), clean(&job.plan.by));
                output.line(format_args!("{action} {}, begun by {by}", job.plan.target))?;
            }
            let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
            let work = async move {
                let tell = |event| {
                    let _ = told.send(event);
                };
                follow(id, actor, &job.plan, &tell).await
            };
            let mut failed = None;
            let telling = async {
                while let Some(event) = heard.recv().await {
                    let outcome = print_event(&event, json, output);
                    if let Err(error) = outcome {
                        failed.get_or_insert(error);
                    }
                }
            };
            let (end, ()) = futures_util::future::join(work, telling).await;
            if let Some(error) = failed {
                return Err(error);
            }
            if let Some(state) = &state
                && let Err(error) = jobs::note_end(state, &job.plan, end.outcome, &end.why)
            {
                output.say(format!("the journal could not be written: {error}"));
            }
            let done = super::act::ended(&job.plan, &end);
            if json {
                let event = Event::Done {
                    id: id.to_owned(),
                    outcome: end.outcome.word(),
                    targets: vec![done],
                };
                print_event(&event, true, output)?;
            } else {
                let why = clean(&done.why);
                output.line(format_args!("{}: {}: {why}", done.target, done.outcome))?;
            }
            Ok(exit_of(Some(end.outcome)))
        },
    )
}

/// Opens the ways to the hosts, does something over them, and closes them.
fn on_hosts(
    general: &General,
    paths: &Paths,
    host: Option<&str>,
    output: &mut Output<'_>,
    work: impl AsyncFnOnce(&Actor, &[HostName], &mut Output<'_>) -> Result<Exit, Failed>,
) -> Result<Exit, Failed> {
    let setup = match session::prepared(general, paths) {
        Ok(setup) => setup,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    super::tell(&setup, output);
    let settings = setup.settings;
    let only = match host
        .map(|text| status::parse_host(text, &settings))
        .transpose()
    {
        Ok(only) => only,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    if general.demo {
        output.say("the demo's hosts are invented: no job runs there");
        return Ok(Exit::Done);
    }
    let hosts: Vec<HostName> = settings
        .hosts
        .iter()
        .map(|host| host.name.clone())
        .filter(|name| only.as_ref().is_none_or(|only| only == name))
        .collect();
    let ran: io::Result<Result<Exit, Failed>> = session::in_runtime(async {
        let (queue, _heard) = tokio::sync::mpsc::unbounded_channel();
        let mut live = Live::new(&settings, paths, queue, None);
        let ended = work(&live.actor(), &hosts, output).await;
        live.close().await;
        Ok(ended)
    });
    match ran {
        Ok(ended) => ended,
        Err(error) => {
            output.say(format!("the hosts could not be asked: {error}"));
            Ok(Exit::Usage)
        }
    }
}

/// Asks all hosts side by side for their jobs; also says whether any could be asked.
async fn found(actor: &Actor, hosts: &[HostName], output: &mut Output<'_>) -> (Vec<Job>, bool) {
    let asked = hosts.iter().map(|host| async move {
        actor.reopen(host).await?;
        actor.jobs(host).await
    });
    let answers = futures_util::future::join_all(asked).await;
    let mut jobs = Vec::new();
    let mut reached = false;
    for (host, answer) in hosts.iter().zip(answers) {
        match answer {
            Ok(list) => {
                reached = true;
                jobs.extend(list.into_iter().filter_map(|found| {
                    let mut plan: TargetPlan = serde_json::from_str(&found.plan).ok()?;
                    plan.target.host = host.clone();
                    (plan.job == found.id).then(|| Job {
                        host: host.clone(),
                        found,
                        plan,
                    })
                }));
            }
            Err(why) => output.say(format!("{host}: {why}")),
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.found.started));
    (jobs, reached)
}

fn row(job: &Job) -> Row<'_> {
    Row {
        id: &job.found.id,
        host: job.host.as_str(),
        target: job.plan.target.to_string(),
        action: job.plan.action.word(),
        state: job.found.state(Timestamp::now()).word(),
        started: Timestamp::from_second(job.found.started).ok(),
        outcome: job
            .found
            .ended
            .as_deref()
            .and_then(Outcome::from_word)
            .map(Outcome::word),
        by: &job.plan.by,
    }
}

fn print(jobs: &[Job], output: &mut Output<'_>) -> Result<(), Failed> {
    if jobs.is_empty() {
        output.say("no jobs are on the hosts that could be reached");
        return Ok(());
    }
    let mut table = Table::new([
        "JOB", "ACTION", "TARGET", "STATE", "OUTCOME", "STARTED", "BY",
    ]);
    for job in jobs {
        let row = row(job);
        table.row([
            row.id.to_owned(),
            row.action.to_owned(),
            row.target,
            row.state.to_owned(),
            row.outcome.unwrap_or("-").to_owned(),
            row.started
                .map_or_else(|| "-".to_owned(), |at| at.to_string()),
            row.by.to_owned(),
        ]);
    }
    output.text(&table.render())
}

fn print_event(event: &Event, json: bool, output: &mut Output<'_>) -> Result<(), Failed> {
    if json {
        output.json_line(event)?;
    } else if let Event::Step {
        target,
        step,
        state,
        detail,
        ..
    } = event
    {
        let detail = clean(detail.as_deref().unwrap_or_default());
        output.line(format_args!("{target}: {step} {state} {detail}"))?;
    }
    output.flush()
}
