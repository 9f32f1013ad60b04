#!/usr/bin/env bash
# down.sh ends the cluster and removes all that it wrote, its logs too.
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ ! -d $state ]]; then
  say "no cluster is up"
  exit
fi
end_cluster
remove_state
say "cluster: down after ${SECONDS}s"
