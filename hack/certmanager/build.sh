#!/usr/bin/env bash
# build.sh builds cert-manager's controllers, of the release that go.mod names, as the program cert-manager and prints
# the folder that holds it, with the CRDs in its folder crds (progress goes to stderr). The folder's name carries a sum
# over what it is made of.
#
#   KONGDAO_CACHE  where built programs are kept (default: ${XDG_CACHE_HOME:-$HOME/.cache}/kongdao)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../build-lib.sh

module=github.com/cert-manager/cert-manager
version=$(sed -n -E "s#^[[:space:]]*(require )?$module v([0-9.]+)\$#\2#p" go.mod)
[[ -n $version ]] || die "hack/certmanager/go.mod names no release of $module: run 'go get $module@latest' there"

sum=$(cat go.mod go.sum ./*.go build.sh | cksum | cut -d' ' -f1)
folder=$(cache_folder "certmanager-$version-$sum-$(host_platform)")
only_builder "$folder"
if [[ ! -x $folder/cert-manager ]]; then
  go_program "cert-manager" "4 minutes on two cores" "$folder/cert-manager" . \
    -ldflags "-s -w -X $module/pkg/util.AppVersion=v$version"
fi

# The module carries the CRDs. They are copied, for the module cache may be cleaned at any time, and put in place whole.
if [[ ! -d $folder/crds ]]; then
  go mod download "$module" || die "no CRDs: see what go mod download says above"
  upstream=$(GOWORK=off go list -m -f '{{.Dir}}' "$module")/deploy/crds
  ls "$upstream"/*.yaml >/dev/null 2>&1 || die "there are no CRDs in $upstream: see where $module $version keeps them"
  # No program here would answer the API server's calls.
  if grep -l '^  conversion:' "$upstream"/*.yaml >&2; then
    die "the CRDs named above ask for a conversion, by a webhook most likely: leave that out where build.sh copies them"
  fi
  rm -rf "$folder/crds.part"
  mkdir "$folder/crds.part"
  for file in "$upstream"/*.yaml; do
    cat "$file" >"$folder/crds.part/${file##*/}" # not cp, which would make them read-only as those in the module cache are
  done
  mv "$folder/crds.part" "$folder/crds"
fi
echo "$folder"
