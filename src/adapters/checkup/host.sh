# Tells what of a host concerns its pulls: its user, the units that pull, and the engine's registries.
# Before it stands: dock.
echo "@user $(id -un)"
for folder in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system; do
  for file in "$folder"/*.service; do
    [ -r "$file" ] || continue
    text=$(cat "$file" "$file.d"/*.conf 2>/dev/null | head -c 65536)
    lines=$(printf '%s\n' "$text" | sed -n 's/^Exec[A-Za-z]*=[-@:+!]*//p')
    runs='docker(-compose| +compose| +pull| +stack| +service| +run)'
    if ! printf '%s\n' "$lines" | grep -Eq "$runs"; then
      program=$(printf '%s\n' "$lines" | head -n 1 | cut -d ' ' -f 1)
      case $program in /usr/bin/*|/usr/sbin/*|/usr/lib/*|/bin/*|/sbin/*|/lib/*|"") continue ;; esac
      [ -r "$program" ] && head -c 65536 "$program" 2>/dev/null | grep -aEq "$runs" || continue
    fi
    user=$(printf '%s\n' "$text" | sed -n 's/^User=//p' | tail -n 1)
    config=$(printf '%s\n' "$text" | sed -n 's/^Environment=.*DOCKER_CONFIG=\([^" ]*\).*/\1/p' | tail -n 1)
    printf '@unit %s %s %s\n' "${file##*/}" "${user:-root}" "$config"
  done
done
[ ! -e /etc/docker/daemon.json ] || echo "@daemon"
echo "@registries $(dock info --format '{{json .RegistryConfig}}' 2>/dev/null | head -c 65536)"
