"""The Kubernetes target against a real API server: settled, drift, and what is not ours."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dev.cluster import Cluster
from tests.cluster.things import config, deployment, everything, own_namespace, patch, secret
from tests.cluster.world import World, eventually, following, resource
from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Invalid
from vre_operator.engine.resources import Policy
from vre_operator.engine.target import Presence

QUIET = 0.4  # seconds in which an echo of a write would have come


# --- settled ------------------------------------------------------------------------------------------------


async def test_settled_costs_no_request_and_no_wake_also_after_a_restart(
    cluster: Cluster, world: World
) -> None:
    plan = everything(world)
    for wanted in plan:
        assert (await world.observe(wanted)).presence in (Presence.ABSENT, Presence.DRIFTED)
        assert (await world.apply(wanted)).presence is Presence.SYNCED
    await asyncio.sleep(1)  # the controllers have had their say

    async with following(cluster, world.tenant) as restarted:
        for state in (world, restarted):
            for _ in range(2):
                before = state.kube.requests
                seen = {wanted.id.kind: await state.observe(wanted) for wanted in plan}
                assert {kind: s.detail for kind, s in seen.items() if s.presence is not Presence.SYNCED} == {}
                assert state.kube.requests == before
        assert seen["v1/Secret"].outputs["password"]
        assert seen["v1/ConfigMap"].outputs == {"a": "b"}


async def test_an_apply_of_the_same_changes_nothing(world: World) -> None:
    # The empty lists that we state in a NetworkPolicy are stored as none: applying them is always a change.
    for wanted in (w for w in everything(world) if not w.id.kind.endswith("NetworkPolicy")):
        await world.apply(wanted)
        one = (await world.live(wanted))["metadata"]
        await world.apply(wanted)
        other = (await world.live(wanted))["metadata"]
        assert (wanted.id.kind, other["uid"]) == (wanted.id.kind, one["uid"])
        assert (wanted.id.kind, other.get("generation")) == (wanted.id.kind, one.get("generation"))


async def test_a_status_alone_neither_wakes_nor_drifts(world: World) -> None:
    quota = resource(world.tenant, "v1/ResourceQuota", "q", body={"spec": {"hard": {"configmaps": "50"}}})
    await world.apply(quota)
    await asyncio.sleep(QUIET)
    world.woken.clear()
    for number in range(3):
        await world.person.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"c{number}", "namespace": world.tenant.namespace},
            }
        )
    await eventually(
        lambda: world.live(quota), lambda live: live.get("status", {}).get("used", {}).get("configmaps") == "4"
    )
    await asyncio.sleep(QUIET)
    assert world.woken == []
    assert (await world.observe(quota)).presence is Presence.SYNCED


# --- drift --------------------------------------------------------------------------------------------------


async def test_a_changed_field_is_named_wakes_the_tenant_and_is_taken_back(world: World) -> None:
    wanted = config(world, a="b", c="d")
    await world.apply(wanted)
    await asyncio.sleep(QUIET)
    world.woken.clear()
    await patch(world, wanted, "/data/a", "other")
    seen = await world.until(wanted, lambda seen: seen.presence is Presence.DRIFTED)
    assert seen.detail == "data.a"
    assert world.woken == [world.tenant.key]
    assert (await world.apply(wanted)).presence is Presence.SYNCED
    assert (await world.live(wanted))["data"] == {"a": "b", "c": "d"}


async def test_what_somebody_adds_beside_ours_stays(world: World) -> None:
    wanted = deployment(world)
    await world.apply(wanted)
    await patch(world, wanted, "/metadata/annotations/theirs", "1")
    await patch(world, wanted, "/spec/template/spec/containers/0/env/-", {"name": "THEIRS", "value": "1"})
    await asyncio.sleep(QUIET)
    assert (await world.observe(wanted)).presence is Presence.SYNCED


async def test_a_hole_in_a_wall_is_closed(world: World) -> None:
    wanted = resource(
        world.tenant,
        "networking.k8s.io/v1/NetworkPolicy",
        "deny",
        body={"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}},
    )
    await world.apply(wanted)
    for path, value in (
        ("/spec/ingress", [{}]),
        ("/spec/egress", [{}]),
        ("/spec/podSelector/matchLabels", {"a": "b"}),
    ):
        await patch(world, wanted, path, value)
        await world.until(wanted, lambda seen: seen.presence is Presence.DRIFTED)
        await world.apply(wanted)
    live = (await world.live(wanted))["spec"]
    assert live == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


async def test_what_is_no_longer_wanted_goes_even_when_the_operator_was_away(
    cluster: Cluster, world: World
) -> None:
    await world.apply(config(world, a="b", c="d"))
    less = config(world, a="b")
    async with following(cluster, world.tenant) as restarted:
        assert (await restarted.observe(less)).presence is Presence.DRIFTED
        await restarted.apply(less)
        assert (await restarted.live(less))["data"] == {"a": "b"}
        assert (await restarted.observe(less)).presence is Presence.SYNCED


async def test_stripped_labels_are_put_back(cluster: Cluster, world: World) -> None:
    wanted = config(world, a="b")
    await world.apply(wanted)
    uid = (await world.live(wanted))["metadata"]["uid"]
    await patch(world, wanted, "/metadata/labels", {})
    await world.until(wanted, lambda seen: seen.presence is Presence.ABSENT)
    await world.apply(wanted)
    live = (await world.live(wanted))["metadata"]
    assert live["labels"][names.TENANT_UID_LABEL] == world.tenant.uid
    assert live["uid"] == uid
    assert (await world.observe(wanted)).presence is Presence.SYNCED


async def test_deleted_by_hand_wakes_and_is_made_anew(world: World) -> None:
    wanted = config(world, a="b")
    await world.apply(wanted)
    await asyncio.sleep(QUIET)
    world.woken.clear()
    await world.person.delete(wanted.id.kind, wanted.id.namespace, wanted.id.name)
    await world.until(wanted, lambda seen: seen.presence is Presence.ABSENT)
    assert world.woken == [world.tenant.key]
    assert (await world.apply(wanted)).presence is Presence.SYNCED


# --- not ours -----------------------------------------------------------------------------------------------


async def test_a_foreign_object_is_never_touched(world: World) -> None:
    wanted = config(world, a="b")
    made = await world.person.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "config", "namespace": world.tenant.namespace},
            "data": {"a": "theirs"},
        }
    )
    assert (await world.observe(wanted)).presence is Presence.ABSENT
    with pytest.raises(Conflict) as refused:
        await world.apply(wanted)
    assert refused.value.reason == Reason.OWNED_BY_OTHER
    assert "is not this operator's" in refused.value.message
    assert await world.delete(wanted, data=True) is True
    assert await world.live(wanted) == made


async def test_another_tenants_namespace_is_never_touched(cluster: Cluster, world: World) -> None:
    wanted = next(w for w in everything(world) if w.id.name == world.tenant.notebooks_namespace)
    await world.apply(wanted)
    before = await world.live(wanted)
    stranger = replace(world, tenant=replace(world.tenant, name="stranger", uid="1"))
    seen = await stranger.observe(wanted)
    assert seen.presence is Presence.FOREIGN
    assert seen.readiness.reason == Reason.NAMESPACE_TAKEN
    assert f"belongs to VREEnvironment {world.tenant.namespace}/vre" in seen.detail
    with pytest.raises(Conflict):
        await stranger.apply(wanted)
    await stranger.delete(wanted, data=True)
    # As a person's own namespace it is not ours to label either.
    squatter = replace(world, tenant=replace(world.tenant, namespace=wanted.id.name, uid="2"))
    assert (await squatter.observe(own_namespace(squatter))).presence is Presence.FOREIGN
    assert await world.live(wanted) == before


async def test_what_an_earlier_life_left_is_adopted_and_only_then_deleted(
    cluster: Cluster, world: World
) -> None:
    wanted = secret(world)
    first = await world.apply(wanted)
    async with following(cluster, replace(world.tenant, uid="second")) as second:
        assert await second.delete(wanted, data=True) is True  # not its own yet: left alone
        seen = await second.observe(wanted)
        assert seen.presence is Presence.DRIFTED
        assert (await second.apply(wanted)).outputs == first.outputs
        assert (await second.live(wanted))["metadata"]["labels"][names.TENANT_UID_LABEL] == "second"
        assert await world.delete(wanted, data=True) is True
        assert await second.live(wanted)


async def test_a_pass_stays_in_its_tenants_namespaces(world: World) -> None:
    for wanted in (
        resource(world.tenant, "v1/ConfigMap", "c", namespace="kube-system"),
        resource(world.tenant, "v1/Namespace", "kube-system", namespace="", policy=Policy.RELEASE),
        resource(world.tenant, "rbac.authorization.k8s.io/v1/ClusterRole", "c", namespace=""),
        resource(world.tenant, "v1/Secret", "c", namespace="default", policy=Policy.EXTERNAL),
    ):
        for action in (world.observe, world.apply, world.delete):
            with pytest.raises(Invalid):
                await action(wanted)
