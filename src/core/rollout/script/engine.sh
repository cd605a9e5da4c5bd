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
id_of() { docker_ image inspect -f '{{.Id}}' "$1" 2>/dev/null; }

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
