#!/usr/bin/env bash
# build.sh REFERENCE builds the image of the previous release, and prints two lines: the image's file, and the folder
# with the chart. It builds only what is not in the cache.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../../../hack/build-lib.sh

reference=$1
sum=$({ go env GOVERSION; cat release.tar.gz; } | cksum | cut -d' ' -f1)
folder=$(cache_folder "previous-$sum-$(host_platform)")
lock_folder "$folder" image.tar
if [[ ! -e $folder/image.tar ]]; then
  rm -rf "$folder/source"
  mkdir "$folder/source"
  tar -xzf release.tar.gz -C "$folder/source"
  log "e2e: building the previous release"
  image=$(cd "$folder/source" && GOARCH=$(go env GOHOSTARCH) hack/image/build.sh "$reference")
  mv "$folder/source/$image" "$folder/image.tar"
fi
printf '%s\n' "$folder/image.tar" "$folder/source/deploy/helm/kongdao"
