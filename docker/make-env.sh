#!/bin/sh
# Write .env with a random value for every secret that docker-compose.yml asks for (mode 0600).
#
# usage: docker/make-env.sh [FILE]        default: .env in the project root
#
# Values already in the file stay; only missing ones are added, so it is safe to run again, for
# instance after an upgrade that brings a new secret. Keep a copy of the file: without PII_KEY
# hashed identities cannot be matched again, and without AIRFLOW_FERNET Airflow's connections
# cannot be read.
set -eu
umask 077
root=$(cd "$(dirname "$0")/.." && pwd)
file=${1:-$root/.env}

touch "$file"
chmod 600 "$file"
# A last line without its end would swallow the first name added.
[ -z "$(tail -c 1 "$file")" ] || echo >> "$file"
added=0
for name in $(grep -oE 'CREDITOPS_SECRET_[A-Z0-9_]+' "$root/docker-compose.yml" | sort -u); do
    if ! grep -qE "^$name=.+" "$file"; then
        # Hexadecimal needs no quoting in URLs, in shells or in .env files.
        printf '%s=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >> "$file"
        added=$((added + 1))
    fi
done
echo "$file: $added secrets added"
