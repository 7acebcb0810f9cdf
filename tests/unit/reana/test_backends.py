"""The look at batch systems outside the cluster."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reana.programs import program


@pytest.fixture
def equipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The look, in an image that has what it takes."""
    backends = program("backends.py")
    condor = tmp_path / "condor_config_val"
    condor.write_text("#!/bin/sh\necho 127.0.0.1\n")
    condor.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    backends["NEEDED"] = dict.fromkeys(backends["NEEDED"], ((), ()))
    return backends


@contextmanager
def greeter(words: bytes) -> Iterator[int]:
    """Says it to whoever comes, on a port of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(words)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_login_node_is_one_that_speaks_ssh(equipped: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "states.json"
    with greeter(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert equipped["main"](str(file), [f"slurmcern=127.0.0.1:{port}"]) == ""
    assert json.loads(file.read_text()) == {"slurmcern": ""}
    with greeter(b"HTTP/1.1 400 Bad Request") as other:
        told = equipped["main"](str(file), [f"slurmcern=127.0.0.1:{other}", f"compute4punch=127.0.0.1:{port}"])
    assert told == (
        f"slurmcern: 127.0.0.1:{other} is no ssh; "
        f"compute4punch: 127.0.0.1:{port} is not to be reached (Connection refused)"
    )
    assert json.loads(file.read_text()) == {
        "slurmcern": f"127.0.0.1:{other} is no ssh",
        "compute4punch": f"127.0.0.1:{port} is not to be reached (Connection refused)",
    }
    assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


def test_a_pool_is_the_one_of_the_image(equipped: dict[str, Any], tmp_path: Path) -> None:
    with greeter(b"") as port:
        equipped["CONDOR_PORT"] = port
        assert equipped["main"](str(tmp_path / "states.json"), ["htcondorcern=:"]) == ""
    told = equipped["main"](str(tmp_path / "states.json"), ["htcondorcern=:"])
    assert told.startswith(f"htcondorcern: the pool's 127.0.0.1:{port} is not to be reached")


def test_an_image_that_lacks_what_it_takes_says_so(tmp_path: Path) -> None:
    told = program("backends.py")["main"](str(tmp_path / "states.json"), ["compute4punch=127.0.0.1:1"])
    assert "lacks" in told
    assert "libmytoken" in told
    assert "built with COMPUTE_BACKENDS=compute4punch" in told
