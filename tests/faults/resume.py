"""A long run that was cut off goes on: which tests have passed, and of which tree.

A commit that changes documents alone is of the same tree.

`python -m tests.faults.resume FOLDER` before a run begins anew, with `--resume` after what has passed. The run
itself has VRE_FAULT_PROGRESS=FOLDER: its tests that pass are added, those that had passed before are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROGRESS = "VRE_FAULT_PROGRESS"
_DOCUMENTS = ("\tdocs", ".md", "\tLICENSE")


def _passed(folder: Path) -> Path:
    return folder / "faults.passed"


def _before(folder: Path) -> Path:
    """Not the list that grows: all processes of a run must leave out the same."""
    return folder / "faults.before"


def prepare(folder: Path, tree: str, *, resume: bool) -> None:
    """Raises ValueError when there is nothing of this tree to go on with."""
    mark = folder / "faults.tree"
    if resume:
        if not mark.exists() or mark.read_text() != tree:
            raise ValueError(f"the run in {folder} was of another tree: start anew, without RESUME")
    else:
        folder.mkdir(exist_ok=True)
        for old in folder.glob("faults.*"):
            old.unlink()
        mark.write_text(tree)
        _passed(folder).touch()
    _before(folder).write_text(_passed(folder).read_text())


class Progress:
    """A plugin of pytest."""

    def __init__(self, folder: Path, *, writes: bool) -> None:
        self._folder = folder
        self._writes = writes
        self._called: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._called.add(report.nodeid)
        # With the teardown: what a test leaves broken is not done.
        if self._writes and report.when == "teardown" and report.passed and report.nodeid in self._called:
            with _passed(self._folder).open("a") as file:
                file.write(f"{report.nodeid}\n")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        before = set(_before(self._folder).read_text().splitlines())
        gone = [item for item in items if item.nodeid in before]
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item.nodeid not in before]


def register(config: pytest.Config) -> None:
    """In each process; only the one that hears of all tests writes."""
    if folder := os.environ.get(PROGRESS):
        config.pluginmanager.register(Progress(Path(folder), writes=not hasattr(config, "workerinput")))


def main(arguments: Sequence[str]) -> int:
    folder, *options = arguments
    listed = subprocess.run(["git", "ls-tree", "HEAD"], capture_output=True, text=True, check=True).stdout
    tree = "".join(line for line in listed.splitlines(keepends=True) if not line.rstrip().endswith(_DOCUMENTS))
    try:
        prepare(Path(folder), tree, resume="--resume" in options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
