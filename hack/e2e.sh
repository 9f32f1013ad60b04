#!/usr/bin/env bash
# e2e.sh [FLAG...] runs the tests of test/e2e, with further flags of the test program (-test.run=...), against a real
# Kubernetes: against that of hack/cluster, which it brings up before and takes down after, unless one is named.
#
#   E2E_KUBECONFIG  the kubeconfig of a cluster of your own, in which the image E2E_IMAGE is to be had
#   E2E_IMAGE       the webhook's image (default: kongdao.io/kongdao:e2e, which is made and loaded into hack/cluster)
#   KONG_IMAGE      a real Kong's image, for a cluster that can have it (default: test/kong, which stands in for it, loaded
#                   into hack/cluster), and E2E_POSTGRES_IMAGE, PostgreSQL's (default: test/kong's)
#   E2E_RESTART_API_SERVER, E2E_AUDIT_LOG
#                   with a cluster of your own: a command that restarts its API server, and the file of its audit log, if
#                   you have them; hack/cluster has both
#   KEEP            not empty: the cluster stays up, and the next run uses it, as it does one that was up before
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  [[ -r $E2E_KUBECONFIG ]] || die "E2E_KUBECONFIG is $E2E_KUBECONFIG, which cannot be read"
  E2E_KUBECONFIG=$(cd "$(dirname "$E2E_KUBECONFIG")" && pwd)/${E2E_KUBECONFIG##*/}
  [[ -n ${E2E_IMAGE:-} ]] || die "E2E_KUBECONFIG names a cluster of yours: set E2E_IMAGE to the webhook's image there (make image, then load it)"
  [[ -n ${KONG_IMAGE:-} && -n ${E2E_POSTGRES_IMAGE:-} ]] ||
    die "E2E_KUBECONFIG names a cluster of yours: set KONG_IMAGE and E2E_POSTGRES_IMAGE to images that it can have (kong:3.9, or load those that test/kong/build.sh names)"
fi

# The cluster has no way to the module proxy: all is built before.
folder=$PWD/out/e2e
mkdir -p "$folder"
say "e2e: compiling the tests and what they run"
export CGO_ENABLED=0
# go test would not say how far it is.
compiling "compiling the tests" go list -tags e2e -test -deps -export -v ./test/e2e || say "not everything compiles"
go test -c -tags e2e -o "$folder/e2e.test" ./test/e2e
compiling "compiling kubectl-kongdao" go build -trimpath -v -ldflags "-s -w" -o "$folder/kubectl-kongdao" ./cmd/kubectl-kongdao
tools=$(hack/tools/build.sh helm)
export PATH=$folder:$tools:$PATH # the first is where kubectl finds its plugin
KONGDAO_CERT_MANAGER=$(hack/certmanager/build.sh)
export KONGDAO_CERT_MANAGER

run=()
if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  PATH=$(hack/kubernetes/build.sh kubectl):$PATH
  export E2E_KUBECONFIG E2E_IMAGE KONG_IMAGE E2E_POSTGRES_IMAGE
else
  finish() {
    if [[ -n ${KEEP:-} ]]; then say "e2e: the cluster stays up: end it with 'make cluster-down'"; else hack/cluster/down.sh; fi
    clean_up
  }
  export E2E_IMAGE=kongdao.io/kongdao:e2e
  export KONG_IMAGE=kongdao.io/test/kong:3.9 E2E_POSTGRES_IMAGE=kongdao.io/test/postgres:15
  stand_ins=$(test/kong/build.sh)
  image=$(GOARCH=$(go env GOHOSTARCH) hack/image/build.sh "$E2E_IMAGE")
  hack/cluster/in.sh true 2>/dev/null && KEEP=1 # whoever brought it up takes it down
  hack/cluster/up.sh
  trap finish EXIT
  hack/cluster/busybox.sh kong:3.9 '"User":"1000"' >"$folder/kong.tar"
  for tar in "$image" "$folder/kong.tar" $stand_ins; do hack/cluster/in.sh ctr images import "$tar" >&2; done
  state=$(hack/cluster/in.sh printenv KONGDAO_CLUSTER)
  export E2E_KUBECONFIG=$state/pki/admin.kubeconfig E2E_AUDIT_LOG=$state/log/audit.log
  export E2E_RESTART_API_SERVER="'$PWD/hack/cluster/restart.sh' kube-apiserver"
  run=(hack/cluster/in.sh)
fi
# Most of what these tests do is waiting: more of them at once than there are processors.
"${run[@]}" "$folder/e2e.test" -test.v -test.timeout=30m -test.parallel=4 "$@"
