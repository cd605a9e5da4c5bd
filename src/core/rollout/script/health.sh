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
