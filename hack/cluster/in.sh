#!/usr/bin/env bash
# in.sh COMMAND... runs a command inside the cluster's namespaces, in the folder where it is called, as the cluster's
# administrator. From there it reaches the API server, services and pods, but nothing outside: build before.
#
#   hack/cluster/in.sh kubectl get pods -A
#   hack/cluster/in.sh ctr images import image.tar
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pid=$(cluster_pid)
[[ -n $pid ]] || die "no cluster is up: run 'make cluster-up'"
[[ ! -s $state/ended ]] || die "$(cat "$state/ended")
run 'make cluster-down' and 'make cluster-up'"

export PATH=$state/programs:$PATH KONGDAO_CLUSTER=$state
export KUBECONFIG=$state/pki/admin.kubeconfig KUBECACHEDIR=$state/kubecache
export CONTAINERD_NAMESPACE=k8s.io # where kubelet's images are
# Entering a mount namespace leads to its root folder.
# shellcheck disable=SC2016 # for the bash inside
exec nsenter --target "$pid" --mount --net --pid bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
