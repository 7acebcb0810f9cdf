"""One subscription: what is wanted, what Rucio says of it, and the request that sets it right. Pure.

Wanted (a resource's body): {filter, replication_rules, comments, priority}, as Rucio takes them. Seen is an
item of `GET /subscriptions/`, whose filter and rules are texts of JSON. Rucio deletes none: it is switched off,
and a change switches it on again. Comments cannot be emptied. Sources: rucio's core/subscription.py, 41.5.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vre_operator.targets.rucio.change import Change

Body = Mapping[str, Any]

_OFF = "INACTIVE"
_LETTER = "I"


def path(name: str) -> tuple[str, ...]:
    """name: "account/subscription"."""
    return ("subscriptions", *name.split("/", 1))


def by_name(listed: Iterable[Body]) -> dict[str, Body]:
    """All of them, by "account/subscription"."""
    return {f"{one['account']}/{one['name']}": one for one in listed}


def changes(name: str, wanted: Body, seen: Body | None) -> list[Change]:
    """What leads from `seen` to `wanted`."""
    options = {**wanted, "lifetime": None, "retroactive": False}
    if seen is None:
        made = {"options": options | {"dry_run": False}}
        return [Change("it is not there", "POST", path(name), made, done=("SubscriptionDuplicate",))]
    if fields := list(_differing(wanted, seen)):
        return [Change(", ".join(fields), "PUT", path(name), {"options": options})]
    return []


def _differing(wanted: Body, seen: Body) -> Iterator[str]:
    if seen["state"] == _OFF:
        yield "state"
    for key in ("filter", "replication_rules"):
        if _parsed(seen[key]) != wanted[key]:
            yield key
    if wanted["comments"] and seen["comments"] != wanted["comments"]:
        yield "comments"
    if seen["policyid"] != wanted["priority"]:
        yield "priority"


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def removal(name: str) -> Change:
    """Switches it off; the rules that it made stay."""
    body = {"options": {"state": _LETTER}}
    return Change("it", "PUT", path(name), body, done=("SubscriptionNotFound",))
