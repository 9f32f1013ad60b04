#!/usr/bin/env bash
# restart.sh PROGRAM ends one of the cluster's programs, as the upgrade of a control plane does, and returns when it is
# back and the API server answers. It is run inside the cluster:
#
#   hack/cluster/in.sh hack/cluster/restart.sh kube-apiserver
set -euo pipefail

# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=${1:-}
[[ -n $program && -f $state/running/$program ]] ||
  die "no program '$program' runs in a cluster of $state: there are $(cd "$state/running" 2>/dev/null && echo *)"
read -r pid started <"$state/running/$program"
[[ $(started_at "$pid") == "$started" ]] ||
  die "process $pid is not $program: run this as 'hack/cluster/in.sh hack/cluster/restart.sh $program'"

touch "$state/restart/$program" # without it, its end is a failure
kill -TERM "$pid"
deadline=$((SECONDS + 90))
until [[ $(cat "$state/running/$program") != "$pid $started" ]] && kubectl get --raw /readyz >/dev/null 2>&1; do
  ((SECONDS < deadline)) || die "$program is not back after 90s: see $state/log/$program.log"
  sleep 0.1
done
say "cluster: $program restarted in ${SECONDS}s"
