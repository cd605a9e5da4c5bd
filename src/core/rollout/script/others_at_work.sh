# Tells of somebody else's compose at work on a project in the present folder.
others_at_work() {
  here=$(pwd -P)
  for process in /proc/[0-9]*; do
    words=$(tr '\000' ' ' <"$process/cmdline" 2>/dev/null) || continue
    case $words in
      *docker*compose*\ up*|*docker*compose*\ down*|*docker*compose*\ pull*|*docker*compose*\ build*|*docker*compose*\ restart*|*docker*compose*\ start*|*docker*compose*\ stop*|*docker*compose*\ create*|*docker*compose*\ rm*) : ;;
      *) continue ;;
    esac
    [ "${process#/proc/}" = "$$" ] && continue
    # Another project may live in the same folder.
    case $words in
      *" -p $1 "*|*" --project-name $1 "*|*" --project-name=$1 "*) : ;;
      *" -p "*|*" --project-name"*) continue ;;
      *" $here/"*|*"=$here/"*|*" $here "*) : ;;
      *) [ "$(readlink "$process/cwd" 2>/dev/null)" = "$here" ] || continue ;;
    esac
    printf %s "$words" | cut -c1-200
    return 0
  done
  return 1
}
