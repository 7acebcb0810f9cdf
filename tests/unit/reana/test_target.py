"""The target for a tenant's REANA, on a stand-in for its people."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from vre_operator.engine.errors import Invalid, Unavailable
from vre_operator.engine.resources import REANA, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, State
from vre_operator.targets.reana import ReanaTarget
from vre_operator.targets.reana.target import READ_SECONDS

TENANT = Tenant(namespace="ocean", name="ocean", uid="uid", cluster_id="cluster")
ID = ResourceId(REANA, "People", "", "people")
LIMITS = {"cpu": 0, "disk": 0}
EVERY = 300


@dataclass
class People:
    """As people.py answers. down: what is raised instead."""

    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: Exception | None = None

    def __call__(self, url: str, credential: str, *, clock: Any) -> People:
        self.asked.append(f"connect {url} {credential}")
        return self

    @asynccontextmanager
    async def many(self) -> AsyncIterator[None]:
        yield

    async def people(self) -> tuple[list[dict[str, Any]], str]:
        self._ask("GET")
        return [dict(one) for one in self.known.values()], "abc123"

    async def change(self, method: str, address: str, *rest: str, body: Any = None) -> None:
        self._ask(" ".join([method, address, *rest]))
        if method == "PUT" and not rest:
            new = {"id": address, "email": address, "limits": LIMITS, "used": LIMITS}
            known = self.known.setdefault(address, new)
            known["active"] = True
        elif method == "DELETE":
            self.known[address]["active"] = False
        else:
            self.known[address]["limits"] = body

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise self.down


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.people = People()
        self.target = ReanaTarget(clock=lambda: self.now, http=self.people)  # type: ignore[arg-type]

    def wish(self, *names: str, **more: Any) -> Desired:
        told = [{"name": name, "email": f"{name}@example.org", "groups": ["ocean"]} for name in names]
        body = {
            "url": "http://reana",
            "credential": "secret",
            "people": json.dumps(told),
            "own": {},
            "quotas": [],
            "every": EVERY,
            "asleep": False,
        }
        return Desired(Resource(ID, "workflows"), body | more)

    async def look(self, desired: Desired) -> Observation:
        seen = self.target.observe(TENANT, desired)
        return seen if isinstance(seen, Observation) else await seen

    async def settle(self, desired: Desired) -> Observation:
        for _ in range(5):
            seen = await self.look(desired)
            if seen.presence is Presence.SYNCED:
                return seen
            await self.target.apply(TENANT, desired)
        raise AssertionError("it does not settle")

    def active(self) -> set[str]:
        return {address for address, one in self.people.known.items() if one["active"]}


@pytest.fixture
def world() -> World:
    return World()


async def test_people_are_made_and_their_stores_are_told(world: World) -> None:
    seen = await world.settle(world.wish("alice", "bob"))
    assert world.active() == {"alice@example.org", "bob@example.org"}
    assert json.loads(seen.outputs["stores"])[1:] == [
        "reana-secretsstore-alice@example.org",
        "reana-secretsstore-bob@example.org",
    ]


async def test_settled_it_asks_once_a_minute(world: World) -> None:
    wish = world.wish("alice")
    await world.settle(wish)
    world.people.asked.clear()
    for _ in range(3):
        seen = await world.look(wish)
        assert seen.recheck_after
        assert 0 < seen.recheck_after <= READ_SECONDS * 1.2
    assert world.people.asked == []
    world.now += READ_SECONDS * 1.2
    await world.look(wish)
    assert world.people.asked == ["GET"]


async def test_a_leaver_keeps_the_token_for_as_long_as_the_provider_s_word_may_be_old(world: World) -> None:
    """Who came to a group a moment ago has a session, and with it a token, before we are told of them."""
    await world.settle(world.wish("alice", "bob"))
    left = world.wish("alice")
    seen = await world.settle(left)
    assert "bob@example.org" in world.active()
    assert "reana-secretsstore-bob@example.org" in seen.outputs["stores"]
    for _ in range(20):
        world.now += READ_SECONDS
        await world.settle(left)
    assert world.active() == {"alice@example.org"}
    await world.settle(world.wish("alice", "bob"))
    assert "bob@example.org" in world.active()


async def test_who_was_strange_for_a_moment_is_nobody_s_leaver(world: World) -> None:
    world.people.known["new@example.org"] = {
        "id": "new",
        "email": "new@example.org",
        "active": True,
        "limits": LIMITS,
        "used": LIMITS,
    }
    for names in (["alice"], ["alice", "new"], ["alice"], ["alice", "new"]):
        world.now += 1.5 * EVERY
        await world.settle(world.wish(*names))
    assert "new@example.org" in world.active()


async def test_while_it_does_not_answer_the_people_stay_known(world: World) -> None:
    wish = world.wish("alice")
    before = await world.settle(wish)
    world.now += READ_SECONDS * 2
    world.people.down = Unavailable("REANA is away")
    seen = await world.look(wish)
    assert (seen.readiness.state, seen.readiness.message) == (State.PROGRESSING, "REANA is away")
    assert seen.outputs == before.outputs
    assert seen.recheck_after == pytest.approx(30)


async def test_while_it_never_answered_that_is_an_error(world: World) -> None:
    world.people.down = Unavailable("REANA is away")
    with pytest.raises(Unavailable):
        await world.look(world.wish("alice"))


async def test_asleep_nothing_is_asked_and_what_was_known_is_told(world: World) -> None:
    before = await world.settle(world.wish("alice"))
    world.now += READ_SECONDS * 2
    world.people.asked.clear()
    seen = await world.look(world.wish("alice", asleep=True))
    assert (seen.outputs, world.people.asked) == (before.outputs, [])


async def test_another_credential_is_another_way_in(world: World) -> None:
    await world.settle(world.wish("alice"))
    await world.settle(world.wish("alice", credential="new"))
    assert [one for one in world.people.asked if one.startswith("connect")] == [
        "connect http://reana secret",
        "connect http://reana new",
    ]


async def test_who_has_no_address_is_told(world: World) -> None:
    people = json.dumps([{"name": "dora", "email": "", "groups": []}])
    seen = await world.settle(world.wish("alice", people=people))
    assert seen.readiness.message == "Without workflows: dora has no e-mail address at the provider"


async def test_a_group_s_quota_is_set_and_told_when_it_is_used_up(world: World) -> None:
    wish = world.wish("alice", quotas=[{"group": "ocean", "cpu": 60_000, "disk": 0}])
    await world.settle(wish)
    known = world.people.known["alice@example.org"]
    assert known["limits"] == {"cpu": 60_000, "disk": 0}
    known["used"] = {"cpu": 60_001, "disk": 7}
    world.now += READ_SECONDS * 1.2
    seen = await world.settle(wish)
    assert seen.readiness.ready
    assert seen.readiness.message == (
        "No workflow starts of: alice has used up the quota of cpu; raise spec.workflows.quotas, or have"
        " workflows deleted"
    )
    assert seen.report == {"revision": "abc123", "people": 1}


async def test_a_restarted_operator_asks_everybody_s_reana_within_a_minute(world: World) -> None:
    voucher = world.target.vouch(TENANT, [ID], walked=False)
    assert voucher
    assert voucher.recheck_after is not None
    world.now += 60
    assert world.target.vouch(TENANT, [ID], walked=False) is None


async def test_there_is_nothing_else(world: World) -> None:
    other = Desired(Resource(ID._replace(kind="Workflow"), "workflows"), {})
    with pytest.raises(Invalid, match="no kind Workflow"):
        world.target.observe(TENANT, other)
