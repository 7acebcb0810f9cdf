"""A tenant of its own for each test, with a target that follows the real API server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dev.cluster import Cluster
from vre_operator.engine.resources import KUBERNETES, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation
from vre_operator.kube.client import Kube
from vre_operator.targets.kubernetes import KubernetesTarget

T = TypeVar("T")


def resource(tenant: Tenant, kind: str, name: str, *, namespace: str | None = None, **more: Any) -> Resource:
    where = tenant.namespace if namespace is None else namespace
    return Resource(ResourceId(KUBERNETES, kind, where, name), "test", **more)


def desire(wanted: Resource) -> Desired:
    return Desired(wanted, wanted.body)


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], object] = bool) -> T:
    """What `look` finds as soon as it `holds`."""
    async with asyncio.timeout(90):
        while True:
            if holds(seen := await look()):
                return seen
            await asyncio.sleep(0.03)


@dataclass
class World:
    """`person`: somebody else's client."""

    kube: Kube
    person: Kube
    target: KubernetesTarget
    tenant: Tenant
    woken: list[tuple[str, str]] = field(default_factory=list)

    async def observe(self, wanted: Resource) -> Observation:
        return await self.look(desire(wanted))

    async def look(self, desired: Desired) -> Observation:
        seen = self.target.observe(self.tenant, desired)
        return seen if isinstance(seen, Observation) else await seen

    async def apply(self, wanted: Resource) -> Observation:
        return await self.target.apply(self.tenant, desire(wanted))

    async def delete(self, wanted: Resource, *, data: bool = False, policy: Policy | None = None) -> bool:
        return await self.target.delete(self.tenant, wanted.id, policy or wanted.policy, data)

    async def live(self, wanted: Resource) -> dict[str, Any]:
        return await self.person.get(wanted.id.kind, wanted.id.namespace, wanted.id.name)

    async def until(self, wanted: Resource, holds: Callable[[Observation], bool]) -> Observation:
        """Observe again and again: the watch takes a moment."""
        return await eventually(lambda: self.observe(wanted), holds)


@asynccontextmanager
async def following(cluster: Cluster, tenant: Tenant, kube: Kube | None = None) -> AsyncIterator[World]:
    """A target in the state of an operator that has just started."""
    woken: list[tuple[str, str]] = []
    kube = kube or Kube.from_kubeconfig(str(cluster.kubeconfig))
    async with kube, Kube.from_kubeconfig(str(cluster.kubeconfig)) as person:
        # Other tests' tenants live in the same cluster.
        target = KubernetesTarget(kube, lambda key: woken.append(key) if key == tenant.key else None)
        task = asyncio.create_task(target.run())
        try:
            await target.synced()
            yield World(kube, person, target, tenant, woken)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def new_tenant(cluster: Cluster, labels: Mapping[str, str] | None = None) -> Tenant:
    """With its own namespace, made by a person."""
    namespace = f"t-{uuid.uuid4().hex[:8]}"
    async with Kube.from_kubeconfig(str(cluster.kubeconfig)) as person:
        await person.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace, "labels": dict(labels or {})},
            }
        )
    return Tenant(namespace, "vre", str(uuid.uuid4()), "cluster")
