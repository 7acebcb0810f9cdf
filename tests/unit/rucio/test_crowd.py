"""Accounts by the thousand: a part at a time, no request more than it takes, and nobody waits for distances."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from dev.ports import free_port
from tests.unit.rucio.fake import Rucio, desired, distances, people, rse
from vre_operator.engine.errors import Unavailable
from vre_operator.engine.executor import Outcome, Walk
from vre_operator.engine.plan import make_plan
from vre_operator.engine.resources import Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence
from vre_operator.targets.rucio import RucioTarget
from vre_operator.targets.rucio.crowd import Crowd
from vre_operator.targets.rucio.http import SLOW, Login, RucioHttp
from vre_operator.targets.rucio.lake import Lake

NAMES = [f"person{number}" for number in range(40)]
WRITES = 8
"""Of an account: itself, an attribute, an identity, two limits, a scope, two marks."""


def crowd(rucio: Rucio) -> Crowd:
    return Crowd(Lake(rucio.http(), rucio.clock))


async def look(of: Crowd, wish: Desired) -> Observation:
    return await of.compare(wish, "key", wish.digest)


async def settle(of: Crowd, wish: Desired) -> int:
    """The number of walks that changed something."""
    for walk in range(1000):
        seen = await look(of, wish)
        if seen.presence is not Presence.DRIFTED:
            assert seen.readiness.ready, seen.readiness
            return walk
        await of.apply(wish)
    raise AssertionError("no end")


async def test_an_account_is_looked_at_once_and_made() -> None:
    rucio = Rucio(["SITE"])
    assert await settle(crowd(rucio), desired(people(NAMES))) == 1
    assert len(rucio.changes) == WRITES * len(NAMES)
    reads = [one for one in rucio.asked if one.startswith(("accounts/person", "scopes/"))]
    assert sorted(reads) == sorted(f"accounts/{name}" for name in NAMES)


async def test_what_waits_is_not_looked_at_again() -> None:
    rucio = Rucio(["SITE"])
    rucio.seconds["change"] = 0.5
    walks = await settle(crowd(rucio), desired(people(NAMES)))
    assert walks == len(NAMES) // 8, (
        "each of eight workers makes one account of four seconds, and begins no other"
    )
    assert len(rucio.changes) == WRITES * len(NAMES)
    assert rucio.asked_for(f"accounts/{NAMES[-1]}") == 1
    assert rucio.asked_for("accounts/") == 4, "two lists before, two after"


async def test_a_new_wish_is_not_kept_waiting_by_the_former_one() -> None:
    rucio = Rucio(["SITE"])
    rucio.seconds["change"] = 0.5
    one = crowd(rucio)
    first = desired(people(NAMES))
    assert (await look(one, first)).presence is Presence.DRIFTED
    await one.apply(first)
    await settle(one, desired(people(NAMES[:9])))
    assert set(NAMES[:9]) <= set(rucio.accounts)
    assert NAMES[-1] not in rucio.accounts


async def test_an_rse_that_comes_meanwhile_is_in_all_that_is_still_to_be_sent() -> None:
    rucio = Rucio()
    rucio.seconds["change"] = 0.5
    one, wish = crowd(rucio), desired(people(NAMES))
    await look(one, wish)
    await one.apply(wish)
    rucio.rses.append("SITE")
    rucio.now += 100.0
    await settle(one, wish)
    assert all(account["global"] == {"*": {"limit": 5}} for account in rucio.accounts.values())


async def test_after_a_failure_it_is_looked_at_anew() -> None:
    rucio = Rucio(["SITE"])
    rucio.fails = 20
    one, wish = crowd(rucio), desired(people(NAMES))
    await look(one, wish)
    with pytest.raises(Unavailable):
        await one.apply(wish)
    rucio.fails = 0
    await settle(one, wish)
    assert len(rucio.accounts) == len(NAMES)
    for account in rucio.accounts.values():
        assert len(account["identities"]) == len(account["scopes"]) == 1
        assert set(account["attr"]) == {"g", "vre-people", "vre-digest"}


@pytest.mark.parametrize("drops", [17, 31, 53])
async def test_what_a_connection_lost_is_looked_at_anew(drops: int) -> None:
    rucio = Rucio(["SITE"])
    rucio.drops = drops
    one, wish = crowd(rucio), desired(people(NAMES))
    while not (seen := await look(one, wish)).readiness.ready or seen.presence is Presence.DRIFTED:
        if seen.presence is Presence.DRIFTED:
            await one.apply(wish)
    assert set(rucio.accounts) == set(NAMES)
    for account in rucio.accounts.values():
        assert len(account["identities"]) == len(account["scopes"]) == 1
        assert set(account["attr"]) == {"g", "vre-people", "vre-digest"}


async def test_who_is_gone_is_seen_off_also_when_that_was_lost() -> None:
    rucio = Rucio(["SITE"])
    one = crowd(rucio)
    await settle(one, desired(people(NAMES)))
    wish = desired(people(NAMES[1:]))
    rucio.drops = 1
    assert not (await look(one, wish)).readiness.ready
    rucio.drops = 0
    assert (await look(one, wish)).presence is Presence.DRIFTED
    rucio.changes.clear()
    await one.apply(wish)
    assert "PUT accounts/person0" in rucio.changes


TENANT = Tenant("ns", "name", "uid", "cluster")


def walker(target: RucioTarget, *resources: Resource) -> Callable[[], Awaitable[dict[str, Outcome]]]:
    """Walks over distances and people, or these; outcomes by kind."""
    login = {"url": "http://x", "account": "root", "username": "root", "password": "", "asleep": False}
    server = Resource(ResourceId("rucio", "Server", "", "server"), "dataLake", login, policy=Policy.EXTERNAL)
    needs = frozenset({server.id})
    many = resources or (distances(["A", "B"]), people(NAMES))
    plan = make_plan([server, *(Resource(one.id, one.component, one.body, needs) for one in many)])

    async def walk() -> dict[str, Outcome]:
        outcomes = await Walk(TENANT, plan, {"rucio": target}).run()
        return {one.kind: outcome for one, outcome in outcomes.items()}

    return walk


async def test_people_go_on_while_rucio_tells_of_distances() -> None:
    rucio = Rucio(["A", "B"])
    rucio.telling.clear()
    target = RucioTarget(clock=rucio.clock, http=rucio.http, patience=0.01)
    walk = walker(target)
    for _ in range(3):
        outcomes = await walk()
    assert outcomes["People"].ready
    assert len(rucio.accounts) == len(NAMES)
    assert not outcomes["Distances"].ready
    assert target.vouch(TENANT, [], walked=True) is None, "what is read is still to be looked at"
    rucio.telling.set()
    for _ in range(3):
        outcomes = await walk()
    assert all(outcome.ready for outcome in outcomes.values())
    assert rucio.distances == {"A": {"B": 1}, "B": {"A": 1}}
    assert target.vouch(TENANT, [], walked=True) is not None


async def test_a_rucio_that_cannot_tell_of_distances_holds_back_nothing_else() -> None:
    rucio = Rucio(["A", "B"])

    def way(login: Login, *, clock: Callable[[], float], timeout: float = SLOW) -> RucioHttp:
        if timeout > SLOW:  # nobody answers there
            return RucioHttp(
                replace(login, url=f"http://127.0.0.1:{free_port()}"), clock=clock, timeout=timeout
            )
        return rucio.http()

    walk = walker(RucioTarget(clock=rucio.clock, http=way))
    for _ in range(3):
        outcomes = await walk()
    assert outcomes["Distances"].reason == "Unavailable"
    assert outcomes["People"].ready


async def test_hundreds_of_rses_are_read_once_before_they_are_made_and_once_after() -> None:
    rucio = Rucio()
    walk = walker(
        RucioTarget(clock=rucio.clock, http=rucio.http), *(rse(f"R{number}") for number in range(300))
    )
    rucio.seconds["change"] = 0.01
    await walk()
    assert len(rucio.rses) == 300
    assert rucio.asked == ["export"]
    rucio.now += 1.0
    assert (await walk())["Rse"].ready
    assert rucio.asked == ["export"] * 2
    assert len(rucio.changes) == 300
