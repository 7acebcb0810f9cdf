"""Kind People: thousands of accounts, a part at a time, several at once.

Settled, a reading takes two requests for all of them. An account is looked at when it has to hold something
else, when it is not among the active ones, and otherwise once in many hours: its mark tells what it was made to
hold (people.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from vre_operator.api.conditions import Reason
from vre_operator.engine.target import Desired, Observation, Presence, Readiness, State
from vre_operator.targets.rucio import people
from vre_operator.targets.rucio.change import Change
from vre_operator.targets.rucio.http import Refused
from vre_operator.targets.rucio.lake import Lake
from vre_operator.targets.rucio.people import Wish

CHUNK = 200
"""Accounts that one look or one change goes through: some seconds, so that progress is seen."""
_AT_ONCE = 8
_SOON = 0.2
_AGAIN = 5.0
_WHOLE = (6 * 3600.0, 24 * 3600.0)
"""Seconds until an account is read as a whole again."""
_REFUSED_AGAIN = 900.0

T = TypeVar("T")


@dataclass(slots=True)
class Crowd:
    """known: by account the digest of what it was seen to hold, and when it has to be read as a whole again.
    refused: what Rucio says of an account, and until when it is not tried again."""

    lake: Lake
    known: dict[str, tuple[str, float]] = field(default_factory=dict)
    refused: dict[str, tuple[str, float]] = field(default_factory=dict)
    _waiting: dict[str, list[Change]] = field(default_factory=dict)

    async def compare(self, desired: Desired, key: str, digest: str) -> Observation:
        """Look at a part of those who have to be looked at."""
        wish = Wish.parse(desired.body, await self._matching(desired))
        active = {one["account"] for one in await self.lake.http.get("accounts", "")}
        ours = {one["account"] for one in await self.lake.http.get("accounts", "", query={people.MARK: "true"})}
        now = self.lake.clock()
        left = [name for name in wish.bodies if self._is_due(name, wish, active, now)]
        gone = people.leavers(ours & active, wish)
        held_up = people.brake(gone, ours, wish)
        self._waiting = {}
        await _several([] if held_up else gone[:CHUNK], self._see_off)
        await _several(left[:CHUNK], lambda name: self._look(name, wish, name in active))
        total = len(wish.bodies)
        if self._waiting:
            made = total - len(left)
            detail = f"{len(self._waiting)} accounts ({made} of {total} people are as they should be)"
            return Observation(Presence.DRIFTED, detail=detail)
        if len(left) > CHUNK:
            message = f"{total - len(left) + CHUNK} of {total} accounts of people are looked at"
            return _progressing(message)
        if lacks := unmatched(wish.unmatched):
            return Observation(Presence.SYNCED, lacks, recheck_after=_AGAIN)
        self.lake.settled[key] = digest
        return Observation(Presence.SYNCED, self._verdict(wish, held_up), recheck_after=self._rest())

    async def apply(self, desired: Desired) -> Observation:
        """Send what the look before found."""
        waiting, self._waiting = self._waiting, {}
        await _several(waiting, lambda name: self._make(name, waiting[name]))
        return _progressing(f"{len(waiting)} accounts of people were changed")

    async def _matching(self, desired: Desired) -> Mapping[str, frozenset[str]]:
        return await self.lake.matching(quota["rse_expression"] for quota in desired.body["quotas"])

    def _is_due(self, name: str, wish: Wish, active: set[str], now: float) -> bool:
        if name in self.refused and self.refused[name][1] > now:
            return False
        digest, until = self.known.get(name, ("", 0.0))
        return name not in active or digest != wish.digests[name] or until <= now

    async def _look(self, name: str, wish: Wish, active: bool) -> None:
        digest = wish.digests[name]
        if active and name not in self.known:
            # Ours since an operator that is no more: its mark is enough.
            held = {one["key"]: one["value"] for one in await self._attributes(name)}
            if held.get(people.DIGEST) == digest and str(held.get(people.MARK)).lower() == "true":
                self._saw(name, digest)
                return
        if changes := people.changes(name, wish, await self.lake.read_account(name, wish.managed["quotas"])):
            self._waiting[name] = changes
        else:
            self._saw(name, digest)

    async def _see_off(self, name: str) -> None:
        identities = await self.lake.http.get("accounts", name, "identities")
        self._waiting[name] = people.farewell(name, identities)

    async def _attributes(self, name: str) -> list[dict[str, object]]:
        return list(await self.lake.http.get("accounts", name, "attr", ""))

    async def _make(self, name: str, changes: Iterable[Change]) -> None:
        self.known.pop(name, None)
        try:
            for change in changes:
                await self.lake.http.change(change.method, *change.path, body=change.body, but=change.done)
        except Refused as refusal:
            self.refused[name] = (f"account {name}: {refusal.message}", self.lake.clock() + _REFUSED_AGAIN)
        else:
            self.refused.pop(name, None)

    def _saw(self, name: str, digest: str) -> None:
        self.known[name] = (digest, self.lake.clock() + random.uniform(*_WHOLE))  # noqa: S311
        self.refused.pop(name, None)

    def _verdict(self, wish: Wish, held_up: str) -> Readiness:
        refused = [text for name, (text, _) in sorted(self.refused.items()) if name in wish.bodies]
        problems = [text for text in (held_up, *refused[:3], wish.problems) if text]
        if not problems:
            return Readiness(State.READY)
        return Readiness(State.FAILED, Reason.REJECTED, "; ".join(problems))

    def _rest(self) -> float:
        return max(self.lake.due - self.lake.clock(), 0.0)


def unmatched(expressions: Iterable[str]) -> Readiness | None:
    """What to say of quotas that cannot be set; None when there are none."""
    names = ", ".join(sorted(expressions))
    if not names:
        return None
    message = (
        f"No RSE matches {names}, so the quota for it is not set: Rucio would refuse all rules of the account."
        " Declare such an RSE, or correct rseExpression"
    )
    return Readiness(State.PROGRESSING, Reason.WAITING, message)


def _progressing(message: str) -> Observation:
    readiness = Readiness(State.PROGRESSING, Reason.PROGRESSING, message)
    return Observation(Presence.SYNCED, readiness, recheck_after=_SOON)


async def _several(names: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
    """For each, a few at a time. Raises the first failure when all have ended."""
    bound = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> None:
        async with bound:
            await act(name)

    for result in await asyncio.gather(*map(one, names), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
