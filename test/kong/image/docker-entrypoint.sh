#!/bin/bash
# docker-entrypoint.sh does the same as the entrypoint of Kong's image. For `kong docker-start` it prepares the prefix
# and runs the server. Otherwise it runs the command in its arguments.
set -euo pipefail

export KONG_NGINX_DAEMON="${KONG_NGINX_DAEMON:-off}"

# from_files sets the variable KONG_NAME from the file that KONG_NAME_FILE names. The file may be a mounted Secret.
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
