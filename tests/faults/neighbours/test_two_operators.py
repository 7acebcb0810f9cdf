"""R6: two operators at once. One works, the other one waits; whatever happens, never two write and never none.

Who wrote what is read from the audit log, by token.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest

from dev.cluster import Cluster
from dev.oidc.provider import Registry
from tests.faults.neighbours.person import fresh
from tests.faults.neighbours.rivals import Arena, Rival, client_of, rivalry, stopped_api_server, wait
from tests.long import LONG
from tests.site import SYSTEM, operating

IN_HAND = 1
"""Writes that a leader may send when it wakes up: it looks at the Lease, then writes to the socket, and may be
stopped in between. One thread has one such write (docs/decisions/0010, consequences)."""


@pytest.fixture(scope="module")
def arena(cluster: Cluster, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with operating(cluster, registry, tmp_path_factory.mktemp("site")) as site:
        site.operator.end(signal.SIGTERM)
        with rivalry(site, tmp_path_factory.mktemp("rivals")) as arena:
            yield arena


def busy(arena: Arena, leader: Rival, since: int, count: int = 2) -> list[str]:
    """Tenants whose making has begun, and is not over.

    Their clients are made by hand: this provider can't be asked for one whose registration was cut off.
    """
    tenants = [fresh("duel") for _ in range(count)]
    identity = {"issuer": arena.site.registry.issuer, "provider": "manual", "allowAll": True}
    for tenant in tenants:
        arena.site.kubectl("create", "namespace", tenant)
        name, secret = client_of(arena.site.registry, tenant)
        client = (f"--from-literal=client_id={name}", f"--from-literal=client_secret={secret}")
        arena.site.kubectl("-n", tenant, "create", "secret", "generic", "client", *client)
        arena.site.make(tenant, identity={**identity, "credentialsSecret": {"name": "client"}})
    wait(lambda: len(arena.writes(leader, since)) > 5)
    return tenants


def done(arena: Arena, tenants: list[str]) -> None:
    for tenant in tenants:
        arena.site.settled(tenant)


def test_who_waits_writes_nothing(arena: Arena) -> None:
    leader = arena.fill()
    since = arena.mark()
    done(arena, busy(arena, leader, since))
    assert arena.writes(leader, since)
    assert arena.writes(arena.other(leader)) == []


@pytest.mark.parametrize("round_", range(10 if LONG else 1))
def test_a_leader_that_was_stopped_for_too_long_writes_nothing_any_more(arena: Arena, round_: int) -> None:
    """It wakes up in the middle of its work, with requests in its hands."""
    leader = arena.fill()
    heir = arena.other(leader)
    since = arena.mark()
    tenants = busy(arena, leader, since)
    leader.send(signal.SIGSTOP)
    taken = arena.took(heir, since)
    tenants += busy(arena, heir, since, 1)
    leader.send(signal.SIGCONT)
    assert leader.ended() == 1
    late = [
        f"{event['verb']} {event['requestURI']}"
        for event in arena.writes(leader, since)
        if event["requestReceivedTimestamp"] > taken["requestReceivedTimestamp"]
    ]
    assert len(late) <= IN_HAND, late
    assert len(arena.overlaps(since)) <= len(late)
    done(arena, tenants)


def test_a_leader_that_is_told_to_end_lets_the_next_one_lead_at_once(arena: Arena) -> None:
    leader = arena.fill()
    heir = arena.other(leader)
    since = arena.mark()
    tenants = busy(arena, leader, since)
    leader.send(signal.SIGTERM)
    assert leader.ended() == 0
    taken = arena.took(heir, since)
    released = [event for event in arena.of(leader, since) if event["objectRef"]["resource"] == "leases"][-1]
    looks = [
        event
        for event in arena.of(heir, since)
        if event["verb"] == "get"
        and released["stageTimestamp"] < event["requestReceivedTimestamp"] < taken["requestReceivedTimestamp"]
    ]
    assert len(looks) <= 2, "the heir let the lease run out"
    assert arena.overlaps(since) == []
    done(arena, tenants)


def test_a_leader_that_is_killed_is_replaced_when_its_lease_has_run_out(arena: Arena) -> None:
    leader = arena.fill()
    heir = arena.other(leader)
    since = arena.mark()
    tenants = busy(arena, leader, since)
    leader.send(signal.SIGKILL)
    leader.ended()
    arena.took(heir, since)
    assert arena.overlaps(since) == []
    done(arena, tenants)


def test_a_deleted_lease_makes_no_second_writer(arena: Arena) -> None:
    """The leader makes it anew at its next renewal; the one that waits waits."""
    leader = arena.fill()
    since = arena.mark()
    tenants = []
    for _ in range(3):
        arena.site.kubectl("-n", SYSTEM, "delete", "lease", "vre-operator")
        tenants += busy(arena, leader, arena.mark(), 1)
        assert wait(arena.holder) == leader.name
    done(arena, tenants)
    assert arena.overlaps(since) == []
    assert leader.alive


def test_a_deleted_lease_of_a_stopped_leader_makes_no_second_writer(arena: Arena) -> None:
    leader = arena.fill()
    heir = arena.other(leader)
    since = arena.mark()
    tenants = busy(arena, leader, since)
    leader.send(signal.SIGSTOP)
    arena.site.kubectl("-n", SYSTEM, "delete", "lease", "vre-operator")
    arena.took(heir, since)
    leader.send(signal.SIGCONT)
    assert leader.ended() == 1
    assert len(overlaps := arena.overlaps(since)) <= IN_HAND, overlaps
    done(arena, tenants)


@pytest.mark.parametrize(
    "edit",
    [
        {"holderIdentity": ""},
        {"leaseDurationSeconds": 86400},
        {"renewTime": "2020-01-01T00:00:00.000000Z"},
        {"leaseTransitions": 0, "acquireTime": None},
    ],
)
def test_an_edited_lease_makes_no_second_writer(arena: Arena, edit: dict[str, object]) -> None:
    leader = arena.fill()
    since = arena.mark()
    patch = json.dumps({"spec": edit})
    arena.site.kubectl("-n", SYSTEM, "patch", "lease", "vre-operator", "--type=merge", "-p", patch)
    done(arena, busy(arena, leader, since, 1))
    assert arena.overlaps(since) == []
    assert leader.alive
    assert arena.holder() == leader.name


def test_a_stranger_who_takes_the_lease_ends_the_leader_and_only_holds_it_up(arena: Arena) -> None:
    """Also one who says that it will hold it for a day, and is never seen again."""
    leader = arena.fill()
    since = arena.mark()
    stranger = json.dumps({"spec": {"holderIdentity": "stranger", "leaseDurationSeconds": 86400}})
    arena.site.kubectl("-n", SYSTEM, "patch", "lease", "vre-operator", "--type=merge", "-p", stranger)
    assert leader.ended() == 1
    before = len(arena.writes(leader, since))
    leader.revive()
    tenant = fresh("duel")
    arena.site.make(tenant)
    heir = arena.leader()
    done(arena, [tenant])
    assert arena.overlaps(since) == []
    if heir is not leader:
        assert len(arena.writes(leader, since)) == before


@pytest.mark.parametrize("seconds", [2, *((10, 20, 60) if LONG else ())])
def test_an_api_server_that_was_away_finds_one_writer(arena: Arena, seconds: float) -> None:
    """Whoever ends meanwhile is started again and again, as the kubelet does it."""
    leader = arena.fill()
    since = arena.mark()
    tenants = busy(arena, leader, since)
    with stopped_api_server(arena.site.cluster):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1)
            for rival in arena.rivals:
                rival.revive()

    def served() -> bool:
        for rival in arena.rivals:
            rival.revive()
        return all(arena.site.condition(tenant)[1] == "Ready" for tenant in tenants)

    wait(served)
    done(arena, tenants)
    assert arena.overlaps(since) == []
