"""A session's token of its person: from a real hub, renewed in time, for that session alone."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.hub.files import SECRETS
from tests.hub.test_login import Browser, Hub, with_spec
from tests.unit.components.scenarios import QUICKSTART

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEC = QUICKSTART | {"dataLake": {"enabled": True, "people": {"enabled": True}}}
PROGRAM = Path(__file__).parents[2] / "vre_operator/components/hub/files/session_token.py"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with with_spec(SPEC) as running:
        end = time.monotonic() + 180
        while not _listens(running.tokens):
            assert time.monotonic() < end, running.log.read_text()
            time.sleep(0.2)
        yield running


def _listens(port: int) -> bool:
    try:
        return asked(port, "")[0] == 401
    except OSError:
        return False


def asked(port: int, token: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/", headers={"Authorization": f"token {token}"} if token else {})
    with closing(connection), connection.getresponse() as answer:
        return answer.status, json.loads(answer.read())


def session(hub: Hub, name: str, *scopes: str, lifetime: float = 3600) -> str:
    """Log in, and give an API token as a session has one."""
    hub.provider.lifetime, hub.provider.ended = lifetime, False
    browser = Browser(hub)
    assert browser.log_in(preferred_username=name, groups=["/ocean"]) == 302
    assert browser.is_in()
    wanted = list(scopes or (f"access:servers!server={name}/",))
    status, body = browser.post(f"/hub/api/users/{name}/tokens", {"scopes": wanted})
    assert status == 201, body
    return str(json.loads(body)["token"])


def test_a_session_gets_its_person_s_token(hub: Hub) -> None:
    token = session(hub, "alice")
    status, told = asked(hub.tokens, token)
    assert status == 200
    assert set(told) == {"access_token", "expires_at"}
    assert told["access_token"].startswith("h.")
    assert told["expires_at"] == pytest.approx(time.time() + 3600, abs=60)


def test_others_get_nothing(hub: Hub) -> None:
    assert asked(hub.tokens, "")[0] == 401
    assert asked(hub.tokens, "0" * 32)[0] == 401
    for service in ("tokens", "vre-operator"):
        assert asked(hub.tokens, SECRETS[f"{service}-token"])[0] == 401
    narrow = session(hub, "bob", "read:users:activity!user")
    status, told = asked(hub.tokens, narrow)
    assert (status, told) == (401, {"message": "not the token of a session"})


def test_a_token_is_renewed_before_it_ends(hub: Hub) -> None:
    token = session(hub, "carol", lifetime=100)
    before = hub.provider.refreshes
    hub.provider.lifetime = 3600
    time.sleep(1.2)  # the hub asks again once in a second here
    status, told = asked(hub.tokens, token)
    assert status == 200
    assert told["expires_at"] > time.time() + 1000
    assert hub.provider.refreshes == before + 1
    time.sleep(1.2)
    assert asked(hub.tokens, token)[1] == told
    assert hub.provider.refreshes == before + 1, "not before it is needed"


def test_when_the_provider_ends_the_login_the_person_is_told(hub: Hub) -> None:
    token = session(hub, "dave", lifetime=15)
    hub.provider.ended = True
    time.sleep(1.2)
    status, told = asked(hub.tokens, token)
    assert status == 409
    assert "log in again" in told["message"]


def test_grid_libraries_find_the_site_s_authorities(hub: Hub, tmp_path: Path) -> None:
    """By the hash of the subject, beside the public ones."""
    site = tmp_path / "site.crt"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=The site", "-keyout", "-"]
    subprocess.run([*made, "-out", str(site)], check=True, capture_output=True)
    token = session(hub, "gwen", lifetime=60)
    file, folder = tmp_path / "rucio", tmp_path / "certificates"
    command = [sys.executable, str(PROGRAM), f"http://127.0.0.1:{hub.tokens}/", str(file), str(site)]
    environment = {"JUPYTERHUB_API_TOKEN": token, "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as running:
        try:
            assert _changed(file, "")
        finally:
            running.kill()
    asked = ["openssl", "x509", "-in", str(site), "-noout", "-subject_hash"]
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    assert (folder / f"{name}.0").read_text() == site.read_text()
    assert len(list(folder.glob("*.0"))) > 50


def test_the_file_is_whole_private_and_followed(hub: Hub, tmp_path: Path) -> None:
    token = session(hub, "erin", lifetime=60)
    file = tmp_path / "rucio"
    log = (tmp_path / "log").open("w+")
    environment = {"JUPYTERHUB_API_TOKEN": token}
    command = [sys.executable, str(PROGRAM), f"http://127.0.0.1:{hub.tokens}/", str(file)]
    with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as running:
        try:
            first = _changed(file, "")
            assert first.count(".") == 2
            assert not first.endswith("\n")
            assert file.stat().st_mode & 0o777 == 0o600
            assert _changed(file, first) != first, "within half a minute"
        finally:
            running.kill()
        log.seek(0)
        text = log.read()
    assert token not in text
    assert first not in text


def _changed(file: Path, before: str) -> str:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if file.exists() and (now := file.read_text()) != before:
            return now
        time.sleep(0.1)
    raise AssertionError("it stayed as it was")


def test_the_hub_s_log_tells_no_token(hub: Hub) -> None:
    text = hub.log.read_text()
    assert SECRETS["tokens-token"] not in text
    assert "h.eyJ" not in text
