"""What the operator itself says of the site's bounds: who stands is told and not ended; time and room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.runtime.rig import KEY, Rig, make_rig
from vre_operator.components.context import Environment
from vre_operator.engine.resources import Resource
from vre_operator.runtime.sites import SiteRules

Json = dict[str, Any]


def site(name: str = "site", **bounds: Any) -> Json:
    return {"metadata": {"name": name}, "spec": {"bounds": bounds}}


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.fixture
def rig() -> Rig:
    return make_rig()


def condition(rig: Rig, kind: str = "WithinBounds") -> Json | None:
    return next((one for one in rig.cluster.obj["status"]["conditions"] if one["type"] == kind), None)


async def test_who_stands_is_told_and_goes_on(rig: Rig) -> None:
    await rig.run()
    assert condition(rig) is None
    log = list(rig.world.log)
    assert rig.reconciler.rules.take(site(issuers=["https://other.example.org"]))
    await rig.run()
    told = condition(rig)
    assert told is not None
    assert (told["status"], told["reason"]) == ("False", "OutOfBounds")
    assert (
        "spec.identity.issuer: is no identity provider of this site: use one of https://other"
        in told["message"]
    )
    assert rig.cluster.ready["status"] == "True"
    assert rig.world.log == log
    rig.cluster.writes.clear()
    await rig.run()
    assert rig.cluster.writes == [], "told once"
    assert rig.reconciler.rules.take(site(issuers=["https://idp.example.org"]))
    await rig.run()
    told = condition(rig)
    assert told is not None
    assert told["status"] == "True"
    assert rig.reconciler.rules.take(None)
    await rig.run()
    assert condition(rig) is None


async def test_the_end_of_a_grant_suspends_and_a_longer_one_resumes(rig: Rig) -> None:
    rig.reconciler.rules.take(site(grants=[{"namespaces": ["at*"], "expires": day(1)}]))
    wait = await rig.run()
    assert rig.cluster.ready["status"] == "True"
    assert wait is not None
    assert wait <= 86_400
    seen: list[bool] = []

    def render(env: Environment) -> list[Resource]:
        seen.append(env.spec.suspend)
        return rig.plan

    rig.reconciler.plans._render = render
    rig.reconciler.rules.take(site(grants=[{"namespaces": ["at*"], "expires": day(-1)}]))
    await rig.run()
    assert seen == [True]
    assert (rig.cluster.ready["status"], rig.cluster.ready["reason"]) == ("False", "GrantExpired")
    assert "Everything is kept" in rig.cluster.ready["message"]
    assert "suspend" not in rig.cluster.obj["spec"]
    grants = [{"namespaces": ["at*"], "expires": day(-1)}, {"namespaces": ["atlas"], "expires": day(9)}]
    rig.reconciler.rules.take(site(grants=grants))
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    assert not seen[-1]


async def test_the_expiry_wakes_the_tenant_in_time(rig: Rig) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    rig.reconciler.rules.take(site(grants=[{"namespaces": ["atlas"], "expires": soon}]))
    wait = await rig.run()
    assert wait is not None
    assert 15 < wait <= 20


async def test_a_later_tenant_waits_for_room_and_who_stands_stays(rig: Rig) -> None:
    rig.older("older", "older.example.org")
    rig.reconciler.rules.take(site(tenants=1))
    wait = await rig.run()
    assert (rig.cluster.ready["reason"], rig.world.log) == ("SiteFull", [])
    assert "room for 1 VREEnvironments, and there are 1 older ones" in rig.cluster.ready["message"]
    assert wait is not None
    assert wait <= 30
    rig.tenants.drop(("older", KEY[1]))
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    rig.reconciler.rules.take(site(tenants=0))
    await rig.run()
    assert rig.cluster.ready["status"] == "True"


def test_a_site_that_cannot_be_read_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rules = SiteRules()
    assert rules.take(site(tenants=3))
    assert not rules.take(site(tenants=3))
    assert not rules.take(site("other", tenants=1))
    assert not rules.take(site(tenants="many"))
    assert rules.bounds is not None
    assert rules.bounds.tenants == 3
    assert "the former word stands: spec.bounds.tenants" in caplog.text
