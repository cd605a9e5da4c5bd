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
last_words() { tail -c 2000 "$J/err" | tr -d '\000-\010\013-\037\177' | grep -v '^ *$' | tail -n 1 | cut -c1-300; }
