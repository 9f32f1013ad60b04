#!/usr/bin/env bash
# up.sh brings up a real Kubernetes of one node, with kubelet and containerd, inside mount, network and pid namespaces of
# its own: the machine's network, mounts and sysctls stay as they are, and ending the first process in there ends all.
# It needs root. What is up already stays.
#
#   KONGDAO_CLUSTER  the folder of its state (default: out/cluster in the tree)
#   KONGDAO_CACHE    where built programs are kept, see hack/kubernetes/build.sh
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ -n $(cluster_pid) ]]; then
  [[ -f $state/up ]] || die "a cluster is coming up, or its start was killed: wait a minute, or run 'make cluster-down'"
  [[ ! -s $state/ended ]] || die "a cluster is up but not whole: $(cat "$state/ended")
run 'make cluster-down', then this again"
  say "cluster: up already (hack/cluster/in.sh kubectl get nodes)"
  exit
fi
[[ $(uname -s) == Linux ]] || die "the cluster runs on Linux alone: for another, set E2E_KUBECONFIG"
((EUID == 0)) || die "the cluster needs root, for namespaces, mounts and control groups: run 'sudo -E make cluster-up'"
case $state/ in /run/* | /var/run/* | /var/lib/* | /var/log/*)
  die "the state would lie in $state, and in there the cluster has a /run, /var/lib and /var/log of its own: set KONGDAO_CLUSTER to another folder" ;;
esac
"$here/../deb.sh" containerd runc containernetworking-plugins nftables iproute2 openssl busybox-static

programs=$("$here/../kubernetes/build.sh" etcd kube-apiserver kube-controller-manager kubectl kube-scheduler kube-proxy kubelet)

SECONDS=0
end_cluster # of a start that failed, or that was killed
remove_state
mkdir -p "$state/log" "$state/images"
touch "$state/.kongdao-cluster"
ln -s "$programs" "$state/programs"
"$here/pki.sh" "$state/pki" 10.200.0.1 node1
"$here/busybox.sh" registry.k8s.io/pause:3.10 '"Entrypoint":["/bin/sleep","infinity"]' >"$state/images/pause.tar"

setsid unshare --mount --propagation private --net --pid --fork --kill-child \
  "$here/node.sh" "$state" >"$state/log/node.log" 2>&1 </dev/null 9>&- &
outer=$!

# Whatever ends this script before the cluster is up ends the cluster, but leaves the logs.
trap 'end_cluster; clean_up' EXIT
deadline=$((SECONDS + 180)) shown=0
show_progress() {
  local stage
  [[ -f $state/reached ]] || return 0
  while read -r stage; do
    say "cluster: $stage after ${SECONDS}s"
    shown=$((shown + 1))
  done < <(tail -n "+$((shown + 1))" "$state/reached")
}
until [[ -f $state/up ]]; do
  if [[ -f $state/failed ]]; then
    die "$(cat "$state/failed")
all logs are in $state/log until the next start"
  fi
  if ! kill -0 "$outer" 2>/dev/null || ((SECONDS >= deadline)); then
    [[ ! -f $state/failed ]] || continue # it said why just now
    tail -n 15 "$state/log/node.log" >&2
    die "the cluster is not up after ${SECONDS}s: see above what its first process, hack/cluster/node.sh, said last"
  fi
  show_progress
  sleep 0.1
done
show_progress
trap clean_up EXIT
say "cluster: up after ${SECONDS}s; use it with 'hack/cluster/in.sh kubectl get nodes', end it with 'make cluster-down'"
