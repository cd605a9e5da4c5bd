//! Which files compose reads of a project: those that are named to it, and those that it finds by itself.
//!
//! Plans, premises, pins and jobs all ask here. What the files hold is the host's to say.

use crate::core::files::Recipe;

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

/// What has compose render services of every profile: which ones were given when a service was started is written
/// nowhere, and a service that is named is brought up whatever its profile is.
pub const ALL_PROFILES: [&str; 2] = ["--profile", "*"];

/// Tells whether compose finds these files by itself, so that it reads an override file beside them too.
pub fn found_by_itself(names: &[&str]) -> bool {
    match names {
        [one] => DEFAULT_NAMES.contains(one),
        [one, two] => DEFAULT_NAMES.contains(one) && OVERRIDE_NAMES.contains(two),
        _ => false,
    }
}

/// Names a project's files for compose as they were named when it was started: not at all where compose finds them
/// itself, as only so is an override file read, and only so are the labels of new containers the same.
///
/// Files of pins are ours and come and go; compose finds them by itself.
pub fn arguments(recipe: &Recipe) -> Vec<String> {
    let names: Vec<&str> = recipe
        .config_files
        .iter()
        .map(|file| relative(&recipe.working_dir, file))
        .filter(|name| *name != PIN_FILE)
        .collect();
    let mut arguments: Vec<String> = Vec::new();
    if !found_by_itself(&names) {
        for name in names {
            arguments.extend(["-f".to_owned(), name.to_owned()]);
        }
    }
    for file in &recipe.environment_files {
        arguments.extend(["--env-file".to_owned(), file.clone()]);
    }
    arguments
}

/// Returns a file's name as seen from a folder.
pub fn relative<'a>(folder: &str, file: &'a str) -> &'a str {
    file.strip_prefix(folder.trim_end_matches('/'))
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(file)
}

/// Lists all files that decide what a project renders to, whether they are there or not.
pub fn deciding(recipe: &Recipe) -> Vec<String> {
    let folder = recipe.working_dir.trim_end_matches('/');
    let beside = OVERRIDE_NAMES.iter().chain(&[".env"]);
    let mut files: Vec<String> = recipe.config_files.clone();
    files.extend(beside.map(|name| format!("{folder}/{name}")));
    files.extend(recipe.environment_files.iter().cloned());
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(files: &[&str], environment_files: &[&str]) -> Recipe {
        Recipe {
            working_dir: "/srv/blog/".to_owned(),
            config_files: files.iter().map(|file| (*file).to_owned()).collect(),
            environment_files: environment_files
                .iter()
                .map(|file| (*file).to_owned())
                .collect(),
        }
    }

    #[test]
    fn files_are_named_only_where_compose_does_not_find_them() {
        let named = |files: &[&str]| arguments(&recipe(files, &[]));
        assert!(named(&["/srv/blog/compose.yml"]).is_empty());
        let both = ["/srv/blog/compose.yml", "/srv/blog/compose.override.yml"];
        assert!(named(&both).is_empty());
        assert_eq!(
            named(&["/srv/blog/compose.yml", "/srv/blog/prod.yml"]),
            ["-f", "compose.yml", "-f", "prod.yml"]
        );
        assert_eq!(named(&["/etc/blog.yml"]), ["-f", "/etc/blog.yml"]);
    }

    #[test]
    fn each_of_several_environment_files_is_named() {
        let recipe = recipe(&["/srv/blog/compose.yml"], &["/srv/a.env", "/srv/b.env"]);
        assert_eq!(
            arguments(&recipe),
            ["--env-file", "/srv/a.env", "--env-file", "/srv/b.env"]
        );
        let deciding = deciding(&recipe);
        assert!(deciding.contains(&"/srv/a.env".to_owned()));
        assert!(deciding.contains(&"/srv/b.env".to_owned()));
    }

    #[test]
    fn what_decides_is_each_file_once() {
        let files = ["/srv/blog/compose.yml", "/srv/blog/compose.override.yml"];
        let deciding = deciding(&recipe(&files, &["/srv/blog/.env"]));
        assert_eq!(
            deciding,
            [
                "/srv/blog/.env",
                "/srv/blog/compose.override.yaml",
                "/srv/blog/compose.override.yml",
                "/srv/blog/compose.yml",
                "/srv/blog/docker-compose.override.yaml",
                "/srv/blog/docker-compose.override.yml",
            ]
        );
    }
}
