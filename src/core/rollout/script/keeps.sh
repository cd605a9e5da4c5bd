keep() {
  keep_dependents
  [ -n "$KEEP_TAG" ] || return 0
  step keep started
  if ! docker_ tag "$FROM_ID" "$KEEP_TAG"; then
    step keep failed
    finish refused "the running image could not be kept: $(last_words)"
  fi
  mkdir -p "$STATE" && printf '%s %s %s\n' "$(now)" "$KEEP_TAG" "$PROJECT/$SERVICE" >>"$STATE/keeps"
  step keep done
}

# The image gone to must stay, whatever its tags do.
hold() {
  [ -n "$(id_of "$TO_ID")" ] || finish halted "the image $TO_ID is not on the host; nothing was changed"
  [ -z "$HOLD_TAG" ] || [ "$HOLD_TAG" = "$KEEP_TAG" ] || docker_ tag "$TO_ID" "$HOLD_TAG" || finish halted "the image could not be held: $(last_words)"
}

# Drops the service's oldest ways back beyond the number that is kept; the engine itself refuses one in use.
tidy() { drop_old_keeps; }
drop_old_keeps() {
  [ -n "$KEEP_TAG" ] && [ -f "$STATE/keeps" ] || return 0
  OWN="$PROJECT/$SERVICE"; export OWN
  awk '$3 == ENVIRON["OWN"] { at[$2] = $1 } END { for (tag in at) print at[tag], tag }' "$STATE/keeps" | sort | awk '{ print $2 }' >"$J/keeps"
  count=$(wc -l <"$J/keeps")
  [ "$count" -gt "$KEEP" ] || return 0
  head -n $(( count - KEEP )) "$J/keeps" | while read -r tag; do
    [ "$tag" = "$KEEP_TAG" ] && continue
    TAG=$tag awk '$2 != ENVIRON["TAG"] || $3 != ENVIRON["OWN"]' "$STATE/keeps" >"$J/keeps.new" && cat "$J/keeps.new" >"$STATE/keeps"
    # Another service of the same image may go back to it.
    grep -qF " $tag " "$STATE/keeps" || docker_ rmi "$tag" >>"$J/err" 2>&1
  done
}
drop_keep() { [ -n "$KEEP_TAG" ] && docker_ rmi "$KEEP_TAG" >>"$J/err" 2>&1; return 0; }
