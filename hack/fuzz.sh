#!/usr/bin/env bash
# fuzz.sh TIME runs each fuzz target of the module for TIME (such as 30s), one after the other. Go writes an input that
# fails to testdata/fuzz of its package, and `go test` fails on it from then on. Commit that file with the fix.
set -euo pipefail

time=${1:-30s}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' ./pkg ./cmd ./test 2>/dev/null || true)
if [[ -z $targets ]]; then
  echo "no fuzz target found: no test in pkg, cmd or test has a function Fuzz..." >&2
  exit 1
fi
while IFS=: read -r file function; do
  name=${function#func }
  echo "== $name in $(dirname "$file"), $time"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1s "$(dirname "$file")" </dev/null
done <<<"$targets"
