"""What every kind of provider promises, also when an answer gets lost or the operator is killed.

Keycloak and oidc-provider are real; INDIGO IAM and OA4MP are stand-ins (tests/oidc/standins says why).
"""

from __future__ import annotations

import json
import logging
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.oidc.life import Life
from tests.oidc.rigs import KINDS, Kind, Lost, Rig, rigged
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Forbidden, NotReady, TargetError
from vre_operator.engine.target import Observation, Presence
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(420)]

_MOST = 40  # more steps than any piece of work has


@pytest.fixture(params=KINDS, ids=str)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    kind: Kind = request.param
    async with rigged(kind, request.getfixturevalue) as made:
        yield made


@pytest.fixture
def life(rig: Rig, request: pytest.FixtureRequest) -> Life:
    # the strict server lives as long as the session: a tenant for each test
    return rig.life(f"x{zlib.crc32(request.node.name.encode())}")


async def settle(life: Life) -> Observation:
    """As the engine repeats what is not ready yet."""
    for _ in range(3):
        try:
            return await life.converge()
        except NotReady:
            life.clock.now += 60
    return await life.converge()


async def reason_of(act: Callable[[], Awaitable[Any]]) -> str:
    """Why `act` did not succeed; "" when it did."""
    try:
        await act()
    except TargetError as error:
        return str(error.reason)
    return ""


async def gone(life: Life) -> bool:
    """Deletion as the engine repeats it, beyond the time in which a cut-off request may still arrive."""
    if await life.delete():
        return True
    life.clock.now += 60
    return await life.delete()


async def check(rig: Rig, life: Life, seen: Observation) -> None:
    """One client, as wanted, whose secret works."""
    assert await rig.clients(life) == {seen.outputs["client_id"]: life.body["redirect_uris"]}
    assert await life.verdict(seen.outputs) is Verdict.GOOD


async def left(rig: Rig, life: Life) -> None:
    """Nothing, there and here."""
    assert await rig.clients(life) == {}
    assert life.store.texts == {}


async def test_it_is_made_and_costs_nothing_while_settled(rig: Rig, life: Life) -> None:
    seen = await life.converge()
    assert seen.readiness.ready
    await check(rig, life, seen)
    before = len(life.fuse.passed)
    assert (await life.observe()).presence is Presence.SYNCED
    assert len(life.fuse.passed) == before


async def test_a_reading_that_finds_no_drift_writes_nothing(rig: Rig, life: Life) -> None:
    made = await life.converge()
    life.check_time()
    before = len(life.fuse.passed)
    seen = await life.observe()
    assert (seen.presence, seen.outputs) == (Presence.SYNCED, made.outputs)
    asked = [step for step in life.fuse.passed[before:] if "token" not in step]
    assert any("GET" in step for step in asked)
    assert not any(word in step for step in asked for word in ("save", "POST", "PUT", "DELETE"))
    await check(rig, life, seen)


async def test_again_and_again_it_is_the_same_client(rig: Rig, life: Life) -> None:
    made = await life.converge()
    for _ in range(3):
        life.restart()
        life.check_time()
        assert (await life.target.apply(life.tenant, life.client)).outputs == made.outputs
    await check(rig, life, made)


async def test_what_somebody_changed_is_put_right(rig: Rig, life: Life) -> None:
    made = await life.converge()
    changed = await rig.spoil(life)
    life.check_time()
    seen = await life.observe()
    assert (seen.presence is Presence.DRIFTED) == changed
    assert (await life.converge()).outputs == made.outputs
    await check(rig, life, made)


async def test_a_client_that_somebody_removed_comes_back(rig: Rig, life: Life) -> None:
    await life.converge()
    await rig.discard(life)
    life.check_time()
    assert (await life.observe()).presence is Presence.DRIFTED
    await check(rig, life, await settle(life))


async def test_another_wish_is_carried_out_at_the_same_client(rig: Rig, life: Life) -> None:
    made = await life.converge()
    life.changes["redirect_uris"] = ["https://one.example.org/cb"]
    seen = await life.converge()
    assert seen.outputs == made.outputs
    await check(rig, life, seen)
    life.check_time()
    assert (await life.observe()).presence is Presence.SYNCED


async def test_a_tenant_made_again_takes_over_its_client(rig: Rig, life: Life) -> None:
    made = await life.converge()
    life.uid = "uid-2"
    life.restart()
    assert (await life.converge()).outputs == made.outputs
    await check(rig, life, made)
    assert await gone(life)
    await left(rig, life)


async def test_deleted_it_leaves_nothing(rig: Rig, life: Life) -> None:
    await life.converge()
    assert await life.delete()
    await left(rig, life)
    assert await life.delete()


async def test_an_answer_that_gets_lost_makes_no_second_client(rig: Rig, life: Life) -> None:
    heard = life.deafened("POST", rig.kind.creation)
    with pytest.raises(TargetError):
        await life.converge()
    assert heard[0].status == 201
    assert len(await rig.clients(life)) == 1
    life.restart()
    await _after_a_lost_answer(rig, life)


async def _after_a_lost_answer(rig: Rig, life: Life) -> None:
    if rig.kind.lost is Lost.TOLD:
        for act in (life.converge, life.converge, life.delete):
            life.clock.now += 60
            with pytest.raises(TargetError) as ambiguous:
                await act()
            assert ambiguous.value.reason == "RegistrationAmbiguous"
        assert len(await rig.clients(life)) == 1
        return
    seen = await settle(life)
    await check(rig, life, seen)
    if rig.kind.lost is Lost.UNMANAGED:
        assert (seen.readiness.ready, seen.readiness.reason) == (True, "RegistrationTokenLost")
        with pytest.raises(Forbidden, match="is lost"):
            await life.delete()
        await rig.discard(life)
    else:
        assert seen.readiness.reason == ""
    assert await gone(life)
    await left(rig, life)


async def test_a_wish_changed_after_a_lost_answer_is_not_taken_for_fulfilled(rig: Rig, life: Life) -> None:
    life.deafened("POST", rig.kind.creation)
    with pytest.raises(TargetError):
        await life.converge()
    life.restart()
    life.changes["redirect_uris"] = ["https://changed.example.org/cb"]
    reason = await reason_of(partial(settle, life))
    told = {Lost.UNMANAGED: "RegistrationTokenLost", Lost.TOLD: "RegistrationAmbiguous", Lost.HEALED: ""}
    assert reason == told[rig.kind.lost]
    assert len(await rig.clients(life)) == 1
    if not reason:
        await check(rig, life, await life.converge())


async def test_killed_between_any_two_steps_of_a_registration(rig: Rig) -> None:
    points = untold = 0
    for at in range(1, _MOST):
        life = rig.life(f"made{at}")
        if not await life.killed(at, life.converge):
            break
        points += 1
        life.restart()
        if reason := await reason_of(partial(settle, life)):
            # what was on its way when the operator died cannot be known, and nothing is done a second time
            assert (rig.kind.lost, reason) == (Lost.TOLD, "RegistrationAmbiguous")
            untold += 1
            assert len(await rig.clients(life)) <= 1
            continue
        seen = await life.converge()
        await check(rig, life, seen)
        if seen.readiness.reason == "RegistrationTokenLost":
            assert rig.kind.lost is Lost.UNMANAGED
            untold += 1
            await rig.discard(life)
        assert await gone(life)
        await left(rig, life)
    assert points > 5
    # before the request goes, before its answer is seen, before and after it is saved: one who cannot ask
    # does not know which of them it was
    assert untold == {Lost.HEALED: 0, Lost.UNMANAGED: 2, Lost.TOLD: 4}[rig.kind.lost]


async def test_killed_between_any_two_steps_and_deleted_then(rig: Rig) -> None:
    if rig.kind.lost is not Lost.HEALED:
        return  # where an answer may be lost for good a deletion waits for a person: the test before this
    for at in range(1, _MOST):
        life = rig.life(f"unmade{at}")
        if not await life.killed(at, life.converge):
            break
        life.restart()
        assert await gone(life)
        await left(rig, life)


@pytest.mark.parametrize("act", ["repair", "delete"])
async def test_killed_between_any_two_steps_of_a(rig: Rig, act: str) -> None:
    points = 0
    for at in range(1, _MOST):
        life = rig.life(f"{act}{at}")
        made = await life.converge()
        if act == "repair" and await rig.spoil(life):
            life.check_time()
        if not await life.killed(at, life.converge if act == "repair" else life.delete):
            break
        points += 1
        life.restart()
        if act == "repair":
            life.check_time()
            seen = await settle(life)
            assert seen.outputs == made.outputs
            if seen.readiness.reason:
                # a token that changes with each update is lost with the answer
                assert (seen.readiness.reason, rig.kind.provider) == ("RegistrationTokenLost", "keycloak-dcr")
                await rig.discard(life)
            else:
                await check(rig, life, seen)
        assert await gone(life)
        await left(rig, life)
    assert points > 2 or act == "repair"


async def test_a_registration_that_arrives_late_makes_no_second_client(rig: Rig, life: Life) -> None:
    letter = await life.killed_with_a_letter("POST", rig.kind.creation, life.converge)
    life.clock.now += 1
    reason = await reason_of(life.converge)
    assert reason in ("", Reason.WAITING, Reason.PROGRESSING, Reason.REGISTRATION_AMBIGUOUS)
    await letter()
    assert len(await rig.clients(life)) == 1
    life.clock.now += 60
    if rig.kind.lost is Lost.TOLD:
        await _after_a_lost_answer(rig, life)
        return
    seen = await settle(life)
    await check(rig, life, seen)


async def test_a_deletion_whose_answer_gets_lost_ends_well(rig: Rig, life: Life) -> None:
    await life.converge()
    end = life.state.client_id.rpartition("/")[2] if rig.kind.provider.startswith("iam") else ""
    heard = life.deafened("DELETE", end)
    with pytest.raises(TargetError):
        await life.delete()
    assert heard[0].status in (200, 204)
    life.restart()
    assert await gone(life)
    await left(rig, life)


async def test_a_deletion_that_arrives_late_does_not_reach_the_tenant_s_next_life(rig: Rig, life: Life) -> None:
    await life.converge()
    letter = await life.killed_with_a_letter("DELETE", "", life.delete)
    over = await life.delete()
    made = await settle(life) if over else None
    await letter()
    if made:
        await check(rig, life, made)
    assert await gone(life)
    await left(rig, life)


async def test_a_wrong_credential_is_named_and_makes_nothing(rig: Rig, life: Life) -> None:
    good, life.credential = life.credential, rig.wrong()
    if not life.credential:
        return  # iam-dcr: anybody may register
    with pytest.raises(TargetError) as refused:
        await life.converge()
    assert "spec.of.this.test" in refused.value.text
    # OA4MP answers a wrong admin client as it does a failure of its own
    assert refused.value.reason == ("Unavailable" if rig.kind.provider == "oa4mp" else "CredentialsRefused")
    assert "canary" not in refused.value.text
    assert await rig.clients(life) == {}
    life.credential = good
    life.clock.now += 600
    life.restart()
    await check(rig, life, await settle(life))


async def test_a_credential_that_works_no_more_takes_nothing_away(rig: Rig, life: Life) -> None:
    made = await life.converge()
    wrong = rig.wrong()
    if wrong:
        life.credential = wrong
    life.check_time()
    assert await reason_of(life.converge) in ("", "CredentialsRefused", "Unavailable")
    assert await life.verdict(made.outputs) is Verdict.GOOD
    assert len(await rig.clients(life)) == 1


async def test_no_secret_is_told(rig: Rig, life: Life, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    secrets = [text for key, text in (*life.credential.items(), *rig.wrong().items()) if key != "client_id"]
    good = life.credential

    async def tell(act: Any) -> None:
        try:
            seen = await act()
        except TargetError as error:
            told.extend([error.text, repr(error), "".join(traceback.format_exception(error))])
        else:
            if isinstance(seen, Observation):
                told.extend([seen.detail, seen.readiness.message, str(seen.readiness)])
        for text, _ in life.store.texts.values():
            state = json.loads(text)
            secrets.extend(state[key] for key in ("current", "pending", "rat") if state[key])
        told.append(repr(life.target))

    for credential in (rig.wrong(), good, rig.wrong(), good):
        life.credential = credential
        life.clock.now += 3600
        life.restart()
        await tell(life.converge)
    await rig.spoil(life)
    life.check_time()
    await tell(life.converge)
    await tell(life.delete)
    told.append(caplog.text)
    assert len(secrets) > 2
    assert not [secret for secret in secrets if any(secret in text for text in told)]
