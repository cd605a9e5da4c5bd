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
