"""The accounts of people: who is to have one, what it holds, and who has left. Pure.

Wanted (a resource's body): {people: JSON text, a list of {name, sub, email, groups}; problems: text; issuer;
groups: [name], those that become attributes; admins: [group]; quotas: [{group, rse_expression, size}];
declared: [account], which are nobody's; share: percent; word}.

Each account has two attributes of ours: `vre-people`, by which all of them are listed in one request, and
`vre-digest`, of what the account was last made to hold, written last: one that has it needs no other reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from vre_operator.engine.refs import digest
from vre_operator.targets.rucio import accounts
from vre_operator.targets.rucio.change import Change

MARK = "vre-people"
DIGEST = "vre-digest"
FEW = 3
"""Leavers who may be suspended in any case."""

_KEY_LENGTH = 30
_TOLD = 10

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """All of one resource, read once. bodies: what each account is to hold, as accounts.py has it."""

    bodies: Mapping[str, Body] = field(repr=False)
    digests: Mapping[str, str]
    managed: Body
    declared: frozenset[str]
    share: int
    word: str
    problems: str
    unmatched: frozenset[str]

    @classmethod
    def parse(cls, body: Body, matching: Mapping[str, frozenset[str]]) -> Wish:
        """matching: the RSEs of those expressions of quotas that match any; for others no quota may be."""
        possible = [quota for quota in body["quotas"] if quota["rse_expression"] in matching]
        whole = {**body, "quotas": possible, "matching": matching}
        bodies = {one["name"]: _account(one, whole) for one in json.loads(body["people"])}
        declared = frozenset(body["declared"])
        bodies = {name: account for name, account in bodies.items() if name not in declared}
        return cls(
            bodies,
            {name: digest(dict(account)) for name, account in bodies.items()},
            {"attributes": _keys(body["groups"]) | {"admin"}, "quotas": _expressions(body["quotas"])},
            declared,
            body["share"],
            body["word"],
            body["problems"],
            frozenset(_expressions(body["quotas"]) - set(matching)),
        )


def _account(person: Body, body: Body) -> Body:
    mine = set(person["groups"])
    attributes = {_key(group): "true" for group in body["groups"] if group in mine and _key(group)}
    if mine & set(body["admins"]):
        attributes["admin"] = "true"
    quotas: dict[str, int] = {}
    for quota in body["quotas"]:
        if not quota["group"] or quota["group"] in mine:
            expression = quota["rse_expression"]
            quotas[expression] = max(quotas.get(expression, 0), quota["size"])
    identity = f"SUB={person['sub']}, ISS={body['issuer']}"
    return {
        "type": "USER",
        "email": person["email"],
        "attributes": attributes,
        "identities": [{"type": "OIDC", "identity": identity, "email": person["email"]}],
        "quotas": quotas,
        "rses": sorted(frozenset().union(*(body["matching"][one] for one in quotas))),
        "scopes": [f"user.{person['name']}"],
    }


def _key(group: str) -> str:
    """A group's name as that of an attribute, "" where Rucio would not take it."""
    text = re.sub(r"[^-A-Za-z0-9_.]", "-", group.strip("/"))
    return text if 0 < len(text) <= _KEY_LENGTH else ""


def _keys(groups: Iterable[str]) -> set[str]:
    return {key for group in groups if (key := _key(group))}


def _expressions(quotas: Iterable[Body]) -> set[str]:
    return {quota["rse_expression"] for quota in quotas}


def changes(name: str, wish: Wish, seen: Body | None) -> list[Change]:
    """What makes the account hold what it should, the mark last. What people added beside it stays."""
    body = wish.bodies[name]
    had = {one["key"]: one["value"] for one in (seen or {}).get("attributes", ())}
    active = seen is not None and seen["account"].get("status") == "ACTIVE"
    made = accounts.changes(name, body, _ours(seen, wish, body))
    if seen is not None and not active:
        return made  # what it holds Rucio tells only when it is active again
    return [*made, *_mark(name, had, MARK, "true"), *_mark(name, had, DIGEST, wish.digests[name])]


def _ours(seen: Body | None, wish: Wish, body: Body) -> Body | None:
    """What was seen, without what is none of our business."""
    if seen is None or "attributes" not in seen:
        return seen
    wanted = {(one["type"], one["identity"]) for one in body["identities"]}
    managed = wish.managed
    return {
        **seen,
        "attributes": [one for one in seen["attributes"] if one["key"] in managed["attributes"]],
        "identities": [one for one in seen["identities"] if (one["type"], one["identity"]) in wanted],
        "limits": {key: one for key, one in seen["limits"].items() if key in managed["quotas"]},
        # A bound that a person set at an RSE stays.
        "local": {rse: inf for rse, size in seen["local"].items() if size == inf or rse in body["rses"]},
    }


def _mark(name: str, had: Mapping[str, Any], key: str, value: str) -> Iterable[Change]:
    path = ("accounts", name, "attr", key)
    if str(had.get(key, "")).lower() == value:
        return
    if key in had:  # Rucio has no way to change one
        yield Change(key, "DELETE", path, done=("AccountNotFound",))
    yield Change(key, "POST", path, {"key": key, "value": value}, done=("Duplicate",))


def farewell(name: str, identities: Iterable[Body]) -> list[Change]:
    """The mark goes first, so that whoever comes back is read as a whole."""
    mark = Change(DIGEST, "DELETE", ("accounts", name, "attr", DIGEST), done=("AccountNotFound",))
    return [mark, *accounts.suspension(name, identities)]


def leavers(ours: Collection[str], wish: Wish) -> list[str]:
    """Whose account is active although nobody of the name may come in any more."""
    return sorted(set(ours) - wish.bodies.keys() - wish.declared)


def word(gone: Iterable[str]) -> str:
    """What a person has to say so that these are suspended although they are many."""
    return digest(list(gone))[:8]


def brake(gone: Collection[str], ours: Collection[str], wish: Wish) -> str:
    """Why nobody is suspended, "" when all of `gone` are to be."""
    allowed = max(FEW, len(ours) * wish.share // 100)
    if len(gone) <= allowed or wish.word == word(gone):
        return ""
    names = ", ".join(sorted(gone)[:_TOLD]) + (", ..." if len(gone) > _TOLD else "")
    return (
        f"{len(gone)} of {len(ours)} people are gone from the provider's groups ({names}), more than the"
        f" {allowed} who may be suspended at once, so nobody is. If that is right, set"
        f" spec.dataLake.people.confirmedLeavers to {word(gone)}; if not, correct the groups at the provider"
    )
