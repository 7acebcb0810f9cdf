"""Ports of loopback for the servers of a test."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_BELOW_CLIENTS = range(20_000, 30_000)
"""Not from the system's own choice (32768 and up): a client's connection may get it before our server does."""

_RESERVED: list[int] = []
"""Locks, held as long as this process lives."""


def free_port() -> int:
    """A port that nobody listens on, and that no other process gets here before this one ends.

    A server that is killed and started again finds its port free, however many tests run side by side.
    """
    while True:
        port = random.SystemRandom().choice(_BELOW_CLIENTS)
        if _silent(port) and _reserved(port):
            return port


def _reserved(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / "vre-ports"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    _RESERVED.append(lock)
    return True


def _silent(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
