"""Kind Offers: which image the sessions of each entry start.

Body: entries: {name: {image: as written, reference: with its digest, check: how the Job does that tries it, as
engine.refs.OutcomeOf tells it, nodes: the same of what brings it to the nodes or None, origin: the field}};
asleep: a suspended Job tries nothing. Output: pinned, a JSON map of entry to reference. Report:
[{name, image, since, nodes}].

A new image takes the place of the old one when it was found to be good, and is on the nodes where that is
wished; the first one has nothing to keep. Ready while what is offered is good, whatever becomes of a new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.resources import Tenant
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State
from vre_operator.targets.registry.memory import Memory, Offered

_TOLD = 3
# For so long a node that does not get a good image keeps it from people.
PATIENCE = 1800.0
# Of engine.executor.Result, and the reasons that need nobody's attention.
_READY, _FAILED = "Ready", "Failed"
_UNDER_WAY = (Reason.PROGRESSING, Reason.WAITING)
_STATES = (State.FAILED, State.PROGRESSING, State.READY)


class Offers:
    """clock: seconds since the epoch."""

    def __init__(self, memory: Memory, clock: Callable[[], float]) -> None:
        self._memory = memory
        self._clock = clock
        self._good_since: dict[tuple[str, str], dict[str, float]] = {}

    async def observe(self, tenant: Tenant, body: Mapping[str, Any]) -> Observation:
        """Raises what the memory raises."""
        held = await self._memory.load(tenant)
        wanted = self._wanted(tenant, held, body)
        if wanted == held:
            return _observation(Presence.SYNCED, held, body)
        changed = sorted(name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name))
        detail = ", ".join(changed[:_TOLD]) + (f" and {len(changed) - _TOLD} more" if changed[_TOLD:] else "")
        return _observation(Presence.DRIFTED if held else Presence.ABSENT, held, body, detail)

    async def apply(self, tenant: Tenant, body: Mapping[str, Any]) -> Observation:
        wanted = self._wanted(tenant, await self._memory.load(tenant), body)
        await self._memory.save(tenant, wanted)
        return _observation(Presence.SYNCED, wanted, body)

    def forget(self, tenant: tuple[str, str]) -> None:
        """The tenant is no more."""
        self._good_since.pop(tenant, None)

    def _wanted(
        self, tenant: Tenant, held: Mapping[str, Offered], body: Mapping[str, Any]
    ) -> dict[str, Offered]:
        found = {}
        for name, entry in body["entries"].items():
            old, good = held.get(name), _good(body, entry)
            if old and old.reference == entry["reference"]:
                found[name] = replace(old, image=entry["image"], good=old.good or good)
            elif old and not (good and self._there(tenant, entry)):
                found[name] = old
            else:
                since = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                found[name] = Offered(entry["image"], entry["reference"], since, good)
        return found

    def _there(self, tenant: Tenant, entry: Mapping[str, Any]) -> bool:
        """A good image is on the nodes, or was waited for long enough."""
        if entry["nodes"] is None or entry["nodes"]["result"] == _READY:
            return True
        now, known = self._clock(), self._good_since.setdefault(tenant.key, {})
        return now - known.setdefault(entry["reference"], now) >= PATIENCE


def _good(body: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return not body["asleep"] and entry["check"]["result"] == _READY


def _observation(
    presence: Presence, offers: Mapping[str, Offered], body: Mapping[str, Any], detail: str = ""
) -> Observation:
    pinned = {name: offer.reference for name, offer in offers.items()}
    return Observation(
        presence,
        min((_judged(offers.get(name), entry) for name, entry in body["entries"].items()), key=_weight),
        outputs={"pinned": json.dumps(pinned, indent=2, sort_keys=True) + "\n"},
        detail=detail,
        report=[
            {"name": name, "image": offer.reference, "since": offer.since} | _nodes(body, name)
            for name, offer in offers.items()
        ],
    )


def _judged(offer: Offered | None, entry: Mapping[str, Any]) -> Readiness:
    """A check that has not ended well, seen by who starts sessions."""
    check = entry["check"]
    if check["result"] == _READY:
        return _told_of_nodes(entry)
    message = f"{entry['origin']}: {check['message']}"
    if offer and offer.good:
        if check["reason"] in _UNDER_WAY:
            return READY
        return Readiness(State.READY, check["reason"], f"{message}. {offer.reference} is offered meanwhile.")
    failed = check["result"] == _FAILED
    return Readiness(State.FAILED if failed else State.PROGRESSING, check["reason"], message)


def _told_of_nodes(entry: Mapping[str, Any]) -> Readiness:
    """Nobody has to wait for nodes, so what keeps an image from them is told and no more."""
    nodes = entry["nodes"]
    if nodes is None or nodes["result"] == _READY or nodes["reason"] in _UNDER_WAY:
        return READY
    return Readiness(State.READY, nodes["reason"], f"{entry['origin']}: {nodes['message']}")


def _nodes(body: Mapping[str, Any], name: str) -> dict[str, str]:
    """On how many nodes the newest image of an entry is, as in 2/3."""
    nodes = body["entries"].get(name, {}).get("nodes")
    return {"nodes": nodes["progress"]} if nodes and nodes["progress"] else {}


def _weight(judged: Readiness) -> tuple[int, bool]:
    """What a person should hear of first."""
    return (_STATES.index(judged.state), not judged.reason)
