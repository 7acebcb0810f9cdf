"""People of a real Keycloak: groups, labels, leavers, pages, and what a service account must be allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life
from tests.oidc.life import Life
from vre_operator.engine.errors import Forbidden, Invalid
from vre_operator.engine.resources import OIDC, Policy, Resource, ResourceId
from vre_operator.engine.target import Desired, Observation
from vre_operator.targets.oidc import keycloak_people

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

EVERY = 300.0


@pytest.fixture
async def life(realm: Realm) -> Life:
    credential = await realm.registrar()
    await allow(realm, "view-users", "query-groups")
    await realm.of_realm("POST", "/groups", {"name": "ocean"})
    await realm.of_realm("POST", "/groups", {"name": "power"})
    parent = await group(realm, "ocean")
    await realm.of_realm("POST", f"/groups/{parent}/children", {"name": "deep"})
    for name in ("alice", "Bob", "carol"):
        await join(realm, name, "ocean")
    await join(realm, "alice", "power")
    await join(realm, "dave", "power")
    return keycloak_life(realm, "keycloak-admin", credential)


async def allow(realm: Realm, *roles: str) -> None:
    (own,) = await realm.of_realm("GET", "/clients?clientId=vre-registrar")
    (management,) = await realm.of_realm("GET", "/clients?clientId=realm-management")
    user = await realm.of_realm("GET", f"/clients/{own['id']}/service-account-user")
    given = [await realm.of_realm("GET", f"/clients/{management['id']}/roles/{role}") for role in roles]
    await realm.of_realm("POST", f"/users/{user['id']}/role-mappings/clients/{management['id']}", given)


async def group(realm: Realm, name: str) -> str:
    return str((await realm.of_realm("GET", f"/groups?search={name}&exact=true"))[0]["id"])


async def user(realm: Realm, name: str) -> str:
    found = await realm.of_realm("GET", f"/users?username={name}&exact=true")
    if not found:
        email = f"{name}@example.org"
        await realm.of_realm("POST", "/users", {"username": name, "enabled": True, "email": email})
        found = await realm.of_realm("GET", f"/users?username={name}&exact=true")
    return str(found[0]["id"])


async def join(realm: Realm, name: str, of: str) -> None:
    path = f"/users/{await user(realm, name)}/groups/{await group(realm, of)}"
    await realm.of_realm("PUT", path, {})


async def look(life: Life, **fields: Any) -> Observation:
    wish = {
        "groups": ["ocean"],
        "labels": [],
        "everybody": False,
        "every": EVERY,
        "credential_field": "spec.x",
    } | fields
    body = life.body | wish
    resource = Resource(ResourceId(OIDC, "People", "", "people"), "identity", body, policy=Policy.EXTERNAL)
    return await life.target.observe(life.tenant, Desired(resource, body))


async def seen(life: Life, **fields: Any) -> dict[str, list[str]]:
    """Groups by name."""
    told = json.loads((await look(life, **fields)).outputs["people"])
    return {one["name"]: one["groups"] for one in told}


async def test_members_are_seen_with_their_labels(life: Life) -> None:
    told = await seen(life, labels=["power"])
    assert told == {"alice": ["ocean", "power"], "bob": ["ocean"], "carol": ["ocean"]}


async def test_sub_and_address_are_the_token_s(realm: Realm, life: Life) -> None:
    told = json.loads((await look(life)).outputs["people"])
    alice = next(one for one in told if one["name"] == "alice")
    assert alice["sub"] == await user(realm, "alice")
    assert alice["email"] == "alice@example.org"


async def test_everybody(life: Life) -> None:
    assert set(await seen(life, groups=[], everybody=True)) == {"alice", "bob", "carol", "dave"}


async def test_a_group_below_another_is_found_by_its_path_and_by_its_name(realm: Realm, life: Life) -> None:
    listed = await realm.of_realm("GET", "/groups?search=deep&exact=true")
    deep = listed[0]["subGroups"][0]["id"]
    await realm.of_realm("PUT", f"/users/{await user(realm, 'dave')}/groups/{deep}", {})
    assert set(await seen(life, groups=["/ocean/deep"])) == {"dave"}
    assert set(await seen(life, groups=["deep"])) == {"dave"}


async def test_who_left_or_was_disabled_is_gone_at_the_next_reading(realm: Realm, life: Life) -> None:
    assert set(await seen(life)) == {"alice", "bob", "carol"}
    path = f"/users/{await user(realm, 'alice')}/groups/{await group(realm, 'ocean')}"
    await realm.of_realm("DELETE", path)
    await realm.of_realm("PUT", f"/users/{await user(realm, 'carol')}", {"enabled": False})
    assert set(await seen(life)) == {"alice", "bob", "carol"}, "not asked again so soon"
    life.clock.now += 2 * EVERY
    assert set(await seen(life)) == {"bob"}


async def test_settled_nothing_is_asked(life: Life) -> None:
    await look(life)
    before = len(life.fuse.passed)
    found = await look(life)
    assert len(life.fuse.passed) == before
    assert found.recheck_after


async def test_more_people_than_a_page_holds(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keycloak_people, "_PAGE", 2)
    assert set(await seen(life)) == {"alice", "bob", "carol"}


async def test_a_group_that_is_no_more_takes_nobody_away(realm: Realm, life: Life) -> None:
    with pytest.raises(Invalid, match="has no group nowhere"):
        await look(life, groups=["nowhere"])
    await look(life)
    await realm.of_realm("DELETE", f"/groups/{await group(realm, 'ocean')}")
    life.clock.now += 2 * EVERY
    found = await look(life)
    assert not found.readiness.ready
    assert "has no group ocean" in found.readiness.message
    assert {one["name"] for one in json.loads(found.outputs["people"])} == {"alice", "bob", "carol"}


async def test_a_service_account_that_may_not_is_told_what_it_needs(realm: Realm) -> None:
    life = keycloak_life(realm, "keycloak-admin", await realm.registrar())
    await realm.of_realm("POST", "/groups", {"name": "ocean"})
    with pytest.raises(Forbidden, match="does not let the service account of") as told:
        await look(life)
    assert "spec.x read users and groups" in told.value.text
    assert "view-users" in told.value.text
