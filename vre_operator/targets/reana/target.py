"""The port engine.target.Target for a tenant's REANA.

Nothing is remembered: who has a token, and how much each may use, REANA's own database tells.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from vre_operator.engine.errors import Invalid, TargetError
from vre_operator.engine.resources import REANA, Policy, ResourceId, Tenant
from vre_operator.engine.target import READY, Desired, Observation, Presence, Promise, Readiness, State, Voucher
from vre_operator.targets.fresh import FAULT_RETRY, JITTER
from vre_operator.targets.reana.http import ReanaHttp
from vre_operator.targets.reana.people import Change, Wish, changes, spent, stores, strangers
from vre_operator.targets.web import Dropped

PEOPLE = "People"

READ_SECONDS = 60.0
"""Between two readings: so late an engine of somebody new finds the person's own Secret."""
_CHUNK = 100
_SPREAD = 60.0
_TOLD = 3


class HttpFactory(Protocol):
    """Makes the way to one REANA; tests put faults there."""

    def __call__(self, url: str, credential: str, *, clock: Callable[[], float]) -> ReanaHttp: ...


@dataclass(slots=True)
class _Known:
    """Of a tenant's REANA. strange: by address, since when the provider does not know somebody with a token."""

    http: ReanaHttp
    entry: tuple[str, str]
    found: list[dict[str, Any]] | None = None
    revision: str = ""
    due: float = 0.0
    strange: dict[str, float] = field(default_factory=dict)


class ReanaTarget:
    """Kind People; output stores, a JSON list of names of Secrets; report {revision, people}. One for a tenant.

    clock: seconds, of any epoch, for tests.
    """

    name = REANA

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, http: HttpFactory = ReanaHttp) -> None:
        self._clock = clock
        self._http = http
        self._known: dict[tuple[str, str], _Known] = {}
        self._first: dict[tuple[str, str], float] = {}

    def observe(self, tenant: Tenant, desired: Desired) -> Observation | Awaitable[Observation]:
        """Settled: one request a minute."""
        if desired.id.kind != PEOPLE:
            raise Invalid(f"The reana target has no kind {desired.id.kind}")
        body = desired.body
        entry = (body["url"], body["credential"])
        known = self._known.get(tenant.key)
        if known is None or known.entry != entry:
            known = self._known[tenant.key] = _Known(self._http(*entry, clock=self._clock), entry)
        if body["asleep"]:
            return Observation(Presence.SYNCED, outputs=_outputs(known))
        return Promise(partial(self._compare, known, body))

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """Trusted until the next reading, also by an operator that has just started."""
        now = self._clock()
        if known := self._known.get(tenant.key):
            rest = known.due - now
        else:
            rest = self._first.setdefault(tenant.key, now + random.uniform(0.0, _SPREAD)) - now  # noqa: S311
        return Voucher("", rest) if rest > 0 else None

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        """Send a part of what has to be changed; whether it helped is told by the next reading."""
        known = self._known[tenant.key]
        todo = self._changes(known, Wish.parse(desired.body), desired.body["every"])
        known.due = 0.0
        async with known.http.many():
            for one in todo[:_CHUNK]:
                # Whether what was dropped had its effect the next reading tells.
                with suppress(Dropped):
                    await known.http.change(one.method, one.address, *one.rest, body=one.body)
        message = f"{len(todo[:_CHUNK])} of {len(todo)} changes to REANA's people were made"
        return Observation(
            Presence.SYNCED,
            Readiness(State.PROGRESSING, "Progressing", message),
            _outputs(known),
            recheck_after=0.5,
        )

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """Forget: whom REANA knows goes with its database, or stays in it."""
        del resource, policy, data
        self.forget(tenant.key)
        return True

    def forget(self, tenant: tuple[str, str]) -> None:
        """The tenant is no more, or has no REANA any more."""
        self._known.pop(tenant, None)
        self._first.pop(tenant, None)

    async def _compare(self, known: _Known, body: Any) -> Observation:
        now = self._clock()
        if now >= known.due:
            try:
                known.found, known.revision = await known.http.people()
            except TargetError as error:
                if known.found is None:
                    raise
                known.due = now + (error.retry_after or FAULT_RETRY)
                state = State.FAILED if error.terminal else State.PROGRESSING
                readiness = Readiness(state, error.reason, error.text)
                rest = known.due - now
                return Observation(Presence.SYNCED, readiness, _outputs(known), recheck_after=rest)
            known.due = now + READ_SECONDS * random.uniform(1.0, JITTER)  # noqa: S311
        rest = max(known.due - self._clock(), 0.0)
        wish = Wish.parse(body)
        if todo := self._changes(known, wish, body["every"]):
            detail = f"{len(todo)} changes to REANA's people"
            return Observation(Presence.DRIFTED, outputs=_outputs(known), detail=detail, recheck_after=rest)
        found = known.found or ()
        report = {"revision": known.revision, "people": sum(one["active"] for one in found)}
        verdict = _verdict(wish, spent(wish, found))
        return Observation(Presence.SYNCED, verdict, _outputs(known), recheck_after=rest, report=report)

    def _changes(self, known: _Known, wish: Wish, every: float) -> list[Change]:
        now = self._clock()
        strange = strangers(wish, known.found or ())
        known.strange = {one: known.strange.get(one, now) for one in strange}
        # The hub lets people in who came to the group a moment ago; what we know of it is as old as that.
        patience = 2 * every * JITTER
        leavers = [one for one, since in known.strange.items() if now - since > patience]
        return changes(wish, known.found or (), leavers)


def _outputs(known: _Known) -> dict[str, str]:
    return {} if known.found is None else {"stores": stores(known.found)}


def _verdict(wish: Wish, spent: Sequence[str]) -> Readiness:
    told = []
    if wish.problems:
        told.append(f"Without workflows: {_few(wish.problems)}")
    if spent:
        remedy = "raise spec.workflows.quotas, or have workflows deleted"
        told.append(f"No workflow starts of: {_few(spent)}; {remedy}")
    return Readiness(State.READY, "", ". ".join(told)) if told else READY


def _few(words: Sequence[str]) -> str:
    more = f"; and {len(words) - _TOLD} more" if len(words) > _TOLD else ""
    return "; ".join(words[:_TOLD]) + more
