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

# patiently COMMAND...: puts back by it; what was in the way, a port that somebody took, may be gone in a while.
patiently() {
  for pause in 1 2 4 8 16 ''; do
    if "$@"; then return; fi
    if [ -z "$pause" ]; then
      step put-back failed
      finish halted "$failure; putting back failed too: $(last_words)"
    fi
    sleep "$pause"
  done
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
  patiently up --force-recreate
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
