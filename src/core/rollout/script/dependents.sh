# What hangs on the service's container, by its network, ipc or pid namespace or its volumes, is made anew with the image that it runs, whatever its tag names by then.
# note_dependents: writes down each with its reference, its image and the number of its containers.
note_dependents() {
  : >"$J/dependents"
  for dependent in $DEPENDENTS; do
    runs=; count=0
    for id in $(members "$dependent"); do
      own=$(look '{{.Config.Image}} {{.Image}}' "$id")
      [ -z "$runs" ] || [ "$runs" = "$own" ] || finish refused "the containers of $dependent, which hangs on the container of $SERVICE, run several images; recreate $dependent by itself first"
      runs=$own
      count=$(( count + 1 ))
    done
    [ -n "$runs" ] || continue
    [ -n "$(id_of "${runs##* }")" ] || finish refused "$dependent, which hangs on the container of $SERVICE, runs ${runs##* }, which the host no longer holds, and would get another image; recreate $dependent first by docker compose up -d $dependent"
    printf '%s %s %s\n' "$dependent" "$runs" "$count" >>"$J/dependents"
  done
}
# The tag of a reference in the same repository.
beside() { case ${1##*/} in *:*) printf %s "${1%:*}:$2" ;; *) printf %s "$1:$2" ;; esac; }
# The image of one whose tag names another one, or will, must stay, whatever its tags do.
keep_dependents() {
  [ -s "$J/dependents" ] || return 0
  while read -r dependent reference image count; do
    case $reference in *@*) continue ;; esac
    if [ "$(id_of "$reference")" = "$image" ] && [ "${reference%:latest}" != "${SERVICE_TAG%:latest}" ]; then continue; fi
    tag=$(beside "$reference" "htui-keep-$(printf %s "${image#sha256:}" | cut -c1-12)")
    [ "$tag" != "$KEEP_TAG" ] || continue
    docker_ tag "$image" "$tag" || finish refused "the image of $dependent, which hangs on the container of $SERVICE, could not be kept: $(last_words)"
    printf '%s %s %s\n' "$(now)" "$tag" "$PROJECT/$dependent" >>"$STATE/keeps"
  done <"$J/dependents"
}
# lend DEPENDENT: its reference names the image that it runs until `take_back`; what it named stays named meanwhile.
lend() {
  set -- $(OWN=$1 awk '$1 == ENVIRON["OWN"]' "$J/dependents" 2>/dev/null)
  [ $# = 4 ] || return 0
  case $2 in *@*) return 0 ;; esac
  named=$(id_of "$2")
  [ "$named" != "$3" ] || return 0
  aside=
  if [ -n "$named" ]; then
    aside=$(beside "$2" "htui-aside-$(printf %s "${named#sha256:}" | cut -c1-12)")
    docker_ tag "$named" "$aside" || return 1
  fi
  printf '%s %s\n' "$2" "$aside" >"$J/lent"
  docker_ tag "$3" "$2"
}
# take_back [JOB'S FOLDER]: the reference that was lent names again what it named before.
take_back() {
  lent=${1:-$J}/lent
  [ -s "$lent" ] || return 0
  read -r reference aside <"$lent"
  if [ -n "$aside" ]; then
    docker_ tag "$aside" "$reference" || return 1
    docker_ rmi "$aside" >>"$J/err" 2>&1
  fi
  rm -f "$lent"
}
count_of() { OWN=$1 awk '$1 == ENVIRON["OWN"] { print $4 }' "$J/dependents" 2>/dev/null; }
same_dependents() {
  [ -s "$J/dependents" ] || return 0
  while read -r dependent reference image count; do
    told=$(look '{{.Image}}' $(members "$dependent"))
    for own in ${told:-nothing}; do
      if [ "$own" != "$image" ]; then WHY="$dependent, which hangs on its container, runs $own, not $image as before"; return 1; fi
    done
  done <"$J/dependents"
}
