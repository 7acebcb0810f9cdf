"""The virtual kind vre.science/Sessions: user pods. KubeSpawner makes them; we only end them.

Homes are untouched: a session is a pod, and its claim stays.
"""

from __future__ import annotations

from vre_operator.api import names
from vre_operator.engine.errors import Conflict, NotFound
from vre_operator.engine.resources import ResourceId, Tenant
from vre_operator.engine.target import READY, Desired, Observation, Presence, Readiness, State
from vre_operator.kube.client import Kube
from vre_operator.kube.transport import Object
from vre_operator.targets.kubernetes.cache import Cache

_POD = "v1/Pod"


class Sessions:
    """Body: {"selector": labels, "running": bool}. Output `pods`: how many there are."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache

    def observe(self, desired: Desired) -> Observation:
        found = self._cache.pods(desired.id.namespace, desired.body["selector"])
        # What tries the walls around sessions looks like one to policies, and has ended by itself.
        pods = [pod for pod in found if not _controlled(pod)]
        if desired.body["running"] or not pods:
            return Observation(Presence.SYNCED, READY)
        ending = all("deletionTimestamp" in pod["metadata"] for pod in pods)
        return Observation(
            Presence.SYNCED if ending else Presence.DRIFTED,
            _ending(len(pods)),
            detail=f"{len(pods)} sessions run",
        )

    async def apply(self, desired: Desired) -> Observation:
        if desired.body["running"]:
            return self.observe(desired)
        left = await self._end(desired.id.namespace, desired.body["selector"])
        return Observation(Presence.SYNCED, _ending(left) if left else READY)

    async def delete(self, tenant: Tenant, resource: ResourceId, data: bool) -> bool:
        del data
        # The selector is gone with the plan, so: every pod of this tenant that no controller looks after.
        return not await self._end(resource.namespace, {names.TENANT_LABEL: tenant.namespace})

    async def _end(self, namespace: str, selector: dict[str, str]) -> int:
        """Ask all of them to stop; how many are still there."""
        text = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        pods = [pod for pod in await self._kube.list(_POD, namespace, selector=text) if not _controlled(pod)]
        for pod in pods:
            metadata = pod["metadata"]
            if "deletionTimestamp" not in metadata:
                try:
                    await self._kube.delete(_POD, namespace, metadata["name"], uid=metadata["uid"])
                except (NotFound, Conflict):
                    continue
        return len(pods)


def _controlled(pod: Object) -> bool:
    return any(reference.get("controller") for reference in pod["metadata"].get("ownerReferences") or ())


def _ending(count: int) -> Readiness:
    return Readiness(State.PROGRESSING, "Progressing", f"{count} notebook sessions are being ended")
