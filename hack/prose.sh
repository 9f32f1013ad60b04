#!/usr/bin/env bash
# prose.sh [PATH...] checks the language of the files and folders that you name, or of the whole tree. It finds old
# words, long or inverted sentences, facts without an explanation, and lines of more than 120 columns. It reads
# Markdown, comments, and the messages of programs. Each finding names the file, the line and the better word.
#
#   hack/prose.sh                       checks the whole tree
#   hack/prose.sh pkg/mutate docs       checks two folders
#   hack/prose.sh deploy/helm/kongdao   checks the chart: values, templates, alerts
#
# The rules are in hack/prose/styles. Text in `backticks` is code: no rule of language applies to it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
paths=()
for path in "$@"; do
  path=$(realpath -- "$path") || exit
  case $path/ in
    "$root"/*) paths+=("$(realpath --relative-to="$root" -- "$path")") ;;
    *) echo "prose.sh: $path is not in $root" >&2; exit 2 ;;
  esac
done
vale=$("$root/hack/vale/build.sh")
cd "$root"
mkdir -p out
go build -o out/prose ./hack/prose
exec out/prose -vale "$vale/vale" ${paths[@]+"${paths[@]}"}
