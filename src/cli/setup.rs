//! From flags, environment and file to the settings that hold: a flag wins over the environment, that over the file.

use std::path::{Path, PathBuf};

use super::arguments::General;
use super::themes::Themes;
use crate::adapters::config::{self, Problem, Unreadable, Vocabulary};
use crate::adapters::paths::Paths;
use crate::app::commands::COMMANDS;
use crate::app::keys::Key;
use crate::core::host::{Address, HostSpec};
use crate::core::settings::Settings;

/// The name of the host that is shown where none is configured.
const THIS_MACHINE: &str = "local";

/// Everything a command needs to begin.
#[derive(Debug)]
pub struct Setup {
    pub settings: Settings,
    /// What had to be left out of the configuration.
    pub problems: Vec<Problem>,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
}

/// Where the configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Given by flag or environment: it must be there.
    Given(PathBuf),
    /// The usual place, where nothing needs to be.
    Usual(PathBuf),
    /// There is no usual place, as this user has no home.
    Nowhere,
}

impl Place {
    /// Finds the configuration's place.
    pub fn find(general: &General, paths: &Paths) -> Self {
        // An empty variable is one that somebody meant to unset.
        let given = general
            .config
            .clone()
            .filter(|path| !path.as_os_str().is_empty());
        match (given, paths.config_file()) {
            (Some(path), _) => Self::Given(path),
            (None, Some(path)) => Self::Usual(path),
            (None, None) => Self::Nowhere,
        }
    }

    /// Returns the path, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Given(path) | Self::Usual(path) => Some(path),
            Self::Nowhere => None,
        }
    }

    /// Tells whether a file has to be read: it was asked for, or it is there.
    fn is_to_be_read(&self) -> bool {
        match self {
            Self::Given(_) => true,
            Self::Usual(path) => path.symlink_metadata().is_ok(),
            Self::Nowhere => false,
        }
    }
}

/// Reads the configuration and lets the flags have the last word.
pub fn setup(general: &General, paths: &Paths) -> Result<Setup, Unreadable> {
    let extra: Vec<HostSpec> = general.hosts.iter().fold(Vec::new(), |mut hosts, host| {
        hosts.retain(|known: &HostSpec| known.name != host.0.name);
        hosts.push(host.0.clone());
        hosts
    });
    let place = Place::find(general, paths);
    let (mut settings, problems, file) = match place.path().filter(|_| place.is_to_be_read()) {
        Some(path) => {
            let loaded = load(path, &extra, &Themes::find(paths).names())?;
            (loaded.settings, loaded.problems, Some(path.to_owned()))
        }
        None => (config::without_file(&extra), Vec::new(), None),
    };
    flags(&mut settings, general);
    if settings.hosts.is_empty() && problems.is_empty() && has_engine() {
        settings
            .hosts
            .push(HostSpec::new(THIS_MACHINE.into(), Address::Local));
    }
    Ok(Setup {
        settings,
        problems,
        file,
    })
}

/// Lets the flags have the last word on settings.
pub fn flags(settings: &mut Settings, general: &General) {
    settings.read_only |= general.read_only;
    settings.wall |= general.wall;
    if let Some(theme) = &general.theme {
        settings.theme.clone_from(theme);
    }
    if let Some(glyphs) = general.glyphs() {
        settings.glyphs = glyphs;
    }
}

/// Reads a file, checked against the commands that there are.
fn load(path: &Path, extra: &[HostSpec], themes: &[String]) -> Result<config::Loaded, Unreadable> {
    let commands: Vec<&str> = COMMANDS.iter().map(|command| command.id).collect();
    let vocabulary = Vocabulary {
        commands: &commands,
        themes,
        bad_key: Some(bad_key),
    };
    config::load(path, extra, vocabulary)
}

fn bad_key(text: &str) -> Option<String> {
    text.parse::<Key>().err().map(|error| {
        let wanted = error.split_once("expected ").map(|(_, wanted)| wanted);
        format!("expected {}", wanted.unwrap_or("a key"))
    })
}

/// Tells whether this machine seems to have an engine of its own.
fn has_engine() -> bool {
    let sockets = [
        Some(PathBuf::from("/var/run/docker.sock")),
        std::env::var_os("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("docker.sock")),
    ];
    std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty())
        || sockets.into_iter().flatten().any(|socket| socket.exists())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::Parser;

    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::cli::arguments::Arguments;
    use crate::core::settings::Glyphs;

    fn general(line: &[&str]) -> General {
        let line = ["x"].iter().chain(line).chain(&["keys"]);
        Arguments::try_parse_from(line).unwrap().general
    }

    #[test]
    fn flags_win_over_the_file() {
        let scratch = Scratch::create();
        let file = scratch.path().join("c.yaml");
        std::fs::write(
            &file,
            "theme: dawn\nglyphs: console\nhosts: [{name: a, address: ssh://a}]\n",
        )
        .unwrap();
        let path = file.to_str().unwrap();
        let paths = Paths::below(scratch.path());

        let plain = setup(&general(&["-c", path]), &paths).unwrap();
        assert_eq!(plain.settings.theme, "dawn");
        assert_eq!(plain.settings.glyphs, Glyphs::Console);
        assert!(!plain.settings.read_only);

        let flags = [
            "-c",
            path,
            "--theme",
            "mono",
            "--ascii",
            "--read-only",
            "-H",
            "a=local",
            "-H",
            "b=local",
            "-H",
            "b=ssh://b",
        ];
        let flagged = setup(&general(&flags), &paths).unwrap();
        assert_eq!(flagged.settings.theme, "mono");
        assert_eq!(flagged.settings.glyphs, Glyphs::Ascii);
        assert!(flagged.settings.read_only);
        let addresses: Vec<_> = flagged
            .settings
            .hosts
            .iter()
            .map(|host| host.address.to_string())
            .collect();
        assert_eq!(addresses, ["local", "ssh://b"]);
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there_and_the_usual_one_need_not() {
        let scratch = Scratch::create();
        let paths = Paths::below(scratch.path());
        let absent = scratch.path().join("absent.yaml");
        assert!(setup(&general(&["-c", absent.to_str().unwrap()]), &paths).is_err());

        let usual = setup(&general(&["-H", "a=local"]), &paths).unwrap();
        assert_eq!(usual.file, None);
        assert_eq!(usual.settings.hosts.len(), 1);
    }
}
