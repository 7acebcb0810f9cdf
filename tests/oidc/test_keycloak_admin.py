"""Provider keycloak-admin at a real Keycloak."""

from __future__ import annotations

import pytest

from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life
from tests.oidc.life import Life
from vre_operator.engine.errors import Conflict, Forbidden, Invalid
from vre_operator.engine.target import Presence, State
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]


@pytest.fixture
async def life(realm: Realm) -> Life:
    return keycloak_life(realm, "keycloak-admin", await realm.registrar())


async def test_a_client_is_made_as_asked(realm: Realm, life: Life) -> None:
    seen = await life.converge()
    assert seen.readiness.state is State.READY
    (client,) = await realm.clients()
    assert client["clientId"] == seen.outputs["client_id"]
    assert client["secret"] == seen.outputs["client_secret"]
    assert client["redirectUris"] == ["https://ocean.example.org/hub/oauth_callback"]
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["attributes"]["client.secret.authentication.allowed.method"] == "client_secret_post"
    (mapper,) = client["protocolMappers"]
    assert mapper["config"] == {
        "claim.name": "groups",
        "full.path": "false",
        "id.token.claim": "true",
        "access.token.claim": "true",
        "userinfo.token.claim": "true",
    }
    assert await life.verdict(seen.outputs) is Verdict.GOOD


async def test_a_settled_client_costs_no_request(life: Life) -> None:
    await life.converge()
    before = len(life.fuse.passed)
    seen = await life.observe()
    assert seen.presence is Presence.SYNCED
    assert seen.recheck_after
    assert len(life.fuse.passed) == before


async def test_a_reading_that_finds_no_drift_writes_nothing(life: Life) -> None:
    await life.converge()
    life.check_time()
    before = len(life.fuse.passed)
    assert (await life.observe()).presence is Presence.SYNCED
    made = life.fuse.passed[before:]
    assert any("before GET /admin" in step for step in made)
    assert not any(word in step for step in made for word in ("save", "PUT", "DELETE"))


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        ({"redirectUris": ["https://evil.example.org/*"]}, "redirectUris"),
        ({"secret": "changed-by-somebody"}, "secret"),
        ({"publicClient": True}, "publicClient"),
        ({"attributes": {"pkce.code.challenge.method": ""}}, "pkce.code.challenge.method"),
        ({"protocolMappers": []}, "protocolMappers"),
        ({"standardFlowEnabled": False}, "standardFlowEnabled"),
        ({"directAccessGrantsEnabled": True}, "directAccessGrantsEnabled"),
    ],
)
async def test_drift_is_found_and_repaired(
    realm: Realm, life: Life, damage: dict[str, object], field: str
) -> None:
    made = await life.converge()
    (client,) = await realm.clients()
    if field == "protocolMappers":
        mapper = client["protocolMappers"][0]["id"]
        await realm.of_realm("DELETE", f"/clients/{client['id']}/protocol-mappers/models/{mapper}")
    else:
        await realm.of_realm("PUT", f"/clients/{client['id']}", damage)
    life.check_time()
    seen = await life.observe()
    assert seen.presence is Presence.DRIFTED
    assert field in seen.detail
    repaired = await life.converge()
    assert repaired.presence is Presence.SYNCED
    assert repaired.outputs == made.outputs
    life.check_time()
    assert (await life.observe()).presence is Presence.SYNCED
    assert await life.verdict(repaired.outputs) is Verdict.GOOD


async def test_a_changed_mapper_is_put_right_and_others_stay(realm: Realm, life: Life) -> None:
    await life.converge()
    (client,) = await realm.clients()
    path = f"/clients/{client['id']}/protocol-mappers/models"
    mapper = client["protocolMappers"][0]
    mapper["config"]["full.path"] = "true"
    await realm.of_realm("PUT", f"{path}/{mapper['id']}", mapper)
    other = {**mapper, "name": "somebody-elses", "id": None}
    await realm.of_realm("POST", path, other)
    life.check_time()
    await life.converge()
    mappers = {one["name"]: one for one in await realm.of_realm("GET", path)}
    assert mappers["vre-groups"]["config"]["full.path"] == "false"
    assert mappers["somebody-elses"]["config"]["full.path"] == "true"


async def test_a_client_deleted_by_an_admin_comes_back_with_its_secret(realm: Realm, life: Life) -> None:
    made = await life.converge()
    (client,) = await realm.clients()
    await realm.of_realm("DELETE", f"/clients/{client['id']}")
    life.check_time()
    assert (await life.observe()).detail == "the client is gone"
    assert (await life.converge()).outputs == made.outputs
    assert await life.verdict(made.outputs) is Verdict.GOOD


async def test_a_client_disabled_by_an_admin_is_left_alone(realm: Realm, life: Life) -> None:
    await life.converge()
    (client,) = await realm.clients()
    await realm.of_realm("PUT", f"/clients/{client['id']}", {"enabled": False})
    life.check_time()
    seen = await life.observe()
    assert seen.presence is Presence.SYNCED
    assert seen.readiness.reason == "ClientDisabled"
    assert seen.outputs
    life.changes["display_name"] = "Another name"
    assert (await life.converge()).readiness.reason == "ClientDisabled"
    (client,) = await realm.clients()
    assert client["enabled"] is False
    assert client["name"] == "Another name"
    await realm.of_realm("PUT", f"/clients/{client['id']}", {"enabled": True})
    life.check_time()
    assert (await life.observe()).readiness.state is State.READY


async def test_a_client_of_somebody_else_is_never_touched(realm: Realm, life: Life) -> None:
    client_id = f"vre.{life.tenant.cluster_id}.ocean.vre.hub"
    await realm.of_realm("POST", "/clients", {"clientId": client_id, "name": "theirs"})
    with pytest.raises(Conflict) as refused:
        await life.converge()
    assert refused.value.reason == "ClientOwnedByOther"
    assert (await realm.clients())[0]["name"] == "theirs"
    life.clock.now += 60
    assert await life.delete()
    assert (await realm.clients())[0]["name"] == "theirs"


async def test_a_tenant_made_again_takes_over_its_client(realm: Realm, life: Life) -> None:
    await life.converge()
    life.uid = "uid-2"
    assert (await life.observe()).presence is Presence.DRIFTED
    seen = await life.converge()
    (client,) = await realm.clients()
    assert client["attributes"]["vre.owner"].endswith("/uid-2")
    assert await life.verdict(seen.outputs) is Verdict.GOOD
    life.uid = "uid-1"
    with pytest.raises(Conflict, match="another VREEnvironment"):
        await life.delete()
    assert len(await realm.clients()) == 1


async def test_a_scope_beyond_the_realms_defaults_is_added(realm: Realm, life: Life) -> None:
    await realm.of_realm("POST", "/client-scopes", {"name": "wlcg", "protocol": "openid-connect"})
    life.changes["scopes"] = ["openid", "profile", "wlcg"]
    await life.converge()
    assert "wlcg" in (await realm.clients())[0]["optionalClientScopes"]
    life.changes["scopes"] = ["openid", "nowhere"]
    with pytest.raises(Invalid, match="no client scope nowhere"):
        await life.converge()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_service_account_may_be_of_either_method(realm: Realm, method: str) -> None:
    life = keycloak_life(realm, "keycloak-admin", await realm.registrar(method))
    assert (await life.converge()).readiness.ready


async def test_a_wrong_service_account_is_named(realm: Realm, life: Life) -> None:
    life.credential["client_secret"] = "canary-wrong-secret"
    with pytest.raises(Forbidden) as refused:
        await life.converge()
    assert refused.value.reason == "CredentialsRefused"
    assert "spec.of.this.test" in refused.value.text
    assert "canary" not in refused.value.text
    assert await realm.clients() == []


async def test_a_service_account_without_the_role_is_named(realm: Realm, life: Life) -> None:
    client = {"clientId": "weak", "secret": "weak-secret", "serviceAccountsEnabled": True}
    await realm.of_realm("POST", "/clients", client)
    life.credential = {"client_id": "weak", "client_secret": "weak-secret"}
    with pytest.raises(Forbidden) as refused:
        await life.converge()
    assert refused.value.reason == "CredentialsRefused"
    assert "manage-clients" in refused.value.text


async def test_an_issuer_that_is_no_realm_is_refused(life: Life) -> None:
    life.issuer = life.issuer.replace("/realms/", "/other/")
    with pytest.raises(Invalid, match="Keycloak realm"):
        await life.converge()


async def test_a_deleted_tenant_leaves_nothing(realm: Realm, life: Life) -> None:
    await life.converge()
    assert await life.delete()
    assert await realm.clients() == []
    assert life.store.texts == {}
    assert await life.delete()


async def test_a_refused_credential_later_is_told_and_takes_nothing_away(realm: Realm, life: Life) -> None:
    made = await life.converge()
    (own,) = await realm.of_realm("GET", "/clients?clientId=vre-registrar")
    await realm.of_realm("PUT", f"/clients/{own['id']}", {"secret": "another"})
    life.check_time()
    seen = await life.observe()
    assert seen.outputs == made.outputs
    assert seen.readiness.reason == "CredentialsRefused"
    with pytest.raises(Forbidden):
        await life.delete()
    assert life.store.texts
