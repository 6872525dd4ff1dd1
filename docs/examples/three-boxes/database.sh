#!/bin/sh
# Runs PostgreSQL as the box user, with its data in the home directory; makes the data directory when there is none.
set -eu
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | tail -n 1)")
data=$HOME/postgresql
if [ ! -e "$data/ready" ]; then
    rm -rf "$data"
    "$bin/initdb" --pgdata="$data" --username="$PGUSER" --auth=trust --encoding=UTF8 --locale=C.UTF-8
    # `postgres --single` needs no running server to make the database in.
    echo "CREATE DATABASE $PGDATABASE" | "$bin/postgres" --single -D "$data" postgres
    touch "$data/ready"
fi
exec "$bin/postgres" -D "$data" -h "$PGHOST" -p "$PGPORT" -k /tmp
