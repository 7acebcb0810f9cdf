"""Whom REANA is made to know, and who loses the token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vre_operator.targets.reana.people import NOBODY, STORE, Change, Wish, changes, spent, stores, strangers

LIMITS = {"cpu": 3_600_000, "disk": 1 << 30}
QUOTAS = [{"group": "", **LIMITS}]


def wish(*people: tuple[str, str], quotas: Any = QUOTAS, groups: tuple[str, ...] = ()) -> Wish:
    told = [{"name": name, "sub": name, "email": email, "groups": list(groups)} for name, email in people]
    return Wish.parse({"people": json.dumps(told), "own": {}, "quotas": quotas})


def person(address: str, *, active: bool = True, limits: Any = LIMITS, **used: int) -> dict[str, Any]:
    used = {"cpu": 0, "disk": 0} | used
    return {"id": f"id-of-{address}", "email": address, "active": active, "limits": limits, "used": used}


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
    assert strangers(Wish.parse({"people": None, "own": {}, "quotas": QUOTAS}), [person(BOB[1])]) == set()


def test_the_probe_is_nobody_s_leaver() -> None:
    found = [person(ALICE[1]), person("probe@reana.invalid")]
    assert strangers(wish(ALICE), found) == set()


@pytest.mark.parametrize("people", [None, "[]"])
def test_the_probe_is_made_whoever_else_there_is(people: str | None) -> None:
    one = Wish.parse({"people": people, "own": {"probe@reana.invalid": "vre-probe"}, "quotas": QUOTAS})
    made = [Change("PUT", "probe@reana.invalid", body={"username": "vre-probe"})]
    assert changes(one, [], ()) == made
    assert changes(one, [person("probe@reana.invalid")], ()) == []


def test_limits_are_kept_for_leavers_too() -> None:
    other = {"cpu": 0, "disk": 0}
    found = [person(ALICE[1], limits=other), person(BOB[1])]
    assert changes(wish(ALICE), found, ()) == [Change("PUT", ALICE[1], ("limits",), LIMITS)]


def test_of_several_quotas_the_largest_counts_of_each_kind() -> None:
    quotas = [
        {"group": "", "cpu": 10, "disk": 10},
        {"group": "deep", "cpu": 20, "disk": 0},
        {"group": "wide", "cpu": 5, "disk": 30},
    ]
    both = wish(ALICE, quotas=quotas, groups=("deep", "wide", "unheard"))
    assert both.limits(ALICE[1]) == {"cpu": 20, "disk": 30}
    assert both.limits("leaver@example.org") == {"cpu": 10, "disk": 10}
    assert wish(ALICE, quotas=quotas).limits(ALICE[1]) == {"cpu": 10, "disk": 10}
    assert wish(ALICE, quotas=()).limits(ALICE[1]) == {"cpu": 0, "disk": 0}, "without end"
    alone = wish(ALICE, quotas=quotas[1:], groups=("deep",))
    assert alone.limits(ALICE[1]) == {"cpu": 20, "disk": 0}


def test_who_changes_the_group_has_another_quota() -> None:
    quotas = [*QUOTAS, {"group": "deep", "cpu": 9_000_000, "disk": 0}]
    found = [person(ALICE[1])]
    larger = {"cpu": 9_000_000, "disk": 1 << 30}
    assert changes(wish(ALICE, quotas=quotas, groups=("deep",)), found, ()) == [
        Change("PUT", ALICE[1], ("limits",), larger)
    ]
    assert changes(wish(ALICE, quotas=quotas), found, ()) == []


def test_who_has_used_up_the_quota_is_named() -> None:
    found = [
        person(BOB[1], disk=LIMITS["disk"]),
        person(ALICE[1], cpu=LIMITS["cpu"] - 1),
        person("free@example.org", limits={"cpu": 0, "disk": 0}, cpu=10),
    ]
    assert spent(wish(ALICE, BOB), found) == ["bob has used up the quota of disk"]


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
