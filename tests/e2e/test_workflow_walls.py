"""Two tenants with workflows on one node: what a pod of the one can do at the other.

REANA's own images come from registries, so its server does not run here (test_workflows.py has that); database,
broker, cache, accounts and the API server are real, and so is the pod that tries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev import keycloak
from dev.demo import tenant
from dev.demo.installation import Installation, variant
from dev.progress import note
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components import reana
from vre_operator.engine.refs import resolve

NAMES = ("apart-a", "apart-b")
ENGINE = "reana-runtime"
ATTACKS = Path(__file__).with_name("workflow_attacks.py")


def wish(name: str) -> dict[str, Any]:
    workflows = {
        "enabled": True,
        "hostname": f"reana-{name}.{keycloak.DOMAIN}",
        "volume": {"size": "64Mi", "accessMode": "ReadWriteOnce"},
    }
    # The first has notebooks for their database, which is another role's.
    notebooks = {"enabled": name == NAMES[0]}
    parts = {"dataLake": {"enabled": False}, "notebooks": notebooks, "workflows": workflows}
    return variant(name, deletionPolicy="Delete", **parts)


def stands(installation: Installation, name: str) -> bool:
    """All that REANA stands on."""
    kubectl, space = installation.kubectl, f"{name}-workflows"
    broker = kubectl.get("statefulset", "reana-message-broker", space)
    cache = kubectl.get("deployment", "reana-cache", space)
    made = kubectl.list("jobs", name)
    database = [job for job in made if job["metadata"]["name"].startswith("database-")]
    return (
        all((one or {}).get("status", {}).get("readyReplicas") == 1 for one in (broker, cache))
        and len(database) == (2 if name == NAMES[0] else 1)
        and all(job["status"].get("succeeded") for job in database)
    )


@pytest.fixture(scope="module")
def apart(installation: Installation) -> Iterator[Installation]:
    kubectl = installation.kubectl
    for name in NAMES:
        installation.create_tenant(wish(name))
    for name in NAMES:
        tenant.wait(
            kubectl,
            name,
            name,
            lambda _, name=name: stands(installation, name),  # type: ignore[misc]
            seconds=600,
            say=note,
        )
    yield installation
    for name in NAMES:
        kubectl.delete(tenant.KIND, name, name)


def entitled(space: str) -> list[dict[str, Any]]:
    """What an engine may do. The operator's own Role waits for REANA's people, of whom there are none here."""
    spec = QUICKSTART | {"workflows": {"enabled": True, "hostname": "reana.example.org"}}
    (role,) = [
        one for one in reana.render(environment(spec)) if (one.id.name, one.id.kind[-5:]) == (ENGINE, "/Role")
    ]
    group = "rbac.authorization.k8s.io"
    rules = resolve(role.body, lambda _: '["reana-secretsstore-1"]', str)
    named = {"metadata": {"name": "as-an-engine", "namespace": space}}
    return [
        {"apiVersion": f"{group}/v1", "kind": "Role", **named, **rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            **named,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "as-an-engine"},
            "subjects": [{"kind": "ServiceAccount", "name": ENGINE, "namespace": space}],
        },
    ]


@pytest.fixture(scope="module")
def told(apart: Installation) -> dict[str, Any]:
    """What a pod finds that looks and is entitled as an engine of the first tenant's.

    It has more than that: the passwords that REANA gives to engines, and the cache's besides."""
    space = f"{NAMES[0]}-workflows"

    def of(secret: str, key: str) -> dict[str, Any]:
        return {"secretKeyRef": {"name": f"reana-{secret}-secrets", "key": key}}

    given = {
        "DB_USER": of("db", "user"),
        "DB_PASSWORD": of("db", "password"),
        "MQ_USER": of("message-broker", "user"),
        "MQ_PASSWORD": of("message-broker", "password"),
        "CACHE_USER": of("cache", "user"),
        "CACHE_PASSWORD": of("cache", "password"),
    }
    program = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "attacks", "namespace": space},
        "data": {ATTACKS.name: ATTACKS.read_text()},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "engine", "namespace": space, "labels": {"reana_workflow_mode": "batch"}},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "reana-runtime",
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000},
            "containers": [
                {
                    "name": "engine",
                    "image": apart.values()["site"]["images"]["hub"],
                    "command": ["python3", f"/attacks/{ATTACKS.name}", NAMES[1]],
                    "env": [
                        {"name": "TENANT", "value": NAMES[0]},
                        *({"name": name, "valueFrom": source} for name, source in given.items()),
                    ],
                    "volumeMounts": [{"name": "attacks", "mountPath": "/attacks"}],
                }
            ],
            "volumes": [{"name": "attacks", "configMap": {"name": "attacks"}}],
        },
    }
    kubectl = apart.kubectl
    kubectl.apply(*entitled(space), program, pod)
    kubectl("wait", "pod/engine", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s", namespace=space)
    found: dict[str, Any] = json.loads(kubectl("logs", "pod/engine", namespace=space).splitlines()[-1])
    note(f"attacks: {found}")
    return found


def test_what_is_one_s_own_works(told: dict[str, Any]) -> None:
    """Else nothing that fails below would mean anything."""
    assert told["own"] == {"postgres": True, "broker": True, "cache": True, "pods": 200, "job": 201}


@pytest.mark.attack("researcher's job", "on a real node")
def test_nothing_of_another_tenant_is_in_reach(told: dict[str, Any]) -> None:
    assert {key: told["other"][key] for key in ("postgres", "broker", "cache")} == {
        "postgres": False,
        "broker": False,
        "cache": False,
    }
    asked = {key: value for key, value in told["other"].items() if key not in ("postgres", "broker", "cache")}
    assert asked == dict.fromkeys(asked, 403)
    assert len(asked) == 5


@pytest.mark.attack("researcher's job", "on a real node")
def test_nothing_beside_it_in_the_same_tenant_is_in_reach(told: dict[str, Any]) -> None:
    beside = dict(told["beside"])
    assert beside.pop("the hub's database") is False
    assert set(beside.values()) <= {403, 422}
    assert len(beside) == 7


def test_without_reana_s_images_the_condition_names_them(apart: Installation) -> None:
    found = tenant.wait(
        apart.kubectl,
        NAMES[0],
        NAMES[0],
        lambda current: current.get("WorkflowsReady", {}).get("reason") == "ImagePullFailed",
        seconds=300,
        say=note,
    )
    message = tenant.conditions(found)["WorkflowsReady"]["message"]
    assert "docker.io/reanahub/reana-" in message
