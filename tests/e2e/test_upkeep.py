"""What becomes of a tenant that is Ready: by somebody's hand, by suspension, by a dying operator."""

from __future__ import annotations

import time

import pytest

from dev.demo import tenant
from dev.demo.installation import RELEASE, SYSTEM, Installation, variant
from dev.progress import note
from tests.e2e import outside
from tests.site import eventually

NAMESPACE = "working"
KILLED = "killed"


def test_a_deleted_service_is_back(working: Installation) -> None:
    kubectl = working.kubectl
    before = kubectl.get("service", "hub", NAMESPACE)
    assert before is not None
    kubectl.delete("service", "hub", NAMESPACE)
    after = eventually(lambda: kubectl.get("service", "hub", NAMESPACE))
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["ports"] == before["spec"]["ports"]


def test_an_edited_configmap_is_put_back_and_told(working: Installation) -> None:
    kubectl = working.kubectl
    before = kubectl.get("configmap", "hub-images", NAMESPACE)
    assert before is not None
    kubectl.patch("configmap", "hub-images", {"data": {"images.json": "[]"}}, NAMESPACE)

    def same() -> bool:
        after = kubectl.get("configmap", "hub-images", NAMESPACE)
        return after is not None and after["data"] == before["data"]

    eventually(same)
    events = [event for event in kubectl.list("events", NAMESPACE) if event["reason"] == "Repaired"]
    assert any("hub-images" in event["message"] for event in events)


def test_what_others_add_stays(working: Installation) -> None:
    """Only the fields that we mean to own are taken back."""
    kubectl = working.kubectl
    kubectl.patch("service", "hub", {"metadata": {"annotations": {"example.org/team": "blue"}}}, NAMESPACE)
    kubectl.patch(
        tenant.KIND, NAMESPACE, {"metadata": {"annotations": {"vre.science/reconcile-at": "now"}}}, NAMESPACE
    )
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, steady=3, say=note)
    found = kubectl.get("service", "hub", NAMESPACE)
    assert found is not None
    assert found["metadata"]["annotations"]["example.org/team"] == "blue"


def test_suspension_stops_everything_and_keeps_everything(working: Installation) -> None:
    kubectl = working.kubectl
    kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"suspend": True}}, NAMESPACE)
    found = tenant.wait(
        kubectl,
        NAMESPACE,
        NAMESPACE,
        lambda current: current.get("Ready", {}).get("reason") == "Suspended",
        seconds=300,
        say=note,
    )
    assert tenant.conditions(found)["Stalled"]["status"] == "False"
    eventually(lambda: not running(working))
    assert kubectl.get("pvc", "database", NAMESPACE)

    kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"suspend": False}}, NAMESPACE)
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
    assert outside.status(working.cluster, f"{NAMESPACE}.vre.localhost", "/hub/health") == 200


def running(installation: Installation) -> list[str]:
    """Names of the tenant's pods that have not ended."""
    return [
        pod["metadata"]["name"]
        for pod in installation.kubectl.list("pods", NAMESPACE)
        if pod["status"]["phase"] not in {"Succeeded", "Failed"}
    ]


@pytest.fixture
def killed(installation: Installation) -> Installation:
    installation.kubectl.delete(tenant.KIND, KILLED, KILLED)
    return installation


def test_an_operator_killed_half_way_leaves_one_of_each(killed: Installation) -> None:
    kubectl = killed.kubectl
    killed.create_tenant(variant(KILLED, dataLake={"enabled": False}, deletionPolicy="Delete"))
    for _ in range(4):
        time.sleep(1.5)  # somewhere in its work: where exactly must not matter
        kubectl("delete", "pods", "--all", "--grace-period=0", "--force", namespace=SYSTEM)
    kubectl.rollout(f"deployment/{RELEASE}", SYSTEM, timeout=120)
    tenant.wait_ready(kubectl, KILLED, KILLED, say=note)
    callback = f"https://{KILLED}.vre.localhost/hub/oauth_callback"
    assert len([uri for uri, _ in outside.all_clients(killed.cluster) if uri == callback]) == 1

    # The same on the way down; and deletionPolicy Delete leaves no data either.
    kubectl.delete(tenant.KIND, KILLED, KILLED, wait=False)
    time.sleep(1)
    kubectl("delete", "pods", "--all", "--grace-period=0", "--force", namespace=SYSTEM)
    kubectl.delete(tenant.KIND, KILLED, KILLED, timeout=180)
    assert callback not in outside.clients(killed.cluster)
    assert outside.contents(kubectl, KILLED) == {f"{KILLED}/Secret/keycloak-registration"}
    eventually(lambda: not kubectl.get("namespace", f"{KILLED}-notebooks"))
