"""Requests to one system over HTTP: bounded, never sent twice, and held back while it does not answer.

Exceptions carry status codes and host names, never bodies, tokens or headers.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from vre_operator import telemetry
from vre_operator.engine.errors import TargetError, Throttled, Unavailable
from vre_operator.failures import CONNECT_TIMEOUT, cause
from vre_operator.kube.fence import FencedBody, NotSentError

TIMEOUT = 20.0
"""Seconds for a whole exchange; a request older than this was answered or never will be."""

# Whose connections are kept in this context, see Web.many.
_kept: ContextVar[tuple[object, aiohttp.ClientSession | None]] = ContextVar("kept", default=(None, None))

_BACKOFF_LIMIT = 300.0
_RETRY_AFTER_LIMIT = 3600.0


class Unanswered(Unavailable):
    """No usable answer. `sent`: the request may have reached the system, so its effect is unknown."""

    def __init__(self, message: str, *, sent: bool, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, remedy=remedy, retry_after=retry_after)
        self.sent = sent


class Dropped(Unanswered):
    """A connection of `Web.many` ended instead: the server may just have had enough of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer, or one without a body (`data` None). It may hold secrets."""

    status: int
    data: Any = field(default=None, repr=False)
    location: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The answer's members, empty when it is not a JSON object."""
        return self.data if isinstance(self.data, dict) else {}

    def text(self, name: str) -> str:
        """A member that should be a string, "" when it is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class Web:
    """The one way to `host`. What an answer means and how a connection is made, a subclass says.

    After a failure nothing is sent for a while that doubles (with jitter); callers get the last failure again.
    clock: seconds, of any epoch. may_write: asked again for each change when its connection stands. system: the
    target's name, for the metric.
    """

    system: str

    def __init__(
        self, host: str, *, clock: Callable[[], float], timeout: float, may_write: Callable[[], bool]
    ) -> None:
        self.host = host
        self.timeout = timeout
        self._clock = clock
        self._may_write = may_write
        self._failures = 0
        self._closed_until = 0.0
        self._last: TargetError | None = None

    @asynccontextmanager
    async def many(self) -> AsyncIterator[None]:
        """Who is in here keeps connections from one request to the next, for hundreds of them.

        A server may close one just when something is sent on it. Then Dropped is raised, and nothing held back.
        """
        async with self._session() as session:
            token = _kept.set((self, session))
            try:
                yield
            finally:
                _kept.reset(token)

    def connector(self) -> aiohttp.BaseConnector:
        """For one exchange, or many of them."""
        raise NotImplementedError

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        """What was answered. Raises Unanswered, Throttled when that is no answer."""
        raise NotImplementedError

    async def send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str],
    ) -> Answer:
        """Send one request. Raises Unanswered, Throttled, and what `connector` raises."""
        if self._last and self._clock() < self._closed_until:
            raise self._held(self._last)
        if method not in ("GET", "HEAD") and not self._may_write():
            raise _fenced(method)
        try:
            data = self._body(form, body)
            answer = await self._exchange(
                method, url, data=data, params=query, headers=headers, allow_redirects=False
            )
        except (Unanswered, Throttled) as failure:
            telemetry.PROVIDER_CALLS.labels(self.system, method, type(failure).__name__).inc()
            if not isinstance(failure, Dropped):
                self._open(failure)
            raise
        telemetry.PROVIDER_CALLS.labels(self.system, method, str(answer.status)).inc()
        self._failures, self._last = 0, None
        return answer

    def _body(self, form: Mapping[str, str] | None, body: Any) -> FencedBody | None:
        if form is not None:
            return FencedBody(urlencode(form).encode(), "application/x-www-form-urlencoded", self._may_write)
        if body is not None:
            return FencedBody(json.dumps(body).encode(), "application/json", self._may_write)
        return None

    async def _exchange(self, method: str, url: str, **arguments: Any) -> Answer:
        owner, kept = _kept.get()
        if owner is not self:
            kept = None
        try:
            if kept:
                return await self._ask(kept, method, url, **arguments)
            # a session each: requests are rare, and a kept connection that died would make a POST ambiguous
            async with self._session() as session:
                return await self._ask(session, method, url, **arguments)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unanswered(f"No connection to {self.host}: {cause(error)}", sent=False) from None
        except TimeoutError:
            raise Unanswered(f"{self.host} did not answer within {self.timeout:.0f} s", sent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, NotSentError):
                raise _fenced(method) from None
            broken = isinstance(error, _Broken)
            message = f"{self.host} broke off the exchange ({error if broken else type(error).__name__})"
            raise (Dropped if broken and kept else Unanswered)(message, sent=True) from None

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self.connector(),
            timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=(_once,),
        )

    async def _ask(self, session: aiohttp.ClientSession, method: str, url: str, **arguments: Any) -> Answer:
        async with session.request(method, url, **arguments) as response:
            return await self.read(response)

    def _open(self, failure: TargetError) -> None:
        self._failures += 1
        wait = min(_BACKOFF_LIMIT, 2.0 ** min(self._failures - 1, 10)) * random.uniform(0.75, 1.25)  # noqa: S311
        if failure.retry_after is not None:
            wait = max(wait, min(failure.retry_after, _RETRY_AFTER_LIMIT))
        failure.retry_after = wait
        self._closed_until = self._clock() + wait
        self._last = failure

    def _held(self, last: TargetError) -> TargetError:
        wait = self._closed_until - self._clock()
        if isinstance(last, Throttled):
            return Throttled(last.message, retry_after=wait)
        return Unanswered(last.message, sent=False, remedy=last.remedy, retry_after=wait)


def _fenced(method: str) -> Unanswered:
    return Unanswered(f"{method} not sent, for this process does not lead any more", sent=False)


class _Broken(aiohttp.ClientError):
    """An exchange that ended without an answer."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends PUT and DELETE again after a lost connection, and the first may have had its effect
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broken(type(error).__name__) from None


async def content(response: aiohttp.ClientResponse, host: str, limit: int) -> bytes:
    """The body of an answer that is one: no 429, no 5xx, no redirect, at most `limit` bytes."""
    status = response.status
    retry_after = _seconds(response.headers.get("Retry-After", ""))
    if status == 429:
        raise Throttled(f"{host} asks for patience (429)", retry_after=retry_after)
    if status >= 500:
        message, remedy = f"{host} failed with status {status}", "Its own log says why; it is asked again."
        raise Unanswered(message, sent=True, remedy=remedy, retry_after=retry_after)
    if 300 <= status < 400:
        raise Unanswered(f"{host} answers with a redirect ({status}), which is not followed", sent=True)
    raw = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        raw += chunk
        if len(raw) > limit:
            raise Unanswered(f"{host} answers with more than {limit >> 20} MiB", sent=True)
    return bytes(raw)


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None
