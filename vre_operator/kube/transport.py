"""Requests to the API server as data, sent with bounded concurrency, time limits and a few repeats."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from vre_operator import telemetry
from vre_operator.engine.errors import TargetError, Throttled, Unavailable
from vre_operator.kube.access import Access
from vre_operator.kube.errors import Fenced, from_response
from vre_operator.kube.fence import FencedBody, NotSentError
from vre_operator.kube.kinds import kind_of

Object = dict[str, Any]

_IN_FLIGHT = 16  # more only make the API server slower
_TRIES = 4
_PATIENCE = 5.0  # a longer Retry-After goes to the queue, which need not hold a slot while it waits
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_METHODS = {"create": "POST", "update": "PUT", "apply": "PATCH", "patch": "PATCH", "delete": "DELETE"}
_PARTIAL = "application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadata"
_METADATA = {"watch": _PARTIAL, "list": f"{_PARTIAL}List"}
_ACCEPT = {False: "application/json", True: "*/*"}
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_CONTENT = {"apply": "application/apply-patch+yaml", "patch": "application/json-patch+json"}


@dataclass(frozen=True, slots=True)
class Request:
    """`repeat`: it may be sent again when it is not known whether it arrived. `metadata_only`: of objects
    nothing else is sent. `text`: the answer is no JSON, and comes as {"text": ...}."""

    verb: str
    kind: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)
    repeat: bool = False
    metadata_only: bool = False
    text: bool = False

    @property
    def path(self) -> str:
        return kind_of(self.kind).path(self.namespace, self.name, self.subresource)

    def __str__(self) -> str:
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.kind.rsplit('/', 1)[-1]} {where}".strip()


class Transport:
    """One connection pool to one API server, opened on first use."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self.may_write: Callable[[], bool] = lambda: True
        self.sent = 0

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            # TLS connections end a few turns of the loop after they were told to.
            await asyncio.sleep(0.05)

    async def call(self, request: Request) -> Object:
        """The answer, after repeats where they are harmless."""
        for attempt in range(1, _TRIES):
            try:
                return await self._once(request)
            except (Unavailable, Throttled) as failure:
                if not request.repeat or (failure.retry_after or 0) > _PATIENCE:
                    raise
                pause = failure.retry_after or 0.2 * 2**attempt
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        return await self._once(request)

    async def stream(self, request: Request, silence: float) -> AsyncIterator[Object]:
        """The answer's lines as they come. Ends when the server ends it or is silent for so many seconds."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=silence)
        try:
            async with self._send(request, timeout) as answer:
                await _check(answer, request)
                async for line in _lines(answer.content):
                    yield orjson.loads(line)
        except TimeoutError:
            return
        except (aiohttp.ClientError, OSError, ValueError) as broken:
            raise _lost(request, broken) from None

    async def _once(self, request: Request) -> Object:
        outcome = "NoAnswer"
        try:
            async with self._slots:
                if request.verb in _METHODS and not self.may_write():
                    outcome = "Fenced"
                    raise _fenced(request)
                async with self._send(request, _TIMEOUT) as answer:
                    outcome = str(answer.status)
                    await _check(answer, request)
                    content = await answer.read()
                    if request.text:
                        return {"text": content.decode(errors="replace")}
                    answered: Object = orjson.loads(content)
                    return answered
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as broken:
            if isinstance(broken.__cause__, NotSentError):
                outcome = "Fenced"
                raise _fenced(request) from None
            raise _lost(request, broken) from None
        finally:
            telemetry.api_call(request.verb, outcome).inc()

    def _send(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._access.tls or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        headers = {
            "Accept": _METADATA[request.verb] if request.metadata_only else _ACCEPT[request.text],
            # The API server packs long lists, at the cost of its CPU and ours: more than they travel for.
            "Accept-Encoding": "identity",
        }
        if token := self._access.token():
            headers["Authorization"] = f"Bearer {token}"
        data = None
        if request.body is not None:
            content_type = _CONTENT.get(request.verb, "application/json")
            data = FencedBody(encoded(request), content_type, self.may_write)
        self.sent += 1
        return self._session.request(
            _METHODS.get(request.verb, "GET"),
            URL(f"{self._access.server}{request.path}?{urlencode(request.query)}", encoded=True),
            headers=headers,
            data=data,
            timeout=timeout,
            # A redirect would carry the token somewhere else.
            allow_redirects=False,
        )


def encoded(request: Request) -> bytes:
    """The body. An apply is read as YAML, which refuses some characters of JSON and changes others."""
    plain = orjson.dumps(request.body)
    if request.verb != "apply" or (plain.isascii() and b"\x7f" not in plain):
        return plain
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", plain.decode()).encode()


def _fenced(request: Request) -> Fenced:
    return Fenced(f"{request}: not sent, for this process does not lead any more")


def _lost(request: Request, broken: Exception) -> Unavailable:
    return Unavailable(f"{request}: no answer from the API server ({type(broken).__name__})")


async def _check(answer: aiohttp.ClientResponse, request: Request) -> None:
    if answer.status < 300:
        return
    try:
        body = orjson.loads(await answer.read())
    except ValueError:
        body = None
    seconds = answer.headers.get("Retry-After", "")
    raise refusal(
        answer.status,
        body if isinstance(body, dict) else {},
        request,
        retry_after=float(seconds) if seconds.isdigit() else None,
    )


def refusal(code: int, body: Object, request: Request, retry_after: float | None = None) -> TargetError:
    """The error for a `Status` object that answers `request`."""
    return from_response(
        code,
        body,
        what=str(request),
        kind=request.kind,
        namespace=request.namespace or request.name,
        retry_after=retry_after,
    )


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    # Not readline(): it refuses lines above its buffer, and a ConfigMap may have a mebibyte.
    rest = b""
    async for chunk in stream.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
