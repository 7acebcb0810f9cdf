#!/bin/sh
# Start PostgreSQL, first creating the database cluster where there is none. Understands the variables of
# the official image that our manifests use: POSTGRES_{USER,PASSWORD,DB,INITDB_ARGS}, each also as *_FILE,
# POSTGRES_HOST_AUTH_METHOD, PGDATA, and the scripts in /docker-entrypoint-initdb.d.
set -eu
umask 077

case "${1:-}" in
"" | -*) set -- postgres "$@" ;;
esac
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

# setting NAME DEFAULT: the value of $NAME, or of the file that $NAME_FILE names.
setting() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$file" ]; then cat "$file"; else printf %s "${value:-$2}"; fi
}

initialise() {
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD "")
    database=$(setting POSTGRES_DB "$user")
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set to create the database" >&2
        exit 1
    fi
    secret=$(mktemp)
    printf '%s\n' "$password" >"$secret"
    eval "set -- $(setting POSTGRES_INITDB_ARGS "")"
    initdb --username="$user" --pwfile="$secret" --auth-local=trust --auth-host=scram-sha-256 "$@"
    rm "$secret"
    echo "host all all all $method" >>"$PGDATA/pg_hba.conf"

    # Nobody can connect from outside before the scripts are through.
    pg_ctl --wait --silent -o "-c listen_addresses=''" start
    export PGUSER="$user" PGDATABASE="$database"
    if [ "$database" != postgres ]; then
        psql --no-psqlrc --quiet --dbname=postgres --set=ON_ERROR_STOP=1 --set=name="$database" <<'SQL'
CREATE DATABASE :"name";
SQL
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
        *.sh) sh "$script" ;;
        *.sql) psql --no-psqlrc --set=ON_ERROR_STOP=1 --file="$script" ;;
        *.sql.gz) gunzip -c "$script" | psql --no-psqlrc --set=ON_ERROR_STOP=1 ;;
        esac
    done
    unset PGUSER PGDATABASE
    pg_ctl --wait --silent --mode=fast stop
}

mkdir -p "$PGDATA"
chmod 00700 "$PGDATA" 2>/dev/null || true
[ -s "$PGDATA/PG_VERSION" ] || (initialise)
exec "$@" -c listen_addresses='*'
