#!/bin/sh
# postgres.sh runs PostgreSQL, and creates a database in PGDATA if there is none. It uses the variables POSTGRES_USER,
# POSTGRES_PASSWORD and POSTGRES_DB like Docker's official image. It does not flush data to disk, because it is for
# tests.
set -eu

: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${PGDATA:=/var/lib/postgresql/data/pgdata}"
: "${POSTGRES_PASSWORD:?is not set: set it to the password for clients}"
programs=/usr/lib/postgresql/15/bin
[ -w /tmp ] && sockets=/tmp || sockets=$PGDATA

running=
# On SIGTERM, PostgreSQL would wait until all clients have disconnected.
trap 'stopping=yes; [ -z "$running" ] || kill -INT "$running"' TERM INT QUIT
stopping=

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  # A here-document would need a folder for temporary files.
  printf '%s\n' "$POSTGRES_PASSWORD" >"$PGDATA.password"
  "$programs/initdb" --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$PGDATA.password" --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >/dev/null
  rm -f "$PGDATA.password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    printf 'create database "%s";\n' "$POSTGRES_DB" |
      "$programs/postgres" --single -D "$PGDATA" -c fsync=off postgres >/dev/null
  fi
fi
rm -f "$PGDATA/postmaster.pid"

[ -z "$stopping" ] || exit 0
"$programs/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$sockets" -c fsync=off \
  -c synchronous_commit=off -c full_page_writes=off -c jit=off -c shared_buffers=32MB -c max_wal_size=256MB "$@" &
running=$!
status=0
wait "$running" || status=$?
# A signal interrupts wait, but the server may still run.
while kill -0 "$running" 2>/dev/null; do
  status=0
  wait "$running" || status=$?
done
exit "$status"
