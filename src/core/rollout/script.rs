//! The script of a job: POSIX sh, run detached on the host, that does all steps with nobody watching.
//!
//! The text is made by a pure function, so what the plan dialog shows is what runs. The script writes marks to its
//! `out` file (see `job`), the commands' own words to `err`, and its end to `rc`. It holds no secret: values that are
//! taken over come through its environment.

use super::Action;
use super::pin::{BLOCK_BEGIN, BLOCK_END, Block, FileChange, How, NO_FILE, NO_LINE_END};
use super::plan::TargetPlan;

/// Makes the whole script of a plan.
pub fn script(plan: &TargetPlan) -> String {
    let mut text = String::new();
    head(plan, &mut text);
    text.push_str(LIBRARY);
    text.push_str("\nbegin\n");
    match plan.action {
        Action::Pull => text.push_str(PULL),
        Action::Recreate => text.push_str(RECREATE),
        Action::Update => text.push_str(UPDATE),
        Action::Rollback => text.push_str(if plan.pin.is_some() {
            ROLLBACK_PINNED
        } else {
            ROLLBACK_BY_TAG
        }),
        Action::Pin => text.push_str(if plan.recreates() {
            ROLLBACK_PINNED
        } else {
            PIN_ONLY
        }),
        Action::Unpin => text.push_str(UNPIN),
    }
    text
}

/// Quotes a word for sh, so that it is one word whatever it holds.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Joins words into a command line that sh reads back as the same words.
pub fn command_line(argv: &[String]) -> String {
    argv.iter()
        .map(|word| quote(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn head(plan: &TargetPlan, text: &mut String) {
    let mut set = |name: &str, value: &str| {
        text.push_str(name);
        text.push('=');
        text.push_str(&quote(value));
        text.push('\n');
    };
    let target = plan.target.to_string();
    set("JOB", &plan.job);
    set("ACTION", plan.action.word());
    set("TARGET", &target);
    set("PROJECT", plan.target.project.as_str());
    set("SERVICE", plan.target.service.as_str());
    set("FOLDER", &plan.folder);
    set("BY", &plan.by);
    set("REASON", plan.reason.as_deref().unwrap_or_default());
    set("FROM_ID", id_of(plan.from.image_id.as_ref()));
    set("TO_ID", id_of(plan.to.image_id.as_ref()));
    set("FROM_REF", plan.from.named().as_str());
    set("TO_REF", plan.to.named().as_str());
    set(
        "FETCH_REF",
        plan.fetch_reference.as_deref().unwrap_or_default(),
    );
    set("KEEP_TAG", plan.keep_tag.as_deref().unwrap_or_default());
    set("HOLD_TAG", plan.hold_tag.as_deref().unwrap_or_default());
    set("SERVICE_TAG", &plan.service_tag);
    set("DEPENDENTS", &plan.dependents.join(" "));
    set("SCALE", &plan.scale.to_string());
    set("SETTLE", &plan.patience.settle_seconds.to_string());
    set("TIMEOUT", &plan.patience.timeout_seconds.to_string());
    set("KEEP", &plan.keep_count.to_string());
    set("SAME_IMAGE", if plan.same_image() { "yes" } else { "" });
    set("ONE_SHOT", if plan.one_shot { "yes" } else { "" });
    text.push_str(&format!(
        "docker_() {{ {} \"$@\"; }}\n",
        command_line(&plan.docker)
    ));
    text.push_str(&format!(
        "compose() {{ {} \"$@\"; }}\n",
        command_line(&plan.compose)
    ));
    text.push_str("premise_containers() { cat <<'HTUI_END'\n");
    for (container, image) in &plan.premise.containers {
        text.push_str(&format!("{container} {image}\n"));
    }
    text.push_str("HTUI_END\n}\n");
    text.push_str("premise_files() { :\n");
    for (path, hash) in &plan.premise.files {
        let hash = hash.as_deref().unwrap_or("absent");
        text.push_str(&format!("same_file {} {}\n", quote(path), quote(hash)));
    }
    text.push_str("}\n");
    pin_functions(plan, text);
}

fn id_of(id: Option<&crate::core::digest::ImageId>) -> &str {
    id.map_or("", |id| id.digest().as_str())
}

/// Writes the functions that set and take back the files of a pin, byte by byte.
fn pin_functions(plan: &TargetPlan, text: &mut String) {
    let changes: &[FileChange] = plan.pin.as_ref().map_or(&[], |pin| pin.changes.as_slice());
    text.push_str("pin_is_new() { :\n");
    for change in changes {
        match change {
            FileChange::Own {
                name, before: None, ..
            } => text.push_str(&format!("[ ! -e {} ] || return 1\n", quote(name))),
            FileChange::Own {
                name,
                before: Some(before),
                ..
            } => text.push_str(&format!(
                "[ \"$(cat {}; printf x)\" = {} ] || return 1\n",
                quote(name),
                quote(&format!("{before}x"))
            )),
            FileChange::AddBlock(_) => text.push_str("! has_block || return 1\n"),
            FileChange::RemoveBlock => text.push_str("has_block || return 1\n"),
        }
    }
    text.push_str("}\npin_write() { :\n");
    for change in changes {
        match change {
            FileChange::Own {
                name,
                before,
                after,
            } => write_file(name, before.is_none(), after.as_deref(), text),
            FileChange::AddBlock(block) => add_block(block, text),
            FileChange::RemoveBlock => text.push_str("remove_block || return 1\n"),
        }
    }
    text.push_str("}\npin_undo() { :\n");
    for change in changes.iter().rev() {
        match change {
            FileChange::Own { name, before, .. } => {
                write_file(name, false, before.as_deref(), text);
            }
            FileChange::AddBlock(_) => {
                text.push_str("if has_block; then remove_block || return 1; fi\n");
            }
            // Only an unpin takes it out, and what follows there cannot fail.
            FileChange::RemoveBlock => {}
        }
    }
    text.push_str("}\n");
    let how = plan.pin.as_ref().map_or("", |pin| match pin.how {
        How::Override => "override",
        How::Env => "env",
    });
    text.push_str(&format!("PIN={how}\n"));
    text.push_str(&format!(
        "BLOCK_BEGIN={}\nBLOCK_END={}\nNO_LINE_END={}\nNO_FILE={}\n",
        quote(BLOCK_BEGIN),
        quote(BLOCK_END),
        quote(NO_LINE_END),
        quote(NO_FILE)
    ));
}

fn add_block(block: &Block, text: &mut String) {
    let line_end = if block.line_end { "yes" } else { "" };
    text.push_str(&format!(
        "add_block {} \"{line_end}\" || return 1\n",
        quote(&block.text)
    ));
}

fn write_file(name: &str, exclusive: bool, content: Option<&str>, text: &mut String) {
    let name = quote(name);
    match content {
        None => text.push_str(&format!("rm -f {name} || return 1\n")),
        Some(content) => {
            let exclusive = if exclusive { "yes" } else { "" };
            text.push_str(&format!(
                "write_file {name} {} \"{exclusive}\" || return 1\n",
                quote(content)
            ));
        }
    }
}

/// What every job has in common.
const LIBRARY: &str = r#"
LC_ALL=C; export LC_ALL
umask 077
J=$(cd "$(dirname "$0")" && pwd) || exit 70
STATE=$(dirname "$(dirname "$J")")
STEP=
LOCKED=

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
mark() { printf '@%s\n' "$*"; }
step() { STEP=$1; mark step "$1" "$2" "$(now)" "${3:-}"; }
# A text as a JSON string: only what has to be escaped is.
json() { printf %s "$1" | tr '\n\r\t' '   ' | tr -d '\000-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/"/' | { read -r line || :; printf %s "${line:-\"\"}"; }; }

journal() {
  line="{\"at\":\"$(now)\",\"by\":$(json "$BY"),\"action\":\"$ACTION\",\"target\":$(json "$TARGET"),\"from\":$(json "$FROM_REF"),\"to\":$(json "$TO_REF"),\"from_id\":$(json "$FROM_ID"),\"to_id\":$(json "$TO_ID"),\"outcome\":$1,\"why\":$(json "$2"),\"reason\":$(json "$REASON"),\"job\":$(json "$JOB"),\"pin\":$(json "$PIN")}"
  printf '%s\n' "$line" >>"$STATE/journal.jsonl"
  sync "$STATE/journal.jsonl" 2>/dev/null || sync
}

finish() {
  trap - EXIT TERM INT HUP
  mark end "$1" "$(now)" "$2"
  journal "\"$1\"" "$2"
  unlock
  printf '%s\n' "$1" >"$J/rc.tmp" && mv "$J/rc.tmp" "$J/rc"
  exit 0
}

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }
# alive PID BOOT START: the very process, not another one with its number.
alive() { [ -n "$1" ] && [ "$2" = "$(boot_id)" ] && [ "$(start_time "$1")" = "$3" ]; }

lock() {
  if [ -d /run/lock ] && [ -w /run/lock ]; then LOCK=/run/lock/homelab-tui.$PROJECT; else mkdir -p "$STATE/locks"; LOCK=$STATE/locks/$PROJECT; fi
  for try in 1 2 3; do
    if mkdir "$LOCK" 2>/dev/null; then
      LOCKED=yes
      chmod 755 "$LOCK"
      printf '%s %s %s\n%s\n%s\n%s\n' "$$" "$(boot_id)" "$(start_time $$)" "$BY" "$(now)" "$JOB" >"$LOCK/owner"
      chmod 644 "$LOCK/owner"
      return 0
    fi
    { read -r pid boot start; read -r who; read -r since; read -r other; } <"$LOCK/owner" 2>/dev/null
    if [ -z "${pid:-}" ]; then sleep 1; continue; fi
    if alive "$pid" "$boot" "$start"; then
      finish refused "$who has been at work on $PROJECT since $since (job $other)"
    fi
    # The one who left the lock behind is dead: only one of us gets to move it away.
    mv "$LOCK" "$LOCK.dead.$$" 2>/dev/null && rm -rf "$LOCK.dead.$$" && mark note "a lock left by the dead job ${other:-unknown} of ${who:-unknown} was removed"
  done
  finish refused "the lock $LOCK could not be had"
}
unlock() { if [ -n "$LOCKED" ]; then rm -rf "$LOCK"; LOCKED=; fi; }

# The operator's .env may hold secrets: it is copied and cut on the host and never read into a plan.
has_block() { [ -f .env ] && grep -qxF "$BLOCK_BEGIN" .env && grep -qxF "$BLOCK_END" .env; }
# Moved into place whole, with the owner and mode of what was there.
replace_env() {
  if [ -e .env ]; then
    chown --reference=.env "$1" 2>/dev/null; chmod --reference=.env "$1" 2>/dev/null || chmod 600 "$1"
  fi
  mv -f "$1" .env
}
# add_block TEXT LINE_END
add_block() {
  aside=.env.homelab-tui.$$
  { if [ -e .env ]; then cat .env; fi && { [ -z "$2" ] || echo; } && printf %s "$1"; } >"$aside" || { rm -f "$aside"; return 1; }
  replace_env "$aside"
}
remove_block() {
  aside=.env.homelab-tui.$$
  first=$(grep -nxF "$BLOCK_BEGIN" .env | head -n 1 | cut -d: -f1)
  last=$(grep -nxF "$BLOCK_END" .env | head -n 1 | cut -d: -f1)
  [ -n "$first" ] && [ -n "$last" ] && [ "$last" -gt "$first" ] || return 1
  before=$(head -n $(( first - 1 )) .env | wc -c)
  after=$(tail -n +$(( last + 1 )) .env | wc -c)
  inside=$(sed -n "${first},${last}p" .env)
  case $inside in
    *"$NO_FILE"*) if [ "$before" = 0 ] && [ "$after" = 0 ]; then rm -f .env; return; fi ;;
    *"$NO_LINE_END"*) if [ "$after" = 0 ] && [ "$before" -gt 0 ]; then before=$(( before - 1 )); fi ;;
  esac
  { head -c "$before" .env && tail -n +$(( last + 1 )) .env; } >"$aside" || { rm -f "$aside"; return 1; }
  replace_env "$aside"
}
# write_file NAME TEXT EXCLUSIVE
write_file() {
  aside=.homelab-tui.$$
  printf %s "$2" >"$aside" && chmod 644 "$aside" || { rm -f "$aside"; return 1; }
  if [ -n "$3" ]; then
    if ln "$aside" "$1"; then rm -f "$aside"; else rm -f "$aside"; return 1; fi
  else
    mv -f "$aside" "$1"
  fi
}

same_file() {
  if [ -e "$1" ]; then own=$(sha256sum "$1" 2>/dev/null | cut -d' ' -f1); else own=absent; fi
  [ "$own" = "$2" ] || finish refused "$1 was changed since the plan was made"
}

members() { docker_ ps -a --no-trunc --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False --format '{{.ID}}'; }

# Somebody else's compose, at work in this folder right now.
others_at_work() {
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    [ "$pid" = "$$" ] && continue
    words=$(tr '\000' ' ' <"$process/cmdline" 2>/dev/null) || continue
    case $words in
      *docker*compose*\ up*|*docker*compose*\ down*|*docker*compose*\ pull*|*docker*compose*\ build*|*docker*compose*\ restart*|*docker*compose*\ stop*|*docker*compose*\ rm*)
        if [ "$(readlink "$process/cwd" 2>/dev/null)" = "$(pwd -P)" ]; then printf %s "$words"; return 0; fi ;;
    esac
  done
  return 1
}

begin() {
  exec >>"$J/out" 2>>"$J/err" </dev/null
  printf '%s %s %s\n' "$$" "$(boot_id)" "$(start_time $$)" >"$J/pid"
  trap 'finish halted "the job was ended from outside during ${STEP:-its start}"' TERM INT
  trap '' HUP
  trap 'finish halted "the script ended by itself during ${STEP:-its start}"' EXIT
  mark begin "$ACTION" "$(now)" "$TARGET"
  lock
  cd "$FOLDER" || finish refused "the folder $FOLDER is gone"
  if other=$(others_at_work); then finish refused "somebody else is at work on this project: $other"; fi
  premise_files
  expected=$(premise_containers | sort)
  found=$(for id in $(members "$SERVICE"); do printf '%s %s\n' "$id" "$(docker_ inspect -f '{{.Image}}' "$id")"; done | sort)
  [ "$expected" = "$found" ] || finish refused "the containers of $SERVICE changed since the plan was made"
  # The way back is on disk before the first change.
  journal null "begun"
}

keep() {
  [ -n "$KEEP_TAG" ] || return 0
  step keep started
  if ! docker_ tag "$FROM_ID" "$KEEP_TAG"; then
    step keep failed
    finish refused "the running image could not be kept: $(last_words)"
  fi
  mkdir -p "$STATE" && printf '%s %s\n' "$(now)" "$KEEP_TAG" >>"$STATE/keeps"
  step keep done
}

# The image gone to must stay, whatever its tags do.
hold() {
  [ -n "$(id_of "$TO_ID")" ] || finish halted "the image $TO_ID is not on the host; nothing was changed"
  [ -z "$HOLD_TAG" ] || docker_ tag "$TO_ID" "$HOLD_TAG" || finish halted "the image could not be held: $(last_words)"
}

last_words() { tail -c 2000 "$J/err" | tr -d '\000-\010\013-\037\177' | grep -v '^ *$' | tail -n 1 | cut -c1-300; }
id_of() { docker_ image inspect -f '{{.Id}}' "$1" 2>/dev/null; }

# Runs a command that may be cancelled; 130 says that it was.
cancellable() {
  "$@" >>"$J/err" 2>&1 &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    if [ -e "$J/cancel" ]; then kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; return 130; fi
    sleep 1 &
    wait $! 2>/dev/null
  done
  wait "$child"
}
# Fetching has not touched the service: here it is safe to stop.
fetch() {
  step pull started
  began=$(date +%s)
  cancellable "$@"
  status=$?
  if [ "$status" = 130 ] && [ -e "$J/cancel" ]; then step pull failed cancelled; finish halted "cancelled while fetching; what ran still runs"; fi
  if [ "$status" != 0 ]; then step pull failed; finish halted "the pull failed and nothing was changed: $(last_words)"; fi
  step pull done "$(( $(date +%s) - began )) s"
}
pull_service() { if [ -n "$FETCH_REF" ]; then fetch docker_ pull "$FETCH_REF"; else fetch compose --progress "${PROGRESS:-plain}" pull "$SERVICE"; fi; }

# What a killed compose may have left: a container made and never started.
clear_left_overs() {
  for id in $(docker_ ps -aq --no-trunc --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" --filter status=created); do
    if [ -n "$(docker_ inspect -f '{{index .Config.Labels "com.docker.compose.replace"}}' "$id" 2>/dev/null)" ]; then docker_ rm "$id"; fi
  done
}

up() {
  clear_left_overs "$SERVICE"
  if [ "$SCALE" -gt 1 ]; then set -- "$@" --scale "$SERVICE=$SCALE"; fi
  compose up -d --no-deps --pull never "$@" "$SERVICE" >>"$J/err" 2>&1 || return 1
  for dependent in $DEPENDENTS; do
    compose up -d --no-deps --force-recreate --pull never "$dependent" >>"$J/err" 2>&1 || return 1
  done
}

# Waits until every container is well; tells why not otherwise.
well() {
  step wait started
  deadline=$(( $(date +%s) + TIMEOUT ))
  settled=; counts=
  while :; do
    now_=$(date +%s)
    good=yes; why=; fresh=
    all=$(for service in "$SERVICE" $DEPENDENTS; do members "$service"; done)
    [ -n "$all" ] || { WHY="no container of $SERVICE is there"; step wait failed "$WHY"; return 1; }
    for id in $all; do
      set -- $(docker_ inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}} {{.State.ExitCode}}' "$id" 2>/dev/null)
      state=${1:-gone} health=${2:-none} restarts=${3:-0} code=${4:-0}
      fresh="$fresh $id:$restarts"
      case $state/$health in
        running/healthy) : ;;
        running/none) good=${good:+settle} ;;
        running/starting) good=; why="health is still starting" ;;
        running/unhealthy) WHY="it is unhealthy"; step wait failed "$WHY"; return 1 ;;
        exited/*)
          if [ "$code" = 0 ] && [ -n "$ONE_SHOT" ]; then :; else WHY="it exited ($code)"; step wait failed "$WHY"; return 1; fi ;;
        dead/*|gone/*) WHY="its container is $state"; step wait failed "$WHY"; return 1 ;;
        *) good=; why="its container is $state" ;;
      esac
      if [ "$restarts" -ge 3 ]; then WHY="it restarts again and again (exit code $code)"; step wait failed "$WHY"; return 1; fi
    done
    if [ "$good" = yes ]; then step wait done; return 0; fi
    if [ "$good" = settle ]; then
      # Without a health check a container is well once it has run for a while without a restart.
      if [ "$counts" != "$fresh" ]; then counts=$fresh; settled=$(( now_ + SETTLE )); fi
      if [ "$now_" -ge "$settled" ]; then step wait done "no health check: ran for $SETTLE s without a restart"; return 0; fi
    else
      counts=
    fi
    if [ "$now_" -ge "$deadline" ]; then WHY="not well after $TIMEOUT s${why:+: $why}"; step wait failed "$WHY"; return 1; fi
    sleep 1
  done
}

# prove ID: every container of the service runs that image.
prove() {
  step prove started
  for id in $(members "$SERVICE"); do
    own=$(docker_ inspect -f '{{.Image}}' "$id")
    if [ "$own" != "$1" ]; then WHY="a container runs $own, not $1"; step prove failed "$WHY"; return 1; fi
    set -- "$1" "$own" "$(docker_ inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' "$id")"
  done
  mark proof "${2:-}" "${3:-}"
  step prove done
}

# Brings the former image back; only then does a failure have a good end.
put_back() {
  failure=$1
  step put-back started
  if [ -n "$PIN" ]; then pin_undo || finish halted "$failure; the pin's files could not be taken back"; fi
  if [ -n "$KEEP_TAG" ] && [ -n "$SERVICE_TAG" ] && ! docker_ tag "$KEEP_TAG" "$SERVICE_TAG"; then
    step put-back failed
    finish halted "$failure; the former image could not be given its tag: $(last_words)"
  fi
  if ! up --force-recreate; then
    step put-back failed
    finish halted "$failure; putting back failed too: $(last_words)"
  fi
  if well && prove "$FROM_ID"; then
    step put-back done
    finish put-back "$failure; the former image runs again, and $SERVICE_TAG names it on this host until the next pull"
  fi
  step put-back failed
  finish halted "$failure; the former image was put back but $WHY"
}

recreate() {
  [ -e "$J/cancel" ] && finish halted "cancelled before the recreation; what ran still runs"
  step recreate started
  if ! up "$@"; then
    words=$(last_words)
    step recreate failed "$words"
    put_back "the recreation failed: $words"
  fi
  step recreate done
  well || put_back "$WHY"
}

# Drops the oldest ways back beyond the number that is kept; the engine itself refuses one in use.
tidy() {
  [ -n "$KEEP_TAG" ] && [ -f "$STATE/keeps" ] || return 0
  repository=${KEEP_TAG%:*}
  grep -F " $repository:" "$STATE/keeps" | sort -u -k2,2 | sort | awk '{print $2}' >"$J/keeps"
  count=$(wc -l <"$J/keeps")
  [ "$count" -gt "$KEEP" ] || return 0
  head -n $(( count - KEEP )) "$J/keeps" | while read -r tag; do
    [ "$tag" = "$KEEP_TAG" ] && continue
    docker_ rmi "$tag" >>"$J/err" 2>&1
    grep -vF " $tag" "$STATE/keeps" >"$J/keeps.new" && cat "$J/keeps.new" >"$STATE/keeps"
  done
}
drop_keep() { [ -n "$KEEP_TAG" ] && docker_ rmi "$KEEP_TAG" >>"$J/err" 2>&1; return 0; }

# The tag may have moved since the plan was made: then what was fetched is not what was shown.
expect_tag() {
  own=$(id_of "$SERVICE_TAG")
  [ -z "$TO_ID" ] || [ "$own" = "$TO_ID" ] || finish halted "$SERVICE_TAG moved since the plan was made: it now names ${own:-nothing}, not $TO_ID; nothing was recreated"
}
"#;

const PULL: &str = r#"keep
pull_service
expect_tag
if [ "$(id_of "$SERVICE_TAG")" = "$FROM_ID" ]; then drop_keep; finish unchanged "the host already held what the tag names"; fi
finish succeeded "fetched; nothing was recreated"
"#;

const RECREATE: &str = r#"keep
expect_tag
recreate --force-recreate
prove "$TO_ID" || put_back "$WHY"
tidy
finish succeeded "recreated, proven by digest and health"
"#;

const UPDATE: &str = r#"keep
pull_service
expect_tag
own=$(id_of "$SERVICE_TAG")
if [ "$own" = "$FROM_ID" ] || [ -n "$SAME_IMAGE" ]; then [ "$own" = "$FROM_ID" ] && drop_keep; finish unchanged "what runs is what the tag names"; fi
recreate
prove "$own" || put_back "$WHY"
tidy
finish succeeded "updated, proven by digest and health"
"#;

const ROLLBACK_PINNED: &str = r#"keep
if [ -z "$(id_of "$TO_ID")" ]; then pull_service; fi
hold
pin_is_new || finish refused "the files of the pin changed since the plan was made"
before=$(compose config --hash '*' 2>/dev/null | grep -v "^$SERVICE " | sort)
pin_write || { pin_undo; finish halted "the pin could not be written; nothing was changed"; }
after=$(compose config --hash '*' 2>>"$J/err" | grep -v "^$SERVICE " | sort)
if [ "$before" != "$after" ] || [ -z "$(compose config --hash "$SERVICE" 2>>"$J/err")" ]; then
  pin_undo
  finish halted "with the pin's file the project would render differently beyond $SERVICE; it was taken back and nothing was changed"
fi
recreate
prove "$TO_ID" || put_back "$WHY"
tidy
finish succeeded "rolled back and pinned, proven by digest and health"
"#;

const ROLLBACK_BY_TAG: &str = r#"keep
if [ -z "$(id_of "$TO_ID")" ]; then pull_service; fi
hold
docker_ tag "$TO_ID" "$SERVICE_TAG" || finish halted "the image could not be given the tag $SERVICE_TAG: $(last_words)"
recreate
prove "$TO_ID" || put_back "$WHY"
tidy
finish succeeded "rolled back, proven by digest and health; not pinned: the next pull undoes it"
"#;

const PIN_ONLY: &str = r#"keep
hold
pin_is_new || finish refused "the files of the pin changed since the plan was made"
before=$(compose config --hash '*' 2>/dev/null | grep -v "^$SERVICE " | sort)
pin_write || { pin_undo; finish halted "the pin could not be written; nothing was changed"; }
after=$(compose config --hash '*' 2>>"$J/err" | grep -v "^$SERVICE " | sort)
if [ "$before" != "$after" ] || [ -z "$(compose config --hash "$SERVICE" 2>>"$J/err")" ]; then
  pin_undo
  finish halted "with the pin's file the project would render differently beyond $SERVICE; it was taken back and nothing was changed"
fi
finish succeeded "pinned; nothing was recreated"
"#;

const UNPIN: &str = r#"[ -n "$PIN" ] || finish unchanged "it is not pinned"
pin_is_new || finish refused "the files of the pin changed since the plan was made"
pin_write || { pin_undo; finish halted "the pin could not be taken back; its files are as they were"; }
finish succeeded "the pin is gone; the service follows its tag from the next recreation on"
"#;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::rollout::plan::sample;

    fn sh(arguments: &[&str], input: &str) -> (bool, String) {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut child = Command::new("sh")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.success(),
            text + &String::from_utf8_lossy(&output.stderr),
        )
    }

    #[test]
    fn every_script_is_whole_for_a_plain_shell() {
        for action in [
            Action::Pull,
            Action::Recreate,
            Action::Update,
            Action::Rollback,
            Action::Pin,
            Action::Unpin,
        ] {
            let mut plan = sample(action);
            plan.target.service = "it's $(touch /tmp/x) `id`".into();
            plan.reason = Some("'; rm -rf / #".to_owned());
            let (good, words) = sh(&["-n"], &script(&plan));
            assert!(good, "{action:?}: {words}");
        }
    }

    #[test]
    fn a_quoted_word_comes_back_as_it_was() {
        for word in [
            "", "a b", "it's", "$(id)", "`id`", "a\\b", "\"", "*", "a\nb", "-n",
        ] {
            let (good, words) = sh(&["-s"], &format!("printf %s {}", quote(word)));
            assert!(good);
            assert_eq!(words, word);
        }
    }

    #[test]
    fn lifting_a_block_gives_every_byte_back() {
        use crate::core::rollout::pin::{Entry, EnvFile, Folder, set};
        let folder = std::env::temp_dir().join(format!("homelab-tui-pin-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let env = folder.join(".env");
        let library = LIBRARY.split("\nsame_file()").next().unwrap();
        let library = &library[library.find("# The operator's .env").unwrap()..];
        for before in [
            None,
            Some(&b""[..]),
            Some(b"A=1\n"),
            Some(b"A=1"),
            Some(b"# set by the deploy script\nIMAGE_TAG=main-abc1234\nOTHER=\"a b\""),
            Some(b"\r\nA=1\r\n"),
            Some(b"\xff\xfe odd bytes\n\n\n"),
        ] {
            let _ = std::fs::remove_file(&env);
            if let Some(bytes) = before {
                std::fs::write(&env, bytes).unwrap();
            }
            let project = Folder {
                config_files: vec![
                    "compose.yaml".to_owned(),
                    "compose.override.yaml".to_owned(),
                ],
                user_override: Some("compose.override.yaml".to_owned()),
                env_file: before.map(|bytes| EnvFile {
                    open_end: !bytes.is_empty() && !bytes.ends_with(b"\n"),
                    ..EnvFile::default()
                }),
                ..Folder::default()
            };
            let entry = Entry {
                service: "web".to_owned(),
                image: "x:1".to_owned(),
                builds: false,
            };
            let mut plan = sample(Action::Pin);
            plan.pin = Some(set(&project, entry).unwrap());
            let mut functions = String::new();
            pin_functions(&plan, &mut functions);
            let place = quote(folder.to_str().unwrap());
            let program = format!(
                "{functions}\n{library}\ncd {place}\npin_is_new && pin_write && has_block && cat .env && pin_undo && ! has_block && echo undone"
            );
            let (good, words) = sh(&["-s"], &program);
            assert!(good && words.contains("undone"), "{before:?}: {words}");
            let line = "COMPOSE_FILE=compose.yaml:compose.override.yaml:homelab-tui.pin.yaml";
            assert!(words.contains(line), "{words}");
            assert_eq!(std::fs::read(&env).ok().as_deref(), before, "{before:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn json_in_the_host_s_journal_stays_json() {
        let library = LIBRARY.split("\njournal()").next().unwrap();
        for text in [
            "plain",
            "",
            "a \"b\" \\ c",
            "line\nbreak\ttab",
            "\u{1b}[31m",
        ] {
            let program = format!("{library}\njson {}", quote(text));
            let (_, words) = sh(&["-s"], &program);
            let parsed: Result<String, _> = serde_json::from_str(words.trim());
            assert!(parsed.is_ok(), "{text:?} became {words:?}");
        }
    }
}
