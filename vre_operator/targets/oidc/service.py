"""What a service account of ours asks of its provider, over one API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from vre_operator.engine.errors import Unavailable
from vre_operator.targets.oidc.http import Answer, IssuerHttp
from vre_operator.targets.oidc.model import ClientSpec
from vre_operator.targets.oidc.probe import basic_credentials
from vre_operator.targets.oidc.registrar import credentials_refused, registration_refused


@dataclass(frozen=True, slots=True)
class Api:
    """base: its URL. scope: of the token that it wants. For messages: name, what the account wants to do there
    (`may`), and what a person does when it may not (`allow`) or when there is no such API (`publish`)."""

    base: str
    name: str
    may: str
    allow: str
    publish: str
    scope: str = ""


class ServiceSession:
    """The API during one piece of work: one access token, renewed once when it is refused."""

    def __init__(self, http: IssuerHttp, spec: ClientSpec, says: Callable[[Answer], str], api: Api) -> None:
        self._http = http
        self._spec = spec
        self._says = says
        self._api = api
        self._token = ""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """One request; `accept` are refusals that are answers, too. Raises what a person can put right."""
        renewed = not self._token
        if renewed:
            self._token = await self._log_in()
        url = self._api.base + path
        answer = await self._http.request(method, url, body=body, query=query, bearer=self._token)
        if answer.status == 401 and not renewed:
            self._token = await self._log_in()
            answer = await self._http.request(method, url, body=body, query=query, bearer=self._token)
        if answer.status < 300 or answer.status in accept:
            return answer
        issuer, words = self._spec.issuer, self._says(answer)
        if answer.status in (401, 403):
            raise credentials_refused(
                f"{issuer} does not let the service account of {self._spec.credential_field} {self._api.may}"
                f" ({answer.status} {words})",
                self._api.allow,
            )
        if answer.status == 404:
            raise Unavailable(
                f"{issuer} has no {self._api.name} at {quote(self._api.base, safe=':/')}",
                remedy=self._api.publish,
            )
        raise registration_refused(
            f"{issuer} refuses {method} {path}: {answer.status} {words}",
            "See the provider's log for the cause.",
        )

    async def _log_in(self) -> str:
        spec = self._spec
        client_id, secret = spec.credential.get("client_id", ""), spec.credential.get("client_secret", "")
        form = {"grant_type": "client_credentials"} | ({"scope": self._api.scope} if self._api.scope else {})
        # a service account may be registered for either method, and Keycloak enforces which
        answer = await self._http.request(
            "POST", spec.token_endpoint, form={**form, "client_id": client_id, "client_secret": secret}
        )
        if answer.status == 401:
            answer = await self._http.request(
                "POST", spec.token_endpoint, form=form, basic=basic_credentials(client_id, secret)
            )
        token = answer.text("access_token")
        if answer.status != 200 or not token:
            raise credentials_refused(
                f"{spec.issuer} refuses the service account of {self._spec.credential_field}"
                f" ({answer.status} {self._says(answer)})",
                "Write client_id and client_secret of a client with service accounts enabled"
                f"{f' and scope {self._api.scope}' if self._api.scope else ''} into the Secret.",
            )
        return token
