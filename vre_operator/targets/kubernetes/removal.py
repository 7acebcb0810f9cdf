"""The end of an object, or of our part in it: decided on a fresh read, and each delete names a uid."""

from __future__ import annotations

from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, NotFound, NotReady
from vre_operator.engine.readiness import held
from vre_operator.engine.resources import Policy, ResourceId, Tenant
from vre_operator.kube.client import Kube
from vre_operator.kube.transport import Object
from vre_operator.targets.kubernetes.cache import Cache
from vre_operator.targets.kubernetes.manifest import CLAIM, NAMESPACE, SECRET, may_delete

_WITH_DEPENDENTS = (
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "apps/v1/DaemonSet",
    "batch/v1/Job",
    "batch/v1/CronJob",
)

_HELD_RECHECK = 5.0


def propagation(kind: str) -> str:
    """Workloads go after their pods, so that gone means that nothing of them runs; others at once."""
    return "Foreground" if kind in _WITH_DEPENDENTS else "Background"


class Removal:
    """Deletes and releases."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """See engine.target.Target.delete."""
        if not data and (policy is Policy.RETAIN or resource.kind == CLAIM):
            return True
        try:
            live = await self._kube.get(resource.kind, resource.namespace, resource.name)
            if policy is Policy.RELEASE:
                return await self._release(live)
            if not may_delete(tenant, live) or (not data and await self._holds_data(tenant, resource)):
                return True
            return await self._remove(resource, live)
        except NotFound:
            return True
        except Conflict:
            return False  # another object by now: the next pass looks at that one

    async def _remove(self, resource: ResourceId, live: Object) -> bool:
        metadata = live["metadata"]
        if "deletionTimestamp" in metadata:
            if cause := held(live):
                raise NotReady(
                    f"it is being deleted{cause}", reason=Reason.DELETION_BLOCKED, retry_after=_HELD_RECHECK
                )
            return False
        gone = await self._kube.delete(
            resource.kind,
            resource.namespace,
            resource.name,
            uid=metadata["uid"],
            propagation=propagation(resource.kind),
        )
        if gone and self._cache.follows(resource.kind):
            self._cache.of(resource.kind).forget(resource.namespace, resource.name, metadata["uid"])
        return gone

    async def _release(self, live: Object) -> bool:
        """An apply of nothing gives back every field that was ours alone.

        Also where the reading shows none of ours: it may be older than what we wrote.
        """
        metadata = live["metadata"]
        kept = {key: metadata[key] for key in ("name", "namespace", "uid") if key in metadata}
        await self._kube.apply({"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": kept})
        return True

    async def _holds_data(self, tenant: Tenant, resource: ResourceId) -> bool:
        """A namespace with anybody's claims, or Secrets of ours: those not to be kept are gone by now."""
        if resource.kind != NAMESPACE:
            return False
        if await self._kube.list(CLAIM, resource.name):
            return True
        ours = f"{names.TENANT_UID_LABEL}={tenant.uid}"
        return bool(await self._kube.list(SECRET, resource.name, selector=ours))
