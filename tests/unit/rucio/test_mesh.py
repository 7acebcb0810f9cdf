"""Distances by the thousand: nothing waits for the long reading, which is seldom, and each is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from tests.unit.rucio.fake import Rucio, desired, distances
from vre_operator.components.rucio import server
from vre_operator.engine.errors import Unavailable
from vre_operator.engine.target import Desired, Observation, Presence, State
from vre_operator.targets.rucio.lake import Lake
from vre_operator.targets.rucio.mesh import READING, Mesh

NAMES = [f"R{number:02}" for number in range(60)]
PAIRS = 60 * 59
LONG = 60.0


def mesh(rucio: Rucio) -> Mesh:
    return Mesh(Lake(rucio.http(), rucio.clock), rucio.http(), patience=0.01)


async def look(of: Mesh, wish: Desired) -> Observation:
    return await of.compare(wish, "key", wish.digest)


async def settle(of: Mesh, wish: Desired) -> list[str]:
    """Walks until nothing is left to do; what each of those that sent something says."""
    told: list[str] = []
    while (seen := await look(of, wish)).presence is Presence.DRIFTED:
        told.append((await of.apply(wish)).readiness.message)
    assert seen.readiness.ready, seen.readiness
    return told


def full(names: Iterable[str] = NAMES) -> dict[str, dict[str, int]]:
    return {one: {other: 1 for other in names if other != one} for one in names}


async def test_many_are_sent_a_part_at_a_time_and_read_back_once() -> None:
    rucio = Rucio(NAMES)
    rucio.seconds["change"] = 2.0
    told = await settle(mesh(rucio), desired(distances(NAMES)))
    assert told[-1] == "to be read back"
    assert len(told) == 2, told
    assert f"of {PAIRS} distances are set" in told[0]
    assert rucio.distances == full()
    assert rucio.changes == ["POST import"] * 8
    assert rucio.asked_for("distances") == 2


async def test_no_walk_waits_for_a_long_reading() -> None:
    rucio, wish = Rucio(NAMES), desired(distances(NAMES))
    rucio.telling.clear()
    one = mesh(rucio)
    for _ in range(3):
        seen = await look(one, wish)
        assert (seen.presence, seen.readiness.state) == (Presence.SYNCED, State.PROGRESSING)
        assert one.is_reading
    assert rucio.asked_for("distances") == 1
    rucio.telling.set()
    await settle(one, wish)
    assert not one.is_reading
    assert rucio.distances == full()


async def test_the_longer_a_reading_takes_the_later_it_is_repeated() -> None:
    rucio, wish = Rucio(NAMES), desired(distances(NAMES))
    rucio.distances = full()
    rucio.seconds["export"] = LONG
    one = mesh(rucio)
    await settle(one, wish)
    rucio.distances["R01"]["R02"] = 9
    rucio.now = 49 * LONG
    await settle(one, wish)
    assert rucio.asked_for("distances") == 1
    rucio.now = 51 * LONG
    await settle(one, wish)
    assert rucio.distances == full(), "a change by hand is taken back"
    assert rucio.changes == ["POST import"]


async def test_while_they_are_read_again_they_are_told_as_they_were() -> None:
    rucio, wish = Rucio(NAMES), desired(distances(NAMES))
    rucio.distances = full()
    one = mesh(rucio)
    await settle(one, wish)
    del rucio.distances["R01"]["R02"]
    rucio.telling.clear()
    rucio.now = 900.0
    seen = await look(one, wish)
    assert seen.readiness.ready
    assert seen.recheck_after is not None
    assert seen.recheck_after < 10, "so that what is read is looked at"
    assert one.lake.settled == {"key": wish.digest}, "of before"
    assert one.is_reading
    other = desired(distances(NAMES, [("R03", "R04", 7)]))
    assert not (await look(one, other)).readiness.ready
    rucio.telling.set()
    await settle(one, other)
    assert rucio.distances["R01"]["R02"] == 1
    assert rucio.distances["R03"]["R04"] == 7


async def test_what_rucio_ignores_is_told_and_tried_again_at_the_next_reading() -> None:
    rucio, wish = Rucio(NAMES[:3]), desired(distances(NAMES[:3]))
    rucio.deaf = True
    one = mesh(rucio)
    assert (await look(one, wish)).presence is Presence.DRIFTED
    await one.apply(wish)
    for _ in range(3):
        seen = await look(one, wish)
        assert seen.readiness.state is State.FAILED
        assert "R00 to R01 and 5 more" in seen.readiness.message
    assert len(rucio.changes) == 1
    rucio.deaf = False
    rucio.now = 1000.0
    await settle(one, wish)
    assert rucio.distances == full(NAMES[:3])


async def test_what_was_not_sent_is_sent_again_and_nothing_else() -> None:
    rucio, wish = Rucio(NAMES), desired(distances(NAMES))
    rucio.fails = 5
    one = mesh(rucio)
    assert (await look(one, wish)).presence is Presence.DRIFTED
    with pytest.raises(Unavailable):
        await one.apply(wish)
    rucio.fails, tried = 0, len(rucio.changes)
    await settle(one, wish)
    assert len(rucio.changes) == tried + 4, "of eight, four had come through"
    assert rucio.distances == full()
    assert rucio.asked_for("distances") == 2


async def test_a_reading_that_fails_is_told_and_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rucio, wish = Rucio(NAMES), desired(distances(NAMES))
    one = mesh(rucio)

    async def away(*path: str, **others: object) -> None:
        del path, others
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(one, "http", type("Away", (), {"get": staticmethod(away)}))
        with pytest.raises(Unavailable):
            await look(one, wish)
    await settle(one, wish)
    assert rucio.distances == full()


async def test_what_is_to_be_none_is_removed() -> None:
    rucio = Rucio(NAMES[:3])
    rucio.distances = full(NAMES[:3])
    await settle(mesh(rucio), desired(distances(NAMES[:3], [("R00", "R01", 0)])))
    assert rucio.changes == ["DELETE rses/R00/distances/R01"]


async def test_a_stopped_walk_leaves_the_reading_to_the_next() -> None:
    rucio, wish = Rucio(NAMES), desired(distances(NAMES))
    rucio.telling.clear()
    one = mesh(rucio)
    one.patience = 100.0
    walk = asyncio.create_task(look(one, wish))
    await asyncio.sleep(0.01)
    walk.cancel()
    await asyncio.gather(walk, return_exceptions=True)
    rucio.telling.set()
    await settle(one, wish)
    assert rucio.distances == full()


def test_the_web_server_waits_as_long_as_we_do() -> None:
    assert server.TIMEOUT >= READING
