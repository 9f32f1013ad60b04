#!/usr/bin/env bash
# build.sh REFERENCE makes the webhook's image without a daemon or a registry and prints the file's name (progress goes
# to stderr). User, entry point and labels are read from the Dockerfile, so that both ways make the same image. The base
# is an empty one.
#
#   GOARCH   the processor it is for (default: this machine's)
#   VERSION  the version of the program and in the labels (default: REFERENCE's tag)
set -euo pipefail

reference=${1:-}
# A port of a registry holds a colon too.
[[ ${reference##*/} == *:* ]] || { echo "build.sh: give the image's name with its tag, such as kongdao.io/kongdao:1.0.0" >&2; exit 2; }
VERSION=${VERSION:-${reference##*:}}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# instructions NAME prints what stands behind each instruction NAME of the Dockerfile's last stage.
instructions() { awk -v name="$1" '$1 == "FROM" {n = 0} $1 == name {sub(name " +", ""); line[n++] = $0} END {for (i = 0; i < n; i++) print line[i]}' Dockerfile; }

# only NAME is instructions that stands there exactly once.
only() {
  local found
  found=$(instructions "$1")
  [[ -n $found && $found != *$'\n'* ]] || { echo "build.sh: the Dockerfile's last stage is to have one $1: it says '$found'" >&2; exit 1; }
  echo "$found"
}

user=$(only USER)
entrypoint=$(only ENTRYPOINT)
copy=$(only COPY)
labels=
while read -r label; do
  [[ $label =~ ^([a-z.]+)=\"([^\"]*)\"$ ]] || { echo "build.sh: a label in the Dockerfile is not of the form name=\"value\": $label" >&2; exit 1; }
  labels+="${labels:+,}\"${BASH_REMATCH[1]}\":\"${BASH_REMATCH[2]//\$VERSION/$VERSION}\""
done < <(instructions LABEL)

export VERSION GOOS=linux GOARCH
GOARCH=$(go env GOARCH)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root" # mktemp keeps it to its owner, and the image's user is another
echo "compiling the webhook for $GOOS/$GOARCH" >&2
hack/image/compile.sh "$root${copy##* }"
mkdir -p out/image
file=out/image/kongdao-$GOARCH.tar
hack/image/archive.sh "$reference" "$GOARCH" "\"User\":\"$user\",\"Entrypoint\":$entrypoint,\"Labels\":{$labels}" "$root" >"$file"
echo "$file"
