"""Whether the walls hold, tried on a real node: this cluster enforces no policies, and a wall by hand does.

The hand-made one is what a network plugin does to one pod: rules of the firewall of the node for its address;
as with some plugins they come only when the pod runs already.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dev import keycloak
from dev.cluster.layout import state_dir
from dev.demo import tenant
from dev.demo.installation import Installation, variant
from dev.progress import note
from dev.system import find
from vre_operator.api.conditions import Reason

NAMESPACE, BEYOND = "walled", "beyond"
SPACE = f"{NAMESPACE}-notebooks"
VRE = Path(sys.executable).with_name("vre")
# What policies leave open to the trial: names, the hub, the canary's control.
OPEN = (("udp", 53), ("tcp", 53), ("tcp", 8081), ("tcp", 8090))


def vre(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`vre selftest isolation` as an admin calls it."""
    env = os.environ | {"KUBECONFIG": str(installation.cluster.kubeconfig)}
    command = [str(VRE), "selftest", "isolation", "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=400, check=False)
    note(f"$ vre selftest isolation {' '.join(arguments)}\n{done.stderr}{done.stdout}exit {done.returncode}")
    return done


def attempts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What was tried, by name and address, and its result."""
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith((SPACE, f"{BEYOND}-")) and line.count("  ") >= 2:
            _, result, rest = line.split(None, 2)
            found[rest] = result
    return found


def result(found: dict[str, str], what: str) -> str:
    (told,) = {state for attempt, state in found.items() if attempt.startswith(what)}
    return told


@pytest.fixture(scope="module")
def walled(installation: Installation) -> Iterator[Installation]:
    kubectl = installation.kubectl
    plain = {"dataLake": {"enabled": False}, "deletionPolicy": "Delete"}
    # REANA's images are in registries alone: it never starts, and the trial among its jobs does.
    workflows = {
        "enabled": True,
        "hostname": f"reana-{BEYOND}.{keycloak.DOMAIN}",
        "volume": {"size": "64Mi", "accessMode": "ReadWriteOnce"},
    }
    beyond = plain | {"notebooks": {"enabled": False}, "workflows": workflows}
    installation.create_tenant(variant(NAMESPACE, **plain))
    installation.create_tenant(variant(BEYOND, **beyond))
    tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
    let_pass(installation)
    yield installation
    for name in (NAMESPACE, BEYOND):
        kubectl.delete(tenant.KIND, name, name)


def let_pass(installation: Installation) -> None:
    """The trial of this hour, if it would come in the middle of the tests."""
    found = installation.kubectl.get("cronjob", "isolation", SPACE)
    assert found is not None
    minute = int(found["spec"]["schedule"].split()[0])
    while (minute - datetime.now(UTC).minute) % 60 < 4:
        time.sleep(5)


def isolated(installation: Installation, reason: str, status: str) -> dict[str, Any]:
    """The conditions, once Isolated is so."""
    found = tenant.wait(
        installation.kubectl,
        NAMESPACE,
        NAMESPACE,
        lambda now: (now["Isolated"]["reason"], now["Isolated"]["status"]) == (reason, status),
        seconds=60,
        say=note,
    )
    return tenant.conditions(found)


@contextmanager
def wall(installation: Installation) -> Iterator[None]:
    """Around the next trial's pod: rules of the node, for one address."""
    command, made, over = firewall(installation), list[list[str]](), threading.Event()
    before = {pod["metadata"]["name"] for pod in trials(installation)}

    def rules(address: str) -> list[list[str]]:
        mine = ["--source", address, "--match", "comment", "--comment", "vre-test-isolation"]
        chains = [
            [chain, *mine, "--protocol", protocol, "--destination-port", str(port), "--jump", "ACCEPT"]
            for chain in ("FORWARD", "INPUT")
            for protocol, port in OPEN
        ]
        return [*chains, ["FORWARD", *mine, "--jump", "DROP"], ["INPUT", *mine, "--jump", "DROP"]]

    def build() -> None:
        while not over.is_set():
            fresh = [pod for pod in trials(installation) if pod["metadata"]["name"] not in before]
            if fresh and (address := fresh[0]["status"].get("podIP")):
                # In front of all others, so the last one first.
                for rule in reversed(rules(address)):
                    subprocess.run([*command, "--insert", *rule], check=True, capture_output=True)
                    made.append(rule)
                return
            time.sleep(0.2)

    building = threading.Thread(target=build)
    building.start()
    try:
        yield
    finally:
        over.set()
        building.join()
        for rule in made:
            subprocess.run([*command, "--delete", *rule], check=True, capture_output=True)
    assert made, "no trial came"


def trials(installation: Installation) -> list[dict[str, Any]]:
    return installation.kubectl.list("pods", SPACE, "app.kubernetes.io/name=isolation")


def firewall(installation: Installation) -> list[str]:
    """The command of the node's own firewall: the node is a network namespace of this machine."""
    top = int((state_dir(installation.cluster.name) / "supervisor.pid").read_text())
    parents, kubelets = dict[int, int](), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # many end meanwhile
            head, _, rest = stat.read_text().rpartition(")")
            parents[int(stat.parent.name)] = int(rest.split()[1])
            if head.endswith("(kubelet"):
                kubelets.append(int(stat.parent.name))
    (kubelet,) = [pid for pid in kubelets if top in ancestors(pid, parents)]
    return ["nsenter", f"--net=/proc/{kubelet}/ns/net", "--", find("iptables") or "iptables", "--wait"]


def ancestors(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def test_a_cluster_that_enforces_nothing_is_told_so_in_the_tenants_status(walled: Installation) -> None:
    done = vre(walled)
    assert done.returncode == 1, done.stderr
    found = attempts(done)
    assert result(found, "canary's open port") == "reached"
    assert result(found, "canary that no policy opens") == "open"
    for what in ("API server  ", "API server by its address", "database", "proxy's orders", "node: kubelet  "):
        assert result(found, what) == "open", what
    assert result(found, "mounted credentials") == "stopped"
    assert result(found, "credentials in the environment") == "stopped"
    assert "enforces no NetworkPolicy" in done.stdout.splitlines()[-1]

    current = isolated(walled, Reason.NETWORK_POLICY_NOT_ENFORCED, "False")
    assert "Install a plugin that does, such as Calico or Cilium" in current["Isolated"]["message"]
    assert (current["Ready"]["status"], current["Ready"]["reason"]) == ("True", "NetworkPolicyNotEnforced")
    assert "Isolated: " in current["Ready"]["message"]
    told = walled.kubectl.list("events", NAMESPACE)
    (event,) = [one for one in told if one["reason"] == "NetworkPolicyNotEnforced"]
    assert event["type"] == "Warning"


def test_with_a_wall_the_verdict_turns(walled: Installation) -> None:
    with wall(walled):
        done = vre(walled)
    assert done.returncode == 0, done.stdout
    found = attempts(done)
    assert set(found.values()) == {"reached", "stopped"}
    assert result(found, "hub") == "reached"
    assert done.stdout.splitlines()[-1].endswith("attempts, all stopped")
    current = isolated(walled, Reason.READY, "True")
    assert (current["Ready"]["status"], current["Ready"]["reason"]) == ("True", "Ready")


def test_a_neighbour_is_tried_and_the_condition_knows_nothing_of_it(walled: Installation) -> None:
    def told() -> dict[str, Any]:
        return tenant.conditions(tenant.get(walled.kubectl, NAMESPACE, NAMESPACE))["Isolated"]

    before = told()
    done = vre(walled, "--neighbour", BEYOND)
    assert done.returncode == 1
    found = attempts(done)
    assert result(found, f"Service {BEYOND}/database") == "open"
    left = walled.kubectl.list("jobs", SPACE)
    assert BEYOND not in str([one["spec"] for one in left])
    assert told() == before


def test_a_job_of_a_workflow_is_tried_too(walled: Installation) -> None:
    done = vre(walled, "--namespace", BEYOND)
    assert done.returncode == 1, done.stderr
    found = attempts(done)
    assert result(found, "canary that no policy opens") == "open"
    assert result(found, "reana-message-broker") == "open"
    assert f"{BEYOND}-workflows: the cluster's network plugin enforces no NetworkPolicy: a job" in done.stdout
