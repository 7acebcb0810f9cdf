"""Provider generic-dcr: RFC 7591 and 7592 at a server that chooses id and secret and lists nothing.

Between the server's commit and our save nothing can be known, so there is one POST per nonce, never a blind
second one, and an answer that got lost is shown to people with the name to look for.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Forbidden, TargetError, Throttled
from vre_operator.targets.oidc import expiry
from vre_operator.targets.oidc.http import Answer, Unanswered
from vre_operator.targets.oidc.model import NO_PROBLEM, Problem
from vre_operator.targets.oidc.probe import Verdict, probe
from vre_operator.targets.oidc.registrar import (
    Work,
    ambiguous_reading,
    credentials_refused,
    known_lost,
    registration_refused,
    token_lost,
)

_NAME_LIMIT = 200


class GenericDcr:
    """Strategy C of the contract. A product that differs from the standard has a subclass."""

    token_refused: tuple[int, ...] = (401, 403, 404)
    """Statuses by which the registration access token is refused, or the client is gone."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        live = await self._read(work) if work.state.rat else None
        if live is not None:
            return self.judge(work, live)
        if work.state.rat and not known_lost(work):
            return "it can't be read", NO_PROBLEM
        verdict = await probe(work.http, work.spec, work.state.client_id, work.state.current)
        return "the client is gone" if verdict in _NOT_OURS else "", _lost(work)

    async def ensure(self, work: Work) -> Problem:
        state = work.state
        if not state.client_id:
            return await self._create(work)
        live = await self._read(work) if state.rat else None
        if live is not None:
            detail, problem = self.judge(work, live)
            return await self._update(work, live) if detail or work.renew else problem
        match await probe(work.http, work.spec, state.client_id, state.current):
            case Verdict.REFUSED | Verdict.WRONG_SECRET:
                await work.record.update(client_id="", current="", rat="", registration_uri="", nonce="")
                return await self._create(work)
            case _:
                if not work.spec.same_client(state.spec):
                    raise token_lost(state.client_id, work.spec.issuer)
                # The token is kept: one refusal proves little, and the next reading tries it again.
                return _lost(work)

    async def remove(self, work: Work) -> bool:
        state = work.state
        if not state.client_id:
            return not state.intent_at or await self.never_made(work)
        if state.rat:
            answer = await work.http.request("DELETE", state.registration_uri, bearer=state.rat)
            if answer.status not in (200, 204, *self.token_refused):
                raise ambiguous_reading(work, answer)
            if answer.status in (200, 204, 404):
                return True
        if await probe(work.http, work.spec, state.client_id, state.current) not in _NOT_OURS:
            raise token_lost(state.client_id, work.spec.issuer)
        return True

    def metadata(self, work: Work) -> dict[str, Any]:
        """The client as it should be."""
        return _metadata(work)

    def judge(self, work: Work, live: Mapping[str, Any]) -> tuple[str, Problem]:
        """What is not as wanted, and what a person should look at, as Registrar.differs tells it."""
        return ", ".join(_different(self.metadata(work), live)), NO_PROBLEM

    def replacement(self, work: Work, live: Mapping[str, Any]) -> dict[str, Any]:
        """The body of an update of what `live` was."""
        del live
        state = work.state
        return {**self.metadata(work), "client_id": state.client_id, "client_secret": state.current}

    async def prepare(self, work: Work) -> None:
        """Before a registration: raise when it would be in vain."""
        if not work.spec.registration_endpoint:
            raise registration_refused(
                f"{work.spec.issuer} offers no dynamic registration",
                "Choose another spec.identity.provider, for example manual.",
            )

    async def found(self, work: Work) -> bool:
        """Whether the client of an attempt without an answer was found, and is remembered now; False when
        there is none. Raises when that can't be known.

        A new credential is a person's word that the attempt has been looked after.
        """
        if work.state.spec.credential == work.spec.credential:
            raise ambiguous(work)
        return False

    async def never_made(self, work: Work) -> bool:
        """Whether an attempt without an answer made nothing; False while that can't be told yet."""
        raise ambiguous(work)

    def refusal(self, work: Work, answer: Answer) -> TargetError:
        """For a registration or an update that was refused."""
        return _refusal(work, answer)

    async def _create(self, work: Work) -> Problem:
        state, spec = work.state, work.spec
        if state.intent_at and await self.found(work):
            return await self.ensure(work)
        await self.prepare(work)
        await work.record.update(nonce=secrets.token_hex(8), intent_at=work.clock(), body=work.body)
        token, body = spec.credential.get("initial_access_token", ""), self.metadata(work)
        try:
            answer = await work.http.request("POST", spec.registration_endpoint, body=body, bearer=token)
        except Unanswered as failure:
            if not failure.sent:
                await work.record.update(intent_at=0.0)
                raise
            raise ambiguous(work) from None
        except Throttled:
            await work.record.update(intent_at=0.0)
            raise
        if answer.status not in (200, 201):
            await work.record.update(intent_at=0.0)
            raise self.refusal(work, answer)
        await self._keep(work, answer)
        return self.judge(work, answer.fields)[1]

    async def _keep(self, work: Work, answer: Answer) -> None:
        uri = answer.text("registration_client_uri")
        client_id, secret = answer.text("client_id"), answer.text("client_secret")
        if not client_id or not secret:
            raise ambiguous(work)
        await work.record.update(
            client_id=client_id,
            current=secret,
            # a pair: a token sent to another client's address may be destroyed by the server
            rat=answer.text("registration_access_token") if work.http.owns(uri) else "",
            registration_uri=uri if work.http.owns(uri) else "",
            intent_at=0.0,
            **expiry.of_member(work.state, answer.fields, work.clock(), new=True),
        )

    async def _update(self, work: Work, live: Mapping[str, Any]) -> Problem:
        state, body = work.state, self.replacement(work, live)
        answer = await work.http.request("PUT", state.registration_uri, body=body, bearer=state.rat)
        if answer.status in (401, 403):
            raise token_lost(state.client_id, work.spec.issuer)
        if answer.status != 200:
            raise self.refusal(work, answer)
        await work.record.update(
            rat=answer.text("registration_access_token") or state.rat,
            current=answer.text("client_secret") or state.current,
            **expiry.of_member(state, answer.fields, work.clock()),
        )
        return self.judge(work, answer.fields)[1]

    async def _read(self, work: Work) -> Mapping[str, Any] | None:
        """None when the token is refused: lost by a rotation, or the client is gone."""
        state = work.state
        answer = await work.http.request("GET", state.registration_uri, bearer=state.rat)
        if answer.status in self.token_refused:
            return None
        if answer.status != 200 or answer.text("client_id") != state.client_id:
            raise ambiguous_reading(work, answer)
        secret = answer.text("client_secret")
        if secret and not hmac.compare_digest(secret.encode(), state.current.encode()):
            await work.record.update(current=secret)
        if rotated := answer.text("registration_access_token"):
            await work.record.update(rat=rotated)
        await work.record.update(**expiry.of_member(state, answer.fields, work.clock()))
        return answer.fields


_NOT_OURS = (Verdict.REFUSED, Verdict.WRONG_SECRET)


def client_name(work: Work) -> str:
    """The name that people find the client by; its nonce tells one attempt from another."""
    owner = work.owner
    label = f"{work.spec.display_name or 'VRE'} [{owner.namespace}/{owner.name} {owner.role}"
    return f"{label[: _NAME_LIMIT - 20]} {work.state.nonce}]"


def _metadata(work: Work) -> dict[str, Any]:
    spec = work.spec
    metadata: dict[str, Any] = {
        "client_name": client_name(work),
        "redirect_uris": list(spec.redirect_uris),
        "grant_types": list(spec.grant_types),
        "response_types": ["code"] if "authorization_code" in spec.grant_types else [],
        "token_endpoint_auth_method": spec.token_endpoint_auth_method,
        "scope": " ".join(spec.scopes),
    }
    if spec.post_logout_redirect_uris:
        metadata["post_logout_redirect_uris"] = list(spec.post_logout_redirect_uris)
    return metadata


def _different(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    different = [
        key
        for key in ("redirect_uris", "grant_types", "post_logout_redirect_uris")
        if key in wanted and not _covers(live.get(key), wanted[key], exact=key != "grant_types")
    ]
    method = live.get("token_endpoint_auth_method")
    if method is not None and method != wanted["token_endpoint_auth_method"]:
        different.append("token_endpoint_auth_method")
    if live.get("client_name") != wanted["client_name"]:
        different.append("client_name")
    return different


def _covers(held: Any, wanted: list[str], *, exact: bool) -> bool:
    found = set(held) if isinstance(held, list) else set()
    return found == set(wanted) if exact else found >= set(wanted)


def _lost(work: Work) -> Problem:
    lost = token_lost(work.state.client_id, work.spec.issuer)
    return lost.reason, lost.text


def ambiguous(work: Work) -> TargetError:
    """For an attempt without an answer, of which nothing can be found out."""
    return Conflict(
        f"{work.spec.issuer} did not answer a registration; a client {client_name(work)!r} may exist there",
        remedy="Ask the provider's admin to remove it, then write a new initial_access_token into"
        f" {work.spec.credential_field}, or have Secret {work.record.key.object_name} deleted in the"
        " operator's namespace; the operator then registers again.",
        reason=Reason.REGISTRATION_AMBIGUOUS,
    )


def _refusal(work: Work, answer: Answer) -> TargetError:
    issuer, words = work.spec.issuer, work.says(answer)
    if answer.status in (401, 403):
        if work.spec.credential.get("initial_access_token"):
            return credentials_refused(
                f"{issuer} refuses the initial_access_token of {work.spec.credential_field}"
                f" ({answer.status} {words})",
                "Ask the provider's admin for a new one and write it into the Secret.",
            )
        return Forbidden(
            f"{issuer} does not register clients without a token ({answer.status} {words})",
            remedy=f"Name a Secret with initial_access_token in {work.spec.credential_field}.",
            reason=Reason.CREDENTIALS_REFUSED,
        )
    return registration_refused(
        f"{issuer} refuses the client: {answer.status} {words}",
        "Correct what it names, or choose spec.identity.provider manual.",
    )
