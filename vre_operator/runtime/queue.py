"""A work queue of keys: each key once, never twice at the same time, sooner wins over later.

What woke a key does not matter and is not kept: whoever takes it looks at the whole state. Fair in two ways. A
key that is woken all the time is held to a share of this process, so that a tenant who is edited a hundred
times a second, or whose plan is the largest, does not cost the others their turn. And three lanes, each before
the next three to one: repairs of what stood, so that nobody waits until a thousand others are made or deleted;
work that was begun, so that a thousand tenants made at once are finished one after the other instead of all at
the end; and work that is new.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

BURST = 100
RATE = 20.0
TURN = 0.0025
"""Seconds of CPU that a turn may take and count as one: with RATE, a twentieth of a core for a key."""
_IN_A_ROW = 3


class WorkQueue(Generic[Key]):
    """For one event loop. burst: turns that a key may have at once; rate: turns a second after that. One that
    took longer than TURN counts as several, and makes a key wait for burst / rate seconds at most."""

    def __init__(self, burst: int = BURST, rate: float = RATE) -> None:
        self._burst = burst
        self._rate = rate
        self._repairs: deque[Key] = deque()
        self._begun: deque[Key] = deque()
        self._new: deque[Key] = deque()
        self._in_a_row = {"repairs": 0, "begun": 0}
        self._since: dict[Key, float] = {}
        self._running: set[Key] = set()
        self._again: dict[Key, bool] = {}
        self._open: set[Key] = set()
        self._turns: dict[Key, tuple[float, float]] = {}
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._arrived = asyncio.Event()

    def add(self, key: Key, *, repair: bool = False) -> None:
        """Make `key` due now, or when its rate allows; while it is being worked on, once more after that.

        repair: what it has made was changed by somebody, and not what it is to make.
        """
        if key in self._running:
            self._again[key] = repair or self._again.get(key, False)
        elif key not in self._since:
            if (pause := self._pause(key)) > 0:
                self._call_later(key, pause)
                return
            if timer := self._later.pop(key, None):
                timer.cancel()
            self._since[key] = asyncio.get_running_loop().time()
            lane = self._begun if key in self._open else self._repairs if repair else self._new
            lane.append(key)
            self._arrived.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Make `key` due in `seconds`, unless it is due earlier anyway."""
        if key not in self._since and key not in self._again:
            self._call_later(key, seconds)

    async def take(self) -> Key:
        """The next due key; the caller must give it back with done()."""
        while not self._since:
            self._arrived.clear()
            await self._arrived.wait()
        key = self._next().popleft()
        del self._since[key]
        self._running.add(key)
        self._count(key, 1.0)
        return key

    def done(self, key: Key, *, finished: bool = True, cpu: float = 0.0) -> None:
        """finished: nothing was left to do; otherwise the key goes before new ones when it is due again. cpu:
        seconds of it that the turn took."""
        self._running.discard(key)
        self._count(key, cpu / TURN - 1.0)
        (self._open.discard if finished else self._open.add)(key)
        if (repair := self._again.pop(key, None)) is not None:
            self.add(key, repair=repair)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a key that is no more."""
        if timer := self._later.pop(key, None):
            timer.cancel()
        self._open.discard(key)
        self._turns.pop(key, None)

    @property
    def depth(self) -> int:
        return len(self._since)

    @property
    def idle(self) -> bool:
        return not self._since and not self._running

    def oldest_age(self) -> float:
        """Seconds that the longest waiting due key has been waiting."""
        if not self._since:
            return 0.0
        return asyncio.get_running_loop().time() - min(self._since.values())

    def _next(self) -> deque[Key]:
        for name, lane, after in (
            ("repairs", self._repairs, self._begun or self._new),
            ("begun", self._begun, self._new),
        ):
            if lane and (self._in_a_row[name] < _IN_A_ROW or not after):
                self._in_a_row[name] += 1
                return lane
            self._in_a_row[name] = 0
        return self._new

    def _balance(self, key: Key) -> float:
        """Turns that `key` may have now."""
        left, at = self._turns.get(key, (float(self._burst), 0.0))
        return min(self._burst, left + (asyncio.get_running_loop().time() - at) * self._rate)

    def _pause(self, key: Key) -> float:
        return (1.0 - self._balance(key)) / self._rate

    def _count(self, key: Key, turns: float) -> None:
        if turns > 0:
            left = max(self._balance(key) - turns, 1.0 - self._burst)
            self._turns[key] = (left, asyncio.get_running_loop().time())

    def _call_later(self, key: Key, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if timer := self._later.get(key):
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._later[key] = loop.call_later(seconds, self._expire, key)

    def _expire(self, key: Key) -> None:
        self._later.pop(key, None)
        self.add(key)
