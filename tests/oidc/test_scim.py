"""People by SCIM 2.0, of a real Keycloak (its preview feature); INDIGO IAM cannot run here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life
from tests.oidc.life import Life
from tests.oidc.test_people import EVERY, allow, group, join, look, user
from vre_operator.engine.errors import Forbidden, Invalid, TargetError
from vre_operator.targets.oidc import scim

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]


def wish(realm: Realm) -> dict[str, Any]:
    return {"scim": {"url": f"{realm.issuer}/scim/v2", "scope": ""}}


async def open_scim(realm: Realm) -> dict[str, str]:
    """What a realm's admin does; the credential of a service account that may use it."""
    credential = await realm.registrar()
    await realm.of_realm("PUT", "", {"scimApiEnabled": True})
    (own,) = await realm.of_realm("GET", "/clients?clientId=vre-registrar")
    mapper = {
        "name": "scim",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": f"{realm.issuer}/scim/v2", "access.token.claim": "true"},
    }
    await realm.of_realm("POST", f"/clients/{own['id']}/protocol-mappers/models", mapper)
    for name in ("ocean", "power"):
        await realm.of_realm("POST", "/groups", {"name": name})
    for name in ("alice", "Bob", "carol"):
        await join(realm, name, "ocean")
    await join(realm, "alice", "power")
    await join(realm, "dave", "power")
    return credential


@pytest.fixture
async def life(realm: Realm) -> Life:
    credential = await open_scim(realm)
    await allow(realm, "view-users")
    return keycloak_life(realm, "generic-dcr", credential)


async def seen(realm: Realm, life: Life, **fields: Any) -> dict[str, list[str]]:
    """Groups by name."""
    told = json.loads((await look(life, **wish(realm), **fields)).outputs["people"])
    return {one["name"]: one["groups"] for one in told}


async def test_members_are_seen_with_their_labels(realm: Realm, life: Life) -> None:
    told = await seen(realm, life, labels=["power"])
    assert told == {"alice": ["ocean", "power"], "bob": ["ocean"], "carol": ["ocean"]}
    assert set(await seen(realm, life, groups=[], everybody=True)) == {"alice", "bob", "carol", "dave"}


async def test_sub_and_address_are_the_token_s(realm: Realm, life: Life) -> None:
    told = json.loads((await look(life, **wish(realm))).outputs["people"])
    alice = next(one for one in told if one["name"] == "alice")
    assert (alice["sub"], alice["email"]) == (await user(realm, "alice"), "alice@example.org")


async def test_who_left_or_was_disabled_is_gone_at_the_next_reading(realm: Realm, life: Life) -> None:
    assert set(await seen(realm, life)) == {"alice", "bob", "carol"}
    path = f"/users/{await user(realm, 'alice')}/groups/{await group(realm, 'ocean')}"
    await realm.of_realm("DELETE", path)
    await realm.of_realm("PUT", f"/users/{await user(realm, 'carol')}", {"enabled": False})
    life.clock.now += 2 * EVERY
    assert set(await seen(realm, life)) == {"bob"}


async def test_more_people_than_a_page_holds(realm: Realm, life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scim, "_PAGE", 2)
    assert set(await seen(realm, life)) == {"alice", "bob", "carol"}


async def test_what_is_wrong_is_told(realm: Realm, life: Life) -> None:
    with pytest.raises(Invalid, match="has no group nowhere"):
        await look(life, **wish(realm), groups=["nowhere"])
    with pytest.raises(TargetError) as missing:
        await look(life, scim={"url": f"{realm.issuer}/nothing", "scope": ""})
    assert "scim.url" in missing.value.text


async def test_a_service_account_that_may_not_is_told(realm: Realm) -> None:
    life = keycloak_life(realm, "generic-dcr", await open_scim(realm))
    with pytest.raises(Forbidden, match=r"does not let the service account of spec\.x read users and groups"):
        await look(life, **wish(realm))
