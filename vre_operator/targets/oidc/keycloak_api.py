"""Keycloak's admin REST API, as far as clients and client scopes go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from vre_operator.engine.errors import Conflict, Unavailable
from vre_operator.targets.oidc.http import Answer
from vre_operator.targets.oidc.keycloak import realm_urls
from vre_operator.targets.oidc.probe import basic_credentials
from vre_operator.targets.oidc.registrar import Work, credentials_refused, registration_refused

_CLIENTS = "/clients"


class AdminApi:
    """The admin REST API during one piece of work: one access token, renewed once when it is refused."""

    def __init__(self, work: Work) -> None:
        server, realm = realm_urls(work.spec.issuer)
        self._work = work
        self._base = f"{server}/admin/realms/{realm}"
        self._token = ""

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
        answer = await self._work.http.request(method, url, body=body, query=query, bearer=self._token)
        if answer.status == 401 and not renewed:
            self._token = await self._log_in()
            answer = await self._work.http.request(method, url, body=body, query=query, bearer=self._token)
        if answer.status < 300 or answer.status in accept:
            return answer
        issuer, words = self._work.spec.issuer, self._work.says(answer)
        if answer.status in (401, 403):
            raise credentials_refused(
                f"{issuer} does not let the service account of spec.identity.credentialsSecret manage clients"
                f" ({answer.status} {words})",
                "Give it the role manage-clients of the realm's client realm-management.",
            )
        if answer.status == 404:
            raise Unavailable(
                f"{issuer} has no admin API at {quote(self._base, safe=':/')}",
                remedy="Publish Keycloak's /admin path to the operator.",
            )
        raise registration_refused(
            f"{issuer} refuses client {self._work.state.client_id}: {answer.status} {words}",
            "See Keycloak's log for the cause.",
        )

    async def _log_in(self) -> str:
        spec = self._work.spec
        client_id, secret = spec.credential.get("client_id", ""), spec.credential.get("client_secret", "")
        form = {"grant_type": "client_credentials"}
        # a service account may be registered for either method, and Keycloak enforces which
        answer = await self._work.http.request(
            "POST", spec.token_endpoint, form={**form, "client_id": client_id, "client_secret": secret}
        )
        if answer.status == 401:
            answer = await self._work.http.request(
                "POST", spec.token_endpoint, form=form, basic=basic_credentials(client_id, secret)
            )
        token = answer.text("access_token")
        if answer.status != 200 or not token:
            raise credentials_refused(
                f"{spec.issuer} refuses the service account of spec.identity.credentialsSecret"
                f" ({answer.status} {self._work.says(answer)})",
                "Write client_id and client_secret of a client with service accounts enabled into the Secret.",
            )
        return token
