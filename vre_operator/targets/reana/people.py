"""What has to be done for REANA to know the right people. Pure.

Wanted (a resource's body): {people: JSON text, a list of {name, email, ...}, or None where the provider is not
asked; own: {address: name}, who are no people; quotas: [{group, cpu, disk}], group "" for everybody}. Found:
[{id, email, active, limits, used}]. REANA knows people by their address. cpu: milliseconds; disk: bytes; 0 is
without end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STORE = "reana-secretsstore-"
"""How REANA's names of people's own Secrets begin; the person's id follows."""
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The administrator's id. In the list of stores it sees to it that this is never empty."""

KINDS = ("cpu", "disk")
"""What quotas are of."""

_NOBODY_S = "@reana.invalid"
"""Of addresses at which nobody is (RFC 2606)."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One request to people.py."""

    method: str
    address: str
    rest: tuple[str, ...] = ()
    body: Any = None


@dataclass(frozen=True, slots=True)
class Wish:
    """known: name by address; None where nobody tells who may come in. own: who is there in any case. groups:
    somebody's, by address. problems: whom REANA can't know."""

    known: Mapping[str, str] | None
    own: Mapping[str, str]
    quotas: Sequence[Body]
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: Body) -> Wish:
        if body["people"] is None:
            return cls(None, body["own"], body["quotas"])
        people = json.loads(body["people"])
        counted = Counter(person["email"] for person in people)
        known, groups, problems = {}, {}, []
        for person in people:
            if "@" not in person["email"]:
                problems.append(f"{person['name']} has no e-mail address at the provider")
            elif counted[person["email"]] > 1:
                problems.append(f"{person['name']} has another person's e-mail address")
            else:
                known[person["email"]] = person["name"]
                groups[person["email"]] = person["groups"]
        return cls(known, body["own"], body["quotas"], groups, tuple(problems))

    def limits(self, address: str) -> dict[str, int]:
        """What somebody may use. Of several quotas the largest counts, of each kind of its own."""
        mine = {"", *self.groups.get(address, ())}
        quotas = [quota for quota in self.quotas if quota["group"] in mine]
        return {kind: max((quota[kind] for quota in quotas), default=0) for kind in KINDS}


def strangers(wish: Wish, found: Iterable[Body]) -> set[str]:
    """Whose token works although the provider lets nobody of that address in. Nobody is, where it knows
    nobody at all: that is a mistake somewhere else."""
    if not wish.known:
        return set()
    active = {one["email"] for one in found if one["active"] and not one["email"].endswith(_NOBODY_S)}
    return active - wish.known.keys()


def changes(wish: Wish, found: Iterable[Body], leavers: Iterable[str]) -> list[Change]:
    """leavers: of the strangers those who are to lose their token now."""
    there = {one["email"]: one for one in found}
    made = [
        Change("PUT", address, body={"username": name})
        for address, name in sorted({**(wish.known or {}), **wish.own}.items())
        if address not in there or not there[address]["active"]
    ]
    made += [Change("DELETE", address, ("token",)) for address in sorted(leavers)]
    made += [
        Change("PUT", address, ("limits",), wish.limits(address))
        for address, one in sorted(there.items())
        if dict(one["limits"]) != wish.limits(address)
    ]
    return made


def spent(wish: Wish, found: Iterable[Body]) -> list[str]:
    """Who has used up what there is, in words: REANA starts no workflow of theirs."""
    return [
        f"{(wish.known or {}).get(one['email'], one['email'])} has used up the quota of {kind}"
        for one in sorted(found, key=lambda one: one["email"])
        for kind in KINDS
        if 0 < one["limits"].get(kind, 0) <= one["used"].get(kind, 0)
    ]


def stores(found: Iterable[Body]) -> str:
    """The names of people's own Secrets, as a JSON list."""
    return json.dumps(sorted([f"{STORE}{one['id']}" for one in found] + [f"{STORE}{NOBODY}"]))
