"""Figures as they are told: quantiles, ranges, and rows that say what the bar is and whether it was reached."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """reached: None where there is no bar."""

    measure: str
    bar: str
    seen: str
    reached: bool | None = None
    note: str = ""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], digits: int = 2, unit: str = "") -> str:
    """Median [least..most]; of one value the value."""
    middle = f"{statistics.median(values):.{digits}f}{unit}"
    if len(values) == 1:
        return middle
    return f"{middle} [{min(values):.{digits}f}..{max(values):.{digits}f}]"


def milliseconds(values: Sequence[float]) -> str:
    """p50, p99 and the most."""
    if not values:
        return "none"
    p50, p99, most = (1000 * quantile(values, share) for share in (0.5, 0.99, 1.0))
    return f"p50 {p50:.0f}, p99 {p99:.0f}, max {most:.0f} ms (n={len(values)})"
