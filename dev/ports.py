"""Ports of loopback for the servers of a test."""

import random
import socket

_BELOW_CLIENTS = range(20_000, 30_000)
"""Not from the system's own choice (32768 and up): a client's connection may get it before our server does."""


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(_BELOW_CLIENTS)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
