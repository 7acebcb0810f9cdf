"""A workflow's job at the data lake: from a real hub, as the person whose card it shows."""

from __future__ import annotations

import http.client
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import software
from tests.hub.files import JOBS, SECRETS
from tests.hub.test_login import Browser, Hub, with_spec
from tests.reana.models import FILES
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components.reana import lake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEC = QUICKSTART | {
    "dataLake": {"enabled": True, "people": {"enabled": True}},
    "workflows": {"enabled": True, "hostname": "reana.ocean.example.org", "dataLake": True},
}
card = runpy.run_path(str(FILES / "stores.py"))["card"]
SHOW = "import os, pathlib; c = os.environ['RUCIO_CONFIG']; print(pathlib.Path(c).read_text())"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with with_spec(SPEC, people=("http://127.0.0.1:9/people/", "hubs-own")) as running:
        end = time.monotonic() + 180
        while True:
            try:
                assert asked(running, "")[0] == 401
                break
            except OSError:
                assert time.monotonic() < end, running.log.read_text()
                time.sleep(0.2)
        yield running


def asked(hub: Hub, shown: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", hub.tokens, timeout=30)
    connection.request("GET", "/jobs", headers={"Authorization": f"token {shown}"})
    with closing(connection), connection.getresponse() as answer:
        return answer.status, json.loads(answer.read())


def logged_in(hub: Hub, name: str, *, lifetime: float = 3600) -> None:
    hub.provider.lifetime, hub.provider.ended = lifetime, False
    browser = Browser(hub)
    assert browser.log_in(preferred_username=name, groups=["/ocean"]) == 302
    assert browser.is_in()


def test_a_job_gets_its_person_s_token(hub: Hub) -> None:
    logged_in(hub, "alice")
    status, told = asked(hub, card("alice", JOBS))
    assert status == 200, told
    assert set(told) == {"access_token", "expires_at"}
    assert told["expires_at"] == pytest.approx(time.time() + 3600, abs=60)


def test_others_get_nothing(hub: Hub) -> None:
    logged_in(hub, "alice")
    _, _, proof = card("bob", JOBS).rpartition(".")
    others = ("", "alice", "alice.", f"alice.{proof}", card("alice", "another"), SECRETS["tokens-token"], ".")
    for shown in (*others, JOBS, "ünïcode.x"):
        status, told = asked(hub, shown.encode().decode("latin-1"))
        assert (status, told) == (401, {"message": "not the card of a person's job"}), shown


def test_who_never_logged_in_is_told(hub: Hub) -> None:
    status, told = asked(hub, card("zoe", JOBS))
    assert status == 409
    assert "log in to the hub again" in told["message"]


def test_the_login_is_renewed_by_the_use_of_it(hub: Hub) -> None:
    logged_in(hub, "carol", lifetime=100)
    before = hub.provider.refreshes
    hub.provider.lifetime = 3600
    time.sleep(1.2)  # the hub asks again once in a second here
    assert asked(hub, card("carol", JOBS))[1]["expires_at"] > time.time() + 1000
    assert hub.provider.refreshes == before + 1


def test_when_the_provider_ends_the_login_the_job_is_told(hub: Hub) -> None:
    logged_in(hub, "dave", lifetime=15)
    hub.provider.ended = True
    time.sleep(1.2)
    status, told = asked(hub, card("dave", JOBS))
    assert status == 409
    assert "log in" in told["message"]


def test_what_it_makes_on_the_way_is_of_a_minute_and_reads_a_name(hub: Hub) -> None:
    logged_in(hub, "fay")
    assert asked(hub, card("fay", JOBS))[0] == 200
    status, body = hub.api("/users/fay/tokens", service="tokens")
    assert status == 200
    made = [one for one in json.loads(body)["api_tokens"] if "workflow" in (one["note"] or "")]
    (one,) = made
    assert one["expires_at"]
    # The hub adds what goes with it.
    assert set(one["scopes"]) <= {"read:users:name!user=fay", "read:users:groups!user=fay"}


def job(hub: Hub, directory: Path, name: str, *command: str) -> subprocess.CompletedProcess[str]:
    """As it runs in a job's pod: the person's own Secret is a directory."""
    files = lake.files(environment(SPEC)) | {
        "vre-person": card(name, JOBS),
        "vre-service": f"http://127.0.0.1:{hub.tokens}/jobs",
    }
    software.write(directory / "secrets", files)
    return subprocess.run(
        [sys.executable, str(directory / "secrets/lake.py"), *command],
        env={"PATH": os.environ["PATH"], "VRE_LAKE_DIRECTORY": str(directory / "lake")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_command_runs_with_a_token_and_a_way_to_the_lake(hub: Hub, tmp_path: Path) -> None:
    logged_in(hub, "erin")
    done = job(hub, tmp_path, "erin", sys.executable, "-c", SHOW)
    assert done.returncode == 0, done.stderr
    assert "rucio_host = http://rucio.ocean.svc.cluster.local" in done.stdout
    assert "auth_token_file_path = /tmp/vre-lake/token" in done.stdout
    token = tmp_path / "lake/token"
    assert token.read_text() == asked(hub, card("erin", JOBS))[1]["access_token"]
    assert token.stat().st_mode & 0o777 == 0o600
    shown = job(hub, tmp_path, "erin", sys.executable, "-c", "import os; print(dict(os.environ))").stdout
    assert card("erin", JOBS) not in shown


def test_it_ends_as_its_command_does(hub: Hub, tmp_path: Path) -> None:
    logged_in(hub, "erin")
    assert job(hub, tmp_path, "erin", "sh", "-c", "exit 7").returncode == 7


def test_without_a_token_it_says_why_and_runs_nothing(hub: Hub, tmp_path: Path) -> None:
    done = job(hub, tmp_path, "nobody", "touch", str(tmp_path / "ran"))
    assert done.returncode == 1
    assert "no token for the data lake (409)" in done.stderr
    assert "log in to the hub again" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_the_token_stays_fresh_while_a_command_runs(hub: Hub, tmp_path: Path) -> None:
    logged_in(hub, "gwen", lifetime=25)
    token = tmp_path / "lake/token"
    wait = (
        "import pathlib, sys, time\n"
        f"file = pathlib.Path({str(token)!r}); first = file.read_text()\n"
        "for _ in range(300):\n"
        "    if file.read_text() != first: sys.exit(0)\n"
        "    time.sleep(0.1)\n"
        "sys.exit('it stayed as it was')"
    )
    done = job(hub, tmp_path, "gwen", sys.executable, "-c", wait)
    assert done.returncode == 0, done.stderr


def test_no_log_tells_a_card_or_a_token(hub: Hub) -> None:
    text = hub.log.read_text()
    for secret in (JOBS, card("alice", JOBS), "h.eyJ"):
        assert secret not in text
