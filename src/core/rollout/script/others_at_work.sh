# Tells of somebody else's compose at work on a project in the present folder.
others_at_work() {
  here=$(pwd -P)
  for process in /proc/[0-9]*; do
    words=$(tr '\000' ' ' <"$process/cmdline" 2>/dev/null) || continue
    case $words in *docker*compose*) : ;; *) continue ;; esac
    verb=
    for word in up down pull build restart start stop create rm; do
      case $words in *docker*compose*" $word "*|*docker*compose*" $word") verb=$word; break ;; esac
    done
    [ -n "$verb" ] || continue
    [ "${process#/proc/}" = "$$" ] && continue
    # Another project may live in the same folder.
    case $words in
      *" -p $1 "*|*" --project-name $1 "*|*" --project-name=$1 "*) : ;;
      *" -p "*|*" --project-name"*) continue ;;
      *" $here/"*|*"=$here/"*|*" $here "*) : ;;
      *) [ "$(readlink "$process/cwd" 2>/dev/null)" = "$here" ] || continue ;;
    esac
    # Its other words may hold a secret.
    printf 'docker compose %s, process %s' "$verb" "${process#/proc/}"
    return 0
  done
  return 1
}
