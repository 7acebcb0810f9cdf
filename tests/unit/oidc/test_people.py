"""What is published of people: names that Rucio takes, and words about those that it does not."""

from __future__ import annotations

import json
from typing import Any

from vre_operator.targets.oidc.people import outputs


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
