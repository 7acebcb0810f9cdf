"""A real PostgreSQL in a temporary directory."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev import system
from dev.ports import free_port

ADMIN_PASSWORD = r"ad:min\'s $(touch pwned) %s"


def programs() -> Path:
    """Where initdb and postgres are. Raises dev.system.MissingError, which says how to get them."""
    system.ensure("pg_ctlcluster")
    found = shutil.which("initdb") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))
    return Path(found).parent


@dataclass(frozen=True)
class Server:
    port: int
    socket: Path
    log: Path

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """What an omnipotent local user reads, one row a line."""
        command = ["psql", "-XAtq", "-h", str(self.socket), "-p", str(self.port), "-U", "postgres"]
        done = subprocess.run(
            [*command, "-d", database, "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def running(directory: Path) -> Iterator[Server]:
    """Passwords by TCP, everybody trusted on the socket, and every statement in the log."""
    bin_directory = programs()
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    password = directory / "password"
    password.write_text(ADMIN_PASSWORD)
    data = directory / "data"
    data.mkdir()
    if user:
        for path in (directory, password, data):
            shutil.chown(path, user)
    port = free_port()
    initdb: list[str | Path] = [
        bin_directory / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "--pwfile",
        password,
        "--no-sync",
    ]
    subprocess.run(
        [*initdb, "--auth-local=trust", "--auth-host=scram-sha-256"],
        user=user,
        check=True,
        capture_output=True,
    )
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={directory}"]
    settings += ["log_statement=all", "fsync=off"]
    log = directory / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [bin_directory / "postgres", "-D", data, *(arg for each in settings for arg in ("-c", each))],
            user=user,
            stdout=output,
            stderr=output,
        )
    try:
        ready = ["pg_isready", "-q", "-h", str(directory), "-p", str(port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                break
            assert process.poll() is None, log.read_text()
            subprocess.run(["sleep", "0.1"], check=True)
        yield Server(port, directory, log)
    finally:
        process.send_signal(2)  # as the pod's preStop does
        assert process.wait(30) == 0, log.read_text()
