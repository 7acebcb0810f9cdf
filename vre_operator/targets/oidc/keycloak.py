"""A client as Keycloak's own JSON: made, and compared in the members that we own."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from vre_operator.engine.errors import Invalid
from vre_operator.targets.oidc.model import ClientSpec, ClientState

OWNER = "vre.owner"
_ENDS = "client.secret.expiration.time"
"""Of a realm whose client policies have Keycloak's executor `secret-rotation`, a preview feature."""
_POST_LOGOUT = "post.logout.redirect.uris"
_SEPARATOR = "##"
_NAME_LIMIT = 200
_MAPPER = "oidc-group-membership-mapper"
_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


def realm_urls(issuer: str) -> tuple[str, str]:
    """The server's address and the realm's name, from `https://host/realms/NAME`."""
    server, found, realm = issuer.partition("/realms/")
    if not found or not realm or "/" in realm:
        raise Invalid(
            f"{issuer} is not the issuer of a Keycloak realm (https://HOST/realms/NAME)",
            remedy="Correct spec.identity.issuer, or choose another spec.identity.provider.",
        )
    return server, realm


def representation(spec: ClientSpec, state: ClientState) -> dict[str, Any]:
    """The client as it should be, without `enabled` and scopes: those are the realm admin's."""
    wanted: dict[str, Any] = {
        "clientId": state.client_id,
        "name": (spec.display_name or state.client_id)[:_NAME_LIMIT],
        "protocol": "openid-connect",
        "publicClient": False,
        "clientAuthenticatorType": "client-secret",
        "secret": state.secret,
        "redirectUris": list(spec.redirect_uris),
        "standardFlowEnabled": "authorization_code" in spec.grant_types,
        "serviceAccountsEnabled": "client_credentials" in spec.grant_types,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "attributes": {
            OWNER: state.owner.marker,
            "pkce.code.challenge.method": "S256" if spec.pkce else "",
            "client.secret.authentication.allowed.method": spec.token_endpoint_auth_method,
            "standard.token.exchange.enabled": str(_EXCHANGE_GRANT in spec.grant_types).lower(),
            _POST_LOGOUT: _SEPARATOR.join(spec.post_logout_redirect_uris),
        },
    }
    if state.mapper and spec.groups_claim:
        wanted["protocolMappers"] = [_groups_mapper(spec.groups_claim)]
    return wanted


def _groups_mapper(claim: str) -> dict[str, Any]:
    everywhere = {f"{token}.token.claim": "true" for token in ("id", "access", "userinfo")}
    return {
        "name": "vre-groups",
        "protocol": "openid-connect",
        "protocolMapper": _MAPPER,
        "config": {"claim.name": claim, "full.path": "false", **everywhere},
    }


def secret_ends(live: Mapping[str, Any]) -> float:
    """When Keycloak ends the client's secret, in seconds since the epoch; 0 for never."""
    text = str((live.get("attributes") or {}).get(_ENDS) or "")
    return float(text) if text.isdecimal() else 0.0


def differences(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """The names of the members that differ, ", " between them. Order and Keycloak's additions don't count."""
    return ", ".join(_different(wanted, live))


def _different(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    for key, value in wanted.items():
        held = live.get(key)
        match key:
            case "secret":
                same = hmac.compare_digest(str(value).encode(), str(held).encode())
            case "redirectUris":
                same = set(value) == set(held or ())
            case "attributes":
                yield from _different_attributes(value, held or {})
                continue
            case "protocolMappers":
                same = _same_mapper(value[0], held or ())
            case _:
                same = value == held
        if not same:
            yield key


def _different_attributes(wanted: Mapping[str, str], held: Mapping[str, str]) -> Iterator[str]:
    for key, value in wanted.items():
        found = held.get(key) or ("false" if value == "false" else "")
        same = set(value.split(_SEPARATOR)) == set(found.split(_SEPARATOR))
        if not same:
            yield key


def _same_mapper(wanted: Mapping[str, Any], held: Any) -> bool:
    for mapper in held:
        if mapper.get("name") == wanted["name"]:
            config = mapper.get("config", {})
            return mapper.get("protocolMapper") == _MAPPER and all(
                config.get(key) == value for key, value in wanted["config"].items()
            )
    return False


def with_mapper_ids(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """`wanted` for an update: a mapper that exists is addressed by its id, and other people's are kept."""
    if "protocolMappers" not in wanted:
        return dict(wanted)
    ours = dict(wanted["protocolMappers"][0])
    others = []
    for mapper in live.get("protocolMappers") or ():
        if mapper.get("name") == ours["name"]:
            ours["id"] = mapper["id"]
        else:
            others.append(mapper)
    return {**wanted, "protocolMappers": [*others, ours]}
