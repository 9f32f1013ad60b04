#!/usr/bin/env bash
# test.sh [FLAG or PACKAGE...] runs `go test -race`, by default on ./... . It builds the programs that tests need first:
# Kubernetes, Helm, cert-manager and vale. It installs LuaJIT, with which a test compares the parser for Lua.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

compiler=$(go env CC)
command -v "${compiler%% *}" >/dev/null ||
  die "the race detector needs a C compiler, but $compiler is missing: install gcc, or run 'make test-unit'"
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
if ! KONGDAO_LUAJIT=$(command -v luajit); then
  hack/deb.sh luajit
  KONGDAO_LUAJIT=$(command -v luajit)
fi
export KONGDAO_LUAJIT

# The first compilation takes minutes, and go test prints no progress. This step compiles with progress messages. It
# ignores compilation errors because go test reports them.
log "compiling the tests (only the first time, 3 to 5 minutes on two cores)"
with_progress "compiling the tests" go list -race -test -deps -export -v "${packages[@]}" ||
  log "some packages do not compile: go test reports them below"
go test -race -timeout 20m "$@"
