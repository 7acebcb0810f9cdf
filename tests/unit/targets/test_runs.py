"""How often it is asked what workflows have started."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.engine.resources import Resource, ResourceId
from vre_operator.engine.target import Desired, Presence, State
from vre_operator.targets.kubernetes.runs import Runs

ID = ResourceId("kubernetes", "vre.science/Runs", "ocean-workflows", "runs")


class Kube:
    """What is there, and what was asked."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.asked = 0

    async def list(self, kind: str, namespace: str, *, selector: str = "") -> list[dict[str, Any]]:
        self.asked += 1
        if selector != "reana-run-job-workflow-uuid":
            return []
        return [{"metadata": {"name": name, "uid": name}} for name in self.jobs]

    async def delete(self, kind: str, namespace: str, name: str, **_: Any) -> bool:
        self.jobs.remove(name)
        return True


def wish(*, running: bool) -> Desired:
    return Desired(Resource(ID, "workflows"), {"running": running})


@pytest.fixture
def kube() -> Kube:
    return Kube()


async def test_nothing_is_asked_while_they_may_run(kube: Kube) -> None:
    runs = Runs(kube)  # type: ignore[arg-type]
    assert runs.observe(wish(running=True)).presence is Presence.SYNCED
    assert (await runs.apply(wish(running=True))).presence is Presence.SYNCED
    assert kube.asked == 0


async def test_what_comes_while_they_are_ended_is_ended_too_and_then_nothing_is_asked(kube: Kube) -> None:
    now = [1000.0]
    runs = Runs(kube, lambda: now[0])  # type: ignore[arg-type]
    kube.jobs = ["one", "two"]
    asleep = wish(running=False)
    assert runs.observe(asleep).presence is Presence.DRIFTED
    seen = await runs.apply(asleep)
    assert (seen.readiness.state, kube.jobs) == (State.PROGRESSING, [])
    seen = await runs.apply(asleep)
    assert seen.presence is Presence.SYNCED
    assert seen.recheck_after == pytest.approx(30)
    # The controller was still at it.
    kube.jobs = ["three"]
    now[0] += 31
    assert runs.observe(asleep).presence is Presence.DRIFTED
    await runs.apply(asleep)
    assert kube.jobs == []
    await runs.apply(asleep)
    now[0] += 31
    assert runs.observe(asleep).presence is Presence.DRIFTED
    seen = await runs.apply(asleep)
    assert (seen.presence, seen.recheck_after) == (Presence.SYNCED, None)
    asked = kube.asked
    now[0] += 3600
    assert runs.observe(asleep).presence is Presence.SYNCED
    assert kube.asked == asked


async def test_suspended_once_more_it_is_asked_again(kube: Kube) -> None:
    now = [1000.0]
    runs = Runs(kube, lambda: now[0])  # type: ignore[arg-type]
    for _ in range(2):
        await runs.apply(wish(running=False))
        now[0] += 31
    assert runs.observe(wish(running=False)).presence is Presence.SYNCED
    runs.observe(wish(running=True))
    assert runs.observe(wish(running=False)).presence is Presence.DRIFTED
