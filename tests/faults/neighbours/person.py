"""What a person, or another controller, does beside the operator, and how long each waits to see its effect."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dev.cluster import Cluster
from dev.oidc.provider import Registry
from tests.site import GUARD_SECONDS
from vre_operator.api import names
from vre_operator.engine.errors import Conflict, NotFound
from vre_operator.engine.inventory import Entry, Inventory
from vre_operator.engine.resources import ResourceId
from vre_operator.kube.client import Kube
from vre_operator.kube.transport import Request
from vre_operator.targets.kubernetes.cache import FOLLOWED

T = TypeVar("T")
Json = dict[str, Any]
VRE = f"{names.API_VERSION}/{names.KIND}"
LAKE: Json = {"enabled": True, "history": {"keepDays": 365}}
CATALOGUE: Json = {"entries": [{"name": "base", "image": "example.org/base:1", "prePull": True}]}
"""With both a tenant has objects of every kind that is followed."""
NAMESPACE = "v1/Namespace"
DATA = ("v1/PersistentVolumeClaim", "v1/Secret")


class Hung(AssertionError):
    """A state was not reached; the text says what was seen last."""


async def until(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], object] = bool, seconds: float = GUARD_SECONDS
) -> T:
    """What `look` finds as soon as it `holds`."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        if time.monotonic() > deadline:
            raise Hung(f"still {seen!r}"[:2000])
        await asyncio.sleep(0.03)
    return seen


@dataclass(frozen=True, slots=True)
class Person:
    """With an administrator's rights, and not the operator's client's caches."""

    kube: Kube
    registry: Registry

    @classmethod
    @asynccontextmanager
    async def at(cls, cluster: Cluster, registry: Registry) -> AsyncIterator[Person]:
        async with Kube.from_kubeconfig(str(cluster.kubeconfig)) as kube:
            yield cls(kube, registry)

    async def create(
        self, kind: str, namespace: str, name: str, labels: Mapping[str, str] | None = None, **body: Any
    ) -> Json:
        api_version, _, short = kind.rpartition("/")
        metadata: Json = {"name": name, "labels": dict(labels or {})}
        if namespace:
            metadata["namespace"] = namespace
        return await self.kube.create({"apiVersion": api_version, "kind": short, "metadata": metadata, **body})

    async def get(self, kind: str, namespace: str, name: str) -> Json | None:
        try:
            return await self.kube.get(kind, namespace, name)
        except NotFound:
            return None

    async def patch(self, kind: str, namespace: str, name: str, *operations: Mapping[str, Any]) -> Json:
        """A JSON patch."""
        return await self._send(Request("patch", kind, namespace, name, body=list(operations)))

    async def edit(self, kind: str, namespace: str, name: str, change: Callable[[Json], object]) -> Json:
        """Read, change, replace, until nobody came between."""
        while True:
            obj = await self.kube.get(kind, namespace, name)
            change(obj)
            try:
                return await self._send(Request("update", kind, namespace, name, body=obj))
            except Conflict:
                continue

    async def _send(self, request: Request) -> Json:
        # The client signs with the operator's name otherwise.
        return await self.kube._transport.call(replace(request, query={"fieldManager": "person"}))

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        try:
            await self.kube.delete(kind, namespace, name)
        except NotFound:
            return

    def wish(self, **spec: Any) -> Json:
        identity = {"issuer": self.registry.issuer, "provider": "generic-dcr", "allowAll": True}
        return {"identity": identity, "dataLake": LAKE} | spec

    async def make(self, tenant: str, labels: Mapping[str, str] | None = None, **spec: Any) -> Json:
        """A VREEnvironment, and its namespace where there is none."""
        if await self.get(NAMESPACE, "", tenant) is None:
            await self.create(NAMESPACE, "", tenant, labels)
        return await self.create(VRE, tenant, "vre", spec=self.wish(hostname=f"{tenant}.example.org") | spec)

    async def vre(self, tenant: str) -> Json | None:
        return await self.get(VRE, tenant, "vre")

    async def change(self, tenant: str, **spec: Any) -> None:
        await self.edit(VRE, tenant, "vre", lambda obj: obj["spec"].update(spec))

    async def conditions(self, tenant: str) -> dict[str, tuple[str, str]]:
        """(reason, message) by type; nothing while the operator has not seen the newest wish."""
        vre = await self.vre(tenant)
        status = (vre or {}).get("status") or {}
        if vre is None or status.get("observedGeneration") != vre["metadata"]["generation"]:
            return {}
        return {item["type"]: (item["reason"], item["message"]) for item in status["conditions"]}

    async def settled(self, tenant: str, reason: str = "Ready", which: str = "Ready") -> str:
        """Wait for a condition's reason; its message."""
        seen = await until(
            lambda: self.conditions(tenant), lambda found: which in found and found[which][0] == reason
        )
        return seen[which][1]

    async def all_settled(self, tenants: Iterable[str]) -> None:
        for tenant in tenants:
            await self.settled(tenant)

    async def gone(self, kind: str, namespace: str, name: str) -> None:
        await until(lambda: self.get(kind, namespace, name), lambda obj: obj is None)

    async def remove(self, tenant: str) -> None:
        """The VREEnvironment and its namespaces, with all that is in them."""
        await self.delete(VRE, tenant, "vre")
        await self.gone(VRE, tenant, "vre")
        for namespace in namespaces(tenant):
            await self.delete(NAMESPACE, "", namespace)

    async def inventory(self, tenant: str) -> list[ResourceId]:
        """The tenant's objects in the cluster, by what its status tells."""
        vre = await self.vre(tenant)
        assert vre is not None
        return [entry.id for entry in entries(vre) if entry.id.kind in FOLLOWED]

    async def state(self, tenant: str) -> dict[str, Json]:
        """The essence of all objects in the tenant's namespaces, and of these."""
        found = {}
        for kind in FOLLOWED:
            for namespace in namespaces(tenant):
                if kind == NAMESPACE:
                    objects = [obj] if (obj := await self.get(kind, "", namespace)) else []
                else:
                    objects = list(await self.kube.list(kind, namespace))
                for obj in objects:
                    found[f"{kind} {namespace}/{obj['metadata']['name']}"] = essence(obj)
        return found


def entries(vre: Mapping[str, Any]) -> list[Entry]:
    """What the status says that there is."""
    return Inventory.load(vre["status"]["inventory"]).stale(None)


def fresh(name: str) -> str:
    """A tenant's name that no run before had."""
    return f"{name}-{secrets.token_hex(2)}"


def namespaces(tenant: str) -> tuple[str, str, str]:
    return (tenant, f"{tenant}-notebooks", f"{tenant}-workflows")


_OF_ONE_LIFE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
_ASSIGNED = ("clusterIP", "clusterIPs")


# Of a DaemonSet, by the API server: how many templates it has had.
_TEMPLATES = "deprecated.daemonset.template.generation"


def essence(obj: Mapping[str, Any]) -> Json:
    """What is the same after an object was made anew: without status, and with no trace of its uid."""
    kept = {key: value for key, value in obj.items() if key not in ("status", "metadata", "spec")}
    kept["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in _OF_ONE_LIFE}
    if notes := kept["metadata"].get("annotations"):
        kept["metadata"]["annotations"] = {key: it for key, it in notes.items() if key != _TEMPLATES}
    if spec := obj.get("spec"):
        kept["spec"] = {
            key: value for key, value in spec.items() if key not in _ASSIGNED or obj["kind"] != "Service"
        }
    told: Json = json.loads(json.dumps(kept).replace(obj["metadata"]["uid"], "$uid"))
    return told


def lives(obj: Json | None) -> tuple[str, Any] | None:
    """Whether data is the very same: uid and content."""
    return None if obj is None else (obj["metadata"]["uid"], obj.get("data") or obj.get("spec"))


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two objects differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [text for key in keys for text in differing(one.get(key), other.get(key), f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            text
            for number, pair in enumerate(zip(one, other, strict=True))
            for text in differing(*pair, f"{path}[{number}]")
        ]
    return [] if one == other else [f"{path}: {one!r} became {other!r}"]
