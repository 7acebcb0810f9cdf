"""The Kubernetes target against a real API server: generated values, the end, readiness, others' objects."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.cluster import Cluster
from tests.cluster.things import config, deployment, everything, own_namespace, patch, secret
from tests.cluster.world import World, desire, eventually, following, resource
from tests.fts.authority import Authority
from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Invalid, Unavailable
from vre_operator.engine.resources import Generator, Policy, Resource
from vre_operator.engine.target import Presence, State
from vre_operator.targets.kubernetes import KubernetesTarget

QUIET = 0.4  # seconds in which an echo of a write would have come


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


async def test_a_rotation_makes_each_value_anew_once_and_keeps_the_former(
    cluster: Cluster, world: World
) -> None:
    wanted = secret(world)
    wanted = replace(wanted, generate={**wanted.generate, "former-password": Generator.FORMER})
    first = (await world.apply(wanted)).outputs
    assert first["former-password"] == first["password"]
    still = world.tenant

    world.tenant = replace(still, rotation="2026-01-01T00:00:00Z", rotating=True)
    assert (await world.observe(wanted)).presence is Presence.DRIFTED
    second = (await world.apply(wanted)).outputs
    assert second["password"] != first["password"]
    assert second["former-password"] == first["password"]
    for _ in range(2):
        assert (await world.apply(wanted)).outputs == second, "once in a rotation"
    async with following(cluster, world.tenant) as restarted:
        assert (await restarted.observe(wanted)).presence is Presence.SYNCED
        assert (await restarted.apply(wanted)).outputs == second

    world.tenant = replace(world.tenant, rotating=False)
    await patch(world, wanted, "/metadata/annotations", {})
    await world.until(wanted, lambda seen: seen.presence is Presence.DRIFTED)
    assert (await world.apply(wanted)).outputs == second, "who strips the mark of an ended one starts none"
    world.tenant = still
    assert (await world.apply(wanted)).outputs == second, "the word was forgotten: a status that was lost"


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


@pytest.mark.parametrize(("days", "reason"), [(15, ""), (13, "CertificateExpires"), (-1, "CertificateExpires")])
async def test_a_certificate_that_somebody_brings_is_told_before_it_ends(
    world: World, days: int, reason: str
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    certificate, key = Authority().robot(until=ends)
    keys = ("tls.crt", "tls.key")
    wanted = resource(world.tenant, "v1/Secret", "web", policy=Policy.EXTERNAL, required_keys=keys)
    metadata = {"name": "web", "namespace": world.tenant.namespace}
    data = {"tls.crt": certificate, "tls.key": key}
    await world.person.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
    for _ in range(2):
        seen = await world.observe(wanted)
        assert seen.expires == ends.timestamp()
        assert (seen.readiness.ready, seen.readiness.reason) == (True, reason)
        assert seen.outputs == data
    assert ("ended" in seen.readiness.message) == (days < 0)


async def test_a_person_who_mends_a_secret_is_heard_at_once_and_nobody_is_asked_meanwhile(world: World) -> None:
    wanted = resource(world.tenant, "v1/Secret", "admin", policy=Policy.EXTERNAL, required_keys=("user",))
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "admin", "namespace": world.tenant.namespace},
    }
    await world.person.create({**body, "stringData": {"user": "old"}})
    await world.until(wanted, lambda seen: seen.outputs == {"user": "old"})
    await asyncio.sleep(0.5)
    await world.observe(wanted)
    before = world.kube.requests
    for _ in range(20):
        assert (await world.observe(wanted)).outputs == {"user": "old"}
    assert world.kube.requests == before
    world.woken.clear()
    await world.person.apply({**body, "stringData": {"user": "new"}}, manager="person")
    await eventually(lambda: asyncio.sleep(0, world.woken))
    assert (await world.observe(wanted)).outputs == {"user": "new"}
    world.woken.clear()
    await world.person.delete("v1/Secret", world.tenant.namespace, "admin")
    await eventually(lambda: asyncio.sleep(0, world.woken))
    assert (await world.observe(wanted)).readiness.reason == Reason.SECRET_NOT_FOUND


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
    # What looks like a session, and is a Job's: it ends by itself.
    where = {"name": "j", "namespace": notebooks.id.name}
    holder = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where}
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "j", "controller": True}
    owner["uid"] = (await world.person.create(holder))["metadata"]["uid"]
    trial = pod("trial", selector)
    trial["metadata"]["ownerReferences"] = [owner]
    await world.person.create(trial)
    assert (await world.observe(sessions(running=True))).presence is Presence.SYNCED
    await world.until(sessions(running=False), lambda seen: seen.presence is Presence.DRIFTED)
    await world.apply(sessions(running=False))
    await world.until(sessions(running=False), lambda seen: seen.readiness.ready)
    left = await world.person.list("v1/Pod", notebooks.id.name)
    assert {one["metadata"]["name"] for one in left} == {"other", "trial"}
    await world.person.create(pod("jupyter-bob", selector))
    await eventually(lambda: world.delete(sessions(running=True)))
    left = await world.person.list("v1/Pod", notebooks.id.name)
    assert [one["metadata"]["name"] for one in left] == ["trial"]


async def test_what_workflows_started_ends_with_suspension_and_nothing_else(world: World) -> None:
    notebooks = next(w for w in everything(world) if w.id.name == world.tenant.notebooks_namespace)
    space = replace(notebooks, id=notebooks.id._replace(name=world.tenant.workflows_namespace), body={})
    await world.apply(space)

    def runs(*, running: bool) -> Resource:
        body = {"running": running}
        return resource(world.tenant, "vre.science/Runs", "runs", namespace=space.id.name, body=body)

    def job(name: str, labels: dict[str, str]) -> dict[str, Any]:
        container = {"name": "c", "image": "localhost/none"}
        pod = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": [container]}}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": space.id.name, "labels": labels},
            "spec": {"suspend": True, "template": pod},
        }

    def ingress(name: str) -> dict[str, Any]:
        service = {"service": {"name": name, "port": {"number": 80}}}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "namespace": space.id.name},
            "spec": {"defaultBackend": service},
        }

    async def left() -> set[str]:
        kinds = ("batch/v1/Job", "networking.k8s.io/v1/Ingress")
        return {
            one["metadata"]["name"] for kind in kinds for one in await world.person.list(kind, space.id.name)
        }

    started = [
        job("reana-run-batch-1", {"reana_workflow_mode": "batch"}),
        job("reana-run-job-1", {"reana-run-job-workflow-uuid": "1"}),
        ingress("reana-run-session-1"),
    ]
    for one in (*started, job("reana-database", {"app": "other"}), ingress("reana")):
        await world.person.create(one)
    assert (await world.observe(runs(running=True))).presence is Presence.SYNCED
    assert len(await left()) == 5
    await world.until(runs(running=False), lambda seen: seen.presence is Presence.DRIFTED)

    async def over() -> bool:
        await world.apply(runs(running=False))
        return (await world.observe(runs(running=False))).presence is Presence.SYNCED

    await eventually(over)
    assert await left() == {"reana-database", "reana"}
    await world.person.create(job("reana-run-job-2", {"reana-run-job-workflow-uuid": "2"}))
    await eventually(lambda: world.delete(runs(running=True)))
    assert await left() == {"reana-database", "reana"}


async def test_nothing_is_concluded_before_the_first_list(world: World) -> None:
    fresh = KubernetesTarget(world.kube)
    with pytest.raises(Unavailable):
        fresh.observe(world.tenant, desire(config(world)))
