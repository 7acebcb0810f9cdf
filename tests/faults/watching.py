"""The news that the operator gets, and does not get: watches of one kind under the test's hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.faults.rig.api import collection
from tests.faults.rig.calls import Call
from tests.faults.rig.proxy import Answer, Exchange, Rule
from tests.faults.rig.stage import Stage
from tests.faults.rig.streams import Valve, event, through

_ALWAYS = 1_000_000
_EXPIRED = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410}
_EXPIRED |= {"reason": "Expired", "message": "too old resource version"}


def watches(kind: str) -> Callable[[Call], bool]:
    return lambda call: call.method == "GET" and call.path == collection(kind) and "watch" in call.query


def lists(kind: str) -> Callable[[Call], bool]:
    return lambda call: call.method == "GET" and call.path == collection(kind) and "watch" not in call.query


async def expired(exchange: Exchange) -> web.StreamResponse:
    """A watch from a version that the API server has forgotten: 410, as the first and only event."""
    line = json.dumps({"type": "ERROR", "object": _EXPIRED}).encode() + b"\n"
    return await exchange.reply(Answer(200, {"Content-Type": "application/json"}, line))


@dataclass
class News:
    """One kind's watch, which begins with the block of `listening`."""

    stage: Stage
    kind: str
    valve: Valve = field(default_factory=Valve)

    def withhold(self, namespace: str, name: str) -> None:
        """Keep back everything about one object, in its order, until `valve.let_go`."""
        self.valve.hold = lambda line: event(line)[1:] == (namespace, name)

    @contextmanager
    def gap(self) -> Iterator[None]:
        """What happens in the block is never told: the watch breaks, and its version is forgotten."""
        self.valve.silent = True
        yield
        forgotten = Rule(watches(self.kind), expired, "410")
        self.stage.door.rules.insert(0, forgotten)
        self.valve.closed = True
        self.stage.until(lambda: forgotten.hit, "it never watches again")
        self.valve.closed = self.valve.silent = False
        self.stage.door.rules.remove(forgotten)


@contextmanager
def listening(stage: Stage, kind: str, *, streams: int = _ALWAYS, **environment: str) -> Iterator[News]:
    """An operator that was started anew and hears of `kind` through a valve; only its first so many watches do.

    environment: for this one operator.
    """
    news = News(stage, kind)
    with stage.door.failing(Rule(watches(kind), through(news.valve.tap), "valve", times=streams)):
        stage.restart(**environment)
        try:
            yield news
        finally:
            news.valve.silent = False
            news.valve.let_go()
