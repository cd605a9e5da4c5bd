//! `pull`, `recreate`, `update`, `rollback`, `pin`, `unpin`: the plan first, then jobs, followed to their end.

pub mod events;
mod journey;

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use super::arguments::General;
use super::exit::Exit;
use super::output::{Failed, Output};
use crate::adapters::paths::Paths;
use crate::app::model::Model;
use crate::core::age;
use crate::core::names::{ServiceKey, Target};
use crate::core::rollout::plan::UNPACKED;
use crate::core::rollout::{Action, Outcome};
use crate::runtime::acting::Order;
use crate::runtime::jobs;

use events::PlanLine;
pub use journey::{ended, follow};

/// How an action is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ActArguments {
    /// HOST, HOST/PROJECT or HOST/PROJECT/SERVICE; all below it
    #[arg(required = true)]
    pub targets: Vec<String>,
    /// Print the plan and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Confirm a protected service by its name; can be repeated
    #[arg(long, value_name = "SERVICE")]
    pub confirm: Vec<String>,
    /// Take over variables that only the deploying shell had from the running container
    #[arg(long)]
    pub take_environment: bool,
    /// Let hosts work side by side; services of one host go one after another
    #[arg(long)]
    pub parallel: bool,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// End once the jobs run on their hosts; they go on by themselves
    #[arg(long)]
    pub no_wait: bool,
    /// How long a job waits for health
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// An action that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct GoArguments {
    #[command(flatten)]
    pub act: ActArguments,
    /// A tag, a digest, the beginning of a revision, or `previous`
    #[arg(long, value_name = "TAG|DIGEST|REVISION|previous")]
    pub to: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: expected a number with s, m or h, such as 120s");
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .ok_or_else(wrong)?;
    let number: u64 = text[..end].parse().map_err(|_| wrong())?;
    let factor = match &text[end..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(number.saturating_mul(factor)))
}

/// Runs an action.
pub fn run(
    action: Action,
    arguments: &ActArguments,
    to: Option<&str>,
    general: &General,
    paths: &Paths,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let asks = io::stdin().is_terminal() && io::stdout().is_terminal() && !arguments.json;
    if !arguments.dry_run && !arguments.yes && !asks {
        output.say("without a terminal an action needs --yes, or --dry-run to see the plan");
        return Ok(Exit::Usage);
    }
    let order = Order {
        to: to.map(str::to_owned),
        reason: arguments.reason.clone(),
        take_environment: arguments.take_environment,
        timeout_seconds: arguments.timeout.map(|timeout| timeout.as_secs()),
        by: jobs::operator(),
        toggle_pin: false,
        parallel: arguments.parallel,
    };
    let setup = match super::session::prepared(general, paths) {
        Ok(setup) => setup,
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    super::tell(&setup, output);
    let mut targets = Vec::new();
    for text in &arguments.targets {
        match super::status::parse(text, &setup.settings) {
            Ok(target) => targets.push(target),
            Err(error) => {
                output.say(error);
                return Ok(Exit::Usage);
            }
        }
    }
    if general.demo {
        output.say("the demo's fleet is invented: there is nothing to act on");
        return Ok(Exit::Refused);
    }
    let journey = journey::Journey {
        action,
        arguments: arguments.clone(),
        order,
        targets,
        settings: setup.settings,
        paths: paths.clone(),
        asks,
    };
    match super::session::in_runtime(journey.go(output)) {
        Ok(ended) => ended,
        Err(error) => {
            output.say(format!("the fleet could not be observed: {error}"));
            Ok(Exit::Usage)
        }
    }
}

/// Returns the services that the targets mean, or the one that means nothing.
fn meant(model: &Model, targets: &[Target]) -> Result<Vec<ServiceKey>, String> {
    let mut keys: Vec<ServiceKey> = Vec::new();
    for target in targets {
        let before = keys.len();
        let mut any = false;
        for service in model
            .services()
            .filter(|service| target.covers(&service.key))
        {
            any = true;
            if !keys.contains(&service.key) {
                keys.push(service.key.clone());
            }
        }
        if !any && keys.len() == before {
            let host = model
                .hosts
                .iter()
                .find(|host| target.on_host(&host.spec.name));
            let away = host.and_then(crate::app::model::HostModel::away);
            return Err(match away {
                Some(away) => format!("{target}: {away}"),
                None => {
                    let known: Vec<String> = model
                        .services()
                        .take(40)
                        .map(|service| service.key.to_string())
                        .collect();
                    format!("there is no {target}; there are {}", known.join(", "))
                }
            });
        }
    }
    Ok(keys)
}

/// Prints the plan for people.
fn show(plan: &PlanLine, output: &mut Output<'_>) -> Result<(), Failed> {
    if let Some(order) = &plan.order {
        output.line(format_args!("in this order: {order}"))?;
    }
    for target in &plan.targets {
        let from = target.from.image_id.as_ref().map_or("-", |id| id.short());
        let to = target.to.image_id.as_ref().map_or("-", |id| id.short());
        output.line(format_args!("{} {}", plan.action, target.target))?;
        output.line(format_args!("  from   {from}  {}", target.from.reference))?;
        let fetch = target
            .fetch_bytes
            .map_or_else(|| "size not known".to_owned(), age::bytes);
        let time = target.fetch_seconds.filter(|seconds| *seconds > 0);
        let time = time.map_or_else(String::new, |seconds| {
            format!(
                ", about {} by what it fetched before",
                age::duration(seconds)
            )
        });
        output.line(format_args!("  to     {to}  {fetch} to fetch{time}"))?;
        if let (Some(free), Some(fetch)) = (
            target.free_bytes,
            target.fetch_bytes.filter(|bytes| *bytes > 0),
        ) {
            output.line(format_args!(
                "  disk   {} free, about {} needed with what is unpacked",
                age::bytes(free),
                age::bytes(fetch.saturating_mul(UNPACKED))
            ))?;
        }
        for difference in &target.differences {
            output.line(format_args!(
                "  config {}",
                crate::core::text::clean(difference)
            ))?;
        }
        for argv in &target.argv {
            output.line(format_args!(
                "  run    {}",
                crate::core::rollout::script::command_line(argv)
            ))?;
        }
        for command in &target.at_need {
            output.line(format_args!(
                "  if     {}: {}",
                command.when,
                crate::core::rollout::script::command_line(&command.argv)
            ))?;
        }
        for warning in &target.warnings {
            output.line(format_args!("  ! {}", crate::core::text::clean(warning)))?;
        }
        output.line(format_args!("  undo   {}", target.undo))?;
        if let Some(why) = &target.blocked {
            output.line(format_args!("  blocked: {}", crate::core::text::clean(why)))?;
        }
    }
    Ok(())
}

/// Asks on the terminal; anything but a clear yes is no.
fn confirmed(protected: &[String], output: &mut Output<'_>) -> Result<bool, Failed> {
    let question = if protected.is_empty() {
        "go on? y/N ".to_owned()
    } else {
        format!("protected: type {} to go on: ", protected.join(" "))
    };
    output.text(&question)?;
    output.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line).is_err() {
        return Ok(false);
    }
    let _ = io::stdout().flush();
    let answer = line.trim();
    Ok(if protected.is_empty() {
        matches!(answer, "y" | "yes")
    } else {
        answer == protected.join(" ")
    })
}

/// Returns the exit code of the worst outcome.
pub fn exit_of(worst: Option<Outcome>) -> Exit {
    match worst {
        Some(Outcome::Refused) => Exit::Refused,
        Some(Outcome::PutBack | Outcome::Halted) => Exit::Broken,
        None | Some(Outcome::Unchanged | Outcome::Succeeded) => Exit::Done,
    }
}
