"""What we write to the API server, and how we know our own objects again."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid
from vre_operator.engine.refs import digest, secret_data
from vre_operator.engine.resources import Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired
from vre_operator.kube.kinds import kind_of
from vre_operator.kube.reflector import Owner
from vre_operator.kube.transport import Object

# "<tenant uid>.<digest of what we applied>": a field that we no longer want would otherwise look settled
# after a restart, and an object whose labels somebody stripped would look like somebody else's.
MARK = f"{names.GROUP}/applied"

NAMESPACE = "v1/Namespace"
SECRET = "v1/Secret"  # noqa: S105
ROUTE = "gateway.networking.k8s.io/v1/HTTPRoute"
GATEWAY = "gateway.networking.k8s.io/v1/Gateway"
CLAIM = "v1/PersistentVolumeClaim"
SESSIONS = f"{names.GROUP}/Sessions"
RUNS = f"{names.GROUP}/Runs"
VIRTUAL = (SESSIONS, RUNS)
"""Kinds that stand for what others make, and we only end."""


def manifest(tenant: Tenant, desired: Desired) -> Object:
    """The whole object to apply, to be changed by nobody. Generated keys of a Secret are not in it."""
    if "manifest" not in desired.memo:
        desired.memo["manifest"] = _manifest(tenant, desired)
    made: Object = desired.memo["manifest"]
    return made


def _manifest(tenant: Tenant, desired: Desired) -> Object:
    resource = desired.resource
    kind = kind_of(resource.id.kind)
    body = {key: value for key, value in desired.body.items() if key not in ("metadata", "stringData")}
    metadata = desired.body.get("metadata") or {}
    if "stringData" in desired.body:
        body["data"] = {**body.get("data", {}), **secret_data(desired.body["stringData"])}
    if kind.name == "NetworkPolicy":
        # Stated, so that a rule that somebody adds is taken back: what is not stated is not ours.
        body["spec"] = {"podSelector": {}, "ingress": [], "egress": [], **body["spec"]}
    labels = dict(metadata.get("labels") or {})
    if resource.policy is not Policy.RELEASE:
        labels |= owner_labels(tenant, resource)
    made: Object = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        **body,
        "metadata": {
            "name": resource.id.name,
            **({"namespace": resource.id.namespace} if resource.id.namespace else {}),
            "labels": labels,
            "annotations": dict(metadata.get("annotations") or {}),
        },
    }
    if resource.generate and tenant.rotation:
        made["metadata"]["annotations"][names.ROTATION_ANNOTATION] = tenant.rotation
    made["metadata"]["annotations"][MARK] = f"{tenant.uid}.{digest([made, sorted(resource.generate)])}"
    return made


def owner_labels(tenant: Tenant, resource: Resource) -> dict[str, str]:
    return {
        names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
        names.PART_OF_LABEL: "vre",
        names.COMPONENT_LABEL: resource.component,
        names.TENANT_NAMESPACE_LABEL: tenant.namespace,
        names.TENANT_NAME_LABEL: tenant.name,
        names.TENANT_UID_LABEL: tenant.uid,
    }


def mark_of(obj: Mapping[str, Any]) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(MARK, ""))


def rotation_of(obj: Mapping[str, Any]) -> str:
    """In which rotation a Secret's generated values were made; "" for the first ones."""
    return str((obj["metadata"].get("annotations") or {}).get(names.ROTATION_ANNOTATION, ""))


def may_apply(tenant: Tenant, owner: Owner | None, mark: str) -> bool:
    """Ours, or left by an earlier life of the same VREEnvironment."""
    return (owner is not None and owner[:2] == tenant.key) or _marked(tenant, mark)


def may_delete(tenant: Tenant, obj: Object) -> bool:
    """Made for this very VREEnvironment."""
    owner = Owner.of(obj["metadata"])
    return (owner is not None and owner.uid == tenant.uid) or _marked(tenant, mark_of(obj))


def _marked(tenant: Tenant, mark: str) -> bool:
    return mark.partition(".")[0] == tenant.uid


def whose(resource: ResourceId, owner: Owner | None) -> tuple[Reason, str]:
    """Reason and message for an object that is not ours."""
    holder = f"belongs to VREEnvironment {owner.namespace}/{owner.name}" if owner else "is not this operator's"
    where = f"{resource.namespace}/" if resource.namespace else ""
    what = f"{resource.kind.rsplit('/', 1)[-1]} {where}{resource.name} exists and {holder}"
    if resource.kind == NAMESPACE:
        return Reason.NAMESPACE_TAKEN, f"{what}. Delete it, or choose another namespace for the VREEnvironment"
    return Reason.OWNED_BY_OTHER, f"{what}. Rename or delete it"


def check_bounds(tenant: Tenant, resource: ResourceId, policy: Policy) -> None:
    """The last wall: whatever a plan says, a tenant's pass stays in its tenant's namespaces. It has two doors:
    to read what the site lends it, and to know whether a Gateway is there, of which nothing else is read."""
    if policy is Policy.EXTERNAL and (resource == tenant.lent or resource.kind == GATEWAY):
        return
    own = (tenant.namespace, tenant.notebooks_namespace, tenant.workflows_namespace)
    if resource.kind in VIRTUAL:
        inside = resource.namespace in own[1:]
    elif resource.kind == NAMESPACE:
        inside = resource.name in (own[:1] if policy is Policy.RELEASE else own[1:])
        inside = inside or policy is Policy.EXTERNAL
    elif kind_of(resource.kind).namespaced:
        inside = resource.namespace in own
    else:
        inside = policy is Policy.EXTERNAL
    if not inside:
        raise Invalid(f"{resource} is outside of the namespaces of {tenant.namespace}/{tenant.name}")


def decode(data: Mapping[str, str] | None) -> dict[str, str]:
    """A Secret's `data` as text; what is no text (a keystore) can't be referred to and is left out."""
    decoded = {}
    for key, value in (data or {}).items():
        try:
            decoded[key] = base64.b64decode(value).decode()
        except ValueError:
            continue
    return decoded
