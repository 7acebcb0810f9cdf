"""Arithmetic on Kubernetes quantities, as far as quotas need it."""

from __future__ import annotations

import re
from decimal import Decimal


def times(quantity: str, count: int) -> str:
    """`count` times a quantity, in its own unit: times("1.5Gi", 3) is "4.5Gi"."""
    number, unit = _split(quantity)
    return f"{_plain(number * count)}{unit}"


def is_zero(quantity: str) -> bool:
    return _split(quantity)[0] == 0


def cpus(count: float) -> str:
    """A number of CPUs, no finer than the API server stores it: 0.1 is "100m", 2 is "2"."""
    milli = round(count * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def _split(quantity: str) -> tuple[Decimal, str]:
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if match is None:
        raise ValueError(f"not a quantity: {quantity!r}")
    return Decimal(match[1]), match[2]


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
