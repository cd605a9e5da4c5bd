//! Pins: where they are written, so that they hold and can be taken back byte by byte.
//!
//! The texts of files are values here; writing them is the job's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::text::clean_within;

use super::compose_files::{OVERRIDE_FILE, PIN_FILE, found_by_itself};

/// The first line of every file that this program makes beside compose files.
pub const MARKER: &str = "# homelab-tui pin (remove with: homelab-tui unpin)";
/// The line before our block in `.env`.
pub const BLOCK_BEGIN: &str = "# homelab-tui pin begin";
/// The line after our block in `.env`.
pub const BLOCK_END: &str = "# homelab-tui pin end";
/// What lies in a project's folder, as far as pins are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    /// The names of the project's files, relative to the folder where they lie in it.
    pub config_files: Vec<String>,
    /// The user's override file, if there is one.
    pub user_override: Option<String>,
    /// Our override file's text, if it is there.
    pub own_override: Option<String>,
    /// Our pin file's text, if it is there.
    pub own_pin_file: Option<String>,
    /// What was told of `.env`, if it is there; its text, which may hold secrets, stays on the host.
    pub env_file: Option<EnvFile>,
    /// Whether a service reads `.env` as its own `env_file`, so that all in it reaches its container.
    pub env_is_env_file: bool,
    /// Whether the project is run with another environment file, which hides `.env`.
    pub other_env_file: bool,
    /// Whether COMPOSE_FILE stands in the login's environment.
    pub compose_file_in_environment: bool,
}

/// What a plan has to know of `.env`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvFile {
    pub has_block: bool,
    /// Whether COMPOSE_FILE is set outside of our block.
    pub sets_compose_file: bool,
    /// What separates files in COMPOSE_FILE, where the file says it.
    pub separator: Option<String>,
    /// Whether there is text whose last line is not ended.
    pub open_end: bool,
    /// Whether it is a link, or has other names: then others read it too, and it cannot be put in place anew.
    pub linked: bool,
}

/// How a pin is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// By an override file of ours.
    Override,
    /// By a file of ours that a block in `.env` names.
    Env,
}

impl How {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Env => "env",
        }
    }
}

/// One change of a file in the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileChange {
    /// A file of ours as it shall be; no text means that it shall not be.
    Own {
        name: String,
        before: Option<String>,
        after: Option<String>,
    },
    /// Our block is appended to `.env`.
    AddBlock(Block),
    /// Our block is taken out of `.env`, with all that came with it.
    RemoveBlock,
}

/// Our block in `.env`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub text: String,
    /// Whether a line end has to be added before it.
    pub line_end: bool,
}

/// The changes that set or lift a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinPlan {
    pub how: How,
    /// In the order in which they are written; undone in the reverse order.
    pub changes: Vec<FileChange>,
}

impl PinPlan {
    /// Returns the file of ours with the text that it is left with.
    fn left(&self) -> Option<(&str, Option<&str>)> {
        self.changes.iter().find_map(|change| match change {
            FileChange::Own { name, after, .. } => Some((name.as_str(), after.as_deref())),
            FileChange::AddBlock(_) | FileChange::RemoveBlock => None,
        })
    }
}

/// One pinned service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    pub service: String,
    /// The reference that is written, by digest where the image has one.
    pub image: String,
    /// Whether the files build the service, so that the build has to be taken out.
    pub builds: bool,
    /// What was written down when it was pinned.
    pub note: Option<Note>,
}

/// Who pinned a service, when, why, and away from which reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    pub by: String,
    pub since: Timestamp,
    pub follows: String,
    pub reason: Option<String>,
}

/// Why a pin cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotPin {
    /// The project is run with files given explicitly; no file of ours would be read.
    #[error(
        "the project is run with an explicit list of files, so no override of ours would be read"
    )]
    ExplicitFiles,
    /// COMPOSE_FILE is set by the operator's own means.
    #[error("COMPOSE_FILE is set already, so no override of ours would be read")]
    ComposeFileSet,
    /// What is written into `.env` would reach a container.
    #[error(
        "a service takes .env as its env_file, so what we wrote there would be in its container"
    )]
    EnvReachesContainers,
    /// The file is not the project's alone.
    #[error(".env is a link, so what we wrote there would be read by others too")]
    EnvIsShared,
    /// A file of our name is there without our mark.
    #[error("{0} exists and does not begin with our mark")]
    NotOurs(String),
    /// The service's name or image cannot be written safely.
    #[error("{0:?} cannot be written into a compose file")]
    Unwritable(String),
}

/// Chooses the least invasive way that holds.
pub fn way(folder: &Folder) -> Result<How, CannotPin> {
    if folder.compose_file_in_environment {
        return Err(CannotPin::ComposeFileSet);
    }
    let env_file = folder.env_file.as_ref();
    if env_file.is_some_and(|env| env.sets_compose_file) {
        return Err(CannotPin::ComposeFileSet);
    }
    if env_file.is_some_and(|env| env.has_block) {
        return Ok(How::Env);
    }
    let users: Vec<&String> = folder
        .config_files
        .iter()
        .filter(|file| {
            *file != OVERRIDE_FILE || folder.user_override.as_deref() == Some(OVERRIDE_FILE)
        })
        .filter(|file| *file != PIN_FILE)
        .collect();
    // An override that was used is one that compose finds only while it is still there.
    let names: Vec<&str> = users.iter().map(|name| name.as_str()).collect();
    let is_there = users
        .get(1)
        .is_none_or(|own| folder.user_override.as_ref() == Some(*own));
    if !found_by_itself(&names) || !is_there {
        return Err(CannotPin::ExplicitFiles);
    }
    if folder.user_override.is_none() {
        return Ok(How::Override);
    }
    if folder.other_env_file {
        return Err(CannotPin::ExplicitFiles);
    }
    if folder.env_is_env_file {
        return Err(CannotPin::EnvReachesContainers);
    }
    if env_file.is_some_and(|env| env.linked) {
        return Err(CannotPin::EnvIsShared);
    }
    Ok(How::Env)
}

/// Plans the files for a service to be pinned, beside pins that are there already.
pub fn set(folder: &Folder, entry: Entry) -> Result<PinPlan, CannotPin> {
    let how = way(folder)?;
    let mut entries = entries(own_text(folder, how).unwrap_or_default());
    entries.retain(|other| other.service != entry.service);
    entries.push(entry);
    entries.sort();
    let text = render(&entries)?;
    write(folder, how, Some(text))
}

/// Plans the files for a service to be let go; nothing where it is not pinned.
pub fn lift(folder: &Folder, service: &str) -> Result<Option<PinPlan>, CannotPin> {
    let how = if folder.own_override.is_some() {
        How::Override
    } else if folder.own_pin_file.is_some() {
        How::Env
    } else {
        return Ok(None);
    };
    let mut entries = entries(own_text(folder, how).unwrap_or_default());
    let before = entries.len();
    entries.retain(|entry| entry.service != service);
    if entries.len() == before {
        return Ok(None);
    }
    let text = if entries.is_empty() {
        None
    } else {
        Some(render(&entries)?)
    };
    write(folder, how, text).map(Some)
}

/// Plans the same change for where a target before it has written its own into the same project's files.
pub fn follow(own: &PinPlan, service: &str, earlier: &PinPlan) -> Result<PinPlan, CannotPin> {
    let (Some((name, text)), Some((_, wanted))) = (earlier.left(), own.left()) else {
        return Ok(own.clone());
    };
    if own.how != earlier.how {
        return Ok(own.clone());
    }
    let wanted = entries(wanted.unwrap_or_default())
        .into_iter()
        .find(|entry| entry.service == service);
    let mut all = entries(text.unwrap_or_default());
    all.retain(|other| other.service != service);
    all.extend(wanted);
    all.sort();
    let after = match all.as_slice() {
        [] => None,
        all => Some(render(all)?),
    };
    // The block in `.env` stands for as long as the file that it names.
    let (stands, needed) = (text.is_some(), after.is_some());
    let mut changes = vec![FileChange::Own {
        name: name.to_owned(),
        before: text.map(str::to_owned),
        after,
    }];
    if own.how == How::Env && stands && !needed {
        changes.insert(0, FileChange::RemoveBlock);
    } else if own.how == How::Env && needed && !stands {
        let mut planned = own.changes.iter();
        changes.extend(
            planned
                .find(|change| matches!(change, FileChange::AddBlock(_)))
                .cloned(),
        );
    }
    Ok(PinPlan {
        how: own.how,
        changes,
    })
}

fn own_text(folder: &Folder, how: How) -> Option<&str> {
    match how {
        How::Override => folder.own_override.as_deref(),
        How::Env => folder.own_pin_file.as_deref(),
    }
}

fn write(folder: &Folder, how: How, text: Option<String>) -> Result<PinPlan, CannotPin> {
    let (name, own) = match how {
        How::Override => (OVERRIDE_FILE, &folder.own_override),
        How::Env => (PIN_FILE, &folder.own_pin_file),
    };
    if let Some(own) = own
        && !own.starts_with(MARKER)
    {
        return Err(CannotPin::NotOurs(name.to_owned()));
    }
    let file = FileChange::Own {
        name: name.to_owned(),
        before: own.clone(),
        after: text.clone(),
    };
    let mut changes = vec![file];
    let has_block = folder.env_file.as_ref().is_some_and(|env| env.has_block);
    match (how, &text) {
        // What names a file is written after it and taken away before it.
        (How::Env, Some(_)) if !has_block => changes.push(FileChange::AddBlock(block(folder))),
        (How::Env, None) if has_block => changes.insert(0, FileChange::RemoveBlock),
        _ => {}
    }
    Ok(PinPlan { how, changes })
}

/// Renders the file of ours; it is made anew from its entries, as nobody else writes it.
fn render(entries: &[Entry]) -> Result<String, CannotPin> {
    let mut text = format!("{MARKER}\nservices:\n");
    for entry in entries {
        for word in [&entry.service, &entry.image] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
            if word.is_empty() || !word.chars().all(plain) {
                return Err(CannotPin::Unwritable(word.clone()));
            }
        }
        // Quoted, as a service may be called `on` or `1`.
        text.push_str(&format!("  \"{}\":\n", entry.service));
        if let Some(note) = &entry.note {
            write_note(note, &mut text);
        }
        text.push_str(&format!("    image: \"{}\"\n", entry.image));
        text.push_str("    pull_policy: never\n");
        if entry.builds {
            text.push_str("    build: !reset null\n");
        }
    }
    Ok(text)
}

/// What stands before each part of a note.
const NOTE: [&str; 4] = [
    "    # by: ",
    "    # since: ",
    "    # follows: ",
    "    # reason: ",
];

/// The longest part of a note.
const LONGEST_NOTE: usize = 200;

/// Writes a note as comments; a comment ends with its line, so nothing in it may end one.
fn write_note(note: &Note, text: &mut String) {
    let since = note.since.to_string();
    let parts = [
        Some(&note.by),
        Some(&since),
        Some(&note.follows),
        note.reason.as_ref(),
    ];
    for (name, part) in NOTE.iter().zip(parts) {
        if let Some(part) = part {
            let part = clean_within(part, LONGEST_NOTE);
            text.push_str(&format!("{name}{part}\n"));
        }
    }
}

/// Reads one line of a note.
fn read_note(line: &str, note: &mut Option<Note>) {
    let [by, since, follows, reason] = NOTE;
    let kept = |text: &str| clean_within(text, LONGEST_NOTE);
    if let Some(by) = line.strip_prefix(by) {
        *note = Some(Note {
            by: kept(by),
            since: Timestamp::UNIX_EPOCH,
            follows: String::new(),
            reason: None,
        });
    }
    let Some(note) = note else {
        return;
    };
    if let Some(at) = line.strip_prefix(since).and_then(|at| at.parse().ok()) {
        note.since = at;
    } else if let Some(reference) = line.strip_prefix(follows) {
        note.follows = kept(reference);
    } else if let Some(text) = line.strip_prefix(reason) {
        note.reason = Some(kept(text));
    }
}

/// Reads the entries of a file of ours.
pub fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let unquoted = |text: &str| text.trim().trim_matches('"').to_owned();
        if let Some(service) = line.strip_prefix("  \"") {
            entries.push(Entry {
                service: unquoted(service.trim_end_matches(':')),
                image: String::new(),
                builds: false,
                note: None,
            });
        } else if let Some(entry) = entries.last_mut() {
            if let Some(image) = line.strip_prefix("    image: ") {
                entry.image = unquoted(image);
            } else if line.starts_with("    build: !reset") {
                entry.builds = true;
            } else {
                read_note(line, &mut entry.note);
            }
        }
    }
    entries.retain(|entry| !entry.image.is_empty());
    entries
}

/// The line inside our block that remembers that the file had no line end before it.
pub const NO_LINE_END: &str = "# (the file had no line end here)";
/// The line inside our block that remembers that there was no file before it.
pub const NO_FILE: &str = "# (there was no file here)";

fn block(folder: &Folder) -> Block {
    let mut files: Vec<&str> = folder.config_files.iter().map(String::as_str).collect();
    files.retain(|file| *file != PIN_FILE);
    files.push(PIN_FILE);
    let env = folder.env_file.as_ref();
    let separator = env.and_then(|env| env.separator.as_deref()).unwrap_or(":");
    let line_end = env.is_some_and(|env| env.open_end);
    let note = match env {
        None => format!("{NO_FILE}\n"),
        Some(_) if line_end => format!("{NO_LINE_END}\n"),
        Some(_) => String::new(),
    };
    let files = files.join(separator);
    Block {
        text: format!("{BLOCK_BEGIN}\n{note}COMPOSE_FILE={files}\n{BLOCK_END}\n"),
        line_end,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn entry(service: &str) -> Entry {
        Entry {
            service: service.to_owned(),
            image: format!("registry.lan:5000/{service}@sha256:{}", "a".repeat(64)),
            builds: false,
            note: None,
        }
    }

    fn folder(files: &[&str]) -> Folder {
        Folder {
            config_files: files.iter().map(|file| (*file).to_owned()).collect(),
            ..Folder::default()
        }
    }

    #[test]
    fn the_least_invasive_way_that_holds_is_taken() {
        assert_eq!(way(&folder(&["compose.yaml"])), Ok(How::Override));
        let mut user = folder(&["compose.yaml", "compose.override.yaml"]);
        user.user_override = Some("compose.override.yaml".to_owned());
        assert_eq!(way(&user), Ok(How::Env));
        user.env_is_env_file = true;
        assert_eq!(way(&user), Err(CannotPin::EnvReachesContainers));
        user.env_is_env_file = false;
        user.env_file = Some(EnvFile {
            linked: true,
            ..EnvFile::default()
        });
        assert_eq!(way(&user), Err(CannotPin::EnvIsShared));
        let explicit = folder(&["docker-compose.yml", "docker-compose.prod.yml"]);
        assert_eq!(way(&explicit), Err(CannotPin::ExplicitFiles));
        let mut set = folder(&["compose.yaml"]);
        set.env_file = Some(EnvFile {
            sets_compose_file: true,
            ..EnvFile::default()
        });
        assert_eq!(way(&set), Err(CannotPin::ComposeFileSet));
        assert_eq!(way(&folder(&["stack.yml"])), Err(CannotPin::ExplicitFiles));
    }

    fn own_text(plan: &PinPlan) -> Option<&str> {
        plan.changes.iter().find_map(|change| match change {
            FileChange::Own { after, .. } => after.as_deref(),
            _ => None,
        })
    }

    #[test]
    fn a_second_pin_extends_our_file_and_the_last_unpin_deletes_it() {
        let mut folder = folder(&["docker-compose.yml"]);
        let one = set(&folder, entry("web")).unwrap();
        assert!(own_text(&one).unwrap().starts_with(MARKER));
        folder.own_override = own_text(&one).map(str::to_owned);
        let mut built = entry("api");
        built.builds = true;
        let two = set(&folder, built.clone()).unwrap();
        assert_eq!(entries(own_text(&two).unwrap()), [built, entry("web")]);
        folder.own_override = own_text(&two).map(str::to_owned);
        assert_eq!(lift(&folder, "other").unwrap(), None);
        let one_again = lift(&folder, "api").unwrap().unwrap();
        assert_eq!(own_text(&one_again), own_text(&one));
        folder.own_override = own_text(&one_again).map(str::to_owned);
        assert_eq!(own_text(&lift(&folder, "web").unwrap().unwrap()), None);
    }

    #[test]
    fn beside_a_user_s_override_a_block_names_our_file() {
        let mut folder = folder(&["compose.yaml", "compose.override.yaml"]);
        folder.user_override = Some("compose.override.yaml".to_owned());
        folder.env_file = Some(EnvFile {
            open_end: true,
            separator: Some(";".to_owned()),
            ..EnvFile::default()
        });
        let plan = set(&folder, entry("web")).unwrap();
        let [FileChange::Own { .. }, FileChange::AddBlock(block)] = plan.changes.as_slice() else {
            panic!("{plan:?}");
        };
        assert!(block.line_end);
        assert!(
            block
                .text
                .contains("COMPOSE_FILE=compose.yaml;compose.override.yaml;homelab-tui.pin.yaml\n")
        );
        folder.own_pin_file = own_text(&plan).map(str::to_owned);
        folder.env_file.as_mut().unwrap().has_block = true;
        let second = set(&folder, entry("api")).unwrap();
        assert_eq!(second.changes.len(), 1, "the block stands already");
        let gone = lift(&folder, "web").unwrap().unwrap();
        assert_eq!(
            gone.changes[0],
            FileChange::RemoveBlock,
            "first the name, then the file"
        );
    }

    #[test]
    fn a_file_that_is_not_ours_is_never_touched() {
        let mut before = folder(&["compose.yaml"]);
        before.own_override = Some("services: {}\n".to_owned());
        assert!(matches!(
            set(&before, entry("web")),
            Err(CannotPin::NotOurs(_))
        ));
        let mut odd = entry("web");
        odd.service = "a\": {x: y}\n".to_owned();
        assert!(matches!(
            set(&folder(&["compose.yaml"]), odd),
            Err(CannotPin::Unwritable(_))
        ));
    }
}
