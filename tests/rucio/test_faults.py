"""R4 for Rucio: every request fails in every way, above all: done, but the answer was lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults.report import Tally
from tests.faults.rig.background import Background
from tests.faults.rig.faults import EXTERNAL
from tests.faults.rig.oracle import Violation
from tests.faults.rig.proxy import Fault, Proxy, Rule
from tests.long import LONG
from tests.rucio.declared import Keeper, Wire
from tests.rucio.lake import ROOT_PASSWORD, AtWork
from tests.rucio.wish import make_home, modest_lake, state, unready

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7200 if LONG else 300)]

_SHARE = 14
_SEED = 5
_PATIENCE = 3.0
_PASSES = 12


@dataclass(frozen=True)
class Plan:
    """The first request with that key, names of the lake left out, is hit by that fault."""

    key: str
    name: str
    fault: Fault

    def rule(self, prefix: str) -> Rule:
        return Rule(lambda call: plain(call.key, prefix) == self.key, self.fault, self.name)

    def __str__(self) -> str:
        return f"{self.name} at {self.key}"


def plain(text: str, prefix: str) -> str:
    return text.replace(prefix.upper(), "$UP").replace(prefix, "$")


@pytest.fixture(scope="module")
def door(rucio: AtWork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with Background() as background:
        proxy = Proxy(background, tmp_path_factory.mktemp("door"))
        with proxy.to(rucio.url, ""):
            yield proxy


async def run(rucio: AtWork, door: Proxy, prefix: str) -> tuple[str, list[str]]:
    """How the lake stands after whatever happened, and what was wrong on the way there."""
    keeper = Keeper(door.url, Wire(timeout=_PATIENCE), ca=door.ca)
    said: list[str] = []
    for _ in range(4):
        outcomes = await keeper.keep(modest_lake(prefix), passes=_PASSES)
        said += [one.message for one in outcomes.values()]
        # Later than any back-off: the next reading is due.
        keeper.look_again()
    wrong = [f"{name}: {text}" for name, text in unready(outcomes).items()]
    changes = len(keeper.wire.changes)
    await keeper.keep(modest_lake(prefix), passes=_PASSES)
    wrong += [f"changed although all is settled: {text}" for text in keeper.wire.changes[changes:]]
    wrong += [f"the password stands in {text!r}" for text in said if ROOT_PASSWORD in text]
    return plain(repr(await state(Keeper(rucio.url), prefix)), prefix), wrong


@pytest.mark.parametrize("which", [*EXTERNAL] if LONG else ["some"])
async def test_every_request_fails_in_every_way(rucio: AtWork, door: Proxy, which: str) -> None:
    """In the long run a test for each way: all of them take hours, which several processes share."""
    part = [*EXTERNAL].index(which) if LONG else 0
    await make_home(rucio.url)
    first, begun = f"plain{part}", len(door.journal)
    wanted, wrong = await run(rucio, door, first)
    assert wrong == []
    # What is asked a second time only confirms what the first one said.
    keys = dict.fromkeys(plain(call.key, first) for call in door.journal[begun:])
    plans = [Plan(key, name, fault) for key in keys for name, fault in EXTERNAL.items()]
    if LONG:
        plans = [plan for plan in plans if plan.name == which]
    else:
        plans = random.Random(_SEED).sample(plans, _SHARE)  # noqa: S311 a sample, not a secret
    tally = Tally(f"R4 rucio, {which}")
    for number, plan in enumerate(plans, 1):
        prefix = f"hit{part}n{number}x"
        rule = plan.rule(prefix)
        with door.failing(rule):
            found, wrong = await run(rucio, door, prefix)
        if found != wanted:
            wrong.append(f"{found} instead of {wanted}")
        violations = [Violation("1", str(plan), text) for text in wrong]
        tally.add(str(plan), violations, reached=bool(rule.hit))
    tally.close()
    assert not tally.failed, tally.verdict()
    assert not tally.missed
