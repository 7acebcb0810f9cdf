"""R6: a cluster that refuses a write. The tenant says which and why; others, and later it too, go on."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Any

import pytest
import yaml

from tests.faults.neighbours.person import CATALOGUE, LAKE, VRE, Person, entries, fresh, until
from tests.faults.neighbours.refusals import WORDS, Target, allow, forbid, lift, refuse
from tests.long import LONG, share
from tests.site import ROOT, SYSTEM, Site
from vre_operator.engine.errors import Invalid
from vre_operator.engine.resources import ResourceId
from vre_operator.kube.kinds import kind_of
from vre_operator.targets.kubernetes.cache import FOLLOWED
from vre_operator.targets.store import StateKey

pytestmark = pytest.mark.timeout(3600 if LONG else 300)
BYSTANDER = fresh("idle")
_CI_TAKES = 3
_DIGEST = re.compile(r"-[0-9a-f]{8}$")
CRD = ROOT / "crds/vreenvironments.vre.science.yaml"


@pytest.fixture(scope="module")
def objects(site: Site) -> list[ResourceId]:
    """Of a tenant that nobody disturbs."""
    site.make(BYSTANDER, dataLake=LAKE, catalogue=CATALOGUE)
    site.settled(BYSTANDER)
    vre = site.get("-n", BYSTANDER, "vre", "vre")
    assert vre is not None
    ours = [entry.id for entry in entries(vre) if entry.id.kind in FOLLOWED]
    assert {entry.kind for entry in ours} == set(FOLLOWED)
    return ours


async def serves_others(person: Person) -> None:
    """The queue moves on: what is deleted of another tenant's comes back."""
    await person.delete("v1/Service", BYSTANDER, "hub")
    await until(lambda: person.get("v1/Service", BYSTANDER, "hub"))
    await person.settled(BYSTANDER)


async def test_what_a_policy_refuses_is_named_with_its_cause_and_made_when_it_may(
    site: Site, person: Person, objects: list[ResourceId]
) -> None:
    """Each object in a tenant of its own; in CI one of every third kind."""
    chosen = objects if LONG else share({entry.kind: entry for entry in objects}.values(), _CI_TAKES)
    tenants = {fresh("deny"): entry for entry in chosen}
    await refuse(
        site,
        "deny-objects",
        [
            Target(
                kind_of(entry.kind).plural,
                entry.namespace.replace(BYSTANDER, tenant),
                _DIGEST.sub("", entry.name.replace(BYSTANDER, tenant)),
            )
            for tenant, entry in tenants.items()
        ],
    )
    for tenant in tenants:
        await person.make(tenant, catalogue=CATALOGUE)
    for tenant, entry in tenants.items():
        message = await person.settled(tenant, "Rejected")
        name = _DIGEST.sub("", entry.name.replace(BYSTANDER, tenant))
        assert f"{kind_of(entry.kind).name} {name}" in message
        assert "ValidatingAdmissionPolicy 'deny-objects'" in message
        # The words of a rule about a Secret may quote it.
        assert (WORDS in message) == (entry.kind not in ("v1/Secret", "v1/ConfigMap"))
    await serves_others(person)
    await lift(site, "deny-objects")
    await person.all_settled(tenants)
    await asyncio.gather(*(person.remove(tenant) for tenant in tenants))


async def test_what_a_quota_forbids_is_named_and_made_when_the_quota_goes(
    site: Site, person: Person, objects: list[ResourceId]
) -> None:
    """Kinds of which there are some in the tenant's own namespace."""
    kinds = sorted({entry.kind for entry in objects if entry.namespace == BYSTANDER})
    assert len(kinds) >= 10
    tenants = {fresh("none"): kind for kind in share(kinds, _CI_TAKES)}
    for tenant, kind in tenants.items():
        await person.create("v1/Namespace", "", tenant)
        await forbid(site, person, tenant, kind)
        await person.make(tenant, catalogue=CATALOGUE)
    for tenant, kind in tenants.items():
        message = await person.settled(tenant, "QuotaExceeded")
        assert f"{kind_of(kind).name} " in message
        assert "exceeded quota: none" in message
    await serves_others(person)
    for tenant in tenants:
        await allow(person, tenant)
    await person.all_settled(tenants)
    await asyncio.gather(*(person.remove(tenant) for tenant in tenants))


async def test_words_about_a_tenant_that_are_refused_are_made_up_for(site: Site, person: Person) -> None:
    """Its finalizer, its status, its events, and what the operator remembers of its client."""
    finalizer, status, event, memory = (fresh(name) for name in ("fin", "sta", "eve", "mem"))
    await refuse(
        site,
        "deny-words",
        [
            Target("vreenvironments", finalizer, "vre"),
            Target("vreenvironments/status", status, "vre"),
            Target("events", event, ""),
            Target("secrets", SYSTEM, StateKey(memory, "vre", "hub").object_name),
        ],
    )
    for tenant in (finalizer, status, event, memory):
        await person.make(tenant)
    await person.settled(event)
    message = await person.settled(memory, "Rejected", "IdentityReady")
    assert "ValidatingAdmissionPolicy 'deny-words'" in message
    message = await person.settled(finalizer, "Rejected")
    assert WORDS in message
    await until(lambda: warned(site, status))
    assert await person.get("apps/v1/Deployment", status, "hub") is None, (
        "nothing is made before it is written down"
    )
    assert await person.get("apps/v1/Deployment", finalizer, "hub") is None
    await serves_others(person)
    await lift(site, "deny-words")
    for tenant in (finalizer, status, event, memory):
        await person.settled(tenant)
        await person.remove(tenant)


async def warned(site: Site, tenant: str) -> bool:
    return any(
        line.get("tenant", "").startswith(f"{tenant}/") and WORDS in line["message"]
        for line in site.operator.log
    )


def crd(site: Site, **properties: object) -> None:
    """Apply the CRD, with more properties of spec than it has."""
    made = yaml.safe_load(CRD.read_text())
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name, value in properties.items():
        if name == "provider":
            schema["properties"]["spec"]["properties"]["identity"]["properties"]["provider"]["enum"].append(
                value
            )
        else:
            schema["properties"]["spec"]["properties"][name] = value
    site.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=made)


async def make_soon(person: Person, tenant: str, **spec: Any) -> None:
    """As soon as the API server has taken in the new schema."""

    async def accepted() -> bool:
        try:
            await person.make(tenant, **spec)
        except Invalid:
            return False
        return True

    await until(accepted)


async def test_a_crd_that_is_applied_again_disturbs_nobody(
    site: Site, person: Person, objects: list[ResourceId]
) -> None:
    before = await person.state(BYSTANDER)
    crd(site)
    crd(site, unused={"type": "string"})
    crd(site)
    await serves_others(person)
    assert await person.state(BYSTANDER) == before
    await person.change(BYSTANDER, suspend=True)
    await person.settled(BYSTANDER, "Suspended")
    await person.change(BYSTANDER, suspend=False)
    await person.settled(BYSTANDER)


async def test_an_old_object_with_a_field_that_is_no_more_goes_on(site: Site, person: Person) -> None:
    tenant = fresh("old")
    crd(site, legacy={"type": "string"})
    await make_soon(person, tenant, legacy="of an earlier version")
    crd(site)
    await person.settled(tenant)
    site.operator.end(signal.SIGKILL)
    site.operator.start()
    await person.change(tenant, suspend=True)
    await person.settled(tenant, "Suspended")
    await person.remove(tenant)


async def test_an_old_object_with_a_value_that_is_no_more_is_told_and_left_as_it_is(
    site: Site, person: Person
) -> None:
    tenant = fresh("rune")
    crd(site, provider="runes")
    identity = {"issuer": person.registry.issuer, "provider": "runes", "allowAll": True}
    await make_soon(person, tenant, identity={**identity, "credentialsSecret": {"name": "x"}})
    crd(site)
    message = await person.settled(tenant, "InvalidSpec")
    assert "spec.identity.provider" in message
    await serves_others(person)
    await person.change(tenant, identity={**identity, "provider": "generic-dcr"})
    await person.settled(tenant)
    await person.delete(VRE, tenant, "vre")
    await person.remove(tenant)
