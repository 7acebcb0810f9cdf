"""From a manifest to a workflow that a person starts in a notebook, with REANA's own programs.

Their images are in registries that do not answer everywhere: VRE_REANA_IMAGES names them, a JSON object with
server, workflowController, jobController, serial, messageBroker, cache, ui where there is one and, for images
that are in no registry, archives, a list of files. Where it is not set, these tests are skipped;
docs/verification.md has what was seen.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dev import keycloak
from dev.demo import journey, tenant
from dev.demo.browser import person
from dev.demo.installation import ALICE, BOB, Installation, variant
from dev.demo.journey import Album
from dev.progress import note
from tests.e2e import outside, rotation

IMAGES: dict[str, Any] = json.loads(os.environ.get("VRE_REANA_IMAGES", "{}"))
pytestmark = pytest.mark.skipif(not IMAGES, reason="VRE_REANA_IMAGES names no images of REANA")

CLIENT = Path(__file__).with_name("workflow_client.py")
NAMES = ("flow-a", "flow-b")
MAIL = "alice@example.org"
WORKFLOWS = {"engines": ["Serial"], "volume": {"size": "1Gi", "accessMode": "ReadWriteOnce"}}


def host(name: str) -> str:
    return f"reana-{name}.{keycloak.DOMAIN}"


def wish(name: str, workflows: dict[str, Any], **more: Any) -> dict[str, Any]:
    workflows = WORKFLOWS | {"enabled": True, "hostname": host(name)} | workflows
    return variant(name, workflows=workflows, deletionPolicy="Delete", **more)


def by_hand(installation: Installation, name: str) -> None:
    """A tenant with workflows alone, whose client somebody enters at the provider."""
    identity = variant(name)["spec"]["identity"] | {"provider": "manual"}
    own = wish(name, {"clientSecret": {"name": "by-hand"}}, identity=identity, notebooks={"enabled": False})
    own["spec"]["dataLake"] = {"enabled": False}
    installation.create_tenant(own)

    def told() -> list[dict[str, Any]]:
        found = tenant.get(installation.kubectl, name, name) or {}
        return list(found.get("status", {}).get("registration", []))

    outside.until(lambda: bool(told()), 180, "what to enter at the provider")
    (client,) = told()
    credential = outside.enter_client(installation.cluster, f"{name}-by-hand", client)
    secret = {"name": "by-hand", "namespace": name}
    installation.kubectl.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": credential}
    )


LAKE = {
    "enabled": True,
    "hostname": f"rucio-{NAMES[0]}.{keycloak.DOMAIN}",
    "storage": [{"name": "FLOW-DISK", "hostname": f"disk-{NAMES[0]}.{keycloak.DOMAIN}", "size": "1Gi"}],
    "people": {"enabled": True, "quotas": [{"size": "1Ti"}]},
}
FILE = f"survey-{int(time())}"
UPLOAD = f"head -c 4321 /dev/urandom > {FILE} && rucio upload --rse FLOW-DISK --scope user.alice {FILE}"
FETCH = (
    f"cd /tmp && python3 /etc/reana/secrets/lake.py rucio download user.alice:{FILE} && cd - && "
    f"wc -c < /tmp/user.alice/{FILE} > result.txt"
)


@pytest.fixture(scope="module")
def flows(installation: Installation) -> Iterator[Installation]:
    """Two tenants with workflows, both Ready."""
    installation.cluster.load(map(Path, IMAGES.get("archives", ())))
    values = installation.values()
    none = dict.fromkeys(("snakemake", "cwl", "yadage"), "example.org/none")
    engines = {key: IMAGES[key] for key in ("server", "workflowController", "jobController", "serial")}
    shared = {key: IMAGES[key] for key in ("messageBroker", "cache")}
    values["site"]["images"]["reana"] = {"v095": none | engines | {"ui": IMAGES.get("ui", "")}, **shared}
    installation.install_operator(values)
    installation.create_tenant(wish(NAMES[0], {"dataLake": True}, dataLake=LAKE))
    by_hand(installation, NAMES[1])
    for name in NAMES:
        tenant.wait_ready(installation.kubectl, name, name, seconds=900, say=note)
    yield installation
    for name in NAMES:
        installation.kubectl.delete(tenant.KIND, name, name)


@pytest.fixture(scope="module")
def alice(started: Browser, flows: Installation) -> Iterator[Page]:
    with person(started) as page:
        yield page


def run(installation: Installation, page: Page, *arguments: str) -> dict[str, Any]:
    """What the client says, run by the kernel of the notebook that is open."""
    target = "/home/jovyan/workflow_client.py"
    installation.kubectl.run(
        "jupyter-alice", f"{NAMES[0]}-notebooks", ["sh", "-c", f"cat >{target}"], stdin=CLIENT.read_text()
    )
    printed = journey.run_another(page, f"%run {target} {shlex.join(arguments)}")
    told: dict[str, Any] = json.loads(printed)
    note(f"a workflow: {told}")
    return told


def test_a_notebook_knows_its_person_s_token(flows: Installation, alice: Page, album: Album) -> None:
    journey.into_lab(alice, f"https://{NAMES[0]}.{keycloak.DOMAIN}", ALICE, album)
    code = "import os; print(len(os.environ['REANA_ACCESS_TOKEN']) > 20, os.environ['REANA_SERVER_URL'])"
    assert journey.run_cell(alice, code, album) == f"True https://{host(NAMES[0])}"
    pod = flows.kubectl.get("pod", "jupyter-alice", f"{NAMES[0]}-notebooks")
    assert "REANA_ACCESS_TOKEN" not in json.dumps(pod)


def test_a_workflow_goes_all_the_way(flows: Installation, alice: Page) -> None:
    image = flows.values()["site"]["images"]["hub"]
    told = run(flows, alice, image, "first")
    assert (told["me"], told["status"], told["result"]) == (MAIL, "finished", "1234")


def test_an_engine_that_is_switched_off_is_told(flows: Installation, alice: Page) -> None:
    printed = journey.run_another(alice, "%run /home/jovyan/workflow_client.py example.org/any second cwl")
    assert "Workflows of type cwl are switched off here" in printed


def test_a_workflow_reads_what_a_notebook_put_into_the_lake(flows: Installation, alice: Page) -> None:
    said = flows.kubectl(
        "exec", "jupyter-alice", "--container", "notebook", "--", "sh", "-c", UPLOAD,
        namespace=f"{NAMES[0]}-notebooks", timeout=200,
    )  # fmt: skip
    note(said)
    image = flows.values()["site"]["images"]["notebook"]
    told = run(flows, alice, image, "third", "serial", FETCH)
    assert (told["status"], told["result"]) == ("finished", "4321"), told["logs"]


def test_new_credentials_leave_her_token_good_and_workflows_run(flows: Installation, alice: Page) -> None:
    """Of the key that closes tokens in the database, of administrator, broker, cache and database."""
    spaces = (NAMES[0], f"{NAMES[0]}-workflows")
    before = rotation.digests(flows.kubectl, *spaces)

    def rotated() -> None:
        rotation.rotate(flows.kubectl, NAMES[0], "once")
        outside.until(
            lambda: outside.status(flows.cluster, f"{NAMES[0]}.{keycloak.DOMAIN}", "/user/alice/api") == 200,
            90,
            "the new proxy's route to her session",
        )

    journey.save_and_open_again(alice, rotated)
    after = rotation.digests(flows.kubectl, *spaces)
    for key in (
        *("reana-secrets/REANA_SECRET_KEY", "reana-admin-access-token/ADMIN_ACCESS_TOKEN"),
        *("reana-message-broker-secrets/password", "reana-cache-secrets/password", "reana-db-secrets/password"),
    ):
        assert before[f"{spaces[1]}/{key}"] != after[f"{spaces[1]}/{key}"], key
    told = run(flows, alice, flows.values()["site"]["images"]["hub"], "fourth")
    assert (told["me"], told["status"], told["result"]) == (MAIL, "finished", "1234")


@pytest.mark.parametrize("name", NAMES)
def test_a_person_logs_in_to_reana_itself(flows: Installation, alice: Page, name: str) -> None:
    """With the login at the provider that she has by now. Of the second tenant the operator does not know that
    its provider is a Keycloak."""
    alice.goto(f"https://{host(name)}/api/oauth/login/keycloak?next=/")
    alice.wait_for_url(f"https://{host(name)}/signin_callback**")
    assert "Successfully" in alice.url
    alice.goto(f"https://{host(name)}/api/you")
    expect(alice.locator("body")).to_contain_text(MAIL)


@pytest.mark.parametrize("name", NAMES)
def test_who_is_in_no_group_is_not_let_in(flows: Installation, started: Browser, name: str) -> None:
    with person(started) as page:
        page.goto(f"https://{host(name)}/api/oauth/login/keycloak?next=/")
        page.locator("#username").fill(BOB.user)
        page.locator("#password").fill(BOB.password)
        page.locator("#kc-login").click()
        page.wait_for_url(f"https://{host(name)}/signin_callback**")
        assert "Unauthorized" in page.url
        answer = page.goto(f"https://{host(name)}/api/you")
        assert answer
        assert answer.status == 401


@pytest.mark.skipif("ui" not in IMAGES, reason="VRE_REANA_IMAGES names no image of REANA's pages")
def test_reana_s_own_pages(flows: Installation, alice: Page, album: Album) -> None:
    alice.goto(f"https://{host(NAMES[0])}/")
    expect(alice.get_by_text("first").first).to_be_visible()
    album.take(alice, "reana-workflows")
