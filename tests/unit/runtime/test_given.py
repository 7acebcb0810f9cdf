"""Passes over a tenant that names next to nothing, at a site that gives the rest."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.unit.runtime.rig import KEY, Rig
from tests.unit.runtime.rig import make_rig as plain_rig
from tests.unit.runtime.sites import DEFAULTS, EVIL, IDENTITY, ISSUER, SHORT, site
from vre_operator.components.context import Environment, kube
from vre_operator.engine.resources import Resource
from vre_operator.runtime.tenants import Tenants

Json = dict[str, Any]


@pytest.fixture
def rig() -> Rig:
    """A tenant with the shortest wish, at a site."""
    made = plain_rig()
    rules = made.reconciler.rules
    made.tenants = Tenants(lambda obj: rules.wish(obj).obj)
    made.restart()
    object.__setattr__(made.reconciler, "rules", rules)
    made.cluster.tenants = made.reconciler.publisher._tenants = made.tenants
    made.cluster.obj["spec"] = deepcopy(SHORT)
    rules.take(site(**DEFAULTS))
    made.tenants.put(made.cluster.obj)
    return made


def taken(rig: Rig) -> Json:
    return {one["field"]: one["value"] for one in rig.cluster.obj["status"]["defaults"]}


def give(rig: Rig, **more: Any) -> None:
    assert rig.reconciler.rules.take(site(**{**DEFAULTS, **more}))
    rig.tenants.claim_anew()


async def test_what_stays_is_written_down_before_anything_is_made(rig: Rig) -> None:
    made: list[bool] = []
    rig.cluster.fault = lambda what: made.append(bool(rig.world.log)) if what == "before status" else None
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    assert made[0] is False
    assert taken(rig)["spec.hostname"] == "atlas.vre.example.org"
    assert rig.cluster.obj["status"]["hostnames"] == ["atlas.vre.example.org"]
    assert rig.cluster.obj["status"]["endpoints"]["url"] == "https://atlas.vre.example.org"


async def test_a_settled_tenant_rests_until_the_site_gives_it_something_else(rig: Rig) -> None:
    seen: list[Environment] = []

    def render(env: Environment) -> list[Resource]:
        seen.append(env)
        return rig.plan

    rig.reconciler.plans._render = render
    await rig.run()
    await rig.run()
    assert len(seen) == 1
    give(rig, exposure={"ingressClass": "envoy"})
    await rig.run()
    assert seen[-1].spec.exposure.ingress_class == "envoy"
    told = rig.cluster.obj["status"]["given"]
    assert {"field": "spec.exposure.ingressClass", "value": "envoy"} in told
    assert "registration" not in str(told), "what the site lends is its own matter"
    give(rig, exposure={"ingressClass": "envoy"}, domain="{namespace}.other.org")
    await rig.run()
    assert len(seen) == 2, "that is for others"
    assert seen[-1].spec.hostname == "atlas.vre.example.org"
    give(rig, identity=IDENTITY | {"credentialsSecret": {"name": "another"}})
    await rig.run()
    assert seen[-1].tenant.lent == kube("v1/Secret", "vre-system", "another")


async def test_a_standing_tenant_waits_for_its_issuer(rig: Rig) -> None:
    await rig.run()
    log = list(rig.world.log)
    give(rig, identity=IDENTITY | {"issuer": "https://new.example.org/realms/vre"})
    await rig.run()
    assert (rig.cluster.ready["status"], rig.cluster.ready["reason"]) == ("False", "IssuerMoved")
    assert f"name {ISSUER} with a credential of your own" in rig.cluster.ready["message"]
    assert rig.world.log == log, "what stands goes on"
    rig.cluster.obj["spec"]["identity"] |= {"issuer": ISSUER, "provider": "generic-dcr"}
    rig.change(generation=2)
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    rig.cluster.obj["spec"]["identity"] |= {"issuer": EVIL}
    rig.change(generation=3)
    await rig.run()
    assert rig.cluster.ready["reason"] == "IssuerMoved"
    assert f"Set it to {ISSUER}" in rig.cluster.ready["message"]


async def test_a_name_that_the_site_gives_is_claimed(rig: Rig) -> None:
    other = rig.older("cms", "atlas.vre.example.org")
    await rig.run()
    assert rig.cluster.ready["reason"] == "HostnameTaken"
    assert rig.tenants.rivals(rig.cluster.obj) == {("cms", KEY[1])}
    assert rig.tenants.rivals(other) == {KEY}
    give(rig, domain="{namespace}.other.org")
    assert rig.tenants.rivals(other) == set()
    await rig.run()
    assert rig.cluster.ready["status"] == "True"
    assert taken(rig)["spec.hostname"] == "atlas.other.org"


async def test_bounds_are_told_of_the_whole_wish(rig: Rig) -> None:
    obj = site(**DEFAULTS)
    obj["spec"]["bounds"] = {"ingressClasses": ["nginx"]}
    rig.reconciler.rules.take(obj)
    await rig.run()
    told = next(one for one in rig.cluster.obj["status"]["conditions"] if one["type"] == "WithinBounds")
    assert "spec.exposure.ingressClass: is no IngressClass for tenants" in told["message"]
