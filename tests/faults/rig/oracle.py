"""The common oracle O: what must hold after any fault, each violation in words.

The numbers are those of the method (reliability, 1.3). Nothing is said about time: who waits tells of a hang.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.faults.rig.normalise import State
from tests.faults.rig.recorders import Name

# (pattern, why it is no fault of the operator's)
LOG_ALLOWED: tuple[tuple[str, str], ...] = (
    (
        r"^Request attempt #\d+/\d+ failed; will retry: GET ",
        "kopf takes an API server on a busy machine that is slow to accept for an error, and asks again",
    ),
)
"""Patterns, and why they are no complaint."""
DATA_KINDS = ("PersistentVolumeClaim", "PersistentVolume")


@dataclass(frozen=True, slots=True)
class Violation:
    """`rule`: the number in O, or X6."""

    rule: str
    plan: str
    what: str

    def __str__(self) -> str:
        return f"({self.rule}) {self.plan}: {self.what}"


@dataclass(slots=True)
class Evidence:
    """What was found after one run of a workload; names are normalised.

    created, deleted: different objects under each name. lost: data objects that are gone.
    registered: how often the provider made a client. clients: the tenant's now; leftovers: after its end.
    logs_in: whether the pair that is remembered does, None where there is none.
    restless: what was asked of anybody when all was done. untrue: conditions that say too much.
    trouble: what kept the run from its end.
    """

    state: State = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    registered: int = 0
    clients: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    logs_in: bool | None = None
    lost: set[Name] = field(default_factory=set)
    restless: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    log: Sequence[Mapping[str, Any]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def judged(
    plan: str,
    seen: Evidence,
    reference: Evidence,
    *,
    consent: bool,
    registrations: int = 0,
    told: bool = False,
) -> list[Violation]:
    """All that O has to say. registrations: how many more than the reference the plan itself explains.

    told: the plan explains that a registration token is lost, which the tenant's status tells.
    """
    found = _all(seen, reference, consent, registrations)
    return [Violation(rule, plan, what) for rule, what in found if not (told and _TOKEN.search(what))]


# What differs once a registration token is lost: the memory of it, and the condition that tells.
_TOKEN = re.compile(
    r"^Secret/vre-system/oidc-client-\S+ data\.state\.json\.(rat|registration_uri|problem\.\d) "
    r"|^VREEnvironment/\S+ status\.conditions\.IdentityReady\.(reason|message) "
)


def _all(seen: Evidence, reference: Evidence, consent: bool, registrations: int) -> Iterator[tuple[str, str]]:
    yield from (("0", text) for text in seen.trouble)
    yield from (("1", text) for text in different(reference.state, seen.state))
    yield from (("2", text) for text in _counts("created", seen.created, reference.created))
    yield from (("2", text) for text in _counts("deleted", seen.deleted, reference.deleted))
    if seen.registered > reference.registered + registrations:
        yield "2", f"the provider made {seen.registered} clients, in the reference {reference.registered}"
    if seen.lost and not consent:
        yield from (("3", f"{name} was deleted, and nobody agreed to that") for name in sorted(seen.lost))
    if len(seen.clients) != len(reference.clients):
        yield "4", f"clients at the provider: {seen.clients}, in the reference {len(reference.clients)}"
    yield from (("4", f"client {one} was left at the provider") for one in seen.leftovers)
    if seen.logs_in is False:
        yield "4", "the client that is remembered does not log in at the provider"
    yield from (("5", f"asked although all is settled: {text}") for text in seen.restless)
    yield from (("6", text) for text in seen.untrue)
    yield from (("7", text) for text in complaints(seen.log))
    yield from (("X6", text) for text in seen.leaks)


def different(wanted: State, seen: State) -> list[str]:
    """The differences of two end states, by object and field."""
    found = [f"{name} is missing" for name in sorted(wanted.keys() - seen.keys())]
    found += [f"{name} is there and should not be" for name in sorted(seen.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & seen.keys()):
        one, other = wanted[name], seen[name]
        for path in sorted(one.keys() | other.keys()):
            if one.get(path) != other.get(path):
                found.append(f"{name} {path} is {other.get(path)!r} instead of {one.get(path)!r}"[:400])
    return found


def _counts(what: str, seen: Counter[str], reference: Counter[str]) -> Iterator[str]:
    for name in sorted(seen.keys() | reference.keys()):
        if seen[name] != reference[name]:
            yield f"{name} was {what} {seen[name]} times instead of {reference[name]}"


def untrue(vre: Mapping[str, Any] | None, objects: Mapping[Name, Mapping[str, Any]]) -> list[str]:
    """Where the conditions say more than what there is."""
    if vre is None:
        return []
    status = vre.get("status") or {}
    found = []
    if status.get("observedGeneration") != vre["metadata"]["generation"]:
        found.append("observedGeneration lags behind")
    ready: Mapping[str, Any] = next(
        (item for item in status.get("conditions") or () if item["type"] == "Ready"), {}
    )
    if ready.get("status") == "True":
        found += [f"Ready is True, and {text}" for text in _unready(objects)]
    return found


def _unready(objects: Mapping[Name, Mapping[str, Any]]) -> Iterator[str]:
    for name, obj in objects.items():
        status = obj.get("status") or {}
        if name.kind in ("Deployment", "StatefulSet"):
            if status.get("readyReplicas", 0) < obj["spec"].get("replicas", 1):
                yield f"{name} has too few pods"
            if status.get("observedGeneration") != obj["metadata"]["generation"]:
                yield f"{name} is behind its own spec"
        if name.kind == "Job" and not status.get("succeeded"):
            yield f"{name} is not done"


def complaints(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Tracebacks, errors, and what the interpreter says itself."""
    return [
        f"the log says: {line['message'][:200]} {line.get('traceback', '')[-600:]}"
        for line in lines
        if ("traceback" in line or line["level"] not in ("debug", "info", "warning"))
        and not any(re.search(pattern, line["message"]) for pattern, _ in LOG_ALLOWED)
    ]


def leaks(secrets: Iterable[str], places: Mapping[str, str]) -> list[str]:
    """Where a secret value stands in the open, in any spelling. The value itself is not told."""
    found = []
    for secret in sorted(secrets):
        spelled = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}
        for place, text in places.items():
            if any(word in text for word in spelled):
                found.append(f"a secret that begins with {secret[:3]}... stands in {place}")
    return found
