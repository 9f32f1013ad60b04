#!/usr/bin/env bash
# e2e.sh [FLAG...] runs the tests of test/e2e, with further flags of the test program (-test.run=...), against a real
# Kubernetes: against that of hack/cluster, which it brings up before and takes down after, unless one is named.
#
#   E2E_KUBECONFIG  the kubeconfig of a cluster of your own, in which the image E2E_IMAGE is to be had
#   E2E_IMAGE       the webhook's image (default: kongdao.io/kongdao:e2e, which is made and loaded into hack/cluster)
#   KEEP            not empty: the cluster stays up, and the next run uses it
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

# The cluster has no way to the module proxy, and a cluster of one's own need not see this machine: all is built before.
folder=$PWD/out/e2e
mkdir -p "$folder"
say "e2e: compiling the tests and what they run"
compiling "compiling the tests" env CGO_ENABLED=0 go test -c -tags e2e -v -o "$folder/e2e.test" ./test/e2e
compiling "compiling kubectl-kongdao" env CGO_ENABLED=0 go build -trimpath -v -ldflags "-s -w" -o "$folder/kubectl-kongdao" ./cmd/kubectl-kongdao
# The programs are found in this order: ours, then the kubectl of hack/kubernetes.
export PATH=$folder:$PATH

run=()
if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  [[ -n ${E2E_IMAGE:-} ]] || die "E2E_KUBECONFIG names a cluster of yours: set E2E_IMAGE to the webhook's image there (make image, then load it)"
  [[ -r $E2E_KUBECONFIG ]] || die "E2E_KUBECONFIG is $E2E_KUBECONFIG, which cannot be read"
  E2E_KUBECONFIG=$(cd "$(dirname "$E2E_KUBECONFIG")" && pwd)/${E2E_KUBECONFIG##*/}
  PATH=$folder:$(hack/kubernetes/build.sh kubectl):$PATH
  export E2E_KUBECONFIG E2E_IMAGE
else
  finish() {
    if [[ -n ${KEEP:-} ]]; then say "e2e: the cluster stays up: end it with 'make cluster-down'"; else hack/cluster/down.sh; fi
    clean_up
  }
  export E2E_IMAGE=kongdao.io/kongdao:e2e
  image=$(GOARCH=$(go env GOHOSTARCH) hack/image/build.sh "$E2E_IMAGE")
  trap finish EXIT
  hack/cluster/up.sh
  hack/cluster/busybox.sh kong:3.9 '"User":"1000"' >"$folder/kong.tar"
  for tar in "$image" "$folder/kong.tar"; do hack/cluster/in.sh ctr images import "$tar" >&2; done
  run=(hack/cluster/in.sh env E2E_KUBECONFIG="$(hack/cluster/in.sh printenv KUBECONFIG)")
fi
"${run[@]}" "$folder/e2e.test" -test.v -test.timeout=20m "$@"
