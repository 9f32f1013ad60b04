#!/usr/bin/env bash
# build.sh builds the program cert-manager in this folder, with the cert-manager release that go.mod names. It prints
# the folder that holds the program and, in the subfolder crds, the CRDs. Progress goes to stderr. The folder's name
# contains a checksum of the sources.
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
lock_folder "$folder" cert-manager crds
if [[ ! -x $folder/cert-manager ]]; then
  build_program "cert-manager" "4 minutes on two cores" "$folder/cert-manager" . \
    -ldflags "-s -w -X $module/pkg/util.AppVersion=v$version"
fi

# The module contains the CRDs. They are copied because `go clean -modcache` can delete the originals.
if [[ ! -d $folder/crds ]]; then
  go mod download "$module" || die "cannot get the CRDs: see the output of go mod download above"
  upstream=$(GOWORK=off go list -m -f '{{.Dir}}' "$module")/deploy/crds
  ls "$upstream"/*.yaml >/dev/null 2>&1 || die "$upstream has no CRDs: look where $module $version keeps them"
  # The test cluster runs no conversion webhook.
  if grep -l '^  conversion:' "$upstream"/*.yaml >&2; then
    die "these CRDs need a conversion webhook, but the test cluster runs none: remove the conversion in build.sh"
  fi
  rm -rf "$folder/crds.part"
  mkdir "$folder/crds.part"
  for file in "$upstream"/*.yaml; do
    cat "$file" >"$folder/crds.part/${file##*/}" # cp would copy the read-only mode of the module cache
  done
  mv "$folder/crds.part" "$folder/crds"
fi
echo "$folder"
