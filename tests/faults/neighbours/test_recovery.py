"""R7: what a deletion by mistake must not cost, and what remains of a deletion that was meant.

Data is what nobody can make again: volumes, and the Secrets that unlock them.
"""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.faults.neighbours.person import (
    DATA,
    NAMESPACE,
    VRE,
    Person,
    entries,
    fresh,
    lives,
    namespaces,
    until,
)
from tests.site import Site
from vre_operator.engine.resources import Policy

CLAIM, SECRET = DATA
HOME = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
Json = dict[str, Any]


async def with_homes(person: Person, tenant: str, **spec: Any) -> None:
    """A tenant that is Ready, and two people's homes."""
    await person.make(tenant, **spec)
    await person.settled(tenant)
    for name in ("claim-alice", "claim-bob"):
        await person.create(CLAIM, f"{tenant}-notebooks", name, spec=HOME)


async def data(person: Person, tenant: str) -> dict[str, tuple[str, Any] | None]:
    """uid and content of everything that must not be lost: what the inventory retains, and the homes."""
    vre = await person.vre(tenant)
    assert vre is not None
    kept = [entry.id for entry in entries(vre) if entry.policy is Policy.RETAIN]
    found = {
        f"{entry.short} {entry.namespace}": lives(await person.get(entry.kind, entry.namespace, entry.name))
        for entry in kept
        if entry.kind in DATA
    }
    homes = await person.kube.list(CLAIM, f"{tenant}-notebooks")
    found |= {f"home {home['metadata']['name']}": lives(home) for home in homes}
    assert len(found) >= 7
    assert None not in found.values()
    return found


def clients(person: Person, tenant: str) -> int:
    callback = f"https://{tenant}.example.org/hub/oauth_callback"
    return sum(callback in client["redirect_uris"] for client in person.registry.clients())


@pytest.mark.parametrize("killed", [False, True])
async def test_a_vre_deleted_by_mistake_comes_back_with_all_of_its_data(
    site: Site, person: Person, killed: bool
) -> None:
    """Killed: the operator dies in the middle of the deletion, and again in the middle of the return."""
    tenant = fresh("oops")
    await with_homes(person, tenant)
    before = await data(person, tenant)
    await person.delete(VRE, tenant, "vre")
    if killed:
        await until(lambda: person.get("apps/v1/Deployment", tenant, "hub"), lambda obj: obj is None)
        site.operator.end(signal.SIGKILL)
        site.operator.start()
    await person.gone(VRE, tenant, "vre")
    assert clients(person, tenant) == 0
    for namespace in namespaces(tenant)[:2]:
        kept = await person.get(NAMESPACE, "", namespace)
        assert kept is not None
        assert "deletionTimestamp" not in kept["metadata"]
    assert await person.get(NAMESPACE, "", f"{tenant}-workflows") is None or not killed
    assert await person.kube.list("apps/v1/Deployment", tenant) == []

    await person.make(tenant)
    await person.settled(tenant)
    assert await data(person, tenant) == before
    assert clients(person, tenant) == 1
    await person.remove(tenant)


async def test_a_vre_that_is_meant_to_go_with_its_data_leaves_nothing(site: Site, person: Person) -> None:
    tenant = fresh("bye")
    await with_homes(person, tenant, deletionPolicy="Delete")
    await person.create(SECRET, tenant, "a-persons-own", data={"key": "eA=="})
    await person.delete(VRE, tenant, "vre")
    await person.gone(VRE, tenant, "vre")
    for namespace in namespaces(tenant)[1:]:
        await person.gone(NAMESPACE, "", namespace)
    left = await person.state(tenant)
    assert {key.rpartition("/")[2] for key in left} == {tenant, "a-persons-own", "default"}
    assert clients(person, tenant) == 0


async def test_a_policy_that_is_changed_during_a_deletion_is_the_last_word(site: Site, person: Person) -> None:
    """Somebody who notices in time says Retain, and what is still there stays."""
    tenant = fresh("wait")
    await with_homes(person, tenant, deletionPolicy="Delete")
    before = await data(person, tenant)
    site.operator.end(signal.SIGKILL)
    await person.delete(VRE, tenant, "vre")
    await person.change(tenant, deletionPolicy="Retain")
    site.operator.start()
    await person.gone(VRE, tenant, "vre")
    await person.make(tenant)
    await person.settled(tenant)
    assert await data(person, tenant) == before
    await person.remove(tenant)


async def test_a_namespace_that_is_deleted_takes_its_own_and_leaves_the_homes(
    site: Site, person: Person
) -> None:
    """With Retain. The VREEnvironment goes with its namespace, orderly: its client and services go too."""
    tenant = fresh("home")
    await with_homes(person, tenant)
    before = {key: value for key, value in (await data(person, tenant)).items() if key.startswith("home")}
    await person.delete(NAMESPACE, "", tenant)
    await person.gone(NAMESPACE, "", tenant)
    assert clients(person, tenant) == 0
    homes = f"{tenant}-notebooks"
    kept = {f"home {obj['metadata']['name']}": lives(obj) for obj in await person.kube.list(CLAIM, homes)}
    assert kept == before
    assert await person.kube.list("rbac.authorization.k8s.io/v1/RoleBinding", homes) == []

    await person.make(tenant)
    await person.settled(tenant)
    after = await data(person, tenant)
    assert {key: after[key] for key in before} == before
    await person.remove(tenant)


@pytest.mark.parametrize("what", ["vre", "namespace"])
async def test_an_operator_that_is_away_during_a_deletion_finishes_it_later(
    site: Site, person: Person, what: str
) -> None:
    tenant = fresh("away")
    await with_homes(person, tenant)
    site.operator.end(signal.SIGKILL)
    await person.delete(
        VRE if what == "vre" else NAMESPACE, tenant if what == "vre" else "", "vre" if what == "vre" else tenant
    )
    held = await person.vre(tenant)
    assert held is not None
    await until(lambda: person.vre(tenant), lambda vre: vre and "deletionTimestamp" in vre["metadata"])
    assert clients(person, tenant) == 1
    site.operator.start()
    await person.gone(VRE, tenant, "vre")
    assert clients(person, tenant) == 0
    if what == "namespace":
        await person.gone(NAMESPACE, "", tenant)
    assert len(await person.kube.list(CLAIM, f"{tenant}-notebooks")) == 2
    if what == "vre":
        assert await person.get(CLAIM, tenant, "database") is not None
    for namespace in namespaces(tenant):
        await person.delete(NAMESPACE, "", namespace)
