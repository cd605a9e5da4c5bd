//! The command line: the same core as the console, without a screen.

pub mod act;
mod ahead;
pub mod arguments;
pub mod builds;
mod config;
mod discover;
pub mod doctor;
pub mod exit;
mod gate;
mod history;
mod jobs;
pub mod keys;
mod manual;
mod output;
pub mod reference;
#[cfg(test)]
mod samples;
mod session;
mod setup;
pub mod status;
mod table;
mod themes;

use std::io;

use clap::Parser;

use self::ahead::Journey;
use self::arguments::{Arguments, Command, General};
use self::exit::Exit;
use self::output::{Failed, Output};
use self::themes::Themes;
use crate::adapters::log;
use crate::adapters::paths::Paths;
use crate::core::rollout::Action;

/// Runs the program with the arguments of the process.
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // The message is for a terminal that may be gone; the code tells it as well.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
        }
    };
    let (mut out, mut err) = (io::BufWriter::new(io::stdout()), io::stderr());
    let mut output = Output::new(&mut out, &mut err);
    let done = run(&arguments, &mut output).and_then(|exit| output.flush().map(|()| exit));
    match done {
        Ok(exit) => exit,
        Err(error) => {
            output.say(error);
            Exit::Usage
        }
    }
}

fn run(arguments: &Arguments, output: &mut Output<'_>) -> Result<Exit, Failed> {
    let paths = Paths::of_user();
    let general = &arguments.general;
    if let Err(error) = begin_log(general, &paths, arguments.command.is_none()) {
        output.say(&error);
        // A log that was asked for must be there; the usual one is only a convenience.
        if general.log.is_some() {
            return Ok(Exit::Usage);
        }
    }
    let Some(command) = &arguments.command else {
        return session::console(general, &paths, output);
    };
    let change = |action, arguments: &_, to: Option<&str>, output: &mut Output<'_>| {
        act::run(action, arguments, to, general, &paths, output)
    };
    match command {
        Command::Builds(arguments) => match &arguments.command {
            Some(command) => builds::run(command, output),
            None => {
                let name = arguments.name.as_deref();
                session::builds(general, &paths, name, arguments.json, output)
            }
        },
        Command::Status {
            target,
            json,
            exit_code,
        } => {
            let wanted = status::Wanted {
                json: *json,
                exit_code: *exit_code,
            };
            session::status(general, &paths, target.as_deref(), wanted, output)
        }
        Command::Layers { target, to, json } => {
            let begin = |target| Journey::layers(target, to.clone());
            session::ahead(general, &paths, target, begin, *json, output)
        }
        Command::Tags { target, json } => {
            session::ahead(general, &paths, target, Journey::tags, *json, output)
        }
        Command::Registry { registry, json } => {
            session::registry(general, &paths, registry, *json, output)
        }
        Command::Doctor { host, json } => {
            session::doctor(general, &paths, host.as_deref(), *json, output)
        }
        Command::Discover { json } => session::discover(general, &paths, *json, output),
        Command::Gate { socket, command } => {
            gate::run(socket.as_deref(), command.as_ref(), general, &paths, output)
        }
        Command::Themes => themes::run(&Themes::find(&paths), output),
        Command::Config(command) => config::run(*command, general, &paths, output),
        Command::Pull(act) => change(Action::Pull, act, None, output),
        Command::Recreate(act) => change(Action::Recreate, act, None, output),
        Command::Update(act) => change(Action::Update, act, None, output),
        Command::Unpin(act) => change(Action::Unpin, act, None, output),
        Command::Rollback(go) => change(Action::Rollback, &go.act, go.to.as_deref(), output),
        Command::Pin(go) => change(Action::Pin, &go.act, go.to.as_deref(), output),
        Command::Keep(go) => change(Action::Keep, &go.act, go.to.as_deref(), output),
        Command::Jobs {
            follow: Some(jobs::JobsCommand::Follow { id, json }),
            ..
        } => jobs::follow_one(general, &paths, id, *json, output),
        Command::Jobs { host, json, .. } => {
            jobs::list(general, &paths, host.as_deref(), *json, output)
        }
        Command::History { target, json } => {
            session::history(general, &paths, target.as_deref(), *json, output)
        }
        Command::Completions { shell } => manual::completions(*shell, output),
        Command::Man => manual::man(output),
        Command::Keys => match setup::setup(general, &paths) {
            Ok(setup) => {
                tell(&setup, output);
                keys::run(&setup.settings.keys, output)
            }
            Err(error) => {
                output.say(error);
                Ok(Exit::Usage)
            }
        },
    }
}

/// Begins the log: where it was asked for, else for the console in its usual place.
fn begin_log(general: &General, paths: &Paths, console: bool) -> Result<(), log::NotOpened> {
    let usual = paths.state.as_ref().filter(|_| console);
    let usual = usual.map(|folder| folder.join("console.log"));
    match general.log.clone().or(usual) {
        Some(path) => log::begin(&path),
        None => Ok(()),
    }
}

/// Says what had to be left out of the configuration.
fn tell(setup: &setup::Setup, output: &mut Output<'_>) {
    for problem in &setup.problems {
        output.say(problem);
    }
}
