#!/usr/bin/env bash
# compile.sh FOLDER compiles the programs of the image: webhook and controller. GOOS, GOARCH and VERSION select the
# target and the version. The Dockerfile also runs this script.
set -euo pipefail

folder=$1
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CGO_ENABLED=0 go build -buildvcs=false -trimpath \
  -ldflags "-s -w -X main.version=${VERSION:?set it to the version that the programs report}" -o "$folder/" \
  ./cmd/webhook ./cmd/controller
