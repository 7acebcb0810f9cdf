"""Provider iam-dcr: INDIGO IAM's dynamic registration, which anybody may use by default.

It differs from the standard in that scopes are taken away without a word, an update replaces all, a wrong token
is a bad request, and a suspended client can still be read. Its token does not change. Nobody can list clients
with it; a client with scope iam:admin.read can, and then an answer that got lost is found again, with the
secret but without the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Forbidden, NotReady, TargetError
from vre_operator.targets.oidc import expiry, iam
from vre_operator.targets.oidc.dcr import GenericDcr, client_name
from vre_operator.targets.oidc.http import Answer
from vre_operator.targets.oidc.model import NO_PROBLEM, Problem
from vre_operator.targets.oidc.registrar import Work, quiet, registration_refused
from vre_operator.targets.oidc.service import Api, ServiceSession


class IamDcr(GenericDcr):
    """Strategy C of the contract; with a credential that may list clients almost B."""

    token_refused = (400, 401, 403, 404)

    def metadata(self, work: Work) -> dict[str, Any]:
        return iam.metadata(work.spec, client_name(work))

    def replacement(self, work: Work, live: Mapping[str, Any]) -> dict[str, Any]:
        return {**iam.replacement(self.metadata(work), live), "client_id": work.state.client_id}

    def judge(self, work: Work, live: Mapping[str, Any]) -> tuple[str, Problem]:
        if live.get("active") is False:
            return "", iam.suspended(work)
        wanted = self.metadata(work)
        different, problem = iam.differences(wanted, live), NO_PROBLEM
        if missing := iam.missing_scopes(wanted["scope"], live):
            problem = _not_granted(work, missing)
            if problem == work.state.problem:
                # asked for once, and not granted: that is no drift, or it would be repaired at every reading
                different.remove("scope")
        return ", ".join(different), problem

    async def prepare(self, work: Work) -> None:
        await super().prepare(work)
        if work.spec.credential.get("client_id"):
            # it is needed when an answer gets lost, and would be found not to work only then
            await Listing(work).search(work.owner.namespace)

    async def found(self, work: Work) -> bool:
        if not work.spec.credential.get("client_id"):
            return await super().found(work)
        settled = quiet(work)
        live = await Listing(work).find()
        if live is None and not settled:
            raise NotReady(
                f"A registration at {work.spec.issuer} was not answered and may still be carried out",
                retry_after=work.http.timeout,
            )
        if live is not None:
            client_id, secret = live["client_id"], live["client_secret"]
            ends = expiry.of_member(work.state, live, work.clock(), new=True)
            await work.record.update(client_id=client_id, current=secret, intent_at=0.0, **ends)
        return live is not None

    async def never_made(self, work: Work) -> bool:
        try:
            return await self.remove(work) if await self.found(work) else True
        except NotReady:
            return False

    def refusal(self, work: Work, answer: Answer) -> TargetError:
        issuer, words = work.spec.issuer, work.says(answer)
        if answer.status in (401, 403):
            return Forbidden(
                f"{issuer} does not let anybody register clients ({answer.status} {words})",
                remedy="Ask its admin to set client-registration.allow-for to ANYONE, or use"
                " spec.identity.provider iam-admin.",
                reason=Reason.CREDENTIALS_REFUSED,
            )
        return registration_refused(
            f"{issuer} refuses the client: {answer.status} {words}",
            "A grant that is not allowed, as client_credentials for data lakes, needs spec.identity.provider"
            " iam-admin; correct else what it names."
            if "rant type" in words
            else "Correct what it names, or choose spec.identity.provider manual.",
        )


class Listing(ServiceSession):
    """IAM's search for clients."""

    def __init__(self, work: Work) -> None:
        api = Api(
            f"{work.spec.issuer.rstrip('/')}/iam/api",
            "client management API",
            "list clients",
            f"Have its client given the scope iam:admin.read in IAM, or take {work.spec.credential_field} out.",
            "Is spec.identity.issuer an INDIGO IAM, and does it publish /iam/api to the operator?",
            "iam:admin.read",
        )
        super().__init__(work.http, work.spec, work.says, api)
        self._work = work

    async def find(self) -> Mapping[str, Any] | None:
        """The client of the attempt that is remembered: its name has a nonce of its own."""
        for one in await self.search(self._work.state.nonce):
            if self._work.state.nonce in str(one.get("client_name")):
                return await self._read(str(one.get("client_id")))
        return None

    async def search(self, text: str) -> list[Mapping[str, Any]]:
        """Clients whose name or id has `text`; the first page."""
        query = {"search": text, "searchType": "name", "drOnly": "true"}
        listed = (await self.ask("GET", "/search/clients", query=query)).fields.get("Resources")
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []

    async def _read(self, client_id: str) -> Mapping[str, Any]:
        answer = await self.ask("GET", f"/clients/{client_id}")
        if answer.text("client_id") != client_id or not answer.text("client_secret"):
            raise registration_refused(
                f"{self._work.spec.issuer} does not show the secret of client {client_id}",
                f"Have client {client_id} deleted there; the operator then registers it again.",
            )
        return answer.fields


def _not_granted(work: Work, missing: list[str]) -> Problem:
    client_id, scopes = work.state.client_id, ", ".join(missing)
    return (
        Reason.SCOPES_NOT_GRANTED.value,
        f"{work.spec.issuer} did not give client {client_id} the scopes {scopes}, so logins that ask for them"
        " fail. Have its admin add them to the client, or take them out of spec.identity.scopes.",
    )
