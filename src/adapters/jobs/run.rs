//! Jobs on a host: put there, followed, cancelled.
//!
//! A job is a folder with a script that runs detached; nothing here has to stay for it to go on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::shell::{Limits, Place, ScriptError, join, quote};
use crate::core::mode::Operating;
use crate::core::rollout::guard::Hidden;
use crate::core::rollout::plan::TargetPlan;
use crate::core::rollout::script;
use crate::core::text::clean_within;

pub(super) const LIMITS: Limits = Limits {
    time: Duration::from_secs(30),
    bytes: 8 << 20,
};
/// How much of a job's files is read in one go.
const PIECE: usize = 1 << 20;
pub(super) const STATE: &str = "\"$HOME/.local/state/homelab-tui/host\"";
/// The line that ends a file's text in the starting script; a plan's JSON and a job's script cannot hold it.
const HEREDOC: &str = "HOMELAB_TUI_FILE_ENDS_HERE";

/// Where reading of a job's files goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    pub out: u64,
    pub err: u64,
}

/// What a job wrote since the last look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    pub out: Vec<String>,
    pub err: Vec<String>,
    pub position: Position,
    /// The outcome's word, once the job has ended.
    pub ended: Option<String>,
    /// Whether the job's process is there.
    pub alive: bool,
}

/// Why a job was not started, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// The host refused it: nothing was touched.
    Refused(String),
    /// The connection was lost on the way: it may run all the same.
    Unheard(String),
}

/// What a job is given beside its plan, by standard input alone: it is in no file and no command line.
#[derive(Debug, Clone, Copy)]
pub struct HandedOver<'a> {
    /// Values of variables, for the job's environment.
    pub values: &'a BTreeMap<String, Hidden>,
    /// What a container of no project is made anew from, through a pipe.
    pub body: Option<&'a Hidden>,
}

/// Puts a job on the host and starts it.
///
/// What is handed over travels in the script's own bytes on standard input, nowhere else.
///
/// # Errors
/// Says why it could not be started.
pub async fn start(
    _: &Operating,
    place: &Place,
    plan: &TargetPlan,
    outlive: Option<&[String]>,
    handed_over: &HandedOver<'_>,
) -> Result<(), NotStarted> {
    let refused = |why: String| NotStarted::Refused(why);
    let json = serde_json::to_string(plan).map_err(|error| refused(error.to_string()))?;
    let run = script::script(plan);
    if json.contains(HEREDOC) || run.contains(HEREDOC) {
        return Err(refused("the plan cannot be written as a script".to_owned()));
    }
    let id = quote(&plan.job);
    let mut exports = String::new();
    for (name, value) in handed_over.values {
        exports.push_str(&format!(
            "export {name}={}\n",
            script::quote(value.reveal())
        ));
    }
    // The writer waits at the pipe until the job reads it; the shell writes by itself, so no command line has it.
    let (pipe, give_up) = match handed_over.body {
        Some(body) => (
            format!(
                "mkfifo \"$J/body\" || {{ echo \"cannot make a pipe in $J\" >&2; exit 1; }}\n( printf %s {} >\"$J/body\" ) </dev/null >/dev/null 2>&1 & writer=$!\n",
                script::quote(body.reveal())
            ),
            "kill $writer 2>/dev/null; rm -f \"$J/body\"; ",
        ),
        None => (String::new(), ""),
    };
    let launch = match outlive {
        Some(prefix) => format!("{} sh \"$J/run\" </dev/null >/dev/null 2>&1", join(prefix)),
        None => "if command -v setsid >/dev/null 2>&1; then s=setsid; else s=; fi\nif command -v nohup >/dev/null 2>&1; then n=nohup; else n=; fi\n$s $n sh \"$J/run\" </dev/null >/dev/null 2>&1 &".to_owned(),
    };
    let text = format!(
        r#"umask 077
S={STATE}
J="$S/jobs/"{id}
mkdir -p "$S/jobs" && mkdir "$J" || {{ echo "cannot make $J" >&2; exit 1; }}
cat >"$J/plan.json" <<'{HEREDOC}'
{json}
{HEREDOC}
cat >"$J/run" <<'{HEREDOC}'
{run}
{HEREDOC}
chmod 700 "$J/run"; : >"$J/out"; : >"$J/err"
{exports}{pipe}{launch}
i=0; while [ ! -e "$J/pid" ] && [ ! -e "$J/rc" ] && [ $i -lt 50 ]; do sleep 0.1 2>/dev/null || sleep 1; i=$((i+1)); done
[ -e "$J/pid" ] || [ -e "$J/rc" ] || {{ {give_up}echo "the job did not start" >&2; exit 1; }}
# Old jobs are cleared; the newest hundred stay.
ls -1t "$S/jobs" | tail -n +101 | while read -r old; do [ -e "$S/jobs/$old/rc" ] && rm -rf "$S/jobs/$old"; done
exit 0"#
    );
    let outcome = place.run(&text, LIMITS).await;
    let outcome = outcome.map_err(|error| NotStarted::Unheard(error.to_string()))?;
    if outcome.code == 0 {
        Ok(())
    } else {
        Err(refused(clean_within(outcome.stderr.trim(), 300)))
    }
}

/// Reads what a job wrote since the last look.
///
/// # Errors
/// If the host could not be asked.
pub async fn news(place: &Place, id: &str, position: Position) -> Result<News, ScriptError> {
    let (out, err) = (position.out + 1, position.err + 1);
    let text = format!(
        r#"J={STATE}/jobs/{id}
alive=; if read -r pid boot start <"$J/pid" 2>/dev/null && [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown)" ] && [ "$(sed 's/.*) //' /proc/$pid/stat 2>/dev/null | cut -d' ' -f20)" = "$start" ]; then alive=yes; fi
rc=$(cat "$J/rc" 2>/dev/null)
a=$(tail -c +{out} "$J/out" 2>/dev/null | head -c {PIECE}; printf x); b=$(tail -c +{err} "$J/err" 2>/dev/null | head -c {PIECE}; printf x)
echo "$alive"; echo "$rc"; printf '%s' "${{a%x}}" | wc -c; printf '%s' "${{a%x}}"; printf '%s' "${{b%x}}""#,
        id = quote(id)
    );
    let outcome = place.run(&text, LIMITS).await?;
    let bytes = outcome.stdout;
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let mut word = || {
        String::from_utf8_lossy(lines.next().unwrap_or_default())
            .trim()
            .to_owned()
    };
    let (alive, rc, count) = (word(), word(), word());
    let body = lines.next().unwrap_or_default();
    let count = count.parse::<usize>().unwrap_or(0).min(body.len());
    let (out, err) = body.split_at(count);
    let (out_lines, out_read) = whole_lines(out, !rc.is_empty());
    let (err_lines, err_read) = whole_lines(err, !rc.is_empty());
    Ok(News {
        out: out_lines,
        err: err_lines,
        position: Position {
            out: position.out + out_read,
            err: position.err + err_read,
        },
        ended: Some(rc).filter(|rc| !rc.is_empty()),
        alive: alive == "yes",
    })
}

/// Splits into lines; one that is not ended yet is left for the next look.
fn whole_lines(bytes: &[u8], ended: bool) -> (Vec<String>, u64) {
    let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        None => 0,
    };
    let end = if ended || bytes.len() >= PIECE {
        bytes.len()
    } else {
        end
    };
    let text = String::from_utf8_lossy(&bytes[..end]);
    let lines = text.lines().map(str::to_owned).collect();
    (lines, end as u64)
}

/// Asks a job to stop where that is safe.
///
/// # Errors
/// If the host could not be asked.
pub async fn cancel(_: &Operating, place: &Place, id: &str) -> Result<(), ScriptError> {
    let text = format!(": >{STATE}/jobs/{}/cancel", quote(id));
    place.run(&text, LIMITS).await.map(|_| ())
}
