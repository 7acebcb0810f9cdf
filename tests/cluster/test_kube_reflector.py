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


async def test_an_answer_that_comes_after_the_end_brings_nothing_back(kube: Kube, namespace: str) -> None:
    """Else what a person deleted right after our apply would stand for ever in the copy, and drift unseen."""
    followed = Followed(kube, namespace)
    async with followed.on():
        await followed.told()
        late = await kube.apply(config(namespace, "a"))
        await followed.told(("", "a"))
        await kube.delete(CONFIG, namespace, "a")
        await followed.told(("a", ""))
        followed.reflector.record(late, note="ours")
        assert followed.reflector.get(namespace, "a") is None
        early = await kube.apply(config(namespace, "b"))
        followed.reflector.record(early, note="ours")
        assert followed.reflector.get(namespace, "b")


async def test_content_is_the_same_in_answers_lists_and_watches(kube: Kube, namespace: str) -> None:
    """A restarted operator compares what a list brought with what an answer or a watch had told the one
    before."""
    labels = {"app": "a"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "localhost/none"}]},
        },
    }
    metadata = {"name": "d", "namespace": namespace, "labels": {"reflected": "yes"}}
    kind = "apps/v1/Deployment"
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    wanted["spec"] = {**spec, "paused": True}  # else its controller adds a revision in between
    answered = Reflector(kube, kind).record(await kube.apply(wanted)).content
    contents = {answered}
    async with one_following(kube, kind) as reflector:
        listed = reflector.get(namespace, "d")
        assert listed
        contents.add(listed.content)
        await kube.delete(kind, namespace, "d")
        await eventually(lambda: asyncio.sleep(0, reflector.get(namespace, "d") is None))
        await kube.apply(wanted)
        await eventually(lambda: asyncio.sleep(0, reflector.get(namespace, "d")))
        watched = reflector.get(namespace, "d")
        assert watched
        contents.add(watched.content)
    assert contents == {answered}


@asynccontextmanager
async def one_following(kube: Kube, kind: str) -> AsyncIterator[Reflector]:
    reflector = Reflector(kube, kind, selector=SELECTOR)
    task = asyncio.create_task(reflector.run())
    await reflector.synced.wait()
    try:
        yield reflector
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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
