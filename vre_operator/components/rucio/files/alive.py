# mypy: ignore-errors
"""Succeed when this daemon gave a sign of life: a heartbeat in Rucio's database that is not too old.

No daemon has an endpoint, and one whose thread died may look healthy for ever. Its heartbeats are rows by host
and program. Without a database nobody can tell, and a restart would not help: that is no failure.
"""

import configparser
import os
import socket
import sys

import psycopg

HEARTBEAT = """
SELECT extract(epoch FROM (now() AT TIME ZONE 'utc') - max(updated_at))
FROM heartbeats WHERE hostname = %s AND (readable = %s OR readable LIKE %s)
"""


def main(daemon, silent_seconds):
    config = configparser.ConfigParser()
    config.read(os.environ.get("RUCIO_CONFIG", "/opt/rucio/etc/rucio.cfg"))
    url = config["database"]["default"].replace("+psycopg", "", 1)
    try:
        with psycopg.connect(url) as connection:
            (age,) = connection.execute(HEARTBEAT, [socket.getfqdn(), daemon, f"{daemon} %"]).fetchone()
    except psycopg.Error:
        return None
    if age is None:
        return f"{daemon} gave no sign of life yet"
    return f"no sign of life of {daemon} for {age:.0f} s" if age > float(silent_seconds) else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
