"""The memory of clients."""

from __future__ import annotations

import asyncio
import base64
import copy
from typing import Any

import pytest

from vre_operator.engine.errors import Conflict, NotFound
from vre_operator.engine.resources import Tenant
from vre_operator.targets.oidc.model import ClientState, Owner
from vre_operator.targets.oidc.state import Record
from vre_operator.targets.store import KubernetesStateStore, MemoryStateStore, StateKey, StateStore

TENANT = Tenant("ocean", "vre", "uid-1", "cluster-1")
KEY = StateKey.of(TENANT, "hub")
STATE = ClientState(Owner.of(TENANT, "hub"), {"provider": "manual", "issuer": "https://x"}, current="s")


class FakeKube:
    """An API server for Secrets: names and resource versions."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.version = 0

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError:
            raise NotFound(name) from None

    async def create(self, obj: Any) -> dict[str, Any]:
        if self._key(obj) in self.objects:
            raise Conflict("exists")
        return self._write(obj)

    async def replace(self, obj: Any) -> dict[str, Any]:
        held = await self.get(*self._key(obj))
        if held["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        return self._write(obj)

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        await self.get(kind, namespace, name)
        del self.objects[kind, namespace, name]

    def _key(self, obj: Any) -> tuple[str, str, str]:
        return f"{obj['apiVersion']}/{obj['kind']}", obj["metadata"]["namespace"], obj["metadata"]["name"]

    def _write(self, obj: Any) -> dict[str, Any]:
        self.version += 1
        written: dict[str, Any] = copy.deepcopy(dict(obj))
        written["metadata"]["resourceVersion"] = str(self.version)
        self.objects[self._key(obj)] = written
        return written


@pytest.fixture(params=["kubernetes", "memory"])
def store(request: pytest.FixtureRequest) -> StateStore:
    return KubernetesStateStore(FakeKube(), "operator") if request.param == "kubernetes" else MemoryStateStore()


async def test_compare_and_set(store: StateStore) -> None:
    assert await store.load(KEY) is None
    version = await store.save(KEY, STATE.dump(), None)
    with pytest.raises(Conflict):
        await store.save(KEY, STATE.dump(), None)
    second = await store.save(KEY, STATE.dump(), version)
    with pytest.raises(Conflict):
        await store.save(KEY, STATE.dump(), version)
    loaded = await store.load(KEY)
    assert loaded
    assert loaded[1] == second
    assert ClientState.load(loaded[0]) == STATE
    await store.delete(KEY)
    await store.delete(KEY)
    with pytest.raises(Conflict):
        await store.save(KEY, STATE.dump(), second)


async def test_the_secret_can_be_found_and_stays_in_the_operators_namespace() -> None:
    kube = FakeKube()
    await KubernetesStateStore(kube, "operator").save(KEY, STATE.dump(), None)
    ((kind, namespace, name),) = kube.objects
    assert (kind, namespace, name) == ("v1/Secret", "operator", KEY.object_name)
    labels = kube.objects[kind, namespace, name]["metadata"]["labels"]
    assert labels == {
        "app.kubernetes.io/component": "oidc-client-state",
        "vre.science/tenant-namespace": "ocean",
        "vre.science/tenant-name": "vre",
        "vre.science/tenant-uid": "uid-1",
        "vre.science/client-role": "hub",
    }
    text = base64.b64decode(kube.objects[kind, namespace, name]["data"]["state.json"]).decode()
    assert '"current": "s"' in text


async def test_a_record_reads_once_and_writes_only_changes() -> None:
    kube = FakeKube()
    record = Record(KubernetesStateStore(kube, "operator"), KEY)
    assert await record.load() is None
    await record.write(STATE)
    await record.update(current="s")
    assert kube.version == 1
    await record.update(current="t")
    assert kube.version == 2


async def test_of_two_writers_one_is_told_and_reads_again() -> None:
    store = MemoryStateStore()
    one, two = Record(store, KEY), Record(store, KEY)
    await one.write(STATE)
    await two.load()
    await one.update(current="first")
    with pytest.raises(Conflict):
        await two.update(current="second")
    loaded = await two.load()
    assert loaded
    assert loaded.current == "first"


async def test_two_creators_cannot_both_win() -> None:
    store = MemoryStateStore()
    records = [Record(store, KEY) for _ in range(4)]
    for record in records:
        await record.load()
    answers = await asyncio.gather(*(record.write(STATE) for record in records), return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 3
