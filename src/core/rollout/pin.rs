//! Pins: where they are written, so that they hold and can be taken back byte by byte.
//!
//! The texts of files are values here; writing them is the job's.

use serde::{Deserialize, Serialize};

/// The first line of every file that this program makes beside compose files.
pub const MARKER: &str = "# homelab-tui pin (remove with: homelab-tui unpin)";
/// The line before our block in `.env`.
pub const BLOCK_BEGIN: &str = "# homelab-tui pin begin";
/// The line after our block in `.env`.
pub const BLOCK_END: &str = "# homelab-tui pin end";
/// The override file that is made where there is none.
pub const OVERRIDE_FILE: &str = "compose.override.yaml";
/// The file that holds pins where an override file exists already.
pub const PIN_FILE: &str = "homelab-tui.pin.yaml";

/// Names under which compose reads an override file, in its order.
pub const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Names under which compose finds a project's one file.
pub const DEFAULT_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

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
    /// The text of `.env`, if it is there.
    pub env_file: Option<String>,
    /// Whether the project is run with another environment file, which hides `.env`.
    pub other_env_file: bool,
    /// Whether COMPOSE_FILE stands in the login's environment.
    pub compose_file_in_environment: bool,
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

/// One file as it shall be; no text means that it shall not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// The changes that set or lift a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinPlan {
    pub how: How,
    /// In the order in which they are written; undone in the reverse order.
    pub changes: Vec<FileChange>,
}

/// One pinned service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    pub service: String,
    /// The reference that is written, by digest where the image has one.
    pub image: String,
    /// Whether the files build the service, so that the build has to be taken out.
    pub builds: bool,
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
    let own_block = folder
        .env_file
        .as_deref()
        .is_some_and(|text| block(text).is_some());
    let sets_compose_file = folder.env_file.as_deref().is_some_and(|text| {
        without_block(text).lines().any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            line.split('=')
                .next()
                .is_some_and(|name| name.trim() == "COMPOSE_FILE")
        })
    });
    if sets_compose_file {
        return Err(CannotPin::ComposeFileSet);
    }
    if own_block {
        return Ok(How::Env);
    }
    let users: Vec<&String> = folder
        .config_files
        .iter()
        .filter(|file| *file != OVERRIDE_FILE || folder.own_override.is_none())
        .filter(|file| *file != PIN_FILE)
        .collect();
    let default_only = match users.as_slice() {
        [one] => DEFAULT_NAMES.contains(&one.as_str()),
        [one, two] => {
            DEFAULT_NAMES.contains(&one.as_str()) && folder.user_override.as_ref() == Some(two)
        }
        _ => false,
    };
    if !default_only {
        return Err(CannotPin::ExplicitFiles);
    }
    if folder.user_override.is_none() {
        return Ok(How::Override);
    }
    if folder.other_env_file {
        return Err(CannotPin::ExplicitFiles);
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
    let file = FileChange {
        name: name.to_owned(),
        before: own.clone(),
        after: text.clone(),
    };
    let mut changes = vec![file];
    if how == How::Env {
        let before = folder.env_file.clone();
        let after = match &text {
            Some(_) => Some(with_block(before.as_deref(), &folder.config_files)),
            None => before.as_deref().and_then(lifted),
        };
        if before != after {
            let block = FileChange {
                name: ".env".to_owned(),
                before,
                after,
            };
            // What names a file is written after it and taken away before it.
            let place = if text.is_some() { 1 } else { 0 };
            changes.insert(place, block);
        }
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
        text.push_str(&format!("    image: \"{}\"\n", entry.image));
        text.push_str("    pull_policy: never\n");
        if entry.builds {
            text.push_str("    build: !reset null\n");
        }
    }
    Ok(text)
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
            });
        } else if let Some(entry) = entries.last_mut() {
            if let Some(image) = line.strip_prefix("    image: ") {
                entry.image = unquoted(image);
            } else if line.starts_with("    build: !reset") {
                entry.builds = true;
            }
        }
    }
    entries.retain(|entry| !entry.image.is_empty());
    entries
}

/// Finds our block: where it begins and ends, with the line break before it if that is ours too.
fn block(text: &str) -> Option<(usize, usize)> {
    let begin = text
        .match_indices(BLOCK_BEGIN)
        .map(|(at, _)| at)
        .find(|at| *at == 0 || text[..*at].ends_with('\n'))?;
    let end = begin + text[begin..].find(BLOCK_END)? + BLOCK_END.len();
    let end = if text[end..].starts_with('\n') {
        end + 1
    } else {
        end
    };
    Some((begin, end))
}

fn without_block(text: &str) -> String {
    match block(text) {
        Some((begin, end)) => format!("{}{}", &text[..begin], &text[end..]),
        None => text.to_owned(),
    }
}

/// The line inside our block that remembers that the file had no line end before it.
const NO_LINE_END: &str = "# (the file had no line end here)";
/// The line inside our block that remembers that there was no file before it.
const NO_FILE: &str = "# (there was no file here)";

fn with_block(before: Option<&str>, config_files: &[String]) -> String {
    if let Some(text) = before
        && block(text).is_some()
    {
        return text.to_owned();
    }
    let own = before.unwrap_or_default();
    let mut files: Vec<&str> = config_files.iter().map(String::as_str).collect();
    files.retain(|file| *file != PIN_FILE);
    files.push(PIN_FILE);
    let separator = separator(own);
    let mut text = own.to_owned();
    let note = match before {
        None => Some(NO_FILE),
        Some(own) if !own.is_empty() && !own.ends_with('\n') => {
            text.push('\n');
            Some(NO_LINE_END)
        }
        Some(_) => None,
    };
    text.push_str(BLOCK_BEGIN);
    text.push('\n');
    if let Some(note) = note {
        text.push_str(note);
        text.push('\n');
    }
    text.push_str(&format!(
        "COMPOSE_FILE={}\n{BLOCK_END}\n",
        files.join(&separator)
    ));
    text
}

/// Takes our block out; nothing remains where there was no file before it.
fn lifted(text: &str) -> Option<String> {
    let Some((begin, end)) = block(text) else {
        return Some(text.to_owned());
    };
    let ours = &text[begin..end];
    let (head, tail) = (&text[..begin], &text[end..]);
    if ours.contains(NO_FILE) && head.is_empty() && tail.is_empty() {
        return None;
    }
    let head = if ours.contains(NO_LINE_END) && tail.is_empty() {
        head.strip_suffix('\n').unwrap_or(head)
    } else {
        head
    };
    Some(format!("{head}{tail}"))
}

/// Returns what separates files in COMPOSE_FILE, as the same `.env` may say.
fn separator(env_file: &str) -> String {
    env_file
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("COMPOSE_PATH_SEPARATOR="))
        .next_back()
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| ":".to_owned())
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
        }
    }

    fn folder(files: &[&str]) -> Folder {
        Folder {
            config_files: files.iter().map(|file| (*file).to_owned()).collect(),
            ..Folder::default()
        }
    }

    /// Applies a plan's changes to the folder's files.
    fn apply(folder: &Folder, plan: &PinPlan) -> Folder {
        let mut after = folder.clone();
        for change in &plan.changes {
            match change.name.as_str() {
                OVERRIDE_FILE => after.own_override.clone_from(&change.after),
                PIN_FILE => after.own_pin_file.clone_from(&change.after),
                ".env" => after.env_file.clone_from(&change.after),
                other => panic!("{other}"),
            }
        }
        after
    }

    #[test]
    fn the_least_invasive_way_that_holds_is_taken() {
        assert_eq!(way(&folder(&["compose.yaml"])), Ok(How::Override));
        let mut user = folder(&["compose.yaml", "compose.override.yaml"]);
        user.user_override = Some("compose.override.yaml".to_owned());
        assert_eq!(way(&user), Ok(How::Env));
        let explicit = folder(&["docker-compose.yml", "docker-compose.prod.yml"]);
        assert_eq!(way(&explicit), Err(CannotPin::ExplicitFiles));
        let mut set = folder(&["compose.yaml"]);
        set.env_file = Some("A=1\nCOMPOSE_FILE=a:b\n".to_owned());
        assert_eq!(way(&set), Err(CannotPin::ComposeFileSet));
        assert_eq!(way(&folder(&["stack.yml"])), Err(CannotPin::ExplicitFiles));
    }

    #[test]
    fn lifting_gives_every_byte_back() {
        for env in [
            None,
            Some(""),
            Some("A=1\n"),
            Some("A=1"),
            Some("# set by the deploy script\nIMAGE_TAG=main-abc1234\nOTHER=\"a b\""),
            Some("\r\nA=1\r\n"),
        ] {
            let mut before = folder(&["compose.yaml", "compose.override.yaml"]);
            before.user_override = Some("compose.override.yaml".to_owned());
            before.env_file = env.map(str::to_owned);
            let pinned = apply(&before, &set(&before, entry("web")).unwrap());
            assert_ne!(pinned, before);
            assert!(pinned.env_file.as_deref().unwrap().contains(
                "COMPOSE_FILE=compose.yaml:compose.override.yaml:homelab-tui.pin.yaml\n"
            ));
            let two = apply(&pinned, &set(&pinned, entry("api")).unwrap());
            let one = apply(&two, &lift(&two, "api").unwrap().unwrap());
            assert_eq!(one, pinned, "{env:?}");
            let none = apply(&one, &lift(&one, "web").unwrap().unwrap());
            assert_eq!(none, before, "{env:?}");
        }
    }

    #[test]
    fn a_second_pin_extends_our_file_and_the_last_unpin_deletes_it() {
        let before = folder(&["docker-compose.yml"]);
        let one = apply(&before, &set(&before, entry("web")).unwrap());
        assert!(one.own_override.as_deref().unwrap().starts_with(MARKER));
        let mut built = entry("api");
        built.builds = true;
        let two = apply(&one, &set(&one, built.clone()).unwrap());
        assert_eq!(
            entries(two.own_override.as_deref().unwrap()),
            [built, entry("web")]
        );
        assert_eq!(lift(&two, "other").unwrap(), None);
        let one = apply(&two, &lift(&two, "api").unwrap().unwrap());
        let none = apply(&one, &lift(&one, "web").unwrap().unwrap());
        assert_eq!(none, before);
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
