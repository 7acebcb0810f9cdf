"""Leader election between real candidates."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest

from dev.cluster import Cluster
from vre_operator.engine.errors import Unavailable
from vre_operator.kube.client import Kube
from vre_operator.kube.events import Events
from vre_operator.kube.lease import KIND, Lease, LeaseLost

SECONDS = 1.5


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    async with Kube.from_kubeconfig(str(cluster.kubeconfig)) as kube:
        yield kube


def candidates(kube: Kube, count: int, seconds: float = SECONDS) -> list[Lease]:
    name = f"lease-{uuid.uuid4().hex[:8]}"
    return [Lease(kube, "default", name, f"c{number}", duration=seconds) for number in range(count)]


async def test_of_many_candidates_one_leads_and_release_hands_over_at_once(kube: Kube) -> None:
    leases = candidates(kube, 5)
    tasks = {asyncio.create_task(lease.acquire()): lease for lease in leases}
    done, pending = await asyncio.wait(tasks, timeout=10 * SECONDS, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    leader = tasks[done.pop()]
    holding = asyncio.create_task(leader.hold())
    done, pending = await asyncio.wait(pending, timeout=2 * SECONDS)
    assert not done
    assert leader.held
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    began = time.monotonic()
    await leader.release()
    assert not leader.held
    done, pending = await asyncio.wait(pending, timeout=5 * SECONDS, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    assert time.monotonic() - began < SECONDS
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def test_a_dead_leader_stops_counting_itself_before_anybody_else_begins(kube: Kube) -> None:
    dead, heir = candidates(kube, 2)
    await dead.acquire()
    taking = asyncio.create_task(heir.acquire())
    while not taking.done():
        both = dead.held and heir.held
        assert not both
        await asyncio.sleep(0.01)
    assert heir.held
    assert not dead.held
    with pytest.raises(LeaseLost):
        await dead.hold()


async def test_a_leader_without_answers_gives_up_in_time(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    (lease,) = candidates(kube, 1)
    await lease.acquire()

    async def silent(*_: object, **__: object) -> dict[str, object]:
        raise Unavailable("no answer")

    monkeypatch.setattr(kube, "replace", silent)
    began = time.monotonic()
    with pytest.raises(LeaseLost):
        await lease.hold()
    assert time.monotonic() - began < SECONDS


async def test_anothers_edit_of_the_lease_is_not_its_loss(kube: Kube) -> None:
    (lease,) = candidates(kube, 1)
    await lease.acquire()
    holding = asyncio.create_task(lease.hold())
    namespace, name = lease._address
    for number in range(4):
        label = {"op": "add", "path": "/metadata/labels", "value": {"n": str(number)}}
        await kube.patch_json(KIND, namespace, name, [label])
        await asyncio.sleep(SECONDS / 5)
    assert lease.held
    assert not holding.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_who_waits_does_not_take_a_deleted_lease_before_its_leader_had_its_time(kube: Kube) -> None:
    """The leader says nothing meanwhile; deleted or emptied by hand, its time is its own."""
    for emptied in (False, True):
        leader, heir = candidates(kube, 2)
        await leader.acquire()
        taking = asyncio.create_task(heir.acquire())
        await asyncio.sleep(SECONDS / 5)
        namespace, name = leader._address
        if emptied:
            nobody = [{"op": "replace", "path": "/spec/holderIdentity", "value": ""}]
            await kube.patch_json(KIND, namespace, name, nobody)
        else:
            await kube.delete(KIND, namespace, name)
        while not taking.done():
            both = leader.held and heir.held
            assert not both
            await asyncio.sleep(0.01)
        assert heir.held
        assert not leader.held


async def test_a_leader_makes_a_deleted_or_emptied_lease_anew(kube: Kube) -> None:
    leader, heir = candidates(kube, 2, 2 * SECONDS)
    await leader.acquire()
    holding = asyncio.create_task(leader.hold())
    taking = asyncio.create_task(heir.acquire())
    namespace, name = leader._address
    for _ in range(3):
        await kube.delete(KIND, namespace, name)
        await asyncio.sleep(SECONDS)
        nobody = [{"op": "replace", "path": "/spec/holderIdentity", "value": ""}]
        await kube.patch_json(KIND, namespace, name, nobody)
        await asyncio.sleep(SECONDS)
        assert (await kube.get(KIND, namespace, name))["spec"]["holderIdentity"] == "c0"
    assert leader.held
    assert not taking.done()
    holding.cancel()
    taking.cancel()
    await asyncio.gather(holding, taking, return_exceptions=True)


async def test_a_strangers_long_lease_is_not_waited_for_for_ever(kube: Kube) -> None:
    (lease,) = candidates(kube, 1)
    namespace, name = lease._address
    spec = {"holderIdentity": "stranger", "leaseDurationSeconds": 86400}
    metadata = {"namespace": namespace, "name": name}
    await kube.create(
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    )
    await asyncio.wait_for(lease.acquire(), 30)
    assert lease.held


async def test_the_same_news_is_posted_once(kube: Kube) -> None:
    now = [0.0]
    events = Events(kube, "pod-1", clock=lambda: now[0])
    uid = str(uuid.uuid4())
    obj = {"metadata": {"namespace": "default", "name": "vre", "uid": uid}}
    for _ in range(3):
        await events.post(obj, warning=True, reason="ImagePullFailed", message="no such image")
    await events.post(obj, warning=False, reason="Created", message="made a namespace")
    now[0] = 1000.0
    await events.post(obj, warning=True, reason="ImagePullFailed", message="no such image")
    posted = [
        event for event in await kube.list("v1/Event", "default") if event["involvedObject"]["uid"] == uid
    ]
    assert sorted(event["reason"] for event in posted) == ["Created", "ImagePullFailed", "ImagePullFailed"]
    assert {event["type"] for event in posted} == {"Normal", "Warning"}


async def test_an_event_that_is_refused_is_dropped(kube: Kube) -> None:
    obj = {"metadata": {"namespace": "nowhere", "name": "vre", "uid": "1"}}
    await Events(kube, "pod-1").post(obj, warning=True, reason="X", message="y")
