end_dead_jobs() { :; }

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
