"""Requests to one issuer: guarded, and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from vre_operator.engine.errors import TargetError
from vre_operator.engine.resources import OIDC
from vre_operator.targets.guard import ISSUER, GuardedResolver, check_url, networks, origin, trust
from vre_operator.targets.web import TIMEOUT, Answer, Unanswered, Web, content

__all__ = ["TIMEOUT", "Answer", "IssuerHttp", "Unanswered"]

_BODY_LIMIT = 1 << 20
_BROWSER = "text/html"


class IssuerHttp(Web):
    """The one way to an issuer. Everything goes to the issuer's own origin, so credentials go nowhere else."""

    system = OIDC

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
        self._origin = origin(check_url(issuer))
        super().__init__(self._origin[1], clock=clock, timeout=timeout, may_write=may_write)
        self._extra = networks(allowed_cidrs)
        self._tls = trust(ca_bundle)

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
            raise ISSUER.refused(
                f"An endpoint of {self.issuer} lies on another host",
                "Credentials are sent to the issuer's own host only; register by hand (provider: manual).",
            )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if bearer or basic:
            headers["Authorization"] = f"Bearer {bearer}" if bearer else f"Basic {basic}"
        return await self.send(method, url, form=form, body=body, query=query, headers=headers)

    async def page(self, url: str, query: Mapping[str, str]) -> Answer:
        """Ask once, as a browser does: status and, of a redirect, where it leads; it is not followed.

        Raises as `request` does.
        """
        if not self.owns(url):
            raise ISSUER.refused(f"A page of {self.issuer} lies on another host", "Register by hand.")
        return await self.send("GET", url, query=query, headers={"Accept": _BROWSER})

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector(resolver=GuardedResolver(self._extra), ssl=self._tls)

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        status = response.status
        if response.request_info.headers.get("Accept") == _BROWSER and status < 500 and status != 429:
            return Answer(status, None, response.headers.get("Location", ""))
        raw = await content(response, self.host, _BODY_LIMIT)
        location = response.headers.get("Location", "")
        if not raw:
            return Answer(status, None, location)
        if not response.content_type.endswith("json"):
            kind = response.content_type
            raise Unanswered(f"{self.host} answers with {kind} instead of JSON ({status})", sent=True)
        try:
            return Answer(status, json.loads(raw), location)
        except ValueError:
            raise Unanswered(f"{self.host} answers with broken JSON ({status})", sent=True) from None
