"""A client as INDIGO IAM's own JSON, the same for its management API and its dynamic registration.

Read in IAM's source (1.12) and documentation (1.14): it cannot run here, see docs/identity-providers.md.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.targets.oidc.model import ClientSpec, Problem
from vre_operator.targets.oidc.registrar import Work

_NAMES = (4, 200)
"""Characters of a name; IAM takes 4 to 256."""
_TOLD_ONLY = (
    "registration_access_token",
    "registration_client_uri",
    "client_id_issued_at",
    "client_secret_expires_at",
    "created_at",
    "last_used",
    "status_changed_on",
    "status_changed_by",
    "active",
)
"""What IAM tells of a client and nobody sets by an update."""


def metadata(spec: ClientSpec, name: str) -> dict[str, Any]:
    """What both ways to register own of a client. IAM knows no URIs for after a logout."""
    return {
        "client_name": name[: _NAMES[1]].ljust(_NAMES[0], "."),
        "redirect_uris": list(spec.redirect_uris),
        "grant_types": list(spec.grant_types),
        "response_types": ["code"] if "authorization_code" in spec.grant_types else [],
        "token_endpoint_auth_method": spec.token_endpoint_auth_method,
        "scope": " ".join(spec.scopes),
        "code_challenge_method": "S256" if spec.pkce else "",
    }


def differences(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """The members of `wanted` that differ. More scopes and grants than wanted are an admin's, and no
    difference: IAM adds a grant for offline_access by itself, and admins grant what a registration may not ask
    for."""
    return list(_different(wanted, live))


def _different(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    for key, value in wanted.items():
        held = live.get(key)
        match key:
            case "client_secret":
                same = hmac.compare_digest(str(value).encode(), str(held).encode())
            case "redirect_uris":
                same = set(value) == set(held or ())
            case "grant_types" | "response_types":
                same = set(value) <= set(held or ())
            case "scope":
                same = not missing_scopes(value, live)
            case _:
                same = value == (held or "")
        if not same:
            yield key


def missing_scopes(wanted: str, live: Mapping[str, Any]) -> list[str]:
    """Those of `wanted` (with spaces between) that the client may not ask for."""
    return sorted({*wanted.split()} - {*str(live.get("scope") or "").split()})


def replacement(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """`wanted` for an update, which replaces all: what others set stays, and what they granted in addition."""
    kept = {key: value for key, value in live.items() if key not in _TOLD_ONLY and value is not None}
    scopes = {*str(live.get("scope") or "").split(), *wanted["scope"].split()}
    grants = {*(live.get("grant_types") or ()), *wanted["grant_types"]}
    return {**kept, **wanted, "scope": " ".join(sorted(scopes)), "grant_types": sorted(grants)}


def suspended(work: Work) -> Problem:
    """For a client that an admin disabled."""
    return (
        Reason.CLIENT_DISABLED.value,
        f"Client {work.state.client_id} was disabled at {work.spec.issuer}. It is left alone;"
        " enable it there to let people log in again.",
    )
