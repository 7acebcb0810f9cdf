"""The Kubernetes target against a real API server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from dev.cluster import Cluster
from tests.cluster.world import World, desire, eventually, following, new_tenant, resource
from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Invalid, Unavailable
from vre_operator.engine.resources import Generator, Policy, Resource
from vre_operator.engine.target import Presence, State
from vre_operator.targets.kubernetes import KubernetesTarget

QUIET = 0.4  # seconds in which an echo of a write would have come


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[World]:
    async with following(cluster, await new_tenant(cluster)) as world:
        yield world


def config(world: World, **data: str) -> Resource:
    return resource(world.tenant, "v1/ConfigMap", "config", body={"data": data})


def secret(world: World, **more: Any) -> Resource:
    return resource(
        world.tenant,
        "v1/Secret",
        "login",
        body={"stringData": {"user": "hub"}},
        generate={"password": Generator.HEX64},
        policy=Policy.RETAIN,
        **more,
    )


def deployment(world: World, name: str = "web", replicas: int = 1) -> Resource:
    labels = {"app": name, names.TENANT_LABEL: world.tenant.namespace}
    container = {
        "name": "main",
        "image": "localhost/none",
        "env": [{"name": "A", "value": "b"}],
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    return resource(
        world.tenant,
        "apps/v1/Deployment",
        name,
        body={
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container], "securityContext": {"runAsNonRoot": True}},
                },
            }
        },
    )


def everything(world: World) -> list[Resource]:
    """One of each kind, with values that the API server rewrites."""
    rbac = "rbac.authorization.k8s.io"

    def one(kind: str, **body: Any) -> Resource:
        return resource(world.tenant, kind, "one", body=body)

    return [
        config(world, a="b"),
        secret(world),
        deployment(world),
        one("v1/ServiceAccount", automountServiceAccountToken=False),
        one("v1/Service", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]}),
        one(
            "v1/PersistentVolumeClaim",
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
        ),
        one("v1/ResourceQuota", spec={"hard": {"pods": "10", "limits.memory": "2048Mi"}}),
        one("v1/LimitRange", spec={"limits": [{"type": "Container", "default": {"cpu": "0.5"}}]}),
        one(
            "networking.k8s.io/v1/NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        ),
        one(
            "networking.k8s.io/v1/Ingress",
            spec={
                "rules": [
                    {
                        "host": "a.example.org",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "one", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ]
            },
        ),
        one(f"{rbac}/v1/Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
        one(
            f"{rbac}/v1/RoleBinding",
            roleRef={"apiGroup": rbac, "kind": "Role", "name": "one"},
            subjects=[{"kind": "ServiceAccount", "name": "one", "namespace": world.tenant.namespace}],
        ),
        one(
            "apps/v1/StatefulSet",
            spec={
                "serviceName": "one",
                "selector": {"matchLabels": {"app": "db"}},
                "template": {
                    "metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "c", "image": "localhost/none"}]},
                },
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "data"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        },
                    }
                ],
            },
        ),
        one(
            "batch/v1/Job",
            spec={
                "suspend": True,
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "localhost/none"}]}
                },
            },
        ),
        resource(
            world.tenant,
            "v1/Namespace",
            world.tenant.notebooks_namespace,
            namespace="",
            body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        ),
        own_namespace(world),
    ]


def own_namespace(world: World, **labels: str) -> Resource:
    stated = {"pod-security.kubernetes.io/warn": "restricted", **labels}
    return resource(
        world.tenant,
        "v1/Namespace",
        world.tenant.namespace,
        namespace="",
        body={"metadata": {"labels": stated}},
        policy=Policy.RELEASE,
    )


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


async def patch(world: World, wanted: Resource, path: str, value: Any) -> None:
    operation = {"op": "add", "path": path, "value": value}
    await world.person.patch_json(wanted.id.kind, wanted.id.namespace, wanted.id.name, [operation])


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


# --- generated ----------------------------------------------------------------------------------------------


async def test_a_generated_value_survives_everything(cluster: Cluster, world: World) -> None:
    wanted = secret(world)
    first = (await world.apply(wanted)).outputs["password"]
    assert len(first) == 64
    more = replace(
        wanted, body={"stringData": {"user": "x"}}, generate={**wanted.generate, "token": Generator.HEX32}
    )
    second = (await world.apply(more)).outputs
    assert second["password"] == first
    assert len(second["token"]) == 32
    await patch(world, wanted, "/metadata/labels", {})
    async with following(cluster, world.tenant) as restarted:
        assert (await restarted.apply(more)).outputs == second
    data = (await world.live(wanted))["data"]
    assert base64.b64decode(data["password"]).decode() == first


async def test_racing_creators_agree_on_one_value(cluster: Cluster, world: World) -> None:
    wanted = secret(world)
    async with following(cluster, world.tenant) as rival:
        racers = [side.apply(wanted) for side in (world, rival) * 6]
        answers = await asyncio.gather(*racers, return_exceptions=True)
        won = {seen.outputs["password"] for seen in answers if not isinstance(seen, BaseException)}
        lost = [error for error in answers if isinstance(error, BaseException)]
        assert all(isinstance(error, Conflict) for error in lost)
        assert len(won) == 1
        assert (await world.apply(wanted)).outputs["password"] in won


async def test_a_lost_generated_value_is_seen(world: World) -> None:
    wanted = secret(world)
    first = await world.apply(wanted)
    await world.person.patch_json(
        "v1/Secret", wanted.id.namespace, "login", [{"op": "remove", "path": "/data/password"}]
    )
    seen = await world.until(wanted, lambda seen: seen.presence is Presence.DRIFTED)
    assert seen.detail == "data.password"
    assert (await world.apply(wanted)).outputs["password"] != first.outputs["password"]


# --- the end ------------------------------------------------------------------------------------------------


async def test_delete_names_a_uid_and_is_done_when_the_object_is_gone(world: World) -> None:
    wanted = config(world, a="b")
    await world.apply(wanted)
    assert await world.delete(wanted) is True
    assert (await world.observe(wanted)).presence is Presence.ABSENT
    assert await world.delete(wanted) is True


async def test_a_workload_is_gone_only_after_its_pods(world: World) -> None:
    wanted = deployment(world)
    await world.apply(wanted)
    await eventually(lambda: world.person.list("v1/Pod", world.tenant.namespace))
    assert await world.delete(wanted) is False
    await eventually(lambda: world.delete(wanted))
    assert await world.person.list("v1/Pod", world.tenant.namespace) == []


async def test_data_goes_only_by_the_tenants_word(world: World) -> None:
    claim = next(w for w in everything(world) if w.id.kind == "v1/PersistentVolumeClaim")
    kept = secret(world)
    for wanted in (claim, kept):
        await world.apply(wanted)
        assert await world.delete(wanted) is True
        assert "deletionTimestamp" not in (await world.live(wanted))["metadata"]
    assert await world.delete(kept, data=True) is True
    assert (await world.observe(kept)).presence is Presence.ABSENT
    await eventually(lambda: world.delete(claim, data=True))


async def test_a_namespace_with_claims_is_kept_without_that_word(world: World) -> None:
    notebooks = next(w for w in everything(world) if w.id.name == world.tenant.notebooks_namespace)
    await world.apply(notebooks)
    await world.person.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "claim-alice", "namespace": notebooks.id.name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    )
    assert await world.delete(notebooks) is True
    assert (await world.live(notebooks))["status"]["phase"] == "Active"
    assert await world.delete(notebooks, data=True) is False
    await eventually(lambda: world.delete(notebooks, data=True))


async def test_the_tenants_own_namespace_gets_its_fields_back(world: World) -> None:
    await patch(world, own_namespace(world), "/metadata/labels/theirs", "1")
    wanted = own_namespace(world)
    await world.until(wanted, lambda seen: seen.presence is Presence.DRIFTED)
    await world.apply(wanted)
    labels = (await world.live(wanted))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"
    assert names.TENANT_UID_LABEL not in labels
    assert await world.delete(wanted, data=True) is True
    left = (await world.live(wanted))["metadata"]
    assert left["labels"] == {"kubernetes.io/metadata.name": world.tenant.namespace, "theirs": "1"}
    assert not left.get("annotations")


async def test_an_immutable_field_is_told_or_the_object_replaced(world: World) -> None:
    def job(image: str, *, recreate: bool) -> Resource:
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}
        body = {"spec": {"template": template}}
        return resource(
            world.tenant, "batch/v1/Job", "j", body=body, recreate=recreate, origin="spec.dataLake.image"
        )

    await world.apply(job("localhost/one", recreate=False))
    with pytest.raises(Invalid) as refused:
        await world.apply(job("localhost/two", recreate=False))
    assert refused.value.reason == Reason.IMMUTABLE_FIELD
    assert "localhost/two" not in refused.value.text
    assert "spec.dataLake.image" in refused.value.text
    changed = job("localhost/two", recreate=True)
    assert (await world.apply(changed)).readiness.state is State.PROGRESSING
    await world.until(changed, lambda seen: seen.presence is Presence.ABSENT)
    await world.apply(changed)
    live = await world.live(changed)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "localhost/two"


# --- readiness and others -----------------------------------------------------------------------------------


async def test_a_deployment_over_quota_says_so(world: World) -> None:
    await world.apply(resource(world.tenant, "v1/ResourceQuota", "q", body={"spec": {"hard": {"pods": "0"}}}))
    wanted = deployment(world)
    await asyncio.sleep(QUIET)
    await world.apply(wanted)
    seen = await world.until(wanted, lambda seen: seen.readiness.state is State.FAILED)
    assert seen.readiness.reason == Reason.QUOTA_EXCEEDED
    assert "describe resourcequota" in seen.readiness.message


async def test_pods_tell_why_and_wake(world: World) -> None:
    wanted = deployment(world)
    wanted.body["spec"]["template"]["spec"]["nodeSelector"] = {"no": "where"}
    await world.apply(wanted)
    seen = await world.until(wanted, lambda seen: seen.readiness.reason == Reason.UNSCHEDULABLE)
    assert "describe pod" in seen.readiness.message
    assert world.tenant.key in world.woken


async def test_external_secrets_and_classes(world: World) -> None:
    wanted = resource(
        world.tenant, "v1/Secret", "admin", policy=Policy.EXTERNAL, required_keys=("user", "password")
    )
    seen = await world.observe(wanted)
    assert seen.readiness.reason == Reason.SECRET_NOT_FOUND
    assert (
        f"kubectl -n {world.tenant.namespace} create secret generic admin --from-literal=user=..."
        " --from-literal=password=..."
    ) in seen.readiness.message
    assert seen.recheck_after
    before = world.kube.requests
    await world.observe(wanted)
    assert world.kube.requests == before
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "admin", "namespace": world.tenant.namespace},
    }
    await world.person.create({**body, "stringData": {"user": "u"}})
    fresh = replace(wanted, required_keys=("user",))
    assert (await world.observe(fresh)).outputs == {"user": "u"}
    more = await world.observe(wanted)
    assert more.readiness.reason == Reason.SECRET_KEY_MISSING
    assert "password" in more.readiness.message
    missing = resource(
        world.tenant, "storage.k8s.io/v1/StorageClass", "fast", namespace="", policy=Policy.EXTERNAL
    )
    assert (await world.observe(missing)).readiness.reason == Reason.STORAGE_CLASS_NOT_FOUND
    assert await world.delete(wanted, data=True) is True
    assert await world.live(wanted)


async def test_sessions_end_with_suspension_and_homes_stay(world: World) -> None:
    notebooks = next(w for w in everything(world) if w.id.name == world.tenant.notebooks_namespace)
    await world.apply(replace(notebooks, body={}))
    selector = {"component": "singleuser-server"}

    def sessions(*, running: bool) -> Resource:
        body = {"selector": selector, "running": running}
        return resource(
            world.tenant, "vre.science/Sessions", "sessions", namespace=notebooks.id.name, body=body
        )

    def pod(name: str, labels: dict[str, str]) -> dict[str, Any]:
        marked = {**labels, names.TENANT_LABEL: world.tenant.namespace}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": notebooks.id.name, "labels": marked},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [{"name": "c", "image": "localhost/none"}],
                "nodeSelector": {"no": "where"},
            },
        }

    await eventually(lambda: world.person.list("v1/ServiceAccount", notebooks.id.name))
    await world.person.create(pod("jupyter-alice", selector))
    await world.person.create(pod("other", {}))
    assert (await world.observe(sessions(running=True))).presence is Presence.SYNCED
    await world.until(sessions(running=False), lambda seen: seen.presence is Presence.DRIFTED)
    await world.apply(sessions(running=False))
    await world.until(sessions(running=False), lambda seen: seen.readiness.ready)
    assert [p["metadata"]["name"] for p in await world.person.list("v1/Pod", notebooks.id.name)] == ["other"]
    await world.person.create(pod("jupyter-bob", selector))
    await eventually(lambda: world.delete(sessions(running=True)))
    assert await world.person.list("v1/Pod", notebooks.id.name) == []


async def test_nothing_is_concluded_before_the_first_list(world: World) -> None:
    fresh = KubernetesTarget(world.kube)
    with pytest.raises(Unavailable):
        await fresh.observe(world.tenant, desire(config(world)))
