#!/usr/bin/env bash
# deb.sh PACKAGE... installs the Debian packages that are missing. If it cannot install them, it prints what to install
# and fails.
set -euo pipefail

missing=()
for package in "$@"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "missing Debian packages: ${missing[*]}; there is no apt-get here: install them with your package manager" >&2
  exit 1
fi
if ((EUID != 0)); then
  echo "missing Debian packages: run 'sudo apt-get install ${missing[*]}', then run this command again" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1; }

echo "installing ${missing[*]}" >&2
# Most machines have the package lists already, so they are fetched only if the first attempt fails.
if ! install && ! { apt-get update -qq </dev/null >>"$log" 2>&1 && install; }; then
  tail -n 20 "$log" >&2
  echo "cannot install ${missing[*]}: see the output of apt-get above" >&2
  exit 1
fi
