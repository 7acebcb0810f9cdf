"""Places in JSON data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(node: Any, *path: str | int) -> Any:
    """What is there; None where nothing is. An index is of an item that there is."""
    for key in path:
        match node:
            case Mapping():
                node = node.get(key)
            case list() if isinstance(key, int):
                node = node[key]
            case _:
                return None
    return node
