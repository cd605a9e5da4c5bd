//! `keys`: the console's commands with the keys that hold, and the README's table of the usual ones.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::exit::Exit;
use super::output::{Failed, Output};
use super::table::Table;
use crate::app::commands::COMMANDS;
use crate::app::keymap::Keymap;

/// Prints every command with its keys, those of the configuration included.
pub fn run(
    custom: &BTreeMap<String, Vec<String>>,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let (keymap, _) = Keymap::new(custom);
    let mut table = Table::new(["COMMAND", "KEYS", "WHAT IT DOES"]);
    for command in COMMANDS {
        let keys: Vec<String> = keymap
            .keys_of(command.id)
            .map(|key| key.to_string())
            .collect();
        let keys = if keys.is_empty() {
            "-".to_owned()
        } else {
            keys.join(" ")
        };
        table.row([command.id.to_owned(), keys, command.help.to_owned()]);
    }
    output.text(&table.render())?;
    Ok(Exit::Done)
}

/// Returns the usual keys as a markdown table.
pub fn reference() -> String {
    let keymap = Keymap::default();
    let mut out = String::from("| key | command | what it does |\n|---|---|---|\n");
    for command in COMMANDS {
        let keys: Vec<String> = keymap
            .keys_of(command.id)
            .map(|key| format!("`{key}`"))
            .collect();
        let _ = writeln!(
            out,
            "| {} | `{}` | {} |",
            keys.join(" "),
            command.id,
            command.help
        );
    }
    out
}
