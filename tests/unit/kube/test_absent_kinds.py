"""A kind that the cluster does not know: nobody is held up by it, and nobody is asked for it for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from vre_operator.engine.errors import NotFound
from vre_operator.kube.client import Page, WatchEvent
from vre_operator.kube.reflector import Reflector

KIND = "gateway.networking.k8s.io/v1/HTTPRoute"


class Kube:
    """asked: for lists."""

    def __init__(self) -> None:
        self.asked = 0
        self.installed = False

    async def pages(self, *_: Any, **__: Any) -> AsyncIterator[Page]:
        self.asked += 1
        if not self.installed:
            raise NotFound("404")
        yield Page([], "1")

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[WatchEvent]:
        await asyncio.Event().wait()
        yield WatchEvent("BOOKMARK", {})


@pytest.mark.parametrize("optional", [True, False])
async def test_it_is_looked_for_when_somebody_asks(optional: bool) -> None:
    kube, now = Kube(), [0.0]
    followed = Reflector(kube, KIND, optional=optional, clock=lambda: now[0])  # type: ignore[arg-type]
    assert followed.installed
    running = asyncio.create_task(followed.run())
    try:
        await asyncio.wait_for(followed.synced.wait(), 5)
        await asyncio.sleep(0.05)
        assert (kube.asked, followed.installed) == (1, False)
        now[0] += 86_400
        assert (followed.age, followed.stalled) == (0, 0), "no probe takes it for stuck"
        followed.look()
        await asyncio.sleep(0.05)
        assert (kube.asked, followed.installed) == (2, False)
        kube.installed = True
        followed.look()
        await asyncio.sleep(0.05)
        assert (kube.asked, followed.installed) == (3, True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("optional", [True, False])
async def test_one_that_has_to_come_is_looked_for_anyway(
    optional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vre_operator.kube.reflector._MISSING_KIND", 0.01)
    kube = Kube()
    followed = Reflector(kube, KIND, optional=optional)  # type: ignore[arg-type]
    running = asyncio.create_task(followed.run())
    await asyncio.wait_for(followed.synced.wait(), 5)
    await asyncio.sleep(0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (kube.asked == 1) is optional
