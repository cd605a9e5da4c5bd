# The lab's hosts and their engines. A host is a set of namespaces (network, mounts, processes,
# name) held by one first process: when that ends, everything on the host ends with it.
# shellcheck shell=bash

# Overlay file systems must be able to lie below the lab's folder; else data go into memory.
probe_overlay() {
  local dir=$LAB_DIR/overlay-probe fine=0
  [ -z "${OVERLAY_ON_DISK:-}" ] || return 0
  mkdir -p "$dir"/{l,u,w,m}
  if mount -t overlay -o "lowerdir=$dir/l,upperdir=$dir/u,workdir=$dir/w" overlay "$dir/m" 2>/dev/null; then
    umount "$dir/m"
    fine=1
  fi
  rm -rf "$dir"
  OVERLAY_ON_DISK=$fine
  [ "$fine" = 1 ] || say "WARNING: no overlay on the disk of $LAB_DIR: engine data are kept in memory"
}

# What the docker command line of a host finds: the engine's own version of everything.
fill_local() { # HOST
  local host=$1 suite local=$LAB_DIR/hosts/$1/local compose buildx
  mkdir -p "$local"/{bin,sbin,lib/docker/cli-plugins}
  suite=$(host_suite "$host")
  [ "$suite" != none ] || return 0
  case $host in
    old) compose=trixie buildx=forky ;;
    ctd26) compose=trixie buildx=trixie ;;
    *) compose=forky buildx=forky ;;
  esac
  ln -sf "/run/pkg/$suite/usr/bin/docker" "$local/bin/docker"
  ln -sf "/run/pkg/$compose/usr/libexec/docker/cli-plugins/docker-compose" "$local/lib/docker/cli-plugins/"
  ln -sf "/run/pkg/$buildx/usr/libexec/docker/cli-plugins/docker-buildx" "$local/lib/docker/cli-plugins/"
  if [ "$host" = old ]; then
    cat >"$local/bin/docker-compose" <<'SH'
#!/bin/sh
# docker-compose 1.29 with the interpreter and libraries of its own suite.
P=/run/pkg/compose-v1
set -- "$P/usr/bin/python3.11" "$P/usr/bin/docker-compose" "$@"
L=$(echo "$P"/lib/*-linux-gnu)
PYTHONHOME=$P/usr PYTHONPATH=$P/usr/lib/python3/dist-packages exec "$L"/ld-linux-*.so.* --library-path "$L:$P/usr${L#"$P"}" "$@"
SH
    chmod +x "$local/bin/docker-compose"
  fi
}

write_daemon_json() { # HOST
  local host=$1 ip store
  ip=$(host_ip registries)
  if [ "$(host_store "$host")" = containerd ]; then
    store='"features": {"containerd-snapshotter": true}'
  else
    store='"storage-driver": "overlay2", "features": {"containerd-snapshotter": false}'
    # An engine before containerd's store came refuses to know the feature's name.
    [ "$host" != old ] || store='"storage-driver": "overlay2"'
  fi
  cat >"$LAB_DIR/hosts/$host/daemon.json" <<JSON
{
  "data-root": "/run/host/data",
  "exec-root": "/run/docker",
  "pidfile": "/run/docker.pid",
  "hosts": ["unix:///run/docker.sock", "unix:///run/host/docker.sock"],
  "group": "docker",
  $store,
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "cgroup-parent": "/$CGROUP/$host",
  "insecure-registries": ["$ip:5000", "$ip:5001", "$ip:5002", "registry.lab:5000", "registry.lab:5001", "registry.lab:5002"],
  "shutdown-timeout": 3
}
JSON
}

# The host's own files below /etc: names of the lab, no name server, trusted registries.
write_etc() { # HOST
  local etc=$LAB_DIR/hosts/$1/etc ip name
  ip=$(host_ip registries)
  for name in "$ip" registry.lab; do
    mkdir -p "$etc/docker/certs.d/$name:5003" "$etc/docker/certs.d/$name:5004"
    cp "$LAB_DIR/tls/ca.pem" "$etc/docker/certs.d/$name:5003/ca.crt"
    cp "$LAB_DIR/tls/selfsigned.pem" "$etc/docker/certs.d/$name:5004/ca.crt"
  done
  # Nobody answers there, and says so at once.
  echo "nameserver 127.0.0.1" >"$etc/resolv.conf"
  {
    echo "127.0.0.1 localhost"
    echo "$ip registry.lab"
    for name in $LAB_HOSTS $LAB_BARE; do echo "$(host_ip "$name") $name"; done
  } >"$etc/hosts"
}

host_up() { # HOST
  local host=$1 dir=$LAB_DIR/hosts/$1 pid outer i
  live_pid "$dir/init.pid" >/dev/null && return 0
  mkdir -p "$dir"/{root,home,srv,data,etc}
  rm -f "$dir/ready" "$dir/data-in-memory" "$dir"/*.pid "$dir/docker.sock"
  [ "$OVERLAY_ON_DISK" = 1 ] || touch "$dir/data-in-memory"
  fill_local "$host"
  write_daemon_json "$host"
  write_etc "$host"
  setsid nsenter --net="/run/netns/$NS-$host" unshare --mount --uts --pid --fork --kill-child --mount-proc \
    "$LAB_HERE/host-init" "$host" "$dir" "$LAB_PACKAGES" >"$dir/init.log" 2>&1 </dev/null &
  outer=$!
  for i in $(seq 100); do
    [ ! -e "$dir/ready" ] || break
    kill -0 "$outer" 2>/dev/null || break
    sleep 0.1
  done
  [ -e "$dir/ready" ] || { tail -n 5 "$dir/init.log" >&2; die "host $host did not start"; }
  pid=$(pgrep -P "$outer") || die "host $host has no first process"
  remember_pid "$dir/init.pid" "$pid"
}

# Starts the host's engine and returns at once; engine_wait tells when it is there.
engine_start() { # HOST
  local host=$1 dir=$LAB_DIR/hosts/$1 pkg
  pkg=/run/pkg/$(host_suite "$host")
  ! inside "$host" test -e /run/docker.pid || ! engine_answers "$host" || return 0
  # The three suites run with bookworm's runc, whose libraries every machine has.
  inside "$host" /bin/bash -c '
    rm -f /run/docker.pid
    export PATH='"$pkg"'/usr/sbin:'"$pkg"'/usr/bin:/run/pkg/bookworm/usr/sbin:/run/pkg/bookworm/usr/bin:$PATH
    export LD_LIBRARY_PATH=$(echo /run/pkg/bookworm/lib/*-linux-gnu /run/pkg/bookworm/usr/lib/*-linux-gnu | tr " " :)
    setsid dockerd --config-file /run/host/daemon.json >>/run/host/engine.log 2>&1 </dev/null &'
}

engine_answers() { inside "$1" docker version >/dev/null 2>&1; }

engine_wait() { # HOST
  local host=$1 i
  for i in $(seq 300); do
    ! engine_answers "$host" || return 0
    sleep 0.2
  done
  tail -n 15 "$LAB_DIR/hosts/$host/engine.log" >&2
  die "the engine of $host does not answer (log: $LAB_DIR/hosts/$host/engine.log)"
}

engine_stop() { # HOST
  inside "$1" /bin/bash -c '
    pid=$(cat /run/docker.pid 2>/dev/null) || exit 0
    kill "$pid" 2>/dev/null || exit 0
    for i in $(seq 150); do [ -d "/proc/$pid" ] || exit 0; sleep 0.1; done
    kill -KILL "$pid"'
}

hosts_up() {
  local host
  probe_overlay
  for host in $LAB_HOSTS $LAB_BARE; do host_up "$host"; done
  for host in $LAB_HOSTS; do engine_start "$host"; done
}

engines_wait() {
  local host
  for host in $LAB_HOSTS; do engine_wait "$host"; done
}

remove_cgroups() {
  local root dir i
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -d "$root/$CGROUP" ] || continue
    for i in 1 2 3 4 5; do
      find "$root/$CGROUP" -depth -type d | while read -r dir; do rmdir "$dir" 2>/dev/null || true; done
      [ -d "$root/$CGROUP" ] || break
      sleep 0.2
    done
  done
}

hosts_down() {
  local host
  for host in $LAB_HOSTS $LAB_BARE; do end_pid "$LAB_DIR/hosts/$host/init.pid" KILL; done
  remove_cgroups
}
