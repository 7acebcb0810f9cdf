"""From a manifest to a person at work in a notebook, and to the end of the tenant. In this order."""

from __future__ import annotations

import configparser
import io
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page

from dev.demo import journey, tenant
from dev.demo.browser import person
from dev.demo.installation import ALICE, BOB, QUICKSTART, Installation, quickstart
from dev.demo.journey import Album
from dev.progress import note
from tests.e2e import outside
from vre_operator.cli import homes

NAMESPACE = "quickstart"
URL = "https://quickstart.vre.localhost"
NAMESPACES = (NAMESPACE, f"{NAMESPACE}-notebooks", f"{NAMESPACE}-workflows")


@pytest.fixture(scope="module")
def ready(installation: Installation) -> Iterator[Installation]:
    """The example of the README, Ready; with two images, so that there is something to choose."""
    manifest = quickstart()
    image = installation.values()["site"]["images"]["notebook"]
    manifest["spec"]["catalogue"] = {
        "entries": [
            {"name": "base", "image": image, "displayName": "Plain Python", "prePull": True},
            {"name": "astro", "image": image, "displayName": "Astronomy", "description": "For the stars."},
        ]
    }
    manifest["spec"]["notebooks"] = {"probe": {"enabled": True}}
    installation.kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE)  # a reused cluster may have one
    installation.create_tenant(manifest)
    tenant.wait_ready(installation.kubectl, NAMESPACE, NAMESPACE, say=note)
    yield installation
    if not os.environ.get("VRE_E2E_REUSE"):
        # At rest, its lake takes a tenth of a core from the tests to come.
        installation.kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE, wait=False)


@pytest.fixture(scope="module")
def alice(started: Browser, ready: Installation) -> Iterator[Page]:
    """Her window."""
    with person(started) as page:
        yield page


def test_the_smallest_manifest_is_small() -> None:
    assert len(QUICKSTART.read_text().splitlines()) <= 20


def test_alice_reaches_a_notebook_and_runs_a_cell(alice: Page, album: Album) -> None:
    journey.log_in(alice, URL, ALICE, album)
    journey.choose_image(alice, album, "Astronomy")
    journey.reach_lab(alice, album)
    printed = journey.run_cell(
        alice, "import os; print(6 * 7, os.environ['JUPYTERHUB_USER'], os.getuid())", album
    )
    assert printed == "42 alice 1000"


def test_alice_got_the_image_that_she_chose(ready: Installation, alice: Page) -> None:
    pod = ready.kubectl.get("pod", "jupyter-alice", NAMESPACES[1])
    assert pod is not None
    assert pod["spec"]["containers"][0]["image"] == ready.values()["site"]["images"]["notebook"]
    assert not pod["spec"]["automountServiceAccountToken"]


def test_her_home_tells_whose_it_is_and_when_it_was_used(ready: Installation, alice: Page) -> None:
    claims = ready.kubectl.list("pvc", NAMESPACES[1], f"{homes.HOME_LABEL}={homes.HOME}")
    _, line = homes.lines(quickstart(), claims, (), None, datetime.now(UTC).date())
    person, _, start, *_ = line.split()
    assert (person, start[:2]) == ("alice", "20")


def test_what_is_to_be_on_each_node_is_kept_there(ready: Installation) -> None:
    (puller,) = ready.kubectl.list("daemonsets", NAMESPACE)
    assert puller["status"]["numberAvailable"] == puller["status"]["desiredNumberScheduled"] == 1
    (pod,) = ready.kubectl.list("pods", NAMESPACE, f"app.kubernetes.io/name={puller['metadata']['name']}")
    assert pod["spec"]["containers"][0]["image"] == ready.values()["site"]["images"]["notebook"]


def test_each_environment_is_started_on_a_schedule(ready: Installation) -> None:
    job, cron = "probe-now", "cronjob/spawn-probe"
    ready.kubectl("create", "job", f"--from={cron}", job, namespace=NAMESPACE)
    wait = ("wait", f"job/{job}", "--for=condition=Complete", "--timeout=300s")
    ready.kubectl(*wait, namespace=NAMESPACE, timeout=320)
    told = ready.kubectl("logs", f"job/{job}", namespace=NAMESPACE).splitlines()
    note(f"a probe: {told}")
    assert [line.partition(":")[0] for line in told] == ["base", "astro"]
    assert all(line.endswith(" s") for line in told)
    found = tenant.conditions(tenant.get(ready.kubectl, NAMESPACE, NAMESPACE))
    assert found["NotebooksWork"]["status"] == "True"


def test_rucio_answers_in_her_notebook(ready: Installation, alice: Page) -> None:
    """With an account that the test makes: accounts that follow the provider's people are a later issue."""
    password = secrets.token_hex(16)
    login = f"alice-{secrets.token_hex(4)}"  # Rucio never changes the password of an identity
    with outside.rucio(ready, NAMESPACE) as rucio:
        rucio.post("/accounts/alice", {"type": "USER", "email": "alice@example.org"})
        rucio.post(
            "/accounts/alice/identities",
            {
                "identity": login,
                "authtype": "USERPASS",
                "email": "alice@example.org",
                "default": True,
                "password": password,
            },
        )
    given = ready.kubectl.get("configmap", "rucio-client", NAMESPACES[1])
    assert given is not None
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string(given["data"]["rucio.cfg"])
    settings["client"].update({"account": "alice", "username": login, "password": password})
    text = io.StringIO()
    settings.write(text)
    # The password travels by standard input into a file that ends with the command.
    script = """
    umask 077; config=$(mktemp); trap 'rm -f "$config"' EXIT; cat >"$config"; export RUCIO_CONFIG=$config
    rucio ping && rucio whoami
    """
    told = ready.kubectl.run(
        "jupyter-alice", NAMESPACES[1], ["sh", "-c", script], stdin=text.getvalue(), timeout=120
    )
    assert "41." in told  # the version, from ping
    assert "account" in told
    assert "alice" in told


def test_bob_is_refused(started: Browser, ready: Installation, album: Album) -> None:
    with person(started) as page:
        journey.log_in(page, URL, BOB, album)
        text = journey.is_refused(page, BOB.user, album)
    assert "403" in text
    assert "none of its groups (researchers)" in text
    assert "Ask the people who run it to add you" in text
    assert ready.kubectl.get("pod", "jupyter-bob", NAMESPACES[1]) is None


def test_deleting_the_tenant_leaves_the_data_and_nothing_else(ready: Installation, alice: Page) -> None:
    kubectl = ready.kubectl
    assert f"{URL}/hub/oauth_callback" in outside.clients(ready.cluster)

    kubectl.delete(tenant.KIND, NAMESPACE, NAMESPACE, timeout=180)

    assert f"{URL}/hub/oauth_callback" not in outside.clients(ready.cluster)
    assert outside.contents(kubectl, *NAMESPACES) == {
        # data, and the secrets that unlock it
        f"{NAMESPACE}-notebooks/PersistentVolumeClaim/claim-alice",
        f"{NAMESPACE}-notebooks/PersistentVolumeClaim/claim-vre-spawn-probe",
        f"{NAMESPACE}/PersistentVolumeClaim/database",
        f"{NAMESPACE}/Secret/database-superuser",
        f"{NAMESPACE}/Secret/database-hub",
        f"{NAMESPACE}/Secret/database-rucio",
        f"{NAMESPACE}/Secret/hub-secrets",
        f"{NAMESPACE}/Secret/rucio-root",
        # the person's own
        f"{NAMESPACE}/Secret/keycloak-registration",
    }
    assert kubectl.get("namespace", NAMESPACES[2]) is None


def test_a_tenant_made_again_finds_its_data(
    ready: Installation, started: Browser, alice: Page, album: Album
) -> None:
    kubectl = ready.kubectl
    before = kubectl.get("pvc", "claim-alice", NAMESPACES[1])
    manifest = quickstart()
    manifest["spec"]["storage"] = {"homes": {"size": "11Gi"}}
    # The node's class says by default that it cannot; whether a driver then does it is not the hub's matter.
    kubectl.patch("storageclass", "local-path", {"allowVolumeExpansion": True})
    ready.create_tenant(manifest)
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
    with person(started) as page:
        journey.into_lab(page, URL, ALICE, album)
        printed = journey.run_cell(page, "import os; print(sorted(os.listdir()))", album)
    after = kubectl.get("pvc", "claim-alice", NAMESPACES[1])
    assert before is not None
    assert after is not None
    kubectl.patch("storageclass", "local-path", {"allowVolumeExpansion": None})
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    sizes = [claim["spec"]["resources"]["requests"]["storage"] for claim in (before, after)]
    assert sizes == ["10Gi", "11Gi"], "it grew with her next start"
    assert "Untitled.ipynb" in printed
