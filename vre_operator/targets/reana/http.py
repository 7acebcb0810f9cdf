"""Requests to the program beside REANA's server that knows its people (components/reana/files/people.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Forbidden, Invalid
from vre_operator.engine.resources import REANA
from vre_operator.targets.web import TIMEOUT, Answer, Unanswered, Web, content

# A person takes some 200 bytes.
_BODY_LIMIT = 32 << 20


class ReanaHttp(Web):
    """The one way to one REANA. credential: the operator's own, a secret."""

    system = REANA

    def __init__(
        self,
        url: str,
        credential: str,
        *,
        clock: Callable[[], float],
        may_write: Callable[[], bool] = lambda: True,
        timeout: float = TIMEOUT,
    ) -> None:
        super().__init__(urlsplit(url).netloc, clock=clock, timeout=timeout, may_write=may_write)
        self._url = url
        self._headers = {"Authorization": f"Bearer {credential}"}

    async def people(self) -> tuple[list[dict[str, Any]], str]:
        """{id, email, active, limits, used} of everybody but the administrator; the revision of the database's
        schema. Raises TargetError."""
        answer = await self._request("GET", "/people")
        found = answer.fields.get("people")
        if not isinstance(found, list):
            raise Unanswered(f"{self.host} does not answer as REANA's people do", sent=True)
        return found, answer.text("revision")

    async def change(self, method: str, address: str, *rest: str, body: Any = None) -> None:
        """PUT or DELETE /people/ADDRESS and what is below. Raises TargetError."""
        await self._request(method, "/".join(["/people", quote(address, safe=""), *rest]), body)

    async def _request(self, method: str, path: str, body: Any = None) -> Answer:
        answer = await self.send(method, f"{self._url}{path}", body=body, headers=self._headers)
        if answer.status == 401:
            raise Forbidden(
                f"{self.host} refuses the operator's credential",
                remedy="It is in the Secret reana-people; a restart of reana-server reads it again.",
                reason=Reason.CREDENTIALS_REFUSED,
            )
        if answer.status >= 400:
            raise Invalid(f"REANA's people refuse {method} ({answer.status}): {answer.text('message')[:200]}")
        return answer

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector()

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        raw = await content(response, self.host, _BODY_LIMIT)
        try:
            return Answer(response.status, json.loads(raw) if raw else None)
        except ValueError:
            raise Unanswered(f"{self.host} answers with broken JSON ({response.status})", sent=True) from None
