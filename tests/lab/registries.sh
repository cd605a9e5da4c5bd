# The lab's registries, all docker-registry 2.8 with deletes allowed and an access log each, in a
# namespace of their own (name `registry.lab` on the hosts):
#   5000 plain: http      5001 basic: http with htpasswd      5002 token: http with token auth
#   5003 ca: TLS by the lab's own CA      5004 selfsigned: TLS with a self-signed certificate
#   5012 the token server of 5002
# Two hosts have one more each that listens on their own 127.0.0.1:5000 only.
# Every registry has a door on this side (6000 to 6004, 6010, 6011): plain http without auth to the
# same storage, so that tests can fill it without a trace in the registry's own access log.
# shellcheck shell=bash

REGISTRY_USER=lab
REGISTRY_PASSWORD=lab-secret
# bcrypt of the password above; docker-registry accepts nothing else.
REGISTRY_HASH='$2b$05$homelabtuihomelabtuihef5jqyXyOGjU4uvENNsyRDifAiiOgqYi'
REGISTRIES="plain:5000 basic:5001 token:5002 ca:5003 selfsigned:5004"
LOOPBACKS="old:6010 ctd28:6011"

make_certificates() {
  local dir=$LAB_DIR/tls ip
  ip=$(host_ip registries)
  # The certificates name the address, so a new subnet needs new ones.
  [ "$(cat "$dir/for" 2>/dev/null)" != "$ip" ] || return 0
  mkdir -p "$dir"
  (
    cd "$dir"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj "/CN=lab CA" \
      -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj "/CN=registry.lab"
    printf 'subjectAltName=DNS:registry.lab,IP:%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$ip" >server.ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 30 -extfile server.ext
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout selfsigned.key -out selfsigned.pem -days 30 -subj "/CN=registry.lab" \
      -addext "subjectAltName=DNS:registry.lab,IP:$ip"
    # The token server signs with RSA, the one kind that needs no repacking of signatures.
    openssl req -x509 -newkey rsa:2048 -nodes -keyout token.key -out token.pem -days 30 -subj "/CN=lab tokens"
    openssl x509 -in token.pem -outform DER | openssl base64 -A >token.x5c
  ) >"$LAB_DIR/tls/openssl.log" 2>&1 || { tail -n 5 "$LAB_DIR/tls/openssl.log" >&2; die "certificates could not be made"; }
  echo "$ip" >"$dir/for"
}

registry_config() { # NAME ADDRESS STORAGE
  local name=$1 dir=$LAB_DIR/registries tls=$LAB_DIR/tls ip
  ip=$(host_ip registries)
  mkdir -p "$3"
  cat <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: false}}
storage:
  filesystem: {rootdirectory: "$3"}
  delete: {enabled: true}
http:
  addr: $2
  secret: lab
YAML
  case $name in
    ca) printf '  tls: {certificate: "%s", key: "%s"}\n' "$tls/server.pem" "$tls/server.key" ;;
    selfsigned) printf '  tls: {certificate: "%s", key: "%s"}\n' "$tls/selfsigned.pem" "$tls/selfsigned.key" ;;
    basic)
      printf '%s:%s\n' "$REGISTRY_USER" "$REGISTRY_HASH" >"$dir/htpasswd"
      printf 'auth:\n  htpasswd: {realm: lab, path: "%s"}\n' "$dir/htpasswd"
      ;;
    token)
      printf 'auth:\n  token: {realm: "http://%s:5012/token", service: "lab tokens", issuer: lab, rootcertbundle: "%s"}\n' "$ip" "$tls/token.pem"
      ;;
  esac
}

# Every registry writes its access log and its own words into files of its name.
registry_start() { # NAME PORT [STORAGE]
  local name=$1 dir=$LAB_DIR/registries
  live_pid "$dir/$name.pid" >/dev/null && return 0
  registry_config "$name" "$(host_ip registries):$2" "${3:-$dir/$name.data}" >"$dir/$name.yml"
  setsid nsenter --net="/run/netns/$NS-registries" "$LAB_PACKAGES/bookworm/usr/bin/docker-registry" \
    serve "$dir/$name.yml" >>"$dir/$name.access" 2>>"$dir/$name.log" </dev/null &
  remember_pid "$dir/$name.pid" $!
}

# A registry that only its own host can reach.
loopback_start() { # HOST DOOR-PORT
  local host=$1 mine=$LAB_DIR/hosts/$1/registry
  mkdir -p "$mine"
  registry_start "door-$host" "$2" "$mine/data"
  registry_config loopback 127.0.0.1:5000 "$mine/data" |
    sed "s,$mine,/run/host/registry," >"$mine/config.yml"
  inside "$host" /bin/bash -c '
    ! kill -0 "$(cat /run/registry.pid 2>/dev/null)" 2>/dev/null || exit 0
    setsid /run/pkg/bookworm/usr/bin/docker-registry serve /run/host/registry/config.yml \
      >>/run/host/registry/access 2>>/run/host/registry/log </dev/null &
    echo $! >/run/registry.pid'
}

build_token_server() {
  local source=$REPO/tests/support/token_server.rs out=$LAB_PACKAGES/token-server
  [ ! "$out" -nt "$source" ] || return 0
  rustc --edition 2024 -O -o "$out" "$source" >&2 || die "the token server could not be built"
}

token_server_start() {
  local dir=$LAB_DIR/registries
  live_pid "$dir/token-server.pid" >/dev/null && return 0
  build_token_server
  setsid nsenter --net="/run/netns/$NS-registries" "$LAB_PACKAGES/token-server" \
    "$(host_ip registries):5012" "$LAB_DIR/tls/token.key" "$LAB_DIR/tls/token.x5c" \
    >>"$dir/token-server.access" 2>>"$dir/token-server.log" </dev/null &
  remember_pid "$dir/token-server.pid" $!
}

# Hosts and the operator know both passwords, as after `docker login`.
write_credentials() {
  local host ip auth
  ip=$(host_ip registries)
  auth=$(printf '%s:%s' "$REGISTRY_USER" "$REGISTRY_PASSWORD" | openssl base64 -A)
  mkdir -p "$LAB_DIR/docker"
  printf '{"auths": {"%s:5001": {"auth": "%s"}, "%s:5002": {"auth": "%s"}}}\n' "$ip" "$auth" "$ip" "$auth" \
    >"$LAB_DIR/docker/config.json"
  for host in $LAB_HOSTS; do
    mkdir -p "$LAB_DIR/hosts/$host/root/.docker"
    cp "$LAB_DIR/docker/config.json" "$LAB_DIR/hosts/$host/root/.docker/config.json"
  done
}

registries_up() {
  local one name port dir=$LAB_DIR/registries
  mkdir -p "$dir"
  token_server_start
  for one in $REGISTRIES; do
    name=${one%:*} port=${one#*:}
    registry_start "$name" "$port"
    registry_start "door-$name" $((port + 1000)) "$dir/$name.data"
  done
  for one in $LOOPBACKS; do loopback_start "${one%:*}" "${one#*:}"; done
  for port in 5000 5001 5002 5003 5004 5012 6000 6001 6002 6003 6004 6010 6011; do
    wait_for 20 "port $port of the registries (logs: $dir)" \
      bash -c "exec 3<>/dev/tcp/$(host_ip registries)/$port"
  done
}

registries_down() {
  local file
  for file in "$LAB_DIR"/registries/*.pid; do
    [ ! -e "$file" ] || end_pid "$file" KILL
  done
}
