#!/usr/bin/env bash
# build.sh REFERENCE builds the image of the webhook and the controller without a daemon or a registry, and prints the
# file's name. Progress goes to stderr. It reads user, entry point and labels from the Dockerfile, so both ways build
# the same image. The base image is empty.
#
#   GOARCH   the processor architecture of the image (default: this machine's)
#   VERSION  the version of the programs and of the image's label (default: the tag of REFERENCE)
set -euo pipefail

die() {
  echo "image: $*" >&2
  exit "${status:-1}"
}

reference=${1:-}
# Only the part after the last slash has the tag, because a registry's port also follows a colon.
[[ ${reference##*/} == *:* ]] || status=2 die "'$reference' has no tag: use a name such as kongdao.io/kongdao:1.0.0"
VERSION=${VERSION:-${reference##*:}}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# instructions NAME prints the arguments of each instruction NAME in the last stage of the Dockerfile.
instructions() {
  awk -v name="$1" '
    $1 == "FROM" {n = 0}
    $1 == name {sub(name " +", ""); line[n++] = $0}
    END {for (i = 0; i < n; i++) print line[i]}' Dockerfile
}

# instruction NAME prints the arguments of the only instruction NAME.
instruction() {
  local found
  found=$(instructions "$1")
  [[ -n $found && $found != *$'\n'* ]] ||
    die "the last stage of the Dockerfile must have exactly one $1, but has: '$found'"
  echo "$found"
}

user=$(instruction USER)
entrypoint=$(instruction ENTRYPOINT)
copy=$(instruction COPY)
labels=
while read -r label; do
  [[ $label =~ ^([a-z.]+)=\"([^\"]*)\"$ ]] || die "a label in the Dockerfile is not of the form name=\"value\": $label"
  labels+="${labels:+,}\"${BASH_REMATCH[1]}\":\"${BASH_REMATCH[2]//\$VERSION/$VERSION}\""
done < <(instructions LABEL)

export VERSION GOOS=linux GOARCH
GOARCH=$(go env GOARCH)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root" # mktemp lets only its owner read it, but the image runs as another user
echo "image: compiling the webhook and the controller for $GOOS/$GOARCH" >&2
hack/image/compile.sh "$root${copy##* }"
mkdir -p out/image
file=out/image/kongdao-$GOARCH.tar
config="\"User\":\"$user\",\"Entrypoint\":$entrypoint,\"Labels\":{$labels}"
hack/image/archive.sh "$reference" "$GOARCH" "$config" "$root" >"$file"
echo "$file"
