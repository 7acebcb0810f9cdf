"""Who has left, how many may leave at once, and what a group's name becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vre_operator.targets.rucio import people
from vre_operator.targets.rucio.people import Wish


def wish(*names: str, **fields: Any) -> Wish:
    persons = [{"name": name, "sub": name, "email": "", "groups": ["g", "café club"]} for name in names]
    body = {
        "people": json.dumps(persons),
        "problems": "",
        "issuer": "https://sso.example.org/",
        "groups": ["g", "café club", "x" * 31],
        "admins": [],
        "quotas": [{"group": "", "rse_expression": "*", "size": 5}],
        "declared": ["root", "service"],
        "share": 10,
        "word": "",
    }
    return Wish.parse(body | fields, {"*": frozenset({"SITE"})})


@pytest.mark.parametrize(
    ("had", "gone", "held_up"),
    [(5, 3, False), (5, 4, True), (50, 5, False), (50, 6, True), (0, 0, False), (4, 4, True)],
)
def test_few_may_leave_and_many_may_not(had: int, gone: int, held_up: bool) -> None:
    ours = {f"p{number}" for number in range(had)}
    leaving = sorted(ours)[:gone]
    told = people.brake(leaving, ours, wish())
    assert bool(told) is held_up
    if held_up:
        word = people.word(leaving)
        assert word in told
        assert people.brake(leaving, ours, wish(word=word)) == ""
        assert people.word(leaving[:-1]) != word


def test_no_share_means_three() -> None:
    ours = {f"p{number}" for number in range(1000)}
    assert people.brake(sorted(ours)[:3], ours, wish(share=0)) == ""
    assert people.brake(sorted(ours)[:4], ours, wish(share=0))
    assert people.brake(sorted(ours), ours, wish(share=100)) == ""


def test_leavers_are_ours_who_are_wanted_no_more() -> None:
    assert people.leavers({"a", "b", "root", "service"}, wish("a")) == ["b"]


def test_a_person_with_a_declared_name_is_not_made() -> None:
    assert set(wish("service", "a").bodies) == {"a"}


def test_groups_become_attributes_as_far_as_rucio_takes_their_names() -> None:
    assert wish("a").bodies["a"]["attributes"] == {"g": "true", "caf--club": "true"}


def test_a_quota_that_matches_nothing_is_not_wanted() -> None:
    quotas = [{"group": "", "rse_expression": one, "size": 5} for one in ("*", "tier=9")]
    made = wish("a", quotas=quotas)
    assert made.bodies["a"]["quotas"] == {"*": 5}
    assert made.unmatched == {"tier=9"}


def test_the_digest_is_of_what_is_wanted() -> None:
    before, after = wish("a", "b"), wish("a", "b", quotas=[])
    assert before.digests["a"] != before.digests["b"]
    assert before.digests["a"] != after.digests["a"]
    assert before.digests == wish("b", "a").digests
