"""A session that outlives everything around it: the operator, the hub, the proxy, the catalogue, the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dev.demo import journey, tenant
from dev.demo.browser import person, quiet
from dev.demo.installation import ALICE, RELEASE, SYSTEM, Installation
from dev.demo.journey import Album
from dev.demo.kubectl import Kubectl
from dev.progress import note
from tests.e2e import outside, rotation
from tests.e2e.conftest import WORKING

NAMESPACE = WORKING
HOST = f"{NAMESPACE}.vre.localhost"
URL = f"https://{HOST}"
# A word that no other kernel knows, and work that goes on.
BEGIN = (
    "import itertools, threading, time, uuid; word = str(uuid.uuid4()); ticks = [0];"
    " work = lambda: any(ticks.__setitem__(0, n) or time.sleep(0.1) for n in itertools.count());"
    " threading.Thread(target=work, daemon=True).start(); print(word)"
)
_ROUTES_SECONDS = 90


@pytest.fixture(scope="module")
def alice(started: Browser, working: Installation, album: Album) -> Iterator[Page]:
    with person(started) as page:
        journey.into_lab(page, URL, ALICE, album)
        yield page


def test_the_landing_page_leads_back_to_work(alice: Page, album: Album) -> None:
    with alice.context.new_page() as page, quiet(page):
        page.goto(URL)
        own = page.get_by_role("region", name="Your work")
        expect(own).to_contain_text("You are logged in as alice.")
        session = own.get_by_role("listitem")
        expect(session).to_have_count(1)
        expect(session).to_contain_text("runs since")
        album.take(page, "landing-page-at-work")
        address = session.get_by_role("link").get_attribute("href")
        assert re.fullmatch(r"/user/alice/", address or "")


def test_a_kernel_survives_whatever_is_rolled(working: Installation, alice: Page, album: Album) -> None:
    kubectl = working.kubectl
    word = journey.run_cell(alice, BEGIN, album)
    pod = uid(kubectl, "pod", "jupyter-alice", f"{NAMESPACE}-notebooks")
    ticks = int(journey.run_another(alice, "print(ticks[0])"))
    image = working.values()["site"]["images"]["notebook"]
    entry = {"name": "newer", "image": image, "displayName": "Newer"}

    def rolled() -> None:
        roll(kubectl, RELEASE, SYSTEM)
        for name in ("hub", "proxy", "page"):
            roll(kubectl, name, NAMESPACE)
        kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"catalogue": {"entries": [entry]}}}, NAMESPACE)
        tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
        outside.until(
            lambda: outside.status(working.cluster, HOST, "/user/alice/api") == 200,
            _ROUTES_SECONDS,
            "the new proxy's route to her session",
        )

    try:
        journey.save_and_open_again(alice, rolled)
        assert journey.run_another(alice, f"print(word, ticks[0] > {ticks})") == f"{word} True"
        assert uid(kubectl, "pod", "jupyter-alice", f"{NAMESPACE}-notebooks") == pod
        album.take(alice, "kernel-after-all-was-rolled")
    finally:
        kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"catalogue": {"entries": None}}}, NAMESPACE)
        tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)


def test_new_credentials_end_no_kernel_and_nobody_types_a_password(
    working: Installation, alice: Page, album: Album
) -> None:
    kubectl = working.kubectl
    word = journey.run_another(alice, "print(word)")
    pod = uid(kubectl, "pod", "jupyter-alice", f"{NAMESPACE}-notebooks")
    before = rotation.digests(kubectl, NAMESPACE)

    def rotated() -> None:
        rotation.rotate(kubectl, NAMESPACE, "once")
        outside.until(
            lambda: outside.status(working.cluster, HOST, "/user/alice/api") == 200,
            _ROUTES_SECONDS,
            "the new proxy's route to her session",
        )

    journey.save_and_open_again(alice, rotated, named=True)
    assert journey.run_another(alice, "print(word)") == word
    assert uid(kubectl, "pod", "jupyter-alice", f"{NAMESPACE}-notebooks") == pod
    after = rotation.digests(kubectl, NAMESPACE)
    secrets = ("password", "-token", "client_secret", "_url")
    assert {key for key in rotation.kept(before, after) if key.endswith(secrets)} == {
        f"{NAMESPACE}/hub-login/{where}_url" for where in ("authorize", "token", "userdata")
    }
    for key in ("hub-secrets/cookie-secret", "hub-secrets/crypt-key", "hub-login/database_url"):
        assert before[f"{NAMESPACE}/{key}"] != after[f"{NAMESPACE}/{key}"], key
    assert after[f"{NAMESPACE}/hub-secrets/former-crypt-key"] == before[f"{NAMESPACE}/hub-secrets/crypt-key"]
    with alice.context.new_page() as page, quiet(page):
        page.goto(f"{URL}/hub/home")
        expect(page.locator("#stop")).to_be_visible()
        album.take(page, "hub-after-a-rotation")
    # A second one finds the first's values in use, not those from before it.
    rotation.rotate(kubectl, NAMESPACE, "twice")
    assert outside.status(working.cluster, HOST, "/hub/health") == 200


def roll(kubectl: Kubectl, name: str, namespace: str) -> None:
    """Another pod in the place of the one that runs."""
    before = uids(kubectl, name, namespace)
    pods = ("pods", "--selector", f"app.kubernetes.io/name={name}")
    kubectl("delete", *pods, "--wait=true", namespace=namespace, timeout=180)
    kubectl.rollout(f"deployment/{name}", namespace, timeout=180)
    assert uids(kubectl, name, namespace).isdisjoint(before)


def uids(kubectl: Kubectl, name: str, namespace: str) -> set[str]:
    found = kubectl.list("pods", namespace, f"app.kubernetes.io/name={name}")
    assert found
    return {pod["metadata"]["uid"] for pod in found}


def uid(kubectl: Kubectl, kind: str, name: str, namespace: str) -> str:
    found = kubectl.get(kind, name, namespace)
    assert found is not None
    return str(found["metadata"]["uid"])
