# shellcheck shell=bash
# process.sh is sourced by the scripts that hand process numbers to one another.

# started_at PID prints when a process started, in the kernel's own measure, or nothing when there is none. With it a
# number that another process has got since, or has outside the cluster's namespaces, is told from the first one's.
started_at() {
  local line fields
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The name before the last bracket may hold spaces.
  read -r -a fields <<<"${line##*) }"
  echo "${fields[19]}"
}
