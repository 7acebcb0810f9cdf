"""Provider generic-dcr at the strict server of the npm package oidc-provider."""

from __future__ import annotations

import pytest

from dev.oidc.provider import Registry
from tests.oidc.conftest import strict_life
from tests.oidc.life import Life
from vre_operator.engine.errors import Conflict, Forbidden
from vre_operator.engine.target import Presence
from vre_operator.targets.oidc.probe import Verdict

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(300)]


@pytest.fixture
def life(strict: Registry, request: pytest.FixtureRequest) -> Life:
    strict.drop(0)
    strict.rotate(True)
    return strict_life(strict, name=request.node.name.split("[")[0].replace("_", "-")[-50:].strip("-"))


def registered(registry: Registry, life: Life) -> list[str]:
    return [one["client_id"] for one in registry.clients() if f"[{life.name}/" in one["client_name"]]


async def test_made_settled_and_removed(strict: Registry, life: Life) -> None:
    seen = await life.converge()
    assert registered(strict, life) == [seen.outputs["client_id"]]
    assert await life.verdict(seen.outputs) is Verdict.GOOD
    before = len(life.fuse.passed)
    assert (await life.observe()).presence is Presence.SYNCED
    assert len(life.fuse.passed) == before
    life.check_time()
    assert (await life.observe()).presence is Presence.SYNCED
    assert await life.delete()
    assert registered(strict, life) == []
    assert life.store.texts == {}


@pytest.mark.parametrize("rotate", [True, False])
async def test_a_change_is_written_and_the_token_kept(strict: Registry, life: Life, rotate: bool) -> None:
    strict.rotate(rotate)
    made = await life.converge()
    for host in ("one", "two"):
        life.changes["redirect_uris"] = [f"https://{host}.example.org/cb"]
        assert (await life.converge()).outputs == made.outputs
    (client,) = [one for one in strict.clients() if one["client_id"] == made.outputs["client_id"]]
    assert client["redirect_uris"] == ["https://two.example.org/cb"]
    assert await life.delete()
    assert registered(strict, life) == []


async def test_an_answer_lost_by_the_network_is_shown_and_not_repeated(strict: Registry, life: Life) -> None:
    strict.drop(1)
    with pytest.raises(Conflict) as lost:
        await life.converge()
    assert lost.value.reason == "RegistrationAmbiguous"
    assert life.state.nonce in lost.value.text
    for _ in range(3):
        life.clock.now += 600
        life.restart()
        with pytest.raises(Conflict, match="did not answer"):
            await life.converge()
        with pytest.raises(Conflict, match="did not answer"):
            await life.delete()
    assert len(registered(strict, life)) == 1


async def test_a_person_resolves_a_lost_answer_by_removing_the_state(strict: Registry, life: Life) -> None:
    strict.drop(1)
    with pytest.raises(Conflict):
        await life.converge()
    life.clock.now += 600
    life.store.texts.clear()
    seen = await life.converge()
    assert await life.verdict(seen.outputs) is Verdict.GOOD


async def test_an_update_whose_answer_is_lost_leaves_a_working_client(strict: Registry, life: Life) -> None:
    made = await life.converge()
    life.changes["redirect_uris"] = ["https://other.example.org/cb"]
    strict.drop(2)  # the reading comes first
    with pytest.raises(Exception, match="broke off"):
        await life.converge()
    life.clock.now += 600
    life.restart()
    with pytest.raises(Forbidden) as lost:
        await life.converge()
    assert lost.value.reason == "RegistrationTokenLost"
    assert await life.verdict(made.outputs) is Verdict.GOOD
    assert registered(strict, life) == [made.outputs["client_id"]]


async def test_a_wrong_token_is_named(strict: Registry, life: Life) -> None:
    life.credential = {"initial_access_token": "canary-wrong-token"}
    with pytest.raises(Forbidden) as refused:
        await life.converge()
    assert refused.value.reason == "CredentialsRefused"
    assert "canary" not in refused.value.text
    life.credential = {}
    with pytest.raises(Forbidden, match="without a token"):
        await life.converge()
    assert registered(strict, life) == []
    life.credential = strict_life(strict).credential
    assert (await life.converge()).readiness.ready


async def test_a_deletion_whose_answer_is_lost_ends_well(strict: Registry, life: Life) -> None:
    await life.converge()
    strict.drop(1)
    with pytest.raises(Exception, match="broke off"):
        await life.delete()
    life.clock.now += 600
    life.restart()
    assert await life.delete()
    assert registered(strict, life) == []
