"""The end of a tenant, pass by pass: what goes when, what holds it up, what stays."""

from __future__ import annotations

import pytest

from tests.unit.engine.world import rid
from tests.unit.runtime.rig import KEY, Rig, make_rig
from vre_operator.engine.errors import Unavailable
from vre_operator.engine.resources import ResourceId


@pytest.fixture
def rig() -> Rig:
    return make_rig()


@pytest.mark.parametrize(("policy", "left"), [("Retain", {rid("volume")}), ("Delete", set())])
async def test_deletion_goes_backwards_and_data_goes_by_policy(policy: str, left: set[ResourceId]) -> None:
    rig = make_rig(deletionPolicy=policy)
    await rig.run()
    rig.change(deletionTimestamp="2026-01-02T00:00:00Z")
    rig.world.slow_to_go = {rid("hub")}
    assert await rig.run() is not None
    assert rig.cluster.ready["reason"] == "Deleting"
    assert rid("db") in rig.world.stands, "not before the hub is gone"
    assert await rig.run() is None
    assert set(rig.world.stands) == left
    assert rig.tenants.get(KEY) is None


async def test_a_deletion_that_is_blocked_says_by_what_and_goes_on_later(rig: Rig) -> None:
    await rig.run()
    rig.change(deletionTimestamp="2026-01-02T00:00:00Z")

    def refuse(verb: str, resource: ResourceId) -> None:
        if verb == "before delete":
            raise Unavailable("the provider does not answer", remedy="Look at its health.")

    rig.world.fault = refuse
    wait = await rig.run()
    assert wait is not None
    assert wait < 2
    assert rig.cluster.ready["reason"] == "DeletionBlocked"
    assert (
        rig.cluster.ready["message"]
        == "ConfigMap hub can't be removed: the provider does not answer. Look at its health."
    )
    rig.world.fault = lambda verb, resource: None
    assert await rig.run() is None
    assert rig.tenants.get(KEY) is None


async def test_a_policy_changed_while_the_deletion_is_blocked_takes_effect(rig: Rig) -> None:
    await rig.run()
    rig.change(deletionTimestamp="2026-01-02T00:00:00Z")
    rig.world.slow_to_go = {rid("ns")}
    await rig.run()
    assert set(rig.world.stands) == {rid("ns"), rid("volume")}
    rig.cluster.obj["spec"]["deletionPolicy"] = "Delete"
    await rig.run()
    assert rig.world.stands == {}


async def test_a_deletion_before_anything_was_made_holds_nobody_up(rig: Rig) -> None:
    rig.change(deletionTimestamp="2026-01-02T00:00:00Z")
    assert await rig.run() is None
    assert rig.cluster.writes == []
