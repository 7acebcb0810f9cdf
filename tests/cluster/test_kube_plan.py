"""The real plans on a real API server: accepted, found again as they were, and free when settled."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dev.cluster import Cluster
from tests.cluster.world import World, following, new_tenant
from tests.unit.components.scenarios import SCENARIOS, environment
from vre_operator.components import registry
from vre_operator.engine.plan import make_plan
from vre_operator.engine.refs import resolve
from vre_operator.engine.resources import KUBERNETES, Policy
from vre_operator.engine.target import Desired, Presence
from vre_operator.targets.kubernetes.manifest import VIRTUAL
from vre_operator.targets.kubernetes.target import Finding


def desired_of(world: World, name: str) -> list[Desired]:
    """What the walk would hand to the target, with something for every ref."""
    spec, site = SCENARIOS[name]
    spec = {**spec, "hostname": f"{world.tenant.namespace}.example.org"}
    environ = environment(spec, site, world.tenant)
    found = []
    for wanted in make_plan(registry.render(environ)).resources:
        if wanted.id.target == KUBERNETES and wanted.policy is not Policy.EXTERNAL:
            # The API server looks into pull Secrets.
            body = resolve(
                wanted.body,
                lambda ref: "{}" if "json" in ref.output else "value",
                lambda of: "0" * 16,
                parse=lambda text: [text],
            )
            found.append(Desired(wanted, body))
    return found


@pytest.mark.parametrize("name", ["quickstart", "full", "external-database"])
async def test_a_whole_tenant_settles(cluster: Cluster, name: str) -> None:
    tenant = await new_tenant(cluster)
    async with following(cluster, tenant) as world:
        plan = desired_of(world, name)
        assert len(plan) > 25
        for desired in plan:
            seen = await world.look(desired)
            if seen.presence is not Presence.SYNCED:
                await world.target.apply(tenant, desired)
        await asyncio.sleep(1)
        await unchanged(world, plan)
        rewritten = {
            str(desired.id): sorted(difference.path for difference in finding.tolerated)
            for desired in plan
            if desired.id.kind not in VIRTUAL
            and (entry := world.target._cache.get(desired.id))
            and isinstance(finding := entry.note, Finding)
            and finding.tolerated
        }
        # Else the comparison would find a difference after each restart, and apply for nothing.
        assert rewritten == {}
        async with following(cluster, tenant) as restarted:
            await unchanged(restarted, plan)
        await gone(world, plan)


async def unchanged(world: World, plan: list[Desired]) -> None:
    before = world.kube.requests
    for _ in range(2):
        seen = {str(desired.id): await world.look(desired) for desired in plan}
        assert {where: s.detail for where, s in seen.items() if s.presence is not Presence.SYNCED} == {}
    assert world.kube.requests == before


async def gone(world: World, plan: list[Desired]) -> None:
    """In reverse order, by the tenant's word; nothing with our labels is left."""
    for desired in reversed(plan):
        wanted = replace(desired.resource, body=desired.body)
        async with asyncio.timeout(60):
            while not await world.delete(wanted, data=True):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    for kind in {desired.id.kind for desired in plan} - set(VIRTUAL):
        left = await world.person.list(kind, selector=f"vre.science/tenant-uid={world.tenant.uid}")
        assert [obj["metadata"]["name"] for obj in left] == []
