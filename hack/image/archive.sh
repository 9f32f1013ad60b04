#!/usr/bin/env bash
# archive.sh REFERENCE GOARCH CONFIG ROOT writes an image to stdout, in the format of `docker load` and `ctr images
# import`. The image has one layer: the folder ROOT. No daemon is needed, and equal input gives equal bytes. CONFIG is
# the content of the image's config object, such as '"User":"65532","Entrypoint":["/webhook"]'. IMAGE_ENV is a further
# environment variable of the image, NAME=VALUE.
set -euo pipefail

reference=$1 architecture=$2 config=$3 root=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pack() { tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -c "$@"; }

pack -C "$root" . >"$work/layer.tar"
layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
{
  printf '{"architecture":"%s","os":"linux","config":{"Env":["%s"%s],%s},' \
    "$architecture" "$environment" "${IMAGE_ENV:+,\"$IMAGE_ENV\"}" "$config"
  printf '"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}\n' "$layer"
} >"$work/config.json"
cat >"$work/manifest.json" <<JSON
[{"Config":"config.json","RepoTags":["$reference"],"Layers":["layer.tar"]}]
JSON
pack -C "$work" manifest.json config.json layer.tar
