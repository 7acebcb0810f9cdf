"""What a provider said of something: asked again now and then, and kept while the provider is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from vre_operator.engine.errors import TargetError
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State

FAULT_RETRY = 30.0
JITTER = 1.2
"""Times the period: at the latest then it is read again."""


@dataclass(slots=True)
class Fresh:
    """clock: seconds, of any epoch. every: seconds between two readings, with some jitter."""

    clock: Callable[[], float]
    every: float
    _outputs: dict[str, str] = field(default_factory=dict)
    _failure: TargetError | None = None
    _due: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def rest(self) -> float:
        """Seconds until it has to be read again; 0 when it has to be now."""
        return max(self._due - self.clock(), 0.0)

    def expire(self) -> None:
        """Read again at the next look."""
        self._due = 0.0

    async def observe(self, ask: Callable[[], Awaitable[dict[str, str]]]) -> Observation:
        """The outputs that `ask` told last. Raises what it raises while it never told any; later a failing
        reading shows in readiness."""
        async with self._lock:
            if self.clock() >= self._due:
                await self._refresh(ask)
        readiness = READY
        if self._failure:
            if not self._outputs:
                self._failure.retry_after = self.rest
                raise self._failure.with_traceback(None)
            state = State.FAILED if self._failure.terminal else State.PROGRESSING
            readiness = Readiness(state, self._failure.reason, self._failure.text)
        return Observation(Presence.SYNCED, readiness, self._outputs, recheck_after=self.rest)

    async def _refresh(self, ask: Callable[[], Awaitable[dict[str, str]]]) -> None:
        try:
            self._outputs = await ask()
            self._failure, wait = None, self.every
        except TargetError as error:
            self._failure, wait = error, error.retry_after or FAULT_RETRY
        # Never before a retry is let through.
        self._due = self.clock() + wait * random.uniform(1.0, JITTER)  # noqa: S311
