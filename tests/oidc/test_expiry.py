"""Secrets that a real provider ends: heard of, renewed in time where that can be, and told where it cannot."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Iterator

import pytest

from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life, strict_life
from tests.oidc.life import Life
from vre_operator.engine.target import Presence, State
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

DAY = 86400
LIFE = 40 * DAY


def name(request: pytest.FixtureRequest) -> str:
    return f"x{zlib.crc32(request.node.name.encode())}"


def now_at(life: Life, days: float) -> None:
    """So many days after now, on the operator's clock."""
    life.clock.now = time.time() + days * DAY


@pytest.fixture
def registry(strict: Registry) -> Iterator[Registry]:
    strict.drop(0)
    strict.rotate(True)
    yield strict
    strict.lifetime(0)


@pytest.fixture
def life(registry: Registry, request: pytest.FixtureRequest) -> Life:
    made = strict_life(registry, name=name(request))
    now_at(made, 0)
    return made


async def test_an_end_that_the_provider_tells_is_known(registry: Registry, life: Life) -> None:
    registry.lifetime(LIFE)
    made = await life.converge()
    assert made.expires == pytest.approx(time.time() + LIFE, abs=30)
    now_at(life, 20)
    seen = await life.converge()
    assert (seen.readiness.reason, seen.expires, seen.outputs) == ("", made.expires, made.outputs)


async def test_where_an_update_gives_a_new_secret_it_is_renewed_in_time(registry: Registry, life: Life) -> None:
    registry.lifetime(LIFE)
    made = await life.converge()
    registry.lifetime(90 * DAY, renew=True)
    now_at(life, 27)
    life.restart()
    assert (await life.observe()).presence is Presence.DRIFTED
    seen = await life.converge()
    assert seen.expires == pytest.approx(time.time() + 90 * DAY, abs=60)
    assert seen.outputs["client_id"] == made.outputs["client_id"]
    assert seen.outputs["client_secret"] != made.outputs["client_secret"]
    assert seen.readiness.reason == ""
    assert await life.verdict(seen.outputs) is Verdict.GOOD
    before = len(life.fuse.passed)
    assert (await life.observe()).presence is Presence.SYNCED
    assert len(life.fuse.passed) == before
    assert await life.delete()


async def test_where_an_update_gives_none_it_is_told_and_tried_once_a_day(
    registry: Registry, life: Life
) -> None:
    registry.lifetime(LIFE)
    made = await life.converge()
    now_at(life, 27)
    for _ in range(2):
        seen = await life.converge()
        assert (seen.readiness.state, seen.readiness.reason) == (State.READY, "SecretExpires")
        assert seen.outputs == made.outputs
    assert len([step for step in life.fuse.passed if "before PUT" in step]) == 1
    now_at(life, 28.1)
    assert (await life.observe()).presence is Presence.DRIFTED


async def test_one_that_has_ended_is_refused_and_told_with_its_end(registry: Registry, life: Life) -> None:
    registry.lifetime(-60)  # oidc-provider's tolerance is 15 s
    seen = await life.converge()
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "ProbeFailed")
    assert "Its secret ended at" in seen.readiness.message


@pytest.fixture(params=["keycloak-admin", "keycloak-dcr"])
async def at_keycloak(realm: Realm, request: pytest.FixtureRequest) -> Life:
    if request.param == "keycloak-admin":
        credential = await realm.registrar()
    else:
        credential = {"initial_access_token": await realm.initial_access_token(count=5)}
    await realm.end_secrets(LIFE, before=39 * DAY, former=DAY)
    life = keycloak_life(realm, request.param, credential, name=name(request))
    now_at(life, 0)
    return life


async def test_keycloak_gives_the_client_a_longer_life_and_takes_the_former_secret_meanwhile(
    realm: Realm, at_keycloak: Life
) -> None:
    life = at_keycloak
    made = await life.converge()
    life.restart()
    life.clock.now += 3600
    first = (await life.converge()).expires
    assert first == pytest.approx(time.time() + LIFE, abs=60)
    await asyncio.sleep(2)
    await realm.end_secrets(50 * DAY, before=49 * DAY, former=DAY)
    now_at(life, 27)
    seen = await life.converge()
    assert seen.expires == pytest.approx(time.time() + 50 * DAY, abs=60)
    assert seen.outputs["client_id"] == made.outputs["client_id"]
    assert seen.outputs["client_secret"] != made.outputs["client_secret"]
    assert seen.readiness.reason == ""
    assert await life.verdict(seen.outputs) is Verdict.GOOD
    assert await life.verdict(made.outputs) is Verdict.GOOD
    life.restart()
    life.clock.now += 3600
    again = await life.converge()
    assert (again.outputs, again.expires) == (seen.outputs, seen.expires)
    assert await life.delete()


async def test_where_keycloak_does_not_renew_yet_nothing_is_lost(realm: Realm, at_keycloak: Life) -> None:
    """Of a client that registered itself an update renews only in the last days, as the realm has it."""
    if at_keycloak.provider != "keycloak-dcr":
        return
    life = at_keycloak
    await realm.end_secrets(LIFE, before=DAY, former=DAY)
    made = await life.converge()
    now_at(life, 27)
    seen = await life.converge()
    assert (seen.outputs, seen.readiness.reason) == (made.outputs, "SecretExpires")
    assert await life.verdict(seen.outputs) is Verdict.GOOD
