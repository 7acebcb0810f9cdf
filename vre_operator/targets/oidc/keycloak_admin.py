"""Provider keycloak-admin: the admin REST API with a service account that holds manage-clients.

Id and secret are ours and saved before the first request, so every step can be repeated: nothing can be made
twice and no secret can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Unavailable
from vre_operator.targets.oidc.http import Answer
from vre_operator.targets.oidc.keycloak import (
    OWNER,
    differences,
    realm_urls,
    representation,
    with_mapper_ids,
)
from vre_operator.targets.oidc.model import NO_PROBLEM, Problem
from vre_operator.targets.oidc.probe import basic_credentials
from vre_operator.targets.oidc.registrar import (
    Work,
    begin,
    confirm,
    credentials_refused,
    new_secret,
    quiet,
    registration_refused,
)

_CLIENTS = "/clients"


class KeycloakAdmin:
    """Strategy A of the contract."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        api = _Api(work)
        live = await api.find()
        if live is None:
            return "the client is gone", NO_PROBLEM
        _check_owner(work, live)
        missing = await api.missing_scopes(live)
        different = differences(representation(work.spec, work.state), live)
        return ", ".join(filter(None, [different, *missing])), _problem(work, live)

    async def ensure(self, work: Work) -> Problem:
        api = _Api(work)
        live = await api.find()
        if created := live is None:
            await begin(work)
            wanted = representation(work.spec, work.state)
            live = await api.create({**wanted, "id": work.owner.internal_id, "enabled": True})
        elif not work.state.secret:
            await work.record.update(client_id=work.owner.client_id, pending=new_secret())
        wanted = representation(work.spec, work.state)
        _check_owner(work, live)
        if differences(wanted, live):
            await api.update(live["id"], with_mapper_ids(wanted, live))
        for scope in await api.missing_scopes(live):
            await api.add_scope(live["id"], scope)
        await confirm(work, answered=created)
        return _problem(work, live)

    async def remove(self, work: Work) -> bool:
        state = work.state
        if not state.client_id:
            return True
        settled = quiet(work)
        api = _Api(work)
        live = await api.find()
        if live is not None and state.owner.owns(_marker(live)):
            # what is cut off here must not meet the client of a tenant that is made again
            await work.record.update(stray_at=work.clock())
            # ends its tokens and sessions even if the deletion has to be repeated
            await api.update(live["id"], {"clientId": live["clientId"], "enabled": False})
            await api.delete(live["id"])
            if await api.find() is not None:
                return False
        return settled


class _Api:
    """The admin REST API during one piece of work: one access token, renewed once when it is refused."""

    def __init__(self, work: Work) -> None:
        server, realm = realm_urls(work.spec.issuer)
        self._work = work
        self._base = f"{server}/admin/realms/{realm}"
        self._token = ""

    async def find(self) -> dict[str, Any] | None:
        client_id = self._work.state.client_id or self._work.owner.client_id
        answer = await self._ask("GET", _CLIENTS, query={"clientId": client_id})
        for one in answer.data if isinstance(answer.data, list) else ():
            if isinstance(one, dict) and one.get("clientId") == client_id:
                return one
        return None

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The client as Keycloak keeps it, also when somebody (an earlier attempt of ours) was faster."""
        await self._ask("POST", _CLIENTS, body=body, accept=(409,))
        live = await self.find()
        if live is None:
            raise Conflict(
                f"{self._work.spec.issuer} took client {body['clientId']} and does not show it",
                remedy="It is asked again; see Keycloak's log if this stays.",
            )
        return live

    async def update(self, internal_id: str, body: Mapping[str, Any]) -> None:
        await self._ask("PUT", f"{_CLIENTS}/{internal_id}", body=body)

    async def delete(self, internal_id: str) -> None:
        await self._ask("DELETE", f"{_CLIENTS}/{internal_id}", accept=(404,))

    async def missing_scopes(self, live: Mapping[str, Any]) -> list[str]:
        held = {*live.get("defaultClientScopes", ()), *live.get("optionalClientScopes", ())}
        return [scope for scope in self._work.spec.asked_scopes if scope not in held]

    async def add_scope(self, internal_id: str, scope: str) -> None:
        answer = await self._ask("GET", "/client-scopes")
        for one in answer.data if isinstance(answer.data, list) else ():
            if one.get("name") == scope:
                await self._ask("PUT", f"{_CLIENTS}/{internal_id}/optional-client-scopes/{one['id']}")
                return
        raise registration_refused(
            f"{self._work.spec.issuer} has no client scope {scope}",
            f"Add the client scope in the realm, or take {scope} out of spec.identity.scopes.",
        )

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Answer:
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


def _marker(live: Mapping[str, Any]) -> str:
    return str(live.get("attributes", {}).get(OWNER, ""))


def _check_owner(work: Work, live: Mapping[str, Any]) -> None:
    if not work.owner.owns(_marker(live)):
        raise Conflict(
            f"A client {work.state.client_id} exists at {work.spec.issuer} without this tenant's mark",
            remedy=f"Delete or rename it there, or set its attribute {OWNER} to {work.owner.marker}.",
            reason=Reason.CLIENT_OWNED_BY_OTHER,
        )


def _problem(work: Work, live: Mapping[str, Any]) -> Problem:
    if live.get("enabled") is not False:
        return NO_PROBLEM
    return (
        Reason.CLIENT_DISABLED.value,
        f"Client {work.state.client_id} was disabled at {work.spec.issuer}. It is left alone;"
        " enable it there to let people log in again.",
    )
