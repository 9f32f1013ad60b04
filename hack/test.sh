#!/usr/bin/env bash
# test.sh [FLAG or PACKAGE...] runs `go test -race` (on ./... by default) with Kubernetes' programs, Helm and cert-manager at
# hand.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

compiler=$(go env CC)
command -v "${compiler%% *}" >/dev/null ||
  die "the race detector needs a C compiler, and there is no $compiler: install gcc and libc6-dev, or run 'make test-unit', which does without"
export CGO_ENABLED=1

KUBEBUILDER_ASSETS=$(hack/kubernetes/build.sh)
export KUBEBUILDER_ASSETS
KONGDAO_HELM=$(hack/tools/build.sh helm)/helm
export KONGDAO_HELM
KONGDAO_CERT_MANAGER=$(hack/certmanager/build.sh)
export KONGDAO_CERT_MANAGER
KONGDAO_VALE=$(hack/vale/build.sh)/vale
export KONGDAO_VALE

(($# > 0)) || set -- ./...
packages=()
for argument in "$@"; do [[ $argument == -* ]] || packages+=("$argument"); done
# go test says nothing while it compiles, which takes minutes the first time. So this compiles, and says how far it is;
# what does not compile is for go test to report.
say "compiling the tests (first time only: 3 to 5 minutes on two cores)"
compiling "compiling the tests" go list -race -test -deps -export -v "${packages[@]}" || say "not everything compiles"
go test -race -timeout 20m "$@"
