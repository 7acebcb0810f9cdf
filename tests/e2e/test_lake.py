"""A data lake in pods: what is declared is in its Rucio, the daemons live, and what is wrong is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.demo import tenant
from dev.demo.installation import Installation, variant
from dev.progress import note
from tests.e2e import outside, rotation
from tests.e2e.lake import DISK, NAMESPACE, RUCIO, TAPE, WORKER, change, inside


def test_what_is_declared_is_there(lake: Installation) -> None:
    seen = inside(lake)
    fts = f"http://transfers.{NAMESPACE}.svc.cluster.local:8446"
    assert seen["rses"]["LAKE-DISK"] == {"LAKE-DISK": True, "country": "FR", "fts": fts}
    assert seen["rses"]["LAKE-A"]["oidc_support"] is True
    assert "LAKE-TAPE" in seen["rses"]
    assert seen["accounts"] == ["alice", "root", "worker"], "alice alone is in the group researchers"
    assert seen["distances"] == 4 * 3


def test_the_daemons_live(lake: Installation) -> None:
    """A Deployment is available when each of its containers gave a sign of life."""
    for name, programs in (("rucio-rules", 8), ("rucio-deletion", 1), ("rucio-transfers", 3)):
        found = lake.kubectl.get("deployment", name, NAMESPACE)
        assert found is not None
        assert found["status"]["availableReplicas"] == 1
        assert len(found["spec"]["template"]["spec"]["containers"]) == programs
    pods = lake.kubectl.list("pods", NAMESPACE)
    restarts = {
        pod["metadata"]["name"]: one["restartCount"]
        for pod in pods
        for one in pod["status"]["containerStatuses"]
    }
    assert not any(restarts.values()), restarts


def test_a_rule_brings_a_second_replica_and_its_end_takes_it_away(lake: Installation) -> None:
    """Upload with the provider's token, third-party copy, checksum, deletion: each by whose task it is."""
    told = lake.kubectl(
        "exec",
        "deployment/rucio-transfers",
        "--container",
        "conveyor-submitter",
        "--",
        "python3",
        "-c",
        (Path(__file__).parent / "lake_journey.py").read_text(),
        "LAKE-A",
        "LAKE-B",
        "lake",
        str(100 << 20),
        namespace=NAMESPACE,
        timeout=1000,
    )
    steps = json.loads(told.splitlines()[-1])
    note(f"a file of 100 MB: {steps}")
    assert steps["rule"] == "OK"
    assert steps["copy"] == steps["checksum"]
    assert steps["source"] == steps["checksum"]
    assert steps["anonymous"] == steps["other"] == 403
    assert steps["removed"] == 404


def test_a_probe_goes_the_whole_way(lake: Installation) -> None:
    """Both storages, both ways: writing, copies by rules, reading, deletion."""
    lake.kubectl("create", "job", "--from=cronjob/rucio-probe", "probe-now", namespace=NAMESPACE)
    lake.kubectl(
        "wait", "job/probe-now", "--for=condition=Complete", "--timeout=600s", namespace=NAMESPACE, timeout=620
    )
    told = lake.kubectl("logs", "job/probe-now", namespace=NAMESPACE)
    note(f"a probe: {told.splitlines()}")
    assert told.splitlines()[-1] == "all is well with LAKE-A, LAKE-B"
    found = tenant.conditions(tenant.get(lake.kubectl, NAMESPACE, NAMESPACE))
    assert found["DataLakeWorks"]["status"] == "True"


def test_a_second_rse_comes_by_apply(lake: Installation) -> None:
    change(lake, dataLake={"rses": [DISK, TAPE, {"name": "LAKE-LYON"}]})
    tenant.wait_ready(lake.kubectl, NAMESPACE, NAMESPACE, seconds=300, say=note)
    seen = inside(lake)
    assert "LAKE-LYON" in seen["rses"]
    assert seen["distances"] == 5 * 4


def test_what_rucio_refuses_is_told_and_mended(lake: Installation) -> None:
    thief = {"name": "thief", "scopes": ["lake"]}
    change(lake, dataLake={"accounts": [WORKER, thief]})

    def told(current: Mapping[str, Any]) -> bool:
        return "already exists" in current.get("DataLakeReady", {}).get("message", "")

    found = tenant.wait(lake.kubectl, NAMESPACE, NAMESPACE, told, seconds=300, say=note)
    condition = tenant.conditions(found)["DataLakeReady"]
    assert condition["reason"] == "Rejected"
    assert "Scope 'lake'" in condition["message"]
    assert "Account thief" in condition["message"]
    server = lake.kubectl.get("deployment", "rucio", NAMESPACE)
    assert server is not None
    assert server["status"]["availableReplicas"] == 1
    change(lake, dataLake={"accounts": []})
    tenant.wait_ready(lake.kubectl, NAMESPACE, NAMESPACE, seconds=300, say=note)
    assert inside(lake)["accounts"] == ["alice", "root"], "suspended, both of them"


def test_suspended_and_back(lake: Installation) -> None:
    change(lake, suspend=True)
    tenant.wait(
        lake.kubectl,
        NAMESPACE,
        NAMESPACE,
        lambda current: current.get("Ready", {}).get("reason") == "Suspended",
        seconds=300,
        say=note,
    )
    change(lake, suspend=False, dataLake={"accounts": [WORKER]})
    tenant.wait_ready(lake.kubectl, NAMESPACE, NAMESPACE, seconds=300, say=note)
    assert inside(lake)["accounts"] == ["alice", "root", "worker"]


def test_another_tenant_attaches_to_it_and_leaves_it_as_it_is(lake: Installation) -> None:
    guests = "guests"
    login = outside.secret(lake.kubectl, NAMESPACE, "rucio-root")
    lake.kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": guests}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "rucio-login", "namespace": guests},
            "stringData": {name: login[name] for name in ("username", "password")},
        },
    )
    attach = {"url": f"https://{RUCIO}", "credentialsSecret": {"name": "rucio-login"}}
    wish = {"enabled": True, "attach": attach, "rses": [{"name": "GUEST-DISK"}]}
    manifest = variant(guests, notebooks={"enabled": False}, dataLake=wish, deletionPolicy="Delete")
    lake.create_tenant(manifest)
    tenant.wait_ready(lake.kubectl, guests, guests, seconds=300, say=note)
    assert "GUEST-DISK" in inside(lake)["rses"]
    made = lake.kubectl.list("deployments,statefulsets,jobs", guests)
    assert [one["metadata"]["name"] for one in made] == ["page"], "which names the lake, and nothing of Rucio's"
    lake.kubectl.delete(tenant.KIND, guests, guests, timeout=120)
    assert "GUEST-DISK" in inside(lake)["rses"], "no RSE is ever removed"


def test_new_credentials_and_the_lake_goes_on(lake: Installation) -> None:
    """Of root, of the database, of the clients: afterwards a file goes the whole way, and what is declared is
    seen to."""
    kubectl = lake.kubectl
    before = rotation.digests(kubectl, NAMESPACE)
    rotation.rotate(kubectl, NAMESPACE, "once")
    after = rotation.digests(kubectl, NAMESPACE)
    for key in ("rucio-root/password", "rucio-config/rucio.cfg", "database-superuser/password"):
        assert before[f"{NAMESPACE}/{key}"] != after[f"{NAMESPACE}/{key}"], key
    kubectl("create", "job", "--from=cronjob/rucio-probe", "probe-rotated", namespace=NAMESPACE)
    kubectl(
        *("wait", "job/probe-rotated", "--for=condition=Complete", "--timeout=600s"),
        namespace=NAMESPACE,
        timeout=620,
    )
    assert "LAKE-DISK" in inside(lake)["rses"]
