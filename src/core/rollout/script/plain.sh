
# What is other for a container of no project: these stand in place of the library's.
# The former container stays, stopped and under another name, until the new one is proven.
NL='
'
# named NAME: the Id of the container that has exactly this name.
named() { docker_ inspect --type container -f '{{.Id}} {{.Name}}' "$1" 2>/dev/null | { read -r id name || :; [ "${name:-}" != "/$1" ] || printf '%s\n' "$id"; }; }
listed() { named "$SERVICE"; }
there() { docker_ inspect --type container -f '{{.Id}}' "$1" >/dev/null 2>&1; }
others_at_work() { return 1; }
lock_place() { if [ -d /run/lock ] && [ -w /run/lock ]; then LOCK=/run/lock/homelab-tui.-.$SERVICE; else mkdir -p "$STATE/locks"; LOCK=$STATE/locks/-.$SERVICE; fi; }
rendering() { facts_of "$CONTAINER" | sha256sum | cut -d' ' -f1; }
OTHER_RENDERING="the container's settings or networks were changed since the plan was made"
pull_service() { fetch docker_ pull "${FETCH_REF:-$SERVICE_TAG}"; }

# Takes what the new container is made from: it holds values of variables and is never in a file, only in a pipe.
take_body() {
  [ -p "$J/body" ] || finish refused "what the new container is made from was not handed over"
  # Should nobody write, the pipe is opened from this side, and what is read is nothing.
  ( i=0; while [ "$i" -lt 20 ] && [ -p "$J/body" ]; do sleep 1; i=$(( i + 1 )); done; if [ -p "$J/body" ]; then : <>"$J/body"; fi ) &
  watcher=$!
  BODY=$(cat "$J/body")
  rm -f "$J/body"
  kill "$watcher" 2>/dev/null
  length=${BODY%%"$NL"*}
  BODY=${BODY#*"$NL"}
  [ "${#BODY}" = "$length" ] || finish refused "what the new container is made from did not arrive whole; nothing was touched"
}

# api PATH BODY: asks the engine over docker's own connection; the answer is in REPLY.
api() {
  rm -f "$J/api"
  mkfifo "$J/api" || return 1
  # Held open until the answer is there: an engine takes an end of the request for a change of mind.
  exec 3<>"$J/api"
  printf 'POST /v%s/%s HTTP/1.1\r\nHost: docker\r\nUser-Agent: homelab-tui\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "$API" "$1" "${#2}" "$2" >&3 &
  REPLY=$(docker_ system dial-stdio <"$J/api" 2>>"$J/err")
  exec 3>&-
  rm -f "$J/api"
  code=${REPLY#* }
  case ${code%% *} in 2??) return 0 ;; esac
  message=$(printf %s "$REPLY" | tr -d '\r' | sed -n 's/.*"message":"\(.*\)"}.*/\1/p' | head -n 1)
  printf 'the engine says: %s\n' "${message:-nothing to ${1%%\?*}}" >>"$J/err"
  return 1
}

make_new() {
  rest=$BODY$NL
  while [ -n "$rest" ]; do
    line=${rest%%"$NL"*}
    rest=${rest#*"$NL"}
    [ -n "$line" ] || continue
    api "${line%% *}" "${line#* }" || return 1
    if [ -z "$NEW" ]; then
      NEW=$(printf %s "$REPLY" | tr -d '\r' | sed -n 's/.*"Id":"\([0-9a-f]\{64\}\)".*/\1/p' | head -n 1)
      [ -n "$NEW" ] || { echo "the engine did not say which container it made" >>"$J/err"; return 1; }
      printf '%s\n' "$NEW" >"$J/new"
    fi
  done
  BODY=
}
NEW=

# Whatever breaks off here: one of the two comes up with the engine, the former one until the new one was started.
up() {
  {
    make_new &&
    { [ "$POLICY" = no ] || docker_ update --restart=always "$CONTAINER"; } &&
    docker_ stop ${STOP_SECONDS:+-t "$STOP_SECONDS"} "$CONTAINER" &&
    docker_ rename "$CONTAINER" "$FORMER_NAME" &&
    docker_ rename "$NEW" "$SERVICE" &&
    docker_ start "$NEW" &&
    { [ "$POLICY" = no ] || docker_ update --restart=no "$CONTAINER"; }
  } >>"$J/err" 2>&1
}

# Starts the former container again under its name. It goes by what is there, however far the job had come.
bring_back() {
  {
    { [ "$POLICY" = no ] || docker_ update --restart=always "$CONTAINER"; } || return 1
    for id in "$(cat "$J/new" 2>/dev/null)" "$(named "$NEW_NAME")"; do
      if [ -n "$id" ] && [ "$id" != "$CONTAINER" ] && there "$id"; then docker_ rm -f "$id" || return 1; fi
    done
    [ "$(named "$SERVICE")" = "$CONTAINER" ] || docker_ rename "$CONTAINER" "$SERVICE" || return 1
    docker_ start "$CONTAINER" || return 1
    [ "$POLICY" = no ] || [ "$POLICY" = always ] || docker_ update --restart="$POLICY" "$CONTAINER"
  } >>"$J/err" 2>&1
}

put_back() {
  failure=$1
  step put-back started
  engine_back
  if ! there "$CONTAINER" && engine_is_there; then
    # It is removed only after the new one was proven.
    step put-back done
    finish succeeded "$failure, but the new container had been proven before"
  fi
  named_again=
  case $SERVICE_TAG in
    ''|*@*|sha256:*) : ;;
    *) if [ -n "$KEEP_TAG" ] && docker_ tag "$KEEP_TAG" "$SERVICE_TAG" 2>>"$J/err"; then named_again=", and $SERVICE_TAG names its image on this host until the next pull"; fi ;;
  esac
  patiently bring_back
  if well && prove "$FROM_ID"; then
    step put-back done
    finish put-back "$failure; the former container runs again$named_again"
  fi
  step put-back failed
  finish halted "$failure; the former container was put back but $WHY"
}

# A job that died, as at a crash of its host, or gave up left a container under another name. What it began is brought to its end
# by the job's own script; what is planned for now has other premises then.
DEAD=
end_dead_jobs() {
  for name in ${DEAD:+"$SERVICE.homelab-tui-$DEAD"} $(docker_ ps -a --filter "name=$SERVICE.homelab-tui-" --format '{{.Names}}'); do
    case $name in "$SERVICE.homelab-tui-"*) : ;; *) continue ;; esac
    dead=${name#"$SERVICE.homelab-tui-"}
    dead=${dead%-new}
    case $dead in ''|*[!A-Za-z0-9-]*) continue ;; esac
    [ -e "$STATE/jobs/$dead/run" ] || continue
    # One that gave up, as without an engine, is taken up again just as one that died.
    case $(cat "$STATE/jobs/$dead/rc" 2>/dev/null) in ''|halted) : ;; *) continue ;; esac
    mark note "job $dead died at it and is brought to its end"
    sh "$STATE/jobs/$dead/run" revive
    finish refused "job $dead had died at it or given up; it was brought to its end now: $(sed -n 's/^@end //p' "$STATE/jobs/$dead/out" | tail -n 1 | cut -d' ' -f1,3-); look at it and ask again"
  done
}
revive() {
  exec >>"$J/out" 2>>"$J/err" </dev/null
  trap '' HUP TERM INT
  printf '%s %s %s\n' "$$" "$(boot_id)" "$(start_time $$)" >"$J/pid"
  STEP=$(last_step "$J/out")
  died="the job died during $STEP, as in a crash of the host"
  grep -q '^@step recreate ' "$J/out" || finish halted "$died; what ran still runs"
  # What has run since then by itself is left alone if it is what was wanted.
  if ! grep -q '^@step put-back ' "$J/out" && [ "$(named "$SERVICE")" = "$(cat "$J/new" 2>/dev/null)" ] && lives && well && prove "$TO_ID"; then
    tidy
    finish succeeded "$died; the new container ran on and is proven now"
  fi
  put_back "$died"
}

# Only here the former container goes; its volumes stay.
tidy() {
  docker_ stop "$CONTAINER" >>"$J/err" 2>&1
  docker_ rm "$CONTAINER" >>"$J/err" 2>&1 || mark note "the former container $FORMER_NAME could not be removed: $(last_words)"
  drop_old_keeps
}
