"""One walk over a plan, and one over what a plan no longer holds. Speaks only to the Target port.

A walk never waits for anything to become ready: a resource whose needs are not met is Blocked, and the walk
is made again when something changes. Needs hold back changes, not observations: what stands as wanted is
reported by its own state even while something that it once needed is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, TargetError
from vre_operator.engine.inventory import Entry, prune_order
from vre_operator.engine.plan import Plan
from vre_operator.engine.refs import Ref, digest, encode, resolve
from vre_operator.engine.resources import Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, State, Target

log = logging.getLogger(__name__)

FOREIGN_RECHECK = 30.0


class Result(StrEnum):
    READY = "Ready"
    PROGRESSING = "Progressing"
    BLOCKED = "Blocked"  # a need is not met
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a walk found out about one resource.

    message: for people, without secrets; ends with the next step when a person has one.
    terminal: asking again will not help until somebody changes something.
    change: what was done ("created", "updated: spec.replicas 2 -> 1"), empty when nothing.
    """

    resource: Resource
    result: Result
    reason: str = ""
    message: str = ""
    terminal: bool = False
    change: str = ""
    recheck_after: float | None = None
    blocked_by: ResourceId | None = None

    @property
    def ready(self) -> bool:
        return self.result is Result.READY


@dataclass(slots=True)
class PruneResult:
    """gone: for certain, to be taken off the inventory. pending: still on its way."""

    gone: list[ResourceId] = field(default_factory=list)
    pending: list[ResourceId] = field(default_factory=list)
    failures: list[tuple[ResourceId, TargetError]] = field(default_factory=list)


class _Unresolved(Exception):
    """A ref has no value yet."""

    def __init__(self, of: ResourceId) -> None:
        super().__init__(str(of))
        self.of = of


class Walk:
    """The state of one walk over one tenant's plan."""

    def __init__(self, tenant: Tenant, plan: Plan, targets: Mapping[str, Target], concurrency: int = 8) -> None:
        self._tenant = tenant
        self._plan = plan
        self._targets = targets
        self._limit = asyncio.Semaphore(concurrency)
        self._outcomes: dict[ResourceId, Outcome] = {}
        self._outputs: dict[ResourceId, Mapping[str, str]] = {}
        self._digests: dict[ResourceId, str] = {}

    async def run(self) -> dict[ResourceId, Outcome]:
        """Visit everything, each as soon as its needs were visited; the outcomes in the plan's order."""
        tasks: dict[ResourceId, asyncio.Task[None]] = {}

        async def after_needs(resource: Resource) -> None:
            for need in self._plan.needs[resource.id]:
                await tasks[need]
            async with self._limit:
                self._outcomes[resource.id] = await self._visit(resource)

        async with asyncio.TaskGroup() as group:
            for resource in self._plan.resources:
                tasks[resource.id] = group.create_task(after_needs(resource))
        return {resource.id: self._outcomes[resource.id] for resource in self._plan.resources}

    async def _visit(self, resource: Resource) -> Outcome:
        unmet = self._unmet(resource)
        try:
            desired = self._resolve(resource)
        except _Unresolved as missing:
            return self._blocked(resource, unmet or self._outcomes[missing.of])
        target = self._targets[resource.id.target]
        try:
            seen = await target.observe(self._tenant, desired)
            change = ""
            wanted = resource.policy is not Policy.EXTERNAL
            if wanted and seen.presence in (Presence.ABSENT, Presence.DRIFTED):
                if unmet:
                    self._publish(desired, seen)
                    return self._blocked(resource, unmet)
                change = "created" if seen.presence is Presence.ABSENT else f"updated: {seen.detail}"
                seen = await target.apply(self._tenant, desired)
        except TargetError as error:
            return Outcome(
                resource,
                Result.FAILED,
                error.reason,
                error.text,
                terminal=error.terminal,
                recheck_after=error.retry_after,
            )
        self._publish(desired, seen)
        if seen.presence is Presence.FOREIGN and wanted:
            return Outcome(
                resource,
                Result.FAILED,
                seen.readiness.reason or Reason.OWNED_BY_OTHER,
                seen.detail,
                terminal=True,
                # What is not ours is not followed: its removal would wake nobody.
                recheck_after=seen.recheck_after or FOREIGN_RECHECK,
            )
        return self._judge(resource, seen, change)

    def _judge(self, resource: Resource, seen: Observation, change: str) -> Outcome:
        state = seen.readiness.state
        result = {
            State.READY: Result.READY,
            State.PROGRESSING: Result.PROGRESSING,
            State.FAILED: Result.FAILED,
        }[state]
        reason = seen.readiness.reason
        if reason == Reason.JOB_FAILED and resource.failure:
            reason = resource.failure
        return Outcome(
            resource,
            result,
            reason or (Reason.PROGRESSING if result is Result.PROGRESSING else ""),
            seen.readiness.message,
            terminal=state is State.FAILED,
            change=change,
            recheck_after=seen.recheck_after,
        )

    def _publish(self, desired: Desired, seen: Observation) -> None:
        self._outputs[desired.id] = seen.outputs
        # generated values are not in the desired body, but pods must roll when they change
        self._digests[desired.id] = digest([desired.digest, dict(seen.outputs)])

    def _unmet(self, resource: Resource) -> Outcome | None:
        """The most telling need that is not ready: a failed one before one that only waits."""
        unmet = [
            self._outcomes[need]
            for need in sorted(self._plan.needs[resource.id])
            if not self._outcomes[need].ready
        ]
        severity = (Result.FAILED, Result.BLOCKED, Result.PROGRESSING)
        return min(unmet, key=lambda outcome: severity.index(outcome.result), default=None)

    def _blocked(self, resource: Resource, need: Outcome) -> Outcome:
        root = need.blocked_by or need.resource.id
        return Outcome(
            resource,
            Result.BLOCKED,
            Reason.WAITING,
            f"{resource.id.short} waits for {root.short}",
            blocked_by=root,
        )

    def _resolve(self, resource: Resource) -> Desired:
        body = resolve(resource.body, self._value, self._content_digest)
        identity = {"body": body, "generate": dict(resource.generate)}
        return Desired(resource, body, digest(identity))

    def _value(self, ref: Ref) -> str:
        value = self._outputs.get(ref.of, {}).get(ref.output)
        if value is None:
            raise _Unresolved(ref.of)
        return encode(value, ref.encode)

    def _content_digest(self, of: ResourceId) -> str:
        if of not in self._digests:
            raise _Unresolved(of)
        return self._digests[of]


def removable(entries: Iterable[Entry], *, data: bool) -> list[Entry]:
    """Without what holds data or unlocks it, unless data may go."""
    return [entry for entry in entries if data or entry.policy is not Policy.RETAIN]


async def prune(
    tenant: Tenant, entries: Iterable[Entry], targets: Mapping[str, Target], *, data: bool
) -> PruneResult:
    """Remove `entries`, dependents first; a batch starts only when the one before is gone.

    data: the tenant is deleted with deletionPolicy Delete; without it Retain entries are left as they are.
    """
    result = PruneResult()
    for batch in prune_order(removable(entries, data=data)):
        answers = await asyncio.gather(
            *(_delete(tenant, entry, targets[entry.id.target], data=data) for entry in batch)
        )
        for entry, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Conflict) and answer.reason == Reason.OWNED_BY_OTHER:
                log.info("not ours any more, left alone: %s", entry.id)
                result.gone.append(entry.id)
            elif isinstance(answer, TargetError):
                result.failures.append((entry.id, answer))
            else:
                (result.gone if answer else result.pending).append(entry.id)
        if result.pending or result.failures:
            break
    return result


async def _delete(tenant: Tenant, entry: Entry, target: Target, *, data: bool) -> bool | TargetError:
    try:
        return await target.delete(tenant, entry.id, entry.policy, data)
    except TargetError as error:
        return error
