"""A TLS reverse proxy in front of any system: it numbers and journals the requests, and fails where told to.

It knows nothing of what is behind it. A `Rule` says which call a fault (faults.py, streams.py) is for.
The Host header is kept, so that a server that builds URLs from it builds the proxy's.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from dev.oidc.tls import write_certificates
from dev.ports import free_port
from tests.faults.rig.background import Background
from tests.faults.rig.calls import Call, Namer, by_path

_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection")
_BODY_LIMIT = 16 << 20

Lines = AsyncIterator[bytes]
Tap = Callable[[Lines], Lines]
Fault = Callable[["Exchange"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Rule:
    """Do `fault` to the first `times` calls that `match`; `hit` are those that it was done to."""

    match: Callable[[Call], bool]
    fault: Fault
    name: str = ""
    times: int = 1
    hit: list[Call] = field(default_factory=list)

    def takes(self, call: Call) -> bool:
        return len(self.hit) < self.times and self.match(call)


def at(key: str, nth: int = 1) -> Callable[[Call], bool]:
    """The nth call with that key."""
    return lambda call: (call.key, call.nth) == (key, nth)


class Exchange:
    """One call on its way: a fault forwards it or not, answers it or not."""

    def __init__(self, proxy: Proxy, call: Call, request: web.Request) -> None:
        self.call = call
        self.request = request
        self._proxy = proxy

    async def forward(self) -> Answer:
        """Let the server do it; its whole answer."""
        async with self._proxy.send(self) as answer:
            self.call.status = answer.status
            return Answer(answer.status, _kept(answer.headers), await answer.read())

    async def reply(self, answer: Answer) -> web.StreamResponse:
        """Give `answer` to the caller, to the last byte."""
        response = web.Response(status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body)
        await response.prepare(self.request)
        await response.write_eof()
        return response

    async def relay(self, tap: Tap | None = None) -> web.StreamResponse:
        """Let the server do it and pass its answer on as it comes, line by line through `tap`."""
        async with self._proxy.send(self) as answer:
            self.call.status = answer.status
            response = web.StreamResponse(
                status=answer.status, headers=_kept(answer.headers, length=tap is None)
            )
            await response.prepare(self.request)
            pieces = answer.content.iter_any()
            async for piece in tap(_lines(pieces)) if tap else pieces:
                await response.write(piece)
            await response.write_eof()
            return response

    def kill(self) -> None:
        """End the caller."""
        self._proxy.kill()

    def reset(self) -> web.StreamResponse:
        """Break the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response(status=500)

    @property
    def abandoned(self) -> bool:
        """Whether the caller has left."""
        return self.request.transport is None or self.request.transport.is_closing()


class Proxy:
    """`kill`: ends the process that calls through this proxy. `journal`: every call, in order of arrival."""

    def __init__(self, background: Background, folder: Path, namer: Namer = by_path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = write_certificates(folder, authority=f"proxy {folder.name}")
        self.url = f"https://localhost:{free_port()}"
        self.journal: list[Call] = []
        self.rules: list[Rule] = []
        self.kill: Callable[[], None] = lambda: None
        self._background = background
        self._folder = folder
        self._namer = namer
        self._upstream = ""
        self._numbers = itertools.count(1)
        self._seen: Counter[str] = Counter()
        self._session: aiohttp.ClientSession | None = None

    @contextmanager
    def to(self, upstream: str, ca: str) -> Iterator[Proxy]:
        """Serve until the block ends, in front of `upstream`, whose certificates `ca` (PEM text) has signed."""
        self._upstream = upstream.rstrip("/")
        runner = self._background.run(self._start(ssl.create_default_context(cadata=ca)))
        try:
            yield self
        finally:
            self._background.run(self._stop(runner))

    def mark(self) -> int:
        """Count from 1 again; where the journal is now."""
        self._seen.clear()
        return len(self.journal)

    @contextmanager
    def failing(self, *rules: Rule) -> Iterator[None]:
        """With these rules until the block ends."""
        self.rules = [*rules, *self.rules]
        try:
            yield
        finally:
            self.rules = [rule for rule in self.rules if rule not in rules]

    def send(self, exchange: Exchange) -> aiohttp.client._RequestContextManager:
        assert self._session is not None
        request = exchange.request
        return self._session.request(
            request.method,
            URL(self._upstream + request.raw_path, encoded=True),
            headers=CIMultiDict(
                (name, value) for name, value in request.headers.items() if name.lower() not in _HOP
            ),
            data=exchange.call.body or None,
            allow_redirects=False,
        )

    async def _start(self, trust: ssl.SSLContext) -> web.AppRunner:
        # Given up before any server would: a request lost in that gap would be a fault of our own.
        connector = aiohttp.TCPConnector(limit=0, ssl=trust, keepalive_timeout=2)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(self._folder / "tls.crt", self._folder / "tls.key")
        await web.TCPSite(runner, "127.0.0.1", int(self.url.rpartition(":")[2]), ssl_context=tls).start()
        return runner

    async def _stop(self, runner: web.AppRunner) -> None:
        await runner.cleanup()
        assert self._session is not None
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            next(self._numbers), request.method, request.path, "", dict(request.query), await request.read()
        )
        call.name = self._namer(call)
        self._seen[call.key] += 1
        call.nth = self._seen[call.key]
        self.journal.append(call)
        exchange = Exchange(self, call, request)
        rule = next((rule for rule in self.rules if rule.takes(call)), None)
        if rule:
            rule.hit.append(call)
            call.fault = rule.name
        try:
            return await (rule.fault(exchange) if rule else exchange.relay())
        except (aiohttp.ClientError, OSError):
            # Whichever side broke off, the other one sees the same.
            return exchange.reset()


def _kept(headers: Mapping[str, str], *, length: bool = True) -> CIMultiDict[str]:
    dropped = _HOP if length else (*_HOP, "content-length")
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


async def _lines(pieces: AsyncIterator[bytes]) -> Lines:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


async def patience(exchange: Exchange, seconds: float = 120) -> None:
    """Say nothing until the caller has left."""
    async with asyncio.timeout(seconds):
        while not exchange.abandoned:  # noqa: ASYNC110 aiohttp tells nobody
            await asyncio.sleep(0.02)
