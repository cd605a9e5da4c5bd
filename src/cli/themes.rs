//! The themes that there are: those that come with the program, and own ones in the configuration's folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output::{Failed, Output};
use super::table::Table;
use crate::adapters::paths::Paths;
use crate::adapters::theme as file;
use crate::core::nearest::nearest;
use crate::ui::theme::{BUILT_IN, Theme};

/// A theme is a handful of lines; a larger file is something else.
const LARGEST: u64 = 64 << 10;

/// Where a theme comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    BuiltIn(&'static str),
    File(PathBuf),
}

/// All themes by name; an own one takes the place of a built-in one.
#[derive(Debug, Clone, Default)]
pub struct Themes {
    by_name: BTreeMap<String, Source>,
    /// Why the folder of own themes could not be read.
    trouble: Option<String>,
}

impl Themes {
    /// Finds the themes of the present user; no file is opened.
    pub fn find(paths: &Paths) -> Self {
        let mut themes = Self::default();
        for (name, text) in BUILT_IN {
            themes
                .by_name
                .insert(name.to_owned(), Source::BuiltIn(text));
        }
        let Some(folder) = paths.config.as_ref().map(|folder| folder.join("themes")) else {
            return themes;
        };
        match files(&folder) {
            Ok(files) => {
                for (name, path) in files {
                    themes.by_name.insert(name, Source::File(path));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                themes.trouble = Some(format!(
                    "failed to read the themes in {}: {error}",
                    folder.display()
                ));
            }
        }
        themes
    }

    /// Returns the names of all themes.
    pub fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }

    /// Loads a theme by its name.
    pub fn load(&self, name: &str) -> Result<Theme, String> {
        let Some(source) = self.by_name.get(name) else {
            let names = self.by_name.keys().map(String::as_str);
            return Err(match nearest(name, names) {
                Some(near) => format!("there is no theme {name:?}; did you mean {near}?"),
                None => format!(
                    "there is no theme {name:?}; there is {}",
                    self.names().join(", ")
                ),
            });
        };
        let text = match source {
            Source::BuiltIn(text) => (*text).to_owned(),
            Source::File(path) => read(path)
                .map_err(|error| format!("failed to read the theme {}: {error}", path.display()))?,
        };
        let roles = file::parse(name, &text).map_err(|error| error.to_string())?;
        Theme::new(name, &roles).map_err(|error| error.to_string())
    }
}

/// Prints every theme, where it comes from, and what is wrong with it.
pub fn run(themes: &Themes, output: &mut Output<'_>) -> Result<Exit, Failed> {
    if let Some(trouble) = &themes.trouble {
        output.say(trouble);
    }
    let mut table = Table::new(["THEME", "FROM", "PROBLEM"]);
    for (name, source) in &themes.by_name {
        let from = match source {
            Source::BuiltIn(_) => "built in".to_owned(),
            Source::File(path) => path.display().to_string(),
        };
        table.row([
            name.clone(),
            from,
            themes.load(name).err().unwrap_or_default(),
        ]);
    }
    output.text(&table.render())?;
    Ok(Exit::Done)
}

fn files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if let Some(name) = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|_| is_yaml)
        {
            files.push((name.to_owned(), path.clone()));
        }
    }
    Ok(files)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::create_private_folder;
    use crate::adapters::paths::scratch::Scratch;

    #[test]
    fn own_themes_stand_beside_and_before_the_built_in_ones() {
        let scratch = Scratch::create();
        let paths = Paths::below(scratch.path());
        let folder = scratch.path().join("config/themes");
        assert!(Themes::find(&paths).load("dusk").is_ok());

        create_private_folder(&folder).unwrap();
        let (_, dusk) = BUILT_IN[0];
        std::fs::write(folder.join("mine.yaml"), dusk).unwrap();
        std::fs::write(folder.join("dusk.yaml"), "text: [").unwrap();
        std::fs::write(folder.join("notes.txt"), "x").unwrap();
        let themes = Themes::find(&paths);
        assert_eq!(themes.names().len(), BUILT_IN.len() + 1);
        assert_eq!(themes.load("mine").unwrap().name, "mine");
        assert!(themes.load("dusk").unwrap_err().contains("theme dusk"));
        assert!(
            themes
                .load("mien")
                .unwrap_err()
                .contains("did you mean mine?")
        );

        let (mut out, mut err) = (Vec::new(), Vec::new());
        run(&themes, &mut Output::new(&mut out, &mut err)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("mine"), "{text}");
        assert!(
            text.lines()
                .any(|line| line.starts_with("dusk") && line.contains("expected")),
            "{text}"
        );
    }
}
