# shellcheck shell=bash
# build-lib.sh is sourced by the scripts that build: where built programs are kept, who may build at a time, and what the
# user sees meanwhile. Everything said goes to stderr, so that stdout holds nothing but a script's answer.

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# cache_folder NAME prints the folder NAME for built programs. It lies outside the tree, so that neither `git clean` nor
# a second checkout costs a rebuild.
cache_folder() {
  local base=${KONGDAO_CACHE:-}
  if [[ -z $base ]]; then
    [[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] || die "no folder for built programs: set KONGDAO_CACHE, XDG_CACHE_HOME or HOME"
    base=${XDG_CACHE_HOME:-$HOME/.cache}/kongdao
  fi
  mkdir -p "$base/$1" || die "cannot make $base/$1: set KONGDAO_CACHE to a folder that can be written"
  (cd "$base/$1" && pwd)
}

# only_builder FOLDER waits until no other build works in FOLDER and holds that right until the script ends. Where there
# is no flock (macOS) it does nothing: two builds then do the same work, and still each puts whole programs in place.
only_builder() {
  command -v flock >/dev/null || return 0
  exec 9>"$1/.lock"
  flock -n 9 && return 0
  say "another build fills $1: waiting for it"
  flock 9
}

# host_platform prints GOOS-GOARCH of this machine, whatever GOOS and GOARCH say: the programs are run here.
host_platform() { echo "$(go env GOHOSTOS)-$(go env GOHOSTARCH)"; }

work_log=
build_target=
build_cgo=0
heartbeat_pid=
stop_heartbeat() {
  [[ -n $heartbeat_pid ]] || return 0
  kill "$heartbeat_pid" 2>/dev/null || true
  wait "$heartbeat_pid" 2>/dev/null || true
  heartbeat_pid=
}
clean_up() {
  stop_heartbeat
  rm -f ${work_log:+"$work_log"} ${build_target:+"$build_target"}
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# heartbeat LABEL LOG says every 20 s how far a go command has come which, told -v, names each package it compiles in LOG.
heartbeat() {
  local started=$SECONDS sleeping
  trap 'kill "$sleeping" 2>/dev/null; exit 0' TERM
  while :; do
    # In the background and waited for, so that ending the heartbeat leaves no sleep behind that holds stderr open.
    sleep 20 9>&- &
    sleeping=$!
    wait "$sleeping"
    say "$1: $((SECONDS - started))s, $(wc -l <"$2" | tr -d ' ') packages compiled"
  done
}

# compiling LABEL COMMAND... runs a go command under a heartbeat. Its output is shown, from its end, only when it fails.
compiling() {
  local label=$1 status=0
  shift
  work_log=$(mktemp)
  heartbeat "$label" "$work_log" 9>&- &
  heartbeat_pid=$!
  "$@" >/dev/null 2>"$work_log" || status=$?
  stop_heartbeat
  ((status == 0)) || tail -n 30 "$work_log" >&2
  rm -f "$work_log"
  return "$status"
}

# go_program LABEL HINT TARGET PACKAGE [FLAG...] builds PACKAGE of the current folder's module to TARGET, which appears
# only when it is whole. build_cgo=1 compiles with cgo, which needs a C compiler.
go_program() {
  local label=$1 hint=$2 target=$3 package=$4 started=$SECONDS
  shift 4
  build_target=$target.part.$$
  say "$label: building (first time only: $hint)"
  compiling "$label" env GOWORK=off GOOS= GOARCH= CGO_ENABLED="$build_cgo" go build -v -trimpath "$@" -o "$build_target" "$package" ||
    die "$label: not built: see the output of go build above (with no network, fill the module cache or set GOPROXY)"
  mv -f "$build_target" "$target"
  build_target=
  say "$label: done in $((SECONDS - started))s"
}
