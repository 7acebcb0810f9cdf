"""R8: the client-registration protocol as a model, every interleaving of it visited by Spin.

tests/faults/model/*.pml say which function each step stands for. Here: nothing is wrong with the protocol as it
is, every line of the operator's part is reached, and each deliberate damage is found.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.system import ensure
from tests.long import LONG

MODELS = Path(__file__).parent / "model"
STRATEGIES = ("keycloak_admin", "keycloak_dcr", "generic_dcr")

# Kills and other faults (answers lost, writes refused, ...) in one run of the world.
BUDGETS = [(1, 0), (0, 1), *([(1, 1), (2, 0)] if LONG else [])]

# A request sent, a person told, a record made, marked or forgotten.
_IMPORTANT = re.compile(r'"(wire\[0\]\.verb = |told = |store\.exists = |store\.deleting = 1)')
# Needs two faults and a person who takes the finalizer off.
_FAR = ("WRONG_SECRET",)

SAFETY = ("-DSAFETY", "-DNOCLAIM")
LIVENESS = ("-DNFAIR=3",)

# What each damage takes away is named in the models; which property notices, and the budget that it needs.
DAMAGES = [
    ("keycloak_admin", "OLD_INTENT", SAFETY, (1, 0)),
    ("keycloak_admin", "LATE_LOOK", SAFETY, (1, 0)),
    ("keycloak_admin", "UNMARKED_REMOVAL", LIVENESS, (1, 0)),
    ("keycloak_dcr", "BLIND_REMOVAL", SAFETY, (1, 0)),
    ("keycloak_dcr", "FORGOTTEN_BODY", LIVENESS, (1, 0)),
    ("keycloak_dcr", "HASTE", LIVENESS, (1, 0)),
    ("generic_dcr", "NO_INTENT", SAFETY, (1, 0)),
    ("generic_dcr", "BLIND_RETRY", SAFETY, (1, 0)),
    ("generic_dcr", "FORGET_FIRST", SAFETY, (0, 0)),
]

pytestmark = pytest.mark.timeout(3600 if LONG else 600)


@dataclass(frozen=True, slots=True)
class Verdict:
    errors: int
    states: int
    unreached: list[str]  # of the operator's important steps
    text: str


@pytest.fixture(scope="module", autouse=True)
def _spin() -> None:
    ensure("spin", "gcc")


def verify(folder: Path, strategy: str, kind: tuple[str, ...], budget: tuple[int, int], *more: str) -> Verdict:
    """Generate, compile and run the verifier; liveness under weak fairness."""
    kills, faults = budget
    defines = [f"-DKILLS={kills}", f"-DFAULTS={faults}", *more]
    _run(folder, "spin", *defines, "-a", str(MODELS / f"{strategy}.pml"))
    _run(folder, "gcc", "-O2", "-w", *kind, "-o", "pan", "pan.c")
    text = _run(folder, "./pan", "-m2000000", *(() if kind == SAFETY else ("-a", "-f")))
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+) states, stored", text)
    assert errors, text
    assert states, text
    assert "max search depth too small" not in text
    operator = text.partition("unreached in proctype Operator")[2].partition("unreached in")[0]
    steps = [line.strip() for line in operator.splitlines() if _IMPORTANT.search(line)]
    return Verdict(int(errors[1]), int(states[1]), steps, text)


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda it: f"kills{it[0]}-faults{it[1]}")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_client_at_most_and_none_forgotten(
    tmp_path: Path, strategy: str, budget: tuple[int, int], record_property: Callable[[str, object], None]
) -> None:
    verdict = verify(tmp_path, strategy, SAFETY, budget)
    record_property("states", verdict.states)
    assert verdict.errors == 0, verdict.text
    assert verdict.states > 50_000


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_important_step_of_the_operator_is_reached(tmp_path: Path, strategy: str) -> None:
    """Also where a person takes the finalizer off by force."""
    lines = (MODELS / f"{strategy}.pml").read_text().splitlines()
    far = {
        f"{strategy}.pml:{number}," for number, line in enumerate(lines, 1) if any(it in line for it in _FAR)
    }
    verdict = verify(tmp_path, strategy, SAFETY, (0, 1), "-DFORCE")
    assert verdict.errors == 0, verdict.text
    assert [step for step in verdict.unreached if not any(place in step for place in far)] == []


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda it: f"kills{it[0]}-faults{it[1]}")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_client_at_last_while_wanted_and_none_after(
    tmp_path: Path, strategy: str, budget: tuple[int, int], record_property: Callable[[str, object], None]
) -> None:
    verdict = verify(tmp_path, strategy, LIVENESS, budget)
    record_property("states", verdict.states)
    assert verdict.errors == 0, verdict.text
    assert verdict.states > 50_000


@pytest.mark.parametrize(
    ("strategy", "damage", "kind", "budget"), DAMAGES, ids=[f"{one[0]}-{one[1]}" for one in DAMAGES]
)
def test_a_damage_is_found(
    tmp_path: Path, strategy: str, damage: str, kind: tuple[str, ...], budget: tuple[int, int]
) -> None:
    assert verify(tmp_path, strategy, kind, budget, f"-DDAMAGE_{damage}").errors > 0
