"""Killed between any two steps, then started again with nothing but the store: always one client, never two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life, strict_life
from tests.oidc.life import Life
from tests.oidc.test_generic_dcr import registered
from vre_operator.engine.errors import Conflict, Forbidden
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

_MOST = 40  # more steps than any piece of work has


async def _at_keycloak(realm: Realm, life: Life) -> list[str]:
    return [one["clientId"] for one in await realm.all_registered() if f".{life.name}." in one["clientId"]]


async def _gone(life: Life) -> bool:
    """Deletion as the engine repeats it, beyond the time in which a cut-off request may still arrive."""
    if await life.delete():
        return True
    life.clock.now += 60
    return await life.delete()


@pytest.fixture
async def admin(realm: Realm) -> Callable[[int], Life]:
    credential = await realm.registrar()
    return lambda at: keycloak_life(realm, "keycloak-admin", credential, name=f"t{at}")


@pytest.fixture
async def initial(realm: Realm) -> Callable[[int], Life]:
    token = {"initial_access_token": await realm.initial_access_token(count=200)}
    return lambda at: keycloak_life(realm, "keycloak-dcr", token, name=f"t{at}")


async def test_keycloak_admin_create(realm: Realm, admin: Callable[[int], Life]) -> None:
    points = 0
    for at in range(1, _MOST):
        life = admin(at)
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        seen = await life.converge()
        assert await _at_keycloak(realm, life) == [seen.outputs["client_id"]]
        assert await life.verdict(seen.outputs) is Verdict.GOOD
        assert await _gone(life)
        assert await _at_keycloak(realm, life) == []
        assert life.store.texts == {}
    assert points > 10


async def test_keycloak_admin_create_then_delete(realm: Realm, admin: Callable[[int], Life]) -> None:
    points = 0
    for at in range(1, _MOST):
        life = admin(at)
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        assert await _gone(life)
        assert await _at_keycloak(realm, life) == []
        assert life.store.texts == {}
    assert points > 10


async def test_keycloak_admin_repair(realm: Realm, admin: Callable[[int], Life]) -> None:
    points = 0
    for at in range(1, _MOST):
        life = admin(at)
        made = await life.converge()
        (client,) = [one for one in await realm.clients() if f".t{at}." in one["clientId"]]
        await realm.of_realm("PUT", f"/clients/{client['id']}", {"secret": "x", "redirectUris": []})
        life.changes["display_name"] = "Changed"
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        seen = await life.converge()
        assert seen.outputs == made.outputs
        assert await life.verdict(seen.outputs) is Verdict.GOOD
        assert await _at_keycloak(realm, life) == [seen.outputs["client_id"]]
    assert points > 5


@pytest.mark.parametrize("kind", ["admin", "initial"])
async def test_keycloak_delete(
    realm: Realm, kind: str, admin: Callable[[int], Life], initial: Callable[[int], Life]
) -> None:
    begin = admin if kind == "admin" else initial
    points = 0
    for at in range(1, _MOST):
        life = begin(at)
        await life.converge()
        if not await life.killed(at, life.delete):
            break
        points += 1
        life.restart()
        assert await _gone(life)
        assert await _at_keycloak(realm, life) == []
        assert life.store.texts == {}
    assert points > 5


async def test_keycloak_dcr_create(realm: Realm, initial: Callable[[int], Life]) -> None:
    """Where the answer is lost the client works, is the only one, and its lost token is told."""
    points = lost = 0
    for at in range(1, _MOST):
        life = initial(at)
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        seen = await life.converge()
        assert await _at_keycloak(realm, life) == [seen.outputs["client_id"]]
        assert await life.verdict(seen.outputs) is Verdict.GOOD
        if seen.readiness.reason == "RegistrationTokenLost":
            lost += 1
            with pytest.raises(Forbidden):
                await life.delete()
            (client,) = [one for one in await realm.clients() if f".t{at}." in one["clientId"]]
            await realm.of_realm("DELETE", f"/clients/{client['id']}")
        assert await _gone(life)
        assert await _at_keycloak(realm, life) == []
    assert points > 6
    assert lost == 2  # after the commit: before the answer is seen, before it is saved


async def test_keycloak_dcr_repair(realm: Realm, initial: Callable[[int], Life]) -> None:
    points = lost = 0
    for at in range(1, _MOST):
        life = initial(at)
        made = await life.converge()
        life.changes["redirect_uris"] = [f"https://changed-{at}.example.org/cb"]
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        try:
            await life.converge()
        except Forbidden as error:
            lost += error.reason == "RegistrationTokenLost"
        assert await _at_keycloak(realm, life) == [made.outputs["client_id"]]
        assert await life.verdict(made.outputs) is Verdict.GOOD
    assert points > 4
    assert lost == 2


async def test_generic_dcr_create(strict: Registry) -> None:
    """Where the answer is lost a person is told, and nothing is registered a second time."""
    strict.drop(0)
    points, found = 0, []
    for at in range(1, _MOST):
        life = strict_life(strict, name=f"create-{at}-x")
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        try:
            seen = await life.converge()
        except Conflict as error:
            if error.reason != "RegistrationAmbiguous":
                raise
            # killed just before the request: nothing is there, but that can't be known afterwards
            found.append(len(registered(strict, life)))
            continue
        assert registered(strict, life) == [seen.outputs["client_id"]]
        assert await life.verdict(seen.outputs) is Verdict.GOOD
        assert await life.delete()
        assert registered(strict, life) == []
        assert life.store.texts == {}
    assert points > 6
    assert found == [0, 0, 1, 1]


async def test_generic_dcr_repair_and_delete(strict: Registry) -> None:
    strict.drop(0)
    strict.rotate(False)
    for act in ("converge", "delete"):
        points = 0
        for at in range(1, _MOST):
            life = strict_life(strict, name=f"{act}-{at}-x")
            made = await life.converge()
            if act == "converge":
                life.changes["redirect_uris"] = [f"https://changed-{at}.example.org/cb"]
            if not await life.killed(at, getattr(life, act)):
                break
            points += 1
            life.restart()
            if act == "converge":
                assert (await life.converge()).outputs == made.outputs
                assert registered(strict, life) == [made.outputs["client_id"]]
            assert await _gone(life)
            assert registered(strict, life) == []
        assert points > 3
    strict.rotate(True)
