"""Attacks as tests: each is told with its actor, and a run ends with a table of what was tried and stopped.

`@pytest.mark.attack("actor", "what")` marks a test, each of whose cases is an attack. Who passes was stopped.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "attack"
REPORT = Path("artifacts/attacks.md")


def collected(items: list[pytest.Item]) -> None:
    """Give each report what it is an attack of: workers send that along."""
    for item in items:
        if marker := item.get_closest_marker("attack"):
            actor, what = marker.args
            case = item.name.partition("[")[2].removesuffix("]")
            item.user_properties.append((PROPERTY, (actor, f"{what}: {case}" if case else what)))


def told(reporter: Any) -> list[tuple[str, str, bool]]:
    """Actor, attack, and whether it was stopped, of every attack of this run."""
    found = []
    for outcome in ("passed", "failed"):
        for report in reporter.stats.get(outcome, ()):
            properties = dict(getattr(report, "user_properties", ()))
            if report.when == "call" and PROPERTY in properties:
                found.append((*properties[PROPERTY], outcome == "passed"))
    return found


def summary(reporter: Any) -> None:
    """The table, by actor; in full in artifacts/attacks.md."""
    found = told(reporter)
    if not found:
        return
    tried, stopped = Counter(actor for actor, _, _ in found), Counter(actor for actor, _, held in found if held)
    reporter.section("attacks")
    width = max(map(len, tried))
    for actor in sorted(tried):
        reporter.write_line(f"{actor:<{width}}  {tried[actor]:>4} tried  {stopped[actor]:>4} stopped")
    reporter.write_line(f"{'all':<{width}}  {len(found):>4} tried  {sum(stopped.values()):>4} stopped")
    REPORT.parent.mkdir(exist_ok=True)
    rows = [
        f"| {actor} | {what} | {'stopped' if held else '**OPEN**'} |" for actor, what, held in sorted(found)
    ]
    REPORT.write_text("\n".join(["| Actor | Attack | Result |", "|---|---|---|", *rows]) + "\n")
