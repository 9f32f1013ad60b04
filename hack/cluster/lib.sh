# shellcheck shell=bash
# lib.sh holds the functions that the cluster's scripts share: where the cluster's state is, and whether it runs.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=hack/build-lib.sh
source "$here/../build-lib.sh"
# shellcheck source=hack/cluster/process.sh
source "$here/process.sh"

# The cluster writes only to this folder, so each checkout can have a cluster.
state=${KONGDAO_CLUSTER:-$(cd "$here/../.." && pwd)/out/cluster}
[[ $state == /* ]] || die "KONGDAO_CLUSTER is '$state': set an absolute path"

# cluster_pid prints the process number of the cluster's first process. It prints nothing if no cluster runs.
cluster_pid() {
  local pid started
  [[ -f $state/pid ]] || return 0
  read -r pid started <"$state/pid" || return 0
  if [[ $(start_time "$pid") == "$started" ]]; then echo "$pid"; fi
}

# stop_cluster kills the first process. The kernel then kills all other processes and removes their mounts and networks.
# Only the control groups remain, so this function deletes them.
stop_cluster() {
  local pid group deadline=$((SECONDS + 30))
  pid=$(cluster_pid)
  if [[ -n $pid ]]; then
    kill -KILL "$pid" || die "cannot stop the cluster (process $pid): run this command as the user who started it"
    while [[ -n $(cluster_pid) ]]; do
      ((SECONDS < deadline)) || die "the cluster's first process, $pid, still runs 30s after SIGKILL"
      sleep 0.05
    done
  fi
  [[ -f $state/cgroups ]] || return 0
  while read -r group; do
    # A control group can stay busy for a moment after its last process ends.
    until [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do
      ((SECONDS < deadline)) || die "cannot delete the control group $group: its cgroup.procs lists processes"
      sleep 0.05
    done
  done <"$state/cgroups"
  rm "$state/cgroups"
}

# delete_state deletes the files of the cluster. It never deletes a folder that was not created by up.sh.
delete_state() {
  [[ -f $state/.kongdao-cluster || -z $(ls -A "$state" 2>/dev/null) ]] ||
    die "$state has files, but they are not the state of a cluster: set KONGDAO_CLUSTER to an empty folder"
  rm -rf "$state"
}
