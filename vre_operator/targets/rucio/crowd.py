"""Kind People: thousands of accounts, a part at a time, several at once.

Settled, a reading takes two requests for all of them. An account is looked at when it has to hold something
else, when it is not among the active ones, and otherwise once in many hours: its mark tells what it was made to
hold (people.py), and is the last that is written.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from vre_operator.api.conditions import Reason
from vre_operator.engine.target import Desired, Observation, Presence, Readiness, State
from vre_operator.targets.rucio import people
from vre_operator.targets.rucio.change import Change
from vre_operator.targets.rucio.http import Refused
from vre_operator.targets.rucio.lake import AGAIN, Lake
from vre_operator.targets.rucio.parts import some
from vre_operator.targets.rucio.people import Wish

CHUNK = 1000
"""Accounts of which the changes are worked out before they are sent: they wait for a minute at most."""
_AT_ONCE = 8
_SOON = 0.2
_WHOLE = (6 * 3600.0, 24 * 3600.0)
"""Seconds until an account is read as a whole again."""
_REFUSED_AGAIN = 900.0

Matching = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be sent for an account. digest: of what it holds then, "" when that has to be looked at."""

    changes: list[Change]
    digest: str = ""


@dataclass(slots=True)
class Crowd:
    """known: by account the digest of what it was seen to hold, and when it has to be read as a whole again.
    refused: what Rucio says of an account, and until when it is not tried again.

    _waiting: what is to be sent, by account, for the wish of `_of`; _digests: of what that wants of each.
    """

    lake: Lake
    known: dict[str, tuple[str, float]] = field(default_factory=dict)
    refused: dict[str, tuple[str, float]] = field(default_factory=dict)
    _waiting: dict[str, _Task] = field(default_factory=dict)
    _of: tuple[str, Matching] | None = None
    _digests: Mapping[str, str] = field(default_factory=dict)

    async def compare(self, desired: Desired, key: str, digest: str) -> Observation:
        """Look at a part of those who have to be looked at, when nothing waits to be sent."""
        matching = await self._matching(desired)
        if self._waiting and self._of == (digest, matching):
            return self._drifted()
        wish = Wish.parse(desired.body, matching)
        self._of, self._digests, self._waiting = (digest, matching), wish.digests, {}
        active = await self._listed()
        ours = await self._listed({people.MARK: "true"})
        gone = people.leavers(ours & active, wish)
        if held_up := people.brake(gone, ours, wish):
            gone = []
        await self._some(gone[:CHUNK], self._see_off)
        left = self._due(wish, active)
        await self._some(left[:CHUNK], lambda name: self._look(name, wish, name in active))
        if self._waiting:
            return self._drifted()
        if gone or self._due(wish, active):
            return _progressing(self._progress())
        if lacks := unmatched(wish.unmatched):
            return Observation(Presence.SYNCED, lacks, recheck_after=AGAIN)
        return self.lake.settle(key, digest, self._verdict(wish, held_up))

    async def apply(self, desired: Desired) -> Observation:
        """Send a part of what waits. After a failure it is looked at anew."""
        waiting, self._waiting = self._waiting, {}
        before = len(waiting)
        await self._some(list(waiting), lambda name: self._make(name, waiting.pop(name)))
        self._waiting = waiting
        return _progressing(f"{before - len(waiting)} accounts were changed, {self._progress()}")

    def _drifted(self) -> Observation:
        return Observation(Presence.DRIFTED, detail=f"{len(self._waiting)} accounts ({self._progress()})")

    def _progress(self) -> str:
        right = sum(self.known.get(name, ("",))[0] == digest for name, digest in self._digests.items())
        return f"{right} of {len(self._digests)} people are as they should be"

    async def _some(self, names: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
        await some(self.lake, names, act, at_once=_AT_ONCE)

    async def _listed(self, query: dict[str, str] | None = None) -> set[str]:
        """The active accounts of which that is true."""
        return {one["account"] for one in await self.lake.http.rows("accounts", "", query=query)}

    async def _matching(self, desired: Desired) -> Matching:
        return await self.lake.matching(quota["rse_expression"] for quota in desired.body["quotas"])

    def _due(self, wish: Wish, active: set[str]) -> list[str]:
        """Who has to be looked at."""
        now = self.lake.clock()

        def is_due(name: str) -> bool:
            if name in self.refused and self.refused[name][1] > now:
                return False
            digest, until = self.known.get(name, ("", 0.0))
            return name not in active or digest != wish.digests[name] or until <= now

        return [name for name in wish.bodies if is_due(name)]

    async def _look(self, name: str, wish: Wish, active: bool) -> None:
        digest = wish.digests[name]
        if active and name not in self.known:
            # Ours since an operator that is no more: its mark is enough.
            held = {one["key"]: one["value"] for one in await self._attributes(name)}
            if held.get(people.DIGEST) == digest and str(held.get(people.MARK)).lower() == "true":
                self._saw(name, digest)
                return
        seen = await self.lake.read_account(name, wish.managed["quotas"])
        if changes := people.changes(name, wish, seen):
            # Of one that is not active Rucio tells nothing that could be compared.
            whole = seen is None or "attributes" in seen
            self._waiting[name] = _Task(changes, digest if whole else "")
        else:
            self._saw(name, digest)

    async def _see_off(self, name: str) -> None:
        identities = await self.lake.http.rows("accounts", name, "identities")
        self._waiting[name] = _Task(people.farewell(name, identities))

    async def _attributes(self, name: str) -> list[dict[str, object]]:
        return await self.lake.http.rows("accounts", name, "attr", "")

    async def _make(self, name: str, task: _Task) -> None:
        self.known.pop(name, None)
        try:
            for change in task.changes:
                await self.lake.http.change(change.method, *change.path, body=change.body, but=change.done)
        except Refused as refusal:
            self.refused[name] = (f"account {name}: {refusal.message}", self.lake.clock() + _REFUSED_AGAIN)
        else:
            self.refused.pop(name, None)
            if task.digest:
                self._saw(name, task.digest)

    def _saw(self, name: str, digest: str) -> None:
        self.known[name] = (digest, self.lake.clock() + random.uniform(*_WHOLE))  # noqa: S311
        self.refused.pop(name, None)

    def _verdict(self, wish: Wish, held_up: str) -> Readiness:
        refused = [text for name, (text, _) in sorted(self.refused.items()) if name in wish.bodies]
        problems = [text for text in (held_up, *refused[:3], wish.problems) if text]
        if not problems:
            return Readiness(State.READY)
        return Readiness(State.FAILED, Reason.REJECTED, "; ".join(problems))


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
