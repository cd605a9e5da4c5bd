# The operator's .env may hold secrets: it is copied and cut on the host and never read into a plan.
has_block() { [ -f .env ] && grep -qxF "$BLOCK_BEGIN" .env && grep -qxF "$BLOCK_END" .env; }
# Moved into place whole, with the owner and mode of what was there. A link stays one: its end is filled anew.
replace_env() {
  if [ -L .env ]; then cat "$1" >.env && rm -f "$1"; return; fi
  if [ -e .env ]; then
    chown --reference=.env "$1" 2>/dev/null; chmod --reference=.env "$1" 2>/dev/null || chmod 600 "$1"
  fi
  mv -f "$1" .env
}
# add_block TEXT LINE_END
add_block() {
  aside=.env.homelab-tui.$$
  { if [ -e .env ]; then cat .env; fi && { [ -z "$2" ] || echo; } && printf %s "$1"; } >"$aside" || { rm -f "$aside"; return 1; }
  replace_env "$aside"
}
remove_block() {
  aside=.env.homelab-tui.$$
  first=$(grep -nxF "$BLOCK_BEGIN" .env | head -n 1 | cut -d: -f1)
  last=$(grep -nxF "$BLOCK_END" .env | head -n 1 | cut -d: -f1)
  [ -n "$first" ] && [ -n "$last" ] && [ "$last" -gt "$first" ] || return 1
  before=$(head -n $(( first - 1 )) .env | wc -c)
  after=$(tail -n +$(( last + 1 )) .env | wc -c)
  inside=$(sed -n "${first},${last}p" .env)
  case $inside in
    *"$NO_FILE"*) if [ "$before" = 0 ] && [ "$after" = 0 ]; then rm -f .env; return; fi ;;
    *"$NO_LINE_END"*) if [ "$after" = 0 ] && [ "$before" -gt 0 ]; then before=$(( before - 1 )); fi ;;
  esac
  { head -c "$before" .env && tail -n +$(( last + 1 )) .env; } >"$aside" || { rm -f "$aside"; return 1; }
  replace_env "$aside"
}
# write_file NAME TEXT EXCLUSIVE
write_file() {
  aside=.homelab-tui.$$
  printf %s "$2" >"$aside" && chmod 644 "$aside" || { rm -f "$aside"; return 1; }
  if [ -n "$3" ]; then
    if ln "$aside" "$1"; then rm -f "$aside"; else rm -f "$aside"; return 1; fi
  else
    mv -f "$aside" "$1"
  fi
}

sum_of() {
  if [ -e "$1" ]; then own=$(sha256sum "$1" 2>/dev/null | cut -d' ' -f1); own=${own:-unreadable}; else own=absent; fi
}
same_file() {
  sum_of "$1"
  [ "$own" = "$2" ] || left_so "$own $1" || finish refused "$1 was changed since the plan was made"
}
# What a job before this one of the same plan left the project's files as is no surprise; what else changed them is.
left_so() { for before in $AFTER; do grep -qxF -- "$1" "${J%/*}/$before/left" 2>/dev/null && return 0; done; return 1; }
left_file() { sum_of "$1"; printf '%s %s\n' "$own" "$1" >>"$J/left"; }
leave() {
  [ -n "$FOLLOWED" ] || return 0
  left_files
  printf '%s rendering\n' "$(rendering)" >>"$J/left"
}

# As it is counted for a plan: whether a compose ends its output with a line end is nothing of the files.
rendering() { rendered_=$(rendered --format json 2>/dev/null); printf '%s\n' "$rendered_" | sha256sum | cut -d' ' -f1; }
OTHER_RENDERING="the project's files render to something else than when the plan was made"
