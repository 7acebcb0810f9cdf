#!/bin/sh
# Make a role and its database, on any PostgreSQL since 12, any number of times.
#
# ADMIN: directory with the files host, port, username and password, and, where the server is the tenant's own,
# former-password: what the password was before its rotation. ROLE: the same with username, password and database.
# PGPASSFILE: where a password file may be written. Runs in a writable directory.
#
# No secret is in an argument, in the environment or in the text of a statement. Passwords go from files into
# the password file and into psql's \password, which sends a verifier computed here: so the role's password is
# in no log and no statistics of a server that is not ours.
set -eu
umask 077

escaped() { sed 's/[\\:]/\\&/g' "$1"; }
line() { printf '*:*:*:%s:%s\n' "$(escaped "$1/username")" "$(escaped "$1/$2")"; }
{ line "$ADMIN" password; line "$ROLE" password; } >"$PGPASSFILE"
# psql's \password asks twice, on standard input where there is no terminal.
twice() { for _ in 1 2; do cat "$1"; echo; done; }
as_admin() { psql --no-psqlrc --quiet --username="$(cat "$ADMIN/username")" --dbname=postgres "$@"; }

PGHOST=$(cat "$ADMIN/host") PGPORT=$(cat "$ADMIN/port") PGCONNECT_TIMEOUT=10
export PGHOST PGPORT PGCONNECT_TIMEOUT

tries=30
until pg_isready --quiet || [ "$tries" = 0 ]; do
    tries=$((tries - 1))
    sleep 1
done

# Several of these Jobs may find the new password unknown at once: who comes second finds it known.
if [ -e "$ADMIN/former-password" ] && ! as_admin --command='SELECT 1' >/dev/null 2>&1; then
    line "$ADMIN" former-password >former
    twice "$ADMIN/password" | PGPASSFILE=former as_admin --command='\password' ||
        as_admin --command='SELECT 1' >/dev/null
    echo "the administrator's password is new"
fi

cat >setup.sql <<'SQL'
\set ON_ERROR_STOP on
\set VERBOSITY terse
\set role `cat "$ROLE/username"`
\set database `cat "$ROLE/database"`

\set oldest 12
SELECT current_setting('server_version_num')::int >= :oldest * 10000 AS recent \gset
\if :recent
\else
DO $$BEGIN
    RAISE 'PostgreSQL % is too old; upgrade it, or name another server in spec.database.external',
        current_setting('server_version');
END$$;
\endif

SELECT rolsuper AS super, rolsuper OR (rolcreaterole AND rolcreatedb) AS able
    FROM pg_roles WHERE rolname = current_user \gset
\if :able
\else
DO $$BEGIN RAISE 'the administrator''s role needs CREATEROLE and CREATEDB'; END$$;
\endif

SELECT format('CREATE ROLE %I LOGIN', :'role')
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
\password :"role"

-- Who is no superuser can give a database only to a role of which it is a member.
\if :super
\else
GRANT :"role" TO CURRENT_USER;
\endif
SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', :'database', :'role')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
SQL

twice "$ROLE/password" | as_admin --file=setup.sql

psql --no-psqlrc --quiet --username="$(cat "$ROLE/username")" --dbname="$(cat "$ROLE/database")" \
    --command='SELECT 1' >/dev/null
echo "role and database $(cat "$ROLE/database") are ready"
