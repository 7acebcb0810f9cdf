"""What the programmes found: each adds a line of JSON, `python -m tests.faults.report FILE` prints a table."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.rig.normalise import masks
from tests.faults.rig.oracle import Violation

FILE = "VRE_FAULT_REPORT"
_COLUMNS = (
    "plans",
    "failed",
    "explained",
    "not reached",
    "unexplained",
    "masked",
    "orphans",
    "data lost",
    "seconds",
)


@dataclass
class Tally:
    """One programme. explained: plans after which a person had to help, as the method says they must.

    missed: plans whose fault found no call to be done to. failed: plan -> its violations.
    """

    programme: str
    plans: int = 0
    explained: int = 0
    missed: list[str] = field(default_factory=list)
    failed: dict[str, list[str]] = field(default_factory=dict)
    unexplained: int = 0
    orphans: int = 0
    data_lost: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(
        self, plan: str, violations: Sequence[Violation], *, explained: bool = False, reached: bool = True
    ) -> None:
        self.plans += 1
        self.explained += explained
        if not reached:
            self.missed.append(plan)
        if violations:
            self.failed[plan] = [str(violation) for violation in violations]
        rules = [violation.rule for violation in violations]
        self.unexplained += rules.count("1") + rules.count("2")
        self.orphans += rules.count("4")
        self.data_lost += rules.count("3")

    def row(self) -> dict[str, int]:
        numbers = (
            self.plans,
            len(self.failed),
            self.explained,
            len(self.missed),
            self.unexplained,
            len(masks()),
            self.orphans,
            self.data_lost,
            round(time.monotonic() - self.began),
        )
        return dict(zip(_COLUMNS, numbers, strict=True))

    def close(self) -> None:
        """Print the numbers and what failed, and add them to the file that VRE_FAULT_REPORT names."""
        row = self.row()
        print(f"\n{self.programme}: " + ", ".join(f"{name} {number}" for name, number in row.items()))
        print(self.verdict())
        if path := os.environ.get(FILE):
            with Path(path).open("a") as file:
                file.write(json.dumps({**asdict(self), "row": row}) + "\n")

    def verdict(self) -> str:
        """The violations in words, empty when there are none."""
        lines = [f"{plan}:\n    " + "\n    ".join(found[:12]) for plan, found in self.failed.items()]
        return "\n".join(lines)


def table(lines: Sequence[str]) -> str:
    """The lines of JSON as one table, with a sum."""
    told = [json.loads(line) for line in lines if line.strip()]
    rows = [(one["programme"], *(one["row"][column] for column in _COLUMNS)) for one in told]
    total = [sum(row[number] for row in rows) for number in range(1, len(_COLUMNS) + 1)]
    if rows:
        # The same fields everywhere.
        total[_COLUMNS.index("masked")] = max(row[1 + _COLUMNS.index("masked")] for row in rows)
    rows += [("all", *total)]
    width = max(len(str(row[0])) for row in rows)
    head = " " * width + "  " + "  ".join(_COLUMNS)
    body = [
        f"{row[0]:<{width}}  " + "  ".join(f"{row[i + 1]:>{len(name)}}" for i, name in enumerate(_COLUMNS))
        for row in rows
    ]
    return "\n".join([head, *body])


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text().splitlines()))
