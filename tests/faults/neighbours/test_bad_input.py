"""Whatever the API server admits: the queue moves on, the tenant says what is wrong, nobody else notices."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.faults.neighbours import largest
from tests.faults.neighbours.person import NAMESPACE, VRE, Person, fresh, namespaces, until
from tests.long import LONG
from tests.site import Site
from vre_operator.engine.errors import Conflict

CROWD = 1000 if LONG else 40
BYSTANDER = fresh("calm")
HOLD = "example.org/hold"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def bystander(site: Site) -> str:
    site.make(BYSTANDER)
    site.settled(BYSTANDER)
    return BYSTANDER


async def repaired(person: Person) -> float:
    """What is deleted of the bystander's comes back; after how many seconds."""
    began = time.monotonic()
    await person.delete("v1/Service", BYSTANDER, "hub")
    await until(lambda: person.get("v1/Service", BYSTANDER, "hub"))
    return time.monotonic() - began


async def images(person: Person, tenant: str) -> Json:
    found = await until(lambda: person.get("v1/ConfigMap", tenant, "hub-images"))
    assert found is not None
    return {item["name"]: item for item in json.loads(found["data"]["images.json"])}


async def test_the_largest_spec_that_the_schema_admits_is_served(
    site: Site, bystander: str, person: Person
) -> None:
    """With a provider that takes such scopes or says why not; the rest does not wait for it."""
    tenant = fresh("huge")
    spec = largest.spec(tenant, person.registry.issuer)
    known = {"spec.identity.issuer", "spec.identity.allowAll"}
    lacking = [text for text in largest.shortfalls(largest.schema(), spec) if text.split(":")[0] not in known]
    items = largest.schema()["properties"]["dataLake"]["properties"]
    assert all(len(spec["dataLake"][name]) == items[name]["maxItems"] for name in largest.LISTS)
    lacking = [text for text in lacking if not text.startswith("spec.dataLake.")]
    # These exclude what is given.
    excluded = {"database.external", "exposure.tls.secret", "exposure.gateway", "storage.homes.claim"}
    excluded |= {f"storage.shares[].{name}" for name in ("volume", "claim", "cvmfs", "writers")}
    # It would be one of a VRESite.
    excluded |= {"preset"}
    # Its provider is not asked who is in a group.
    excluded |= {"workflows.quotas[].group"}
    not_given = {text for text in lacking if "not given" in text}
    assert not_given == {f"spec.{name}: not given" for name in excluded}
    print("\n".join(text for text in lacking if "not given" not in text))
    await person.create(NAMESPACE, "", tenant)
    await person.create("v1/Secret", tenant, "s" * 253, data={"initial_access_token": "eA=="})
    await person.make(tenant, **spec)
    seen = await until(lambda: person.conditions(tenant), lambda found: "IdentityReady" in found)
    print(seen)
    found = await images(person, tenant)
    assert len(found) == 200
    assert all(
        found[item["name"]]["description"] == item["description"] for item in spec["catalogue"]["entries"]
    )
    await repaired(person)
    await person.remove(tenant)


async def test_hostile_words_arrive_as_they_are(site: Site, bystander: str, person: Person) -> None:
    tenant = fresh("evil")
    given = [
        {"name": f"i{number}", "image": "quay.io/a/b:c", "displayName": text[:100], "description": text}
        for number, text in enumerate(largest.HOSTILE)
    ]
    identity = {"issuer": person.registry.issuer, "provider": "generic-dcr"}
    groups = [text for text in largest.HOSTILE if text.strip()]
    await person.make(
        tenant,
        catalogue={"entries": given},
        identity={**identity, "allowedGroups": groups, "adminGroups": groups},
    )
    await person.settled(tenant)
    found = await images(person, tenant)
    assert {name: item["description"] for name, item in found.items()} == {
        item["name"]: item["description"] for item in given
    }
    config = await person.get("v1/ConfigMap", tenant, "hub-config")
    assert config is not None
    texts = [json.loads(text) for name, text in config["data"].items() if name.endswith(".json")]
    assert any(groups == value for text in texts for value in flat(text))
    await repaired(person)
    await person.remove(tenant)


def flat(value: Any) -> list[Any]:
    """Everything in it, and itself."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(item for part in below for item in flat(part))]


@pytest.mark.timeout(3600 if LONG else 240)
async def test_a_crowd_that_comes_and_goes_at_once(site: Site, bystander: str, person: Person) -> None:
    """Tenants without services, for their number counts. One that was there before is served all along."""
    crowd = [fresh(f"c{number}") for number in range(CROWD)]
    small: Json = {"notebooks": {"enabled": False}, "dataLake": {"enabled": False}}
    gate = asyncio.Semaphore(16)

    async def each(do: Callable[[str], Awaitable[object]]) -> None:
        async def one(tenant: str) -> None:
            async with gate:
                await do(tenant)

        await asyncio.gather(*(one(tenant) for tenant in crowd))

    await each(lambda tenant: person.make(tenant, **small))
    print(f"{CROWD} tenants made: repaired in {await repaired(person):.1f} s")
    ready = await until(lambda: count(person, crowd), lambda found: found == len(crowd), 1800)
    assert ready == len(crowd)
    await each(lambda tenant: person.delete(VRE, tenant, "vre"))
    print(f"{CROWD} tenants deleted: repaired in {await repaired(person):.1f} s")
    await until(lambda: left(person, crowd), lambda found: found == 0, 1800)
    for tenant in crowd:
        await person.delete(NAMESPACE, "", tenant)
    # The cluster ends thousands of namespaces one after the other, and those of the next test behind them.
    await until(lambda: ending(person, crowd), lambda found: found == 0, 1800)
    clients = [uri for client in person.registry.clients() for uri in client["redirect_uris"]]
    assert not [uri for uri in clients if any(f"//{tenant}." in uri for tenant in crowd)]


async def count(person: Person, crowd: list[str]) -> int:
    await asyncio.sleep(0.5)
    wanted = set(crowd)
    return sum(
        any(item["type"] == "Ready" and item["status"] == "True" for item in obj["status"]["conditions"])
        for obj in await person.kube.list(VRE)
        if obj["metadata"]["namespace"] in wanted and "conditions" in (obj.get("status") or {})
    )


async def left(person: Person, crowd: list[str]) -> int:
    await asyncio.sleep(0.5)
    wanted = set(crowd)
    return sum(obj["metadata"]["namespace"] in wanted for obj in await person.kube.list(VRE))


async def ending(person: Person, crowd: list[str]) -> int:
    await asyncio.sleep(2.0)
    wanted = {namespace for tenant in crowd for namespace in namespaces(tenant)}
    return sum(obj["metadata"]["name"] in wanted for obj in await person.kube.list(NAMESPACE))


async def test_a_tenant_that_is_edited_all_the_time_holds_up_nobody(
    site: Site, bystander: str, person: Person
) -> None:
    """A hundred times a second for ten seconds; another one's service is deleted whenever it is back."""
    tenant = fresh("nervous")
    await person.make(tenant)
    await person.settled(tenant)
    end = time.monotonic() + 10
    edits = repairs = 0

    async def edit() -> None:
        nonlocal edits
        while time.monotonic() < end:
            edits += 1
            change = {"op": "add", "path": "/spec/notebooks/maxSessions", "value": 1 + edits % 1000}
            await asyncio.gather(person.patch(VRE, tenant, "vre", change), asyncio.sleep(0.01))

    async def spoil() -> None:
        nonlocal repairs
        while time.monotonic() < end:
            await repaired(person)
            repairs += 1

    await asyncio.gather(edit(), spoil())
    print(f"{edits} edits, {repairs} repairs of another tenant")
    # On an idle machine hundreds of both; fewer than this means that one waited for the other.
    assert edits > 100
    assert repairs > 10
    await person.change(tenant, notebooks={})
    await person.settled(tenant)
    quotas = [await person.get("v1/ResourceQuota", f"{one}-notebooks", "vre") for one in (tenant, BYSTANDER)]
    assert quotas[0] is not None
    assert quotas[1] is not None
    assert quotas[0]["spec"] == quotas[1]["spec"]
    await person.remove(tenant)


async def stuck(person: Person, kind: str, namespace: str, name: str) -> None:
    """With a foreign finalizer."""

    def hold(obj: Json) -> None:
        obj["metadata"].setdefault("finalizers", []).append(HOLD)

    await person.edit(kind, namespace, name, hold)


async def freed(person: Person, kind: str, namespace: str, name: str) -> None:
    def free(obj: Json) -> None:
        obj["metadata"]["finalizers"] = [one for one in obj["metadata"]["finalizers"] if one != HOLD]

    try:
        await person.edit(kind, namespace, name, free)
    except Conflict:
        return


async def test_a_namespace_that_does_not_end_is_named_with_what_holds_it(
    site: Site, bystander: str, person: Person
) -> None:
    tenant = fresh("stuck")
    await person.make(tenant, deletionPolicy="Delete")
    await person.settled(tenant)
    inside = f"{tenant}-notebooks"
    await person.create("v1/ConfigMap", inside, "held")
    await stuck(person, "v1/ConfigMap", inside, "held")
    await person.delete(VRE, tenant, "vre")

    async def told() -> str:
        vre = await person.vre(tenant)
        assert vre is not None
        return str(next(item["message"] for item in vre["status"]["conditions"] if item["type"] == "Ready"))

    message = await until(told, lambda text: f"Namespace {inside}" in text and HOLD in text)
    print(message)
    await repaired(person)
    await freed(person, "v1/ConfigMap", inside, "held")
    await person.gone(VRE, tenant, "vre")
    await person.gone(NAMESPACE, "", inside)
    await person.remove(tenant)


async def test_a_child_that_does_not_end_is_named_with_what_holds_it(
    site: Site, bystander: str, person: Person
) -> None:
    """While the tenant stays, and while it goes."""
    tenant = fresh("child")
    await person.make(tenant)
    await person.settled(tenant)
    what = ("v1/Service", tenant, "hub")
    await stuck(person, *what)
    await person.delete(*what)

    async def told() -> str:
        vre = await person.vre(tenant)
        assert vre is not None
        return str(next(item["message"] for item in vre["status"]["conditions"] if item["type"] == "Ready"))

    message = await until(told, lambda text: "Service hub" in text and HOLD in text)
    print(message)
    await repaired(person)
    await freed(person, *what)
    await person.settled(tenant)

    await stuck(person, *what)
    await person.delete(VRE, tenant, "vre")
    message = await until(told, lambda text: "Service hub" in text and HOLD in text)
    print(message)
    await repaired(person)
    await freed(person, *what)
    await person.gone(VRE, tenant, "vre")
    await person.remove(tenant)


async def test_a_foreign_finalizer_on_the_wish_is_its_owners_affair(
    site: Site, bystander: str, person: Person
) -> None:
    """All of ours is gone; the object waits for them and costs nothing."""
    tenant = fresh("held")
    await person.make(tenant, deletionPolicy="Delete")
    await stuck(person, VRE, tenant, "vre")
    await person.settled(tenant)
    await person.delete(VRE, tenant, "vre")

    async def finalizers() -> list[str]:
        vre = await person.vre(tenant)
        return [] if vre is None else vre["metadata"]["finalizers"]

    await until(finalizers, lambda found: found == [HOLD])
    for namespace in namespaces(tenant)[1:]:
        await person.gone(NAMESPACE, "", namespace)
    before = await person.vre(tenant)
    await repaired(person)
    asked = await asyncio.to_thread(site.requests, lambda: time.sleep(3))
    assert not [what for what in asked if tenant in what]
    assert await person.vre(tenant) == before
    await freed(person, VRE, tenant, "vre")
    await person.gone(VRE, tenant, "vre")
    await person.remove(tenant)
