"""Who may do what at the API server: a role given to an account."""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.components.context import kube
from vre_operator.engine.resources import Resource, ResourceId

GROUP = "rbac.authorization.k8s.io"


def binding(
    component: str, role: ResourceId, account: ResourceId, needs: Iterable[ResourceId] = ()
) -> Resource:
    """A RoleBinding beside the role, by its name."""
    return Resource(
        id=kube(f"{GROUP}/v1/RoleBinding", role.namespace, role.name),
        component=component,
        body={
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": role.name},
            "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
        },
        needs=frozenset(needs) | {role, account},
        recreate=True,
    )
