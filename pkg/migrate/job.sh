# shellcheck shell=sh
# Run by "sh -c" in the Kong container of a migration's Job, until the database is where it is to be or cannot get there.
# Nothing is believed but what "kong migrations list" says afterwards (K10). It needs sh, sed, date, sleep, head and kong.
#
#   KONGDAO_EXPECT    a line a plugin, "dao-test: 000_base, 001_next"; "dao-test:" where the names are not known
#   KONGDAO_STEP      up: what is new is run, and an empty database is bootstrapped. finish: what is pending is finished
#   KONGDAO_FINISH    which pending migrations may be finished: none, named (those of KONGDAO_PENDING) or all
#   KONGDAO_PENDING   lines of the same form
#   KONGDAO_TIMEOUT   how long one migration may take, in seconds; KONGDAO_DEADLINE, the whole
#   KONGDAO_TRIES     how often one that fails is run
#
# How it ended stands in /dev/termination-log: a word, and below it lines of migrations or Kong's last words.
#   exit 0 done, or pending: all are executed, some of them pending | 10 blocked by pending ones that may not be finished
#   11 deadline | 12 unlisted: Kong does not see them | 13 failed | 14 empty | 15 stopped
set -fu
export LC_ALL=C
end=$(($(date +%s) + KONGDAO_DEADLINE)) failures=0 wait=1 last="" stopped=""
trap 'stopped=yes' TERM # the step that runs is not broken off (K29, K34)

say() { echo "kongdao: $*"; }
over() { # WORD LINES EXIT
  say "$1"
  [ -z "$2" ] || echo "$2"
  printf '%s\n%s\n' "$1" "$2" | head -c 3500 >/dev/termination-log
  exit "$3"
}
# Kong's own words of what went wrong, without its stack.
error() { echo "$out" | sed -n '/^Error/,/^$/{/^stack/,$d;/^$/d;p;}' | head -c 1500; }

pause() {
  [ -z "$stopped" ] || over stopped "$last" 15
  [ $(($(date +%s) + wait)) -lt "$end" ] || over deadline "$last" 11
  sleep "$wait"
  wait=$((wait * 2))
  [ "$wait" -le 15 ] || wait=15
}

list() {
  out=$(kong migrations list 2>&1) && code=0 || code=$?
}

# A section of what list printed, a line a subsystem, not indented.
section() { echo "$out" | sed -n "/^$1:\$/,/^\$/{/^$1:\$/d;/^\$/d;s/^ *//;p;}"; }

# names LINES PLUGIN: what the plugin's line names, each behind a comma and before one; nothing where it has no line.
names() {
  echo "$1" | while IFS= read -r line; do
    case $line in "$2: "*) echo ", ${line#*: }," ;; esac
  done
}

# lacking WANTED KNOWN: which of the wanted lines' migrations the known lines do not have.
lacking() {
  echo "$1" | while IFS= read -r line; do
    plugin=${line%%:*}
    [ -n "$plugin" ] || continue
    known=$(names "$2" "$plugin")
    rest=${line#*:}
    rest=${rest# }
    [ -n "$rest" ] || [ -n "$known" ] || echo "$plugin"
    while [ -n "$rest" ]; do
      name=${rest%%, *}
      case $rest in *", "*) rest=${rest#*, } ;; *) rest= ;; esac
      case $known in *", $name,"*) ;; *) echo "$plugin: $name" ;; esac
    done
  done
}

verify() {
  missing=$(lacking "$KONGDAO_EXPECT" "$(section 'Executed migrations')
$(section 'Pending migrations')")
  [ -z "$missing" ] || over unlisted "$missing" 12
}

may_finish() {
  case $KONGDAO_FINISH in
    all) return 0 ;;
    named) [ -z "$(lacking "$pending" "$KONGDAO_PENDING")" ] ;;
    *) return 1 ;;
  esac
}

# The long timeouts: the default of 5 s cuts off migrations that PostgreSQL goes on running (K14), and a lease that ends
# before the migration lets a second runner in (K28).
run() {
  say "kong migrations $1"
  if out=$(kong migrations "$1" --db-timeout "$KONGDAO_TIMEOUT" --lock-timeout "$KONGDAO_TIMEOUT" 2>&1); then
    echo "$out"
    last=
    case $out in
      *"another node is performing database changes"*)
        last="another runner holds the lock"
        pause
        ;;
      *) wait=1 ;;
    esac
  else
    echo "$out"
    last=$(error)
    case $last in
      "Error: [PostgreSQL error] timeout") last="another runner holds the lock" ;; # it was waited for (K28)
      *)
        failures=$((failures + 1))
        [ "$failures" -lt "$KONGDAO_TRIES" ] || over failed "$last" 13
        ;;
    esac
    pause
  fi
}

while :; do
  [ -z "$stopped" ] || over stopped "$last" 15
  list
  case $KONGDAO_STEP/$code in
    up/3) run bootstrap ;;
    finish/3) over empty "the database has not been bootstrapped" 14 ;;
    up/5) run up ;;
    */0 | finish/5)
      verify
      over "done" "" 0
      ;;
    */4)
      pending=$(section 'Pending migrations')
      new=$(section 'New migrations available')
      if may_finish; then run finish
      elif [ "$KONGDAO_STEP" = finish ] || [ -n "$new" ]; then over blocked "$pending" 10
      else
        verify
        over pending "$pending" 0
      fi
      ;;
    *)
      last="kong migrations list: $(error)"
      say "$last"
      pause
      ;;
  esac
done
