"""Whether all contenders made the same: what differs by nature is masked here, by name, and nothing else."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.scale.tenants import Json, Key
from vre_operator.api import names
from vre_operator.kube.client import Kube, address
from vre_operator.targets.kubernetes.cache import FOLLOWED
from vre_operator.targets.kubernetes.manifest import MARK

# Given by the API server, once for each object.
_SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
# The uid of the VREEnvironment, and the digest that it is part of.
_UIDS = (("labels", names.TENANT_UID_LABEL), ("annotations", MARK))
# helm signs what it makes.
_HELM = (
    ("labels", names.MANAGED_BY_LABEL),
    ("annotations", "meta.helm.sh/release-name"),
    ("annotations", "meta.helm.sh/release-namespace"),
)
# Addresses from a pool.
_ADDRESSES = ("clusterIP", "clusterIPs")
# Labels of a Job's pods and their selector.
_JOBS = ("controller-uid", "batch.kubernetes.io/controller-uid")
MASKED = (
    *(f"metadata.{name}" for name in _SERVERS),
    *(f"metadata.{where}[{name}]" for where, name in (*_UIDS, *_HELM)),
    *(f"Service.spec.{name}" for name in _ADDRESSES),
    "Secret.data.* (values, generated)",
    *(
        f"Job.spec.{where}[{name}]"
        for where in ("selector.matchLabels", "template.metadata.labels")
        for name in _JOBS
    ),
    # Digests over generated values.
    "spec.template.metadata.annotations.* (values)",
    "status",
)


def normal(obj: Mapping[str, Any]) -> Json:
    """The object without what differs by nature."""
    made = copy.deepcopy(dict(obj))
    made.pop("status", None)
    metadata = made["metadata"]
    for name in _SERVERS:
        metadata.pop(name, None)
    for where, name in (*_UIDS, *_HELM):
        (metadata.get(where) or {}).pop(name, None)
    for where in ("labels", "annotations"):
        if not metadata.get(where):
            metadata.pop(where, None)
    if made["kind"] == "Service":
        for name in _ADDRESSES:
            made["spec"].pop(name, None)
    if made["kind"] == "Secret":
        made["data"] = dict.fromkeys(made.get("data") or {}, "masked")
    if made["kind"] == "Job":
        for name in _JOBS:
            made["spec"]["selector"]["matchLabels"].pop(name, None)
            made["spec"]["template"]["metadata"]["labels"].pop(name, None)
    template = (made.get("spec") or {}).get("template") or {}
    if annotations := template.get("metadata", {}).get("annotations"):
        template["metadata"]["annotations"] = dict.fromkeys(annotations, "masked")
    return made


async def standing(kube: Kube, namespaces: Iterable[str]) -> dict[Key, Json]:
    """Every object of the tenants' kinds in these namespaces, normal, but for what the cluster puts there."""
    wanted = set(namespaces)
    found = {}
    for kind in FOLLOWED:
        async for page in kube.pages(kind):
            for obj in page.items:
                key = address(obj)
                place = key[2] if kind == "v1/Namespace" else key[1]
                if place in wanted and not _clusters_own(key):
                    found[key] = normal(obj)
    return found


def digest(objects: Mapping[Key, Json]) -> dict[Key, str]:
    return {
        key: hashlib.sha256(json.dumps(obj, sort_keys=True).encode()).hexdigest()
        for key, obj in objects.items()
    }


def differences(one: Mapping[Key, Json], other: Mapping[Key, Json]) -> Iterator[str]:
    """What a person needs to find the cause."""
    for key in sorted(one.keys() | other.keys()):
        if key not in one or key not in other:
            yield f"{key}: only {'the first' if key in one else 'the second'} has it"
        else:
            for path, left, right in _unequal(one[key], other[key], ""):
                yield f"{key}{path}: {left!r} and {right!r}"


def _unequal(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from _unequal(one.get(name), other.get(name), f"{path}.{name}")
    elif one != other:
        yield path, one, other


def _clusters_own(key: Key) -> bool:
    kind, _, name = key
    return (kind, name) in {("v1/ConfigMap", "kube-root-ca.crt"), ("v1/ServiceAccount", "default")} or (
        (kind, name) in {("v1/Secret", "login-client"), ("v1/ConfigMap", "wish")}
    )
