//! A project's compose files as the host's own `docker compose` renders them.
//!
//! One script does it all in one round trip, after the compose itself was asked for once. Of the rendering only images, builds and hashes are kept; values of
//! variables stay on the host's pipe and in memory until the answer is read, and go nowhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::core::files::{FilesState, Recipe, Rendered, RenderedService};
use crate::core::history::Event;
use crate::core::names::{HostName, ProjectName};
use crate::core::pinned::{self, Found};
use crate::core::rollout::compose_files::{ALL_PROFILES, OVERRIDE_FILE, PIN_FILE};
use crate::core::rollout::pin::{BLOCK_BEGIN, BLOCK_END, MARKER};
use crate::core::text::clean_within;

use super::compose::{Compose, last_words, named};
use super::shell::{Limits, Outcome, Place, ScriptError, join, quote};

const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    bytes: 8 * 1024 * 1024,
};
/// The line between the parts of the script's output; JSON cannot hold it as a line.
const NEXT: &str = "homelab-tui-next";
/// How many bytes of a file of pins are read.
const PINS: usize = 65_536;
const NO_FOLDER: i32 = 70;
const NO_FILE: i32 = 71;
const NOT_RENDERED: i32 = 73;

/// Renders a project's files where they lie.
pub async fn render(
    place: &Place,
    docker: &[String],
    compose: &Compose,
    recipe: &Recipe,
    project: &ProjectName,
) -> FilesState {
    if recipe.config_files.iter().any(|file| file == "-") {
        return FilesState::Unreadable(
            "the project was started from standard input, which left no file".to_owned(),
        );
    }
    if recipe.config_files.is_empty() || recipe.working_dir.is_empty() {
        return FilesState::Unreadable("the containers' labels name no compose file".to_owned());
    }
    let found = match compose.found(place, docker).await {
        Ok(found) => found,
        Err(state) => return state,
    };
    let script = script(docker, &found.words, recipe, project);
    match place.run(&script, LIMITS).await {
        Ok(outcome) => {
            if outcome.code == NOT_RENDERED {
                // Perhaps because compose went away meanwhile.
                compose.forget().await;
            }
            read(&outcome, found.version, project, Timestamp::now())
        }
        Err(ScriptError::Large(_)) => {
            FilesState::Unreadable("the rendered files are larger than 8 MB".to_owned())
        }
        Err(error) => FilesState::Unknown(error.to_string()),
    }
}

/// Builds the script.
///
/// The hash that compose writes on containers is taken after env files and shared namespaces are resolved, while
/// `config --hash` takes it before. Rendering first, putting containers in the place of services whose namespaces are
/// shared, and hashing the outcome gives the same value (compose 2.26 and 2.40).
fn script(docker: &[String], compose: &[String], recipe: &Recipe, project: &ProjectName) -> String {
    let folder = quote(&recipe.working_dir);
    let files = join(&recipe.config_files);
    let (docker, compose) = (join(docker), join(compose));
    let mut common = format!(
        "{} --project-directory {folder} {}",
        named(project),
        join(&ALL_PROFILES)
    );
    for file in &recipe.environment_files {
        common.push_str(&format!(" --env-file {}", quote(file)));
    }
    let place = quote(&format!("/{}/", project.as_str()));
    let marker = quote(MARKER);
    let (begin, end) = (quote(BLOCK_BEGIN), quote(BLOCK_END));
    let label = format!(
        "--filter label=com.docker.compose.project={}",
        quote(project.as_str())
    );
    format!(
        r#"cd {folder} || exit {NO_FOLDER}
set --
for f in {files}; do
# A file that holds our pins is in the labels of what it started, and gone once the pins are lifted.
case ${{f##*/}} in {OVERRIDE_FILE}|{PIN_FILE}) test -e "$f" || continue ;; esac
test -r "$f" || {{ echo "$f"; exit {NO_FILE}; }}
set -- "$@" -f "$f"
done
j=$({compose} {common} "$@" config --format json) || exit {NOT_RENDERED}
printf '%s\n' "$j"
echo {NEXT}
for s in $(printf '%s' "$j" | grep -o '"service:[A-Za-z0-9._-]*"' | sort -u | tr -d '"' | cut -d: -f2); do
c=$({docker} ps -aq --no-trunc {label} --filter label=com.docker.compose.service="$s" | head -n 1)
j=$(printf '%s' "$j" | sed "s/\"service:$s\"/\"container:$c\"/")
done
from=$(printf '%s' "$j" | sed -n '/"volumes_from": \[/,/\]/{{ /[][]/d; s/[ ",]//g; p; }}' | sort -u)
for s in $from; do
case $s in container:*) c=${{s#*:}}; c=${{c%%:*}} ;; *) c=$({docker} ps -aq --no-trunc {label} --filter label=com.docker.compose.service="${{s%%:*}}" | head -n 1) ;; esac
j=$(printf '%s' "$j" | sed "/\"volumes_from\": \[/,/\]/ s/\"$s\"/\"$c\"/")
done
hashed() {{ {compose} {common} -f - config "$@" --hash '*' 2>/dev/null; }}
# Those that are containers by now are no services any more.
as_is="--no-consistency --no-normalize"
h=$(printf '%s' "$j" | hashed ${{from:+$as_is}})
printf '%s\n' "$h"
case $j in *'"depends_on": {{'*) k=" $(printf '%s' "$h" | tr ' \n' '= ') "
for l in $({docker} ps -a {label} --format '{{{{.Label "com.docker.compose.service"}}}}={{{{.Label "com.docker.compose.config-hash"}}}}' | sort -u); do
case $k in *" $l "*) continue ;; esac
printf '%s' "$j" | sed '/^      "depends_on": {{$/,/^      }}/d' | hashed $as_is | sed 's/^/alone /'
break
done ;; esac
echo; echo {NEXT}
[ ! -f {OVERRIDE_FILE} ] || [ "$(head -n 1 {OVERRIDE_FILE})" != {marker} ] || head -c {PINS} {OVERRIDE_FILE}
echo; echo {NEXT}
[ ! -f {PIN_FILE} ] || head -c {PINS} {PIN_FILE}
echo; echo {NEXT}
[ -f .env ] && grep -qxF {begin} .env && grep -qxF {end} .env && echo block
grep -F {place} "$HOME/.local/state/homelab-tui/host/journal.jsonl" 2>/dev/null | grep '"outcome":"succeeded"' | grep -E '"action":"(pin|unpin|rollback|update)"' | tail -n 60
exit 0"#
    )
}

/// Reads what the script wrote.
fn read(
    outcome: &Outcome,
    compose_version: String,
    project: &ProjectName,
    at: Timestamp,
) -> FilesState {
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let reason = last_words(&outcome.stderr);
    match outcome.code {
        0 => {}
        NO_FOLDER => {
            return FilesState::Unreadable(format!(
                "the project's folder is gone or closed to this login ({reason}): bring it back, or start the project from where it is now"
            ));
        }
        NO_FILE => {
            let file = clean_within(stdout.trim(), 200);
            return FilesState::Unreadable(format!("{file} is not there or cannot be read"));
        }
        NOT_RENDERED => return FilesState::Unreadable(reason),
        code => return FilesState::Unknown(format!("the shell ended with {code}: {reason}")),
    }
    let next = format!("{NEXT}\n");
    let mut parts = stdout.splitn(5, next.as_str());
    let (Some(json), Some(hashes)) = (parts.next(), parts.next()) else {
        return FilesState::Unknown("the host's compose gave no whole answer".to_owned());
    };
    let config: Config = match serde_json::from_str(json) {
        Ok(config) => config,
        Err(error) => {
            // The error's text may quote values; its place does not.
            return FilesState::Unknown(format!(
                "the rendered files cannot be read at line {}",
                error.line()
            ));
        }
    };
    let hashes: BTreeMap<&str, &str> = hashes
        .lines()
        .filter_map(|line| line.trim().rsplit_once(' '))
        .collect();
    let mut rest = || parts.next().unwrap_or_default();
    let (own_override, own_pin_file, journal) = (rest(), rest(), rest());
    let found = Found {
        own_override,
        own_pin_file,
        has_block: journal.lines().any(|line| line == "block"),
    };
    let here = HostName::from("-");
    let journal: Vec<Event> = journal
        .lines()
        .filter_map(|line| Event::of_host(&here, line))
        .filter(|event| event.target.split('/').nth(1) == Some(project.as_str()))
        .collect();
    let services = config.services.unwrap_or_default();
    FilesState::Rendered(Rendered {
        at,
        compose_version,
        services: services
            .into_iter()
            .map(|(name, service)| {
                let hash = |name: &str| hashes.get(name).map(|hash| (*hash).to_owned());
                let rendered = RenderedService {
                    hash: hash(&name),
                    hash_alone: hash(&format!("alone {name}")),
                    image: service.image,
                    builds: service.build.is_some(),
                };
                (name, rendered)
            })
            .collect(),
        pins: pinned::pins(found, &journal),
    })
}

/// What is read of a rendered file; all else is skipped.
#[derive(Deserialize)]
struct Config {
    services: Option<BTreeMap<String, Service>>,
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
    build: Option<serde::de::IgnoredAny>,
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

    fn recipe(files: &[&str]) -> Recipe {
        Recipe {
            working_dir: "/srv/my blog".to_owned(),
            config_files: files.iter().map(|file| (*file).to_owned()).collect(),
            environment_files: vec!["/srv/prod.env".to_owned()],
        }
    }

    #[test]
    fn images_builds_and_hashes_are_kept_and_values_are_not() {
        let state = read(
            &outcome(
                0,
                "{\"name\":\"blog\",\"services\":{\"web\":{\"image\":\"me/web:1\",\"environment\":{\"PASSWORD\":\"s3cret\"},\"build\":{\"context\":\".\"}},\"db\":{\"image\":\"pg\"}}}\nhomelab-tui-next\ndb 11aa\nweb 22bb\nalone web 33cc\n",
                "time=\"x\" level=warning msg=\"The \\\"A\\\" variable is not set.\"",
            ),
            "2.40.3-3".to_owned(),
            &"blog".into(),
            Timestamp::UNIX_EPOCH,
        );
        let FilesState::Rendered(rendered) = &state else {
            panic!("{state:?}");
        };
        assert_eq!(rendered.compose_version, "2.40.3-3");
        assert_eq!(rendered.services["web"].hash.as_deref(), Some("22bb"));
        let (web, db) = (&rendered.services["web"], &rendered.services["db"]);
        assert!(web.has_hash("33cc") && web.has_hash("22bb") && !db.has_hash("33cc"));
        assert!(rendered.services["web"].builds && !rendered.services["db"].builds);
        assert_eq!(rendered.services["db"].image.as_deref(), Some("pg"));
        assert!(!format!("{state:?}").contains("s3cret"));
    }

    #[test]
    fn each_way_to_fail_says_why() {
        let unreadable = |code, stdout: &str, stderr: &str| match read(
            &outcome(code, stdout, stderr),
            "2.26.1".to_owned(),
            &"blog".into(),
            Timestamp::UNIX_EPOCH,
        ) {
            FilesState::Unreadable(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(unreadable(70, "", "sh: 1: cd: can't cd to /srv/x").contains("can't cd to /srv/x"));
        assert!(unreadable(71, "/srv/x/compose.yaml\n", "").starts_with("/srv/x/compose.yaml"));
        assert_eq!(
            unreadable(
                73,
                "",
                "warning\nvalidating /tmp/bad.yaml: services.a Additional property foo is not allowed\n"
            ),
            "validating /tmp/bad.yaml: services.a Additional property foo is not allowed"
        );
        let unknown = |code, stderr: &str| {
            matches!(
                read(
                    &outcome(code, "", stderr),
                    "2.26.1".to_owned(),
                    &"blog".into(),
                    Timestamp::UNIX_EPOCH
                ),
                FilesState::Unknown(_)
            )
        };
        assert!(unknown(0, ""));
        assert!(unknown(9, ""));
    }

    #[tokio::test]
    async fn a_project_from_standard_input_has_no_files() {
        for files in [&["-"][..], &["/a.yaml", "-"], &[]] {
            let state = render(
                &Place::Here,
                &["docker".to_owned()],
                &Compose::default(),
                &recipe(files),
                &"blog".into(),
            )
            .await;
            assert!(matches!(state, FilesState::Unreadable(_)), "{files:?}");
        }
    }

    #[test]
    fn every_name_is_quoted() {
        let docker = ["sudo", "-n", "docker"].map(str::to_owned);
        let compose = ["sudo", "-n", "docker", "compose"].map(str::to_owned);
        let recipe = recipe(&["/srv/my blog/a'b.yaml"]);
        let script = script(&docker, &compose, &recipe, &"blog".into());
        assert!(script.starts_with("cd '/srv/my blog' || exit 70\n"));
        assert!(script.contains("for f in '/srv/my blog/a'\\''b.yaml'; do"));
        assert!(script.contains("sudo -n docker compose --project-name=blog --project-directory '/srv/my blog' --profile '*' --env-file /srv/prod.env"));
    }
}
