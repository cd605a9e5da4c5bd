# What every job has in common. The lines above it give the variables and functions of the one plan.
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
