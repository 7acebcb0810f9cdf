"""Provider keycloak-dcr at a real Keycloak: an initial access token and nothing else."""

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
    token = await realm.initial_access_token(count=3)
    return keycloak_life(realm, "keycloak-dcr", {"initial_access_token": token})


async def test_a_client_is_made_and_removed(realm: Realm, life: Life) -> None:
    seen = await life.converge()
    (client,) = await realm.clients()
    assert client["secret"] == seen.outputs["client_secret"]
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert await life.verdict(seen.outputs) is Verdict.GOOD
    before = len(life.fuse.passed)
    assert (await life.observe()).presence is Presence.SYNCED
    assert len(life.fuse.passed) == before
    assert await life.delete()
    assert await realm.clients() == []
    assert life.store.texts == {}


async def test_the_mapper_is_added_where_the_realms_policy_allows_it(realm: Realm, life: Life) -> None:
    path = "/components?type=org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"
    for policy in await realm.of_realm("GET", path):
        if policy["providerId"] == "allowed-protocol-mappers":
            policy["config"]["allowed-protocol-mapper-types"].append("oidc-group-membership-mapper")
            await realm.of_realm("PUT", f"/components/{policy['id']}", policy)
    await life.converge()
    assert (await realm.clients())[0]["protocolMappers"][0]["name"] == "vre-groups"


async def test_drift_is_repaired_and_the_new_token_kept(realm: Realm, life: Life) -> None:
    made = await life.converge()
    for uri in ("https://one.example.org/*", "https://two.example.org/*"):
        (client,) = await realm.clients()
        await realm.of_realm("PUT", f"/clients/{client['id']}", {"redirectUris": [uri]})
        life.check_time()
        assert (await life.observe()).detail == "redirectUris"
        token = life.state.rat
        assert (await life.converge()).outputs == made.outputs
        assert life.state.rat != token
        (client,) = await realm.clients()
        assert client["redirectUris"] == ["https://ocean.example.org/hub/oauth_callback"]
    assert await life.delete()
    assert await realm.clients() == []


async def test_a_changed_wish_without_need_sends_no_update(life: Life) -> None:
    await life.converge()
    token = life.state.rat
    life.credential["initial_access_token"] = "another"
    await life.converge()
    assert life.state.rat == token
    assert life.state.spec.credential["initial_access_token"] == "another"


async def test_a_deleted_client_is_registered_again(realm: Realm, life: Life) -> None:
    await life.converge()
    (client,) = await realm.clients()
    await realm.of_realm("DELETE", f"/clients/{client['id']}")
    life.check_time()
    seen = await life.converge()
    assert len(await realm.clients()) == 1
    assert await life.verdict(seen.outputs) is Verdict.GOOD


async def test_a_disabled_client_stays_disabled_and_works_when_enabled(realm: Realm, life: Life) -> None:
    made = await life.converge()
    (client,) = await realm.clients()
    await realm.of_realm("PUT", f"/clients/{client['id']}", {"enabled": False})
    life.check_time()
    with pytest.raises(Invalid) as refused:
        await life.converge()
    assert refused.value.reason == "ClientDisabled"
    (client,) = await realm.clients()
    assert client["enabled"] is False
    await realm.of_realm("PUT", f"/clients/{client['id']}", {"enabled": True})
    seen = await life.converge()
    assert seen.readiness.state is State.READY
    assert seen.readiness.reason == ""
    assert seen.outputs == made.outputs


async def test_a_lost_token_is_told_and_an_admin_can_help(realm: Realm, life: Life) -> None:
    made = await life.converge()
    (client,) = await realm.clients()
    await realm.of_realm("POST", f"/clients/{client['id']}/registration-access-token")
    life.check_time()
    seen = await life.converge()
    assert seen.readiness.ready
    assert seen.readiness.reason == "RegistrationTokenLost"
    assert seen.outputs == made.outputs
    life.check_time()
    assert (await life.observe()).readiness.reason == "RegistrationTokenLost"
    life.changes["display_name"] = "Another name"
    with pytest.raises(Forbidden, match="token of client"):
        await life.converge()
    with pytest.raises(Forbidden) as refused:
        await life.delete()
    assert refused.value.reason == "RegistrationTokenLost"
    assert len(await realm.clients()) == 1
    await realm.of_realm("DELETE", f"/clients/{client['id']}")
    assert await life.delete()
    assert life.store.texts == {}


async def test_a_client_of_somebody_else_is_never_touched(realm: Realm, life: Life) -> None:
    await realm.of_realm("POST", "/clients", {"clientId": f"vre.{life.tenant.cluster_id}.ocean.vre.hub"})
    with pytest.raises((Conflict, Invalid)):
        await life.converge()
    with pytest.raises(Conflict) as refused:
        await life.converge()
    assert refused.value.reason == "ClientOwnedByOther"


@pytest.mark.parametrize(
    ("count", "damage", "words"),
    [(1, "use up", "is used up"), (1, "junk", "is not valid"), (1, "revoke", "is not valid")],
)
async def test_a_bad_initial_access_token_is_named(realm: Realm, count: int, damage: str, words: str) -> None:
    token = await realm.initial_access_token(count)
    if damage == "use up":
        other = keycloak_life(realm, "keycloak-dcr", {"initial_access_token": token}, name="other")
        await other.converge()
    if damage == "revoke":
        for one in await realm.of_realm("GET", "/clients-initial-access"):
            await realm.of_realm("DELETE", f"/clients-initial-access/{one['id']}")
    life = keycloak_life(
        realm, "keycloak-dcr", {"initial_access_token": "canary-junk" if damage == "junk" else token}
    )
    with pytest.raises(Forbidden) as refused:
        await life.converge()
    assert refused.value.reason == "CredentialsRefused"
    assert words in refused.value.text
    assert "new initial access token" in refused.value.text
    assert "canary" not in refused.value.text
    assert token not in refused.value.text
    life.credential["initial_access_token"] = await realm.initial_access_token()
    assert (await life.converge()).readiness.ready


async def test_a_policy_of_the_realm_is_named(realm: Realm, life: Life) -> None:
    policy = {
        "name": "no more",
        "providerId": "max-clients",
        "providerType": "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy",
        "subType": "authenticated",
        "config": {"max-clients": ["1"]},
    }
    await realm.of_realm("POST", "/components", policy)
    with pytest.raises(Invalid) as refused:
        await life.converge()
    assert refused.value.reason == "RegistrationRefused"
    assert "policy" in refused.value.text


async def test_moving_to_another_provider_kind_leaves_one_client(realm: Realm, life: Life) -> None:
    await life.converge()
    life.provider, life.credential = "keycloak-admin", await realm.registrar()
    seen = await life.converge()
    assert len(await realm.clients()) == 1
    assert await life.verdict(seen.outputs) is Verdict.GOOD
    assert await life.delete()
    assert await realm.clients() == []
