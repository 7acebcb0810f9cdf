"""From a manifest to a workflow that a person starts in a notebook, with REANA's own programs.

Their images are in registries that do not answer everywhere: VRE_REANA_IMAGES names them, a JSON object with
server, workflowController, jobController, serial, messageBroker, cache and, for images that are in no registry,
archives, a list of files. Where it is not set, these tests are skipped; docs/verification.md has what was seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from dev import keycloak
from dev.demo import journey, tenant
from dev.demo.browser import person
from dev.demo.installation import ALICE, Installation, variant
from dev.demo.journey import Album
from dev.progress import note

IMAGES: dict[str, Any] = json.loads(os.environ.get("VRE_REANA_IMAGES", "{}"))
pytestmark = pytest.mark.skipif(not IMAGES, reason="VRE_REANA_IMAGES names no images of REANA")

CLIENT = Path(__file__).with_name("workflow_client.py")
NAMES = ("flow-a", "flow-b")
WORKFLOWS = {"engines": ["Serial"], "volume": {"size": "1Gi", "accessMode": "ReadWriteOnce"}}


def wish(name: str) -> dict[str, Any]:
    workflows = WORKFLOWS | {"enabled": True, "hostname": f"reana-{name}.{keycloak.DOMAIN}"}
    return variant(name, dataLake={"enabled": False}, workflows=workflows, deletionPolicy="Delete")


@pytest.fixture(scope="module")
def flows(installation: Installation) -> Iterator[Installation]:
    """Two tenants with workflows, both Ready."""
    installation.cluster.load(map(Path, IMAGES.get("archives", ())))
    values = installation.values()
    none = dict.fromkeys(("snakemake", "cwl", "yadage"), "example.org/none")
    engines = {key: IMAGES[key] for key in ("server", "workflowController", "jobController", "serial")}
    shared = {key: IMAGES[key] for key in ("messageBroker", "cache")}
    values["site"]["images"]["reana"] = {"v095": none | engines, **shared}
    installation.install_operator(values)
    for name in NAMES:
        installation.create_tenant(wish(name))
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
    printed = journey.run_another(page, f"%run {target} {' '.join(arguments)}")
    told: dict[str, Any] = json.loads(printed)
    note(f"a workflow: {told}")
    return told


def test_a_notebook_knows_its_person_s_token(flows: Installation, alice: Page, album: Album) -> None:
    journey.into_lab(alice, f"https://{NAMES[0]}.{keycloak.DOMAIN}", ALICE, album)
    code = "import os; print(len(os.environ['REANA_ACCESS_TOKEN']) > 20, os.environ['REANA_SERVER_URL'])"
    assert journey.run_cell(alice, code, album) == f"True https://reana-{NAMES[0]}.{keycloak.DOMAIN}"
    pod = flows.kubectl.get("pod", "jupyter-alice", f"{NAMES[0]}-notebooks")
    assert "REANA_ACCESS_TOKEN" not in json.dumps(pod)


def test_a_workflow_goes_all_the_way(flows: Installation, alice: Page) -> None:
    image = flows.values()["site"]["images"]["hub"]
    told = run(flows, alice, image, "first")
    assert (told["me"], told["status"], told["result"]) == (f"alice@{keycloak.DOMAIN}", "finished", "1234")


def test_an_engine_that_is_switched_off_is_told(flows: Installation, alice: Page) -> None:
    printed = journey.run_another(alice, "%run /home/jovyan/workflow_client.py example.org/any second cwl")
    assert "Workflows of type cwl are switched off here" in printed
