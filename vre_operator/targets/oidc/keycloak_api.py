"""Keycloak's admin REST API, as far as clients and client scopes go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from vre_operator.engine.errors import Conflict, Unavailable
from vre_operator.targets.oidc.http import Answer, IssuerHttp
from vre_operator.targets.oidc.keycloak import realm_urls
from vre_operator.targets.oidc.model import ClientSpec
from vre_operator.targets.oidc.probe import basic_credentials
from vre_operator.targets.oidc.registrar import Work, credentials_refused, registration_refused

_CLIENTS = "/clients"


class AdminSession:
    """The admin REST API during one piece of work: one access token, renewed once when it is refused.

    credential: the field of the spec that names the service account, for messages. may, roles: what it has to
    be allowed.
    """

    may = "manage clients"
    roles = "role manage-clients"

    def __init__(
        self,
        http: IssuerHttp,
        spec: ClientSpec,
        says: Callable[[Answer], str],
        credential: str = "spec.identity.credentialsSecret",
    ) -> None:
        server, realm = realm_urls(spec.issuer)
        self._http = http
        self._spec = spec
        self._says = says
        self._credential = credential
        self._base = f"{server}/admin/realms/{realm}"
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
        url = self._base + path
        answer = await self._http.request(method, url, body=body, query=query, bearer=self._token)
        if answer.status == 401 and not renewed:
            self._token = await self._log_in()
            answer = await self._http.request(method, url, body=body, query=query, bearer=self._token)
        if answer.status < 300 or answer.status in accept:
            return answer
        issuer, words = self._spec.issuer, self._says(answer)
        if answer.status in (401, 403):
            raise credentials_refused(
                f"{issuer} does not let the service account of {self._credential} {self.may}"
                f" ({answer.status} {words})",
                f"Give it the {self.roles} of the realm's client realm-management.",
            )
        if answer.status == 404:
            raise Unavailable(
                f"{issuer} has no admin API at {quote(self._base, safe=':/')}",
                remedy="Publish Keycloak's /admin path to the operator.",
            )
        raise registration_refused(
            f"{issuer} refuses {method} {path}: {answer.status} {words}",
            "See Keycloak's log for the cause.",
        )

    async def _log_in(self) -> str:
        spec = self._spec
        client_id, secret = spec.credential.get("client_id", ""), spec.credential.get("client_secret", "")
        form = {"grant_type": "client_credentials"}
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
                f"{spec.issuer} refuses the service account of {self._credential}"
                f" ({answer.status} {self._says(answer)})",
                "Write client_id and client_secret of a client with service accounts enabled into the Secret.",
            )
        return token


class AdminApi(AdminSession):
    """What is asked about one client."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.http, work.spec, work.says)
        self._work = work

    async def find(self) -> dict[str, Any] | None:
        client_id = self._work.state.client_id or self._work.owner.client_id
        answer = await self.ask("GET", _CLIENTS, query={"clientId": client_id})
        for one in answer.data if isinstance(answer.data, list) else ():
            if isinstance(one, dict) and one.get("clientId") == client_id:
                return one
        return None

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The client as Keycloak keeps it, also when somebody (an earlier attempt of ours) was faster."""
        await self.ask("POST", _CLIENTS, body=body, accept=(409,))
        live = await self.find()
        if live is None:
            raise Conflict(
                f"{self._work.spec.issuer} took client {body['clientId']} and does not show it",
                remedy="It is asked again; see Keycloak's log if this stays.",
            )
        return live

    async def update(self, internal_id: str, body: Mapping[str, Any]) -> None:
        await self.ask("PUT", f"{_CLIENTS}/{internal_id}", body=body)

    async def delete(self, internal_id: str) -> None:
        await self.ask("DELETE", f"{_CLIENTS}/{internal_id}", accept=(404,))

    async def missing_scopes(self, live: Mapping[str, Any]) -> list[str]:
        held = {*live.get("defaultClientScopes", ()), *live.get("optionalClientScopes", ())}
        return [scope for scope in self._work.spec.asked_scopes if scope not in held]

    async def client_scopes(self) -> list[dict[str, Any]]:
        """All of the realm, with their attributes and mappers."""
        answer = await self.ask("GET", "/client-scopes")
        found = answer.data if isinstance(answer.data, list) else ()
        return [one for one in found if isinstance(one, dict)]

    async def add_scope(self, internal_id: str, scope: str) -> None:
        for one in await self.client_scopes():
            if one.get("name") == scope:
                await self.ask("PUT", f"{_CLIENTS}/{internal_id}/optional-client-scopes/{one['id']}")
                return
        raise registration_refused(
            f"{self._work.spec.issuer} has no client scope {scope}",
            f"Add the client scope in the realm, or take {scope} out of spec.identity.scopes.",
        )
