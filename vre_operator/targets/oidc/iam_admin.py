"""Provider iam-admin: INDIGO IAM's management API with a client that holds iam:admin.read and iam:admin.write.

Id and secret are ours and saved before the first request, as with keycloak-admin: nothing can be made twice and
no secret can be lost. An update without the secret would leave the client with none (IAM 1.12), so it is always
sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict
from vre_operator.targets.oidc import expiry, iam
from vre_operator.targets.oidc.http import Answer
from vre_operator.targets.oidc.model import NO_PROBLEM, Problem
from vre_operator.targets.oidc.registrar import Work, begin, confirm, new_secret, quiet, registration_refused
from vre_operator.targets.oidc.service import Api, ServiceSession

_CLIENTS = "/clients"


class IamAdmin:
    """Strategy A of the contract."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        live = await Management(work).find()
        if live is None:
            return "the client is gone", NO_PROBLEM
        await _hear(work, live)
        return ", ".join(iam.differences(_wanted(work), live)), _problem(work, live)

    async def ensure(self, work: Work) -> Problem:
        api = Management(work)
        live = await api.find()
        if created := live is None:
            await begin(work, work.owner.internal_id)
            live = await api.create({**_wanted(work), "reuse_refresh_token": True})
        elif not work.state.secret:
            await work.record.update(client_id=work.owner.internal_id, pending=new_secret())
        _check_owner(work, live)
        wanted = _wanted(work)
        if iam.differences(wanted, live):
            live = await api.update(iam.replacement(wanted, live))
            if different := iam.differences(wanted, live):
                raise registration_refused(
                    f"{work.spec.issuer} does not keep {', '.join(different)} of client {work.state.client_id}",
                    "See IAM's log and its policies for scopes and grants.",
                )
        await confirm(work, answered=created)
        await _hear(work, live)
        return _problem(work, live)

    async def remove(self, work: Work) -> bool:
        state = work.state
        if not state.client_id:
            return True
        settled = quiet(work)
        api = Management(work)
        live = await api.find()
        if live is not None and _ours(work, live):
            # what is cut off here must not meet the client of a tenant that is made again
            await work.record.update(stray_at=work.clock())
            await api.delete()
            if await api.find() is not None:
                return False
        return settled


class Management(ServiceSession):
    """IAM's /iam/api/clients, for one client."""

    def __init__(self, work: Work) -> None:
        api = Api(
            f"{work.spec.issuer.rstrip('/')}/iam/api",
            "client management API",
            "manage clients",
            "Have its client given the scopes iam:admin.read and iam:admin.write in IAM.",
            "Is spec.identity.issuer an INDIGO IAM, and does it publish /iam/api to the operator?",
            "iam:admin.read iam:admin.write",
        )
        super().__init__(work.http, work.spec, work.says, api)
        self._work = work

    @property
    def _one(self) -> str:
        return f"{_CLIENTS}/{self._work.state.client_id or self._work.owner.internal_id}"

    async def find(self) -> Mapping[str, Any] | None:
        answer = await self.ask("GET", self._one, accept=(404,))
        return None if answer.status == 404 else self._client(answer)

    async def create(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The client as IAM keeps it, also when an earlier attempt of ours was faster: then IAM answers 400."""
        answer = await self.ask("POST", _CLIENTS, body=body, accept=(400,))
        if answer.status != 400:
            return self._client(answer)
        live = await self.find()
        if live is None:
            raise registration_refused(
                f"{self._work.spec.issuer} refuses the client: {self._work.says(answer)}",
                "Correct what it names, or choose another spec.identity.provider.",
            )
        return live

    async def update(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._client(await self.ask("PUT", self._one, body=body))

    async def delete(self) -> None:
        await self.ask("DELETE", self._one, accept=(404,))

    def _client(self, answer: Answer) -> Mapping[str, Any]:
        wanted = self._work.state.client_id or self._work.owner.internal_id
        if answer.text("client_id") != wanted:
            raise registration_refused(
                f"{self._work.spec.issuer} answers {answer.status} without client {wanted}",
                "Is spec.identity.issuer an INDIGO IAM? See its log.",
            )
        return answer.fields


def _wanted(work: Work) -> dict[str, Any]:
    state, spec = work.state, work.spec
    return {
        **iam.metadata(spec, spec.display_name or state.owner.client_id),
        "client_id": state.client_id,
        "client_secret": state.secret,
        "client_description": f"{state.owner.client_id} [{state.owner.marker}]",
    }


async def _hear(work: Work, live: Mapping[str, Any]) -> None:
    """When the secret ends."""
    await work.record.update(**expiry.of_member(work.state, live, work.clock()))


def _ours(work: Work, live: Mapping[str, Any]) -> bool:
    """A description is free for people to change: for a client that we remember it is nothing to go by."""
    marker = str(live.get("client_description") or "").rpartition("[")[2].rstrip("]")
    return bool(work.state.current) or work.owner.owns(marker)


def _check_owner(work: Work, live: Mapping[str, Any]) -> None:
    if not _ours(work, live):
        raise Conflict(
            f"A client {work.state.client_id} exists at {work.spec.issuer} without this tenant's mark",
            remedy=f"Delete it there, or let its description end with [{work.owner.marker}].",
            reason=Reason.CLIENT_OWNED_BY_OTHER,
        )


def _problem(work: Work, live: Mapping[str, Any]) -> Problem:
    return iam.suspended(work) if live.get("active") is False else NO_PROBLEM
