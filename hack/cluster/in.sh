#!/usr/bin/env bash
# in.sh COMMAND... runs a command inside the cluster's namespaces, in the current folder, as the cluster's
# administrator. The command can reach the API server, Services and pods. It cannot reach other networks, so build and
# download first.
#
#   hack/cluster/in.sh kubectl get pods -A
#   hack/cluster/in.sh ctr images import image.tar
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pid=$(cluster_pid)
[[ -n $pid ]] || die "the cluster is not running: start it with 'make cluster-up'"
[[ ! -s $state/ended ]] || die "$(cat "$state/ended")
restart the cluster with 'make cluster-down' and 'make cluster-up'"

export PATH=$state/programs:$PATH KONGDAO_CLUSTER=$state
export KUBECONFIG=$state/pki/admin.kubeconfig KUBECACHEDIR=$state/kubecache
export CONTAINERD_NAMESPACE=k8s.io # the namespace of kubelet's images
# nsenter starts in the root folder of the mount namespace, so bash changes back to the current folder.
# shellcheck disable=SC2016 # the inner bash expands these
exec nsenter --target "$pid" --mount --net --pid bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
