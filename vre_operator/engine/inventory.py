"""What the engine has made or is about to make for a tenant. Kept in the status of the VREEnvironment.

It is written before the first apply (a kill between the two leaves an entry without an object, never an object
without an entry), and an entry goes only when its object is gone for certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from vre_operator.engine.plan import Plan
from vre_operator.engine.resources import Policy, ResourceId


@dataclass(frozen=True, slots=True)
class Entry:
    """level: the resource's depth in the plan that made it; pruning goes from the highest to the lowest."""

    id: ResourceId
    policy: Policy
    level: int

    def __str__(self) -> str:
        # A line, not a map: a thousand tenants have fifty each, and the whole status is copied at every event.
        return f"{self.level} {self.policy} {self.id}"

    @classmethod
    def parse(cls, text: str) -> Entry:
        """The inverse of `str(entry)`. Raises ValueError for anything else."""
        level, policy, identity = text.split(" ", 2)
        return cls(ResourceId.parse(identity), Policy(policy), int(level))


class Inventory:
    """An ordered set of entries by id."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._lines: list[str] | None = None

    @classmethod
    def load(cls, status: Iterable[str]) -> Inventory:
        return cls(map(Entry.parse, status))

    def dump(self) -> list[str]:
        """The form kept in status: sorted, so that the same content is the same list."""
        if self._lines is None:
            ordered = sorted(self._entries.values(), key=lambda one: (one.level, one.id))
            self._lines = list(map(str, ordered))
        return self._lines

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inventory) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def merged(self, plan: Plan) -> Inventory:
        """With everything that `plan` will make; EXTERNAL resources are nobody's inventory."""
        planned = (
            Entry(resource.id, resource.policy, plan.levels[resource.id])
            for resource in plan.resources
            if resource.policy is not Policy.EXTERNAL
        )
        return Inventory([*self._entries.values(), *planned])

    def without(self, gone: Iterable[ResourceId]) -> Inventory:
        dropped = set(gone)
        return Inventory(entry for entry in self._entries.values() if entry.id not in dropped)

    def stale(self, plan: Plan | None) -> list[Entry]:
        """Entries that `plan` no longer wants; all of them without a plan."""
        return [entry for entry in self._entries.values() if plan is None or entry.id not in plan]


def prune_order(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Batches to remove one after the other: dependents before what they need."""
    ordered = sorted(entries, key=lambda entry: (-entry.level, entry.id))
    return [list(batch) for _, batch in groupby(ordered, key=lambda entry: entry.level)]
