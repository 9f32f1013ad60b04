#!/usr/bin/env bash
# up.sh starts a real Kubernetes cluster with one node, kubelet and containerd. The cluster runs in separate mount,
# network and pid namespaces, so it does not change the machine's network, mounts and sysctls. When its first process
# ends, all of its processes end. It needs root. If the cluster already runs, up.sh does nothing.
#
#   KONGDAO_CLUSTER  the folder of the cluster's state (default: out/cluster in the tree)
#   KONGDAO_CACHE    where built programs are kept, see hack/kubernetes/build.sh
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ -n $(cluster_pid) ]]; then
  [[ -f $state/up ]] || die "the cluster is starting, or its start was killed: wait a minute or run 'make cluster-down'"
  [[ ! -s $state/ended ]] || die "the cluster runs, but not completely: $(cat "$state/ended")
run 'make cluster-down', then this command again"
  log "cluster: already running, use it with 'hack/cluster/in.sh kubectl get nodes'"
  exit
fi
[[ $(uname -s) == Linux ]] || die "the cluster runs only on Linux: to use another cluster, set E2E_KUBECONFIG"
((EUID == 0)) || die "the cluster needs root for namespaces, mounts and control groups: run 'sudo -E make cluster-up'"
case $state/ in
  /run/* | /var/run/* | /var/lib/* | /var/log/*)
    die "KONGDAO_CLUSTER is '$state', but the cluster mounts its own /run, /var/lib and /var/log: set another folder"
    ;;
esac
"$here/../deb.sh" containerd runc containernetworking-plugins nftables iproute2 openssl busybox-static

programs=$("$here/../kubernetes/build.sh" \
  etcd kube-apiserver kube-controller-manager kubectl kube-scheduler kube-proxy kubelet)

SECONDS=0
stop_cluster # a start that failed or was killed can leave processes and files
delete_state
mkdir -p "$state/log" "$state/images"
touch "$state/.kongdao-cluster"
ln -s "$programs" "$state/programs"
"$here/pki.sh" "$state/pki" 10.200.0.1 node1
"$here/busybox.sh" registry.k8s.io/pause:3.10 '"Entrypoint":["/bin/sleep","infinity"]' >"$state/images/pause.tar"

setsid unshare --mount --propagation private --net --pid --fork --kill-child \
  "$here/node.sh" "$state" >"$state/log/node.log" 2>&1 </dev/null 9>&- &
unshare_pid=$!

# If this script ends before the cluster is up, the cluster ends too. Its logs stay.
trap 'stop_cluster; clean_up' EXIT
deadline=$((SECONDS + 180)) shown=0
show_progress() {
  local stage
  [[ -f $state/reached ]] || return 0
  while read -r stage; do
    log "cluster: $stage after ${SECONDS}s"
    shown=$((shown + 1))
  done < <(tail -n "+$((shown + 1))" "$state/reached")
}
until [[ -f $state/up ]]; do
  if [[ -f $state/failed ]]; then
    die "$(cat "$state/failed")
the logs stay in $state/log until the next start"
  fi
  if ! kill -0 "$unshare_pid" 2>/dev/null || ((SECONDS >= deadline)); then
    [[ ! -f $state/failed ]] || continue # node.sh wrote the reason just now
    tail -n 15 "$state/log/node.log" >&2
    die "the cluster is not up after ${SECONDS}s: see the last output of hack/cluster/node.sh above"
  fi
  show_progress
  sleep 0.1
done
show_progress
trap clean_up EXIT
log "cluster: up after ${SECONDS}s"
log "use it with 'hack/cluster/in.sh kubectl get nodes', stop it with 'make cluster-down'"
