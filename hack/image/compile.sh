#!/usr/bin/env bash
# compile.sh FILE compiles the webhook for its image. GOOS, GOARCH and VERSION select the target and the version. The
# Dockerfile also runs this script.
set -euo pipefail

file=$1
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CGO_ENABLED=0 go build -buildvcs=false -trimpath \
  -ldflags "-s -w -X main.version=${VERSION:?set it to the version that the program reports}" -o "$file" ./cmd/webhook
