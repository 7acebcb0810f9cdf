"""R6: whatever a person or another controller does to what is ours is put back, and nothing else is touched.

One object of each kind; with VRE_LONG=1 all of them.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.neighbours import spoil
from tests.faults.neighbours.person import (
    CATALOGUE,
    DATA,
    LAKE,
    NAMESPACE,
    Hung,
    Person,
    differing,
    essence,
    fresh,
    lives,
    namespaces,
    until,
)
from tests.long import LONG
from tests.site import ACCOUNT, Site
from vre_operator.api import names
from vre_operator.engine.errors import Invalid
from vre_operator.engine.resources import ResourceId
from vre_operator.targets.kubernetes.cache import FOLLOWED
from vre_operator.targets.kubernetes.manifest import MARK

TENANT = fresh("ada")
RIVAL = fresh("bob")
Json = dict[str, Any]
# The long run's machine is full for hours.
_SOON = 60 if LONG else 12
_WITH_PASSWORDS = ("database", "rucio-schema")
"""Jobs that set or use one."""


@pytest.fixture(scope="module")
def tenant(site: Site) -> str:
    for name in (TENANT, RIVAL):
        site.make(name, dataLake=LAKE, catalogue=CATALOGUE)
    for name in (TENANT, RIVAL):
        site.settled(name)
    return TENANT


async def chosen(person: Person) -> list[ResourceId]:
    """The tenant's own namespace is a person's, and has another test."""
    everything = [entry for entry in await person.inventory(TENANT) if entry.name != TENANT]
    assert {entry.kind for entry in everything} == set(FOLLOWED)
    return everything if LONG else list({entry.kind: entry for entry in everything}.values())


async def live(person: Person, what: ResourceId) -> Json:
    return await person.kube.get(what.kind, what.namespace, what.name)


async def restored(person: Person, what: ResourceId, before: Json) -> Json:
    """Wait until it is as it was, perhaps in another life."""

    async def look() -> Json | None:
        return await person.get(what.kind, what.namespace, what.name)

    try:
        return await until(look, lambda obj: obj is not None and essence(obj) == before, _SOON) or {}
    except Hung:
        left = differing(before, essence(await look() or before))
        raise Hung(f"{left} {(await person.conditions(TENANT)).get('Ready')}") from None


async def spoil_field(person: Person, what: ResourceId, pointer: str, before: Json) -> bool:
    """False when the API server itself guards the field."""
    value = spoil.at(await live(person, what), pointer)
    for patch in spoil.others(pointer, value):
        try:
            spoiled = await person.patch(what.kind, what.namespace, what.name, patch)
        except Invalid:
            continue
        if essence(spoiled) != before:
            await restored(person, what, before)
            return True
    return False


async def spoil_every_field(person: Person, what: ResourceId, told: Counter[str], problems: list[str]) -> None:
    obj = await live(person, what)
    before = essence(obj)
    for pointer in spoil.owned(obj):
        if what.kind == "v1/Secret" and pointer.startswith("/data/"):
            continue  # a generated value that a person replaces is the person's: nobody else knows it
        try:
            repaired = await spoil_field(person, what, pointer, before)
        except Hung as hung:
            problems.append(f"{what} {pointer}: {hung}")
            return
        told["repaired" if repaired else "guarded"] += 1


@pytest.mark.timeout(600)
async def test_every_field_that_is_ours_is_put_back(site: Site, tenant: str, person: Person) -> None:
    told: Counter[str] = Counter()
    problems: list[str] = []
    objects = await chosen(person)
    before = await person.state(tenant)
    await asyncio.gather(*(spoil_every_field(person, what, told, problems) for what in objects))
    print(f"{len(objects)} objects: {dict(told)}")
    assert problems == []
    assert told["repaired"] > 10 * len(objects)
    assert await person.state(tenant) == before
    await person.settled(tenant)


async def test_a_service_port_with_another_number_is_put_back(tenant: str, person: Person) -> None:
    """It stood beside ours with the same name, and every apply was refused."""
    what = ResourceId("kubernetes", "v1/Service", tenant, "hub")
    before = essence(await live(person, what))
    await person.patch(
        what.kind, tenant, what.name, {"op": "replace", "path": "/spec/ports/0/port", "value": 4711}
    )
    await restored(person, what, before)
    await person.settled(tenant)


async def test_a_deployment_that_was_made_to_roll_is_put_back(tenant: str, person: Person) -> None:
    """The settings that the API server gives a rolling update forbid every other strategy."""
    what = ResourceId("kubernetes", "apps/v1/Deployment", tenant, "hub")
    before = essence(await live(person, what))
    await person.patch(
        what.kind, tenant, what.name, {"op": "replace", "path": "/spec/strategy/type", "value": "RollingUpdate"}
    )
    await restored(person, what, before)
    await person.settled(tenant)


def strip(obj: Json) -> None:
    """Of all labels and annotations that we gave it, but for our mark."""
    for pointer in spoil.owned(obj):
        _, top, *field = pointer.split("/")
        if top == "metadata" and field[0] in ("labels", "annotations"):
            name = field[1].replace("~1", "/")
            # To a Job without any label the API server gives those of its pods.
            last = obj["kind"] == "Job" and len(obj["metadata"]["labels"]) == 1
            if name != MARK and not (last and field[0] == "labels"):
                del obj["metadata"][field[0]][name]


def unmark(obj: Json) -> None:
    del obj["metadata"]["annotations"][MARK]


def corrupt(obj: Json) -> None:
    """As if it were another tenant's, who exists."""
    obj["metadata"]["labels"] |= {names.TENANT_NAMESPACE_LABEL: RIVAL, names.TENANT_UID_LABEL: "another"}


def disown(obj: Json) -> None:
    """As if it came from another system: without our manager label, and with a mark of nobody."""
    obj["metadata"]["labels"].pop(names.MANAGED_BY_LABEL)
    obj["metadata"]["annotations"][MARK] = "nobody.0"


@pytest.mark.parametrize("how", [strip, unmark, corrupt, disown])
async def test_what_tells_that_it_is_ours_is_put_back(
    tenant: str, person: Person, how: Callable[[Json], None]
) -> None:
    objects = await chosen(person)
    before = await person.state(tenant)
    rival = await person.state(RIVAL)

    async def one(what: ResourceId) -> None:
        was = await live(person, what)
        await person.edit(what.kind, what.namespace, what.name, how)
        now = await restored(person, what, essence(was))
        assert lives(now) == lives(was)

    await asyncio.gather(*(one(what) for what in objects))
    assert await person.state(tenant) == before
    assert await person.state(RIVAL) == rival


async def test_what_nothing_tells_to_be_ours_is_left_alone_and_named(tenant: str, person: Person) -> None:
    """Labels and mark both gone: it could be anybody's. Given back, it is ours again."""
    for what in await chosen(person):
        was = await live(person, what)

        def nobodys(obj: Json) -> None:
            obj["metadata"]["labels"] = {}
            obj["metadata"]["annotations"] = {}

        await person.edit(what.kind, what.namespace, what.name, nobodys)
        reason = "NamespaceTaken" if what.kind == NAMESPACE else "OwnedByOther"
        message = await person.settled(tenant, reason)
        assert f"{what.name} exists and is not this operator's" in message
        found = await live(person, what)
        assert names.TENANT_UID_LABEL not in (found["metadata"].get("labels") or {})

        def returned(obj: Json, was: Json = was) -> None:
            for field in ("labels", "annotations"):
                obj["metadata"][field] = was["metadata"][field]

        await person.edit(what.kind, what.namespace, what.name, returned)
        await person.settled(tenant)
        assert lives(await live(person, what)) == lives(was)


async def test_what_others_add_beside_ours_stays_while_ours_is_put_back(tenant: str, person: Person) -> None:
    async def one(what: ResourceId) -> None:
        was = await live(person, what)

        def both(obj: Json) -> None:
            obj["metadata"]["labels"]["example.org/team"] = "blue"
            obj["metadata"]["annotations"]["example.org/note"] = "ours"
            del obj["metadata"]["labels"][names.COMPONENT_LABEL]

        await person.edit(what.kind, what.namespace, what.name, both)
        wanted = essence(was)
        wanted["metadata"]["labels"]["example.org/team"] = "blue"
        wanted["metadata"]["annotations"]["example.org/note"] = "ours"
        await restored(person, what, wanted)

        def without(obj: Json) -> None:
            del obj["metadata"]["labels"]["example.org/team"]
            del obj["metadata"]["annotations"]["example.org/note"]

        await person.edit(what.kind, what.namespace, what.name, without)

    await asyncio.gather(*(one(what) for what in await chosen(person)))


async def test_what_is_deleted_comes_back(tenant: str, person: Person) -> None:
    """Also a whole namespace with all that was in it; a Secret comes back with the keys that it had."""
    objects = await chosen(person)
    before = await person.state(tenant)
    for what in objects:
        was = await live(person, what)
        await person.delete(what.kind, what.namespace, what.name)

        async def back(what: ResourceId = what, uid: str = was["metadata"]["uid"]) -> Json | None:
            obj = await person.get(what.kind, what.namespace, what.name)
            return obj if obj and obj["metadata"]["uid"] != uid else None

        again = await until(back)
        assert again is not None
        assert (again.get("data") or {}).keys() == (was.get("data") or {}).keys()
        await person.settled(tenant)
    after = await until(lambda: person.state(tenant), lambda found: found.keys() == before.keys())
    changed = {key.split()[0] for key in before if before[key] != after[key]}
    # New passwords, and what is made of them.
    assert changed <= {"v1/Secret", "apps/v1/Deployment", "apps/v1/StatefulSet", "batch/v1/Job"}


async def test_an_owner_who_does_not_exist_takes_nothing_with_it_for_long(tenant: str, person: Person) -> None:
    """The garbage collector deletes what such a reference stands in; data is not ours to risk in a test."""
    dead = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "gone",
        "uid": "00000000-0000-0000-0000-000000000000",
    }
    objects = [what for what in await chosen(person) if what.kind not in (*DATA, NAMESPACE)]

    async def one(what: ResourceId) -> None:
        was = await live(person, what)
        await person.edit(
            what.kind,
            what.namespace,
            what.name,
            lambda obj: obj["metadata"].update(ownerReferences=[dead]),
        )
        now = await restored(person, what, essence(was))
        assert now["metadata"]["uid"] != was["metadata"]["uid"]

    await asyncio.gather(*(one(what) for what in objects))
    await person.settled(tenant)


async def test_through_all_of_this_the_operator_deleted_nothing(
    site: Site, tenant: str, person: Person
) -> None:
    """But for Jobs that run again where all Secrets were deleted, and with them the passwords in which they
    are: no Job can be changed."""
    await person.settled(tenant)
    deleted = [
        event["requestURI"]
        for line in site.cluster.audit_log.read_text().splitlines()
        if (event := json.loads(line))["verb"].startswith("delete")
        and event["user"]["username"] == ACCOUNT
        and any(f"/{name}" in event["requestURI"] for name in namespaces(tenant))
        and not (LONG and any(f"/jobs/{name}-" in event["requestURI"] for name in _WITH_PASSWORDS))
    ]
    assert deleted == []
