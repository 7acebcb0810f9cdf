"""R1: killed at every step of everything that a tenant lives through."""

from __future__ import annotations

import itertools

import pytest

from tests.faults.conftest import LONG, Referee
from tests.faults.plans import Plan, carry_out, every, sampled
from tests.faults.play import DOOR, Hit, Player
from tests.faults.report import Tally
from tests.faults.rig.faults import KILLS
from tests.faults.workloads import WORKLOADS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(36_000 if LONG else 600)]

_SHARE = 33
_PAIRS = 200
_SEED = 4


@pytest.fixture(scope="module")
def plans(referee: Referee) -> list[Plan]:
    return every([referee(workload) for workload in WORKLOADS], KILLS)


def test_killed_once(player: Player, referee: Referee, plans: list[Plan]) -> None:
    tally = Tally("R1 killed once")
    carry_out(player, plans if LONG else sampled(plans, _SHARE, _SEED), referee, tally)
    assert not tally.failed, tally.verdict()
    assert len(tally.missed) <= tally.plans // 10, tally.missed


@pytest.mark.skipif(not LONG, reason="part of make test-long")
def test_killed_twice(player: Player, referee: Referee, plans: list[Plan]) -> None:
    """And again at the first change after the restart."""
    kinds = itertools.cycle(KILLS.items())
    pairs = [
        Plan(plan.workload, (*plan.hits, Hit(DOOR, "", 1, *next(kinds))))
        for plan in sampled(plans, _PAIRS, _SEED)
    ]
    tally = Tally("R1 killed twice")
    carry_out(player, pairs, referee, tally)
    assert not tally.failed, tally.verdict()
