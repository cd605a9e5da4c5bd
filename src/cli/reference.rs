//! The parts of the README that are made from the program's own tables.

use std::fmt::Write;

use clap::CommandFactory;

use super::arguments::Arguments;
use super::keys;
use crate::adapters::config::reference as configuration;
use crate::core::verdict::Verdict;

/// A part with the name that marks its place in the README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub text: String,
}

/// Returns all parts.
pub fn parts() -> Vec<Part> {
    vec![
        Part {
            name: "verdicts",
            text: verdicts(),
        },
        Part {
            name: "commands",
            text: commands(),
        },
        Part {
            name: "options",
            text: options(),
        },
        Part {
            name: "keys",
            text: keys::reference(),
        },
        Part {
            name: "configuration",
            text: configuration::reference(),
        },
    ]
}

/// Replaces the parts of a README; text between the marks of a part is its own.
pub fn fill(readme: &str) -> Result<String, NoMark> {
    let mut text = readme.to_owned();
    for part in parts() {
        let begin = format!("<!-- {} begin, made by the program -->\n", part.name);
        let end = format!("<!-- {} end -->", part.name);
        let missing = || NoMark { part: part.name };
        let start = text.find(&begin).ok_or_else(missing)? + begin.len();
        let stop = text[start..].find(&end).ok_or_else(missing)? + start;
        text.replace_range(start..stop, &part.text);
    }
    Ok(text)
}

/// A README without the place of a part.
#[derive(Debug, thiserror::Error)]
#[error("the README has no marks for the part {part:?}")]
pub struct NoMark {
    part: &'static str,
}

fn verdicts() -> String {
    let mut out = String::from("| verdict | meaning | what helps |\n|---|---|---|\n");
    for entry in Verdict::ALL.map(Verdict::entry) {
        let (word, meaning, helps) = (entry.word, entry.meaning, entry.helps);
        let _ = writeln!(out, "| `{word}` | {meaning} | {helps} |");
    }
    out
}

fn commands() -> String {
    let mut out = String::from("| command | does |\n|---|---|\n");
    let mut command = Arguments::command();
    command.build();
    rows(&mut out, &command, "");
    out
}

fn rows(out: &mut String, command: &clap::Command, above: &str) {
    for inner in command.get_subcommands() {
        if inner.is_hide_set() || inner.get_name() == "help" {
            continue;
        }
        let path = format!("{above}{}", inner.get_name());
        let within = inner.has_subcommands();
        // A command that also does something by itself has a row of its own.
        if within && inner.is_subcommand_required_set() {
            rows(out, inner, &format!("{path} "));
            continue;
        }
        let own: Vec<String> = inner
            .get_arguments()
            .filter(|argument| !argument.is_global_set() && argument.get_id() != "help")
            .map(|argument| match argument.is_required_set() {
                true => argument.to_string().replace(['<', '>'], ""),
                false => format!(
                    "[{}]",
                    argument.to_string().replace(['<', '>', '[', ']'], "")
                ),
            })
            .collect();
        let line = [vec![path.clone()], own]
            .concat()
            .join(" ")
            .replace('|', "\\|");
        let about = inner
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(out, "| `{line}` | {about} |");
        if within {
            rows(out, inner, &format!("{path} "));
        }
    }
}

fn options() -> String {
    let mut out = String::from("| option | does |\n|---|---|\n");
    for argument in Arguments::command().get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        let mut names = format!("`--{long}`");
        if let Some(short) = argument.get_short() {
            names = format!("`-{short}`, {names}");
        }
        let value = argument
            .get_value_names()
            .filter(|_| argument.get_action().takes_values())
            .map_or_else(String::new, |values| format!(" {}", values.join(" ")));
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(out, "| {names}{value} | {help} |");
    }
    out
}
