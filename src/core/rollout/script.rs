//! The script of a job: POSIX sh, run detached on the host, that does all steps with nobody watching.
//!
//! The text is made by a pure function, so what the plan dialog shows is what runs. The script writes marks to its
//! `out` file (see `job`), the commands' own words to `err`, and its end to `rc`. It holds no secret: values that are
//! taken over come through its environment.

mod head;
mod pin_files;

use super::plan::TargetPlan;
use super::steps;

use head::head;

/// Makes the whole script of a plan.
pub fn script(plan: &TargetPlan) -> String {
    let mut text = String::new();
    head(plan, &mut text);
    text.push_str(LIBRARY);
    text.push_str(OTHERS_AT_WORK);
    if plan.plain.is_some() {
        text.push_str(FACTS_OF);
        text.push_str(PLAIN);
    }
    text.push_str("\nwork() {\n");
    if plan.hands_over() {
        text.push_str("take_body\n");
    }
    text.push_str("begin\n");
    for part in steps::parts(plan) {
        text.push_str(&part.script());
    }
    text.push_str("}\nsupervise \"$@\"\n");
    text
}

/// Quotes a word for sh, so that it is one word whatever it holds.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Joins words into a command line that sh reads back as the same words.
pub fn command_line(argv: &[String]) -> String {
    argv.iter()
        .map(|word| quote(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What every job has in common, by subject. The first sets the variables of all; of the others the order is for the
/// reader alone, as nothing of them runs before the whole text is read.
const LIBRARY: &str = concat!(
    include_str!("script/records.sh"),
    "\n",
    include_str!("script/lock.sh"),
    "\n",
    include_str!("script/files.sh"),
    "\n",
    include_str!("script/engine.sh"),
    "\n",
    include_str!("script/course.sh"),
    "\n",
    include_str!("script/dependents.sh"),
    "\n",
    include_str!("script/keeps.sh"),
    "\n",
    include_str!("script/fetch.sh"),
    "\n",
    include_str!("script/recreate.sh"),
    "\n",
    include_str!("script/health.sh"),
);

/// A shell function that tells of somebody else's compose at work on a project in the present folder.
///
/// Where processes of others do not show their folder, their words have to name it.
pub const OTHERS_AT_WORK: &str = include_str!("script/others_at_work.sh");

/// A shell function that prints what a container is made of; it wants `docker_`.
pub const FACTS_OF: &str = include_str!("script/facts_of.sh");

/// What is other for a container of no project.
const PLAIN: &str = include_str!("script/plain.sh");

#[cfg(test)]
mod tests;
