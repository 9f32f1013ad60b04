# shellcheck shell=bash
# lib.sh is sourced by the scripts of the cluster: where its state is, and whether it runs.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=hack/build-lib.sh
source "$here/../build-lib.sh"
# shellcheck source=hack/cluster/process.sh
source "$here/process.sh"

# All that a cluster writes lies in one folder of this name, so that two checkouts can have a cluster each.
state=${KONGDAO_CLUSTER:-$(cd "$here/../.." && pwd)/out/cluster}
[[ $state == /* ]] || die "KONGDAO_CLUSTER is $state: give the whole path"

# cluster_pid prints the number of the cluster's first process, or nothing when no cluster runs.
cluster_pid() {
  local pid started
  [[ -f $state/pid ]] || return 0
  read -r pid started <"$state/pid" || return 0
  if [[ $(started_at "$pid") == "$started" ]]; then echo "$pid"; fi
}

# end_cluster ends the first process, by which the kernel ends all others and with them their mounts and networks, and
# removes the control groups, which are the only thing that outlives them.
end_cluster() {
  local pid group deadline=$((SECONDS + 30))
  pid=$(cluster_pid)
  if [[ -n $pid ]]; then
    kill -KILL "$pid" || die "cannot end the cluster (process $pid): run this as the user who started it"
    while [[ -n $(cluster_pid) ]]; do
      ((SECONDS < deadline)) || die "the cluster's first process, $pid, is still there 30s after its end"
      sleep 0.05
    done
  fi
  [[ -f $state/cgroups ]] || return 0
  while read -r group; do
    # A group can be busy for a moment after its last process is gone.
    until [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do
      ((SECONDS < deadline)) || die "cannot remove the control group $group: see what runs in its cgroup.procs"
      sleep 0.05
    done
  done <"$state/cgroups"
  rm "$state/cgroups"
}

# remove_state removes all that a cluster wrote, and nothing that is not a cluster's.
remove_state() {
  [[ -f $state/.kongdao-cluster || -z $(ls -A "$state" 2>/dev/null) ]] ||
    die "$state is not the state of a cluster, and would be emptied: set KONGDAO_CLUSTER to a folder of its own"
  rm -rf "$state"
}
