"""Requests to one issuer: guarded, bounded, and held back while the issuer does not answer.

Exceptions carry status codes and host names, never bodies, tokens or headers.
"""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from vre_operator import telemetry
from vre_operator.engine.errors import TargetError, Throttled, Unavailable
from vre_operator.kube.fence import FencedBody, NotSentError
from vre_operator.targets.oidc.guard import GuardedResolver, check_url, networks, origin, refused

TIMEOUT = 20.0
"""Seconds for a whole exchange; a request older than this was answered or never will be."""

_CONNECT_TIMEOUT = 5.0
_BODY_LIMIT = 1 << 20
_BACKOFF_LIMIT = 300.0
_RETRY_AFTER_LIMIT = 3600.0


class Unanswered(Unavailable):
    """No usable answer. `sent`: the request may have reached the provider, so its effect is unknown."""

    def __init__(self, message: str, *, sent: bool, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer, or one without a body (`data` None). It may hold secrets."""

    status: int
    data: Any = field(default=None, repr=False)
    location: str = field(default="", repr=False)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The answer's members, empty when it is not a JSON object."""
        return self.data if isinstance(self.data, dict) else {}

    def text(self, name: str) -> str:
        """A member that should be a string, "" when it is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class IssuerHttp:
    """The one way to an issuer. Everything goes to the issuer's own origin, so credentials go nowhere else.

    After a failure nothing is sent for a while that doubles (with jitter); callers get the last failure again.
    """

    def __init__(
        self,
        issuer: str,
        ca_bundle: str = "",
        allowed_cidrs: tuple[str, ...] = (),
        *,
        clock: Callable[[], float],
        timeout: float = TIMEOUT,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self.issuer = issuer
        self.timeout = timeout
        self._origin = origin(check_url(issuer))
        self._extra = networks(allowed_cidrs)
        self._clock = clock
        self._may_write = may_write
        self._failures = 0
        self._closed_until = 0.0
        self._last: TargetError | None = None
        self._tls = ssl.create_default_context()
        if ca_bundle:
            try:
                self._tls.load_verify_locations(cadata=ca_bundle)
            except ssl.SSLError:
                raise refused(
                    "The CA bundle for the provider is not PEM", "Correct the site's caBundle."
                ) from None

    def owns(self, url: str) -> bool:
        """Whether `url` belongs to the issuer's origin."""
        try:
            return origin(check_url(url.partition("?")[0])) == self._origin
        except TargetError:
            return False

    async def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        bearer: str = "",
        basic: str = "",
    ) -> Answer:
        """Send one request, never twice. Raises Unanswered, Throttled, or Invalid (IssuerRefused)."""
        if not self.owns(url):
            raise refused(
                f"An endpoint of {self.issuer} lies on another host",
                "Credentials are sent to the issuer's own host only; register by hand (provider: manual).",
            )
        if self._last and self._clock() < self._closed_until:
            raise self._held(self._last)
        if method != "GET" and not self._may_write():
            raise self._fenced(method)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if bearer or basic:
            headers["Authorization"] = f"Bearer {bearer}" if bearer else f"Basic {basic}"
        try:
            data = self._body(form, body)
            answer = await self._exchange(
                method, url, data=data, params=query, headers=headers, allow_redirects=False
            )
        except (Unanswered, Throttled) as failure:
            telemetry.PROVIDER_CALLS.labels(method, type(failure).__name__).inc()
            self._open(failure)
            raise
        telemetry.PROVIDER_CALLS.labels(method, str(answer.status)).inc()
        self._failures, self._last = 0, None
        return answer

    @staticmethod
    def _fenced(method: str) -> Unanswered:
        return Unanswered(f"{method} not sent, for this process does not lead any more", sent=False)

    def _body(self, form: Mapping[str, str] | None, body: Mapping[str, Any] | None) -> FencedBody | None:
        if form is not None:
            return FencedBody(urlencode(form).encode(), "application/x-www-form-urlencoded", self._may_write)
        if body is not None:
            return FencedBody(json.dumps(body).encode(), "application/json", self._may_write)
        return None

    async def _exchange(self, method: str, url: str, **arguments: Any) -> Answer:
        host = self._origin[1]
        try:
            # a session each: requests are rare, and a kept connection that died would make a POST ambiguous
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(resolver=GuardedResolver(self._extra), ssl=self._tls),
                    timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=_CONNECT_TIMEOUT),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    trust_env=False,
                    middlewares=(_once,),
                ) as session,
                session.request(method, url, **arguments) as response,
            ):
                return await _read(response, host)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            cause = _cause(error)
            raise Unanswered(f"No connection to {host}: {cause}", sent=False) from None
        except TimeoutError:
            raise Unanswered(f"{host} did not answer within {self.timeout:.0f} s", sent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, NotSentError):
                raise self._fenced(method) from None
            kind = str(error) if isinstance(error, _Broken) else type(error).__name__
            raise Unanswered(f"{host} broke off the exchange ({kind})", sent=True) from None

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
        return Unanswered(last.message, sent=False, retry_after=wait)


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


async def _read(response: aiohttp.ClientResponse, host: str) -> Answer:
    status = response.status
    retry_after = _seconds(response.headers.get("Retry-After", ""))
    if status == 429:
        raise Throttled(f"{host} asks for patience (429)", retry_after=retry_after)
    if status >= 500:
        raise Unanswered(f"{host} failed with status {status}", sent=True, retry_after=retry_after)
    if 300 <= status < 400:
        raise Unanswered(f"{host} answers with a redirect ({status}), which is not followed", sent=True)
    raw = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        raw += chunk
        if len(raw) > _BODY_LIMIT:
            raise Unanswered(f"{host} answers with more than {_BODY_LIMIT >> 20} MiB", sent=True)
    location = response.headers.get("Location", "")
    if not raw:
        return Answer(status, None, location)
    if not response.content_type.endswith("json"):
        raise Unanswered(f"{host} answers with {response.content_type} instead of JSON ({status})", sent=True)
    try:
        return Answer(status, json.loads(raw), location)
    except ValueError:
        raise Unanswered(f"{host} answers with broken JSON ({status})", sent=True) from None


def _cause(error: BaseException) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({getattr(error.certificate_error, 'verify_message', '')})"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ConnectionTimeoutError():
            return f"no answer within {_CONNECT_TIMEOUT:.0f} s"
        case aiohttp.ClientConnectorError():
            return error.os_error.strerror or type(error.os_error).__name__
        case _:
            return type(error).__name__


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None
