#!/usr/bin/env bash
# build.sh builds vale, the release that go.mod names, and prints the folder that holds it. Progress goes to stderr.
# vale is the only tool that needs compilers for C and C++, so it is not in hack/tools.
#
#   KONGDAO_CACHE  where built programs are kept (default: ${XDG_CACHE_HOME:-$HOME/.cache}/kongdao)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../build-lib.sh

sum=$({ go env GOVERSION; cat go.mod go.sum; } | cksum | cut -d' ' -f1)
folder=$(cache_folder "vale-$sum-$(host_platform)")
lock_folder "$folder" vale
if [[ ! -x $folder/vale ]]; then
  c=$(go env CC) cxx=$(go env CXX)
  if ! command -v "${c%% *}" >/dev/null || ! command -v "${cxx%% *}" >/dev/null; then
    ../deb.sh gcc g++ libc6-dev
  fi
  build_cgo=1
  build_program vale "1 minute on two cores" "$folder/vale" github.com/vale-cli/vale/v3/cmd/vale -ldflags "-s -w"
fi
echo "$folder"
