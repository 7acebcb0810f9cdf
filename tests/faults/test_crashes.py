"""R1: killed at every step of everything that a tenant lives through."""

from __future__ import annotations

import itertools

import pytest

from tests.faults.conftest import Referee
from tests.faults.plans import Plan, carry_out, kills, sampled
from tests.faults.play import DOOR, Hit, Player
from tests.faults.report import Tally
from tests.faults.rig.faults import KILLS
from tests.faults.rig.stage import RESYNC_SECONDS
from tests.faults.workloads import WORKLOADS, Workload
from tests.long import LONG

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(36_000 if LONG else 600)]

# One, and others should it find no call to hit: a run may write its status once less than the undisturbed one.
_SHARE = 4
_PAIRS = 12
_TOGETHER = 15
_QUIET = 3.0 * RESYNC_SECONDS
_SEED = 4
# Of all plans of a workload: hundreds in some, and a long run that is cut off goes on after what has passed.
_PARTS = 4 if LONG else 1

every_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=str)


@every_workload
@pytest.mark.parametrize("part", range(_PARTS))
def test_killed_once(player: Player, referee: Referee, workload: Workload, part: int) -> None:
    plans, tally = kills(referee(workload))[part::_PARTS], Tally(f"R1 killed once: {workload} {part + 1}")
    if LONG:
        carry_out(player, plans, referee, tally, together=_TOGETHER, quiet=_QUIET)
        assert len(tally.missed) <= tally.plans // 10, tally.missed
    else:
        for plan in sampled(plans, _SHARE, f"{_SEED} {workload}"):
            carry_out(player, [plan], referee, tally)
            if tally.plans > len(tally.missed):
                break
        assert tally.plans > len(tally.missed), tally.missed
    assert not tally.failed, tally.verdict()


@pytest.mark.skipif(not LONG, reason="part of make test-long")
@every_workload
def test_killed_twice(player: Player, referee: Referee, workload: Workload) -> None:
    """And again at the first change after the restart."""
    kinds, tally = itertools.cycle(KILLS.items()), Tally(f"R1 killed twice: {workload}")
    pairs = [
        Plan(workload, (*plan.hits, Hit(DOOR, "", 1, *next(kinds))))
        for plan in sampled(kills(referee(workload)), _PAIRS, _SEED)
    ]
    carry_out(player, pairs, referee, tally, together=_TOGETHER, quiet=_QUIET)
    assert not tally.failed, tally.verdict()
