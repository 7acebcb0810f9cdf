"""Keycloak's admin REST API, as far as clients and client scopes go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vre_operator.engine.errors import Conflict
from vre_operator.targets.oidc.keycloak import realm_urls
from vre_operator.targets.oidc.registrar import Work, registration_refused
from vre_operator.targets.oidc.service import Api, ServiceSession

_CLIENTS = "/clients"


def admin_api(issuer: str, may: str, roles: str) -> Api:
    """For messages: what the service account wants to do, and which of realm-management's roles let it."""
    server, realm = realm_urls(issuer)
    return Api(
        f"{server}/admin/realms/{realm}",
        "admin API",
        may,
        f"Give it the {roles} of the realm's client realm-management.",
        "Publish Keycloak's /admin path to the operator.",
    )


class AdminApi(ServiceSession):
    """What is asked about one client."""

    def __init__(self, work: Work) -> None:
        api = admin_api(work.spec.issuer, "manage clients", "role manage-clients")
        super().__init__(work.http, work.spec, work.says, api)
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

    async def renew_secret(self, internal_id: str) -> None:
        """Another secret, of Keycloak's own choice: with that its life begins anew, which it does with no
        update of the client."""
        await self.ask("POST", f"{_CLIENTS}/{internal_id}/client-secret", body={})

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
