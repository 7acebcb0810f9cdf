"""Volumes beside the home: who has them, who writes, what happens when one is missing or taken off the list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from dev.demo import journey, tenant
from dev.demo.browser import person
from dev.demo.installation import ALICE, BOB, Installation, variant
from dev.demo.journey import Album
from dev.demo.kubectl import KubectlError
from dev.progress import note

NAMESPACE = "shares"
NOTEBOOKS = f"{NAMESPACE}-notebooks"
URL = f"https://{NAMESPACE}.vre.localhost"
MISSING = "ClaimNotFound"
# The node's class cannot do ReadWriteMany, and the cluster has one node.
VOLUME = {"size": "64Mi", "accessMode": "ReadWriteOnce"}
SHARES = [
    {"name": "team", "volume": VOLUME, "writers": ["researchers"]},
    {"name": "inner", "mountPath": "/data/inner", "volume": VOLUME, "allowedGroups": ["researchers"]},
    {"name": "gone", "claim": {"name": "archive"}},
]


@pytest.fixture(scope="module")
def shares(installation: Installation) -> Iterator[Installation]:
    """A tenant open to everybody, alice among the researchers and bob not."""
    manifest = variant(
        NAMESPACE,
        dataLake={"enabled": False},
        deletionPolicy="Delete",
        storage={"homes": {"volume": VOLUME}, "shares": SHARES},
    )
    identity = {key: value for key, value in manifest["spec"]["identity"].items() if key != "allowedGroups"}
    manifest["spec"]["identity"] = identity | {"allowAll": True}
    installation.create_tenant(manifest)
    # Not Ready, and working.
    tenant.wait(
        installation.kubectl,
        NAMESPACE,
        NAMESPACE,
        lambda found: found["HubReady"]["status"] == "True" and found["NotebooksReady"]["reason"] == MISSING,
        seconds=300,
        say=note,
    )
    yield installation
    installation.kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE, timeout=180)


@pytest.fixture(scope="module")
def alice(started: Browser, shares: Installation, album: Album) -> Iterator[Page]:
    with person(started) as page:
        journey.into_lab(page, URL, ALICE, album)
        yield page


def sh(installation: Installation, user: str, script: str) -> str:
    return installation.kubectl.run(f"jupyter-{user}", NOTEBOOKS, ["sh", "-ec", script])


def test_a_missing_volume_is_told_and_keeps_nobody_from_working(shares: Installation, alice: Page) -> None:
    found = tenant.conditions(tenant.get(shares.kubectl, NAMESPACE, NAMESPACE))
    told = found["NotebooksReady"]
    assert (told["status"], told["reason"]) == ("False", MISSING)
    assert "spec.storage.shares[2].claim" in told["message"]
    assert "archive" in told["message"]
    assert "gone" not in sh(shares, ALICE.user, "ls /shared")


def test_alice_leaves_a_file_for_the_team(shares: Installation, alice: Page, album: Album) -> None:
    code = (
        "import os; open('/shared/team/hello', 'w').write('from alice'); print(sorted(os.listdir('/shared')))"
    )
    assert journey.run_cell(alice, code, album) == "['team']"
    album.take(alice, "a mounted share")
    sh(shares, ALICE.user, "echo secret >/data/inner/secret; grep . /data/inner/secret /shared/team/hello")
    sh(shares, ALICE.user, "echo mine >~/diary; grep . ~/diary")


def test_bob_reads_it_and_cannot_write_nor_see_the_other(
    shares: Installation, started: Browser, alice: Page, album: Album
) -> None:
    with person(started) as page:
        journey.into_lab(page, URL, BOB, album)
        assert sh(shares, BOB.user, "cat /shared/team/hello") == "from alice"
        with pytest.raises(KubectlError, match="Read-only file system"):
            sh(shares, BOB.user, "echo mine >/shared/team/hello")
        assert "inner" not in sh(shares, BOB.user, "ls / /data 2>/dev/null || true")
        # Their homes are one volume, and each has a directory of it.
        assert sh(shares, BOB.user, "echo his >~/diary; cat ~/diary").strip() == "his"
        assert sh(shares, ALICE.user, "cat ~/diary").strip() == "mine"
        names = {claim["metadata"]["name"] for claim in shares.kubectl.list("pvc", NOTEBOOKS)}
        assert names == {"homes", "share-team", "share-inner"}


def test_off_the_list_it_stays_as_data(shares: Installation, alice: Page) -> None:
    kubectl = shares.kubectl
    kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"storage": {"shares": []}}}, NAMESPACE)
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
    claim = kubectl.get("pvc", "share-inner", NOTEBOOKS)
    assert claim is not None
    assert "deletionTimestamp" not in claim["metadata"]
    assert sh(shares, ALICE.user, "cat /data/inner/secret").strip() == "secret", "the session goes on"
