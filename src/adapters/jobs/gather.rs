//! One look at a host for a plan: a script that only reads, and its output as facts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::super::compose::named;
use super::super::hosts::HostSession;
use super::super::shell::{Limits, Place, join, quote};
use super::{shape, variables};
use crate::core::files::{FilesState, Recipe};
use crate::core::names::{ContainerId, ProjectName, ServiceName};
use crate::core::rollout::compose_files::{
    self, ALL_PROFILES, OVERRIDE_FILE, OVERRIDE_NAMES, PIN_FILE,
};
use crate::core::rollout::dossier::{Dossier, LockOwner};
use crate::core::rollout::pin::{BLOCK_BEGIN, BLOCK_END, EnvFile, MARKER};
use crate::core::rollout::script::OTHERS_AT_WORK;
use crate::core::rollout::undo::{self, Found, Kind};
use crate::core::text::clean_within;

const LIMITS: Limits = Limits {
    time: Duration::from_secs(90),
    bytes: 16 << 20,
};
const NEXT: &str = "homelab-tui-next";

/// Looks at a service and its host.
///
/// # Errors
/// Says why the host could not be looked at.
pub async fn dossier(
    session: &HostSession,
    docker: &[String],
    project: &ProjectName,
    service: &ServiceName,
    recipe: &Recipe,
) -> Result<Dossier, String> {
    let Some(place) = session.place() else {
        return Err(
            "scripts cannot be run on this host: it is reached by its engine alone".to_owned(),
        );
    };
    let mut dossier = Dossier::default();
    match session.render(recipe, project).await {
        FilesState::Rendered(rendered) => {
            dossier.compose_version = Some(rendered.compose_version);
            let own = rendered.services.get(service.as_str());
            let hashes = own.map(|own| [own.hash.clone(), own.hash_alone.clone()]);
            dossier.hashes = hashes.into_iter().flatten().flatten().collect();
        }
        FilesState::Unreadable(why) => {
            dossier.unreadable = Some(why);
        }
        FilesState::NoCompose(why) | FilesState::Unknown(why) => return Err(why),
    }
    let compose = session.rendering_words(place).await;
    let script = script(docker, &compose, project, service, recipe);
    let sections = read(place, &script).await?;
    fill(&mut dossier, &sections, service, recipe);
    Ok(dossier)
}

pub(super) async fn read(place: &Place, script: &str) -> Result<BTreeMap<String, String>, String> {
    let outcome = place
        .run(script, LIMITS)
        .await
        .map_err(|error| error.to_string())?;
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let mut sections = BTreeMap::new();
    for part in format!("\n{stdout}").split(&format!("\n{NEXT} ")).skip(1) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        sections.insert(name.to_owned(), body.to_owned());
    }
    if sections.is_empty() {
        return Err(format!(
            "the host gave no answer: {}",
            clean_within(outcome.stderr.trim(), 200)
        ));
    }
    Ok(sections)
}

fn script(
    docker: &[String],
    compose: &[String],
    project: &ProjectName,
    service: &ServiceName,
    recipe: &Recipe,
) -> String {
    let folder = quote(&recipe.working_dir);
    let docker = join(docker);
    let mut rendering = format!("{} {}", join(compose), named(project));
    for word in compose_files::arguments(recipe) {
        rendering.push(' ');
        rendering.push_str(&quote(&word));
    }
    rendering.push_str(&format!(" {}", join(&ALL_PROFILES)));
    let files = join(&compose_files::deciding(recipe));
    let given = match recipe.environment_files.as_slice() {
        [] => ".env".to_owned(),
        files => join(files),
    };
    let overrides = join(&OVERRIDE_NAMES);
    let project = quote(project.as_str());
    let service = quote(service.as_str());
    let marker = quote(MARKER);
    let (begin, end) = (quote(BLOCK_BEGIN), quote(BLOCK_END));
    let host = host_script(&docker, &project);
    format!(
        r##"{BEGINNING}cd {folder} || exit 0
c=$({rendering} config --format json 2>/dev/null)
N config; printf '%s\n' "$c"
N rendering; printf '%s\n' "$c" | sha256sum | cut -d' ' -f1
N raw; {rendering} config --no-interpolate --format json 2>/dev/null
# A container that an interrupted recreation made and never started counts only where nothing else is left.
ids=$({docker} ps -a --no-trunc --filter label=com.docker.compose.project={project} --filter label=com.docker.compose.service={service} --filter label=com.docker.compose.oneoff=False --format '{{{{.ID}}}} {{{{.State}}}} {{{{.Label "com.docker.compose.replace"}}}}' | awk '$2 == "created" && $3 != "" {{ left = left $1 "\n"; next }} {{ print $1; some = 1 }} END {{ if (!some) printf "%s", left }}')
N containers; [ -z "$ids" ] || {docker} inspect $ids
N images; [ -z "$ids" ] || {docker} image inspect $({docker} inspect -f '{{{{.Image}}}}' $ids | sort -u) 2>/dev/null
N present; {docker} ps -a --filter label=com.docker.compose.project={project} --format '{{{{.Label "com.docker.compose.service"}}}}' 2>/dev/null
N networks; {docker} network ls --filter label=com.docker.compose.project={project} --format '{{{{.Name}}}}' 2>/dev/null
bom=$(printf '\357\273\277')
N names; for f in {given}; do sed "1s/^$bom//" "$f" 2>/dev/null; echo; done | sed -n 's/^[[:space:]]*\(export[[:space:]][[:space:]]*\)\{{0,1\}}\([A-Za-z_][A-Za-z0-9_]*\)[[:space:]]*=.*/\2/p'; echo; env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'
N files; for f in {files}; do if [ -e "$f" ]; then own=$(sha256sum "$f" 2>/dev/null | cut -d' ' -f1); printf '%s %s\n' "${{own:-unreadable}}" "$f"; else printf 'absent %s\n' "$f"; fi; done
N overrides; for f in {overrides}; do [ ! -e "$f" ] || {{ if [ "$(head -n 1 "$f")" = {marker} ]; then echo "own $f"; else echo "user $f"; fi; }}; done
N ownoverride; [ ! -e {OVERRIDE_FILE} ] || [ "$(head -n 1 {OVERRIDE_FILE})" != {marker} ] || cat {OVERRIDE_FILE}
N ownpin; [ ! -e {PIN_FILE} ] || cat {PIN_FILE}
N env; if [ -e .env ]; then echo there
grep -qxF {begin} .env && grep -qxF {end} .env && echo block
sed -e "1s/^$bom//" -e '/^# homelab-tui pin begin$/,/^# homelab-tui pin end$/d' .env | grep -Eq '^[[:space:]]*(export[[:space:]]+)?COMPOSE_FILE[[:space:]]*=' && echo sets
sed -n 's/^[[:space:]]*COMPOSE_PATH_SEPARATOR=/separator /p' .env | tail -n 1
[ -s .env ] && [ -n "$(tail -c 1 .env)" ] && echo open
{{ [ -L .env ] || [ "$(stat -c %h .env 2>/dev/null || echo 1)" -gt 1 ]; }} && echo linked
fi
N composefile; [ -z "${{COMPOSE_FILE:-}}" ] || echo set
{host}{OTHERS_AT_WORK}N work; others_at_work {project}
N end
"##
    )
}

/// The first lines of a look: how parts are told apart, and who looks.
pub(super) const BEGINNING: &str = r#"N() { echo; echo "homelab-tui-next $1"; }
N user; id -un; hostname
"#;

/// Looks at what of a host matters to any job: locks, logins, room, and what works there by itself.
///
/// The name of the lock is quoted already, as are the words of docker.
pub(super) fn host_script(docker: &str, lock: &str) -> String {
    format!(
        r##"N lock; for l in /run/lock/homelab-tui.{lock} "$HOME/.local/state/homelab-tui/host/locks/"{lock}; do if [ -r "$l/owner" ]; then cat "$l/owner"
read -r pid boot start <"$l/owner"
[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ "$(sed 's/.*) //' /proc/$pid/stat 2>/dev/null | cut -d' ' -f20)" = "$start" ] && echo alive; break; fi; done
N lockable; [ -d /run/lock ] && [ -w /run/lock ] && echo yes
N logind; if k=$(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager KillUserProcesses 2>/dev/null); then echo "KillUserProcesses=${{k#b }}"
else cat /usr/lib/systemd/logind.conf /usr/lib/systemd/logind.conf.d/*.conf /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf /run/systemd/logind.conf.d/*.conf 2>/dev/null | grep -E '^ *(KillUserProcesses|KillExcludeUsers) *='; fi
N outlive; [ -d /run/systemd/system ] && command -v systemd-run >/dev/null && {{ [ "$(id -u)" = 0 ] && echo root; [ -e "/var/lib/systemd/linger/$(id -un)" ] && echo linger; }}
N free; r=$({docker} info -f '{{{{.DockerRootDir}}}}' 2>/dev/null); [ -z "$r" ] || {{ df -Pk "$r" 2>/dev/null | tail -n 1; s=$({docker} info -f '{{{{.DriverStatus}}}}' 2>/dev/null); case $s in *containerd*) [ -d "$r/containerd" ] || df -Pk /var/lib/containerd 2>/dev/null | tail -n 1 ;; esac; }}
N timers; systemctl list-timers --all --output=json 2>/dev/null
# paths_in HOME ALL <LINES: each path that may be an operator's script, and behind a tab the line that names it. The system's own
# folders are left out but for ALL, and what lies on another machine, which may be away.
paths_in() {{ awk -v home="$1" -v all="$2" 'BEGIN {{ while ((getline m < "/proc/mounts") > 0) {{ split(m, f, " "); if (f[3] ~ /^(nfs|cifs|smb|autofs|davfs|fuse\.(sshfs|rclone|davfs))/) away[f[2] "/"] }} }}
{{ line = $0; gsub(/[\047"();&|=]/, " "); n = split($0, word, /[ \t]+/)
for (i = 1; i <= n; i++) {{ w = word[i]; sub(/^[-@:+!]+/, "", w); if (home != "") sub(/^(~|\$HOME|%h)\//, home "/", w)
if (w !~ /^\/./ || (all == "" && w ~ /^\/(usr\/)?(s?bin|lib[0-9a-z]*)\//) || seen[w, line]++) continue
far = 0; for (m in away) if (index(w, m) == 1) far = 1
if (!far) print w "\t" line }} }}'; }}
# Whether it is a script that speaks of docker.
is_script() {{ [ -f "$1" ] && [ -r "$1" ] && [ "$(head -c 2 "$1" | tr -d '\000')" = '#!' ] && head -c 20000 "$1" | grep -q docker; }}
told_by() {{ head -c 20000 "$1" | grep -v '^[[:space:]]*#' | grep -E 'docker|cd |for ' | cut -c1-2000; }}
N units; for f in $(grep -lsE 'docker|^Exec.*(/(data|etc|home|media|mnt|opt|root|srv|usr/local|var|volume[0-9]+)/|%h/|~/)' /etc/systemd/system/*.service /usr/local/lib/systemd/system/*.service /run/systemd/system/*.service "$HOME"/.config/systemd/user/*.service /home/*/.config/systemd/user/*.service); do
case $f in /home/*/.config/*) h=${{f%%/.config/*}} ;; "$HOME"/*) h=$HOME ;; *) h= ;; esac
a=; if grep -q 'docker' "$f"; then a=all; fi
x=$(grep '^Exec' "$f" | paths_in "$h" "$a" | cut -f 1 | while read -r w; do is_script "$w" && echo "$w"; done)
[ -n "$x$a" ] || continue
n=$(basename "$f" .service); echo "unit $n.service"
grep -E '^(Exec[A-Za-z]*|WorkingDirectory|User)=' "$f" | cut -c1-2000
grep -hE '^On[A-Za-z]*=' "$(dirname "$f")/$n.timer" 2>/dev/null | sed 's/^/timer /'
systemctl show -p Result "$n.service" 2>/dev/null | sed 's/^/shown /'
# Where lists of timers have no JSON yet, and for timers of users.
w=; case $f in */.config/systemd/user/*) w=--user ;; esac
for p in NextElapseUSecRealtime LastTriggerUSec; do t=$(systemctl $w show -p $p "$n.timer" 2>/dev/null | sed 's/^[^=]*=//'); [ -z "$t" ] || t=$(date -d "$t" +%s 2>/dev/null) && [ -n "$t" ] && echo "moment $p $t"; done
printf '%s\n' "$x" | while read -r w; do [ -z "$w" ] || told_by "$w" | sed 's/^/ExecScript=/'; done
done
N cron; for f in /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/* /etc/periodic/*/*; do
[ -f "$f" ] && grep -qs docker "$f" && {{ echo "cron $f"; told_by "$f"; }}
done
# cron_table NAME HOME <TABLE: its lines about docker, then the scripts that its lines start.
cron_table() {{
t=$(grep -v '^[[:space:]]*#' | head -c 20000)
case $t in *docker*) echo "cron $1"; printf '%s\n' "$t" | grep -E 'docker|cd ' | cut -c1-2000 ;; esac
printf '%s\n' "$t" | paths_in "$2" "" | while IFS='	' read -r w l; do is_script "$w" && {{ echo "cron $1: $w"; printf 'every %s\n' "$l"; told_by "$w"; }}; done
}}
for f in /etc/crontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/* /var/spool/cron/tabs/*; do
u=$(id -un) h=
[ "${{f##*/}}" != "$u" ] || h=$HOME
[ -f "$f" ] && [ -r "$f" ] && cron_table "$f" "$h" <"$f"
done
[ -r "/var/spool/cron/$u" ] || [ -r "/var/spool/cron/crontabs/$u" ] || [ -r "/var/spool/cron/tabs/$u" ] || crontab -l 2>/dev/null | cron_table "crontab of $u" "$HOME"
"##
    )
}

fn fill(
    dossier: &mut Dossier,
    sections: &BTreeMap<String, String>,
    service: &ServiceName,
    recipe: &Recipe,
) {
    let section = |name: &str| sections.get(name).map_or("", String::as_str).trim();
    let lines = |name: &str| {
        sections
            .get(name)
            .map_or("", String::as_str)
            .lines()
            .map(str::trim)
    };
    let json = |name: &str| serde_json::from_str::<Value>(section(name)).unwrap_or(Value::Null);
    let images = json("images");
    let image_of = |id: &str| {
        images.as_array().and_then(|list| {
            list.iter()
                .find(|image| image.get("Id").and_then(Value::as_str) == Some(id))
        })
    };
    if let Some(containers) = json("containers").as_array() {
        for container in containers {
            let Some(id) = container.get("Id").and_then(Value::as_str) else {
                continue;
            };
            let image = container
                .get("Image")
                .and_then(Value::as_str)
                .and_then(image_of);
            dossier
                .containers
                .insert(ContainerId::from(id), shape::running(container, image));
        }
    }
    let mut config = json("config");
    shape::unescape(&mut config);
    let raw = json("raw");
    dossier.rendered = shape::rendered(&config, service.as_str());
    dossier.makes_networks = lines("networks")
        .filter(|name| !name.is_empty())
        .map(|name| clean_within(name, 256))
        .collect();
    dossier.dependents = shape::dependents(&config, service.as_str());
    dossier.ask_for_a_restart = shape::ask_for_a_restart(&config, service.as_str());
    // One that was never started, as of a profile that nobody uses, has nothing that could be cut off.
    let present: Vec<&str> = lines("present").collect();
    if present.contains(&service.as_str()) {
        let is_present = |name: &String| present.contains(&name.as_str());
        dossier.dependents.retain(is_present);
        dossier.ask_for_a_restart.retain(is_present);
    }
    dossier.dependent_images = images_of(&config, &dossier.dependents);
    if let (Some(rendered), Some(running)) =
        (&mut dossier.rendered, dossier.containers.values().next())
    {
        rendered.variables =
            variables::find(&raw, service.as_str(), &rendered.shape, &running.shape);
        for variable in &mut rendered.variables {
            variable.on_host = lines("names").any(|name| name == variable.name);
        }
    }
    let mut made_anew = vec![service.as_str()];
    made_anew.extend(dossier.dependents.iter().map(String::as_str));
    dossier.lost = variables::lost(&raw, &made_anew, |name| {
        lines("names").any(|own| own == name)
    });
    dossier.folder.env_is_env_file = shape::reads_env_file(
        &raw,
        &format!("{}/.env", recipe.working_dir.trim_end_matches('/')),
    );
    if config.is_null() && dossier.unreadable.is_none() {
        dossier.unreadable = Some("docker compose gave no rendering".to_owned());
    }
    for line in lines("files") {
        if let Some((hash, path)) = line.split_once(' ') {
            let hash = (hash != "absent").then(|| hash.to_owned());
            dossier.files.insert(path.to_owned(), hash);
        }
    }
    let hash = section("rendering");
    dossier.rendering = Some(hash.to_owned()).filter(|hash| hash.len() == 64 && !config.is_null());
    fill_folder(dossier, sections, recipe);
    fill_host(dossier, sections);
    dossier.at_work = Some(section("work"))
        .filter(|words| !words.is_empty())
        .map(|words| clean_within(words, 200));
    dossier.undoers = dossier
        .found
        .iter()
        .filter_map(|found| undo::acts_on(found, &recipe.working_dir, &recipe.config_files))
        .collect();
}

/// Returns the references that the files name for services.
fn images_of(config: &Value, services: &[String]) -> BTreeMap<String, String> {
    let image = |name: &String| {
        let own = config.get("services")?.get(name)?.get("image")?.as_str()?;
        Some((name.clone(), clean_within(own, 512)))
    };
    services.iter().filter_map(image).collect()
}

/// Takes over what of the host matters to any job.
pub(super) fn fill_host(dossier: &mut Dossier, sections: &BTreeMap<String, String>) {
    let section = |name: &str| sections.get(name).map_or("", String::as_str).trim();
    dossier.user = clean_within(section("user").lines().next().unwrap_or_default(), 64);
    dossier.lock = lock(section("lock"));
    // Where the folder could not be entered nothing of it was asked.
    dossier.lock_is_shared = !sections.contains_key("lockable") || section("lockable") == "yes";
    dossier.kills_processes = kills_processes(section("logind"), &dossier.user);
    dossier.outlive = match section("outlive") {
        "" => None,
        text if text.contains("root") => Some(systemd_run(&[])),
        _ => Some(systemd_run(&["--user"])),
    };
    // The engine's folder, and containerd's where that keeps the images; the fuller disk decides.
    dossier.free_bytes = section("free")
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok())
        .min()
        .map(|kilobytes| kilobytes.saturating_mul(1024));
    dossier.looked_at = Some(Timestamp::now());
    dossier.found = found(sections);
}

/// Returns the words that start a job as a unit of its own; it finds docker's credentials by the login's home.
fn systemd_run(more: &[&str]) -> Vec<String> {
    let words = ["systemd-run", "--quiet", "--collect"];
    let home = ["--setenv=HOME", "--setenv=PATH"];
    let all = words.iter().chain(more).chain(&home);
    all.map(|word| (*word).to_owned()).collect()
}

/// Tells whether logind ends a login's processes with it; what is said last holds.
fn kills_processes(text: &str, user: &str) -> bool {
    let last = |key: &str| {
        text.lines()
            .filter_map(|line| line.trim().split_once('='))
            .filter(|(own, _)| own.trim() == key)
            .map(|(_, value)| value.trim().to_ascii_lowercase())
            .next_back()
    };
    let kills = last("KillUserProcesses")
        .is_some_and(|value| matches!(value.as_str(), "yes" | "true" | "1" | "on"));
    // Systemd itself spares root unless told otherwise.
    let spared = last("KillExcludeUsers").unwrap_or_else(|| "root".to_owned());
    kills && !spared.split_whitespace().any(|name| name == user)
}

fn fill_folder(dossier: &mut Dossier, sections: &BTreeMap<String, String>, recipe: &Recipe) {
    let lines = |name: &str| {
        sections
            .get(name)
            .map_or("", String::as_str)
            .lines()
            .map(str::trim)
    };
    // Texts of ours are kept with every byte; the marker line between sections added one line end.
    let own = |name: &str| {
        let body = sections.get(name)?;
        let body = body.strip_suffix('\n').unwrap_or(body);
        (!body.is_empty()).then(|| format!("{}\n", body.trim_end_matches('\n')))
    };
    let folder = &mut dossier.folder;
    folder.config_files = recipe
        .config_files
        .iter()
        .map(|file| compose_files::relative(&recipe.working_dir, file).to_owned())
        .collect();
    folder.own_override = own("ownoverride");
    folder.own_pin_file = own("ownpin");
    folder.user_override = lines("overrides")
        .filter_map(|line| line.strip_prefix("user "))
        .map(str::to_owned)
        .next();
    folder.other_env_file = !recipe.environment_files.is_empty();
    folder.compose_file_in_environment = lines("composefile").any(|line| line == "set");
    let has = |word: &str| lines("env").any(|line| line == word);
    folder.env_file = has("there").then(|| EnvFile {
        has_block: has("block"),
        sets_compose_file: has("sets"),
        separator: lines("env")
            .filter_map(|line| line.strip_prefix("separator "))
            .map(|text| text.trim_matches(['"', '\'']).to_owned())
            .find(|text| !text.is_empty()),
        open_end: has("open"),
        linked: has("linked"),
    });
}

fn lock(text: &str) -> Option<LockOwner> {
    let mut lines = text.lines();
    lines.next()?;
    let kept = |line: Option<&str>| clean_within(line.unwrap_or_default(), 80);
    Some(LockOwner {
        who: kept(lines.next()),
        since: kept(lines.next()),
        job: kept(lines.next()),
        alive: lines.next() == Some("alive"),
    })
}

fn found(sections: &BTreeMap<String, String>) -> Vec<Found> {
    let body = |name: &str| sections.get(name).map_or("", String::as_str);
    let timers: Value = serde_json::from_str(body("timers").trim()).unwrap_or(Value::Null);
    let mut list: Vec<Found> = Vec::new();
    let begin = |kind, name: &str| Found {
        kind,
        name: clean_within(name, 120),
        text: String::new(),
        every: None,
        next: None,
        last: None,
        result: None,
    };
    for line in body("units").lines() {
        if let Some(name) = line.strip_prefix("unit ") {
            let mut found = begin(Kind::Service, name);
            let timer = timers.as_array().and_then(|list| {
                list.iter()
                    .find(|timer| timer.get("activates").and_then(Value::as_str) == Some(name))
            });
            let moment = |key: &str| {
                let micros = timer?.get(key)?.as_i64().filter(|micros| *micros > 0)?;
                Timestamp::from_microsecond(micros).ok()
            };
            (found.next, found.last) = (moment("next"), moment("last"));
            list.push(found);
        } else if let Some(found) = list.last_mut() {
            if let Some(when) = line.strip_prefix("timer ") {
                let when = clean_within(when, 80);
                found.every = Some(match found.every.take() {
                    Some(other) => format!("{other}, {when}"),
                    None => when,
                });
            } else if let Some(moment) = line.strip_prefix("moment ") {
                let mut words = moment.split(' ');
                let (what, seconds) = (words.next(), words.next());
                let time = seconds.and_then(|text| Timestamp::from_second(text.parse().ok()?).ok());
                match what {
                    Some("NextElapseUSecRealtime") => found.next = found.next.or(time),
                    _ => found.last = found.last.or(time),
                }
            } else if let Some(result) = line.strip_prefix("shown Result=") {
                found.result = Some(clean_within(result, 40));
            } else {
                found.text.push_str(line);
                found.text.push('\n');
            }
        }
    }
    let mut crons: Vec<Found> = Vec::new();
    for line in body("cron").lines() {
        if let Some(name) = line.strip_prefix("cron ") {
            crons.push(begin(Kind::Cron, name));
        } else if let Some(found) = crons.last_mut() {
            if let Some(starts) = line.strip_prefix("every ") {
                found.every = undo::schedule(starts);
                continue;
            }
            found.text.push_str(line);
            found.text.push('\n');
        }
    }
    list.extend(crons);
    list
}
