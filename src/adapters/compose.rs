//! Which compose a host has, and the shortest way to have it render something.
//!
//! `docker compose` starts three programs: the docker command, the plugin that is asked what it is, and the plugin again.
//! The plugin started by itself renders the same and takes a third of the time, which on a small machine is a second for
//! each project. Whatever changes something goes through `docker compose` all the same, as its operator would call it.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::core::files::FilesState;
use crate::core::names::ProjectName;
use crate::core::text::clean_within;

use super::shell::{Limits, Outcome, Place, join, quote};

const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    bytes: 64 * 1024,
};
const NO_COMPOSE: i32 = 72;

/// For how long a host's compose is taken to be the one that it was.
const SAME_COMPOSE: Duration = Duration::from_secs(30 * 60);

/// What a host's compose is and how it is called to render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub version: String,
    pub words: Vec<String>,
}

/// The compose of a host, asked once for all of its projects: on a small machine each start of it costs.
#[derive(Debug, Default)]
pub struct Compose(Mutex<Option<(Instant, Found)>>);

impl Compose {
    /// Returns what was found, or why there is none.
    ///
    /// # Errors
    /// Says what is to be told of the files that cannot be rendered now.
    pub async fn found(&self, place: &Place, docker: &[String]) -> Result<Found, FilesState> {
        let mut kept = self.0.lock().await;
        if let Some((at, found)) = kept.as_ref()
            && at.elapsed() < SAME_COMPOSE
        {
            return Ok(found.clone());
        }
        *kept = None;
        match place.run(&script(docker), LIMITS).await {
            Ok(outcome) => {
                let found = read(&outcome, docker)?;
                *kept = Some((Instant::now(), found.clone()));
                Ok(found)
            }
            Err(error) => Err(FilesState::Unknown(error.to_string())),
        }
    }

    /// Returns how it is called to render something; as docker calls it where nothing better is known.
    pub async fn words(&self, place: &Place, docker: &[String]) -> Vec<String> {
        match self.found(place, docker).await {
            Ok(found) => found.words,
            Err(_) => by_docker(docker),
        }
    }

    /// Has it looked for anew.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

/// Asks for the version, and looks for the plugin where docker does, in docker's order.
///
/// Only one that tells the same version is believed to be the one that docker starts. Behind sudo, or where folders of
/// plugins are configured, docker itself is left to find it.
fn script(docker: &[String]) -> String {
    let compose = join(docker);
    let mut text = format!(
        "v=$({compose} compose version --short) || exit {NO_COMPOSE}\nprintf '%s\\n' \"$v\"\n"
    );
    if by_itself(docker, "").is_some() {
        text.push_str(
            r#"own=${DOCKER_CONFIG:-$HOME/.docker}
grep -qs cliPluginsExtraDirs "$own/config.json" && exit 0
for d in "$own/cli-plugins" /usr/local/lib/docker/cli-plugins /usr/local/libexec/docker/cli-plugins /usr/lib/docker/cli-plugins /usr/libexec/docker/cli-plugins; do
[ -x "$d/docker-compose" ] || continue
[ "$("$d/docker-compose" version --short 2>/dev/null)" != "$v" ] || echo "$d/docker-compose"
break
done
exit 0"#,
        );
    }
    text
}

/// Returns how the plugin is called by itself, where it can be: the engine that the docker command names goes with it.
fn by_itself(docker: &[String], plugin: &str) -> Option<Vec<String>> {
    let plugin = plugin.to_owned();
    match docker {
        [docker] if docker == "docker" => Some(vec![plugin]),
        // Not by a variable, which the files might read.
        [docker, option, engine] if docker == "docker" && option == "-H" => {
            Some(vec![plugin, option.clone(), engine.clone()])
        }
        _ => None,
    }
}

/// Returns the option that names a project, for a shell.
///
/// It is one word: started by itself, the plugin takes a word `compose` that stands alone for its own name.
pub fn named(project: &ProjectName) -> String {
    quote(&format!("--project-name={}", project.as_str()))
}

/// Reads what the script wrote.
fn read(outcome: &Outcome, docker: &[String]) -> Result<Found, FilesState> {
    let reason = last_words(&outcome.stderr);
    match outcome.code {
        0 => {}
        NO_COMPOSE => return Err(FilesState::NoCompose(no_compose(&reason))),
        code => {
            return Err(FilesState::Unknown(format!(
                "the shell ended with {code}: {reason}"
            )));
        }
    }
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let mut lines = stdout
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let version = match lines.next().map(|line| line.trim_start_matches('v')) {
        None | Some("") => {
            return Err(FilesState::Unknown(
                "the host's compose does not tell its version".to_owned(),
            ));
        }
        Some(version) => clean_within(version, 60),
    };
    let plugin = lines.next().filter(|line| line.starts_with('/'));
    let words = plugin.and_then(|plugin| by_itself(docker, plugin));
    Ok(Found {
        version,
        words: words.unwrap_or_else(|| by_docker(docker)),
    })
}

fn by_docker(docker: &[String]) -> Vec<String> {
    let mut words = docker.to_vec();
    words.push("compose".to_owned());
    words
}

fn no_compose(reason: &str) -> String {
    let lower = reason.to_lowercase();
    if lower.contains("password is required") || lower.contains("permission denied") {
        return format!(
            "docker compose may not be run on the host: {reason}; let this login run it without a password"
        );
    }
    format!("there is no docker compose v2 on the host ({reason}); install the compose plugin")
}

/// Returns the last line, which is where compose says why it failed.
pub(super) fn last_words(stderr: &str) -> String {
    let line = stderr.lines().rev().find(|line| !line.trim().is_empty());
    clean_within(line.unwrap_or("no reason given").trim(), 300)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn outcome(code: i32, stdout: &str, stderr: &str) -> Outcome {
        Outcome {
            stdout: stdout.as_bytes().to_vec(),
            stderr: stderr.to_owned(),
            code,
        }
    }

    fn words(docker: &str, told: &str) -> String {
        let docker: Vec<String> = docker.split(' ').map(str::to_owned).collect();
        let found = read(&outcome(0, told, ""), &docker).unwrap();
        assert_eq!(found.version, "2.26.1");
        found.words.join(" ")
    }

    #[test]
    fn the_plugin_is_started_by_itself_where_it_was_found() {
        let told = "v2.26.1\n/usr/libexec/docker/cli-plugins/docker-compose\n";
        assert_eq!(
            words("docker", told),
            "/usr/libexec/docker/cli-plugins/docker-compose"
        );
        assert_eq!(
            words("docker -H unix:///run/user/1000/docker.sock", told),
            "/usr/libexec/docker/cli-plugins/docker-compose -H unix:///run/user/1000/docker.sock"
        );
        assert_eq!(words("docker", "2.26.1\n"), "docker compose");
    }

    #[test]
    fn behind_sudo_docker_finds_its_own() {
        let sudo = ["sudo", "-n", "docker"].map(str::to_owned);
        assert!(!script(&sudo).contains("cli-plugins"));
        let told = "2.26.1\n/usr/libexec/docker/cli-plugins/docker-compose\n";
        assert_eq!(words("sudo -n docker", told), "sudo -n docker compose");
    }

    #[test]
    fn no_compose_and_no_version_are_told() {
        let docker = ["docker".to_owned()];
        let missing = outcome(72, "", "docker: 'compose' is not a docker command.");
        assert!(matches!(
            read(&missing, &docker),
            Err(FilesState::NoCompose(why)) if why.contains("install the compose plugin")
                && why.contains("'compose' is not a docker command")
        ));
        for (code, told) in [(0, " \n"), (9, "")] {
            let state = read(&outcome(code, told, ""), &docker);
            assert!(matches!(state, Err(FilesState::Unknown(_))));
        }
    }

    /// Programs that stand in for docker and for a plugin that tells a version of its own.
    #[cfg(unix)]
    #[tokio::test]
    async fn only_a_plugin_of_the_same_version_is_believed() {
        use std::fs;
        use std::os::unix::fs::PermissionsExt;
        for (plugin, by_itself) in [("2.26.1", true), ("2.10.0", false)] {
            let own = format!("homelab-tui-compose-{}-{plugin}", std::process::id());
            let folder = std::env::temp_dir().join(own);
            let program = |name: &str, text: &str| {
                let path = folder.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, format!("#!/bin/sh\necho {text}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
                path
            };
            let docker = program("docker", "2.26.1");
            let own = program("own/cli-plugins/docker-compose", plugin);
            let text = script(&["docker".to_owned()]).replace(
                "docker compose version",
                &format!("{} compose version", docker.display()),
            );
            let text = format!("DOCKER_CONFIG={}/own\n{text}", folder.display());
            let outcome = Place::Here.run(&text, LIMITS).await.unwrap();
            let found = read(&outcome, &["docker".to_owned()]).unwrap();
            let itself = vec![own.display().to_string()];
            fs::remove_dir_all(&folder).unwrap();
            assert_eq!(found.words == itself, by_itself, "{found:?}");
        }
    }
}
