#!/usr/bin/env bash
# archive.sh REFERENCE GOARCH CONFIG ROOT writes to stdout an image of one layer, the folder ROOT, in the form that
# `docker load` and `ctr images import` take. It needs no daemon, and the same input gives the same bytes. CONFIG is the
# inside of the image's config object, such as '"User":"65532","Entrypoint":["/webhook"]'.
set -euo pipefail

reference=$1 architecture=$2 config=$3 root=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pack() { tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -c "$@"; }

pack -C "$root" . >"$work/layer.tar"
layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
cat >"$work/config.json" <<JSON
{"architecture":"$architecture","os":"linux","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],$config},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
JSON
cat >"$work/manifest.json" <<JSON
[{"Config":"config.json","RepoTags":["$reference"],"Layers":["layer.tar"]}]
JSON
pack -C "$work" manifest.json config.json layer.tar
