"""Two tenants of one provider: no token that one's clients can be given is good at a service of the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.components.scenarios import FULL, FULL_SITE, environment
from vre_operator.components import ids, registry
from vre_operator.components.context import Environment
from vre_operator.engine.refs import printable
from vre_operator.engine.resources import OIDC, Tenant

_WANTED = re.compile(r"^\s*(?:expected_audience|audience)\s*=\s*(\S+)", re.MULTILINE)


def of(name: str) -> Environment:
    """A tenant with all there is, at names of its own."""
    spec: Any = json.loads(json.dumps(FULL).replace("ocean.example.org", f"{name}.example.org"))
    for one in spec["dataLake"].get("storage", ()):
        one["hostname"] = f"{one['name'].lower()}.{name}.example.org"
    return environment(spec, FULL_SITE, Tenant(name, name, f"uid-{name}", "cluster"))


def given(env: Environment) -> set[str]:
    """Audiences of the tokens that its clients may ask for."""
    return {
        audience
        for one in registry.render(env)
        if one.id.target == OIDC and one.id.kind == "Client"
        for scope in printable(one.body)["own_scopes"]
        for audience in scope["audiences"]
    }


def wanted(env: Environment) -> Iterator[str]:
    """Audiences that its services take."""
    for one in registry.render(env):
        for text in (printable(one.body).get("stringData") or printable(one.body).get("data") or {}).values():
            yield from _WANTED.findall(str(text))


@pytest.mark.attack("researcher", "a token of one tenant at another")
@pytest.mark.parametrize(("mine", "other"), [("ocean", "desert"), ("desert", "ocean")])
def test_no_token_of_one_tenant_is_good_at_another(mine: str, other: str) -> None:
    tokens, services = given(of(mine)), set(wanted(of(other)))
    assert ids.rucio_audience(of(mine)) in tokens
    assert ids.rucio_audience(of(other)) in services
    assert len(services) > 1, "storages want one, too"
    assert tokens.isdisjoint(services)
    assert not tokens.isdisjoint(set(wanted(of(mine))))
