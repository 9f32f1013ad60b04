# shellcheck shell=sh
# Runs in the Kong container of a migration Job, with "sh -c", until the migrations are complete or cannot succeed.
# The exit code of "kong migrations up" proves nothing (fact K10): the script checks "kong migrations list" afterwards.
# It needs sh, env, cat, sed, date, sleep, head, mkdir and kong. It uses stdbuf and resty if the image has them.
#
#   KONG_PREFIX       an empty, writable folder
#   KONGDAO_CONF      the configuration file of Kong, or ""
#   KONGDAO_EXPECT    the migrations that Kong must list, one line for each plugin: "dao-test: 000_base, 001_next". A
#                     line "dao-test:" expects the plugin only, because the names are unknown.
#   KONGDAO_STEP      up: run new migrations, and bootstrap an empty database. finish: finish pending migrations.
#                     load: only check that Kong can load the plugins, without a database. It needs no other variable
#                     than KONG_PREFIX
#   KONGDAO_RESULT    the file for the result, /dev/termination-log by default
#   KONGDAO_FINISH    which pending migrations the script may finish: none, named (those in KONGDAO_PENDING) or all
#   KONGDAO_PENDING   lines in the format of KONGDAO_EXPECT
#   KONGDAO_TIMEOUT   the time limit of one Kong command, in seconds
#   KONGDAO_WAIT      how long to wait for the database or for another runner before the script reports this, in seconds
#   KONGDAO_DEADLINE  the time limit of the script, in seconds
#   KONGDAO_TRIES     how often a Kong command may fail
#
# The script writes its result to KONGDAO_RESULT: the outcome in the first line, then migrations or Kong's last
# output. Outcomes and exit codes:
#   0   done: all migrations are executed, or Kong can load the plugins. pending: some of the migrations are pending
#   10  blocked: the script may not finish the pending migrations
#   11  deadline: the database did not answer, or another runner held the lock
#   12  unlisted: Kong does not list the migrations
#   13  failed: a Kong command failed several times
#   14  empty: the database was never bootstrapped
#   15  stopped: the pod received a signal to stop
#   16  unloadable: Kong cannot load the plugins
set -fu
export LC_ALL=C
work=$KONG_PREFIX KONGDAO_CONF=${KONGDAO_CONF:-} begin=$(date +%s) wait=1 last="" stopped="" failures=0
file="" value="" ran="" state="" blocked="" looks=0 failed=""
# Do not interrupt a migration: after a kill, it runs again (facts K29 and K34). The kubelet sends the signal that the
# image names, which is QUIT for the images of Kong (fact K41).
trap 'stopped=yes' TERM QUIT INT

print() { printf '%s\n' "$1"; }
log() { print "kongdao: $1"; }
# report OUTCOME LINES EXIT_CODE ends the script.
report() {
  log "$1"
  [ -z "$2" ] || print "$2"
  printf '%s\n%s\n' "$1" "$2" | head -c 3500 >"${KONGDAO_RESULT:-/dev/termination-log}"
  exit "$3"
}

# has_passed SECONDS reports whether the script has run for so long.
has_passed() { [ $(($(date +%s) - begin)) -ge "$1" ]; }

# Waits before the next try. Each wait is longer, up to 15 seconds. A signal ends it.
pause() {
  [ -z "$stopped" ] || report stopped "$last" 15
  ! has_passed $((KONGDAO_DEADLINE - wait)) || report deadline "$last" 11
  sleep "$wait" &
  wait $! || kill $! 2>/dev/null
  wait=$((wait * 2))
  [ "$wait" -le 15 ] || wait=15
}

# Waits for something that only time can change. After a while it ends the script, so that users see what it waits for.
pause_until_changed() {
  ! has_passed "$KONGDAO_WAIT" || report deadline "$last" 11
  pause
}

# Counts a failure, and waits before the next try. The last one ends the script.
fail() {
  failures=$((failures + 1))
  [ "$failures" -lt "$KONGDAO_TRIES" ] || report failed "$last" 13
  pause
}

# has_line_output reports whether each line of Kong's output is in the file immediately. Without stdbuf, Kong writes the
# output when the command ends. stdbuf has no effect on a program with capabilities, so try it with the one of Kong.
has_line_output() {
  [ -n "$line_output" ] || return 1
  $line_output resty -e 'print("line") ngx.sleep(20)' >"$work/line" 2>/dev/null &
  resty=$!
  for _ in 1 2 3 4 5 6 7 8 9 10; do # a busy node starts resty slowly
    sleep 1
    [ ! -s "$work/line" ] || break
  done
  kill "$resty" 2>/dev/null
  [ -s "$work/line" ]
}

# can_stop COMMAND reports whether no migration runs in a Kong command. list changes nothing. up prints a line when it
# has the lock, before it migrates a subsystem.
can_stop() {
  case $1 in
    list) ;;
    up) has_line_output && [ -z "$(sed -n '/^migrating /p' "$work/out")" ] ;;
    *) return 1 ;;
  esac
}

# call migrations COMMAND ARGUMENTS runs kong. It sets code, out (standard output) and error: Kong's error message
# without a stack trace, or else all of standard error. After a signal to stop, it ends the script as soon as it can.
call() {
  [ "$2" = up ] && lines=$line_output || lines=
  $lines kong "$@" ${KONGDAO_CONF:+-c "$KONGDAO_CONF"} >"$work/out" 2>"$work/err" &
  kong=$!
  while :; do
    if [ -n "$stopped" ] && can_stop "$2"; then
      kill "$kong" 2>/dev/null # the end of the container kills its other processes
      report stopped "$last" 15
    fi
    wait "$kong" && code=0 || code=$?
    # A signal interrupts wait.
    [ "$code" -gt 128 ] || break
    kill -0 "$kong" 2>/dev/null || break
  done
  out=$(cat "$work/out")
  error=$(sed -n '/^Error/,/^$/{/^stack/,$d;/^$/d;p;}' "$work/err" | head -c 1500)
  [ -n "$error" ] || error=$(head -c 1500 "$work/err")
}

# has_setting NAME reports whether Kong has a setting KONG_NAME. The entrypoint of Kong's image looks in the same list,
# and reads KONG_PASSWORD, which a bootstrap of Kong Enterprise sets for its first administrator. Without the list, all
# names are settings, except directives of nginx, which may end with _FILE.
has_setting() {
  [ "$1" != PASSWORD ] || return 0
  settings=/usr/local/share/lua/5.1/kong/templates/kong_defaults.lua
  if [ -r "$settings" ]; then
    [ -n "$(sed "s/ *=.*//;y/abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ/" "$settings" | sed -n "/^$1\$/p")" ]
  else
    case $1 in NGINX_*) return 1 ;; esac
  fi
}

# Sets KONG_NAME from the file in KONG_NAME_FILE, as the entrypoint of Kong's image does if it starts Kong (fact K41).
read_files() {
  for name in $(env | sed -n 's/^KONG_\([A-Z0-9_]*\)_FILE=..*/\1/p'); do
    has_setting "$name" || continue
    eval "file=\${KONG_${name}_FILE:-} value=\${KONG_$name:-}"
    [ -n "$file" ] || continue # the name was in the value of another variable
    [ -z "$value" ] || report failed "KONG_$name and KONG_${name}_FILE are both set; remove one of them" 13
    value=$(cat "$file" 2>&1) || report failed "KONG_${name}_FILE: $value" 13
    export "KONG_$name=$value"
    unset "KONG_${name}_FILE"
  done
}

# Ends the script if Kong cannot load the plugins. Kong starts without a database, with one listener on a free loopback
# port, and stops (fact K47). Other errors only return 1, because this is not how the pod runs Kong.
check_plugins() {
  log "kong start, without a database"
  mkdir -p "$work/check"
  for try in 1 2 3; do
    (
      unset KONG_DECLARATIVE_CONFIG KONG_DECLARATIVE_CONFIG_STRING KONG_NGINX_MAIN_DAEMON
      export KONG_DATABASE=off KONG_ROLE=traditional KONG_PREFIX="$work/check" KONG_NGINX_DAEMON=on
      export KONG_PROXY_LISTEN="127.0.0.1:$((20000 + ($(date +%s) + try * 997) % 10000))" KONG_NGINX_WORKER_PROCESSES=1
      export KONG_ADMIN_LISTEN=off KONG_ADMIN_GUI_LISTEN=off KONG_STATUS_LISTEN=off KONG_STREAM_LISTEN=off
      export KONG_CLUSTER_LISTEN=off
      kong start ${KONGDAO_CONF:+-c "$KONGDAO_CONF"} && kong stop
    ) >"$work/out" 2>"$work/err" && return
    [ -n "$(sed -n '/[Aa]ddress already in use/p' "$work/err")" ] || break
  done
  words=$(sed -n '/init_by_lua error: /,/^stack traceback/{s/.*init_by_lua error: //;/^stack traceback/d;p;}' \
    "$work/err" | head -c 1500)
  [ -z "$words" ] || report unloadable "$words" 16
  log "kong start failed for another reason"
  head -c 1500 "$work/err"
  return 1
}

# section TITLE prints a section of the output of list, one line for each subsystem, without indentation.
section() { print "$out" | sed -n "/^$1:\$/,/^\$/{/^$1:\$/d;/^\$/d;s/^ *//;p;}"; }

# Lists the migrations. It sets executed, pending, new and state. Each exit code needs its section: another Kong may
# print something else.
list() {
  call migrations list
  case $code in
    0) title='Executed migrations' ;;
    4) title='Pending migrations' ;;
    5) title='New migrations available' ;;
    *) title= ;;
  esac
  executed=$(section 'Executed migrations')
  pending=$(section 'Pending migrations')
  new=$(section 'New migrations available')
  if [ -n "$title" ] && [ -z "$(section "$title")" ]; then
    error="exit code $code without a section \"$title:\"; kongdao does not support this version of Kong" code=unknown
  fi
  state="$code/$executed/$pending/$new"
}

# names LINES PLUGIN prints the migrations of a plugin, with a comma before and after each name. It prints nothing if
# the plugin has no line.
names() {
  print "$1" | while IFS= read -r line; do
    case $line in "$2: "*) print ", ${line#*: }," ;; esac
  done
}

# missing WANTED KNOWN prints the migrations in the wanted lines that are not in the known lines.
missing() {
  print "$1" | while IFS= read -r line; do
    plugin=${line%%:*}
    [ -n "$plugin" ] || continue
    known=$(names "$2" "$plugin")
    rest=${line#*:}
    rest=${rest# }
    [ -n "$rest" ] || [ -n "$known" ] || print "$plugin"
    while [ -n "$rest" ]; do
      name=${rest%%, *}
      case $rest in *", "*) rest=${rest#*, } ;; *) rest= ;; esac
      case $known in *", $name,"*) ;; *) print "$plugin: $name" ;; esac
    done
  done
}

# Ends the script unless Kong lists all expected migrations.
verify() {
  unlisted=$(missing "$KONGDAO_EXPECT" "$executed
$pending")
  [ -z "$unlisted" ] || report unlisted "$unlisted" 12
}

# Reports blocked when Kong lists the same migrations four times. Before that, another runner may be at work: a
# bootstrap records a migration as pending before it finishes it (fact K31). If up failed in this Job, the migrations
# before the failed one are pending, and Kong's words about the failed one count.
report_if_blocked() {
  if [ "$state" = "$blocked" ]; then looks=$((looks + 1)); else blocked=$state looks=1 wait=1; fi
  if [ "$looks" -ge 4 ]; then
    [ -z "$failed" ] || report failed "$failed" 13
    report blocked "$pending" 10
  fi
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

# is_temporary ERROR reports whether waiting can fix an error: the database does not answer, or not yet (fact K42).
is_temporary() {
  case $1 in
    *"connection refused"* | *timeout* | *"timed out"* | *": closed"* | *"connection reset"* | *"no route to host"* | \
      *"etwork is unreachable"* | *"ost is unreachable"* | *"DNS resolution failed"* | *"name resolution"* | \
      *"host or service not provided, or not known"* | *"is starting up"* | *"is shutting down"* | *"recovery mode"* | \
      *"not yet accepting connections"* | *"too many clients"* | *"too many connections"* | *"connection slots are"*) ;;
    *) return 1 ;;
  esac
}

# Waits for the database if the last error is temporary. Otherwise it counts a failure.
pause_or_fail() { if is_temporary "$error"; then pause_until_changed; else fail; fi; }

# run COMMAND runs a command that changes the database, with long timeouts. After the default of 5 seconds, Kong reports
# an error although PostgreSQL continues (fact K14). If the lock expires before the migration ends, a second runner
# starts the same migration (fact K28).
run() {
  log "kong migrations $1"
  call migrations "$1" --db-timeout "$KONGDAO_TIMEOUT" --lock-timeout "$KONGDAO_TIMEOUT"
  cat "$work/out" "$work/err"
  [ "$code" = 0 ] || last="kong migrations $1: $error"
  case $code/$error/$out in
    # The command waited for the lock, or did nothing because of it (facts K10 and K28).
    0/*"another node is performing database changes"* | *"/Error: [PostgreSQL error] timeout/"*)
      last="another runner holds the lock"
      pause_until_changed
      ;;
    0/*) ran=$1 unchanged=$state failed="" ;;
    *"failed to retrieve PostgreSQL server_version_num"*) pause_or_fail ;;
    *)
      failed=$last
      fail
      ;;
  esac
}

# check_progress reports whether the last command changed what Kong lists. A command that exits 0 and changes nothing is
# a failure: the script would call it forever.
check_progress() {
  command=$ran ran=
  [ -n "$command" ] || return 0
  if [ "$state" != "$unchanged" ]; then
    failures=0 wait=1
    return 0
  fi
  last="kong migrations $command exits 0, but Kong lists the same migrations as before"
  fail
  return 1
}

mkdir -p "$work"
[ -z "$(stdbuf -oL true 2>&1 || echo failed)" ] && line_output="stdbuf -oL" || line_output=
read_files
case $KONGDAO_STEP in
  up) check_plugins || log "the migrations continue" ;;
  load)
    ! check_plugins || report "done" "" 0
    report failed "$(head -c 1500 "$work/err")" 13
    ;;
esac
# The exit codes of list: 0 up to date, 3 empty database, 4 pending migrations, 5 new migrations.
while :; do
  [ -z "$stopped" ] || report stopped "$last" 15
  ! has_passed "$KONGDAO_DEADLINE" || report deadline "$last" 11
  list
  case $code in
    0 | 3 | 4 | 5) check_progress || continue ;;
    *)
      last="kong migrations list: $error"
      log "$last"
      pause_or_fail
      continue
      ;;
  esac
  case $KONGDAO_STEP/$code in
    up/3) run bootstrap ;;
    finish/3) report empty "the database was never bootstrapped" 14 ;;
    up/5) run up ;;
    */0 | finish/5)
      verify
      report "done" "" 0
      ;;
    */4)
      if may_finish; then run finish
      elif [ "$KONGDAO_STEP" = finish ] || [ -n "$new" ]; then report_if_blocked
      else
        verify
        report pending "$pending" 0
      fi
      ;;
  esac
done
