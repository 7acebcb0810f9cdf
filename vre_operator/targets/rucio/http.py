"""Requests to one Rucio as one account: a token of our own for each, logged in again when it is refused.

Rucio's client would do, but keeps its token in a file whose name does not tell one Rucio from another, so an
operator of many would mix them (contracts/rucio.md section 6).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Forbidden, Invalid, TargetError
from vre_operator.engine.resources import RUCIO
from vre_operator.targets.guard import ATTACHED, GuardedResolver, check_url, networks
from vre_operator.targets.web import TIMEOUT, Answer, Unanswered, Web, content

# The export of 300 RSEs with all distances between them takes about 25 MiB.
_BODY_LIMIT = 64 << 20
# Import and export of many RSEs take most of a minute.
SLOW = 6 * TIMEOUT
# A server closes what has been idle for longer: Rucio's image after five seconds, others after two.
_IDLE = 1.0
_TOKEN_SECONDS = 3000.0  # of the hour for which Rucio issues them
# What Rucio says of these is about what was sent; of others it may be a statement with its values.
_SPEAKS = frozenset(
    {
        *(
            "AccessDenied",
            "AccountNotFound",
            "ConfigNotFound",
            "Duplicate",
            "IdentityError",
            "InputValidationError",
        ),
        *("InvalidAccountType", "InvalidObject", "InvalidRSEExpression", "RSEAttributeNotFound", "RSENotFound"),
        *("RSEOperationNotSupported", "RSEProtocolDomainNotSupported", "RSEProtocolNotSupported"),
        *("RSEProtocolPriorityError", "ScopeNotFound", "SubscriptionNotFound", "UnsupportedOperation"),
    }
)
_MESSAGE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Login:
    """Where a Rucio is and who we are there. `password` is a secret.

    auth_url: where one logs in, when that is elsewhere. allowed_cidrs: for a URL that a tenant wrote, the
    networks into which it may lead besides the public ones; None for one of our own.
    """

    url: str
    account: str
    username: str
    password: str = field(repr=False)
    ca_bundle: str = ""
    auth_url: str = ""
    allowed_cidrs: tuple[str, ...] | None = None


class Refused(Invalid):
    """Rucio said no: `kind` is the name of its exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class RucioHttp(Web):
    """The one way to one Rucio. Only the login's URLs are ever asked, and no redirect is followed."""

    system = RUCIO

    def __init__(
        self,
        login: Login,
        *,
        clock: Callable[[], float],
        may_write: Callable[[], bool] = lambda: True,
        timeout: float = SLOW,
    ) -> None:
        super().__init__(urlsplit(login.url).netloc, clock=clock, timeout=timeout, may_write=may_write)
        self._login = login
        self._token = ""
        self._token_until = 0.0
        self._entering = asyncio.Lock()
        self._tls: ssl.SSLContext | bool = True
        if login.ca_bundle:
            self._tls = ssl.create_default_context()
            self._tls.load_verify_locations(cadata=login.ca_bundle)
        self._extra = networks(login.allowed_cidrs or (), ATTACHED)
        if login.allowed_cidrs is not None:
            for url in filter(None, (login.url, login.auth_url)):
                check_url(url, ATTACHED)

    async def get(self, *path: str, query: dict[str, str] | None = None) -> Any:
        """What stands at `path`: JSON, or a list of what Rucio streams. Raises Refused."""
        return (await self._request("GET", path, query=query)).data

    async def rows(self, *path: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """The objects that are streamed at `path`. Raises Refused, and Unanswered for anything else."""
        found = await self.get(*path, query=query)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Unanswered(f"{self.host} answers with something else than a list of objects", sent=True)
        return found

    async def change(self, method: str, *path: str, body: Any = None, but: Iterable[str] = ()) -> None:
        """Do something. but: names of exceptions that mean it was done before."""
        try:
            await self._request(method, path, body=body)
        except Refused as refusal:
            if refusal.kind not in but:
                raise

    async def _request(self, method: str, path: tuple[str, ...], **arguments: Any) -> Answer:
        url = "/".join([self._login.url.rstrip("/"), *(quote(part, safe="") for part in path)])
        for last in (False, True):
            token = await self._authenticate()
            answer = await self.send(
                method, url, headers={"X-Rucio-Auth-Token": token, "Accept": "*/*"}, **arguments
            )
            if answer.status != 401 or answer.text("ExceptionClass") != "CannotAuthenticate":
                break
            self._token = ""
            if last:
                raise self._no_entry()
        if answer.status >= 400:
            raise _refusal(answer)
        return answer

    async def _authenticate(self) -> str:
        async with self._entering:
            if not self._token or self._clock() >= self._token_until:
                self._token = await self._enter()
                self._token_until = self._clock() + _TOKEN_SECONDS
            return self._token

    async def _enter(self) -> str:
        login = self._login
        headers = {
            "X-Rucio-Account": login.account,
            "X-Rucio-Username": login.username,
            "X-Rucio-Password": login.password,
        }
        entrance = (login.auth_url or login.url).rstrip("/")
        answer = await self.send("GET", f"{entrance}/auth/userpass", headers=headers)
        if answer.status != 200 or not answer.token:
            raise self._no_entry()
        return answer.token

    def _no_entry(self) -> TargetError:
        return Forbidden(
            f"Rucio at {self.host} refuses the login of account {self._login.account}",
            reason=Reason.CREDENTIALS_REFUSED,
        )

    def connector(self) -> aiohttp.BaseConnector:
        own = self._login.allowed_cidrs is None
        resolver = None if own else GuardedResolver(self._extra, ATTACHED)
        return aiohttp.TCPConnector(ssl=self._tls, resolver=resolver, keepalive_timeout=_IDLE)

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        kind = response.headers.get("ExceptionClass", "")
        if response.status == 500 and kind not in ("", "DatabaseException"):
            # What Rucio does not expect of a request it tells as an error of its own.
            raw = bytes(await response.content.read(1 << 20))
        else:
            raw = await content(response, self.host, _BODY_LIMIT)
        if kind:
            return Answer(response.status, {"ExceptionClass": kind, "ExceptionMessage": _message(raw)})
        token = response.headers.get("X-Rucio-Auth-Token", "")
        data = self._parsed(response, raw)
        if response.method == "GET" and response.status == 200 and data is None and not token:
            # A page of somebody between would be read as what is not there.
            kind = response.content_type
            raise Unanswered(f"{self.host} answers with {kind} instead of JSON", sent=True)
        return Answer(response.status, data, token=token)

    def _parsed(self, response: aiohttp.ClientResponse, raw: bytes) -> Any:
        try:
            match response.content_type:
                case "application/x-json-stream":
                    return [_json(line) for line in raw.splitlines() if line]
                case "application/json":
                    return _json(raw)
                case _:
                    return None
        except ValueError:
            status = response.status
            raise Unanswered(f"{self.host} answers with broken JSON ({status})", sent=True) from None


def _json(raw: bytes) -> Any:
    """Rucio writes Infinity for what is endless, which JSON does not know."""
    return json.loads(raw) if b"Infinity" in raw else orjson.loads(raw)


def _message(raw: bytes) -> str:
    try:
        text = json.loads(raw).get("ExceptionMessage", "")
    except (ValueError, AttributeError):
        return ""
    return text if isinstance(text, str) else ""


def _refusal(answer: Answer) -> Refused:
    kind = answer.text("ExceptionClass")
    words = " ".join(answer.text("ExceptionMessage").split()) if kind in _SPEAKS else ""
    detail = f": {words[:_MESSAGE_LENGTH]}" if words else ""
    return Refused(kind, f"Rucio refuses ({kind or answer.status}){detail}")
