"""What the hub may do at the API server: handle the pods and claims of its notebooks' namespace, nothing else.

The verbs are those that KubeSpawner uses (contracts/jupyterhub.md section 1). No Secrets, which would be the
tenant; no `delete` on claims, so that not even a bug in the hub can take a home away (`patch` lets homes grow).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vre_operator.components import ids, rights
from vre_operator.components.context import Environment, kube
from vre_operator.engine.resources import Resource, ResourceId

RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "create", "patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
]


def account(env: Environment) -> ResourceId:
    """The hub's ServiceAccount."""
    return kube("v1/ServiceAccount", env.namespace, ids.HUB)


def render(env: Environment, component: str) -> Iterator[Resource]:
    """Account, rights, and the one given to the other."""
    needs = frozenset({ids.notebooks_namespace(env)})
    yield Resource(
        id=account(env),
        component=component,
        body={"automountServiceAccountToken": False},
        needs=frozenset({ids.tenant_namespace(env)}),
    )
    role = kube(f"{rights.GROUP}/v1/Role", env.notebooks, ids.HUB)
    yield Resource(id=role, component=component, body={"rules": RULES}, needs=needs)
    yield rights.binding(component, role, account(env), needs)
