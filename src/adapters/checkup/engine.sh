# Tells how the engine of this host ended and what it said last, as far as the user may read that.
unit=docker
if command -v systemctl >/dev/null 2>&1 && systemctl show docker -p LoadState 2>/dev/null | grep -q =loaded; then
  :
elif command -v systemctl >/dev/null 2>&1 && systemctl --user show docker -p LoadState 2>/dev/null | grep -q =loaded; then
  unit="--user docker"
else
  unit=
fi
if [ -n "$unit" ]; then
  echo "@manager systemd $unit"
  systemctl show $unit -p ActiveState -p SubState -p Result -p ExecMainStatus -p ExecMainCode -p NRestarts 2>/dev/null | sed 's/^/@state /'
  case $unit in --user*) journal="--user -u docker" ;; *) journal="-u docker" ;; esac
  lines=$(journalctl $journal -n 12 --no-pager -o cat 2>/dev/null)
  [ -n "$lines" ] || lines=$(sudo -n journalctl $journal -n 12 --no-pager -o cat 2>/dev/null </dev/null)
else
  echo "@manager other"
  lines=
  for file in /var/log/docker.log /var/log/dockerd.log /var/log/upstart/docker.log /var/log/docker/current; do
    [ ! -e "$file" ] || { echo "@file $file"; lines=$(tail -n 12 "$file" 2>/dev/null); break; }
  done
fi
if pidof dockerd >/dev/null 2>&1 || pgrep -x dockerd >/dev/null 2>&1; then echo "@runs"; fi
[ -z "$lines" ] || printf '%s\n' "$lines" | tail -n 12 | cut -c 1-400 | sed 's/^/@line /'
