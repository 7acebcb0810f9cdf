"""A Rucio that somebody else runs: a real one, over TLS, with an operator that only knows its address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.rucio.declared import Keeper
from tests.rucio.lake import at_work
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components import rucio

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Foreign:
    url: str
    ca: str

    def wish(self, **fields: Any) -> dict[str, Any]:
        attach = {"url": self.url, "credentialsSecret": {"name": "login"}}
        return {"attach": attach | fields.pop("attach", {}), **fields}

    def keeper(self, **more: Any) -> Keeper:
        site = {"caBundle": self.ca, "issuerCidrs": ["127.0.0.0/8", "::1/128"]}
        return Keeper("", **({"site": site} | more))


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    with at_work("elsewhere", tls=True) as work:
        yield Foreign(work.url.replace("127.0.0.1", "localhost"), (work.directory / "ca.crt").read_text())


async def test_what_is_declared_is_kept_there(foreign: Foreign) -> None:
    keeper = foreign.keeper()
    wish = foreign.wish(rses=[{"name": "GUEST"}], accounts=[{"name": "guest", "scopes": ["guest"]}])
    outcomes = await keeper.keep(wish)
    assert {name: one.message for name, one in outcomes.items() if not one.ready} == {}
    changes = len(keeper.wire.changes)
    assert changes
    keeper.look_again()
    assert all(one.ready for one in (await keeper.keep(wish)).values())
    assert len(keeper.wire.changes) == changes, "nothing is written twice"


def test_nothing_is_deployed(foreign: Foreign) -> None:
    spec = QUICKSTART | {"dataLake": {"enabled": True} | foreign.wish(rses=[{"name": "GUEST"}])}
    rendered = list(rucio.render(environment(spec)))
    assert {str(one.id.target) for one in rendered} == {"rucio", "kubernetes"}
    assert [one.id.short for one in rendered if one.id.target == "kubernetes"] == ["Secret login"]


async def test_a_wrong_password_is_told(foreign: Foreign) -> None:
    keeper = foreign.keeper(password="wrong")
    outcomes = await keeper.keep(foreign.wish(rses=[{"name": "GUEST"}]))
    assert outcomes["Rse GUEST"].reason == "CredentialsRefused"
    assert "refuses the login of account root" in outcomes["Rse GUEST"].message


async def test_an_address_that_the_site_does_not_allow_is_not_asked(foreign: Foreign) -> None:
    keeper = foreign.keeper(site={"caBundle": foreign.ca})
    outcomes = await keeper.keep(foreign.wish(rses=[{"name": "GUEST"}]))
    assert outcomes["Rse GUEST"].reason == "AddressRefused"
    assert "not a public address" in outcomes["Rse GUEST"].message
    number = {"url": foreign.url.replace("localhost", "127.0.0.1")}
    outcomes = await foreign.keeper().keep(foreign.wish(rses=[{"name": "GUEST"}], attach=number))
    assert {one.reason for one in outcomes.values() if not one.ready} >= {"AddressRefused"}


async def test_an_authority_that_nobody_trusts_is_told(foreign: Foreign) -> None:
    keeper = foreign.keeper(site={"issuerCidrs": ["127.0.0.0/8", "::1/128"]})
    outcomes = await keeper.keep(foreign.wish(rses=[{"name": "GUEST"}]))
    assert outcomes["Rse GUEST"].reason == "Unavailable"
    assert "certificate" in outcomes["Rse GUEST"].message
