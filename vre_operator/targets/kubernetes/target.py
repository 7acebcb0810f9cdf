"""Kubernetes as a target: observe from the caches, apply server-side, delete by uid.

A settled tenant costs no request. What an object is compared with is remembered as a `Finding` beside its
cache entry; the body is dropped then. Nobody else's object is ever changed: each apply says either "only if
there is none" or "only this uid" (client.Kube.apply), so no race and no stale cache can make it do so.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from vre_operator.api.conditions import Reason
from vre_operator.engine.compare import Difference, differences
from vre_operator.engine.errors import Conflict, Forbidden, Invalid, NotFound, NotReady
from vre_operator.engine.readiness import asks_pods, explain
from vre_operator.engine.resources import KUBERNETES, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, Readiness, State, Voucher
from vre_operator.kube.client import ABSENT, SILENCE, Kube
from vre_operator.kube.reflector import Entry, Owner, Reflector
from vre_operator.kube.scope import CLUSTER, Scope
from vre_operator.kube.transport import Object
from vre_operator.targets.kubernetes.cache import CRON_JOB, FOLLOWED, OPTIONAL, Cache, TenantKey
from vre_operator.targets.kubernetes.external import External
from vre_operator.targets.kubernetes.generated import with_generated
from vre_operator.targets.kubernetes.manifest import (
    MARK,
    NAMESPACE,
    RUNS,
    SECRET,
    SESSIONS,
    check_bounds,
    decode,
    manifest,
    mark_of,
    may_apply,
    rotation_of,
    whose,
)
from vre_operator.targets.kubernetes.removal import Removal, propagation
from vre_operator.targets.kubernetes.runs import Runs
from vre_operator.targets.kubernetes.sessions import Sessions
from vre_operator.targets.kubernetes.spaces import Spaces

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """The object was found to be as `mark` says. tolerated: differences that the API server made of our own
    apply, which applying again would not change. generated: values of a Secret that only the cluster knows."""

    mark: str
    tolerated: frozenset[Difference] = frozenset()
    generated: Mapping[str, str] = field(default_factory=dict)


class KubernetesTarget:
    """See engine.target.Target. `run` it, and await `synced`, before the first pass."""

    name = KUBERNETES

    def __init__(
        self,
        kube: Kube,
        wake: Callable[[TenantKey], None] = lambda key: None,
        *,
        kinds: Iterable[str] = (*FOLLOWED, *OPTIONAL),
        silence: float = SILENCE,
        scope: Scope = CLUSTER,
    ) -> None:
        self._kube = kube
        self._cache = Cache(kube, wake, kinds, silence, scope)
        self._external = External(kube, wake, silence, scope)
        self._spaces = Spaces(kube)
        self._virtual: dict[str, Sessions | Runs | Spaces] = {
            SESSIONS: Sessions(kube, self._cache),
            RUNS: Runs(kube),
            **({} if scope.sees(NAMESPACE) else {NAMESPACE: self._spaces}),
        }
        self._removal = Removal(kube, self._cache)
        self._runs: dict[ResourceId, str] = {}

    async def run(self) -> None:
        """Follow the cluster, for ever. Its end is a bug and should end the process."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors():
                for part in reflector.parts():
                    group.create_task(part, name=f"follow {reflector.kind}")

    async def synced(self) -> None:
        """Wait until every kind was listed once."""
        for reflector in self.reflectors():
            await reflector.synced.wait()

    def reflectors(self) -> Iterator[Reflector]:
        """For the liveness probe and the metrics."""
        yield from self._cache.reflectors()
        yield from self._external.reflectors()

    def observe(self, tenant: Tenant, desired: Desired) -> Observation | Awaitable[Observation]:
        resource = desired.resource
        self._check(tenant, resource)
        if resource.policy is Policy.EXTERNAL:
            return self._external.observe(tenant.key, resource)
        if virtual := self._virtual.get(resource.id.kind):
            return virtual.observe(desired)
        entry = self._cache.get(resource.id)
        if entry is None:
            return Observation(Presence.ABSENT, _absent(resource))
        if not _may_touch(tenant, resource, entry.owner, _mark(entry)):
            reason, detail = whose(resource.id, entry.owner)
            return Observation(Presence.FOREIGN, Readiness(State.FAILED, reason, detail), detail=detail)
        return self._compare(tenant, desired, entry)

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        resource = desired.resource
        self._check(tenant, resource)
        if resource.policy is Policy.EXTERNAL:
            raise Invalid(f"{resource.id.short} is only read")
        if virtual := self._virtual.get(resource.id.kind):
            return await virtual.apply(desired)
        wanted = manifest(tenant, desired)
        try:
            live = await self._write(tenant, resource, wanted)
        except (Forbidden, NotFound):
            self._spaces.doubt(resource.id.namespace)
            raise
        except Invalid as refusal:
            says, part = _IN_THE_WAY.get(resource.id.kind, ("", ""))
            if says and says in refusal.message:
                live = await self._take_whole(tenant, resource, wanted, part)
            elif refusal.reason == Reason.IMMUTABLE_FIELD and resource.recreate:
                return await self._replace(tenant, resource)
            else:
                if refusal.reason == Reason.IMMUTABLE_FIELD:
                    refusal.remedy = f"Restore the previous value of {resource.origin or 'the field'}"
                raise
        finding = Finding(
            mark_of(wanted),
            frozenset(differences(wanted, live)),
            _only(decode(live.get("data")), resource.generate) if resource.generate else {},
        )
        if finding.tolerated:
            log.debug("the API server rewrites %s: %s", resource.id, _paths(finding.tolerated))
        entry = self._cache.of(resource.id.kind).record(live, finding)
        return self._observation(desired, entry, Presence.SYNCED, finding.generated)

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """See engine.target.Target.vouch."""
        self._cache.meet(tenant)
        found = hashlib.blake2b(digest_size=8)
        unseen: list[tuple[Reflector, Entry]] = []
        for resource in resources:
            if resource.kind in self._virtual:
                continue
            reflector = self._cache.of(resource.kind) if self._cache.follows(resource.kind) else None
            entry = reflector.get(resource.namespace, resource.name) if reflector else None
            if reflector is None or entry is None or entry.deleting or not entry.readiness.ready:
                return None
            if entry.body is not None:
                if walked:
                    return None
                unseen.append((reflector, entry))
            found.update(entry.content)
            if resource.kind == CRON_JOB:
                # What its runs tell is nowhere in it, and may be news since the walk came by.
                runs = self._cache.runs(resource, entry)
                if walked and self._runs.get(resource) != runs:
                    return None
                found.update(runs.encode())
        return Voucher(found.hexdigest(), accept=partial(_accept, unseen))

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        check_bounds(tenant, resource, policy)
        if policy is Policy.EXTERNAL:
            return True
        if virtual := self._virtual.get(resource.kind):
            return await virtual.delete(tenant, resource, data)
        self._runs.pop(resource, None)
        return await self._removal.delete(tenant, resource, policy, data)

    def _check(self, tenant: Tenant, resource: Resource) -> None:
        check_bounds(tenant, resource.id, resource.policy)
        self._cache.meet(tenant)
        followed = self._cache.follows(resource.id.kind)
        if not followed and resource.policy is not Policy.EXTERNAL and resource.id.kind not in self._virtual:
            raise Invalid(f"{resource.id.kind} is not among the kinds that this operator follows")

    def _compare(self, tenant: Tenant, desired: Desired, entry: Entry) -> Observation:
        known: Finding | None = entry.note
        mark = mark_of(wanted := manifest(tenant, desired))
        if entry.body is None:
            # Looked at before, and dropped: the mark alone tells if that is what is wanted now.
            synced = known is not None and known.mark == mark
            generated = known.generated if known else {}
            detail = "" if synced else "what is wanted changed"
            return self._observation(
                desired, entry, Presence.SYNCED if synced else Presence.DRIFTED, generated, detail
            )
        generated = _only(decode(entry.body.get("data")), desired.resource.generate)
        if entry.deleting:
            # Nothing to apply: when it is gone its event brings the next pass, which makes it anew.
            return self._observation(desired, entry, Presence.SYNCED, generated)
        found = [
            difference
            for difference in differences(wanted, entry.body)
            if not (known and known.mark == mark and difference in known.tolerated)
        ]
        missing = sorted(desired.resource.generate.keys() - generated.keys())
        if not found and not missing:
            tolerated = known.tolerated if known and known.mark == mark else frozenset()
            self._cache.of(desired.id.kind).settle(entry, Finding(mark, tolerated, generated))
            return self._observation(desired, entry, Presence.SYNCED, generated)
        detail = _paths(found, *(f"data.{key}" for key in missing))
        return self._observation(desired, entry, Presence.DRIFTED, generated, detail)

    def _observation(
        self,
        desired: Desired,
        entry: Entry,
        presence: Presence,
        generated: Mapping[str, str],
        detail: str = "",
    ) -> Observation:
        judged = entry.readiness
        if desired.id.kind == CRON_JOB:
            self._runs[desired.id] = self._cache.runs(desired.id, entry)
        if not entry.deleting and asks_pods(desired.id.kind, judged):
            judged = explain(
                desired.id.kind, desired.id.name, judged, self._cache.pods_of(desired.id, desired.body)
            )
        stated = desired.body.get("stringData" if desired.id.kind == SECRET else "data") or {}
        outputs = {key: str(value) for key, value in stated.items()} if desired.id.kind in _WITH_DATA else {}
        return Observation(presence, judged, {**outputs, **generated}, detail)

    async def _write(self, tenant: Tenant, resource: Resource, wanted: Object) -> Object:
        """Apply under a guard: only create, or only the object that was seen to be ours."""
        entry = self._cache.get(resource.id)
        if entry is not None and not resource.generate:
            _allow(tenant, resource, entry.owner, _mark(entry))
            try:
                return await self._kube.apply(_guarded(wanted, uid=entry.uid))
            except Conflict:
                pass  # replaced or deleted since: look
        if entry is None and resource.policy is not Policy.RELEASE:
            try:
                return await self._create(resource, wanted)
            except Conflict:
                pass  # it is there, and the watch has not told yet; or its labels do not name us
        try:
            live = await self._kube.get(resource.id.kind, resource.id.namespace, resource.id.name)
        except NotFound:
            if resource.policy is Policy.RELEASE:
                raise NotReady(f"{resource.id.short} does not exist") from None
            return await self._create(resource, wanted)
        metadata = live["metadata"]
        _allow(tenant, resource, Owner.of(metadata), mark_of(live))
        if "deletionTimestamp" in metadata:
            raise NotReady(f"{resource.id.short} is being deleted", retry_after=5)
        # The version too, where values are read from `live`: nothing generated is ever overwritten.
        version = {"resourceVersion": metadata["resourceVersion"]} if resource.generate else {}
        anew = tenant.rotating and rotation_of(live) != tenant.rotation
        complete = with_generated(wanted, resource, live.get("data") or {}, anew=anew)
        return await self._kube.apply(_guarded(complete, uid=metadata["uid"], **version))

    async def _create(self, resource: Resource, wanted: Object) -> Object:
        """Conflict when there is one already."""
        return await self._kube.apply(_guarded(with_generated(wanted, resource, {}), resourceVersion=ABSENT))

    async def _take_whole(self, tenant: Tenant, resource: Resource, wanted: Object, part: str) -> Object:
        """What somebody put beside ours in that part of the spec goes: an apply alone is refused for ever."""
        live = await self._kube.get(resource.id.kind, resource.id.namespace, resource.id.name)
        _allow(tenant, resource, Owner.of(live["metadata"]), mark_of(live))
        uid = live["metadata"]["uid"]
        only_ours = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "replace", "path": f"/spec/{part}", "value": wanted["spec"][part]},
        ]
        await self._kube.patch_json(resource.id.kind, resource.id.namespace, resource.id.name, only_ours)
        return await self._kube.apply(_guarded(wanted, uid=uid))

    async def _replace(self, tenant: Tenant, resource: Resource) -> Observation:
        """Delete what can't be changed; the next pass makes it anew."""
        live = await self._kube.get(resource.id.kind, resource.id.namespace, resource.id.name)
        _allow(tenant, resource, Owner.of(live["metadata"]), mark_of(live))
        await self._kube.delete(
            resource.id.kind,
            resource.id.namespace,
            resource.id.name,
            uid=live["metadata"]["uid"],
            propagation=propagation(resource.id.kind),
        )
        return Observation(Presence.DRIFTED, _progressing(f"{resource.id.short} is being replaced"))


# By kind: what the API server says when ours cannot stand beside what somebody else put there, and where.
_IN_THE_WAY = {
    # a port with another number has the name of ours
    "v1/Service": ("Duplicate value", "ports"),
    # the settings of a rolling update stay when the type is ours again
    "apps/v1/Deployment": ("may not be specified when strategy", "strategy"),
}
_WITH_DATA = (SECRET, "v1/ConfigMap")


def _accept(unseen: Iterable[tuple[Reflector, Entry]]) -> None:
    """Bodies that a restart left to be compared are as an earlier walk found them."""
    for reflector, entry in unseen:
        body = entry.body or {}
        generated = decode(body.get("data")) if reflector.kind == SECRET else {}
        reflector.settle(entry, Finding(_mark(entry), generated=generated))


def _may_touch(tenant: Tenant, resource: Resource, owner: Owner | None, mark: str) -> bool:
    if resource.policy is Policy.RELEASE:
        # Anybody's object, but not what another tenant was given.
        return owner is None or owner[:2] == tenant.key
    return may_apply(tenant, owner, mark)


def _allow(tenant: Tenant, resource: Resource, owner: Owner | None, mark: str) -> None:
    if not _may_touch(tenant, resource, owner, mark):
        reason, message = whose(resource.id, owner)
        raise Conflict(message, reason=reason)


def _mark(entry: Entry) -> str:
    if entry.body is not None:
        return mark_of(entry.body)
    return entry.note.mark if isinstance(entry.note, Finding) else ""


def _guarded(wanted: Object, **guard: str) -> Object:
    return {**wanted, "metadata": {**wanted["metadata"], **guard}}


def _only(values: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {key: values[key] for key in keys if values.get(key)}


def _paths(found: Iterable[Difference], *more: str) -> str:
    mark = f"metadata.annotations.{MARK}"
    paths = [*(difference.path for difference in found if difference.path != mark), *more]
    if not paths:
        return "what is wanted changed"
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _absent(resource: Resource) -> Readiness:
    return _progressing(f"{resource.id.short} does not exist yet")


def _progressing(message: str) -> Readiness:
    return Readiness(State.PROGRESSING, Reason.PROGRESSING, message)


__all__ = ["Finding", "KubernetesTarget"]
