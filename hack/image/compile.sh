#!/usr/bin/env bash
# compile.sh FILE compiles the webhook for its image, for GOOS and GOARCH, as VERSION. The Dockerfile runs it too.
set -euo pipefail

file=$1
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=${VERSION:?what the program is to say of itself}" -o "$file" ./cmd/webhook
