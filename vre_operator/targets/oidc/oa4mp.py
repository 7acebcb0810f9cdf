"""Provider oa4mp: the client management of OA4MP, which is CILogon's server, with a vetted admin client.

Id and secret are the server's, and the secret is shown once; but the admin client can list what it made, by
name. So a creation whose answer got lost is found, and as nobody can ever know its secret it is removed and
made again. Ids of our choice are not used: the server takes a second registration with the same id for a change
of the client's secret. Read in its source of 2026-08: it cannot run here, see docs/identity-providers.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vre_operator.engine.errors import Conflict, NotReady, TargetError
from vre_operator.targets.oidc import expiry
from vre_operator.targets.oidc.http import Answer, Unanswered
from vre_operator.targets.oidc.model import NO_PROBLEM, ClientSpec, Problem
from vre_operator.targets.oidc.probe import basic_credentials
from vre_operator.targets.oidc.registrar import Work, credentials_refused, quiet, registration_refused

_GRANTS = {
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
}
_OWNER = "vre_owner"
"""Members that the server does not know it keeps and shows."""
_LABEL = 50
_TOLD_ONLY = {
    # of the standard: a bad request
    "registration_access_token",
    "registration_client_uri",
    "client_id_issued_at",
    "client_secret_expires_at",
    "client_secret",
    # told in other units than they are taken, or kept a second time as a member that is not known
    "rt_grace_period",
    "ea_support",
    "extends_provisioners",
    "ersatz_client",
    "ersatz_inherit_id_token",
}


class Oa4mp:
    """Strategy B of the contract."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        api = Management(work)
        if work.state.client_id not in await api.clients():
            return "the client is gone", NO_PROBLEM
        live = await api.read(work.state.client_id)
        await work.record.update(**expiry.of_member(work.state, live, work.clock()))
        return ", ".join(_different(_metadata(work), live)), NO_PROBLEM

    async def ensure(self, work: Work) -> Problem:
        _check_grants(work.spec)
        api, state = Management(work), work.state
        settled = quiet(work)
        listed = await api.clients()
        if state.current and state.client_id in listed:
            await self._repair(work, api)
            return NO_PROBLEM
        if state.intent_at and not settled:
            # a second client would be made while the first is on its way
            raise NotReady(
                f"A registration at {work.spec.issuer} was not answered and may still be carried out",
                retry_after=work.http.timeout,
            )
        await self._sweep(work, api, listed)
        await self._create(work, api)
        return NO_PROBLEM

    async def remove(self, work: Work) -> bool:
        state, settled = work.state, quiet(work)
        if not state.client_id and not state.intent_at:
            return True
        api = Management(work)
        if state.client_id:
            await api.delete(state.client_id)
        await self._sweep(work, api, await api.clients())
        return settled and state.client_id not in await api.clients()

    async def _repair(self, work: Work, api: Management) -> None:
        live = await api.read(work.state.client_id)
        if _different(_metadata(work), live):
            changed = await api.update(work.state.client_id, _replacement(_metadata(work), live))
            if different := _different(_metadata(work), changed):
                raise registration_refused(
                    f"{work.spec.issuer} does not keep {', '.join(different)} of client {work.state.client_id}",
                    "See the server's log, and what it allows clients of this admin client.",
                )

    async def _sweep(self, work: Work, api: Management, listed: Mapping[str, str]) -> None:
        """Remove what earlier attempts left. A name can be anybody's: the mark decides."""
        for client_id, title in listed.items():
            if _titled(work, title) and client_id != work.state.client_id:
                live = await api.read(client_id)
                if work.owner.owns(str(live.get(_OWNER, ""))):
                    await api.delete(client_id)

    async def _create(self, work: Work, api: Management) -> None:
        await work.record.update(client_id="", current="", body=work.body, intent_at=work.clock())
        try:
            answer = await api.create(_metadata(work))
        except Unanswered as failure:
            if not failure.sent:
                await work.record.update(intent_at=0.0)
            raise
        except TargetError:
            await work.record.update(intent_at=0.0)
            raise
        client_id, secret = answer.text("client_id"), answer.text("client_secret")
        if not client_id or not secret:
            raise Conflict(
                f"{work.spec.issuer} registered a client and did not tell its id and secret",
                remedy="It is looked for, removed and made again; see the server's log if this stays.",
            )
        ends = expiry.of_member(work.state, answer.fields, work.clock(), new=True)
        await work.record.update(client_id=client_id, current=secret, intent_at=0.0, **ends)


class Management:
    """The endpoint oidc-cm. `work`: whose credential is the admin client."""

    def __init__(self, work: Work) -> None:
        if not work.spec.registration_endpoint:
            raise registration_refused(
                f"{work.spec.issuer} offers no dynamic registration",
                "Is spec.identity.issuer an OA4MP? Choose another spec.identity.provider, for example manual.",
            )
        self._work = work

    async def clients(self) -> dict[str, str]:
        """What the admin client made: names by id. Asked before anything else of one client, as the server
        answers for one that is gone as for a failure of its own."""
        try:
            answer = await self._ask("GET")
        except Unanswered as failure:
            if failure.sent:
                used = (
                    "the credential of the last good pass is used, whatever the Secret holds now"
                    if self._work.state.deleting
                    else f"it is that of {self._work.spec.credential_field}"
                )
                failure.remedy = (
                    "OA4MP answers so for a wrong admin client, too: is it still approved, and the secret the"
                    f" right one ({used})? Its own log says why."
                )
            raise
        listed = answer.fields.get("clients")
        if not isinstance(listed, list):
            raise registration_refused(
                f"{self._work.spec.issuer} answers {answer.status} without a list of clients",
                "Is spec.identity.issuer an OA4MP that lists the clients of an admin client? See its log.",
            )
        found = [one for one in listed if isinstance(one, dict)]
        return {str(one.get("client_id", "")): str(one.get("name", "")) for one in found}

    async def read(self, client_id: str) -> Mapping[str, Any]:
        return (await self._ask("GET", client_id)).fields

    async def create(self, body: Mapping[str, Any]) -> Answer:
        return await self._ask("POST", body=body)

    async def update(self, client_id: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return (await self._ask("PUT", client_id, {**body, "client_id": client_id})).fields

    async def delete(self, client_id: str) -> None:
        """Not an error when it is gone."""
        await self._ask("DELETE", client_id)

    async def _ask(self, method: str, client_id: str = "", body: Mapping[str, Any] | None = None) -> Answer:
        work = self._work
        credential = work.spec.credential
        # base64(escaped id:escaped secret), as in a Basic header, under the other name
        bearer = basic_credentials(credential.get("client_id", ""), credential.get("client_secret", ""))
        answer = await work.http.request(
            method,
            work.spec.registration_endpoint,
            body=body,
            query={"client_id": client_id} if client_id else None,
            bearer=bearer,
        )
        if answer.status < 300:
            return answer
        issuer, words = work.spec.issuer, work.says(answer)
        if answer.status in (401, 403) and "scope" not in words:
            raise credentials_refused(
                f"{issuer} does not let the admin client of {work.spec.credential_field} {method} clients"
                f" ({answer.status} {words})",
                "Write client_id and client_secret of an approved admin client into the Secret.",
            )
        raise registration_refused(
            f"{issuer} refuses {method} of a client: {answer.status} {words}",
            "Take scopes that the server does not have out of spec.identity.scopes, or correct what it names.",
        )


def name(work: Work) -> str:
    """By whose end the client is found again: the same in every attempt, and nobody else's."""
    return f"{work.spec.display_name[:_LABEL] or 'VRE'} [{work.owner.client_id}]"


def _titled(work: Work, title: str) -> bool:
    return title.endswith(f"[{work.owner.client_id}]")


def _metadata(work: Work) -> dict[str, Any]:
    spec = work.spec
    return {
        "client_name": name(work),
        "redirect_uris": list(spec.redirect_uris),
        "grant_types": list(spec.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": spec.token_endpoint_auth_method,
        "scope": list(spec.scopes),
        _OWNER: work.owner.marker,
    }


def _different(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """How a client proves itself the server does not tell. More scopes and grants are an admin's."""
    different = [key for key in ("client_name", _OWNER) if live.get(key) != wanted[key]]
    if set(wanted["redirect_uris"]) != _items(live.get("redirect_uris")):
        different.append("redirect_uris")
    more = ("scope", "grant_types")
    return different + [key for key in more if not set(wanted[key]) <= _items(live.get(key))]


def _replacement(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """An update replaces all: what admins set stays, such as cfg, and what they granted in addition."""
    kept = {key: value for key, value in live.items() if key not in _TOLD_ONLY and value is not None}
    both = {key: sorted({*wanted[key]} | _items(live.get(key))) for key in ("scope", "grant_types")}
    return {**kept, **wanted, **both}


def _items(value: Any) -> set[str]:
    """A list, or a text with spaces between: the server answers in the form in which it was asked."""
    return set(value.split()) if isinstance(value, str) else {*map(str, value or ())}


def _check_grants(spec: ClientSpec) -> None:
    if unknown := [grant for grant in spec.grant_types if grant not in _GRANTS]:
        raise registration_refused(
            f"{spec.issuer} gives clients no {', '.join(unknown)}, and spec.dataLake.storage or an RSE with"
            " oidc_support needs it",
            "Take these out, or choose another provider for this tenant.",
        )
