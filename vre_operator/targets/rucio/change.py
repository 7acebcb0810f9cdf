"""One request that sets one thing right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """what: the field that it sets right, for people. done: exceptions that mean that it was done before."""

    what: str
    method: str
    path: tuple[str, ...]
    body: Any = field(default=None, repr=False)
    done: tuple[str, ...] = ()


def same(wanted: str, seen: Any) -> bool:
    """Whether Rucio's value is what the text stands for: it reads true, 1 and 1.5 as such."""
    if isinstance(seen, bool):
        return wanted.lower() == str(seen).lower()
    return str(seen) == wanted
