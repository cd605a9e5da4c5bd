//! `config`: check, path, example, schema.

use super::arguments::{ConfigCommand, General};
use super::exit::Exit;
use super::output::{Failed, Output};
use super::setup::{self, Place};
use crate::adapters::config::{Unreadable, Weight, example, schema};
use crate::adapters::paths::Paths;
use crate::core::age::count;

/// Carries out a command about the configuration.
pub fn run(
    command: ConfigCommand,
    general: &General,
    paths: &Paths,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    match command {
        ConfigCommand::Check => check(general, paths, output),
        ConfigCommand::Path => path(general, paths, output),
        ConfigCommand::Example => output.text(&example::example()).map(|()| Exit::Done),
        ConfigCommand::Schema => output.json(&schema::schema()).map(|()| Exit::Done),
    }
}

fn check(general: &General, paths: &Paths, output: &mut Output<'_>) -> Result<Exit, Failed> {
    let setup = match setup::setup(general, paths) {
        Ok(setup) => setup,
        Err(Unreadable::NotYaml(problem)) => {
            output.line(format_args!("error: {problem}"))?;
            return Ok(Exit::Usage);
        }
        Err(error) => {
            output.say(error);
            return Ok(Exit::Usage);
        }
    };
    let Some(file) = &setup.file else {
        match Place::find(general, paths).path() {
            Some(path) => output.line(format_args!(
                "there is no configuration at {}; the defaults hold",
                path.display()
            ))?,
            None => output.line("there is no configuration; the defaults hold")?,
        }
        return Ok(Exit::Done);
    };
    let mut errors = 0;
    for problem in &setup.problems {
        match problem.weight {
            Weight::Error => {
                errors += 1;
                output.line(format_args!("error: {problem}"))?;
            }
            Weight::Warning => output.line(format_args!("warning: {problem}"))?,
        }
    }
    if errors > 0 {
        output.line(format_args!(
            "{}: {}; what is right in it is used all the same",
            file.display(),
            count(errors, "error")
        ))?;
        return Ok(Exit::Usage);
    }
    let settings = &setup.settings;
    let summary = [
        count(settings.hosts.len(), "host"),
        match settings.registries.len() {
            1 => "1 registry".to_owned(),
            number => format!("{number} registries"),
        },
        count(settings.environments.len(), "environment rule"),
        count(settings.builds.len(), "build source"),
    ];
    output.line(format_args!(
        "{} is right: {}",
        file.display(),
        summary.join(", ")
    ))?;
    Ok(Exit::Done)
}

fn path(general: &General, paths: &Paths, output: &mut Output<'_>) -> Result<Exit, Failed> {
    match Place::find(general, paths).path() {
        Some(path) => {
            output.line(path.display())?;
            Ok(Exit::Done)
        }
        None => {
            output.say(
                "this user has no home folder, so there is no usual place; give a file with -c",
            );
            Ok(Exit::Usage)
        }
    }
}
