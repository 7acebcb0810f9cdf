"""A work queue of keys: each key once, never twice at the same time, sooner wins over later.

What woke a key does not matter and is not kept: whoever takes it looks at the whole state.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class WorkQueue(Generic[Key]):
    """For one event loop. Keys come out in the order in which they became due."""

    def __init__(self) -> None:
        self._due: deque[Key] = deque()
        self._since: dict[Key, float] = {}
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._arrived = asyncio.Event()

    def add(self, key: Key) -> None:
        """Make `key` due now; while it is being worked on, once more after that."""
        if timer := self._later.pop(key, None):
            timer.cancel()
        if key in self._running:
            self._again.add(key)
        elif key not in self._since:
            self._since[key] = asyncio.get_running_loop().time()
            self._due.append(key)
            self._arrived.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Make `key` due in `seconds`, unless it is due earlier anyway."""
        loop = asyncio.get_running_loop()
        if key in self._since or key in self._again:
            return
        if timer := self._later.get(key):
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._later[key] = loop.call_later(seconds, self._expire, key)

    async def take(self) -> Key:
        """The next due key; the caller must give it back with done()."""
        while not self._due:
            self._arrived.clear()
            await self._arrived.wait()
        key = self._due.popleft()
        del self._since[key]
        self._running.add(key)
        return key

    def done(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def forget(self, key: Key) -> None:
        """Drop a timer for a key that is no more."""
        if timer := self._later.pop(key, None):
            timer.cancel()

    @property
    def depth(self) -> int:
        return len(self._due)

    @property
    def idle(self) -> bool:
        return not self._due and not self._running

    def oldest_age(self) -> float:
        """Seconds that the longest waiting due key has been waiting."""
        if not self._since:
            return 0.0
        return asyncio.get_running_loop().time() - min(self._since.values())

    def _expire(self, key: Key) -> None:
        self._later.pop(key, None)
        self.add(key)
