#!/usr/bin/env bash
# deb.sh PACKAGE... installs those of the Debian packages that are missing. Without root or apt-get it says in one line
# what to install, and fails.
set -euo pipefail

missing=()
for package in "$@"; do
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]} (Debian's names, and there is no apt-get here): install them with your package manager" >&2
  exit 1
fi
if ((EUID != 0)); then
  echo "missing: ${missing[*]}: run 'sudo apt-get install ${missing[*]}', then this again" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1; }

echo "installing ${missing[*]}" >&2
# The lists are fetched only when the first try fails: on most machines they are there.
if ! install && ! { apt-get update -qq </dev/null >>"$log" 2>&1 && install; }; then
  tail -n 20 "$log" >&2
  echo "cannot install ${missing[*]}: see apt-get's output above" >&2
  exit 1
fi
