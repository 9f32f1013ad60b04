# shellcheck shell=bash
# process.sh identifies processes. A process number does not identify a process: another process
# can get it later, and the same process has another number inside a pid namespace.

# start_time PID prints the start time of a process, as the kernel counts it. It prints nothing if there is no such
# process.
start_time() {
  local line fields
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The process name can contain spaces. The fields start after the last bracket.
  read -r -a fields <<<"${line##*) }"
  echo "${fields[19]}"
}
