"""What others make and we only read: a person's Secret or ConfigMap, a StorageClass, an IngressClass.

Read when asked and remembered for a short while: following every Secret of a cluster for the sake of a few
would cost memory, and rights that nobody should have to give.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import NotFound
from vre_operator.engine.resources import Resource, ResourceId
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State
from vre_operator.kube.client import Kube
from vre_operator.targets.kubernetes.manifest import SECRET, decode

_FOUND_SECONDS = 60.0
_MISSING_SECONDS = 15.0
_CLASSES = {
    "storage.k8s.io/v1/StorageClass": Reason.STORAGE_CLASS_NOT_FOUND,
    "networking.k8s.io/v1/IngressClass": Reason.INGRESS_CLASS_NOT_FOUND,
}


class External:
    """Reads, with a memory."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._known: dict[ResourceId, tuple[float, tuple[str, ...], Observation]] = {}

    def observe(self, resource: Resource) -> Observation | Awaitable[Observation]:
        until, keys, seen = self._known.get(resource.id, (0.0, (), None))
        if seen and keys == resource.required_keys and self._clock() < until:
            return seen
        return self._refresh(resource)

    async def _refresh(self, resource: Resource) -> Observation:
        seen = await self._read(resource)
        if not seen.readiness.ready:
            seen = replace(seen, recheck_after=_MISSING_SECONDS)
        lifetime = seen.recheck_after or _FOUND_SECONDS
        self._known = {key: kept for key, kept in self._known.items() if kept[0] > self._clock()}
        self._known[resource.id] = (self._clock() + lifetime, resource.required_keys, seen)
        return seen

    async def _read(self, resource: Resource) -> Observation:
        identity = resource.id
        try:
            obj = await self._kube.get(identity.kind, identity.namespace, identity.name)
        except NotFound:
            return Observation(Presence.ABSENT, await self._missing(resource))
        if identity.kind in _CLASSES:
            return Observation(Presence.SYNCED, READY)
        data = decode(obj.get("data")) if identity.kind == SECRET else dict(obj.get("data") or {})
        if lacking := [key for key in resource.required_keys if not data.get(key)]:
            message = (
                f"{identity.short} in namespace {identity.namespace} lacks {', '.join(lacking)}."
                f" kubectl -n {identity.namespace} edit {identity.short.lower()}"
            )
            return Observation(Presence.DRIFTED, Readiness(State.FAILED, Reason.SECRET_KEY_MISSING, message))
        return Observation(Presence.SYNCED, READY, outputs=data)

    async def _missing(self, resource: Resource) -> Readiness:
        identity = resource.id
        if reason := _CLASSES.get(identity.kind):
            there = sorted(obj["metadata"]["name"] for obj in await self._kube.list(identity.kind))
            message = (
                f"{identity.short} does not exist. This cluster has: {', '.join(there[:20]) or 'none'}."
                " Name one of these, or ask the cluster's admin"
            )
            return Readiness(State.FAILED, reason, message)
        kind = "secret generic" if identity.kind == SECRET else "configmap"
        literals = " ".join(f"--from-literal={key}=..." for key in resource.required_keys)
        message = (
            f"{identity.short} does not exist in namespace {identity.namespace}."
            f" kubectl -n {identity.namespace} create {kind} {identity.name} {literals}".rstrip()
        )
        return Readiness(State.FAILED, Reason.SECRET_NOT_FOUND, message)
