#!/usr/bin/env bash
# down.sh stops the cluster and deletes all its files, including the logs.
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ ! -d $state ]]; then
  log "cluster: not running"
  exit
fi
stop_cluster
delete_state
log "cluster: stopped after ${SECONDS}s"
