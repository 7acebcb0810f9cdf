"""Distances between the RSEs of one tenant, all at once: 300 RSEs have 90,000 of them. Pure.

Wanted (a resource's body): {rses: [name], default: n, links: [{source, destination, distance}]}; 0 is none.
Seen: {source: {destination: distance}}. Pairs with an RSE that is not declared are nobody's business here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vre_operator.targets.rucio.change import Change

Seen = Mapping[str, Mapping[str, int | None]]
Pair = tuple[str, str]

# An import is one transaction, and three statements a distance.
CHUNK = 2000


def wanted(body: Mapping[str, Any]) -> Mapping[Pair, int]:
    """Every pair and its distance, 0 where there is to be none."""
    names, default = body["rses"], body["default"]
    found = {
        (source, destination): default for source in names for destination in names if source != destination
    }
    for link in body["links"]:
        found[link["source"], link["destination"]] = link["distance"]
    return found


def changes(pairs: Mapping[Pair, int], seen: Seen, there: set[str]) -> list[Change]:
    """What leads from `seen` to the wanted `pairs`, as far as both ends are there."""
    differing = [
        (pair, distance)
        for pair, distance in pairs.items()
        if (seen.get(pair[0], {}).get(pair[1]) or 0) != distance and there.issuperset(pair)
    ]
    missing = [(pair, distance) for pair, distance in differing if distance]
    return [*_imports(missing), *(_removal(*pair) for pair, distance in differing if not distance)]


def _imports(missing: list[tuple[Pair, int]]) -> Iterator[Change]:
    for start in range(0, len(missing), CHUNK):
        part = missing[start : start + CHUNK]
        rows: dict[str, dict[str, Any]] = {}
        for (source, destination), distance in part:
            rows.setdefault(source, {})[destination] = {"distance": distance}
        others = f" and {len(part) - 1} more" if len(part) > 1 else ""
        yield Change(f"{' to '.join(part[0][0])}{others}", "POST", ("import",), {"distances": rows})


def _removal(source: str, destination: str) -> Change:
    return Change(f"{source} to {destination}", "DELETE", ("rses", source, "distances", destination))
