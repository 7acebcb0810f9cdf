"""A tenant's namespaces where the cluster's admin makes them and the operator has no right to (kube/scope.py).

No watch tells of a namespace to who may see only this one, so it is read, now and then: that it is there, and
that Pod Security is enforced in it, without which its walls would be words. What is made in it tells the rest.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Forbidden, NotFound
from vre_operator.engine.resources import WORKFLOWS, ResourceId, Tenant
from vre_operator.engine.target import READY, Desired, Observation, Presence, Promise, Readiness, State
from vre_operator.kube.client import Kube
from vre_operator.kube.transport import Object
from vre_operator.targets.kubernetes.manifest import CLAIM, NAMESPACE, SECRET

ENFORCE = "pod-security.kubernetes.io/enforce"
_LEVELS = ("privileged", "baseline", "restricted")
_LACKING_SECONDS = 15.0
_TRUSTED_SECONDS = 3600.0
_PEOPLES_SECRETS = "reana-secretsstore-"


class _Known(NamedTuple):
    level: str
    seen: Observation
    until: float


class Spaces:
    """In the place of what makes, changes and deletes Namespaces; asked like the virtual kinds."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def observe(self, desired: Desired) -> Observation | Awaitable[Observation]:
        known, level = self._known.get(desired.id.name), _level(desired)
        if known and known.level == level and self._clock() < known.until:
            return known.seen
        return Promise(partial(self._read, desired.id.name, level))

    async def apply(self, desired: Desired) -> Observation:
        """Nothing is made: what lacks is told."""
        return await self._read(desired.id.name, _level(desired))

    def doubt(self, namespace: str) -> None:
        """Something could not be made in it: look at it before the next try."""
        self._known.pop(namespace, None)

    async def delete(self, tenant: Tenant, resource: ResourceId, data: bool) -> bool:
        """The namespace stays, and so nothing takes along what people made in it: with `data` that goes here,
        homes and people's Secrets of REANA."""
        self.doubt(resource.name)
        if not data or resource.name == tenant.namespace:
            return True
        try:
            claims = await self._kube.list(
                CLAIM, resource.name, selector=f"{names.TENANT_LABEL}={tenant.namespace}"
            )
            secrets = await self._kube.list(SECRET, resource.name)
            people = [one for one in secrets if one["metadata"]["name"].startswith(_PEOPLES_SECRETS)]
            for one in (*claims, *people):
                await self._remove(one)
        except (Forbidden, NotFound):
            # With a namespace that is gone, or was taken from us, all of it is out of our hands.
            return True
        return not claims and not people

    async def _remove(self, obj: Object) -> None:
        metadata = obj["metadata"]
        if "deletionTimestamp" not in metadata:
            kind = f"{obj['apiVersion']}/{obj['kind']}"
            try:
                await self._kube.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"])
            except (NotFound, Conflict):
                return

    async def _read(self, name: str, level: str) -> Observation:
        try:
            live = await self._kube.get(NAMESPACE, "", name)
        except (NotFound, Forbidden):
            readiness = _missing(name, level)
        else:
            readiness = _judged(live, level)
        seconds = _TRUSTED_SECONDS if readiness.ready else _LACKING_SECONDS
        seen = Observation(
            Presence.SYNCED, readiness, recheck_after=None if readiness.ready else _LACKING_SECONDS
        )
        self._known[name] = _Known(level, seen, self._clock() + seconds)
        return seen


def _level(desired: Desired) -> str:
    """The Pod Security level that has to be enforced, at least."""
    level = str(desired.body["metadata"]["labels"][ENFORCE])
    # Without workflows nobody makes pods there, and who takes them up need not wait for new labels.
    return _LEVELS[1] if desired.id.name.endswith(WORKFLOWS) else level


def _judged(live: Object, level: str) -> Readiness:
    metadata = live["metadata"]
    if "deletionTimestamp" in metadata:
        return Readiness(
            State.PROGRESSING, Reason.PROGRESSING, f"namespace {metadata['name']} is being deleted"
        )
    found = (metadata.get("labels") or {}).get(ENFORCE, "")
    if found in _LEVELS and _LEVELS.index(found) >= _LEVELS.index(level):
        return READY
    has = f"the Pod Security level {found}" if found else "no Pod Security"
    message = (
        f"namespace {metadata['name']} enforces {has}, and {level} is needed. The cluster's admin sets it:"
        f" kubectl label namespace {metadata['name']} {ENFORCE}={level} --overwrite"
    )
    return Readiness(State.FAILED, Reason.POD_SECURITY_TOO_WEAK, message)


def _missing(name: str, level: str) -> Readiness:
    message = (
        f"namespace {name} is missing, or the operator has no Role in it. The cluster's admin makes it, with"
        f" the label {ENFORCE}={level}, and then the Role by `helm upgrade`:"
        " docs/site.md, Without cluster rights"
    )
    return Readiness(State.FAILED, Reason.NAMESPACE_NOT_FOUND, message)
