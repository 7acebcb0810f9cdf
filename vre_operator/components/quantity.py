"""Kubernetes quantities in the spelling that the API server stores: the shortest whole number.

What we write is then what we read, and a difference is a change.
"""

from __future__ import annotations

from decimal import Decimal

from vre_operator.api.rules import quantity as in_bytes

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
_DECIMAL = ("m", "", "k", "M", "G", "T", "P")


def size(quantity: str, count: int = 1) -> str:
    """`count` times an amount of memory or storage: size("1.5Gi", 2) is "3Gi"."""
    amount = in_bytes(quantity) * count
    if quantity.endswith("i") and amount == int(amount):
        return _shortest(int(amount), 1024, _BINARY)
    return _shortest(int(amount * 1000), 1000, _DECIMAL)


def total(count: int, *quantities: str) -> str:
    """`count` times the sum of amounts: total(2, "1Gi", "32Mi") is "2112Mi"."""
    if len(given := [one for one in quantities if not is_zero(one)]) == 1:
        return size(given[0], count)
    return _shortest(int(sum(map(in_bytes, quantities)) * count), 1024, _BINARY)


def number(count: float) -> str:
    """A number of CPUs or of objects: 0.1 is "100m", 20000 is "20k"."""
    return _shortest(round(Decimal(count) * 1000), 1000, _DECIMAL)


def is_zero(quantity: str) -> bool:
    return in_bytes(quantity) == 0


def _shortest(amount: int, step: int, units: tuple[str, ...]) -> str:
    if amount == 0:
        return "0"
    for unit in units[:-1]:
        if amount % step:
            return f"{amount}{unit}"
        amount //= step
    return f"{amount}{units[-1]}"
