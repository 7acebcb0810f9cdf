"""One walk over a plan, and one over what a plan no longer holds. Speaks only to the Target port.

A walk never waits for anything to become ready: a resource whose needs are not met is Blocked, and the walk
is made again when something changes. Needs hold back changes, not observations: what stands as wanted is
reported by its own state even while something that it once needed is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from vre_operator import telemetry
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, TargetError, Unavailable
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
    expires: when it ends by itself, in seconds since the epoch. report: for the status.
    change: what was done ("created", "updated: spec.replicas 2 -> 1"), empty when nothing.
    progress: as in engine.target.Readiness.
    """

    resource: Resource
    result: Result
    reason: str = ""
    message: str = ""
    terminal: bool = False
    change: str = ""
    recheck_after: float | None = None
    blocked_by: ResourceId | None = None
    expires: float | None = None
    report: Any = None
    progress: str = ""

    @property
    def ready(self) -> bool:
        return self.result is Result.READY


@dataclass(slots=True)
class PruneResult:
    """gone: for certain, to be taken off the inventory. pending: still on its way."""

    gone: list[ResourceId] = field(default_factory=list)
    pending: list[ResourceId] = field(default_factory=list)
    failures: list[tuple[ResourceId, TargetError]] = field(default_factory=list)


_Step = Callable[[], Coroutine[Any, Any, Outcome]]
"""What is still to be done for a resource: begun when its turn comes, so that a stopped walk leaves nothing
begun."""


class _Unresolved(Exception):
    """A ref has no value yet."""

    def __init__(self, of: ResourceId) -> None:
        super().__init__(str(of))
        self.of = of


class Walk:
    """The state of one walk over one tenant's plan."""

    def __init__(
        self, tenant: Tenant, plan: Plan, targets: Mapping[str, Target], concurrency: int = 16
    ) -> None:
        self._tenant = tenant
        self._plan = plan
        self._targets = targets
        self._limit = asyncio.Semaphore(concurrency)
        self._unvisited = {resource.id: len(plan.after[resource.id]) for resource in plan.resources}
        self._outcomes: dict[ResourceId, Outcome] = {}
        self._seen: dict[ResourceId, tuple[Desired, Mapping[str, str]]] = {}

    async def run(self) -> dict[ResourceId, Outcome]:
        """Visit everything, each as soon as its needs were visited; the outcomes in the plan's order."""
        async with asyncio.TaskGroup() as group:
            roots = [resource for resource in self._plan.resources if not self._unvisited[resource.id]]
            self._visit(roots, group)
        return {resource.id: self._outcomes[resource.id] for resource in self._plan.resources}

    def _visit(self, due: Iterable[Resource], group: asyncio.TaskGroup) -> None:
        """Visit `due` and what that makes due. Most of a settled tenant is told at once, without a task."""
        queue = deque(due)
        while queue:
            resource = queue.popleft()
            step = self._begin(resource)
            if isinstance(step, Outcome):
                queue.extend(self._done(step))
            else:
                group.create_task(self._finish(resource, step, group))

    def _done(self, outcome: Outcome) -> Iterator[Resource]:
        """Keep `outcome`; whatever has all of its needs visited now."""
        identity = outcome.resource.id
        self._outcomes[identity] = outcome
        for dependent in self._plan.dependents[identity]:
            self._unvisited[dependent.id] -= 1
            if not self._unvisited[dependent.id]:
                yield dependent

    def _begin(self, resource: Resource) -> Outcome | _Step:
        """The outcome, or what is still to be done for it."""
        unmet = self._unmet(resource)
        try:
            desired = self._resolve(resource)
        except _Unresolved as missing:
            return self._blocked(resource, unmet or self._outcomes[missing.of])
        try:
            seen = self._targets[resource.id.target].observe(self._tenant, desired)
        except TargetError as error:
            return _failed(resource, error)
        if not isinstance(seen, Observation):
            return partial(self._ask, desired, unmet, seen)
        return self._act(desired, unmet, seen)

    async def _finish(self, resource: Resource, step: _Step, group: asyncio.TaskGroup) -> None:
        telemetry.component.set(resource.component)
        try:
            async with self._limit:
                outcome = await step()
        except TargetError as error:
            outcome = _failed(resource, error)
        self._visit(self._done(outcome), group)

    async def _ask(self, desired: Desired, unmet: Outcome | None, promise: Awaitable[Observation]) -> Outcome:
        try:
            seen = await promise
        except Unavailable:
            if unmet is None:
                raise
            # It cannot answer yet, or while what it stands on is away.
            return self._blocked(desired.resource, unmet)
        step = self._act(desired, unmet, seen)
        return step if isinstance(step, Outcome) else await step()

    def _act(self, desired: Desired, unmet: Outcome | None, seen: Observation) -> Outcome | _Step:
        resource = desired.resource
        changes = seen.presence in (Presence.ABSENT, Presence.DRIFTED)
        if not changes or resource.policy is Policy.EXTERNAL:
            return self._conclude(desired, seen)
        if unmet:
            self._publish(desired, seen)
            return self._blocked(resource, unmet)
        return partial(self._apply, desired, seen)

    async def _apply(self, desired: Desired, seen: Observation) -> Outcome:
        did = "created" if seen.presence is Presence.ABSENT else "updated"
        began, outcome = time.monotonic(), did
        try:
            applied = await self._targets[desired.id.target].apply(self._tenant, desired)
        except TargetError as error:
            outcome = str(error.reason)
            raise
        finally:
            meter = telemetry.APPLIES.labels(desired.resource.component, outcome)
            meter.observe(time.monotonic() - began)
        if applied.presence is Presence.DRIFTED:
            return self._conclude(desired, applied)
        return self._conclude(desired, applied, did if did == "created" else f"{did}: {seen.detail}")

    def _conclude(self, desired: Desired, seen: Observation, change: str = "") -> Outcome:
        self._publish(desired, seen)
        resource = desired.resource
        if seen.presence is Presence.FOREIGN and resource.policy is not Policy.EXTERNAL:
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
        reason, message, code = seen.readiness.reason, seen.readiness.message, seen.readiness.exit_code
        if reason == Reason.JOB_FAILED:
            reason = resource.exits.get(code or 0) or resource.failure or reason
        elif resource.exits and code is None and not reason:
            reason, message = Reason.NOT_TRIED, "no run has ended yet"
        return Outcome(
            resource,
            result,
            reason or (Reason.PROGRESSING if result is Result.PROGRESSING else ""),
            message,
            terminal=state is State.FAILED,
            change=change,
            recheck_after=seen.recheck_after,
            expires=seen.expires,
            report=seen.report,
            progress=seen.readiness.progress,
        )

    def _publish(self, desired: Desired, seen: Observation) -> None:
        self._seen[desired.id] = (desired, seen.outputs)

    def _unmet(self, resource: Resource) -> Outcome | None:
        """The most telling need that is not ready: a failed one before one that only waits."""
        unmet = [need for need in self._plan.needs[resource.id] if not self._outcomes[need].ready]
        if not unmet:
            return None
        severity = (Result.FAILED, Result.BLOCKED, Result.PROGRESSING)
        outcomes = [self._outcomes[need] for need in sorted(unmet)]
        return min(outcomes, key=lambda outcome: severity.index(outcome.result))

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
        if (plain := self._plan.plain.get(resource.id)) is not None:
            return plain
        return Desired(resource, resolve(resource.body, self._value, self._content_digest, self._outcome_of))

    def _value(self, ref: Ref) -> str:
        seen = self._seen.get(ref.of)
        value = seen[1].get(ref.output, ref.otherwise) if seen else ref.otherwise
        if value is None:
            raise _Unresolved(ref.of)
        return encode(value, ref.encode)

    def _outcome_of(self, of: ResourceId) -> dict[str, str]:
        found = self._outcomes[of]
        place = f" in {of.namespace}" if of.namespace else ""
        words = f"{of.short}{place}: {found.message or found.reason}"
        return {
            "result": found.result.value,
            "reason": found.reason,
            "message": words,
            "progress": found.progress,
        }

    def _content_digest(self, of: ResourceId) -> str:
        if of not in self._seen:
            raise _Unresolved(of)
        desired, outputs = self._seen[of]
        # Generated values are not in what is desired, but pods must roll when they change.
        return digest([desired.digest, dict(outputs)])


def _failed(resource: Resource, error: TargetError) -> Outcome:
    return Outcome(
        resource,
        Result.FAILED,
        error.reason,
        error.text,
        terminal=error.terminal,
        recheck_after=error.retry_after,
    )


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
