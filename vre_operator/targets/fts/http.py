"""Requests to an FTS or a VOMS server, by certificate. Their addresses are a tenant's text: guarded."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp

from vre_operator.api.conditions import Reason
from vre_operator.engine.resources import FTS
from vre_operator.kube.fence import FencedBody
from vre_operator.targets.fts.proxies import Credential
from vre_operator.targets.guard import Goal, GuardedResolver, check_url, networks, trust
from vre_operator.targets.web import TIMEOUT, Answer, Unanswered, Web, content

_ADDRESS = "spec.dataLake.transfers"
SERVER = Goal(f"{_ADDRESS}.fts", "FTS", Reason.ADDRESS_REFUSED)
VOMS = Goal(f"{_ADDRESS}.x509.voms.url", "VOMS server", Reason.ADDRESS_REFUSED)

_BODY_LIMIT = 1 << 20


class GridHttp(Web):
    """The one way to one of them. JSON is told as it is, everything else as text.

    credential: who we are. allowed_cidrs: networks into which the address may lead besides the public ones.
    """

    system = FTS

    def __init__(
        self,
        url: str,
        goal: Goal,
        credential: Credential | None,
        ca_bundle: str,
        allowed_cidrs: tuple[str, ...],
        *,
        clock: Callable[[], float],
        timeout: float = TIMEOUT,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(check_url(url, goal).netloc, clock=clock, timeout=timeout, may_write=may_write)
        self._url = url.rstrip("/")
        self._goal = goal
        self._extra = networks(allowed_cidrs, goal)
        self._tls = trust(ca_bundle, goal)
        if credential:
            _present(self._tls, credential)

    async def ask(
        self, method: str, path: str, *, query: dict[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Raises Unanswered, Throttled, Invalid."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        return await self.send(method, f"{self._url}{path}", query=query, body=body, headers=headers)

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector(ssl=self._tls, resolver=GuardedResolver(self._extra, self._goal))

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        raw = await content(response, self.host, _BODY_LIMIT)
        if not response.content_type.endswith("json"):
            return Answer(response.status, raw.decode(errors="replace"))
        try:
            return Answer(response.status, json.loads(raw) if raw else None)
        except ValueError:
            raise Unanswered(f"{self.host} answers with broken JSON ({response.status})", sent=True) from None

    def _body(self, form: Any, body: Any) -> FencedBody | None:
        del form
        return None if body is None else FencedBody(body, "application/x-pem-file", self._may_write)


def _present(tls: ssl.SSLContext, credential: Credential) -> None:
    """OpenSSL takes a certificate with its key from a file only: one in memory, so that no key is on a disk."""
    file = os.memfd_create("credential", os.MFD_CLOEXEC)
    try:
        os.write(file, credential.pem)
        tls.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
