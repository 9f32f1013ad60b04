#!/usr/bin/env bash
# fuzz.sh TIME runs each fuzz target of the module for TIME (such as 30s), one after the other. An input that fails is
# written to the package's testdata/fuzz, and fails `go test` from then on: commit it with the fix.
set -euo pipefail

time=${1:-30s}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' ./pkg ./cmd ./test 2>/dev/null || true)
if [[ -z $targets ]]; then
  echo "no function Fuzz... in any test under pkg, cmd and test" >&2
  exit 1
fi
while IFS=: read -r file function; do
  echo "== ${function#func } in $(dirname "$file"), $time"
  go test -run '^$' -fuzz "^${function#func }\$" -fuzztime "$time" -fuzzminimizetime 1s "$(dirname "$file")" </dev/null
done <<<"$targets"
