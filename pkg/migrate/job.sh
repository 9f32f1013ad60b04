# shellcheck shell=sh
# Runs in the Kong container of a migration Job, with "sh -c", until the migrations are complete or cannot succeed.
# The exit code of "kong migrations up" proves nothing (fact K10): the script checks "kong migrations list" afterwards.
# It needs sh, sed, date, sleep, head and kong.
#
#   KONGDAO_EXPECT    the migrations that Kong must list, one line for each plugin: "dao-test: 000_base, 001_next". A
#                     line "dao-test:" expects the plugin only, because the names are unknown.
#   KONGDAO_STEP      up: run new migrations, and bootstrap an empty database. finish: finish pending migrations
#   KONGDAO_FINISH    which pending migrations the script may finish: none, named (those in KONGDAO_PENDING) or all
#   KONGDAO_PENDING   lines in the format of KONGDAO_EXPECT
#   KONGDAO_TIMEOUT   the time limit of one Kong command, in seconds
#   KONGDAO_DEADLINE  the time limit of the script, in seconds
#   KONGDAO_TRIES     how often a Kong command may fail
#
# The script writes its result to /dev/termination-log: the outcome in the first line, then migrations or Kong's last
# output. Outcomes and exit codes:
#   0   done: all migrations are executed. pending: some of them are pending
#   10  blocked: the script may not finish the pending migrations
#   11  deadline: the database did not answer, or another runner held the lock
#   12  unlisted: Kong does not list the migrations
#   13  failed: a Kong command failed several times
#   14  empty: the database was never bootstrapped
#   15  stopped: the pod received a signal to stop
set -fu
export LC_ALL=C
end=$(($(date +%s) + KONGDAO_DEADLINE)) failures=0 wait=1 last="" stopped="" blocked="" looks=0
# Do not interrupt the command that runs: after a kill, the migration runs again (facts K29 and K34).
trap 'stopped=yes' TERM

log() { echo "kongdao: $*"; }
# report OUTCOME LINES EXIT_CODE ends the script.
report() {
  log "$1"
  [ -z "$2" ] || echo "$2"
  printf '%s\n%s\n' "$1" "$2" | head -c 3500 >/dev/termination-log
  exit "$3"
}
# Prints Kong's error message without the stack trace.
error_message() { echo "$out" | sed -n '/^Error/,/^$/{/^stack/,$d;/^$/d;p;}' | head -c 1500; }

# Waits before the next try. Each wait is longer, up to 15 seconds.
pause() {
  [ -z "$stopped" ] || report stopped "$last" 15
  [ $(($(date +%s) + wait)) -lt "$end" ] || report deadline "$last" 11
  sleep "$wait"
  wait=$((wait * 2))
  [ "$wait" -le 15 ] || wait=15
}

list() {
  out=$(kong migrations list 2>&1) && code=0 || code=$?
}

# section TITLE prints a section of the output of list, one line for each subsystem, without indentation.
section() { echo "$out" | sed -n "/^$1:\$/,/^\$/{/^$1:\$/d;/^\$/d;s/^ *//;p;}"; }

# names LINES PLUGIN prints the migrations of a plugin, with a comma before and after each name. It prints nothing if
# the plugin has no line.
names() {
  echo "$1" | while IFS= read -r line; do
    case $line in "$2: "*) echo ", ${line#*: }," ;; esac
  done
}

# missing WANTED KNOWN prints the migrations in the wanted lines that are not in the known lines.
missing() {
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

# Ends the script unless Kong lists all expected migrations.
verify() {
  unlisted=$(missing "$KONGDAO_EXPECT" "$(section 'Executed migrations')
$(section 'Pending migrations')")
  [ -z "$unlisted" ] || report unlisted "$unlisted" 12
}

# Reports blocked when Kong lists the same migrations four times. Before that, another runner may be at work: a
# bootstrap records a migration as pending before it finishes it (fact K31). The rest of Kong's output has the time.
report_if_blocked() {
  listed="$pending
$new"
  if [ "$listed" = "$blocked" ]; then looks=$((looks + 1)); else blocked=$listed looks=1 wait=1; fi
  [ "$looks" -lt 4 ] || report blocked "$pending" 10
  last="pending migrations: $pending"
  pause
}

may_finish() {
  case $KONGDAO_FINISH in
    all) return 0 ;;
    named) [ -z "$(missing "$pending" "$KONGDAO_PENDING")" ] ;;
    *) return 1 ;;
  esac
}

# run COMMAND runs a Kong command with long timeouts. After the default of 5 seconds, Kong reports an error although
# PostgreSQL continues (fact K14). If the lock expires before the migration ends, a second runner starts the same
# migration (fact K28).
run() {
  log "kong migrations $1"
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
    last=$(error_message)
    case $last in
      # The command waited for the lock (fact K28). This is not a failure.
      "Error: [PostgreSQL error] timeout") last="another runner holds the lock" ;;
      *)
        failures=$((failures + 1))
        [ "$failures" -lt "$KONGDAO_TRIES" ] || report failed "$last" 13
        ;;
    esac
    pause
  fi
}

# The exit codes of list: 0 up to date, 3 empty database, 4 pending migrations, 5 new migrations.
while :; do
  [ -z "$stopped" ] || report stopped "$last" 15
  list
  case $KONGDAO_STEP/$code in
    up/3) run bootstrap ;;
    finish/3) report empty "the database was never bootstrapped" 14 ;;
    up/5) run up ;;
    */0 | finish/5)
      verify
      report "done" "" 0
      ;;
    */4)
      pending=$(section 'Pending migrations')
      new=$(section 'New migrations available')
      if may_finish; then run finish
      elif [ "$KONGDAO_STEP" = finish ] || [ -n "$new" ]; then report_if_blocked
      else
        verify
        report pending "$pending" 0
      fi
      ;;
    *)
      last="kong migrations list: $(error_message)"
      log "$last"
      pause
      ;;
  esac
done
