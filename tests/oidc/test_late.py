"""Killed with a request still on its way, which arrives when nobody thinks of it any more.

Each of these was found by the model (tests/faults/model) before it was seen at a real provider.
"""

from __future__ import annotations

import pytest

from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life
from tests.oidc.life import Life
from vre_operator.engine.errors import Forbidden, NotReady
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]


@pytest.fixture
async def admin(realm: Realm) -> Life:
    return keycloak_life(realm, "keycloak-admin", await realm.registrar())


@pytest.fixture
async def initial(realm: Realm) -> Life:
    token = {"initial_access_token": await realm.initial_access_token(count=9)}
    # without a groups mapper, which the realm's policy refuses at first
    return keycloak_life(realm, "keycloak-dcr", token, changes={"groups_claim": ""})


async def _ours(realm: Realm) -> list[str]:
    return [one["clientId"] for one in await realm.all_registered() if ".ocean." in one["clientId"]]


async def _waits_out(life: Life) -> None:
    """A deletion is not over before the longest time that a request can be on its way."""
    assert not await life.delete()
    assert life.store.texts


async def _ends(life: Life, realm: Realm) -> None:
    life.clock.now += 60
    assert await life.delete()
    assert await _ours(realm) == []
    assert life.store.texts == {}


async def test_a_client_made_again_may_arrive_late(realm: Realm, admin: Life) -> None:
    await admin.converge()
    (client,) = [one for one in await realm.clients() if ".ocean." in one["clientId"]]
    await realm.of_realm("DELETE", f"/clients/{client['id']}")

    async def next_reading() -> None:
        await admin.observe()
        admin.check_time()
        await admin.converge()

    letter = await admin.killed_with_a_letter("POST", "/clients", next_reading)
    await _waits_out(admin)
    await letter()
    await _ends(admin, realm)


async def test_a_second_attempt_has_its_own_time(realm: Realm, admin: Life) -> None:
    await admin.killed_with_a_letter("POST", "/clients", admin.converge)
    admin.clock.now += 60
    letter = await admin.killed_with_a_letter("POST", "/clients", admin.converge)
    await _waits_out(admin)
    await letter()
    await _ends(admin, realm)


async def test_a_success_does_not_forget_the_attempt_before_it(realm: Realm, admin: Life) -> None:
    letter = await admin.killed_with_a_letter("POST", "/clients", admin.converge)
    await admin.converge()
    await _waits_out(admin)
    await letter()
    await _ends(admin, realm)


async def test_a_deletion_cut_off_does_not_reach_the_tenants_next_life(realm: Realm, admin: Life) -> None:
    await admin.converge()
    (client,) = [one for one in await realm.clients() if ".ocean." in one["clientId"]]
    letter = await admin.killed_with_a_letter("PUT", client["id"], admin.delete)
    await _waits_out(admin)
    await letter()
    await _ends(admin, realm)


async def test_a_wish_changed_after_a_lost_answer_is_not_taken_for_fulfilled(
    realm: Realm, initial: Life
) -> None:
    letter = await initial.killed_with_a_letter("POST", "/default", initial.converge)
    await letter()
    initial.changes["redirect_uris"] = ["https://changed.example.org/cb"]
    with pytest.raises(Forbidden) as told:
        await initial.converge()
    assert told.value.reason == "RegistrationTokenLost"
    (client,) = [one for one in await realm.clients() if ".ocean." in one["clientId"]]
    await realm.of_realm("DELETE", f"/clients/{client['id']}")
    initial.clock.now += 60
    seen = await initial.converge()
    assert await initial.verdict(seen.outputs) is Verdict.GOOD


async def test_a_changed_wish_waits_for_an_attempt_that_may_still_arrive(realm: Realm, initial: Life) -> None:
    letter = await initial.killed_with_a_letter("POST", "/default", initial.converge)
    initial.changes["redirect_uris"] = ["https://changed.example.org/cb"]
    with pytest.raises(NotReady):
        await initial.converge()
    await letter()
    with pytest.raises(Forbidden) as told:
        await initial.converge()
    assert told.value.reason == "RegistrationTokenLost"


async def test_a_registration_refused_does_not_forget_the_attempt_before_it(
    realm: Realm, initial: Life
) -> None:
    letter = await initial.killed_with_a_letter("POST", "/default", initial.converge)
    good, initial.credential = initial.credential, {"initial_access_token": "junk"}
    with pytest.raises(Forbidden):
        await initial.converge()
    initial.credential = good
    await _waits_out(initial)
    await letter()
    initial.clock.now += 60
    with pytest.raises(Forbidden) as told:
        await initial.delete()
    assert told.value.reason == "RegistrationTokenLost"
