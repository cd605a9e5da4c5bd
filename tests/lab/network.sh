# The lab's network: one namespace holds a bridge, one per host hangs on it, and this machine has
# one link to it. The bridge has a namespace of its own so that this machine's firewall and other
# bridges have no say in it. Nothing is routed to the outside.
# shellcheck shell=bash

# Takes the first subnet from a place that LAB_ID names which no other link of this machine uses.
choose_subnet() {
  local n=$((16#$(printf %s "$LAB_ID" | md5sum | cut -c1-4) % 200 + 20)) i
  for i in $(seq 200); do
    if ! ip -4 -o addr | grep -qF " 10.213.$n." && ! ip -4 route | grep -q "^10\.213\.$n\."; then
      echo "10.213.$n" >"$LAB_DIR/subnet"
      return 0
    fi
    n=$(((n - 20 + 1) % 200 + 20))
  done
  die "no free subnet below 10.213.0.0/16"
}

join_lan() { # NAME: makes a namespace and plugs it into the bridge
  local name=$1
  [ -e "/run/netns/$NS-$name" ] && return 0
  ip netns add "$NS-$name"
  ip link add "$NS-v" type veth peer name "$NS-p"
  ip link set "$NS-v" netns "$NS-$name" name eth0
  ip link set "$NS-p" netns "$NS-lan" name "p-$name"
  ip -n "$NS-lan" link set "p-$name" master lan up
  ip -n "$NS-$name" addr add "$(host_ip "$name")/24" dev eth0
  ip -n "$NS-$name" link set lo up
  ip -n "$NS-$name" link set eth0 up
  # It leads nowhere, yet engines and others look for a default route.
  ip -n "$NS-$name" route add default via "$(subnet).1"
}

network_up() {
  local name
  exec 7>/run/lock/homelab-tui-lab.lock
  flock 7
  if [ ! -e "/run/netns/$NS-lan" ]; then
    choose_subnet
    ip netns add "$NS-lan"
    ip -n "$NS-lan" link set lo up
    ip -n "$NS-lan" link add lan type bridge
    ip -n "$NS-lan" link set lan up
    ip link add "$NS" type veth peer name "$NS-p"
    ip link set "$NS-p" netns "$NS-lan" name p-machine
    ip -n "$NS-lan" link set p-machine master lan up
    ip addr add "$(subnet).1/24" dev "$NS"
    ip link set "$NS" up
  fi
  for name in registries $LAB_HOSTS $LAB_BARE; do join_lan "$name"; done
  exec 7>&-
}

network_down() {
  local name
  ip link del "$NS" 2>/dev/null || true
  for name in $LAB_HOSTS $LAB_BARE registries lan; do
    [ ! -e "/run/netns/$NS-$name" ] || ip netns del "$NS-$name"
  done
  rm -f "$LAB_DIR/subnet"
}
