//! `status`: the fleet as it was just observed, as a document or for people.

mod counting;
mod document;
mod select;
mod text;

use jiff::Timestamp;

pub use counting::Counting;
pub use document::Document;
pub use select::{NoTarget, Selection, parse, parse_host};

use super::exit::Exit;
use super::output::{Failed, Output};
use crate::app::model::Model;
use crate::core::names::Target;

/// How the report is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    pub json: bool,
    pub exit_code: bool,
}

/// Reports what the model knows of the target, or of everything.
pub fn report(
    model: &Model,
    target: Option<&Target>,
    now: Timestamp,
    wanted: Wanted,
    output: &mut Output<'_>,
) -> Result<Exit, Failed> {
    let selection = match target {
        None => Selection::everything(model),
        Some(target) => match Selection::of_target(model, target) {
            Ok(selection) => selection,
            Err(error) => {
                output.say(error);
                return Ok(Exit::Usage);
            }
        },
    };
    if wanted.json {
        output.json(&Document::of(&selection, now))?;
    } else {
        output.text(&text::report(model, &selection, now))?;
    }
    Ok(match wanted.exit_code {
        true if selection.has_unknown() => Exit::Unknown,
        true if selection.has_unsettled() => Exit::Unsettled,
        _ => Exit::Done,
    })
}

#[cfg(test)]
mod tests;
