"""Provider keycloak-dcr: Keycloak's own registration endpoint with an initial access token.

Id and secret are ours here too, so there can't be two clients; but the registration access token is only in
the answer. When that is lost, the client works and can't be changed any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Invalid, NotReady, TargetError
from vre_operator.targets.oidc import expiry
from vre_operator.targets.oidc.http import Answer
from vre_operator.targets.oidc.keycloak import differences, representation, secret_ends, with_mapper_ids
from vre_operator.targets.oidc.model import NO_PROBLEM, Problem
from vre_operator.targets.oidc.probe import Verdict, probe
from vre_operator.targets.oidc.registrar import (
    Work,
    ambiguous_reading,
    begin,
    confirm,
    credentials_refused,
    known_lost,
    quiet,
    registration_refused,
    token_lost,
)


class KeycloakDcr:
    """Strategy A' of the contract."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        live = await _read(work) if work.state.rat else None
        if live is not None:
            return _differences(work, live), NO_PROBLEM
        if work.state.rat and not known_lost(work):
            return "it can't be read", NO_PROBLEM
        verdict = await probe(work.http, work.spec, work.state.client_id, work.state.current)
        return "the client is gone" if verdict is Verdict.REFUSED else "", _lost(work)

    async def ensure(self, work: Work) -> Problem:
        state = work.state
        if not state.secret:
            await self._create(work)
            return NO_PROBLEM
        settled = quiet(work)
        live = await _read(work) if state.rat else None
        if live is not None:
            if work.renew or _differences(work, live):
                await self._update(work, live)
            if work.renew:
                # Where the secret would end soon, an update makes Keycloak choose another one, and its answer
                # still has the former.
                live = await _read(work) or live
                await work.record.update(pending=str(live.get("secret") or ""))
            await confirm(work, answered=False)
            return NO_PROBLEM
        verdict = await probe(work.http, work.spec, state.client_id, state.secret)
        if verdict is Verdict.WRONG_SECRET and state.pending and state.current:
            # A rotation that never arrived, and can't without the token.
            await work.record.update(pending="")
            return await self.ensure(work)
        match verdict:
            case Verdict.GOOD:
                return await self._adopt_without_token(work)
            case Verdict.WRONG_SECRET:
                raise Conflict(
                    f"A client {state.client_id} exists at {work.spec.issuer} with another secret than ours",
                    remedy=f"Delete client {state.client_id} there; the operator then registers it again.",
                    reason=Reason.CLIENT_OWNED_BY_OTHER,
                )
            case Verdict.REFUSED:
                if not settled and not work.spec.same_client(state.spec):
                    raise NotReady(
                        f"A registration at {work.spec.issuer} was not answered and may still be carried out",
                        retry_after=work.http.timeout,
                    )
                # token and secret stay until a new client is there: it may only be disabled
                await self._create(work)
                return NO_PROBLEM
            case Verdict.UNKNOWN:
                raise token_lost(state.client_id, work.spec.issuer)

    async def remove(self, work: Work) -> bool:
        state = work.state
        if not state.client_id:
            return True
        settled = quiet(work)
        if state.rat:
            answer = await work.http.request("DELETE", _client_url(work), bearer=state.rat)
            if answer.status not in (204, 401, 404):
                raise ambiguous_reading(work, answer)
        # after a deletion the token is refused as well: only the client itself can tell
        verdict = await probe(work.http, work.spec, state.client_id, state.secret)
        if verdict is not Verdict.REFUSED:
            raise token_lost(state.client_id, work.spec.issuer)
        return settled

    async def _create(self, work: Work) -> None:
        await begin(work)
        body = {**representation(work.spec, work.state), "enabled": True}
        token = work.spec.credential.get("initial_access_token", "")
        answer = await work.http.request("POST", _endpoint(work), body=body, bearer=token)
        if answer.status == 403 and "Mapper" in work.says(answer) and "protocolMappers" in body:
            # the realm's policy decides which mappers a registration may bring; a refusal uses nothing up
            await work.record.update(mapper=False, intent_at=work.clock())
            del body["protocolMappers"]
            answer = await work.http.request("POST", _endpoint(work), body=body, bearer=token)
        if answer.status != 201:
            await work.record.update(intent_at=0.0)
            raise _refusal(work, answer)
        await confirm(work, answered=True, rat=answer.text("registrationAccessToken"))
        await _hear(work, answer.fields)

    async def _update(self, work: Work, live: Mapping[str, Any]) -> None:
        body = with_mapper_ids(representation(work.spec, work.state), live)
        answer = await work.http.request("PUT", _client_url(work), body=body, bearer=work.state.rat)
        if answer.status == 401:
            raise token_lost(work.state.client_id, work.spec.issuer)
        if answer.status != 200:
            raise _refusal(work, answer)
        await work.record.update(rat=answer.text("registrationAccessToken") or work.state.rat)

    async def _adopt_without_token(self, work: Work) -> Problem:
        state = work.state
        if not work.spec.same_client(state.spec):
            raise token_lost(state.client_id, work.spec.issuer)
        # A token that was refused is kept: one refusal proves little, and the next reading tries it again.
        await confirm(work, answered=False)
        return _lost(work)


def _endpoint(work: Work) -> str:
    return f"{work.spec.issuer}/clients-registrations/default"


def _client_url(work: Work) -> str:
    return f"{_endpoint(work)}/{work.state.client_id}"


def _differences(work: Work, live: Mapping[str, Any]) -> str:
    return differences(representation(work.spec, work.state), live)


def _lost(work: Work) -> Problem:
    lost = token_lost(work.state.client_id, work.spec.issuer)
    return lost.reason, lost.text


async def _read(work: Work) -> Mapping[str, Any] | None:
    """None when the token is refused: lost by a rotation, or the client is gone or disabled."""
    answer = await work.http.request("GET", _client_url(work), bearer=work.state.rat)
    if answer.status in (401, 404):
        return None
    if answer.status != 200:
        raise ambiguous_reading(work, answer)
    await _hear(work, answer.fields)
    return answer.fields


async def _hear(work: Work, live: Mapping[str, Any]) -> None:
    """When the secret ends."""
    await work.record.update(**expiry.told(work.state, secret_ends(live), work.clock()))


def _refusal(work: Work, answer: Answer) -> TargetError:
    issuer, words, client_id = work.spec.issuer, work.says(answer), work.state.client_id
    if answer.status == 401:
        remedy = "Ask the realm's admin for a new initial access token and write it into the Secret."
        if work.state.current:
            remedy += f" If client {client_id} was only disabled there, enabling it is enough."
        cause = "is used up" if "remaining count" in words else "is not valid in this realm, or it expired"
        return credentials_refused(
            f"{issuer}: the initial_access_token of {work.spec.credential_field} {cause} ({words})", remedy
        )
    if "in use" in words:
        return Invalid(
            f"Client {client_id} exists at {issuer} and refuses our secret: disabled, or somebody else's",
            remedy="Enable it there, or delete it; the operator then registers it again.",
            reason=Reason.CLIENT_DISABLED,
        )
    if answer.status == 403:
        return registration_refused(
            f"A policy of {issuer} refuses the registration: {words}",
            "Ask the realm's admin to allow it under Clients, Client registration.",
        )
    return registration_refused(
        f"{issuer} refuses client {client_id}: {answer.status} {words}", "See Keycloak's log for the cause."
    )
