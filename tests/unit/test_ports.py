"""A port belongs to one process of the tests, also while its server is down."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dev import ports

ASK = """
import sys
from dev import ports
ports._BELOW_CLIENTS = range(*map(int, sys.argv[1:]))
print(ports.free_port())
"""


def test_a_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.free_port()
    monkeypatch.setattr(ports, "_BELOW_CLIENTS", range(first, first + 2))
    others = [sys.executable, "-c", ASK, str(first), str(first + 2)]
    told = subprocess.run(others, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == [str(first + 1)]
