#!/usr/bin/env bash
# module.sh VERSION rewrites the go.mod and go.sum beside it for the Kubernetes release VERSION (such as 1.36.3).
#
# Kubernetes' own go.mod replaces its staging modules by folders of its repository, which a module proxy does not serve;
# each of them is published with every release as v0.MINOR.PATCH, so here the published modules take their place.
# This module is apart from the project's because client-go and controller-runtime there follow another release.
set -euo pipefail

version=${1:-}
version=${version#v}
if [[ ! $version =~ ^1\.[0-9]+\.[0-9]+$ ]]; then
  echo "module.sh: no Kubernetes release named: run it as 'module.sh 1.36.3'" >&2
  exit 2
fi
staging=v0.${version#1.}

cd "$(dirname "${BASH_SOURCE[0]}")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Asked from an empty module, so that the go.mod to be rewritten has no say in which versions are taken.
(cd "$scratch" && go mod init scratch 2>/dev/null && go mod download "k8s.io/kubernetes@v$version")
upstream=$(go env GOMODCACHE)/cache/download/k8s.io/kubernetes/@v/v$version.mod

{
  echo "// Made by module.sh $version: run that instead of editing."
  echo "module kongdao.io/kongdao/hack/kubernetes"
  echo
  sed -n '/^go /p' "$upstream"
  # The release's own runtime defaults: without them its programs would run with those of a newer Go.
  sed -n '/^godebug /p; /^godebug (/,/^)/p' "$upstream" | uniq
  echo
  echo "tool ("
  echo "	go.etcd.io/etcd/server/v3"
  for program in kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet; do
    echo "	k8s.io/kubernetes/cmd/$program"
  done
  echo ")"
  echo
  echo "require k8s.io/kubernetes v$version"
  echo
  echo "replace ("
  sed -n -E "s#^[[:space:]]*(k8s\.io/[a-z0-9-]+) => \./staging/.*#	\1 => \1 $staging#p" "$upstream"
  echo ")"
} >"$scratch/go.mod"

mv "$scratch/go.mod" go.mod
rm -f go.sum
go mod tidy
