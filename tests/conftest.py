"""Several processes share the tests (pytest-xdist): what shares a cluster stays in one of them."""

from __future__ import annotations

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests import attacks
from tests.faults import resume

# Each of their tests brings what it needs, or has it once in every process.
_ALONE = (
    *(f"faults/test_{name}" for name in ("crashes", "provider", "stale", "renders", "model")),
    "rucio/test_faults",
)
# Those of one workload share its undisturbed runs.
_PLAYED = ("faults/test_crashes", "faults/test_stale")

_LONGEST = "e2e"
_SHORTEST = ("tests/faults/test_renders", "tests/faults/test_model")


class ByCluster(LoadScopeScheduling):  # type: ignore[misc]
    """A folder is a unit, of the faults and of Rucio a module or `neighbours`; some tests are one each.

    Not by --dist=loadgroup, whose marks xdist 3.8 loses with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        _, folder, *rest = nodeid.partition("::")[0].split("/")
        if folder not in ("faults", "rucio"):
            return folder
        module = f"{folder}/{rest[0].removesuffix('.py')}"
        if module in _PLAYED and "[" in nodeid:
            return re.sub(r".*\[(\d+-)?", "", nodeid)
        return nodeid if module in _ALONE else module

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Who has something long, which keeps what is behind it waiting, gets the shortest;
        others the longest."""
        begun = self.assigned_work.get(node, {}).items()
        waiting = [unit for unit, tests in begun if not all(tests.values())]
        if any(not unit.startswith(_SHORTEST) for unit in waiting):
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        elif _LONGEST in self.workqueue:
            # xdist knows the number of tests, and these are few.
            self.workqueue.move_to_end(_LONGEST, last=False)
        super()._assign_work_unit(node)


def pytest_configure(config: pytest.Config) -> None:
    resume.register(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    attacks.collected(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    attacks.summary(terminalreporter)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByCluster:
    return ByCluster(config, log)
