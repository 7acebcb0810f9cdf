"""Kind People: who may come in, as the provider knows them, read now and then and kept while it is away.

Body: as a Client's (provider, issuer, endpoints, credential), with groups: [name] whose members count, or
everybody: true; labels: [name], groups that are told of those who count; every: seconds between two readings;
credential_field for messages; scim: {url, scope} where they are read by SCIM instead of Keycloak's admin API.
Outputs: people, a JSON list of {name, sub, email, groups} in the order of the names; storage, the same as
XRootD's SciTokens plug-in reads it; problems, text for people.

A person's name is the user name in lower case, and nothing is made up where Rucio could not take it: it is the
person's name in notebooks, too.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vre_operator.engine.refs import digest
from vre_operator.engine.target import Observation
from vre_operator.targets.fresh import Fresh
from vre_operator.targets.oidc.discovery import Connect
from vre_operator.targets.oidc.http import Answer
from vre_operator.targets.oidc.keycloak_people import KeycloakPeople
from vre_operator.targets.oidc.model import ClientSpec
from vre_operator.targets.oidc.registrar import clean
from vre_operator.targets.oidc.scim import Scim

_NAME = re.compile(r"[-a-z0-9_]{1,20}")
"""Rucio's accounts have at most 25 characters, and so have scopes: user.NAME."""
_TOLD = 5
_SPREAD = 60.0
"""Seconds over which an operator that has just started reads everybody's people."""


class People:
    """The people by what was asked for; tenants of the same wish share a reading."""

    def __init__(self, connect: Connect, clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._known: dict[str, Fresh] = {}
        self._of: dict[tuple[str, str], Fresh] = {}
        self._first: dict[tuple[str, str], float] = {}

    def due(self, tenant: tuple[str, str]) -> float:
        """Seconds until they have to be read again; 0 when it has to be now."""
        if known := self._of.get(tenant):
            return known.rest
        now = self._clock()
        return max(self._first.setdefault(tenant, now + random.uniform(0.0, _SPREAD)) - now, 0.0)  # noqa: S311

    def forget(self, tenant: tuple[str, str]) -> None:
        """Nobody asks for this tenant's people any more."""
        self._of.pop(tenant, None)
        self._first.pop(tenant, None)

    async def observe(self, tenant: tuple[str, str], body: Mapping[str, Any]) -> Observation:
        """Raises while nobody is known; later a failing reading shows in readiness, and nobody is gone."""
        known = self._known.setdefault(digest(dict(body)), Fresh(self._clock, body["every"]))
        self._of[tenant] = known
        return await known.observe(lambda: self._ask(body))

    async def _ask(self, body: Mapping[str, Any]) -> dict[str, str]:
        spec = ClientSpec.parse(body)
        http = self._connect(spec.issuer, spec.ca_bundle, spec.allowed_cidrs)

        def says(answer: Answer) -> str:
            words = answer.text("error_description") or answer.text("errorMessage") or answer.text("error")
            return clean(words, spec.secrets())

        reader = Scim if "scim" in body else KeycloakPeople
        return outputs(await reader(http, spec, says, body).people())


def outputs(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What is published of them."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for person in found:
        # A service account of a client is nobody.
        if not person["username"].startswith("service-account-"):
            named.setdefault(person["username"].lower(), []).append(person)
    people, storage, problems = [], [], []
    for name, persons in sorted(named.items()):
        if not _NAME.fullmatch(name):
            problems.append(f"{name} is no name for an account (at most 20 of a-z, 0-9, - and _)")
        elif len(persons) > 1:
            problems.append(f"{name} is the name of {len(persons)} people who differ in capitals only")
        else:
            (person,) = persons
            rest = {key: person[key] for key in ("sub", "email")}
            people.append({"name": name, **rest, "groups": sorted(person["groups"])})
            storage.append({"sub": person["sub"], "result": name})
    told = "; ".join(problems[:_TOLD]) + (f"; and {len(problems) - _TOLD} more" if problems[_TOLD:] else "")
    return {"people": json.dumps(people), "storage": json.dumps(storage, indent=0), "problems": told}
