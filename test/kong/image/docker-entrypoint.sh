#!/bin/bash
# docker-entrypoint.sh does what that of Kong's image does: it prepares the prefix and becomes the server for `kong
# docker-start`, and else becomes whatever it is told to run.
set -euo pipefail

export KONG_NGINX_DAEMON="${KONG_NGINX_DAEMON:-off}"

# What a variable lacks may be in the file that NAME_FILE names, as with a mounted Secret.
from_files() {
  local variable name
  for variable in $(compgen -v | grep -E '^KONG_[A-Z0-9_]+_FILE$' || true); do
    name=${variable%_FILE}
    if [[ -n ${!name:-} ]]; then
      echo "error: both $name and $variable are set (but are exclusive)" >&2
      exit 1
    fi
    export "$name=$(<"${!variable}")"
    unset "$variable"
  done
}

if [[ ${1:-} == kong ]]; then
  from_files
  if [[ ${2:-} == docker-start ]]; then
    kong prepare -p "${KONG_PREFIX:-/usr/local/kong}"
    exec kong serve -p "${KONG_PREFIX:-/usr/local/kong}"
  fi
fi

exec "$@"
