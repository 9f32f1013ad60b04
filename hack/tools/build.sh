#!/usr/bin/env bash
# build.sh [TOOL...] builds all tools that go.mod names, or only the ones that you name: benchstat, controller-gen,
# golangci-lint, helm, helm-docs. It prints the folder that holds them; progress goes to stderr. The folder's name
# contains a checksum of go.mod and go.sum, so each version of a tool or its dependencies has its own folder.
#
#   KONGDAO_CACHE  where built programs are kept (default: ${XDG_CACHE_HOME:-$HOME/.cache}/kongdao)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../build-lib.sh

packages=$(sed -n -E '/^tool \(/,/^\)/s#^[[:space:]]+([^[:space:]]+)$#\1#p; s#^tool ([^(]+)$#\1#p' go.mod)
known=$(awk -F/ '{printf "%s ", $NF}' <<<"$packages")
tools=("$@")
if (($# == 0)); then read -r -a tools <<<"$known"; fi
for tool in "${tools[@]}"; do
  grep -q "/$tool\$" <<<"$packages" || die "unknown tool '$tool': hack/tools/go.mod names ${known% }"
done

# The checksum includes the Go release because golangci-lint rejects code for a newer Go than its own.
sum=$({ go env GOVERSION; cat go.mod go.sum; } | cksum | cut -d' ' -f1)
folder=$(cache_folder "tools-$sum-$(host_platform)")
lock_folder "$folder" "${tools[@]}"
step=0
for tool in "${tools[@]}"; do
  step=$((step + 1))
  [[ -x $folder/$tool ]] && continue
  case $tool in
    golangci-lint | helm) duration="2 to 4 minutes on two cores" ;;
    *) duration="a few seconds" ;;
  esac
  build_program "[$step/${#tools[@]}] $tool" "$duration" "$folder/$tool" "$(grep "/$tool\$" <<<"$packages")" \
    -ldflags "-s -w"
done
echo "$folder"
