"""What REANA may do at the API server, all of it in the tenant's namespace of workflows.

The verbs are those that its code uses (contracts/reana.md section 1.6). The token of the account
`reana-runtime` lies open to the code of people's workflows: it reads people's own Secrets by name, and what
Jobs it may make the chart's ValidatingAdmissionPolicy says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vre_operator.components import ids, rights
from vre_operator.components.context import Environment, kube, reana
from vre_operator.components.reana.settings import Names
from vre_operator.engine.refs import Parsed, Ref
from vre_operator.engine.resources import Resource

INFRASTRUCTURE: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["create", "delete"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "delete"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["create", "delete"]},
]
_RUNTIME: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]},
]


def render(env: Environment, component: str) -> Iterator[Resource]:
    """What stands before any pod."""
    names, namespace = Names(env), frozenset({ids.workflows_namespace(env)})
    # Jobs and sessions of people are `default`, without a token. The pod of an engine takes what its account
    # says.
    for account, token in ((names.infrastructure, False), (names.runtime, True)):
        body = {"automountServiceAccountToken": token} | _pull_secrets(env)
        yield Resource(id=account, component=component, body=body, needs=namespace)
    role = kube(f"{rights.GROUP}/v1/Role", env.workflows, names.infrastructure.name)
    yield Resource(id=role, component=component, body={"rules": INFRASTRUCTURE}, needs=namespace)
    yield rights.binding(component, role, names.infrastructure)


def runtime(env: Environment, component: str) -> Iterator[Resource]:
    """What stands once REANA's people are known: without a name the right would be one to all Secrets."""
    role = kube(f"{rights.GROUP}/v1/Role", env.workflows, Names(env).runtime.name)
    secrets = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get"],
        "resourceNames": Parsed(Ref(reana("People", "people"), "stores", ready=False)),
    }
    yield Resource(
        id=role,
        component=component,
        body={"rules": [*_RUNTIME, secrets]},
        needs=frozenset({ids.workflows_namespace(env)}),
    )
    yield rights.binding(component, role, Names(env).runtime)


def _pull_secrets(env: Environment) -> dict[str, Any]:
    """REANA itself names none for the pods of engines."""
    secrets = env.site.image_pull_secrets
    return {"imagePullSecrets": [{"name": name} for name in secrets]} if secrets else {}
