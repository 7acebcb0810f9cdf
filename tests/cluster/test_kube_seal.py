"""What the Kubernetes target vouches for, and what it never does."""

from __future__ import annotations

import asyncio
from typing import Any

from dev.cluster import Cluster
from tests.cluster.things import config, patch, secret
from tests.cluster.world import World, eventually, following, resource
from vre_operator.api import names
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


async def test_what_the_runs_of_a_cron_job_tell_is_vouched_for_and_their_number_is_not(
    cluster: Cluster, world: World
) -> None:
    """Else a tenant at rest hears of a failure at its next resync."""
    namespace = world.tenant.namespace
    labels = {"app.kubernetes.io/name": "trial", names.TENANT_LABEL: namespace}
    template: dict[str, Any] = {
        "metadata": {"labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "localhost/none"}]},
    }
    body = {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}}
    trial = resource(world.tenant, "batch/v1/CronJob", "trial", body=body)

    def vouched(by: World, *, walked: bool) -> str | None:
        found = by.target.vouch(by.tenant, [trial.id], walked=walked)
        return found.digest if found else None

    async def ends(name: str, code: int, second: int) -> None:
        metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        metadata["labels"] = labels | {"batch.kubernetes.io/job-name": name}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        asleep = {"schedulerName": "nobody", "automountServiceAccountToken": False}
        await world.person.create({**pod, "spec": template["spec"] | asleep})
        finished = {"exitCode": code, "finishedAt": f"2027-03-31T10:00:{second:02}Z", "reason": "Error"}
        container = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        told = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [container | {"state": {"terminated": finished}}],
        }
        await world.person.apply({**pod, "status": told}, subresource="status", manager="kubelet")

    await eventually(lambda: world.person.list("v1/ServiceAccount", namespace))
    await world.apply(trial)
    untried = vouched(world, walked=True)
    assert untried

    world.woken.clear()
    await ends("one", 3, 1)
    await eventually(lambda: asyncio.sleep(0, world.woken))
    assert vouched(world, walked=True) is None, "the walk came by before it"
    assert (await world.observe(trial)).readiness.exit_code == 3
    failed = vouched(world, walked=True)
    assert failed not in (None, untried)

    await ends("two", 3, 2)
    await eventually(lambda: asyncio.sleep(0, len(world.woken) > 1))
    assert vouched(world, walked=True) == failed
    async with following(cluster, world.tenant) as restarted:
        assert vouched(restarted, walked=False) == failed

    await ends("three", 0, 3)
    await eventually(lambda: asyncio.sleep(0, vouched(world, walked=False) != failed))
    assert (await world.observe(trial)).readiness.exit_code == 0
