"""A port belongs to one process of the tests, also while its server is down."""

from __future__ import annotations

import subprocess
import sys

from dev import ports

ASK = """
import sys
from dev import ports
first, end = map(int, sys.argv[1:])
ports._BELOW_CLIENTS = range(first, end)
print(ports._reserved(first), ports.free_port())
"""


def test_a_port_is_given_once() -> None:
    first = ports.free_port()
    others = [sys.executable, "-c", ASK, str(first), str(first + 2)]
    told = subprocess.run(others, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["False", str(first + 1)]
