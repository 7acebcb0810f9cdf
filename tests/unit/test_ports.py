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
    # Some of those that follow may belong to tests before.
    end = first + 50
    others = [sys.executable, "-c", ASK, str(first), str(end)]
    told = subprocess.run(others, capture_output=True, text=True, timeout=60, check=True)
    again, port = told.stdout.split()
    assert again == "False"
    assert first < int(port) < end
