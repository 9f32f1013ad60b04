#!/bin/sh
# postgres.sh runs PostgreSQL, with a new database in PGDATA when there is none. It takes POSTGRES_USER, POSTGRES_PASSWORD
# and POSTGRES_DB as Docker's official image does. Nothing is flushed to disk: it is for tests.
set -eu

: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${PGDATA:=/var/lib/postgresql/data/pgdata}"
: "${POSTGRES_PASSWORD:?is not set: give the password that clients are to use}"
programs=/usr/lib/postgresql/15/bin
[ -w /tmp ] && sockets=/tmp || sockets=$PGDATA

running=
# PostgreSQL itself would wait on SIGTERM for its clients to leave.
trap 'stopping=yes; [ -z "$running" ] || kill -INT "$running"' TERM INT QUIT
stopping=

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  # No here-document: it would need a folder for temporary files.
  printf '%s\n' "$POSTGRES_PASSWORD" >"$PGDATA.password"
  "$programs/initdb" --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$PGDATA.password" --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >/dev/null
  rm -f "$PGDATA.password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    printf 'create database "%s";\n' "$POSTGRES_DB" | "$programs/postgres" --single -D "$PGDATA" -c fsync=off postgres >/dev/null
  fi
fi
rm -f "$PGDATA/postmaster.pid"

[ -z "$stopping" ] || exit 0
"$programs/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$sockets" -c fsync=off \
  -c synchronous_commit=off -c full_page_writes=off -c jit=off -c shared_buffers=32MB -c max_wal_size=256MB "$@" &
running=$!
status=0
wait "$running" || status=$?
# A signal ends the first wait; the server may take a moment longer.
while kill -0 "$running" 2>/dev/null; do
  status=0
  wait "$running" || status=$?
done
exit "$status"
