"""What the Kubernetes target vouches for, and what it never does."""

from __future__ import annotations

import asyncio

from dev.cluster import Cluster
from tests.cluster.things import config, patch, secret
from tests.cluster.world import World, eventually, following
from vre_operator.engine.target import Presence, Voucher


def vouch(world: World, *, walked: bool) -> Voucher | None:
    return world.target.vouch(world.tenant, [config(world).id, secret(world).id], walked=walked)


async def stand(world: World) -> str:
    """Two things applied and looked at; what is vouched for them."""
    await world.apply(config(world, a="b"))
    await world.apply(secret(world))
    found = vouch(world, walked=True)
    assert found
    return found.digest


async def test_a_restarted_target_vouches_for_the_same_and_needs_no_look(
    cluster: Cluster, world: World
) -> None:
    before = await stand(world)
    password = (await world.observe(secret(world))).outputs["password"]
    async with following(cluster, world.tenant) as restarted:
        found = vouch(restarted, walked=False)
        assert found
        assert found.digest == before
        assert vouch(restarted, walked=True) is None, "its own walk has looked at nothing yet"
        found.accept()
        asked = restarted.kube.requests
        assert (await restarted.observe(config(world, a="b"))).presence is Presence.SYNCED
        assert (await restarted.observe(config(world, a="c"))).presence is Presence.DRIFTED
        assert (await restarted.observe(secret(world))).outputs["password"] == password
        assert restarted.kube.requests == asked


async def test_what_was_changed_while_nobody_watched_is_vouched_for_differently(
    cluster: Cluster, world: World
) -> None:
    before = await stand(world)
    await patch(world, config(world), "/data/a", "spoiled")
    async with following(cluster, world.tenant) as restarted:
        found = vouch(restarted, walked=False)
        assert found
        assert found.digest != before
        seen = await restarted.observe(config(world, a="b"))
        assert (seen.presence, seen.detail) == (Presence.DRIFTED, "data.a")


async def test_what_changes_after_the_look_is_not_vouched_for(world: World) -> None:
    """A change that arrives while a walk is elsewhere must not be sealed in."""
    before = await stand(world)
    await patch(world, config(world), "/data/a", "spoiled")
    await eventually(lambda: asyncio.sleep(0, vouch(world, walked=True) is None))
    await world.until(config(world, a="b"), lambda seen: seen.presence is Presence.DRIFTED)
    assert vouch(world, walked=True) is None
    await world.apply(config(world, a="b"))
    again = vouch(world, walked=True)
    assert again
    assert again.digest == before


async def test_what_is_gone_is_not_vouched_for(world: World) -> None:
    await stand(world)
    await world.person.delete("v1/ConfigMap", world.tenant.namespace, "config")
    await eventually(lambda: asyncio.sleep(0, vouch(world, walked=False) is None))
