# shellcheck shell=bash
# build-lib.sh holds the functions that build scripts share: the cache of built programs, the lock on it, and progress
# messages. Messages go to stderr, because stdout holds only a script's result.

log() { printf '%s\n' "$*" >&2; }
die() {
  log "$*"
  exit 1
}

# cache_folder NAME creates and prints the folder NAME for built programs. It is outside the tree, so `git clean` does
# not delete it and all checkouts share it.
cache_folder() {
  local base=${KONGDAO_CACHE:-}
  if [[ -z $base ]]; then
    [[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] ||
      die "no folder for built programs: set KONGDAO_CACHE, XDG_CACHE_HOME or HOME"
    base=${XDG_CACHE_HOME:-$HOME/.cache}/kongdao
  fi
  mkdir -p "$base/$1" || die "cannot create $base/$1: set KONGDAO_CACHE to a writable folder"
  (cd "$base/$1" && pwd)
}

# lock_folder FOLDER [FILE...] locks FOLDER until the script ends. If another build has the lock, it waits. It does
# nothing if the files are in FOLDER already. Without flock (macOS) it also does nothing: two builds then do the same
# work, but each one still replaces whole files.
lock_folder() {
  local folder=$1 file missing=$(($# == 1))
  shift
  for file in "$@"; do [[ -e $folder/$file ]] || missing=1; done
  ((missing)) || return 0
  command -v flock >/dev/null || return 0
  exec 9>"$folder/.lock"
  flock -n 9 && return 0
  log "waiting for another build in $folder"
  flock 9
}

# host_platform prints GOOS-GOARCH of this machine. It ignores the variables GOOS and GOARCH because the programs run
# here.
host_platform() { echo "$(go env GOHOSTOS)-$(go env GOHOSTARCH)"; }

build_log=
build_target=
build_cgo=0
progress_pid=
stop_progress() {
  [[ -n $progress_pid ]] || return 0
  kill "$progress_pid" 2>/dev/null || true
  wait "$progress_pid" 2>/dev/null || true
  progress_pid=
}
clean_up() {
  stop_progress
  rm -f ${build_log:+"$build_log"} ${build_target:+"$build_target"}
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# report_progress LABEL LOG prints every 20 s how many packages a go command has compiled. With -v, the command writes
# the name of each package to LOG.
report_progress() {
  local started=$SECONDS sleeping
  trap 'kill "$sleeping" 2>/dev/null; exit 0' TERM
  while :; do
    # The sleep runs in the background. Otherwise it would hold stderr open after stop_progress.
    sleep 20 9>&- &
    sleeping=$!
    wait "$sleeping"
    log "$1: $((SECONDS - started))s, $(wc -l <"$2" | tr -d ' ') packages compiled"
  done
}

# with_progress LABEL COMMAND... runs a go command and reports its progress. If the command fails, it prints the end of
# the command's output.
with_progress() {
  local label=$1 status=0
  shift
  build_log=$(mktemp)
  report_progress "$label" "$build_log" 9>&- &
  progress_pid=$!
  "$@" >/dev/null 2>"$build_log" || status=$?
  stop_progress
  ((status == 0)) || tail -n 30 "$build_log" >&2
  rm -f "$build_log"
  return "$status"
}

# build_program LABEL DURATION TARGET PACKAGE [FLAG...] builds PACKAGE of the module in the current folder. TARGET
# appears when the build is complete. Set build_cgo=1 for a package that needs cgo and a C compiler.
build_program() {
  local label=$1 duration=$2 target=$3 package=$4 started=$SECONDS
  shift 4
  build_target=$target.part.$$
  log "$label: building (only the first time, $duration)"
  with_progress "$label" env GOWORK=off GOOS= GOARCH= CGO_ENABLED="$build_cgo" \
    go build -v -trimpath "$@" -o "$build_target" "$package" ||
    die "$label: the build failed, see the output of go build above (without a network, fill the module cache first)"
  mv -f "$build_target" "$target"
  build_target=
  log "$label: built in $((SECONDS - started))s"
}
