# Gets what the lab runs: some packages by apt, the engines of three Debian suites unpacked into
# a folder. The machine's own package sources stay as they are.
# shellcheck shell=bash

# Installed on the system when the command is missing: command and package.
system_packages() {
  cat <<LIST
sshd openssh-server
ssh openssh-client
ip iproute2
iptables iptables
tmux tmux
openssl openssl
fish fish
tcsh tcsh
sudo sudo
nsenter util-linux
pgrep procps
busybox busybox-static
cc build-essential
LIST
}

# The engines' parts, by suite; docker-compose of bookworm (1.29) is fetched with all that it needs.
suite_packages() {
  case $1 in
    bookworm) echo docker.io containerd runc tini docker-registry libdevmapper1.02.1 ;;
    trixie) echo docker.io docker-cli docker-compose docker-buildx containerd ;;
    forky) echo docker.io docker-cli docker-compose docker-buildx containerd ;;
  esac
}

install_system_packages() {
  local missing="" command package hook=""
  while read -r command package; do
    [ -n "$(PATH=$PATH:/usr/sbin:/sbin command -v "$command" || true)" ] || missing="$missing $package"
  done < <(system_packages)
  # The images' payload must be static; the plain busybox package is not.
  [ -e /var/lib/dpkg/info/busybox-static.list ] || missing="$missing busybox-static"
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  say "installing $missing"
  # Nothing that is installed for the lab may start serving on this machine.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    hook=/usr/sbin/policy-rc.d
  fi
  # shellcheck disable=SC2086
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $missing; } >"$LAB_PACKAGES/apt-install.log" 2>&1 </dev/null; then
    [ -z "$hook" ] || rm -f "$hook"
    tail -n 15 "$LAB_PACKAGES/apt-install.log" >&2
    die "apt could not install:$missing (log: $LAB_PACKAGES/apt-install.log)"
  fi
  [ -z "$hook" ] || rm -f "$hook"
}

# The Debian mirror that this machine's own sources name: the address whose path ends in /debian.
debian_mirror() {
  local found
  found=$({
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
      sed -n 's/^[[:space:]]*deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]\+\).*/\2/p'
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
      sed -n 's/^[Uu][Rr][Ii][Ss]:[[:space:]]*//p' | tr ' ' '\n'
  } | sed 's,/*$,,' | grep -E '/debian$' | head -n 1) || true
  [ -n "$found" ] || die "no package source of this machine has an address that ends in /debian"
  echo "$found"
}

# An apt state of its own, so that other suites never reach the system's sources.
private_apt() {
  local dir=$LAB_PACKAGES/apt mirror suite
  mirror=$(debian_mirror)
  mkdir -p "$dir"/lists/partial "$dir"/cache/archives/partial "$dir"/sources "$dir"/preferences
  : >"$dir/status"
  # A mirror may have been frozen at some day: signatures are checked, their age does not matter for
  # engines that only tests run.
  for suite in bookworm trixie forky; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  done >"$dir/sources/lab.list"
  cat >"$dir/apt.conf" <<CONF
Dir::State "$dir";
Dir::State::status "$dir/status";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$dir/sources";
Dir::Etc::preferencesparts "$dir/preferences";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
CONF
  export APT_CONFIG=$dir/apt.conf
  apt-get update -q >"$LAB_PACKAGES/apt-update.log" 2>&1 </dev/null ||
    { tail -n 15 "$LAB_PACKAGES/apt-update.log" >&2; die "package lists of $mirror could not be fetched"; }
}

fetch_suite() { # SUITE
  local suite=$1 dir=$LAB_PACKAGES/$1 tmp=$LAB_PACKAGES/$1.new package wanted=""
  [ -e "$dir/.complete" ] && return 0
  [ -n "${APT_CONFIG:-}" ] || private_apt
  say "fetching docker of Debian $suite"
  rm -rf "$tmp" "$dir"
  mkdir -p "$tmp/debs"
  for package in $(suite_packages "$suite"); do wanted="$wanted $package/$suite"; done
  # shellcheck disable=SC2086
  (cd "$tmp/debs" && apt-get download -q $wanted) >"$LAB_PACKAGES/fetch-$suite.log" 2>&1 </dev/null ||
    { tail -n 15 "$LAB_PACKAGES/fetch-$suite.log" >&2; die "packages of $suite could not be fetched:$wanted"; }
  for package in "$tmp"/debs/*.deb; do dpkg -x "$package" "$tmp"; done
  rm -rf "$tmp/debs" "$tmp/usr/share"
  touch "$tmp/.complete"
  mv "$tmp" "$dir"
}

# docker-compose 1.29 is a Python program: it and its interpreter come from bookworm into one
# folder, and a wrapper starts it there, whatever the machine itself runs.
fetch_compose_v1() {
  local dir=$LAB_PACKAGES/compose-v1 tmp=$LAB_PACKAGES/compose-v1.new package
  [ -e "$dir/.complete" ] && return 0
  [ -n "${APT_CONFIG:-}" ] || private_apt
  say "fetching docker-compose 1.29"
  rm -rf "$tmp" "$dir"
  mkdir -p "$tmp"
  rm -f "$LAB_PACKAGES"/apt/cache/archives/*.deb
  apt-get install -q -y --download-only -t bookworm docker-compose/bookworm >"$LAB_PACKAGES/fetch-compose-v1.log" 2>&1 </dev/null ||
    { tail -n 15 "$LAB_PACKAGES/fetch-compose-v1.log" >&2; die "docker-compose 1.29 could not be fetched"; }
  for package in "$LAB_PACKAGES"/apt/cache/archives/*.deb; do dpkg -x "$package" "$tmp"; done
  rm -rf "$LAB_PACKAGES"/apt/cache/archives/*.deb "$tmp"/usr/share/{doc,man,locale,zoneinfo,perl*}
  touch "$tmp/.complete"
  mv "$tmp" "$dir"
}

get_packages() {
  local suite
  [ "$(id -u)" = 0 ] || die "the lab needs root: it makes network namespaces and starts engines"
  command -v apt-get >/dev/null || die "the lab fetches its engines by apt: it needs a Debian machine"
  mkdir -p "$LAB_PACKAGES"
  # Two labs of one build directory must not unpack at the same time.
  exec 8>"$LAB_PACKAGES/.lock"
  flock 8
  install_system_packages
  for suite in bookworm trixie forky; do fetch_suite "$suite"; done
  fetch_compose_v1
  exec 8>&-
}
