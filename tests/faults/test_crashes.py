"""R1: killed at every step of everything that a tenant lives through."""

from __future__ import annotations

import itertools

import pytest

from tests.faults.conftest import LONG
from tests.faults.plans import Plan, Reference, carried_out, every, refer, sampled
from tests.faults.play import DOOR, Hit, Player
from tests.faults.report import Tally
from tests.faults.rig.faults import KILLS
from tests.faults.workloads import CREATE, WORKLOADS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(36_000 if LONG else 600)]

_SHARE = 45
_PAIRS = 200
_SEED = 4


@pytest.fixture(scope="module")
def references(player: Player) -> dict[str, Reference]:
    """Undisturbed runs; any field that differs by itself fails here, and has to be masked by name."""
    found = {}
    for workload in WORKLOADS:
        runs = 5 if LONG else 2 if workload is CREATE else 1
        reference, differences = refer(player, workload, runs)
        assert not differences
        assert [str(flaw) for flaw in reference.flaws] == []
        found[workload.name] = reference
    return found


def _run(player: Player, plans: list[Plan], references: dict[str, Reference], tally: Tally) -> None:
    for plan in plans:
        played, violations = carried_out(player, plan, references[plan.workload.name])
        tally.add(str(plan), violations, explained=bool(played.explained), reached=played.reached)
        # A kill beside a registration may cost its answer, whatever else it was aimed at.
        if played.explained and not references[plan.workload.name].played.evidence.registered:
            tally.failed.setdefault(str(plan), []).append(f"a person was asked for help: {played.explained}")
    player.bury()
    tally.close()


def test_killed_once(player: Player, references: dict[str, Reference]) -> None:
    plans = every(list(references.values()), KILLS)
    tally = Tally("R1 killed once")
    _run(player, plans if LONG else sampled(plans, _SHARE, _SEED), references, tally)
    assert not tally.failed, tally.verdict()
    assert len(tally.missed) <= tally.plans // 10, tally.missed


@pytest.mark.skipif(not LONG, reason="part of make test-long")
def test_killed_twice(player: Player, references: dict[str, Reference]) -> None:
    """And again at the first change after the restart."""
    once = sampled(every(list(references.values()), KILLS), _PAIRS, _SEED)
    kinds = itertools.cycle(KILLS.items())
    plans = [Plan(plan.workload, (*plan.hits, Hit(DOOR, "", 1, *next(kinds)))) for plan in once]
    tally = Tally("R1 killed twice")
    _run(player, plans, references, tally)
    assert not tally.failed, tally.verdict()
