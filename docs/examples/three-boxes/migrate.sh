#!/bin/sh
# Applies each file of migrations/ once, in the order of their names. A file and its record are one transaction.
set -eu
psql -q -c 'CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())'
for file in migrations/*.sql; do
    name=$(basename "$file")
    if [ "$(psql -tAc "SELECT 1 FROM migrations WHERE name = '$name'")" = 1 ]; then
        echo "$name: already applied"
        continue
    fi
    psql -q -v ON_ERROR_STOP=1 --single-transaction -f "$file" -c "INSERT INTO migrations (name) VALUES ('$name')"
    echo "$name: applied"
done
