"""Provider keycloak-admin: the admin REST API with a service account that holds manage-clients.

Id and secret are ours and saved before the first request, so every step can be repeated: nothing can be made
twice and no secret can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict
from vre_operator.targets.oidc import expiry, keycloak_scopes
from vre_operator.targets.oidc.keycloak import (
    OWNER,
    differences,
    representation,
    secret_ends,
    with_mapper_ids,
)
from vre_operator.targets.oidc.keycloak_api import AdminApi
from vre_operator.targets.oidc.model import NO_PROBLEM, Problem
from vre_operator.targets.oidc.registrar import Work, begin, confirm, new_secret, quiet


class KeycloakAdmin:
    """Strategy A of the contract."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        api = AdminApi(work)
        live = await api.find()
        if live is None:
            return "the client is gone", NO_PROBLEM
        _check_owner(work, live)
        missing = await api.missing_scopes(live)
        await _hear(work, live)
        different = differences(representation(work.spec, work.state), live)
        scopes = await keycloak_scopes.differing(api, work)
        return ", ".join(filter(None, [different, *missing, *scopes])), _problem(work, live)

    async def ensure(self, work: Work) -> Problem:
        api = AdminApi(work)
        live = await api.find()
        if created := live is None:
            await begin(work)
            wanted = representation(work.spec, work.state)
            live = await api.create({**wanted, "id": work.owner.internal_id, "enabled": True})
        elif not work.state.secret:
            await work.record.update(client_id=work.owner.client_id, pending=new_secret())
        wanted = representation(work.spec, work.state)
        _check_owner(work, live)
        if work.renew:
            await api.renew_secret(live["id"])
        if work.renew or differences(wanted, live):
            await api.update(live["id"], with_mapper_ids(wanted, live))
        await keycloak_scopes.ensure(api, work)
        for scope in await api.missing_scopes(live):
            await api.add_scope(live["id"], scope)
        await confirm(work, answered=created)
        if work.renew:
            live = await api.find() or live
        await _hear(work, live)
        return _problem(work, live)

    async def remove(self, work: Work) -> bool:
        state = work.state
        if not state.client_id:
            return True
        settled = quiet(work)
        api = AdminApi(work)
        live = await api.find()
        if live is not None and state.owner.owns(_marker(live)):
            # what is cut off here must not meet the client of a tenant that is made again
            await work.record.update(stray_at=work.clock())
            # ends its tokens and sessions even if the deletion has to be repeated
            await api.update(live["id"], {"clientId": live["clientId"], "enabled": False})
            await api.delete(live["id"])
            if await api.find() is not None:
                return False
        await keycloak_scopes.remove(api, work)
        return settled


async def _hear(work: Work, live: Mapping[str, Any]) -> None:
    """When the secret ends."""
    await work.record.update(**expiry.told(work.state, secret_ends(live), work.clock()))


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
