# mypy: ignore-errors
"""Deletes what Rucio keeps of things that are over, once it is older than so many days.

    history.py DAYS

Rucio has nothing for it. In small transactions: Rucio goes on meanwhile, and a run that is broken off has done
a part.
"""

import configparser
import os
import sys

import psycopg
from psycopg import sql

TABLES = (
    "messages_history",
    "requests_history",
    "rules_hist_recent",
    "rules_history",
    "sources_history",
)
AT_ONCE = 10_000
# Rucio's times are UTC without a zone.
DELETE = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE updated_at < (now() AT TIME ZONE 'utc') - make_interval(days => %s) LIMIT %s
))
"""


def forget(connection, table, days):
    """How many rows went."""
    order = sql.SQL(DELETE).format(table=sql.Identifier(table))
    gone = 0
    while True:
        number = connection.execute(order, [days, AT_ONCE]).rowcount
        gone += number
        if number < AT_ONCE:
            return gone


def main(days):
    config = configparser.ConfigParser()
    config.read(os.environ.get("RUCIO_CONFIG", "/opt/rucio/etc/rucio.cfg"))
    url = config["database"]["default"].replace("+psycopg", "", 1)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for table in TABLES:
                print(f"{table}: {forget(connection, table, int(days))} rows deleted", flush=True)
    except psycopg.Error as error:
        return f"the database refused: {str(error).strip().splitlines()[0]}"
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
