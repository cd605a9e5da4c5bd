//! The configuration file: YAML in, settings out, and for everything that is wrong its place and what would be right.
//!
//! One bad entry takes only itself down. YAML ends here; the rest of the program knows [`Settings`] alone.

pub mod append;
mod check;
mod convert;
pub mod example;
mod forms;
pub mod keys;
mod problem;
pub mod reference;
pub mod schema;
mod tree;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use convert::Vocabulary;
pub use forms::is_host_name;
pub use problem::{Problem, Weight};

use self::convert::{Base, Converter};
use self::problem::Problems;
use self::tree::Place;
use crate::core::host::HostSpec;
use crate::core::settings::Settings;

/// A configuration is written by hand; a larger file is another one.
const LARGEST: u64 = 1 << 20;

const SHOW_EXAMPLE: &str = "`homelab-tui config example` prints a file that is right";

/// The settings, and what had to be left out of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub settings: Settings,
    pub problems: Vec<Problem>,
}

/// The reason why a file gives no settings at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("failed to read the configuration {}: {error}; {}", path.display(), remedy(error))]
    Io { path: PathBuf, error: io::Error },
    #[error("failed to read the configuration {}: larger than 1 MB; {SHOW_EXAMPLE}", path.display())]
    TooLarge { path: PathBuf },
    #[error("failed to read the configuration: {0}")]
    NotYaml(Problem),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "give another file with -c, or write `homelab-tui config example` to it"
        }
        io::ErrorKind::PermissionDenied => "its rights must let you read it",
        _ => "give another file with -c",
    }
}

/// Reads a file and adds the hosts of the command line, which replace those of the same name.
pub fn load(
    path: &Path,
    extra_hosts: &[HostSpec],
    vocabulary: Vocabulary<'_>,
) -> Result<Loaded, Unreadable> {
    let failed = |error| Unreadable::Io {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::TooLarge {
            path: path.to_owned(),
        });
    }
    let name = path.display().to_string();
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| not_text(&name, &bytes, error.valid_up_to()))?;
    let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned());
    let base = Base {
        folder: path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty()),
        home: home.as_deref(),
    };
    read(&name, text, base, extra_hosts, vocabulary)
}

/// Returns the settings of no file: the defaults and the hosts of the command line.
pub fn without_file(extra_hosts: &[HostSpec]) -> Settings {
    Settings {
        hosts: extra_hosts.to_vec(),
        ..Settings::default()
    }
}

fn read(
    name: &str,
    text: &str,
    base: Base<'_>,
    extra_hosts: &[HostSpec],
    vocabulary: Vocabulary<'_>,
) -> Result<Loaded, Unreadable> {
    let mut problems = Problems::of_file(name);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = tree::parse(text).map_err(|error| {
        let what = format!("this is not YAML: {}", error.what);
        only(Problems::of_file(name), error.place, what)
    })?;
    if !matches!(
        document.content,
        tree::Content::Map(_) | tree::Content::Nothing
    ) {
        let what = format!(
            "{} where the configuration's map should be",
            document.content.word()
        );
        return Err(only(problems, document.place, what));
    }
    let (root, _) = check::fields(&document, &keys::ROOT, &mut problems);
    let settings = Converter {
        extra_hosts,
        vocabulary,
        base,
        problems: &mut problems,
    }
    .settings(&root);
    Ok(Loaded {
        settings,
        problems: problems.into_sorted(),
    })
}

fn not_text(name: &str, bytes: &[u8], end: usize) -> Unreadable {
    let before = &bytes[..end];
    let line = before
        .split(|byte| *byte == b'\n')
        .next_back()
        .unwrap_or_default();
    let place = Place {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: String::from_utf8_lossy(line).chars().count() + 1,
    };
    only(
        Problems::of_file(name),
        place,
        "this is not UTF-8 text".to_owned(),
    )
}

fn only(mut problems: Problems, place: Place, what: String) -> Unreadable {
    problems.note(place, what, SHOW_EXAMPLE);
    let mut list = problems.into_sorted();
    Unreadable::NotYaml(list.remove(0))
}

#[cfg(test)]
mod tests;
