"""Kind Distances: read by itself and seldom, written a part at a time.

Rucio tells of distances in its whole export alone, for which it asks its database once for each: of a full
mesh of 300 RSEs most of a minute. So it is read beside the walks; what was sent is known, and read back when
all of it was; and a reading is repeated the later the longer it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from vre_operator.api.conditions import Reason
from vre_operator.engine.target import READY, Desired, Observation, Presence, Readiness, State
from vre_operator.targets.rucio import distances
from vre_operator.targets.rucio.change import Change
from vre_operator.targets.rucio.distances import Pair, Pairs
from vre_operator.targets.rucio.http import RucioHttp
from vre_operator.targets.rucio.lake import AGAIN, KEEP, Lake
from vre_operator.targets.rucio.parts import some

PATIENCE = 3.0
"""Seconds that a walk waits for a reading: that of some RSEs is done by then."""
READING = 300.0
"""Seconds until a reading is given up: those of 300 RSEs, on a slow machine."""
PAUSE = 50
"""Between two readings, times as long as one takes: Rucio is to spend two percent of one process on them."""

_AT_ONCE = 4
_SOON = 0.2


@dataclass(frozen=True, slots=True)
class _Reading:
    """began: by the lake's clock."""

    seen: dict[str, dict[str, int | None]] = field(repr=False)
    began: float
    took: float

    @property
    def old(self) -> float:
        """From when on it is worth another one."""
        return self.began + max(KEEP, PAUSE * self.took)

    def take_in(self, pairs: Pairs) -> None:
        for (source, destination), distance in pairs.items():
            self.seen.setdefault(source, {})[destination] = distance


@dataclass(slots=True)
class Mesh:
    """http: for the readings alone, so that one that fails holds back nothing else. patience: see PATIENCE.

    _known: what Rucio has, as it was read and changed since. _sent: what was changed since. _tried: what was
    changed before, to tell what Rucio ignores.
    """

    lake: Lake
    http: RucioHttp
    patience: float = PATIENCE
    _known: _Reading | None = None
    _sent: dict[Pair, int] = field(default_factory=dict)
    _tried: dict[Pair, int] = field(default_factory=dict)
    _left: Pairs = field(default_factory=dict)
    _reading: asyncio.Task[_Reading] | None = None

    @property
    def is_reading(self) -> bool:
        """Whether there is, or will be, something that no walk has looked at."""
        return self._reading is not None

    async def compare(self, desired: Desired, key: str, digest: str) -> Observation:
        """By what is known, or is known within the patience."""
        pairs = _pairs(desired)
        there = (await self.lake.rses()).keys()
        left = self._differing(pairs, there)
        if left is None or self._is_due(left):
            if not await self._is_told():
                return self._meanwhile(right=left is not None and not left and not self._sent)
            left = self._differing(pairs, there) or {}
        ignored = [pair for pair, distance in left.items() if self._tried.get(pair) == distance]
        self._left = {pair: distance for pair, distance in left.items() if self._tried.get(pair) != distance}
        if self._left:
            return Observation(Presence.DRIFTED, detail=distances.words(self._left))
        if ignored:
            message = (
                f"Rucio took the change of {distances.words(ignored)} and shows it unchanged. See its server's"
                " log; it is tried again at the next reading."
            )
            return Observation(Presence.SYNCED, Readiness(State.FAILED, Reason.REJECTED, message))
        self._tried = {}
        if lacks := distances.lacks(desired.body, there):
            return Observation(Presence.SYNCED, lacks, recheck_after=AGAIN)
        return self.lake.settle(key, digest)

    async def apply(self, desired: Desired) -> Observation:
        """Send a part of what the look before found."""
        total = len(_pairs(desired))
        left, self._left = self._left, {}
        await some(self.lake, distances.parts(left), self._send, at_once=_AT_ONCE)
        behind = sum(1 for pair in left if pair not in self._sent)
        message = f"{total - behind} of {total} distances are set" if behind else "to be read back"
        readiness = Readiness(State.PROGRESSING, Reason.PROGRESSING, message)
        return Observation(Presence.SYNCED, readiness, recheck_after=_SOON)

    def _differing(self, pairs: Pairs, there: Collection[str]) -> Pairs | None:
        return distances.differing(pairs, self._known.seen, there) if self._known else None

    def _is_due(self, left: Pairs) -> bool:
        if self._sent and not self._reading:
            return not left  # read back all at once
        return self._reading is not None or self._known is None or self.lake.clock() >= self._known.old

    async def _is_told(self) -> bool:
        """Read; whether that was done within the patience."""
        reading = self._reading = self._reading or asyncio.create_task(self._read())
        await asyncio.wait({reading}, timeout=self.patience)
        if not reading.done():
            return False
        self._reading = None
        self._known = reading.result()
        self._tried, self._sent = self._sent, {}
        return True

    def _meanwhile(self, *, right: bool) -> Observation:
        """Nothing is sent while it is read, for it would not be in what is read."""
        message = "Rucio is telling its distances, which takes about a minute with hundreds of RSEs"
        readiness = READY if right else Readiness(State.PROGRESSING, Reason.PROGRESSING, message)
        return Observation(Presence.SYNCED, readiness, recheck_after=AGAIN)

    async def _send(self, part: tuple[Pairs, Change]) -> None:
        pairs, change = part
        await self.lake.http.change(change.method, *change.path, body=change.body)
        self._sent.update(pairs)
        if self._known:
            self._known.take_in(pairs)

    async def _read(self) -> _Reading:
        began = self.lake.clock()
        found = (await self.http.get("export")).get("distances", {})
        seen = {
            source: {destination: one.get("distance") for destination, one in row.items()}
            for source, row in found.items()
        }
        return _Reading(seen, began, self.lake.clock() - began)


def _pairs(desired: Desired) -> Pairs:
    pairs: Pairs = desired.memo.get("pairs") or distances.wanted(desired.body)
    desired.memo["pairs"] = pairs
    return pairs
