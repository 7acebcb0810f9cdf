"""New secrets of clients: where they are ours to choose, once in a rotation, and never lost."""

from __future__ import annotations

import pytest

from tests.oidc.life import Life
from tests.oidc.rigs import Rig
from tests.oidc.test_contract import check, gone, left, life, rig, settle
from vre_operator.engine.target import Presence
from vre_operator.targets.oidc.probe import Verdict

__all__ = ["life", "rig"]

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

_OURS = ("keycloak-admin", "keycloak-dcr", "iam-admin")
_MOST = 40


async def test_a_rotation_is_a_new_secret_of_the_same_client_where_that_is_ours(rig: Rig, life: Life) -> None:
    made = await life.converge()
    life.rotation = "spring"
    seen = await life.observe()
    assert (seen.presence is Presence.DRIFTED) == (rig.kind.provider in _OURS)
    seen = await life.converge()
    assert seen.outputs["client_id"] == made.outputs["client_id"]
    changed = seen.outputs["client_secret"] != made.outputs["client_secret"]
    assert changed == (rig.kind.provider in _OURS)
    await check(rig, life, seen)
    if changed:
        assert await life.verdict(made.outputs) in (Verdict.WRONG_SECRET, Verdict.REFUSED)
    life.restart()
    life.check_time()
    assert (await life.converge()).outputs == seen.outputs, "once"
    assert await gone(life)
    await left(rig, life)


async def test_a_client_that_is_made_during_a_rotation_is_new_enough(rig: Rig, life: Life) -> None:
    life.rotation = "spring"
    made = await life.converge()
    assert (await life.observe()).presence is Presence.SYNCED
    await check(rig, life, made)


async def test_killed_between_any_two_steps_of_a_rotation(rig: Rig) -> None:
    if rig.kind.provider not in _OURS:
        return  # nothing is done there, as the test before this one sees
    points = 0
    for at in range(1, _MOST):
        life = rig.life(f"rotated{at}")
        made = await life.converge()
        life.rotation = "spring"
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        seen = await settle(life)
        await check(rig, life, seen)
        if seen.readiness.reason:
            # a token that changes with each update is lost with the answer
            assert (seen.readiness.reason, rig.kind.provider) == ("RegistrationTokenLost", "keycloak-dcr")
            await rig.discard(life)
        else:
            assert seen.outputs["client_secret"] != made.outputs["client_secret"]
        life.restart()
        assert (await life.observe()).outputs == seen.outputs
        assert await gone(life)
        await left(rig, life)
    assert points > 3


async def test_without_its_token_a_client_keeps_its_secret(rig: Rig, life: Life) -> None:
    """keycloak-dcr: nobody can change it; that is no reason to take it out of use."""
    if rig.kind.provider != "keycloak-dcr":
        return
    made = await life.converge()
    record = life.target._clients._record(life.tenant, life.client.id.name)
    await record.load()
    await record.update(rat="lost")
    life.rotation = "spring"
    seen = await settle(life)
    assert seen.outputs == made.outputs
    assert (seen.readiness.ready, seen.readiness.reason) == (True, "RegistrationTokenLost")
    await check(rig, life, seen)
    await rig.discard(life)
