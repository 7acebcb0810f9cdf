"""The reflector: what it reports equals what happened, also while nobody watched."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dev.cluster import Cluster
from tests.cluster.world import eventually
from vre_operator.kube.access import from_kubeconfig
from vre_operator.kube.client import Kube, WatchEvent
from vre_operator.kube.errors import Gone
from vre_operator.kube.reflector import Entry, Reflector

CONFIG = "v1/ConfigMap"
SELECTOR = "reflected=yes"


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Forgetful]:
    kube = Forgetful(from_kubeconfig(str(cluster.kubeconfig)))
    async with kube:
        yield kube


@pytest.fixture
async def namespace(kube: Kube) -> str:
    name = f"r-{uuid.uuid4().hex[:8]}"
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


class Forgetful(Kube):
    """The API server has no events from before `since` any more (test_kube_client shows the real answer)."""

    since = 0

    async def watch(
        self, kind: str, resource_version: str, *rest: Any, **more: Any
    ) -> AsyncIterator[WatchEvent]:
        if int(resource_version) < self.since:
            raise Gone("too old")
        async for event in super().watch(kind, resource_version, *rest, **more):
            yield event


class Followed:
    """A reflector that can be switched off and on, and its reports as (old name, new name)."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.reports: list[tuple[str, str]] = []
        self._namespace = namespace
        self.reflector = Reflector(kube, CONFIG, selector=SELECTOR, on_change=self._note)

    def _note(self, old: Entry | None, new: Entry | None) -> None:
        entry = new or old
        if entry and entry.namespace == self._namespace:
            self.reports.append((old.name if old else "", new.name if new else ""))

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        self.reflector.synced.clear()
        task = asyncio.create_task(self.reflector.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def told(self, *reports: tuple[str, str]) -> None:
        async def reported() -> list[tuple[str, str]]:
            return self.reports

        await eventually(reported, lambda seen: set(reports) <= set(seen))
        assert sorted(self.reports) == sorted(reports)
        self.reports.clear()


def config(namespace: str, name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"reflected": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_changes_are_reported_and_our_own_echo_is_not(kube: Kube, namespace: str) -> None:
    followed = Followed(kube, namespace)
    await kube.apply(config(namespace, "a"))
    async with followed.on():
        await followed.told(("", "a"))
        await kube.apply(config(namespace, "a", x="1"))
        await followed.told(("a", "a"))
        for number in range(5):
            followed.reflector.record(await kube.apply(config(namespace, "a", x=f"mine {number}")), note="ours")
        await kube.apply(config(namespace, "b"))
        await eventually(lambda: asyncio.sleep(0, followed.reflector.get(namespace, "b")))
        # An echo that overtakes the answer is reported; what counts is that the note and no body is left.
        followed.reports.clear()
        entry = followed.reflector.get(namespace, "a")
        assert entry
        assert (entry.note, entry.body) == ("ours", None)
        await kube.patch_json(CONFIG, namespace, "b", [{"op": "remove", "path": "/metadata/labels"}])
        await followed.told(("b", ""))
        await kube.delete(CONFIG, namespace, "a")
        await followed.told(("a", ""))


async def test_after_gone_the_next_list_reports_the_difference_and_leaves_no_ghost(
    kube: Forgetful, namespace: str
) -> None:
    followed = Followed(kube, namespace)
    for name in ("stays", "changes", "goes", "again"):
        await kube.apply(config(namespace, name))
    async with followed.on():
        await followed.told(("", "stays"), ("", "changes"), ("", "goes"), ("", "again"))
        before = followed.reflector.get(namespace, "again")
    await kube.apply(config(namespace, "changes", x="1"))
    await kube.apply(config(namespace, "new"))
    for name in ("goes", "again"):
        await kube.delete(CONFIG, namespace, name)
    await kube.apply(config(namespace, "again"))
    kube.since = int((await kube.get(CONFIG, namespace, "again"))["metadata"]["resourceVersion"])
    async with followed.on():
        await followed.told(("changes", "changes"), ("", "new"), ("goes", ""), ("again", "again"))
        after = followed.reflector.get(namespace, "again")
        assert before
        assert after
        assert before.uid != after.uid
        assert {entry.name for entry in followed.reflector.within(namespace)} == {
            "stays",
            "changes",
            "new",
            "again",
        }


async def test_a_short_break_is_continued_without_a_list(kube: Kube, namespace: str) -> None:
    followed = Followed(kube, namespace)
    await kube.apply(config(namespace, "a"))
    async with followed.on():
        await followed.told(("", "a"))
    await kube.delete(CONFIG, namespace, "a")
    before = kube.requests
    async with followed.on():
        await followed.told(("a", ""))
        assert kube.requests == before + 1


async def test_a_kind_that_is_not_installed_is_empty(kube: Kube) -> None:
    reflector = Reflector(kube, "cert-manager.io/v1/Certificate")
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(10):
        await reflector.synced.wait()
    assert len(reflector) == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
