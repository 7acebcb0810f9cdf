"""Who makes the copies: so many at once in all and so many into one storage, the urgent and the old first."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import aiohttp

from vre_operator.transfers.copy import SILENCE, CopyError, End, Wish, copy
from vre_operator.transfers.jobs import State
from vre_operator.transfers.store import Store, Task

log = logging.getLogger(__name__)

Key = tuple[str, int]

_POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many copies may run at once, in all and into one storage; after how many seconds without a word from
    its storage a copy is given up."""

    total: int = 10
    host: int = 4
    silence: float = SILENCE


class Workers:
    """Runs what the store has. told: hears of each copy that ended: its state and its bytes."""

    def __init__(
        self,
        store: Store,
        session: aiohttp.ClientSession,
        bounds: Bounds,
        told: Callable[[State, int], None] = lambda state, size: None,
    ) -> None:
        self._store = store
        self._session = session
        self._bounds = bounds
        self._told = told
        self._running: dict[Key, tuple[Task, asyncio.Task[None]]] = {}
        self._news = asyncio.Event()

    @property
    def running(self) -> int:
        return len(self._running)

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    def stop(self, job: str) -> None:
        """End the copies of a job that was canceled."""
        for (owner, _), (_, running) in self._running.items():
            if owner == job:
                running.cancel()

    async def run(self) -> None:
        """Until cancelled: then what runs is broken off, cleaned up and left for the next life."""
        try:
            while True:
                self._news.clear()
                while self._begin_one():
                    pass
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._news.wait()
        finally:
            copies = [running for _, running in self._running.values()]
            for running in copies:
                running.cancel()
            await asyncio.gather(*copies, return_exceptions=True)

    def _begin_one(self) -> bool:
        if len(self._running) >= self._bounds.total:
            return False
        hosts = Counter(task.host for task, _ in self._running.values())
        task = self._store.claim({host for host, number in hosts.items() if number >= self._bounds.host})
        if task is None:
            return False
        key = task.job, task.position
        running = asyncio.create_task(self._do(task), name=f"copy {task.job}/{task.position}")
        self._running[key] = task, running
        running.add_done_callback(lambda _: self._ended(key))
        return True

    def _ended(self, key: Key) -> None:
        self._running.pop(key, None)
        self.wake()

    async def _do(self, task: Task) -> None:
        try:
            state, reason, source = await self._try_sources(task)
        except asyncio.CancelledError:
            self._store.give_back(task)
            raise
        except Exception:
            log.exception("job %s file %d: a fault of this service", task.job, task.position)
            state, reason, source = State.FAILED, "A fault of the transfer service; see its log", None
        self._store.finish(task, state, reason=reason, source=source)
        self._told(state, task.file.filesize or 0)
        log.info("job %s file %d to %s: %s %s", task.job, task.position, task.host, state.value, reason or "")

    async def _try_sources(self, task: Task) -> tuple[State, str | None, str | None]:
        reason, last = "", ""
        for wish in wishes(task):
            last = wish.source.url
            try:
                await copy(self._session, wish, self._bounds.silence)
            except CopyError as failure:
                reason = str(failure)
                if not failure.elsewhere:
                    break
            else:
                return State.FINISHED, None, last
        return State.FAILED, f"TRANSFER {reason}", last


def wishes(task: Task) -> list[Wish]:
    """A copy from each source that the file has, in the order in which they are to be tried."""
    file, params = task.file, task.params
    kind, found, value = (file.checksum or "").partition(":")
    token = file.destination_tokens[0] if file.destination_tokens else ""
    first = Wish(
        End(file.sources[0]),
        End(file.destination, token),
        file.filesize or None,
        (kind.lower(), value) if found else None,
        params.verifies,
        # What an earlier attempt of ours left there may be overwritten in any case.
        params.overwrite or task.begun,
    )
    tokens = file.source_tokens or ("",) * len(file.sources)
    return [replace(first, source=End(url, secret)) for url, secret in zip(file.sources, tokens, strict=True)]
