# Tells which logins docker's config of this user holds, and how the engine fares with each when it asks the registry.
# Before it stand: dock, config, github, flatten. After it: `check REGISTRY REFERENCE` for each registry.
# A secret stays in variables and pipes of this shell: never an argument, never a file, never a line of output.
LC_ALL=C; export LC_ALL
set -f
case $(type printf 2>/dev/null) in
*builtin*) ;;
*) echo "@cannot the shell there has no printf of its own, so that a secret could be seen by others"; exit 0 ;;
esac
echo "@user $(id -un)"
folder=${config:-${DOCKER_CONFIG:-$HOME/.docker}}
facts=
if [ -e "$folder/config.json" ] && [ ! -r "$folder/config.json" ]; then
  echo "@cannot $folder/config.json cannot be read by this user"; exit 0
fi
[ ! -r "$folder/config.json" ] || facts=$(head -c 262144 "$folder/config.json" | awk "$flatten")
limit=; ! command -v timeout >/dev/null 2>&1 || limit="timeout 15"

# Prints the value at NAME/REGISTRY[/FIELD], whichever way the registry is spelled.
value() { # NAME REGISTRY [FIELD]
  printf '%s\n' "$facts" | awk -F '\t' -v a="$1" -v r="$2" -v f="$3" '
    function host(t) { sub(/^https?:\/\//, "", t); sub(/\/.*$/, "", t)
      if (t == "index.docker.io" || t == "registry-1.docker.io" || t == "registry.hub.docker.com") t = "docker.io"
      return tolower(t) }
    $1 == a && host($2) == r && (f == "" ? NF == 3 : $3 == f) && $NF != "" { print $NF; exit }'
}
escaped() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }

ask() { # REFERENCE JSON
  if [ "$registry" = docker.io ] && [ -n "$2" ]; then
    # Checked at the login's own door: a question for a manifest would count against its quota.
    printf 'POST /auth HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' "${#2}" "$2"
  else
    printf 'GET /distribution/%s/json HTTP/1.1\r\nHost: docker\r\n' "$1"
    [ -z "$2" ] || printf 'X-Registry-Auth: %s\r\n' "$(printf '%s' "$2" | base64 | tr -d '\n' | tr '+/' '-_')"
    printf '\r\n'
  fi
  # A second request behind the first keeps the engine from taking the end of the input for a client that left.
  printf 'GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n'
}

check() { # REGISTRY REFERENCE
  registry=$1 json= token=
  key=$registry; [ "$key" != docker.io ] || key=https://index.docker.io/v1/
  helper=$(value credHelpers "$registry")
  [ -n "$helper" ] || helper=$(printf '%s\n' "$facts" | awk -F '\t' '$1 == "credsStore" && NF == 2 { print $2; exit }')
  case $helper in *[!A-Za-z0-9._-]*) helper=invalid ;; esac
  if [ -n "$helper" ]; then
    login="helper $helper"
    if ! command -v "docker-credential-$helper" >/dev/null 2>&1; then
      login="missing $helper"
    else
      told=$(printf '%s\n' "$key" | $limit "docker-credential-$helper" get 2>/dev/null | head -c 65536)
      case $told in
      *'"Secret"'*)
        told=$(printf '%s' "$told" | awk "$flatten")
        user=$(printf '%s\n' "$told" | sed -n 's/^Username	//p'); pass=$(printf '%s\n' "$told" | sed -n 's/^Secret	//p')
        if [ "$user" = "<token>" ]; then json="{\"identitytoken\":\"$pass\"}"
        else token=$pass; json="{\"username\":\"$user\",\"password\":\"$pass\",\"serveraddress\":\"$key\"}"; fi ;;
      *"credentials not found"*) login="none" ;;
      *) login="silent $helper" ;;
      esac
    fi
  else
    login="file"
    identity=$(value auths "$registry" identitytoken)
    both=$(value auths "$registry" auth | tr -d '\\' | base64 -d 2>/dev/null | tr -d '\0')
    if [ -n "$identity" ]; then json="{\"identitytoken\":\"$identity\"}"
    elif [ -n "$both" ]; then
      token=${both#*:}
      json="{\"username\":\"$(escaped "${both%%:*}")\",\"password\":\"$(escaped "$token")\",\"serveraddress\":\"$key\"}"
    else login="none"; fi
  fi
  echo "@login $registry $login"
  if [ "$registry" = docker.io ] && [ -z "$json" ]; then return; fi
  ask "$2" "$json" | dock system dial-stdio 2>&1 | head -c 65536 |
    awk -v r="$registry" 'NR == 1 { sub(/\r$/, ""); print "@answer " r " " substr($0, 1, 300) } /^\{/ && !done { done = 1; print "@body " r " " substr($0, 1, 2000) }'
  if [ "$registry" = ghcr.io ] && [ -n "$token" ] && command -v curl >/dev/null 2>&1; then
    printf 'header = "Authorization: Bearer %s"\nheader = "User-Agent: homelab-tui"\n' "$(escaped "$token")" |
      curl -sS -m 10 -o /dev/null -D - -K - "$github/user" 2>/dev/null |
      tr -d '\r' | awk 'NR == 1 { print "@github " $2 } tolower($1) == "x-oauth-scopes:" || tolower($1) == "github-authentication-token-expiration:" { print "@header " substr($0, 1, 300) }'
  fi
}
