"""The client scopes that a client of ours brings along.

Keycloak issues a token for a storage, and with a storage's rights, only when it has a client scope of exactly
that name, with a mapper for each claim. What XRootD's SciTokens library wants beside them was measured:
`wlcg.ver`, without which it reads other scopes than storage.*, and `nbf`, which Keycloak has no mapper for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict
from vre_operator.targets.oidc.keycloak import OWNER
from vre_operator.targets.oidc.keycloak_api import AdminApi
from vre_operator.targets.oidc.model import OwnScope
from vre_operator.targets.oidc.registrar import Work

_CLIENT = "vre.client"
_SCOPES = "/client-scopes"


async def differing(api: AdminApi, work: Work) -> list[str]:
    """The names of the scopes that are not as wanted, or not wanted any more."""
    if not _concerned(work):
        return []
    listed = await api.client_scopes()
    by_name = {one.get("name"): one for one in listed}
    wrong = [scope.name for scope in work.spec.own_scopes if _differs(work, scope, by_name.get(scope.name))]
    return wrong + [str(one["name"]) for one in _left(work, listed, work.spec.own_scopes)]


async def ensure(api: AdminApi, work: Work) -> None:
    """Make the wanted scopes, set them right, and remove those that are not wanted any more."""
    if not _concerned(work):
        return
    listed = await api.client_scopes()
    by_name = {one.get("name"): one for one in listed}
    for scope in work.spec.own_scopes:
        live = by_name.get(scope.name)
        if live is None:
            # 409: made by an attempt of ours whose answer was lost; it is as we made it
            await api.ask("POST", _SCOPES, body=_representation(work, scope), accept=(409,))
        elif _differs(work, scope, live):
            await _repair(api, work, scope, live)
    for one in _left(work, listed, work.spec.own_scopes):
        await api.ask("DELETE", f"{_SCOPES}/{one['id']}", accept=(404,))


async def remove(api: AdminApi, work: Work) -> None:
    """Remove all scopes that came with the client."""
    if _concerned(work):
        for one in _left(work, await api.client_scopes(), ()):
            await api.ask("DELETE", f"{_SCOPES}/{one['id']}", accept=(404,))


def _concerned(work: Work) -> bool:
    return bool(work.spec.own_scopes or work.state.spec.own_scopes)


def _left(
    work: Work, listed: Iterable[Mapping[str, Any]], wanted: Iterable[OwnScope]
) -> Iterator[Mapping[str, Any]]:
    names = {scope.name for scope in wanted}
    for one in listed:
        attributes = one.get("attributes") or {}
        ours = attributes.get(_CLIENT) == work.state.client_id and work.owner.owns(attributes.get(OWNER, ""))
        if ours and one.get("name") not in names:
            yield one


def _representation(work: Work, scope: OwnScope) -> dict[str, Any]:
    ours = {} if scope.shared else {OWNER: work.owner.marker, _CLIENT: work.state.client_id}
    return {
        "name": scope.name,
        "protocol": "openid-connect",
        "attributes": {**ours, "include.in.token.scope": "true", "display.on.consent.screen": "false"},
        "protocolMappers": list(_mappers(scope)),
    }


def _mappers(scope: OwnScope) -> Iterator[dict[str, Any]]:
    for audience in scope.audiences:
        yield _mapper(f"audience {audience}", "oidc-audience-mapper", {"included.custom.audience": audience})
    if scope.wlcg:
        # A dot that is no path into an object.
        version = {"claim.name": "wlcg\\.ver", "claim.value": "1.0", "jsonType.label": "String"}
        yield _mapper("wlcg.ver", "oidc-hardcoded-claim-mapper", version)
        since = {"claim.name": "nbf", "claim.value": "1", "jsonType.label": "long"}
        yield _mapper("nbf", "oidc-hardcoded-claim-mapper", since)
    if scope.groups:
        groups = {"claim.name": "wlcg\\.groups", "full.path": "false"}
        yield _mapper("wlcg.groups", "oidc-group-membership-mapper", groups)


def _mapper(name: str, kind: str, config: Mapping[str, str]) -> dict[str, Any]:
    only_here = {
        "access.token.claim": "true",
        "id.token.claim": "false",
        "userinfo.token.claim": "false",
        "introspection.token.claim": "true",
    }
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "config": {**config, **only_here},
    }


def _differs(work: Work, scope: OwnScope, live: Mapping[str, Any] | None) -> bool:
    if live is None or scope.shared:
        return live is None
    wanted = _representation(work, scope)
    _check_owner(work, live)
    if not _holds(live.get("attributes"), wanted["attributes"]):
        return True
    held = {one.get("name"): one for one in live.get("protocolMappers") or ()}
    mappers = {one["name"]: one for one in wanted["protocolMappers"]}
    return held.keys() != mappers.keys() or any(
        not _same_mapper(mapper, held[name]) for name, mapper in mappers.items()
    )


async def _repair(api: AdminApi, work: Work, scope: OwnScope, live: Mapping[str, Any]) -> None:
    wanted, path = _representation(work, scope), f"{_SCOPES}/{live['id']}"
    if not _holds(live.get("attributes"), wanted["attributes"]):
        # Keycloak leaves the mappers alone here.
        await api.ask("PUT", path, body=wanted)
    held = {one.get("name"): one for one in live.get("protocolMappers") or ()}
    models = f"{path}/protocol-mappers/models"
    for mapper in wanted["protocolMappers"]:
        there = held.pop(mapper["name"], None)
        if there is None:
            await api.ask("POST", models, body=mapper, accept=(409,))
        elif not _same_mapper(mapper, there):
            await api.ask("PUT", f"{models}/{there['id']}", body={**mapper, "id": there["id"]})
    for other in held.values():
        await api.ask("DELETE", f"{models}/{other['id']}", accept=(404,))


def _same_mapper(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    same_kind = live.get("protocolMapper") == wanted["protocolMapper"]
    return same_kind and _holds(live.get("config"), wanted["config"])


def _holds(live: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    return all((live or {}).get(key) == value for key, value in wanted.items())


def _check_owner(work: Work, live: Mapping[str, Any]) -> None:
    attributes = live.get("attributes") or {}
    if not work.owner.owns(attributes.get(OWNER, "")):
        raise Conflict(
            f"A client scope {live.get('name')} exists at {work.spec.issuer} without this tenant's mark",
            remedy=f"Delete or rename it there, or set its attribute {OWNER} to {work.owner.marker}.",
            reason=Reason.CLIENT_OWNED_BY_OTHER,
        )
