"""Plans: a workload and where it is hit. Made from the trace of an undisturbed run; all, or a fixed sample."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.play import REGISTRATION, TOKEN_LOST, Hit, Played, Player
from tests.faults.report import Tally
from tests.faults.rig.faults import ANSWERED, KILLS
from tests.faults.rig.oracle import Violation, different, judged
from tests.faults.rig.proxy import Fault
from tests.faults.workloads import Workload

_ANSWERED_SHARE = 4


@dataclass(frozen=True)
class Plan:
    workload: Workload
    hits: tuple[Hit, ...]

    def __str__(self) -> str:
        return f"{self.workload}, {', then '.join(map(str, self.hits))}"


@dataclass
class Reference:
    """The first undisturbed run, and what the others had in common with it."""

    workload: Workload
    played: Played
    trace: list[tuple[str, str, int]]

    @property
    def flaws(self) -> list[Violation]:
        """What O says about the undisturbed run itself."""
        return judged(f"{self.workload}, undisturbed", self.played.evidence, self.played.evidence, consent=True)


def refer(player: Player, workload: Workload, runs: int = 1) -> tuple[Reference, list[str]]:
    """The reference, and every difference between the runs: each is a field that has to be masked by name."""
    first = player.play(workload)
    trace, differences = first.trace, list[str]()
    for _ in range(runs - 1):
        other = player.play(workload)
        # A pass more or less writes its status once more or less: only what always comes can be hit.
        trace = [step for step in trace if step in other.trace]
        differences += different(first.evidence.state, other.evidence.state)
    return Reference(workload, first, trace), differences


def every(references: Sequence[Reference], faults: Mapping[str, Fault]) -> list[Plan]:
    """Each fault at each step of each workload."""
    return [
        Plan(reference.workload, (Hit(*step, name, fault),))
        for reference in references
        for step in reference.trace
        for name, fault in faults.items()
    ]


def kills(reference: Reference) -> list[Plan]:
    """A kill before each step and one at its commit; after the answer at some.

    The operator keeps nothing but what it has written: what it knew when it died makes no difference.
    """
    plans = every([reference], KILLS)
    answered = [plan for plan in plans if plan.hits[0].name == ANSWERED]
    return [plan for plan in plans if plan not in answered] + answered[::_ANSWERED_SHARE]


def sampled(plans: Sequence[Plan], number: int, seed: int | str) -> list[Plan]:
    """A fixed sample that goes round all pairs of workload and kind of fault."""
    chance = random.Random(seed)  # noqa: S311 a sample, not a secret
    piles: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        piles.setdefault((plan.workload.name, plan.hits[0].name), []).append(plan)
    for pile in piles.values():
        chance.shuffle(pile)
    taken: list[Plan] = []
    while len(taken) < number and any(piles.values()):
        for pair in sorted(piles, key=lambda _: chance.random()):
            if piles[pair] and len(taken) < number:
                taken.append(piles[pair].pop())
    return taken


def judge(plan: str, played: Played, reference: Reference) -> list[Violation]:
    """What O says; after a person had to help, one client more may have been made."""
    return judged(
        plan,
        played.evidence,
        reference.played.evidence,
        consent=reference.workload.consent,
        registrations=bool(played.explained),
        told=played.explained == TOKEN_LOST,
    )


def carry_out(
    player: Player,
    plans: Sequence[Plan],
    referee: Callable[[Workload], Reference],
    tally: Tally,
    *,
    together: int = 1,
    quiet: float = 0.0,
    tries: int = 1,
) -> None:
    """Run the plans and count what O says. together: how many stand on before they are looked at once more.

    quiet: for so many seconds. tries: of a plan whose fault found no call to be done to, as happens when a busy
    machine lets the operator come to rest by other calls.
    """
    for left in reversed(range(tries)):
        missed: list[Plan] = []
        for start in range(0, len(plans), together):
            some = plans[start : start + together]
            references = [referee(plan.workload) for plan in some]
            done = [player.begin(plan.workload, [hit.placed for hit in plan.hits]) for plan in some]
            player.settle(quiet)
            for plan, reference, played in zip(some, references, done, strict=True):
                violations = judge(str(plan), played, reference)
                if played.explained and not _may_ask(plan, reference):
                    text = f"a person was asked for help: {played.explained}"
                    violations.append(Violation("4", str(plan), text))
                if left and not played.reached and not violations:
                    missed.append(plan)
                else:
                    tally.add(str(plan), violations, explained=bool(played.explained), reached=played.reached)
        plans = missed
    player.bury()
    tally.close()


def _may_ask(plan: Plan, reference: Reference) -> bool:
    """Whether an answer may have been lost that nobody can ask for again: what was made, or a token told once.

    A kill beside a registration may cost its answer, whatever else it was aimed at.
    """
    aimed = any(hit.key.endswith((*REGISTRATION, "/clients-registrations/default/*")) for hit in plan.hits)
    killed = any(hit.name in KILLS for hit in plan.hits)
    return aimed or (killed and reference.played.evidence.registered > 0)
