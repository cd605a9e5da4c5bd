# Runs a command that may be cancelled; 130 says that it was.
cancellable() {
  "$@" >>"$J/err" 2>&1 &
  child=$!
  ( while kill -0 "$child"; do if [ -e "$J/cancel" ]; then kill "$child"; fi; sleep 1; done ) 2>/dev/null &
  watcher=$!
  wait "$child"
  status=$?
  kill "$watcher" 2>/dev/null
  if [ "$status" != 0 ] && [ -e "$J/cancel" ]; then return 130; fi
  return "$status"
}
# Fetching has not touched the service: here it is safe to stop.
fetch() {
  step pull started
  began=$(date +%s)
  cancellable "$@"
  status=$?
  if [ "$status" = 130 ] && [ -e "$J/cancel" ]; then step pull failed cancelled; finish halted "cancelled while fetching; what ran still runs"; fi
  if [ "$status" != 0 ]; then step pull failed; finish halted "the pull failed and nothing was changed: $(last_words)"; fi
  step pull done "$(( $(date +%s) - began )) s"
}
pull_service() { if [ -n "$FETCH_REF" ]; then fetch docker_ pull "$FETCH_REF"; else fetch compose --progress "${PROGRESS:-plain}" pull "$SERVICE"; fi; }

# The tag may have moved since the plan was made: then what was fetched is not what was shown. NAMED is what it names.
expect_tag() {
  NAMED=$(id_of "$SERVICE_TAG")
  [ -z "$TO_ID" ] || [ "$NAMED" = "$TO_ID" ] || finish halted "$SERVICE_TAG moved since the plan was made: it now names ${NAMED:-nothing}, not $TO_ID; nothing was recreated"
}
