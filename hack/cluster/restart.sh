#!/usr/bin/env bash
# restart.sh PROGRAM restarts one of the cluster's programs, as the upgrade of a control plane does. It returns when the
# program runs again and the API server answers. Run it inside the cluster:
#
#   hack/cluster/in.sh hack/cluster/restart.sh kube-apiserver
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=${1:-}
[[ -n $program && -f $state/running/$program ]] ||
  die "no program '$program' runs in the cluster of $state: choose one of: $(cd "$state/running" 2>/dev/null && echo *)"
read -r pid started <"$state/running/$program"
[[ $(start_time "$pid") == "$started" ]] ||
  die "process $pid is not $program: run 'hack/cluster/in.sh hack/cluster/restart.sh $program'"

touch "$state/restart/$program" # without this file, node.sh reports the end of the program as a failure
kill -TERM "$pid"
deadline=$((SECONDS + 90))
until [[ $(cat "$state/running/$program") != "$pid $started" ]] && kubectl get --raw /readyz >/dev/null 2>&1; do
  ((SECONDS < deadline)) || die "$program does not run 90s after its restart: see $state/log/$program.log"
  sleep 0.1
done
log "cluster: $program restarted in ${SECONDS}s"
