# Tells of containers that publish a port by their settings and do not run. Before it stand: dock, port.
ids=$(dock ps -aq --no-trunc 2>/dev/null | head -n 500)
[ -n "$ids" ] || exit 0
dock inspect --format '{{.Id}} {{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.Name}} {{.Config.Image}} {{json .HostConfig.PortBindings}}' $ids 2>/dev/null |
  grep "\"HostPort\":\"$port\"" | grep -v '^[^ ]* running ' | cut -c 1-600 | head -n 3 |
  while read -r id state code oom name image rest; do
    echo "@fallen $state $code $oom ${name#/} $image"
    dock logs --tail 5 "$id" 2>&1 </dev/null | head -c 4000 | sed 's/^/@line /'
  done
