#!/usr/bin/env bash
# busybox.sh REFERENCE CONFIG writes an image to stdout that contains only Debian's static busybox. The arguments are
# those of hack/image/archive.sh. Use it as a replacement for images whose content does not matter.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
busybox=$(command -v busybox) || { echo "busybox is missing: install the Debian package busybox-static" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir "$root/bin" "$root/etc"
mkdir -m 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r applet; do
  [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
done
../image/archive.sh "$1" "$(go env GOHOSTARCH)" "$2" "$root"
