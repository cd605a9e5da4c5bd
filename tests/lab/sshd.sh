# Each host's sshd and the client's side of it: keys, known hosts and a config file with one alias
# per host and user.
# shellcheck shell=bash

SSH_USERS="ops nodock fishy nologin"

ssh_keys() {
  local key host
  for key in client_key gate_key; do
    [ -e "$LAB_DIR/$key" ] || ssh-keygen -q -t ed25519 -N "" -C "$key" -f "$LAB_DIR/$key"
  done
  for host in $LAB_HOSTS $LAB_BARE; do
    mkdir -p "$LAB_DIR/hosts/$host/ssh"
    [ -e "$LAB_DIR/hosts/$host/ssh/host_key" ] ||
      ssh-keygen -q -t ed25519 -N "" -C "$host" -f "$LAB_DIR/hosts/$host/ssh/host_key"
  done
}

ssh_client_config() {
  local host user
  : >"$LAB_DIR/known_hosts.new"
  for host in $LAB_HOSTS $LAB_BARE; do
    printf '%s,%s %s\n' "$host" "$(host_ip "$host")" "$(cut -d' ' -f1,2 "$LAB_DIR/hosts/$host/ssh/host_key.pub")" >>"$LAB_DIR/known_hosts.new"
  done
  mv "$LAB_DIR/known_hosts.new" "$LAB_DIR/known_hosts"
  {
    for host in $LAB_HOSTS $LAB_BARE; do
      printf 'Host %s %s-*\n  HostName %s\n  HostKeyAlias %s\n' "$host" "$host" "$(host_ip "$host")" "$host"
    done
    for user in $SSH_USERS; do printf 'Host *-%s\n  User %s\n' "$user" "$user"; done
    # The gate's key may only speak with the engine: its command is forced.
    printf 'Host *-gate\n  User root\n  IdentityFile "%s"\n' "$LAB_DIR/gate_key"
    cat <<CONF
Host *
  User root
  IdentityFile "$LAB_DIR/client_key"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "$LAB_DIR/known_hosts"
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
CONF
  } >"$LAB_DIR/ssh_config"
}

sshd_config() { # HOST
  local dir=$LAB_DIR/hosts/$1/ssh
  {
    cat "$LAB_DIR/client_key.pub"
    printf 'restrict,command="docker system dial-stdio" %s\n' "$(cat "$LAB_DIR/gate_key.pub")"
  } >"$dir/authorized_keys"
  cat >"$dir/sshd_config" <<CONF
Port 22
HostKey /run/host/ssh/host_key
AuthorizedKeysFile /run/host/ssh/authorized_keys
# The lab's folder may lie below one that others can write to.
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile /run/sshd.pid
LogLevel VERBOSE
PrintMotd no
Subsystem sftp internal-sftp
CONF
  # One host refuses to forward sockets, as some NAS systems do.
  [ "$1" != ctd26 ] || echo "AllowStreamLocalForwarding no" >>"$dir/sshd_config"
}

sshd_start() { # HOST
  sshd_config "$1"
  ! sshd_runs "$1" || return 0
  inside "$1" /usr/sbin/sshd -f /run/host/ssh/sshd_config -E /run/host/ssh/sshd.log
  wait_for 5 "sshd of $1" sshd_runs "$1"
}

sshd_runs() { inside "$1" /bin/bash -c 'kill -0 "$(cat /run/sshd.pid 2>/dev/null)" 2>/dev/null'; }

# Ends the listening sshd and every open session, as a reboot would.
sshd_stop() { # HOST
  inside "$1" /bin/bash -c '
    pid=$(cat /run/sshd.pid 2>/dev/null) || exit 0
    kill "$pid" 2>/dev/null
    for one in /proc/[0-9]*; do
      [ "$(cat "$one/comm" 2>/dev/null)" = sshd ] && kill "${one#/proc/}" 2>/dev/null
    done
    rm -f /run/sshd.pid' || true
}

ssh_up() {
  local host
  ssh_client_config
  for host in $LAB_HOSTS $LAB_BARE; do sshd_start "$host"; done
}
