"""What is published of people: names that Rucio takes, and words about those that it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from tests.unit.components.scenarios import FULL, TENANT, environment
from vre_operator.components import registry
from vre_operator.engine.inventory import Inventory
from vre_operator.engine.plan import make_plan
from vre_operator.engine.resources import Policy, ResourceId
from vre_operator.engine.target import Voucher
from vre_operator.targets.oidc import OidcTarget
from vre_operator.targets.oidc.people import outputs
from vre_operator.targets.store import StateStore


def person(username: str, sub: str = "") -> dict[str, Any]:
    return {"sub": sub or f"sub of {username}", "username": username, "email": "", "groups": ["b", "a"]}


def test_people_and_what_storage_reads_agree() -> None:
    told = outputs([person("Bob"), person("alice")])
    people = json.loads(told["people"])
    assert [one["name"] for one in people] == ["alice", "bob"]
    assert people[0]["groups"] == ["a", "b"]
    assert json.loads(told["storage"]) == [
        {"sub": "sub of alice", "result": "alice"},
        {"sub": "sub of Bob", "result": "bob"},
    ]
    assert told["problems"] == ""


def test_nobody_gets_a_name_that_somebody_else_might_mean() -> None:
    told = outputs([person("Kim"), person("kim"), person("lee")])
    assert [one["name"] for one in json.loads(told["people"])] == ["lee"]
    assert "kim is the name of 2 people" in told["problems"]
    assert "kim" not in told["storage"]


def test_names_that_rucio_refuses_are_told_and_not_bent() -> None:
    told = outputs([person("a.b"), person("x" * 21), person("x" * 20), person("ok")])
    assert [one["name"] for one in json.loads(told["people"])] == ["ok", "x" * 20]
    assert "a.b is no name" in told["problems"]
    assert "x" * 21 + " is no name" in told["problems"]


def test_many_problems_are_told_in_few_words() -> None:
    told = outputs([person(f"no.{number}") for number in range(9)])
    assert told["problems"].endswith("; and 4 more")


def test_service_accounts_are_nobody() -> None:
    told = outputs([person("service-account-vre.1.ocean.ocean.rucio")])
    assert (told["people"], told["problems"]) == ("[]", "")


def target_at(clock: Callable[[], float]) -> OidcTarget:
    return OidcTarget(cast(StateStore, None), clock=clock)


def test_people_are_read_between_walks_too() -> None:
    """Who left has to be seen although nothing in the cluster changes: seen not to happen, on a cluster."""
    plan = make_plan(registry.render(environment(FULL)))
    (people,) = (
        entry.id
        for entry in Inventory().merged(plan)
        if entry.id.kind == "People" and entry.id.target == "oidc"
    )
    now = [1000.0]
    target = target_at(lambda: now[0])
    voucher = target.vouch(TENANT, [people], walked=False)
    assert voucher is not None
    assert voucher.recheck_after is not None
    now[0] += voucher.recheck_after
    assert target.vouch(TENANT, [people], walked=False) is None


async def test_nobody_asks_for_people_that_are_no_longer_wanted() -> None:
    people = ResourceId("oidc", "People", "", "people")
    now = [1000.0]
    target = target_at(lambda: now[0])
    target.vouch(TENANT, [people], walked=False)
    now[0] += 1000
    assert target.vouch(TENANT, [people], walked=False) is None
    assert await target.delete(TENANT, people, Policy.DELETE, data=False)
    assert target.vouch(TENANT, [], walked=False) == Voucher("")
