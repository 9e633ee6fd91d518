#!/bin/bash
# The parts of the official postgres entrypoint that the compose file relies on: started as root it
# gives the data folder to `postgres` and steps down; an empty folder is initialised with
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and POSTGRES_INITDB_ARGS, behind a socket-only
# server, so that nothing connects over TCP before the database is ready.
set -euo pipefail

if [ "${1:-}" != postgres ]; then
    exec "$@"
fi

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    chown postgres:postgres /var/run/postgresql
    chmod 3775 /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi

export PGHOST=/var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?a superuser password is required}"
    user=${POSTGRES_USER:-postgres}
    read -ra arguments <<< "${POSTGRES_INITDB_ARGS:-}"
    initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 "${arguments[@]}"
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait start --options="-c listen_addresses='' -c unix_socket_directories=$PGHOST"
    if [ "${POSTGRES_DB:-$user}" != postgres ]; then
        psql --username="$user" --dbname=postgres --no-psqlrc --set=ON_ERROR_STOP=1 \
            --set=name="${POSTGRES_DB:-$user}" <<< 'create database :"name";'
    fi
    pg_ctl --wait --mode=fast stop
fi
exec "$@" -c "listen_addresses=*" -c "unix_socket_directories=$PGHOST"
