#!/usr/bin/env bash
# build.sh [TOOL...] builds the tools that go.mod names (all of them, or those named: benchstat, golangci-lint, helm,
# helm-docs) and prints the folder that holds them (progress goes to stderr). The folder's name carries a sum over go.mod
# and go.sum, so that another version of a tool, or of anything in it, is another folder.
#
#   KONGDAO_CACHE  where built tools are kept (default: ${XDG_CACHE_HOME:-$HOME/.cache}/kongdao)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../build-lib.sh

packages=$(sed -n -E '/^tool \(/,/^\)/s#^[[:space:]]+([^[:space:]]+)$#\1#p; s#^tool ([^(]+)$#\1#p' go.mod)
known=$(awk -F/ '{printf "%s ", $NF}' <<<"$packages")
tools=("$@")
if (($# == 0)); then read -r -a tools <<<"$known"; fi
for tool in "${tools[@]}"; do
  grep -q "/$tool\$" <<<"$packages" || die "there is no tool $tool: hack/tools/go.mod names ${known% }"
done

# The Go release belongs to the sum: golangci-lint denies code of a newer Go than the one that it was built with.
sum=$({ go env GOVERSION; cat go.mod go.sum; } | cksum | cut -d' ' -f1)
folder=$(cache_folder "tools-$sum-$(host_platform)")
only_builder "$folder"
step=0
for tool in "${tools[@]}"; do
  step=$((step + 1))
  [[ -x $folder/$tool ]] && continue
  case $tool in
    golangci-lint | helm) hint="2 to 4 minutes on two cores" ;;
    *) hint="a few seconds" ;;
  esac
  go_program "[$step/${#tools[@]}] $tool" "$hint" "$folder/$tool" "$(grep "/$tool\$" <<<"$packages")" -ldflags "-s -w"
done
echo "$folder"
