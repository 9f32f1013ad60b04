#!/usr/bin/env bash
# e2e.sh [FLAG...] runs the tests in test/e2e on a real Kubernetes cluster. FLAG is a flag of the test program, such as
# -test.run=NAME. By default it starts the cluster of hack/cluster and stops it after the tests.
#
#   E2E_KUBECONFIG  a kubeconfig, to use your own cluster. It needs all four images below, as names that the cluster
#                   can pull or already has
#   E2E_IMAGE       kongdao's image (default: kongdao.io/kongdao:e2e, built and imported)
#   E2E_PREVIOUS_IMAGE
#                   the image of the previous release (default: kongdao.io/kongdao:previous, built and imported)
#   KONG_IMAGE      Kong's image (default: the test double in test/kong, built and imported)
#   KONG_ARCHIVE    an archive with KONG_IMAGE, to import into the project's cluster, which has no registry (optional)
#   E2E_POSTGRES_IMAGE
#                   PostgreSQL's image (default: the one in test/kong, built and imported)
#   E2E_RESTART_API_SERVER
#                   a command that restarts the API server of your own cluster (optional)
#   E2E_AUDIT_LOG   the file of your API server's audit log (optional)
#   KEEP            if not empty, the cluster keeps running and the next run uses it
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  [[ -r $E2E_KUBECONFIG ]] || die "E2E_KUBECONFIG is '$E2E_KUBECONFIG', but this file cannot be read"
  E2E_KUBECONFIG=$(cd "$(dirname "$E2E_KUBECONFIG")" && pwd)/${E2E_KUBECONFIG##*/}
  [[ -n ${E2E_IMAGE:-} ]] ||
    die "E2E_IMAGE is not set: build kongdao's image with 'make image', load it into your cluster, and set its name"
  [[ -n ${E2E_PREVIOUS_IMAGE:-} ]] ||
    die "E2E_PREVIOUS_IMAGE is not set: build the image of the previous release with test/e2e/previous/build.sh," \
      "load it into your cluster, and set its name"
  [[ -n ${KONG_IMAGE:-} && -n ${E2E_POSTGRES_IMAGE:-} ]] ||
    die "KONG_IMAGE or E2E_POSTGRES_IMAGE is not set: set images that your cluster can pull (for example kong:3.9)," \
      "or load the images that test/kong/build.sh builds"
fi

# The cluster has no network access to the module proxy, so everything is built first.
folder=$PWD/out/e2e
mkdir -p "$folder"
log "e2e: compiling the tests and their programs"
export CGO_ENABLED=0
# go test -c prints no progress, so go list compiles the packages first.
with_progress "compiling the tests" go list -tags e2e -test -deps -export -v ./test/e2e ||
  log "some packages do not compile: go test reports them below"
go test -c -tags e2e -o "$folder/e2e.test" ./test/e2e
with_progress "compiling kubectl-kongdao" \
  go build -trimpath -v -ldflags "-s -w" -o "$folder/kubectl-kongdao" ./cmd/kubectl-kongdao
tools=$(hack/tools/build.sh helm)
export PATH=$folder:$tools:$PATH # kubectl finds its plugin in the first folder
KONGDAO_CERT_MANAGER=$(hack/certmanager/build.sh)
export KONGDAO_CERT_MANAGER

export E2E_PREVIOUS_IMAGE=${E2E_PREVIOUS_IMAGE:-kongdao.io/kongdao:previous}
previous=$(test/e2e/previous/build.sh "$E2E_PREVIOUS_IMAGE")
previous_image=${previous%%$'\n'*}
export E2E_PREVIOUS_CHART=${previous#*$'\n'}

run=()
if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  PATH=$(hack/kubernetes/build.sh kubectl):$PATH
  export E2E_KUBECONFIG E2E_IMAGE KONG_IMAGE E2E_POSTGRES_IMAGE
else
  finish() {
    if [[ -n ${KEEP:-} ]]; then
      log "e2e: the cluster is still running: stop it with 'make cluster-down'"
    else
      hack/cluster/down.sh
    fi
    clean_up
  }
  export E2E_IMAGE=kongdao.io/kongdao:e2e
  export KONG_IMAGE=${KONG_IMAGE:-kongdao.io/test/kong:3.9} E2E_POSTGRES_IMAGE=kongdao.io/test/postgres:15
  test_images=$(test/kong/build.sh)
  image=$(GOARCH=$(go env GOHOSTARCH) hack/image/build.sh "$E2E_IMAGE")
  hack/cluster/in.sh true 2>/dev/null && KEEP=1 # keep a cluster that was already running
  hack/cluster/up.sh
  trap finish EXIT
  hack/cluster/busybox.sh kong:3.9 '"User":"1000"' >"$folder/kong.tar"
  for tar in "$image" "$previous_image" "$folder/kong.tar" $test_images ${KONG_ARCHIVE:+"$KONG_ARCHIVE"}; do
    hack/cluster/in.sh ctr images import "$tar" >&2
  done
  state=$(hack/cluster/in.sh printenv KONGDAO_CLUSTER)
  export E2E_KUBECONFIG=$state/pki/admin.kubeconfig E2E_AUDIT_LOG=$state/log/audit.log
  export E2E_RESTART_API_SERVER="'$PWD/hack/cluster/restart.sh' kube-apiserver"
  run=(hack/cluster/in.sh)
fi
# These tests mostly wait, so more of them run at a time than there are processors. With KONG_DELAY they take up to an
# hour.
"${run[@]}" "$folder/e2e.test" -test.v -test.timeout=75m -test.parallel=4 "$@"
