"""The probe of sessions before a real hub and proxy: what it tells, and that nobody else can be it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.files import SECRETS
from tests.hub.test_login import Browser, Hub, with_spec
from tests.unit.components.scenarios import QUICKSTART
from vre_operator.components.hub.settings import PROBE_USER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEC = QUICKSTART | {"notebooks": {"probe": {"enabled": True}, "maxSessions": 1}}
PROGRAM = Path(__file__).parents[2] / "vre_operator/components/hub/files/spawn_probe.py"
TOKEN = SECRETS["spawn-probe-token"]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with with_spec(SPEC) as running:
        yield running


def probe(hub: Hub, *entries: str, token: str = TOKEN) -> tuple[int, list[str]]:
    front = f"http://127.0.0.1:{hub.port}"
    env = {"HUB": front, "PROXY": front, "PERSON": PROBE_USER, "TOKEN": token, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *entries], env=env, capture_output=True, text=True, check=False
    )
    assert token not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def sessions(hub: Hub) -> list[str]:
    return [user["name"] for user in json.loads(hub.api("/users")[1]) if user["servers"]]


def test_each_environment_is_started_and_ended(hub: Hub) -> None:
    for _ in range(2):
        code, (base, deep) = probe(hub, "base", "deep")
        assert code == 0
        assert base.startswith("base: ")
        assert base.endswith(" s")
        assert deep.startswith("deep: ")
        assert sessions(hub) == []


def test_a_hub_that_is_full_is_no_failure(hub: Hub) -> None:
    alice = Browser(hub)
    assert alice.log_in(preferred_username="alice", groups=["/ocean"]) == 302
    assert alice.is_in()
    assert alice.post("/hub/api/users/alice/server", {})[0] in (201, 202)
    assert probe(hub, "base") == (0, ["base: the hub is full"])
    assert sessions(hub) == ["alice"]


def test_a_hub_that_refuses_is_told_in_the_last_line(hub: Hub) -> None:
    code, (told,) = probe(hub, "base", token="0" * 48)
    assert code == 1
    assert told.startswith("the hub cannot be asked: POST ")
    assert "403" in told


def test_nobody_can_log_in_as_the_probe(hub: Hub) -> None:
    somebody = Browser(hub)
    assert somebody.log_in(preferred_username=PROBE_USER, groups=["/ocean"]) == 403
    assert not somebody.is_in()


def test_the_probe_has_no_rights_over_others(hub: Hub) -> None:
    service = "spawn-probe"
    assert hub.api("/users/alice", service)[0] == 404
    assert json.loads(hub.api(f"/users/{PROBE_USER}", service)[1])["name"] == PROBE_USER
    assert hub.api("/proxy", service)[0] == 403
