"""Whom REANA is made to know, and who loses the token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vre_operator.targets.reana.people import NOBODY, STORE, Change, Wish, changes, stores, strangers

LIMITS = {"cpu": 3_600_000, "disk": 1 << 30}


def wish(*people: tuple[str, str], limits: dict[str, int] | None = None) -> Wish:
    told = [{"name": name, "sub": name, "email": email, "groups": []} for name, email in people]
    return Wish.parse({"people": json.dumps(told), "own": {}, "limits": limits or LIMITS})


def person(address: str, *, active: bool = True, limits: dict[str, int] | None = None) -> dict[str, Any]:
    return {"id": f"id-of-{address}", "email": address, "active": active, "limits": limits or LIMITS}


ALICE, BOB = ("alice", "alice@example.org"), ("bob", "bob@example.org")


def test_who_is_new_is_made_and_who_is_known_stays() -> None:
    found = [person(ALICE[1])]
    assert changes(wish(ALICE, BOB), found, ()) == [Change("PUT", BOB[1], body={"username": "bob"})]
    assert changes(wish(ALICE), found, ()) == []


def test_who_comes_back_gets_a_token_again() -> None:
    found = [person(ALICE[1], active=False)]
    assert changes(wish(ALICE), found, ()) == [Change("PUT", ALICE[1], body={"username": "alice"})]


def test_strangers_are_those_with_a_token_whom_the_provider_does_not_know() -> None:
    found = [person(ALICE[1]), person(BOB[1]), person("carol@example.org", active=False)]
    assert strangers(wish(ALICE), found) == {BOB[1]}
    assert changes(wish(ALICE), found, [BOB[1]]) == [Change("DELETE", BOB[1], ("token",))]


def test_nobody_is_a_stranger_where_nobody_is_known() -> None:
    """A group that was emptied by mistake, or a provider that is not asked."""
    assert strangers(wish(), [person(BOB[1])]) == set()
    assert strangers(Wish.parse({"people": None, "own": {}, "limits": LIMITS}), [person(BOB[1])]) == set()


def test_the_probe_is_nobody_s_leaver() -> None:
    found = [person(ALICE[1]), person("probe@reana.invalid")]
    assert strangers(wish(ALICE), found) == set()


@pytest.mark.parametrize("people", [None, "[]"])
def test_the_probe_is_made_whoever_else_there_is(people: str | None) -> None:
    one = Wish.parse({"people": people, "own": {"probe@reana.invalid": "vre-probe"}, "limits": LIMITS})
    made = [Change("PUT", "probe@reana.invalid", body={"username": "vre-probe"})]
    assert changes(one, [], ()) == made
    assert changes(one, [person("probe@reana.invalid")], ()) == []


def test_limits_are_kept_for_leavers_too() -> None:
    other = {"cpu": 0, "disk": 0}
    found = [person(ALICE[1], limits=other), person(BOB[1])]
    assert changes(wish(ALICE), found, ()) == [Change("PUT", ALICE[1], ("limits",), LIMITS)]


def test_people_whom_reana_cannot_tell_apart_are_told() -> None:
    one = wish(ALICE, ("alina", ALICE[1]), ("dora", ""), BOB)
    assert one.known == {BOB[1]: "bob"}
    assert one.problems == (
        "alice has another person's e-mail address",
        "alina has another person's e-mail address",
        "dora has no e-mail address at the provider",
    )


def test_the_list_of_stores_is_never_empty() -> None:
    """A right to no name at all would be a right to all names."""
    assert json.loads(stores([])) == [STORE + NOBODY]
    assert json.loads(stores([person(ALICE[1])])) == [STORE + NOBODY, f"{STORE}id-of-{ALICE[1]}"]
