# Shared by every script of the lab: names, folders, messages and processes.
# Knows nothing of engines, registries or packages.
# shellcheck shell=bash

set -euo pipefail

LAB_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$LAB_HERE/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$REPO/target}

# Two labs may run side by side: everything with a machine-wide name is derived from LAB_ID, and
# LAB_ID from the lab's folder.
LAB_DIR=${LAB_DIR:-$TARGET/lab}
mkdir -p "$LAB_DIR"
LAB_DIR=$(cd "$LAB_DIR" && pwd)
LAB_ID=${LAB_ID:-$(printf %s "$LAB_DIR" | md5sum | cut -c1-4)}
LAB_PACKAGES=${HOMELAB_TUI_LAB_PACKAGES:-$TARGET/lab/packages}

# Hosts with an engine, and what they are: name, package suite, image store, last octet.
LAB_HOSTS="old new ctd26 ctd28"
# One more host has sshd and no docker at all.
LAB_BARE="bare"

NS=htl-$LAB_ID
CGROUP=htl-$LAB_ID

say() { printf 'lab: %s\n' "$*" >&2; }
die() {
  printf 'lab: FAILED: %s\n' "$*" >&2
  exit 1
}

host_suite() {
  case $1 in
    old) echo bookworm ;;
    ctd26) echo trixie ;;
    new | ctd28) echo forky ;;
    *) echo none ;;
  esac
}

host_store() {
  case $1 in
    old | new) echo graph ;;
    ctd26 | ctd28) echo containerd ;;
    *) echo none ;;
  esac
}

host_octet() {
  case $1 in
    old) echo 11 ;;
    new) echo 12 ;;
    ctd26) echo 13 ;;
    ctd28) echo 14 ;;
    bare) echo 15 ;;
    registries) echo 2 ;;
    *) die "no host is named $1" ;;
  esac
}

host_ip() { echo "$(subnet).$(host_octet "$1")"; }

# The subnet is chosen when the network is made and kept in a file from then on.
subnet() { cat "$LAB_DIR/subnet"; }

# A process is known by its number and its start time, since numbers are used again.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

remember_pid() { # FILE PID
  printf '%s %s\n' "$2" "$(start_time "$2")" >"$1"
}

# Prints the process number kept in FILE if that very process still runs.
live_pid() { # FILE
  local pid since
  [ -s "$1" ] || return 1
  read -r pid since <"$1"
  [ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ] && echo "$pid"
}

end_pid() { # FILE [SIGNAL]
  local pid signal=${2:-TERM} i
  if pid=$(live_pid "$1"); then
    kill "-$signal" "$pid" 2>/dev/null || true
    for i in $(seq 100); do
      live_pid "$1" >/dev/null || break
      [ "$i" = 60 ] && { kill -KILL "$pid" 2>/dev/null || true; }
      sleep 0.1
    done
    live_pid "$1" >/dev/null && die "process $pid of $1 does not end"
  fi
  rm -f "$1"
}

# Runs a command inside a host: its network, mounts, processes and name.
inside() { # HOST COMMAND...
  local pid
  pid=$(live_pid "$LAB_DIR/hosts/$1/init.pid") || die "host $1 is not up"
  shift
  nsenter -t "$pid" -r -w -m -u -n -p -- /usr/bin/env -i \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# Waits until a command succeeds: tries it ten times a second.
wait_for() { # SECONDS WHAT COMMAND...
  local n=$(($1 * 10)) what=$2
  shift 2
  while ! "$@" >/dev/null 2>&1; do
    n=$((n - 1))
    [ "$n" -gt 0 ] || die "$what did not come up"
    sleep 0.1
  done
}
