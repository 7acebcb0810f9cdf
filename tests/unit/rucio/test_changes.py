"""What leads from what Rucio says to what is declared: as few requests as can be, none when nothing differs."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.targets.rucio import accounts, distances, rses
from vre_operator.targets.rucio.change import Change, same

DAVS: dict[str, Any] = {
    "scheme": "davs",
    "hostname": "disk.example.org",
    "port": 443,
    "prefix": "/data/",
    "impl": "rucio.rse.protocols.gfal.Default",
    "domains": {"lan": {"read": 1}, "wan": {"read": 1}},
    "extended_attributes": None,
}
RSE: dict[str, Any] = {
    "settings": {"rse_type": "DISK", "availability_read": True},
    "attributes": {"country": "FR", "tier": "1"},
    "protocols": [DAVS],
    "limits": {"MinFreeSpace": 10},
    "unmanaged": [],
}
SEEN: dict[str, Any] = {
    "rse_type": "DISK",
    "availability_read": True,
    "attributes": {"SITE": True, "country": "FR", "tier": "1", "city": "Nantes"},
    "protocols": [DAVS | {"extended_attributes": {}}],
    "limits": {"MinFreeSpace": 10},
}
ACCOUNT: dict[str, Any] = {
    "type": "SERVICE",
    "email": "a@example.org",
    "attributes": {"admin": "true"},
    "identities": [{"type": "OIDC", "identity": "SUB=a, ISS=b", "email": ""}],
    "quotas": {"*": 10},
    "rses": ["SITE"],
    "scopes": ["work"],
}
SEEN_ACCOUNT: dict[str, Any] = {
    "account": {"status": "ACTIVE", "account_type": "SERVICE", "email": "a@example.org"},
    "attributes": [{"key": "admin", "value": True}],
    "identities": [{"type": "OIDC", "identity": "SUB=a, ISS=b"}, {"type": "USERPASS", "identity": "a"}],
    "limits": {"*": {"limit": 10, "resolved_rses": []}},
    "local": {"SITE": float("inf")},
    "scopes": ["work", "older"],
}


def told(changes: list[Change]) -> list[str]:
    return [f"{change.method} {'/'.join(change.path)}: {change.what}" for change in changes]


def test_nothing_where_nothing_differs() -> None:
    assert rses.changes("SITE", RSE, SEEN) == []
    assert accounts.changes("work", ACCOUNT, SEEN_ACCOUNT) == []


def test_an_rse_is_made_by_one_import_and_its_limits() -> None:
    made = rses.changes("SITE", RSE, None)
    assert [change.path for change in made] == [("import",), ("rses", "SITE", "limits")]
    assert made[0].body == {
        "rses": {"SITE": RSE["settings"] | {"attributes": RSE["attributes"], "protocols": [DAVS]}}
    }


def test_an_rse_without_anything_is_made_as_well() -> None:
    bare: dict[str, Any] = {"settings": {}, "attributes": {}, "protocols": [], "limits": {}, "unmanaged": []}
    assert [change.body for change in rses.changes("SITE", bare, None)] == [{"rses": {"SITE": {}}}]


def test_only_what_differs_is_sent() -> None:
    seen = SEEN | {"attributes": SEEN["attributes"] | {"tier": "2"}}
    (change,) = rses.changes("SITE", RSE, seen)
    assert change.body == {"rses": {"SITE": {"attributes": {"tier": "1"}}}}


@pytest.mark.parametrize(
    ("seen", "change"),
    [
        ({"attributes": SEEN["attributes"] | {"rogue": "x"}}, "DELETE rses/SITE/attr/rogue: attributes.rogue"),
        (
            {"protocols": [DAVS, DAVS | {"port": 8443}]},
            "DELETE rses/SITE/protocols/davs/disk.example.org/8443: protocols.davs://disk.example.org:8443",
        ),
        ({"limits": {"MinFreeSpace": 10, "Other": 1}}, "DELETE rses/SITE/limits: limits.Other"),
        ({"limits": {}}, "PUT rses/SITE/limits: limits.MinFreeSpace"),
    ],
)
def test_what_the_import_cannot_do_is_done_singly(seen: dict[str, Any], change: str) -> None:
    assert told(rses.changes("SITE", RSE, SEEN | seen)) == [change]


@pytest.mark.parametrize("aspect", ["Settings", "Attributes", "Protocols", "Limits"])
def test_what_is_left_to_people_is_set_once(aspect: str) -> None:
    wanted = RSE | {"unmanaged": [aspect]}
    assert rses.changes("SITE", wanted, None) == rses.changes("SITE", RSE, None)
    others: dict[str, dict[str, Any]] = {
        "Settings": {"rse_type": "TAPE"},
        "Attributes": {"attributes": {"x": "y"}},
        "Protocols": {"protocols": []},
        "Limits": {"limits": {"Other": 1}},
    }
    other = others[aspect]
    assert rses.changes("SITE", RSE, SEEN | other) != []
    assert rses.changes("SITE", wanted, SEEN | other) == []


@pytest.mark.parametrize(
    ("wanted", "seen", "equal"),
    [
        ("true", True, True),
        ("True", True, True),
        ("false", True, False),
        ("1", True, False),
        ("1", "1", True),
        ("1", 1, True),
        ("1.50", 1.5, False),
        ("", "", True),
    ],
)
def test_a_text_and_what_rucio_makes_of_it(wanted: str, seen: Any, equal: bool) -> None:
    assert same(wanted, seen) is equal


def test_distances_are_sent_in_pieces_and_only_between_what_is_there() -> None:
    names = [f"R{number}" for number in range(60)]
    body = {"rses": names, "default": 1, "links": [{"source": "R1", "destination": "R2", "distance": 0}]}
    pairs = distances.wanted(body)
    assert len(pairs) == 60 * 59
    parts = list(distances.parts(distances.differing(pairs, {}, names)))
    sent = [change.body["distances"] for _, change in parts]
    assert [sum(map(len, rows.values())) for rows in sent] == [*[500] * 7, 60 * 59 - 1 - 7 * 500]
    for part, change in parts:
        rows = change.body["distances"]
        assert part == {(a, b): one["distance"] for a, row in rows.items() for b, one in row.items()}
    ((_, change),) = distances.parts(distances.differing(pairs, {}, {"R1", "R2"}))
    assert change.body == {"distances": {"R2": {"R1": {"distance": 1}}}}
    seen: dict[str, dict[str, int | None]] = {
        one: {other: 1 for other in names if other != one} for one in names
    }
    ((part, change),) = distances.parts(distances.differing(pairs, seen, names))
    assert part == {("R1", "R2"): 0}
    assert told([change]) == ["DELETE rses/R1/distances/R2: R1 to R2"]
    # Somebody else's pairs stay.
    others = seen | {"X": {"R1": 9}, "R1": seen["R1"] | {"X": 9, "R2": None}}
    assert distances.differing(pairs, others, {*names, "X"}) == {}


def test_an_account_that_was_deleted_is_woken_first() -> None:
    seen = {"account": SEEN_ACCOUNT["account"] | {"status": "DELETED"}}
    assert told(accounts.changes("work", ACCOUNT, seen)) == ["PUT accounts/work: status"]


def test_an_account_is_made_with_all_that_belongs_to_it() -> None:
    assert told(accounts.changes("work", ACCOUNT, None)) == [
        "POST accounts/work: it is not there",
        "POST accounts/work/attr/admin: attributes.admin",
        "POST accounts/work/identities: identities.SUB=a, ISS=b",
        "POST accounts/work/limits/global/*: quotas.*",
        "POST accounts/work/limits/local/SITE: quotas at SITE",
        "POST accounts/work/scopes/work: scopes.work",
    ]


def test_an_attribute_is_changed_by_taking_it_away() -> None:
    seen = SEEN_ACCOUNT | {"attributes": [{"key": "admin", "value": False}, {"key": "rogue", "value": 1}]}
    assert told(accounts.changes("work", ACCOUNT, seen)) == [
        "DELETE accounts/work/attr/admin: attributes.admin",
        "POST accounts/work/attr/admin: attributes.admin",
        "DELETE accounts/work/attr/rogue: attributes.rogue",
    ]


def test_identities_and_quotas_that_nobody_declares_go() -> None:
    bare = ACCOUNT | {"identities": [], "quotas": {}}
    assert told(accounts.changes("work", bare, SEEN_ACCOUNT)) == [
        "DELETE accounts/work/identities: identities.SUB=a, ISS=b",
        "DELETE accounts/work/limits/global/*: quotas.*",
    ]
