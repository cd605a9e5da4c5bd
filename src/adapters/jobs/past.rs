//! What jobs left on a host: their folders, and the journal.
//!
//! A host keeps the newest hundred jobs, and on a small one each command that a script starts takes a good part of a tenth of
//! a second: all folders are read by a handful of commands, and what belongs together is put together here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::shell::{Place, ScriptError};
use super::run::{LIMITS, STATE};
use crate::core::history::Event;
use crate::core::names::HostName;
use crate::core::pace::Pull;
use crate::core::rollout::plan::TargetPlan;
use crate::core::text::clean_within;

/// How many lines of a host's journal are read.
const LINES: usize = 1000;

/// A job found on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    /// The plan as it was put there, in JSON.
    pub plan: String,
    pub ended: Option<String>,
    pub alive: bool,
    /// When the job's folder was made, in seconds since 1970.
    pub started: i64,
    /// What ran at its end, as the job wrote it.
    pub proof: Option<String>,
    /// How long its pull took.
    pub pull_seconds: Option<u64>,
}

/// How a job on a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    Running,
    Done,
    /// Neither its process nor its end is there.
    Lost,
}

impl JobState {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Lost => "lost",
        }
    }
}

/// How long a job's process may take to write down that it is there.
const BEGINNING: i64 = 15;

impl Found {
    /// Tells how the job stands.
    pub fn state(&self, now: Timestamp) -> JobState {
        let young = now.as_second().saturating_sub(self.started) < BEGINNING;
        match (&self.ended, self.alive) {
            (Some(_), _) => JobState::Done,
            (None, true) => JobState::Running,
            (None, false) if young => JobState::Running,
            (None, false) => JobState::Lost,
        }
    }
}

/// Lists the jobs of a host, newest first.
///
/// # Errors
/// If the host could not be asked.
pub async fn list(place: &Place) -> Result<Vec<Found>, ScriptError> {
    let outcome = place.run(&script(STATE, WHOLE), LIMITS).await?;
    Ok(read(&String::from_utf8_lossy(&outcome.stdout)))
}

/// What of a plan's line is printed, in awk's words.
const WHOLE: &str = "$0";
const SIZE: &str =
    r#"(match($0, /"fetch_bytes":[0-9]+/) ? "{" substr($0, RSTART, RLENGTH) "}" : "")"#;

/// Builds the script; a job that has its end is not looked for among the processes.
fn script(state: &str, plan: &str) -> String {
    format!(
        r#"cd {state}/jobs 2>/dev/null || exit 0
now=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown)
plans= outs=
for id in $(ls -1t | head -n 50); do
rc= alive=
[ ! -e "$id/rc" ] || read -r rc <"$id/rc"
if [ -z "$rc" ] && [ -e "$id/pid" ] && read -r pid boot start <"$id/pid" && [ "$boot" = "$now" ] && [ "$(sed 's/.*) //' /proc/$pid/stat 2>/dev/null | cut -d' ' -f20)" = "$start" ]; then alive=yes; fi
# It may have ended since its end was looked for.
[ -n "$rc$alive" ] || [ ! -e "$id/rc" ] || read -r rc <"$id/rc"
printf 'job %s\t%s\t%s\n' "$id" "$alive" "$rc"
[ ! -r "$id/plan.json" ] || plans="$plans $id/plan.json"
[ ! -r "$id/out" ] || outs="$outs $id/out"
done
[ -z "$plans" ] || stat -c 'made %n %Y' $plans 2>/dev/null
[ -z "$plans$outs" ] || awk 'FILENAME ~ /plan.json$/ {{ if (FNR == 1) print "plan " FILENAME " " {plan}; next }} /^@proof / || /^@step pull done / {{ print "told " FILENAME ":" $0 }}' $plans $outs 2>/dev/null
exit 0"#
    )
}

/// Puts together what the script told of each job.
fn read(text: &str) -> Vec<Found> {
    let mut jobs: Vec<Found> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once(' ') else {
            continue;
        };
        if kind == "job" {
            let mut parts = rest.splitn(3, '\t');
            let (Some(id), Some(alive), Some(ended)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            places.insert(id, jobs.len());
            jobs.push(Found {
                id: clean_within(id, 64),
                plan: String::new(),
                ended: Some(ended.to_owned()).filter(|word| !word.is_empty()),
                alive: alive == "yes",
                started: 0,
                proof: None,
                pull_seconds: None,
            });
            continue;
        }
        let Some((id, rest)) = rest.split_once('/') else {
            continue;
        };
        let Some(job) = places.get(id).and_then(|place| jobs.get_mut(*place)) else {
            continue;
        };
        match kind {
            "made" => job.started = number(rest.strip_prefix("plan.json ")).unwrap_or(0),
            "plan" => {
                job.plan = rest
                    .strip_prefix("plan.json ")
                    .unwrap_or_default()
                    .to_owned()
            }
            "told" => tell(job, rest.strip_prefix("out:").unwrap_or_default()),
            _ => {}
        }
    }
    jobs
}

/// Takes one line of a job's output in; the last of a kind counts.
fn tell(job: &mut Found, line: &str) {
    if let Some(proof) = line.strip_prefix("@proof ") {
        job.proof = Some(clean_within(proof.trim(), 200)).filter(|proof| !proof.is_empty());
    } else if let Some(took) = line.strip_prefix("@step pull done ") {
        // The moment, and how long it took: `1795295619 12 s`.
        let took = took.split_once(' ').map(|(_, took)| took);
        job.pull_seconds =
            number(took.and_then(|took| took.strip_suffix(" s"))).or(job.pull_seconds);
    }
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
    text?.trim().parse().ok()
}

/// Reads how much the last jobs of a host fetched, and how long that took.
///
/// # Errors
/// If the host could not be asked.
pub async fn pulls(place: &Place) -> Result<Vec<Pull>, ScriptError> {
    /// What was foretold is what came.
    #[derive(Deserialize)]
    struct Foretold {
        fetch_bytes: Option<u64>,
    }
    let pull = |job: &Found| {
        let foretold: Foretold = serde_json::from_str(&job.plan).ok()?;
        Some(Pull {
            bytes: foretold.fetch_bytes?,
            seconds: job.pull_seconds?,
        })
    };
    let outcome = place.run(&script(STATE, SIZE), LIMITS).await?;
    let jobs = read(&String::from_utf8_lossy(&outcome.stdout));
    Ok(jobs.iter().filter_map(pull).collect())
}

/// Reads the last lines of a host's journal, with the commands and the proof of jobs whose folders are there yet.
///
/// # Errors
/// If the host could not be asked.
pub async fn history(place: &Place, host: &HostName) -> Result<Vec<Event>, ScriptError> {
    let text = format!("tail -n {LINES} {STATE}/journal.jsonl 2>/dev/null; exit 0");
    let outcome = place.run(&text, LIMITS).await?;
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let mut events: Vec<Event> = text
        .lines()
        .filter_map(|line| Event::of_host(host, line))
        .collect();
    if events.is_empty() {
        return Ok(events);
    }
    for found in list(place).await? {
        let Ok(plan) = serde_json::from_str::<TargetPlan>(&found.plan) else {
            continue;
        };
        let its = |event: &&mut Event| event.job.as_deref() == Some(found.id.as_str());
        for event in events.iter_mut().filter(its) {
            event.from = Some(plan.from.clone());
            event.to = Some(plan.to.clone());
            event.argv.clone_from(&plan.argv);
            event.proof.clone_from(&found.proof);
        }
    }
    Ok(events)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::fs;

    use super::*;
    use crate::adapters::shell::quote;

    #[tokio::test]
    async fn folders_of_jobs_are_read_together() {
        let state = std::env::temp_dir().join(format!("homelab-tui-past-{}", std::process::id()));
        let put = |job: &str, file: &str, text: &str| {
            let folder = state.join("jobs").join(job);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), text).unwrap();
        };
        let told = async |plan: &str| {
            let text = script(&quote(state.to_str().unwrap()), plan);
            let outcome = Place::Here.run(&text, LIMITS).await.unwrap();
            read(&String::from_utf8_lossy(&outcome.stdout))
        };
        assert_eq!(told(WHOLE).await, []);
        let out = "@step pull started 1\n@step pull done 5 12 s\n@proof first\n@proof a b\n";
        put(
            "1-a",
            "plan.json",
            "{\"a\":1,\"fetch_bytes\":7,\"b\":[]}\n{}\n",
        );
        put("1-a", "out", out);
        put("1-a", "rc", "succeeded\n");
        put("1-a", "pid", "1 elsewhere 1\n");
        put("2-b", "plan.json", "{\"target\": 1}\n");
        put("2-b", "out", "@step pull done 5 without a time\n");
        put("3-c", "err", "");
        let sizes = told(SIZE).await;
        let mut found = told(WHOLE).await;
        fs::remove_dir_all(&state).unwrap();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        let mut sizes: Vec<&str> = sizes.iter().map(|job| job.plan.as_str()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, ["", "", "{\"fetch_bytes\":7}"]);
        assert!(found.iter().take(2).all(|job| job.started > 1_600_000_000));
        let told: Vec<_> = found
            .iter()
            .map(|job| {
                (
                    job.ended.as_deref(),
                    job.alive,
                    job.pull_seconds,
                    job.proof.as_deref(),
                    job.plan.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    Some("succeeded"),
                    false,
                    Some(12),
                    Some("a b"),
                    "{\"a\":1,\"fetch_bytes\":7,\"b\":[]}"
                ),
                (None, false, None, None, "{\"target\": 1}"),
                (None, false, None, None, ""),
            ]
        );
    }
}
