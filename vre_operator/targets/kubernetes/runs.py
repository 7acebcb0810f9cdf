"""The virtual kind vre.science/Runs: what people's workflows have started. REANA makes it; we only end it.

Engines and jobs are Jobs, a session on a workspace is an Ingress that owns the rest (contracts/reana.md, 6).
None of it has an owner that would take it along, and workspaces are untouched.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

from vre_operator.engine.errors import Conflict, NotFound
from vre_operator.engine.resources import ResourceId, Tenant
from vre_operator.engine.target import READY, Desired, Observation, Presence, Readiness, State
from vre_operator.kube.client import Kube

_JOB, _INGRESS = "batch/v1/Job", "networking.k8s.io/v1/Ingress"
_JOBS = ("reana_workflow_mode=batch", "reana-run-job-workflow-uuid")
_SESSION = "reana-run-session-"
_AGAIN = 30.0
"""Seconds until the last look: what starts workflows may have been at it while it was ended itself."""


class Runs:
    """Body: {"running": bool}. Nothing is asked while they may run, nor once they were seen to have ended."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._over: dict[str, float] = {}

    def observe(self, desired: Desired) -> Observation:
        namespace = desired.id.namespace
        if desired.body["running"]:
            self._over.pop(namespace, None)
            return Observation(Presence.SYNCED, READY)
        over = self._over.get(namespace)
        if over is None or (over and self._clock() >= over):
            return Observation(Presence.DRIFTED, READY, detail="workflows may run")
        rest = max(over - self._clock(), 0.0) if over else None
        return Observation(Presence.SYNCED, READY, recheck_after=rest)

    async def apply(self, desired: Desired) -> Observation:
        if desired.body["running"]:
            return self.observe(desired)
        namespace = desired.id.namespace
        if left := await self._end(namespace):
            self._over.pop(namespace, None)
            message = f"{left} jobs and sessions of workflows are being ended"
            readiness = Readiness(State.PROGRESSING, "Progressing", message)
            return Observation(Presence.SYNCED, readiness, recheck_after=2.0)
        # The first time that nothing is there it is looked for once more, and then not again.
        self._over[namespace] = 0.0 if namespace in self._over else self._clock() + _AGAIN
        return self.observe(desired)

    async def delete(self, tenant: Tenant, resource: ResourceId, data: bool) -> bool:
        del tenant, data
        self._over.pop(resource.namespace, None)
        return not await self._end(resource.namespace)

    async def _end(self, namespace: str) -> int:
        """Have all of it removed; how much is still there."""
        left = 0
        async for kind, name, uid, ending in self._found(namespace):
            left += 1
            if not ending:
                try:
                    await self._kube.delete(kind, namespace, name, uid=uid, propagation="Foreground")
                except (NotFound, Conflict):
                    continue
        return left

    async def _found(self, namespace: str) -> AsyncIterator[tuple[str, str, str, bool]]:
        """Kind, name, uid, and whether it is going already."""
        jobs = [job for selector in _JOBS for job in await self._kube.list(_JOB, namespace, selector=selector)]
        ingresses = await self._kube.list(_INGRESS, namespace)
        sessions = [one for one in ingresses if one["metadata"]["name"].startswith(_SESSION)]
        for kind, objects in ((_JOB, jobs), (_INGRESS, sessions)):
            for one in objects:
                metadata = one["metadata"]
                yield kind, metadata["name"], metadata["uid"], "deletionTimestamp" in metadata
