"""What can become of a stream of lines (a watch): held back, thinned out, silenced, cut, told from the past."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from tests.faults.rig.proxy import Exchange, Fault, Lines, Tap

Chosen = Callable[[bytes], bool]
_TURN = 0.02


def through(tap: Tap) -> Fault:
    """A fault for a stream's call."""

    async def stream(exchange: Exchange) -> web.StreamResponse:
        return await exchange.relay(tap)

    return stream


@dataclass(slots=True)
class Valve:
    """A tap that a test turns while streams run through it; streams that begin later run through it, too.

    dropped: lines that were swallowed for good. held: lines that wait for `let_go`.
    """

    drop: Chosen = lambda line: False
    hold: Chosen = lambda line: False
    silent: bool = False
    closed: bool = False
    dropped: list[bytes] = field(default_factory=list)
    held: list[bytes] = field(default_factory=list)
    _open: threading.Event = field(default_factory=threading.Event)

    def let_go(self) -> None:
        """What was held is delivered, in its order, and nothing is held any more."""
        self.hold = lambda line: False
        self._open.set()

    async def tap(self, lines: Lines) -> Lines:
        queue: list[bytes] = []
        source = aiter(lines)
        coming = asyncio.ensure_future(anext(source, None))
        try:
            while not self.closed:
                if queue and self._open.is_set():
                    for late in queue:
                        yield late
                    queue.clear()
                done, _ = await asyncio.wait([coming], timeout=_TURN)
                if not done or self.silent:
                    continue
                if (line := coming.result()) is None:
                    return
                coming = asyncio.ensure_future(anext(source, None))
                if self.drop(line):
                    self.dropped.append(line)
                elif self.hold(line):
                    queue.append(line)
                    self.held.append(line)
                else:
                    yield line
        finally:
            coming.cancel()


def followed_by(more: Sequence[bytes], after: int = 0) -> Tap:
    """A tap that tells `more`, once, after so many lines of the stream."""
    told = threading.Event()

    async def tap(lines: Lines) -> AsyncIterator[bytes]:
        count = 0
        if after == 0 and not told.is_set():
            told.set()
            for old in more:
                yield old
        async for line in lines:
            yield line
            count += 1
            if count >= after and not told.is_set():
                told.set()
                for old in more:
                    yield old

    return tap


@dataclass(slots=True)
class Recording:
    """A tap that keeps what it passes on, to be told again later."""

    lines: list[bytes] = field(default_factory=list)

    async def tap(self, lines: Lines) -> AsyncIterator[bytes]:
        async for line in lines:
            self.lines.append(line)
            yield line


def event(line: bytes) -> tuple[str, str, str]:
    """(type, namespace, name) of a watch event; empty where it has none."""
    try:
        told = json.loads(line)
        metadata = told["object"]["metadata"]
    except (ValueError, KeyError, TypeError):
        return ("", "", "")
    return (told["type"], metadata.get("namespace", ""), metadata.get("name", ""))
