# What every job has in common. The lines above it give the variables and functions of the one plan.
LC_ALL=C; export LC_ALL
umask 077
J=$(cd "$(dirname "$0")" && pwd) || exit 70
# The number that the job is known by: that of the process which watches over the steps.
SELF=${2:-$$}
STATE=$(dirname "$(dirname "$J")")
STEP=
LOCKED=

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
mark() { printf '@%s\n' "$*"; }
step() { STEP=$1; mark step "$1" "$2" "$(now)" "${3:-}"; }
# A text as a JSON string: only what has to be escaped is.
json() { printf %s "$1" | tr '\n\r\t' '   ' | tr -d '\000-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/"/' | { read -r line || :; printf %s "${line:-\"\"}"; }; }

# Tells the host's journal; fails where that could not be written.
journal() {
  line="{\"at\":\"$(now)\",\"by\":$(json "$BY"),\"action\":\"$ACTION\",\"target\":$(json "$TARGET"),\"from\":$(json "$FROM_REF"),\"to\":$(json "$TO_REF"),\"from_id\":$(json "$FROM_ID"),\"to_id\":$(json "$TO_ID"),\"outcome\":$1,\"why\":$(json "$2"),\"reason\":$(json "$REASON"),\"job\":$(json "$JOB"),\"pin\":$(json "$PIN")}"
  printf '%s\n' "$line" >>"$STATE/journal.jsonl" || return 1
  sync "$STATE/journal.jsonl" 2>/dev/null || sync
}

finish() {
  trap - EXIT HUP
  trap '' TERM INT
  take_back || mark note "a tag that was lent could not be given back: $(cat "$J/lent")"
  # On a disk that is full by now this is the room for the job's last words.
  rm -f "$J/reserve"
  journal "\"$1\"" "$2"
  # Whoever hears of the end may begin the next job at once.
  unlock
  mark end "$1" "$(now)" "$2"
  printf '%s\n' "$1" >"$J/rc.tmp" && mv "$J/rc.tmp" "$J/rc"
  exit 0
}

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }
# alive PID BOOT START: the very process, not another one with its number.
alive() { [ -n "$1" ] && [ "$2" = "$(boot_id)" ] && [ "$(start_time "$1")" = "$3" ]; }

lock_place() { if [ -d /run/lock ] && [ -w /run/lock ]; then LOCK=/run/lock/homelab-tui.$PROJECT; else mkdir -p "$STATE/locks"; LOCK=$STATE/locks/$PROJECT; fi; }
lock_owner() { pid=; boot=; start=; who=; since=; other=; { read -r pid boot start; read -r who; read -r since; read -r other; } <"$LOCK/owner"; } 2>/dev/null
# older FOLDER SECONDS: it was made longer ago than that.
older() { made=$(stat -c %Y "$1" 2>/dev/null) && [ $(( $(date +%s) - made )) -gt "$2" ]; }
lock() {
  lock_place
  for try in 1 2 3 4 5; do
    if mkdir "$LOCK" 2>/dev/null; then
      LOCKED=yes
      chmod 755 "$LOCK"
      printf '%s %s %s\n%s\n%s\n%s\n' "$SELF" "$(boot_id)" "$(start_time "$SELF")" "$BY" "$(now)" "$JOB" >"$LOCK/owner" || finish refused "the lock $LOCK cannot be written"
      chmod 644 "$LOCK/owner"
      return 0
    fi
    lock_owner
    # It is being taken right now, or its owner died before it could sign.
    if [ -z "$pid" ] && ! older "$LOCK" 60; then sleep 1; continue; fi
    if [ -n "$pid" ] && alive "$pid" "$boot" "$start"; then
      finish refused "$who has been at work on $PROJECT since $since (job $other)"
    fi
    break_lock
  done
  finish refused "the lock $LOCK could not be had"
}
# The one who left the lock behind is dead. Only one at a time may move it away, and looks again before.
break_lock() {
  if ! mkdir "$LOCK.breaking" 2>/dev/null; then
    if older "$LOCK.breaking" 60; then rmdir "$LOCK.breaking" 2>/dev/null; fi
    sleep 1; return
  fi
  dead=$pid
  lock_owner
  if [ "$pid" = "$dead" ] && ! { [ -n "$pid" ] && alive "$pid" "$boot" "$start"; }; then
    rm -rf "$LOCK" && mark note "a lock left by the dead job ${other:-unknown} of ${who:-unknown} was removed"
    bury "$other"
  fi
  rmdir "$LOCK.breaking"
}
# bury JOB: says in the journal how a job ended that died without a word.
bury() {
  case $1 in ''|*/*|.*) return ;; esac
  dead=$STATE/jobs/$1
  [ -d "$dead" ] && [ ! -e "$dead/rc" ] || return
  take_back "$dead"
  # One that held a container back is brought to its end by the next that works on it.
  if grep -q '^CONTAINER=' "$dead/run" && grep -q '^@step recreate ' "$dead/out"; then DEAD=$1; return; fi
  begun=$(grep -F "\"job\":\"$1\"" "$STATE/journal.jsonl" 2>/dev/null | grep -F '"outcome":null' | tail -n 1)
  [ -z "$begun" ] || printf '%s\n' "$begun" | sed "s/^{\"at\":\"[^\"]*\"/{\"at\":\"$(now)\"/; s/\"outcome\":null,\"why\":\"[^\"]*\"/\"outcome\":\"halted\",\"why\":\"the job died during $(last_step "$dead/out"), as in a crash of the host; look at what runs\"/" >>"$STATE/journal.jsonl"
  echo halted >"$dead/rc"
}
last_step() { word=$(sed -n 's/^@step \([a-z-]*\) .*/\1/p' "$1" 2>/dev/null | tail -n 1); printf %s "${word:-its start}"; }
unlock() { if [ -n "$LOCKED" ]; then rm -rf "$LOCK"; LOCKED=; fi; }

# The operator's .env may hold secrets: it is copied and cut on the host and never read into a plan.
has_block() { [ -f .env ] && grep -qxF "$BLOCK_BEGIN" .env && grep -qxF "$BLOCK_END" .env; }
# Moved into place whole, with the owner and mode of what was there. A link stays one: its end is filled anew.
replace_env() {
  if [ -L .env ]; then cat "$1" >.env && rm -f "$1"; return; fi
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

sum_of() {
  if [ -e "$1" ]; then own=$(sha256sum "$1" 2>/dev/null | cut -d' ' -f1); own=${own:-unreadable}; else own=absent; fi
}
same_file() {
  sum_of "$1"
  [ "$own" = "$2" ] || left_so "$own $1" || finish refused "$1 was changed since the plan was made"
}
# What a job before this one of the same plan left the project's files as is no surprise; what else changed them is.
left_so() { for before in $AFTER; do grep -qxF -- "$1" "${J%/*}/$before/left" 2>/dev/null && return 0; done; return 1; }
left_file() { sum_of "$1"; printf '%s %s\n' "$own" "$1" >>"$J/left"; }
leave() {
  [ -n "$FOLLOWED" ] || return 0
  left_files
  printf '%s rendering\n' "$(rendering)" >>"$J/left"
}

# What an interrupted recreation made and never started counts only where nothing else is left.
members() { listed "$1" | counted; }
counted() { awk '$2 == "created" && $3 != "" { left = left $1 "\n"; next } { print $1; some = 1 } END { if (!some) printf "%s", left }'; }
# To be removed only where the one that it was to replace is still there: else it alone leads to the anonymous volumes of
# that one, and compose takes them over from it. Until it has its place its name begins with the other's Id.
left_over() { awk '{ id[NR] = $1 } $2 == "created" && $4 ~ /^[0-9a-f]+_/ { split($4, part, "_"); of[$1] = part[1] } END { for (own in of) for (n in id) if (id[n] != own && index(id[n], of[own]) == 1) print own }'; }
listed() { docker_ ps -a --no-trunc --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False --format '{{.ID}} {{.State}} {{with .Label "com.docker.compose.replace"}}{{.}} {{$.Names}}{{end}}'; }
# look FORMAT CONTAINER...: a line for each, by one command: on a small machine every one takes a good part of a second.
# With `.Id`, which is only in the engine's own answer, a missing health check would be an error.
look() { [ $# -gt 1 ] && docker_ inspect -f "$@"; }
# Whether one of them runs, or has done its work.
lives() { [ -n "$ONE_SHOT" ] || look '{{.State.Running}}' $(members "$SERVICE") | grep -q true; }

end_dead_jobs() { :; }
rendering() { rendered --format json 2>/dev/null | sha256sum | cut -d' ' -f1; }
OTHER_RENDERING="the project's files render to something else than when the plan was made"

begin() {
  trap ended TERM INT
  trap '' HUP
  trap 'finish halted "the script ended by itself during ${STEP:-its start}"' EXIT
  mark begin "$ACTION" "$(now)" "$TARGET"
  head -c 65536 /dev/zero >"$J/reserve" || finish refused "there is no room for the job's own records in $J"
  lock
  end_dead_jobs
  cd "$FOLDER" || finish refused "the folder $FOLDER is gone"
  if other=$(others_at_work "$PROJECT"); then finish refused "somebody else is at work on this project: $other"; fi
  engine_is_there || finish refused "the engine does not answer: $(last_words)"
  premise_files
  if [ -n "$RENDERING" ]; then
    own=$(rendering)
    [ "$own" = "$RENDERING" ] || left_so "$own rendering" || finish refused "$OTHER_RENDERING"
  fi
  expected=$(premise_containers | sort)
  all=$(listed "$SERVICE")
  found=$(look '{{.ID}} {{.Image}}' $(printf '%s\n' "$all" | counted) | sort)
  LEFT_OVERS=$(printf '%s\n' "$all" | left_over)
  if [ -n "$RECREATED_BEFORE" ]; then expected=$(printf '%s\n' "$expected" | sed 's/.* //' | sort); found=$(printf '%s\n' "$found" | sed 's/.* //' | sort); fi
  [ "$expected" = "$found" ] || finish refused "the containers of $SERVICE changed since the plan was made"
  note_dependents
  # The way back is on disk before the first change.
  journal null "begun" || finish refused "the journal $STATE/journal.jsonl cannot be written"
}
# Asked to end from outside: not in the middle of a change.
ended() {
  [ "$STEP" != put-back ] || return 0
  if changes_the_service "$STEP"; then put_back "the job was ended from outside during $STEP"; return; fi
  finish halted "the job was ended from outside during ${STEP:-its start}; what ran still runs"
}

# Runs the steps in a process of their own; should that be killed, this one brings the former image back.
supervise() {
  if [ "${1:-}" = work ]; then work; exit; fi
  if [ "${1:-}" = revive ]; then revive; exit; fi
  exec >>"$J/out" 2>>"$J/err" </dev/null
  printf '%s %s %s\n' "$$" "$(boot_id)" "$(start_time $$)" >"$J/pid"
  trap '' HUP
  sh "$J/run" work "$$" &
  worker=$!
  trap 'kill -TERM "$worker" 2>/dev/null' TERM INT
  while kill -0 "$worker" 2>/dev/null; do wait "$worker"; done
  [ -e "$J/rc" ] || recover
}
recover() {
  trap '' TERM INT
  lock_place; lock_owner
  if [ "$other" = "$JOB" ]; then LOCKED=yes; fi
  STEP=$(last_step "$J/out")
  killed="the job's script was killed during $STEP"
  grep -q '^@step ' "$J/out" || finish refused "$killed; nothing was touched"
  cd "$FOLDER" || finish halted "$killed; the folder $FOLDER is gone"
  # What it had started may still be at work.
  for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do others_at_work "$PROJECT" >/dev/null || break; sleep 1; done
  if grep -q '^@step put-back ' "$J/out"; then STEP=put-back; fi
  if changes_the_service "$STEP"; then put_back "$killed"; fi
  if [ -e "$J/pinning" ] && [ "$ACTION" != unpin ]; then pin_undo || finish halted "$killed; the pin's files could not be taken back"; fi
  finish halted "$killed; what ran still runs"
}

engine_is_there() { docker_ version -f '{{.Server.Version}}' >/dev/null; }
# An engine that is being started anew is waited for: its absence says nothing of the service.
engine_back() {
  engine_is_there 2>/dev/null && return 0
  mark note "the engine does not answer; it is waited for"
  left=$TIMEOUT
  while [ "$left" -gt 0 ]; do
    sleep 1
    left=$(( left - 1 ))
    if engine_is_there 2>/dev/null; then mark note "the engine is back"; return 0; fi
  done
  return 1
}

# What shares the service's network, ipc or pid namespace is made anew with the image that it runs, whatever its tag names by then.
# note_dependents: writes down each with its reference, its image and the number of its containers.
note_dependents() {
  : >"$J/dependents"
  for dependent in $DEPENDENTS; do
    runs=; count=0
    for id in $(members "$dependent"); do
      own=$(look '{{.Config.Image}} {{.Image}}' "$id")
      [ -z "$runs" ] || [ "$runs" = "$own" ] || finish refused "the containers of $dependent, which shares the namespaces of $SERVICE, run several images; recreate $dependent by itself first"
      runs=$own
      count=$(( count + 1 ))
    done
    [ -n "$runs" ] || continue
    [ -n "$(id_of "${runs##* }")" ] || finish refused "$dependent, which shares the namespaces of $SERVICE, runs ${runs##* }, which the host no longer holds, and would get another image; recreate $dependent first by docker compose up -d $dependent"
    printf '%s %s %s\n' "$dependent" "$runs" "$count" >>"$J/dependents"
  done
}
# The tag of a reference in the same repository.
beside() { case ${1##*/} in *:*) printf %s "${1%:*}:$2" ;; *) printf %s "$1:$2" ;; esac; }
# The image of one whose tag names another one, or will, must stay, whatever its tags do.
keep_dependents() {
  [ -s "$J/dependents" ] || return 0
  while read -r dependent reference image count; do
    case $reference in *@*) continue ;; esac
    if [ "$(id_of "$reference")" = "$image" ] && [ "${reference%:latest}" != "${SERVICE_TAG%:latest}" ]; then continue; fi
    tag=$(beside "$reference" "htui-keep-$(printf %s "${image#sha256:}" | cut -c1-12)")
    [ "$tag" != "$KEEP_TAG" ] || continue
    docker_ tag "$image" "$tag" || finish refused "the image of $dependent, which shares the namespaces of $SERVICE, could not be kept: $(last_words)"
    printf '%s %s %s\n' "$(now)" "$tag" "$PROJECT/$dependent" >>"$STATE/keeps"
  done <"$J/dependents"
}
# lend DEPENDENT: its reference names the image that it runs until `take_back`; what it named stays named meanwhile.
lend() {
  set -- $(OWN=$1 awk '$1 == ENVIRON["OWN"]' "$J/dependents" 2>/dev/null)
  [ $# = 4 ] || return 0
  case $2 in *@*) return 0 ;; esac
  named=$(id_of "$2")
  [ "$named" != "$3" ] || return 0
  aside=
  if [ -n "$named" ]; then
    aside=$(beside "$2" "htui-aside-$(printf %s "${named#sha256:}" | cut -c1-12)")
    docker_ tag "$named" "$aside" || return 1
  fi
  printf '%s %s\n' "$2" "$aside" >"$J/lent"
  docker_ tag "$3" "$2"
}
# take_back [JOB'S FOLDER]: the reference that was lent names again what it named before.
take_back() {
  lent=${1:-$J}/lent
  [ -s "$lent" ] || return 0
  read -r reference aside <"$lent"
  if [ -n "$aside" ]; then
    docker_ tag "$aside" "$reference" || return 1
    docker_ rmi "$aside" >>"$J/err" 2>&1
  fi
  rm -f "$lent"
}
count_of() { OWN=$1 awk '$1 == ENVIRON["OWN"] { print $4 }' "$J/dependents" 2>/dev/null; }
same_dependents() {
  [ -s "$J/dependents" ] || return 0
  while read -r dependent reference image count; do
    told=$(look '{{.Image}}' $(members "$dependent"))
    for own in ${told:-nothing}; do
      if [ "$own" != "$image" ]; then WHY="$dependent, which shares its namespaces, runs $own, not $image as before"; return 1; fi
    done
  done <"$J/dependents"
}

keep() {
  keep_dependents
  [ -n "$KEEP_TAG" ] || return 0
  step keep started
  if ! docker_ tag "$FROM_ID" "$KEEP_TAG"; then
    step keep failed
    finish refused "the running image could not be kept: $(last_words)"
  fi
  mkdir -p "$STATE" && printf '%s %s %s\n' "$(now)" "$KEEP_TAG" "$PROJECT/$SERVICE" >>"$STATE/keeps"
  step keep done
}

# The image gone to must stay, whatever its tags do.
hold() {
  [ -n "$(id_of "$TO_ID")" ] || finish halted "the image $TO_ID is not on the host; nothing was changed"
  [ -z "$HOLD_TAG" ] || [ "$HOLD_TAG" = "$KEEP_TAG" ] || docker_ tag "$TO_ID" "$HOLD_TAG" || finish halted "the image could not be held: $(last_words)"
}

last_words() { tail -c 2000 "$J/err" | tr -d '\000-\010\013-\037\177' | grep -v '^ *$' | tail -n 1 | cut -c1-300; }
id_of() { docker_ image inspect -f '{{.Id}}' "$1" 2>/dev/null; }

# Runs a command that may be cancelled; 130 says that it was.
cancellable() {
  "$@" >>"$J/err" 2>&1 &
  child=$!
  ( while kill -0 "$child"; do if [ -e "$J/cancel" ]; then kill "$child"; fi; sleep 1; done ) 2>/dev/null &
  watcher=$!
  wait "$child"
  status=$?
  kill "$watcher" 2>/dev/null
  if [ "$status" != 0 ] && [ -e "$J/cancel" ]; then return 130; fi
  return "$status"
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

# What a killed compose may have left: a container made and never started. Where `begin` saw none the first try needs no look.
LEFT_OVERS=unknown
clear_left_overs() {
  if [ -n "$LEFT_OVERS" ]; then for id in $(listed "$SERVICE" | left_over); do docker_ rm "$id"; done; fi
  LEFT_OVERS=unknown
}

up() {
  tries=0
  until said=$(wc -c <"$J/err"); up_once "$@"; do
    # An engine that ended in the middle leaves half a recreation, which compose completes once it is back.
    if engine_is_there 2>/dev/null && ! tail -c "+$(( said + 1 ))" "$J/err" | grep -Eqi 'cannot connect to the docker daemon|error during connect|unexpected EOF|: EOF|connection reset|connection refused|daemon is shutting down'; then return 1; fi
    tries=$(( tries + 1 ))
    [ "$tries" -le 3 ] && engine_back || return 1
  done
}
up_once() {
  take_back || return 1
  clear_left_overs
  if [ -n "$SCALE" ]; then set -- "$@" --scale "$SERVICE=$SCALE"; fi
  compose up -d --no-deps --pull never "$@" "$SERVICE" >>"$J/err" 2>&1 || return 1
  for dependent in $DEPENDENTS; do
    lend "$dependent" || return 1
    set --
    many=$(count_of "$dependent")
    if [ "${many:-1}" -gt 1 ]; then set -- --scale "$dependent=$many"; fi
    compose up -d --no-deps --force-recreate --pull never "$@" "$dependent" >>"$J/err" 2>&1
    done_=$?
    take_back && [ "$done_" = 0 ] || return 1
  done
}

# health_time CONTAINER: the seconds that its own health check takes at worst, 0 without one.
health_time() {
  set -- $(docker_ inspect -f '{{with .Config.Healthcheck}}{{if .Test}}{{index .Test 0}} {{printf "%d %d %d %d" .StartPeriod .Interval .Timeout .Retries}}{{end}}{{end}}' "$1" 2>/dev/null)
  if [ $# -lt 5 ] || [ "$1" = NONE ]; then echo 0; return; fi
  interval=$3 timeout=$4 retries=$5
  [ "$interval" -gt 0 ] || interval=30000000000
  [ "$timeout" -gt 0 ] || timeout=30000000000
  [ "$retries" -gt 0 ] || retries=3
  echo $(( ( $2 + ( interval + timeout ) * retries ) / 1000000000 + 5 ))
}

# Waits until every container is well; tells why not otherwise.
well() {
  step wait started
  deadline=$(( $(date +%s) + TIMEOUT ))
  settled=; counts=; seen=; grace=5; died=
  while :; do
    now_=$(date +%s)
    good=yes; why=; fresh=
    all=$(for service in "$SERVICE" $DEPENDENTS; do members "$service"; done)
    # Where something is missing the engine itself may be away, which says nothing of the service.
    if ! states=$(look '{{.ID}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' $all 2>/dev/null) && ! engine_is_there 2>/dev/null; then
      engine_back || { WHY="the engine does not answer"; step wait failed "$WHY"; return 1; }
      deadline=$(( $(date +%s) + TIMEOUT )); counts=; seen=; grace=15
      continue
    fi
    [ -n "$all" ] || { WHY="no container of $SERVICE is there"; step wait failed "$WHY"; return 1; }
    for id in $all; do
      set -- $(printf '%s\n' "$states" | grep "^$id ")
      state=${2:-gone} health=${3:-none} restarts=${4:-0} code=${5:-0} policy=${6:-no}
      # The new image may bring a health check that takes longer than the former one's.
      case $seen in
        *"$id"*) : ;;
        *) seen="$seen $id"; limit=$(( now_ + $(health_time "$id") )); if [ "$limit" -gt "$deadline" ]; then deadline=$limit; fi ;;
      esac
      fresh="$fresh $id:$restarts"
      # While it runs the engine tells 0.
      case $state in running) : ;; *) died=$code ;; esac
      case $state/$health in
        running/healthy) : ;;
        running/none) good=${good:+settle} ;;
        running/starting) good=; why="health is still starting" ;;
        running/unhealthy) WHY="it is unhealthy"; step wait failed "$WHY"; return 1 ;;
        exited/*)
          if [ "$code" = 0 ] && [ -n "$ONE_SHOT" ]; then :;
          # The engine starts it anew in a moment.
          elif [ "$grace" -gt 0 ] && { [ "$policy" = always ] || [ "$policy" = unless-stopped ]; }; then grace=$(( grace - 1 )); good=; why="it exited ($code)"
          else WHY="it exited ($code)"; step wait failed "$WHY"; return 1; fi ;;
        dead/*|gone/*) WHY="its container is $state"; step wait failed "$WHY"; return 1 ;;
        *) good=; why="its container is $state" ;;
      esac
      if [ "$restarts" -ge 3 ]; then WHY="it restarts again and again${died:+ (exit code $died)}"; step wait failed "$WHY"; return 1; fi
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

# What the project's other services render to.
other_services() { rendered --hash '*' 2>>"$J/err" | BUT="$SERVICE" awk '$1 != ENVIRON["BUT"]' | sort; }

# prove ID: every container of the service runs that image.
prove() {
  step prove started
  # An engine that lists nothing has proven nothing.
  found=$(members "$SERVICE")
  if [ -z "$1" ] || [ -z "$found" ]; then WHY="no container of $SERVICE could be listed"; step prove failed "$WHY"; return 1; fi
  for id in $found; do
    set -- "$1" $(look '{{.Image}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' "$id")
    if [ "${2:-}" != "$1" ]; then WHY="a container runs ${2:-nothing that the engine tells}, not $1"; step prove failed "$WHY"; return 1; fi
  done
  same_dependents || { step prove failed "$WHY"; return 1; }
  mark proof "$2" "$3 $4"
  step prove done
}

# Brings the former image back; only then does a failure have a good end.
put_back() {
  failure=$1
  step put-back started
  if [ -n "$PIN" ]; then pin_undo || finish halted "$failure; the pin's files could not be taken back"; fi
  engine_back
  # A service that runs by digest needs no tag to come back.
  case $SERVICE_TAG in
    ''|*@*) : ;;
    *)
      if [ -n "$KEEP_TAG" ] && ! docker_ tag "$KEEP_TAG" "$SERVICE_TAG"; then
        step put-back failed
        finish halted "$failure; the former image could not be given its tag: $(last_words)"
      fi ;;
  esac
  # What was in the way, a port that somebody took, may be gone in a while.
  for pause in 1 2 4 8 16 ''; do
    if up --force-recreate; then break; fi
    if [ -z "$pause" ]; then
      step put-back failed
      finish halted "$failure; putting back failed too: $(last_words)"
    fi
    sleep "$pause"
  done
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

# Drops the service's oldest ways back beyond the number that is kept; the engine itself refuses one in use.
tidy() { drop_old_keeps; }
drop_old_keeps() {
  [ -n "$KEEP_TAG" ] && [ -f "$STATE/keeps" ] || return 0
  OWN="$PROJECT/$SERVICE"; export OWN
  awk '$3 == ENVIRON["OWN"] { at[$2] = $1 } END { for (tag in at) print at[tag], tag }' "$STATE/keeps" | sort | awk '{ print $2 }' >"$J/keeps"
  count=$(wc -l <"$J/keeps")
  [ "$count" -gt "$KEEP" ] || return 0
  head -n $(( count - KEEP )) "$J/keeps" | while read -r tag; do
    [ "$tag" = "$KEEP_TAG" ] && continue
    TAG=$tag awk '$2 != ENVIRON["TAG"] || $3 != ENVIRON["OWN"]' "$STATE/keeps" >"$J/keeps.new" && cat "$J/keeps.new" >"$STATE/keeps"
    # Another service of the same image may go back to it.
    grep -qF " $tag " "$STATE/keeps" || docker_ rmi "$tag" >>"$J/err" 2>&1
  done
}
drop_keep() { [ -n "$KEEP_TAG" ] && docker_ rmi "$KEEP_TAG" >>"$J/err" 2>&1; return 0; }

# The tag may have moved since the plan was made: then what was fetched is not what was shown. NAMED is what it names.
expect_tag() {
  NAMED=$(id_of "$SERVICE_TAG")
  [ -z "$TO_ID" ] || [ "$NAMED" = "$TO_ID" ] || finish halted "$SERVICE_TAG moved since the plan was made: it now names ${NAMED:-nothing}, not $TO_ID; nothing was recreated"
}
