"""Distances between the RSEs of one tenant, all at once: 300 RSEs have 90,000 of them. Pure.

Wanted (a resource's body): {rses: [name], default: n, links: [{source, destination, distance}]}; 0 is none.
Seen: {source: {destination: distance}}. Pairs with an RSE that is not declared are nobody's business here.
Rucio keeps the distances of an RSE that is deleted, and has them again when it comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.target import Readiness, State
from vre_operator.targets.rucio.change import Change

Seen = Mapping[str, Mapping[str, int | None]]
Pair = tuple[str, str]
Pairs = Mapping[Pair, int]

CHUNK = 500
"""Distances of one import, which is one transaction: a second or two, at three statements each."""


def wanted(body: Mapping[str, Any]) -> Pairs:
    """Every pair and its distance, 0 where there is to be none."""
    names, default = body["rses"], body["default"]
    found = {
        (source, destination): default for source in names for destination in names if source != destination
    }
    for link in body["links"]:
        found[link["source"], link["destination"]] = link["distance"]
    return found


def differing(pairs: Pairs, seen: Seen, there: Collection[str]) -> Pairs:
    """Those of the wanted `pairs` that are not so, as far as both ends are there."""
    return {
        (source, destination): distance
        for (source, destination), distance in pairs.items()
        if (seen.get(source, {}).get(destination) or 0) != distance and source in there and destination in there
    }


def parts(pairs: Pairs) -> Iterator[tuple[Pairs, Change]]:
    """The requests that set `pairs`, each with those that it sets."""
    wanted = [pair for pair, distance in pairs.items() if distance]
    for start in range(0, len(wanted), CHUNK):
        part = {pair: pairs[pair] for pair in wanted[start : start + CHUNK]}
        rows: dict[str, dict[str, Any]] = {}
        for (source, destination), distance in part.items():
            rows.setdefault(source, {})[destination] = {"distance": distance}
        yield part, Change(words(part), "POST", ("import",), {"distances": rows})
    for (source, destination), distance in pairs.items():
        if not distance:
            part = {(source, destination): 0}
            yield part, Change(words(part), "DELETE", ("rses", source, "distances", destination))


def words(pairs: Collection[Pair]) -> str:
    """For people."""
    first = " to ".join(next(iter(pairs)))
    return f"{first} and {len(pairs) - 1} more" if len(pairs) > 1 else first


def lacks(body: Mapping[str, Any], there: Collection[str]) -> Readiness | None:
    """What has to be there before all of them can be; None when all is."""
    declared = set(body["rses"])
    linked = {link[end] for link in body["links"] for end in ("source", "destination")}
    if unknown := sorted(linked - declared - set(there)):
        message = (
            f"links names {unknown[0]}, which is neither in spec.dataLake.rses nor in Rucio. Declare it, or"
            " remove the link"
        )
        return Readiness(State.FAILED, Reason.NOT_FOUND, message)
    if missing := sorted(declared - set(there)):
        message = f"waits for {', '.join(missing[:5])}"
        return Readiness(State.PROGRESSING, Reason.WAITING, message)
    return None
