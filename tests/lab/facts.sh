# Writes down what the lab is: `env` for shells, `lab.json` for the tests, `config.yaml` for the
# console itself (`homelab-tui -c target/lab/config.yaml`, with DOCKER_CONFIG as in `env`).
# shellcheck shell=bash

write_facts() {
  local host ip one first=1
  ip=$(host_ip registries)
  cat >"$LAB_DIR/env.new" <<ENV
export HOMELAB_TUI_LAB='$LAB_DIR'
export LAB_DIR='$LAB_DIR'
export LAB_ID='$LAB_ID'
export LAB_SSH_CONFIG='$LAB_DIR/ssh_config'
export LAB_REGISTRY='$ip:5000'
export LAB_REGISTRY_BASIC='$ip:5001'
export LAB_REGISTRY_TOKEN='$ip:5002'
export LAB_REGISTRY_CA='$ip:5003'
export LAB_REGISTRY_SELFSIGNED='$ip:5004'
export LAB_REGISTRY_USER='$REGISTRY_USER'
export LAB_REGISTRY_PASSWORD='$REGISTRY_PASSWORD'
export LAB_CA='$LAB_DIR/tls/ca.pem'
export LAB_CONFIG='$LAB_DIR/config.yaml'
export DOCKER_CONFIG='$LAB_DIR/docker'
lab_ssh() { ssh -F '$LAB_DIR/ssh_config' "\$@"; }
lab_host() { LAB_DIR='$LAB_DIR' LAB_ID='$LAB_ID' '$LAB_HERE/host' "\$@"; }
ENV
  {
    printf '{\n  "id": "%s",\n  "dir": "%s",\n  "scripts": "%s",\n  "ssh_config": "%s",\n' \
      "$LAB_ID" "$LAB_DIR" "$LAB_HERE" "$LAB_DIR/ssh_config"
    printf '  "packages": "%s",\n' "$LAB_PACKAGES"
    printf '  "machine_ip": "%s.1",\n  "busybox": "%s",\n' "$(subnet)" "$(command -v busybox)"
    printf '  "registry_user": "%s",\n  "registry_password": "%s",\n' "$REGISTRY_USER" "$REGISTRY_PASSWORD"
    printf '  "ca": "%s",\n  "selfsigned": "%s",\n' "$LAB_DIR/tls/ca.pem" "$LAB_DIR/tls/selfsigned.pem"
    printf '  "registries": {\n    '
    for one in $REGISTRIES; do
      printf '"%s": {"address": "%s", "door": "%s", "log": "%s"},\n    ' "${one%:*}" "$ip:${one#*:}" \
        "$ip:$((${one#*:} + 1000))" "$LAB_DIR/registries/${one%:*}.access"
    done
    for one in $LOOPBACKS; do
      [ "$one" = "${LOOPBACKS%% *}" ] || printf ',\n    '
      printf '"localhost-%s": {"address": "localhost:5000", "door": "%s", "log": "%s"}' "${one%:*}" "$ip:${one#*:}" \
        "$LAB_DIR/hosts/${one%:*}/registry/access"
    done
    printf '\n  },\n  "token_log": "%s",\n' "$LAB_DIR/registries/token-server.access"
    printf '  "hosts": {'
    for host in $LAB_HOSTS $LAB_BARE; do
      [ "$first" = 1 ] || printf ','
      first=0
      printf '\n    "%s": {"ip": "%s", "store": "%s", "dir": "%s"}' "$host" "$(host_ip "$host")" "$(host_store "$host")" "$LAB_DIR/hosts/$host"
    done
    printf '\n  }\n}\n'
  } >"$LAB_DIR/lab.json.new"
  {
    echo "hosts:"
    for host in $LAB_HOSTS; do echo "  - {name: $host, address: \"ssh://$host\"}"; done
    echo "registries:"
    for one in 5000 5001 5002; do echo "  - {host: \"$ip:$one\", plain_http: true}"; done
    echo "  - {host: \"$ip:5003\", ca_file: \"$LAB_DIR/tls/ca.pem\"}"
    echo "  - {host: \"$ip:5004\", ca_file: \"$LAB_DIR/tls/selfsigned.pem\"}"
    echo "ssh: {config_file: \"$LAB_DIR/ssh_config\"}"
  } >"$LAB_DIR/config.yaml"
  mv "$LAB_DIR/lab.json.new" "$LAB_DIR/lab.json"
  mv "$LAB_DIR/env.new" "$LAB_DIR/env"
}
