"""Client scopes of a client's own, at a real Keycloak: what its tokens say, drift, and the end."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life
from tests.oidc.life import Life
from vre_operator.engine.errors import Conflict
from vre_operator.engine.target import Observation, Presence
from vre_operator.targets.oidc.http import IssuerHttp

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

STORAGE: dict[str, Any] = {"name": "storage.read:/ocean/", "audiences": ["disk.example.org"], "wlcg": True}
RUCIO: dict[str, Any] = {
    "name": "ocean-rucio",
    "audiences": ["rucio", "disk.example.org"],
    "wlcg": True,
    "groups": True,
}


@pytest.fixture
async def life(realm: Realm) -> Life:
    life = keycloak_life(realm, "keycloak-admin", await realm.registrar())
    want(life, STORAGE, RUCIO)
    life.changes["grant_types"] = ["client_credentials"]
    life.changes["redirect_uris"] = []
    return life


def want(life: Life, *scopes: dict[str, Any]) -> None:
    life.changes["own_scopes"] = list(scopes)
    life.changes["scopes"] = ["openid", *(scope["name"] for scope in scopes)]


async def ours(realm: Realm) -> dict[str, dict[str, Any]]:
    listed = await realm.of_realm("GET", "/client-scopes")
    return {one["name"]: one for one in listed if "vre.owner" in one["attributes"]}


async def token(life: Life, made: Observation, scope: str) -> dict[str, Any]:
    """The claims of a token for the client itself."""
    http = IssuerHttp(life.issuer, life.ca, ("127.0.0.0/8", "::1/128"), clock=life.clock)
    answer = await http.request(
        "POST",
        life.endpoints["token_endpoint"],
        form={"grant_type": "client_credentials", "scope": scope}
        | {name: made.outputs[name] for name in ("client_id", "client_secret")},
    )
    assert answer.status == 200, answer.fields
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(answer.text("access_token").split(".")[1] + "==")
    )
    return claims


async def test_a_token_says_what_a_storage_asks_for(life: Life) -> None:
    made = await life.converge()
    claims = await token(life, made, STORAGE["name"])
    assert "disk.example.org" in claims["aud"]
    assert "rucio" not in claims["aud"]
    assert STORAGE["name"] in claims["scope"].split()
    assert claims["wlcg.ver"] == "1.0"
    assert claims["nbf"] < claims["iat"]
    both = await token(life, made, "openid ocean-rucio")
    assert {"disk.example.org", "rucio"} <= set(both["aud"])


async def test_a_person_s_token_lists_groups_as_storage_reads_them(realm: Realm, life: Life) -> None:
    await life.converge()
    (mapper,) = (
        one for one in (await ours(realm))["ocean-rucio"]["protocolMappers"] if one["name"] == "wlcg.groups"
    )
    assert mapper["config"]["claim.name"] == "wlcg\\.groups"
    assert mapper["config"]["full.path"] == "false"


async def test_settled_scopes_are_read_and_not_written(life: Life) -> None:
    await life.converge()
    life.check_time()
    before = len(life.fuse.passed)
    assert (await life.observe()).presence is Presence.SYNCED
    made = life.fuse.passed[before:]
    assert any("client-scopes" in step for step in made)
    assert not any(word in step for step in made for word in ("save", "PUT", "DELETE"))


@pytest.mark.parametrize("damage", ["scope", "mapper", "changed", "added", "attribute"])
async def test_what_an_admin_breaks_is_mended(realm: Realm, life: Life, damage: str) -> None:
    made = await life.converge()
    there = (await ours(realm))[STORAGE["name"]]
    path = f"/client-scopes/{there['id']}"
    models = f"{path}/protocol-mappers/models"
    mapper = next(one for one in there["protocolMappers"] if one["name"].startswith("audience"))
    match damage:
        case "scope":
            (client,) = await realm.clients()
            await realm.of_realm("DELETE", f"/clients/{client['id']}/optional-client-scopes/{there['id']}")
            await realm.of_realm("DELETE", path)
        case "mapper":
            await realm.of_realm("DELETE", f"{models}/{mapper['id']}")
        case "changed":
            config = {**mapper["config"], "included.custom.audience": "thief.example.org"}
            await realm.of_realm("PUT", f"{models}/{mapper['id']}", {**mapper, "config": config})
        case "added":
            extra = {key: value for key, value in mapper.items() if key != "id"}
            config = {**mapper["config"], "included.custom.audience": "thief.example.org"}
            await realm.of_realm("POST", models, {**extra, "name": "another", "config": config})
        case "attribute":
            attributes = {**there["attributes"], "include.in.token.scope": "false"}
            await realm.of_realm("PUT", path, {**there, "attributes": attributes})
    life.check_time()
    seen = await life.observe()
    assert seen.presence is Presence.DRIFTED
    assert STORAGE["name"] in seen.detail
    await life.converge()
    claims = await token(life, made, STORAGE["name"])
    assert "disk.example.org" in claims["aud"]
    assert "thief.example.org" not in claims["aud"]
    assert STORAGE["name"] in claims["scope"].split()


async def test_a_scope_that_is_not_wanted_any_more_goes(realm: Realm, life: Life) -> None:
    await life.converge()
    want(life, RUCIO)
    await life.converge()
    assert set(await ours(realm)) == {"ocean-rucio"}
    want(life)
    await life.converge()
    assert await ours(realm) == {}


async def test_a_scope_of_somebody_else_is_never_touched(realm: Realm, life: Life) -> None:
    theirs = {"name": STORAGE["name"], "protocol": "openid-connect"}
    await realm.of_realm("POST", "/client-scopes", theirs)
    with pytest.raises(Conflict, match=r"storage\.read:/ocean/ exists .* without this tenant's mark"):
        await life.converge()
    want(life, RUCIO)
    await life.converge()
    life.clock.now += 60  # what was cut off above may still be on its way until then
    assert await life.delete()
    names = {one["name"] for one in await realm.of_realm("GET", "/client-scopes")}
    assert STORAGE["name"] in names


async def test_the_end_takes_scopes_along_also_those_that_another_client_uses(realm: Realm, life: Life) -> None:
    await life.converge()
    scope = (await ours(realm))["ocean-rucio"]
    await realm.of_realm("POST", "/clients", {"clientId": "other", "optionalClientScopes": ["ocean-rucio"]})
    assert "ocean-rucio" in (await realm.of_realm("GET", "/clients?clientId=other"))[0]["optionalClientScopes"]
    assert await life.delete()
    assert await ours(realm) == {}
    assert scope["name"] not in (await realm.of_realm("GET", "/clients?clientId=other"))[0].get(
        "optionalClientScopes", ()
    )


async def test_killed_anywhere_it_comes_to_the_same(realm: Realm, life: Life) -> None:
    at = 0
    while True:
        at += 1
        if not await life.killed(at, life.converge):
            break
        life.restart()
        made = await life.converge()
        assert set(await ours(realm)) == {STORAGE["name"], RUCIO["name"]}
        assert "disk.example.org" in (await token(life, made, STORAGE["name"]))["aud"]
        life.restart()
        life.clock.now += 60
        while not await life.delete():
            life.clock.now += 60
        assert await ours(realm) == {}
    assert at > 8
