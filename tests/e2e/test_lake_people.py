"""People in a data lake: from a notebook into it and out of it, and back after a deletion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, time

import pytest
from playwright.sync_api import Browser

from dev.demo import journey, tenant
from dev.demo.browser import person
from dev.demo.installation import ALICE, BOB, Installation
from dev.demo.journey import Album, Login
from dev.demo.kubectl import KubectlError
from dev.progress import note
from tests.e2e import outside
from tests.e2e.lake import NAMESPACE, change, create, inside

URL = f"https://{NAMESPACE}.vre.localhost"
NOTEBOOKS = f"{NAMESPACE}-notebooks"
FILE = f"survey-{int(time())}"
# The provider is read every 20 seconds, and what changed then takes a walk or two.
SYNC_SECONDS = 300
# Keycloak's access tokens live for five minutes.
TOKEN_SECONDS = 330

UPLOAD = f"""
set -e
head -c 104857600 /dev/urandom > {FILE}
rucio upload --rse LAKE-A --scope user.alice {FILE}
rucio rule add user.alice:{FILE} --copies 1 --rses LAKE-B
sha256sum < {FILE}
"""
COPIED = f"""
import sys, time
from rucio.client import Client
client = Client()
end = time.monotonic() + 300
while True:
    states = {{one["rse_expression"]: one["state"] for one in client.list_did_rules("user.alice", "{FILE}")}}
    if states.get("LAKE-B") == "OK" or time.monotonic() > end:
        sys.exit(str(states) if states.get("LAKE-B") != "OK" else 0)
    time.sleep(2)
"""
REGISTERED = """
from rucio.client import Client
from rucio.common.exception import DataIdentifierNotFound
try:
    print(Client().get_did("user.alice", "mine"))
except DataIdentifierNotFound:
    print("no")
"""
DOWNLOAD = f"""
set -e
rm -rf back
rucio download --rses LAKE-B --dir back user.alice:{FILE} >&2
sha256sum < back/user.alice/{FILE}
"""


def run(installation: Installation, user: str, command: list[str], seconds: float = 330) -> str:
    """In somebody's notebook, as that person does it in a terminal."""
    return installation.kubectl(
        "exec",
        f"jupyter-{user}",
        "--container",
        "notebook",
        "--",
        *command,
        namespace=NOTEBOOKS,
        timeout=seconds,
    )


@contextmanager
def session(installation: Installation, started: Browser, login: Login, album: Album) -> Iterator[None]:
    with person(started) as page:
        journey.into_lab(page, URL, login, album)
        outside.until(lambda: has_token(installation, login.user), 180, "the session's token")
        yield


def has_token(installation: Installation, user: str) -> bool:
    try:
        return bool(run(installation, user, ["sh", "-c", "cat /run/vre/tokens/rucio | wc -c"]).strip("0\n "))
    except KubectlError:
        return False


def is_let_in(installation: Installation, user: str) -> bool:
    try:
        return user in run(installation, user, ["sh", "-c", "rucio whoami < /dev/null"])
    except KubectlError:
        return False


@pytest.fixture(scope="module")
def office(lake: Installation) -> Iterator[outside.Office]:
    """Leaves the groups as they were."""
    made = outside.Office(lake.cluster)
    yield made
    made.join(ALICE.user, "researchers")
    made.leave(BOB.user, "staff")


def test_alice_uploads_from_her_notebook_and_downloads_the_copy(
    lake: Installation, started: Browser, album: Album
) -> None:
    with session(lake, started, ALICE, album):
        assert "alice" in run(lake, "alice", ["rucio", "whoami"])
        uploaded = run(lake, "alice", ["sh", "-c", UPLOAD]).splitlines()[-1]
        began = monotonic()
        run(lake, "alice", ["python3", "-c", COPIED])
        note(f"a rule's copy of 100 MB: {monotonic() - began:.0f} s")
        assert run(lake, "alice", ["sh", "-c", DOWNLOAD]).splitlines()[-1] == uploaded
        script = (Path(__file__).parent / "lake_extension.py").read_text()
        clicks = ["python3", "-c", script, NAMESPACE, f"user.alice:{FILE}", "LAKE-A"]
        assert run(lake, "alice", clicks).splitlines()[-1] == uploaded.split()[0]


def test_bob_cannot_see_her_files(
    lake: Installation, started: Browser, office: outside.Office, album: Album
) -> None:
    """He is of the collaboration, and her scope is hers alone."""
    office.join(BOB.user, "staff")
    outside.until(lambda: "bob" in inside(lake)["accounts"], SYNC_SECONDS, "his account")
    with session(lake, started, BOB, album):
        assert "bob" in run(lake, "bob", ["rucio", "whoami"])
        # Rucio's client ends with 0 all the same.
        told = run(lake, "bob", ["sh", "-c", f"rucio download user.alice:{FILE} 2>&1"])
        assert "None of the requested files have been downloaded" in told
        assert run(lake, "bob", ["find", ".", "-name", FILE]) == ""
        # Rucio's client takes the refusal for a token that has run out, and asks for a login.
        upload = "rucio upload --rse LAKE-A --scope user.alice mine < /dev/null || true"
        run(lake, "bob", ["sh", "-c", f"date > mine; {upload}"])
        assert run(lake, "bob", ["python3", "-c", REGISTERED]).splitlines()[-1] == "no"


def test_who_leaves_the_group_is_suspended(lake: Installation, office: outside.Office) -> None:
    office.leave(ALICE.user, "researchers")
    outside.until(lambda: "alice" not in inside(lake)["accounts"], SYNC_SECONDS, "her suspension")
    # Rucio takes the token that it knows until its end; the session asks for the next one, and is ended.
    outside.until(lambda: not is_let_in(lake, "alice"), TOKEN_SECONDS, "the end of her token")
    outside.until(
        lambda: lake.kubectl.get("pod", "jupyter-alice", NOTEBOOKS) is None,
        TOKEN_SECONDS,
        "the end of her session",
    )
    office.join(ALICE.user, "researchers")


def test_a_lake_made_again_finds_her_file(lake: Installation, started: Browser, album: Album) -> None:
    change(lake, deletionPolicy="Retain")
    lake.kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE, timeout=300)
    create(lake)
    outside.until(lambda: "alice" in inside(lake)["accounts"], SYNC_SECONDS, "her account")
    with session(lake, started, ALICE, album):
        there = run(lake, "alice", ["sh", "-c", f"sha256sum < {FILE}"])
        assert run(lake, "alice", ["sh", "-c", DOWNLOAD]).splitlines()[-1] == there.splitlines()[-1]


def test_the_end(lake: Installation) -> None:
    change(lake, deletionPolicy="Delete")
    lake.kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE, timeout=300)
    assert lake.kubectl.get(tenant.KIND, NAMESPACE, NAMESPACE) is None
    assert lake.kubectl.list("deployments,statefulsets,cronjobs,jobs,persistentvolumeclaims", NAMESPACE) == []
